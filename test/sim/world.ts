/** One run: the cluster that a plan describes, in virtual time, with everything that is to go wrong, and all checkers watching. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Membership, type MembershipChange, majority, type NodeId } from '../../raft/index.js';
import { checkHistory } from '../linearizability/checker.js';
import type { Operation } from '../linearizability/history.js';
import { Client } from './client.js';
import { EventLoop } from './event-loop.js';
import { applyFault, react } from './faults.js';
import { Invariants, Violation } from './invariants.js';
import { Machine } from './machine.js';
import { Network } from './network.js';
import type { Plan, Reflex } from './plan.js';
import { Random } from './random.js';
import { checkTtl, type TtlHistory } from './ttl.js';
import type { ClientOperation } from './workload.js';

/** Virtual time within which a healed cluster must have a leader and even members. */
const recoveryMs = 15_000;
/** ... and clients must have got through what they had left. */
const clientsMs = 60_000;
const traceLines = 60;

export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** What each machine did last. */
  readonly traces: ReadonlyMap<string, readonly string[]>;
  readonly counts: Readonly<Record<string, number>>;
  /** Equal for equal runs. */
  readonly fingerprint: number;
  readonly virtualMs: number;
}

export class World {
  readonly loop = new EventLoop();
  readonly random: Random;
  readonly network: Network;
  readonly invariants = new Invariants();
  readonly machines: Machine[] = [];
  /** At every so many indices the states of all nodes are compared. */
  readonly digestEvery = 40;
  readonly counts = { snapshots: 0, installs: 0, faults: 0, operations: 0, unknown: 0, undecided: 0 };
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

  private readonly history: Operation[] = [];
  private readonly ttl: TtlHistory = { writes: [], reads: [] };
  private readonly traces = new Map<string, string[]>();
  private fingerprint = 0;

  /** When a fault last made a node campaign ahead of its time: it forgets the leader to whom it has promised its vote. */
  campaignedAtMs = Number.NEGATIVE_INFINITY;

