/** The world as a machine of the simulated cluster sees it. */
import type { NodeId } from '../../raft/index.js';
import type { TransportHandler } from '../../raft/node/index.js';
import type { Server } from '../../src/server.js';
import type { EventLoop } from './event-loop.js';
import type { Invariants } from './invariants.js';
import type { ClientLink, Network } from './network.js';
import type { MachineState, Plan, Reflex } from './plan.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

/** Another machine, or this one, by what can be reached there. */
export interface Neighbour {
  readonly name: string;
  readonly nodeId: NodeId;
  readonly state: MachineState;
  readonly running:
    | {
        readonly process: Process;
        readonly server: Server | undefined;
        readonly handler: TransportHandler | undefined;
        readonly links: Set<ClientLink>;
      }
    | undefined;
}

export interface MachineWorld {
  readonly loop: EventLoop;
  readonly random: Random;
  readonly network: Network;
  readonly invariants: Invariants;
  readonly plan: Plan;
  readonly machines: readonly Neighbour[];
  /** At every so many indices the states of all nodes are compared. */
  readonly digestEvery: number;
  readonly counts: { snapshots: number; installs: number; parted: number };
  machineOf(id: NodeId): Neighbour | undefined;
  /** Something happened on a machine that a fault may have been waiting for. */
  happened(when: Reflex['when'], machineNumber: number): void;
  /** A node on a machine has become leader. */
  checkLeases(machineNumber: number): void;
  trace(who: string, text: string): void;
}
