/**
 * The cluster that a plan describes, in virtual time: machines, network, and what clients and faults ask of
 * them.
 */
import { type Membership, type MembershipChange, majority, type NodeId } from '../../raft/index.js';
import { EventHistory } from './event-history.js';
import { EventLoop } from './event-loop.js';
import { Invariants } from './invariants.js';
import { Machine } from './machine.js';
import type { MachineWorld } from './machine-world.js';
import { Network } from './network.js';
import type { Plan, Reflex } from './plan.js';
import { Random } from './random.js';

const traceLines = 60;

export class World implements MachineWorld {
  readonly loop = new EventLoop();
  readonly random: Random;
  readonly network: Network;
  readonly invariants = new Invariants();
  readonly machines: Machine[] = [];
  /** What the log tells whoever listens. */
  readonly events = new EventHistory();
  /** At every so many indices the states of all nodes are compared. */
  readonly digestEvery = 40;
  readonly counts = {
    snapshots: 0,
    installs: 0,
    parted: 0,
    lostClusters: 0,
    faults: 0,
    operations: 0,
    unknown: 0,
    undecided: 0,
    heard: 0,
    forgotten: 0,
  };
  /** How far clocks may be apart by what was done to them. */
  skewMs = 5;
  /** The run has failed or ended: clients go home. */
  isOver = false;
  /** Faults are over. */
  isCalm = false;
  /** Until then, pulses may lie. */
  lieUntilMs = 0;
  readonly lies: Random;

  readonly reflexes: { readonly reflex: Reflex; left: number }[] = [];

  /** What each machine did last. */
  readonly traces = new Map<string, string[]>();
  /** Equal for equal runs. */
  fingerprint = 0;

  /**
   * When a fault last made a node campaign ahead of its time: it forgets the leader to whom it has promised
   * its vote.
   */
  campaignedAtMs = Number.NEGATIVE_INFINITY;

  /** @param onEvent told of what faults may have been waiting for */
  constructor(
    readonly plan: Plan,
    private readonly onEvent: (when: Reflex['when'], machine: Machine) => void,
  ) {
    this.random = new Random(plan.seed ^ 0x5eed);
    if (plan.hasAudience) this.invariants.onCommitted = (entry) => this.events.committed(entry);
    this.network = new Network(this.loop, this.random.fork('network'));
    this.lies = this.random.fork('lies');
    const members = Array.from({ length: plan.founders }, (_, i) => ({
      id: (i + 1) * 100 + 1,
      address: `m${i + 1}:7481`,
      learner: false,
    }));
    const founders = { members, removed: [] };
    for (let number = 1; number <= plan.machines; number++) {
      this.machines.push(new Machine(number, this, plan.sizes, founders));
    }
  }

  // ---- for the parts ----

  trace(who: string, text: string): void {
    const line = `${this.loop.nowMs.toFixed(3)} ${text}`;
    for (let i = 0; i < line.length; i++) {
      this.fingerprint = (Math.imul(this.fingerprint, 31) + line.charCodeAt(i)) | 0;
    }
    let lines = this.traces.get(who);
    if (lines === undefined) {
      lines = [];
      this.traces.set(who, lines);
    }
    lines.push(line);
    if (lines.length > traceLines) lines.shift();
  }

  /** Something happened that a fault may have been waiting for. */
  happened(when: Reflex['when'], machineNumber: number): void {
    if (this.reflexes.length > 0) this.onEvent(when, this.machines[machineNumber - 1]!);
  }

  /**
   * A node has become leader. Nobody else may count on a lease now: it would answer reads on its own while
   * this one takes writes. Clocks that do not run alike void all leases, and so does a campaign that no
   * timeout has begun.
   */
  checkLeases(machineNumber: number): void {
    const elected = this.machines[machineNumber - 1]!;
    const settledMs = this.loop.nowMs - 2000;
    if (this.campaignedAtMs > settledMs) return;
    if (this.machines.some((machine) => machine.clock.oddUntilMs > settledMs)) return;
    const { term } = elected.running!.node?.status() ?? { term: 0 };
    for (const machine of this.machines) {
      const { node } = machine;
      if (machine === elected || node === undefined || !node.leaseValid || node.status().term > term)
        continue;
      this.invariants.violate(
        'a lease excludes other leaders',
        `${elected.name} leads, and ${machine.name} has a lease of term ${node.status().term}`,
      );
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.loop.after(ms, resolve));
  }

  machineOf(id: NodeId): Machine | undefined {
    return this.machines.find((machine) => machine.nodeId === id);
  }

  /** The leader of the highest term that does not stand still. */
  get leader(): Machine | undefined {
    const leaders = this.machines.filter((machine) => machine.isLeader);
    return leaders.sort((a, b) => b.node!.status().term - a.node!.status().term)[0];
  }

  /** As the node that applied most sees it. */
  get membership(): Membership {
    const ups = this.machines.filter((machine) => machine.node !== undefined);
    const best = ups.sort((a, b) => b.node!.status().lastIndex - a.node!.status().lastIndex)[0];
    return (
      this.leader?.node?.status().membership ??
      best?.node?.status().membership ?? { members: [], removed: [] }
    );
  }

  /**
   * Whether the cluster can bear that `machine` loses what it stored: only a minority may, of every
   * membership that anybody goes by.
   */
  canLose(machine: Machine): boolean {
    const views = this.machines.flatMap((one) => one.membership ?? []);
    const known = this.invariants.membership;
    if (known !== undefined) views.push(known);
    const isMember = this.membership.members.some(
      (member) => member.id === machine.nodeId && !member.learner,
    );
    return isMember && views.every((view) => view.members.length === 0 || this.canBear(view, machine));
  }

  private canBear({ members }: Membership, machine: Machine): boolean {
    const voters = members.filter((member) => !member.learner);
    const sound = voters.filter((voter) => {
      const other = this.machineOf(voter.id);
      return other !== undefined && other !== machine && !other.isDoubtful;
    });
    return sound.length >= majority(voters.length);
  }

  /** Asks whoever leads for a change until it is accepted or makes no sense any more. */
  administer(
    change: MembershipChange,
    then?: () => void,
    attempts = 60,
    isSensible = (): boolean => true,
  ): void {
    if (attempts === 0 || this.isOver || !isSensible()) return;
    const result = this.leader?.node?.proposeMembership(change);
    if (result !== undefined && 'index' in result) {
      this.trace('operator', `${change.kind} ${change.id} at ${result.index}`);
      then?.();
      return;
    }
    const refused = result?.refused;
    const isFutile =
      refused !== undefined &&
      [
        'unknown-id',
        'removed-id',
        'already-member',
        'already-voter',
        'last-voter',
        'invalid-change',
      ].includes(refused);
    if (!isFutile) this.loop.after(70, () => this.administer(change, then, attempts - 1, isSensible));
  }
}