  constructor(readonly plan: Plan) {
    this.random = new Random(plan.seed ^ 0x5eed);
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
  happened(when: Reflex['when'], machine: Machine): void {
    if (this.reflexes.length > 0) react(this, when, machine);
  }

  /**
   * A node has become leader. Nobody else may count on a lease now: it would answer reads on its own while this one takes writes. Clocks
   * that do not run alike void all leases, and so does a campaign that no timeout has begun.
   */
  checkLeases(elected: Machine): void {
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

  /** Whether the cluster can bear that `machine` loses what it stored: only a minority may, of every membership that anybody goes by. */
  canLose(machine: Machine): boolean {
    const views = this.machines.flatMap((one) =>
      one.node === undefined ? [] : [one.node.status().membership],
    );
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

  // ---- the run ----

  async run(): Promise<RunResult> {
    const { plan } = this;
    for (const machine of this.machines.slice(0, plan.founders)) machine.start();
    for (const fault of plan.faults)
      this.loop.after(fault.atMs, () => this.isCalm || applyFault(this, fault));
    const clients = Array.from({ length: plan.clients }, (_, client) =>
      this.client(`c${client + 1}`, client),
    );
    let failure: unknown;
    try {
      await this.advance(() => false, plan.stormMs);
      this.calmDown();
      await this.expect(
        'liveness',
        () => this.isEven(),
        recoveryMs,
        () => this.describeCluster(),
      );
      await this.expect(
        'liveness',
        () => clients.every((one) => one.isDone),
        clientsMs,
        () => clients.map((one) => one.describe()).join('; '),
      );
      await this.readAll();
      await this.compareStates();
      if (plan.lastRestart !== 'none') await this.restartAll();
      this.checkHistories();
    } catch (error) {
      failure = error;
    }
    this.isOver = true;
    this.counts.operations = this.history.length;
    this.counts.unknown = this.history.filter((operation) => operation.output === undefined).length;
    const violation =
      this.invariants.violation ??
      (failure === undefined || failure instanceof Violation
        ? failure
        : new Violation('no crash', failure instanceof Error ? failure.stack! : String(failure)));
    await this.close();
    return {
      seed: plan.seed,
      violation,
      traces: this.traces,
      counts: {
        ...this.counts,
        ...this.invariants.counts,
        messages: this.network.sent,
        lost: this.network.lost,
      },
      fingerprint: this.fingerprint,
      virtualMs: this.loop.nowMs,
    };
  }

  private client(name: string, number: number, operations?: readonly ClientOperation[]): Client {
    const own = operations ?? this.plan.operations.filter((operation) => operation.client === number);
    const client = new Client(this, name, own, this.history, this.ttl);
    client.run().catch((error: Error) => this.invariants.violate('no crash', error.stack!));
    return client;
  }

  /** Lets time pass until `isDone`, at most for `limitMs`; ends at the first violation. */
  private async advance(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const reached = await this.loop.until(() => this.invariants.violation !== undefined || isDone(), limitMs);
    if (this.invariants.violation !== undefined) throw this.invariants.violation;
    return reached;
  }

  private async expect(
    check: string,
    isDone: () => boolean,
    limitMs: number,
    describe: () => string,
  ): Promise<void> {
    if (await this.advance(isDone, limitMs)) return;
    throw new Violation(check, `not within ${limitMs} ms: ${describe()}`);
  }

  /** The last fault heals. */
  private calmDown(): void {
    this.isCalm = true;
    this.trace('operator', 'all faults end');
    this.network.heal();
    for (const machine of this.machines) {
      machine.heal();
      if (machine.state === 'off' && machine.wasStarted) machine.start();
    }
  }

  /** The members that can be up: all but those whose disks were damaged. */
  private get members(): Machine[] {
    const found = this.membership.members.map((member) => this.machineOf(member.id));
    return found.filter((machine) => machine !== undefined && machine.state !== 'refused') as Machine[];
  }

  /** Whether a leader leads and all sound members have applied what it has committed. */
  private isEven(): boolean {
    const node = this.leader?.node;
    if (node === undefined) return false;
    const { ownTermCommitted, commit, lastIndex } = node.status();
    if (!ownTermCommitted || commit !== lastIndex) return false;
    return this.members.every((machine) => machine.node !== undefined && machine.node.applied === commit);
  }

  private describeCluster(): string {
    return this.machines
      .map((machine) => {
        const status = machine.node?.status();
        const facts =
          status === undefined
            ? ''
            : ` ${status.role} term ${status.term} leader ${status.leader} commit ${status.commit} last ${status.lastIndex} applied ${status.applied}`;
        return `${machine.name} (node ${machine.nodeId}) ${machine.state}${facts}`;
      })
      .concat(
        `members ${this.membership.members.map((member) => `${member.id}${member.learner ? ' (learner)' : ''}`).join(', ')}`,
      )
      .join('; ');
  }

  /** A last look at every key: what was acknowledged must be there. */
  private async readAll(): Promise<void> {
    const looks: ClientOperation[] = [];
    const look = (...commands: string[][]): void => {
      looks.push({ client: 0, thinkMs: 0, kind: commands.length > 1 ? 'look' : 'command', commands });
    };
    for (let i = 0; i < 3; i++) {
      look(['GET', `r${i}`]);
      look(['GET', `c${i}`]);
      look(['GET', `t${i}`]);
      look(['LRANGE', `l${i}`, '0', '-1']);
      look(['SMEMBERS', `s${i}`]);
      look(['LRANGE', `q${i}`, '0', '-1']);
    }
    for (const { key } of this.ttl.writes) look(['GET', key], ['PTTL', key]);
    const reader = this.client('last reader', 0, looks);
    await this.expect(
      'liveness',
      () => reader.isDone,
      clientsMs,
      () => reader.describe(),
    );
  }

  /** All members stand at one index, in one state. */
  private async compareStates(): Promise<void> {
    await this.expect(
      'liveness',
      () => this.isEven(),
      recoveryMs,
      () => this.describeCluster(),
    );
    for (const machine of this.members) machine.running!.machine.checkDigest();
    if (this.invariants.violation !== undefined) throw this.invariants.violation;
  }

  private async restartAll(): Promise<void> {
    const { lastRestart } = this.plan;
    const members = this.members;
    for (const machine of members) {
      if (lastRestart === 'stop') await this.settle(machine.stop());
      else if (lastRestart === 'kill') machine.kill();
      else machine.cutPower();
    }
    for (const machine of members) machine.start();
    await this.compareStates();
    await this.readAll();
  }

  private async settle(promise: Promise<void>): Promise<void> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    await this.expect(
      'liveness',
      () => isSettled,
      recoveryMs,
      () => 'a node does not stop',
    );
    await settled;
  }

  private checkHistories(): void {
    const judgement = checkHistory(this.history, { stepsMax: 300_000 });
    if (judgement.verdict === 'not linearizable') throw new Violation('linearizability', judgement.report!);
    if (judgement.verdict === 'undecided') this.counts.undecided++;
    const lost = checkAcknowledged(this.history);
    if (lost !== undefined) throw new Violation('no acknowledged write lost or doubled', lost);
    const wrong = checkTtl(this.ttl, this.skewMs);
    if (wrong !== undefined) throw new Violation('time to live', wrong);
  }

  /** Ends all processes; what they still had on hand must not disturb the next run. */
  private async close(): Promise<void> {
    for (const machine of this.machines) if (machine.running !== undefined) machine.kill();
    await nextTurn();
  }
}

/** What needs no search: every acknowledged element of a list is there once in the last look, the others once at most; counters likewise. */
export function checkAcknowledged(history: readonly Operation[]): string | undefined {
  for (const key of ['l0', 'l1', 'l2']) {
    const last = history.findLast(
      ({ commands, output }) =>
        commands[0]![0] === 'LRANGE' && commands[0]![1] === key && output !== undefined,
    );
    if (last === undefined) continue;
    const found = new Map<string, number>();
    for (const value of last.output as string[]) found.set(value, (found.get(value) ?? 0) + 1);
    for (const { commands, output, returnedAt } of history) {
      const [name, on, value] = commands[0]!;
      if (name !== 'RPUSH' || on !== key) continue;
      const times = found.get(value!) ?? 0;
      if (times > 1) return `${value} stands ${times} times in ${key}`;
      if (times === 0 && output !== undefined && returnedAt < last.invokedAt)
        return `${value} was acknowledged and is not in ${key}`;
    }
  }
  for (const key of ['c0', 'c1', 'c2']) {
    const last = history.findLast(
      ({ commands, output }) => commands[0]![0] === 'GET' && commands[0]![1] === key && output !== undefined,
    );
    if (last === undefined) continue;
    let least = 0;
    let most = 0;
    for (const { commands, output, returnedAt } of history) {
      const [name, on, by] = commands[0]!;
      if (!name!.startsWith('INCR') || on !== key) continue;
      most += Number(by ?? 1);
      if (output !== undefined && returnedAt < last.invokedAt) least += Number(by ?? 1);
    }
    const value = Number(last.output ?? 0);
    if (value < least || value > most)
      return `${key} is ${value}; ${least} were acknowledged, ${most} asked for`;
  }
  return undefined;
}
