/**
 * The node as its commands see it: the ports that handlers may use. What puts a node together implements it
 * (`server.ts`).
 */
import type { CommandCatalog, ErrorReply } from '../../engine/index.js';
import type { AuthenticationGate } from '../client/authentication-gate.js';
import type { Consistency } from '../client/consistency.js';
import type { UsersHost } from '../client/node-users.js';
import type { Pauses } from '../client/pauses.js';
import type { Slices } from '../client/slices.js';
import type { ConfigChange } from '../config/configuration.js';
import type { TopologyHost } from '../discovery/topology.js';
import type { InfoHost } from '../observability/info.js';
import type { LatencyMonitor, SlowLog } from '../observability/slow-log.js';
import type { RdbSave } from '../replicas/rdb-save.js';
import type { Replicas } from '../replicas/replicas.js';
import type { DiskSpace } from '../replication/disk-space.js';
import type { FollowerWaitHost } from '../replication/follower-wait.js';
import type { KeyChanges } from '../replication/key-changes.js';
import type { ReadQueue } from '../replication/read-queue.js';
import type { Replica } from '../replication/replica.js';

export interface NodeContext extends InfoHost, TopologyHost, UsersHost, FollowerWaitHost {
  /** Facts about every command. */
  readonly catalog: CommandCatalog;
  readonly replica: Replica;
  readonly reads: ReadQueue;
  /** Redis's own replicas of this node. */
  readonly replicas: Replicas;
  readonly keyChanges: KeyChanges;
  /** SAVE and BGSAVE. */
  readonly rdbSave: RdbSave;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  /** Of a node that has a disk. */
  readonly diskSpace: DiskSpace | undefined;
  readonly slices: Slices;
  readonly pauses: Pauses;
  readonly authenticationGate: AuthenticationGate;
  readonly guide: TopologyHost['guide'] & {
    /** Whether clients are sent away by errors that they follow by themselves. */
    readonly redirects: boolean;
  };
  /** What no client may lower. */
  readonly consistency: Consistency;
  /** By which time-to-live replies are reckoned. */
  readonly timeMs: number;

  /**
   * Whether a client's read may run on the state as it stands.
   *
   * @param forwardedBy the node that forwards it; 0: none does
   */
  mayReadNow(consistency: Consistency, forwardedBy: number): boolean;
  /** Why this node cannot serve a read at all, or undefined. */
  refuseRead(consistency: Consistency): ErrorReply | undefined;
  /** Where a client should go, or why there is nowhere to go. */
  notLeading(): ErrorReply;
  /** Microseconds since the epoch, by this node's clock. */
  clockUs(): number;
  /** Puts checked changes of the configuration into force on this node. */
  configure(changes: readonly ConfigChange[]): void;
  /** @throws ErrorReply if none was taken */
  takeSnapshot(): Promise<void>;
  /** DEBUG RELOAD: goes on with a copy of the state that went through a snapshot. */
  reload(): void;
  /** The digest of the state at an index to come, or now. */
  digest(index?: number): Promise<{ readonly index: number; readonly digest: string }>;
  shutdown(): void;
}
