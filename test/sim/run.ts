/**
 * One run of the simulator: a world in which a plan's clients work and its faults strike, and all checkers
 * watching.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { majority } from '../../raft/index.js';
import { checkHistory } from '../linearizability/checker.js';
import { isReadOnly, type Operation, type Reply } from '../linearizability/history.js';
import { CachingClient, drawSayings, Subscriber } from './audience.js';
import { Client } from './client.js';
import { CHANNEL, LAST_WORDS } from './event-history.js';
import { applyFault, react } from './faults.js';
import { Violation } from './invariants.js';
import { collapseLarge } from './large-values.js';
import type { Machine } from './machine.js';
import type { Plan } from './plan.js';
import { checkTtl, type TtlHistory } from './ttl.js';
import type { ClientOperation } from './workload.js';
import { World } from './world.js';

/** Virtual time within which a healed cluster must have a leader and even members. */
const recoveryMs = 15_000;
/** ... and clients must have got through what they had left. */
const clientsMs = 60_000;

/** Within which nobody waits in the state any more who has gone: much less than they had wanted to wait. */
const forgottenMs = 10_000;

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

/** The run ends here: no majority is left. */
class Lost extends Error {}

export class Run {
  readonly world: World;
  private readonly history: Operation[] = [];
  private readonly ttl: TtlHistory = { writes: [], reads: [] };
  private readonly subscribers: Subscriber[] = [];

  constructor(plan: Plan) {
    const world = new World(plan, (when, machine) => react(world, when, machine));
    this.world = world;
  }

  /** Runs the plan to its end. */
  async toEnd(): Promise<RunResult> {
    const { plan } = this.world;
    for (const machine of this.world.machines.slice(0, plan.founders)) machine.start();
    for (const fault of plan.faults)
      this.world.loop.after(fault.atMs, () => this.world.isCalm || applyFault(this.world, fault));
    const clients = Array.from({ length: plan.clients }, (_, client) =>
      this.client(`c${client + 1}`, client),
    );
    if (plan.hasAudience) clients.push(...this.gatherAudience());
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
      await this.expect(
        'gone clients are forgotten',
        () => this.members.every((machine) => machine.running?.machine.engine.waiters.size === 0),
        forgottenMs,
        () => this.describeWaiters(),
      );
      await this.readAll();
      await this.compareStates();
      if (plan.hasAudience) await this.tellLast();
      if (plan.lastRestart !== 'none') await this.restartAll();
      this.checkHistories();
    } catch (error) {
      if (error instanceof Lost) this.world.counts.lostClusters++;
      else failure = error;
    }
    this.world.isOver = true;
    this.world.counts.operations = this.history.length;
    this.world.counts.unknown = this.history.filter((operation) => operation.output === undefined).length;
    const violation =
      this.world.invariants.violation ??
      (failure === undefined || failure instanceof Violation
        ? failure
        : new Violation('no crash', failure instanceof Error ? failure.stack! : String(failure)));
    await this.close();
    return {
      seed: plan.seed,
      violation,
      traces: this.world.traces,
      counts: {
        ...this.world.counts,
        ...this.world.invariants.counts,
        messages: this.world.network.sent,
        lost: this.world.network.lost,
      },
      fingerprint: this.world.fingerprint,
      virtualMs: this.world.loop.nowMs,
    };
  }

  /** Subscribers and caching clients on all machines, and two who tell them things. */
  private gatherAudience(): Client[] {
    const { world } = this;
    for (const machine of world.machines) {
      this.subscribers.push(new Subscriber(world, machine, `subscriber ${machine.number}`));
      new CachingClient(world, machine, `cache ${machine.number}`);
    }
    return ['teller 1', 'teller 2'].map((name) =>
      this.teller(name, drawSayings(world.random.fork(`${name} draws`), name.slice(-1), world.plan)),
    );
  }

  private teller(name: string, operations: readonly ClientOperation[]): Client {
    const client = new Client(this.world, name, operations, [], { writes: [], reads: [] });
    client.run().catch((error: Error) => this.world.invariants.violate('no crash', error.stack!));
    return client;
  }

  /** In the end everybody listens, and hears the last message. */
  private async tellLast(): Promise<void> {
    const { members } = this;
    const listening = this.subscribers.filter(({ machine }) => members.includes(machine));
    const describe = (): string => listening.map((one) => one.describe()).join('; ');
    await this.expect('messages', () => listening.every(({ isReady }) => isReady), recoveryMs, describe);
    const last = {
      client: -1,
      thinkMs: 0,
      kind: 'command' as const,
      commands: [['PUBLISH', CHANNEL, LAST_WORDS]],
    };
    const teller = this.teller('last teller', [last]);
    await this.expect(
      'liveness',
      () => teller.isDone,
      clientsMs,
      () => teller.describe(),
    );
    await this.expect(
      'messages',
      () => listening.every(({ isUpToDate }) => isUpToDate),
      recoveryMs,
      describe,
    );
  }

  private client(name: string, number: number, operations?: readonly ClientOperation[]): Client {
    const own = operations ?? this.world.plan.operations.filter((operation) => operation.client === number);
    const client = new Client(this.world, name, own, this.history, this.ttl);
    client.run().catch((error: Error) => this.world.invariants.violate('no crash', error.stack!));
    return client;
  }

  /** Lets time pass until `isDone`, at most for `limitMs`; ends at the first violation. */
  private async advance(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const reached = await this.world.loop.until(
      () => this.world.invariants.violation !== undefined || isDone(),
      limitMs,
    );
    if (this.world.invariants.violation !== undefined) throw this.world.invariants.violation;
    return reached;
  }

  private async expect(
    check: string,
    isDone: () => boolean,
    limitMs: number,
    describe: () => string,
  ): Promise<void> {
    if (await this.advance(isDone, limitMs)) return;
    if (this.isLost) throw new Lost();
    throw new Violation(check, `not within ${limitMs} ms: ${describe()}`);
  }

  /** The last fault heals. */
  private calmDown(): void {
    this.world.isCalm = true;
    this.world.trace('operator', 'all faults end');
    this.world.network.heal();
    for (const machine of this.world.machines) {
      machine.heal();
      if (machine.state === 'off' && machine.wasStarted) machine.start();
    }
  }

  /** The members that can be up: all but those whose disks were damaged, and those that are estranged. */
  private get members(): Machine[] {
    const found = this.world.membership.members.flatMap((member) => this.world.machineOf(member.id) ?? []);
    return found.filter((machine) => machine.state !== 'refused' && !this.isEstranged(machine));
  }

  /**
   * Below durability high, a power cut may take back that a member was removed. Who knows of the removal does
   * not hear that member any more. And who was told that it lost entries gives no vote; if that leader is
   * gone, nobody may say whether it is true. Its operator must have read so.
   */
  private isEstranged(machine: Machine): boolean {
    const { invariants, membership } = this.world;
    if (!invariants.mayLose) return false;
    const removed = machine.membership?.removed ?? [];
    const status = machine.node?.status();
    const isTold = status !== undefined && status.logLostTerm > 0 && status.leader === 0;
    return (isTold && machine.saysItWaits) || membership.members.some(({ id }) => removed.includes(id));
  }

  /** Whether a leader leads and all sound members have applied what it has committed. */
  private isEven(): boolean {
    const node = this.world.leader?.node;
    if (node === undefined) return false;
    const { ownTermCommitted, commit, lastIndex } = node.status();
    if (!ownTermCommitted || commit !== lastIndex) return false;
    return this.members.every((machine) => machine.node !== undefined && machine.node.applied === commit);
  }

  private describeWaiters(): string {
    return this.members
      .map((machine) => {
        const waiters = [...(machine.running?.machine.engine.waiters.all() ?? [])];
        const sessions = waiters.map(({ session }) => Object.values(session).join('.'));
        return `${machine.name} holds waiters of ${sessions.join(', ') || 'nobody'}`;
      })
      .join('; ');
  }

  private describeCluster(): string {
    return this.world.machines
      .map((machine) => {
        const status = machine.node?.status();
        const facts =
          status === undefined
            ? ''
            : ` ${status.role} term ${status.term} leader ${status.leader} commit ${status.commit} last ${status.lastIndex} applied ${status.applied}`;
        return `${machine.name} (node ${machine.nodeId}) ${machine.state}${facts}`;
      })
      .concat(
        `members ${this.world.membership.members.map((member) => `${member.id}${member.learner ? ' (learner)' : ''}`).join(', ')}`,
      )
      .join('; ');
  }

  /**
   * Below durability high, power cuts and disks that are lost for good may leave no majority that is sound:
   * such a cluster, which nobody leads, has an operator to wait for.
   */
  private get isLost(): boolean {
    const { invariants, leader, membership, machineOf } = this.world;
    if (!invariants.mayLose || leader !== undefined) return false;
    const voters = membership.members.filter(({ learner }) => !learner);
    const sound = voters.filter(({ id }) => {
      const machine = machineOf.call(this.world, id);
      // Another node lives on the machine of one whose disk is gone.
      return machine !== undefined && machine.state !== 'refused' && !this.isEstranged(machine);
    });
    return voters.length > 0 && sound.length < majority(voters.length);
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
    if (this.world.invariants.violation !== undefined) throw this.world.invariants.violation;
  }

  private async restartAll(): Promise<void> {
    const { lastRestart } = this.world.plan;
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

  /**
   * What the run's levels promise: below durability high nothing after a power cut, at consistency low no
   * read of the newest state.
   */
  private checkHistories(): void {
    const { plan, invariants } = this.world;
    if (invariants.mayLose) return;
    const isFresh = plan.consistency === 'high' || (plan.consistency === 'medium' && !voidsLeases(plan));
    if (!isFresh) {
      const phantom = checkSomeState(this.history);
      if (phantom !== undefined) throw new Violation('reads are of some state', phantom);
    }
    const told = isFresh ? this.history : this.withoutReads();
    const judgement = checkHistory(told, { stepsMax: 300_000 });
    if (judgement.verdict === 'not linearizable') throw new Violation('linearizability', judgement.report!);
    if (judgement.verdict === 'undecided') this.world.counts.undecided++;
    const lost = checkAcknowledged(told);
    if (lost !== undefined) throw new Violation('no acknowledged write lost or doubled', lost);
    const wrong = isFresh ? checkTtl(this.ttl, this.world.skewMs) : undefined;
    if (wrong !== undefined) throw new Violation('time to live', wrong);
  }

  /** What was written, and how it stands in the end on a member, which all others equal. */
  private withoutReads(): Operation[] {
    const { engine } = this.members[0]!.running!.machine;
    const at = this.world.loop.nowMs;
    const looks = [0, 1, 2].flatMap((i) => [
      ['GET', `r${i}`],
      ['GET', `c${i}`],
      ['LRANGE', `l${i}`, '0', '-1'],
    ]);
    return [
      ...this.history.filter((operation) => !isReadOnly(operation)),
      ...looks.map((command) => ({
        client: 'the end',
        commands: [command],
        isTransaction: false,
        invokedAt: at,
        returnedAt: at + 1,
        output: collapseLarge(engine.call(...command) as Reply),
      })),
    ];
  }

  /** Ends all processes; what they still had on hand must not disturb the next run. */
  private async close(): Promise<void> {
    for (const machine of this.world.machines) if (machine.running !== undefined) machine.kill();
    await nextTurn();
  }
}

/** Whether clocks do not run alike, or nodes campaign ahead of their time: leases mean nothing then. */
function voidsLeases({ faults }: Plan): boolean {
  return faults.some(
    (fault) =>
      ['clock drift', 'stale leader', 'campaign'].includes(fault.kind) ||
      (fault.kind === 'reflex' && fault.brings === 'campaign'),
  );
}

/** Reads that may be old: each shows what somebody had asked to be written before. */
export function checkSomeState(history: readonly Operation[]): string | undefined {
  const askedAt = new Map<string, number>();
  for (const { commands, invokedAt } of history)
    for (const [, ...words] of commands)
      for (const word of words) askedAt.set(word, Math.min(askedAt.get(word) ?? invokedAt, invokedAt));
  for (const { commands, output, returnedAt } of history) {
    const [name, key] = commands[0]!;
    if (commands.length > 1 || output === undefined || output === null || !/^[rls]\d$/.test(key!)) continue;
    if (name !== 'GET' && name !== 'LRANGE' && name !== 'SMEMBERS') continue;
    for (const value of Array.isArray(output) ? output : [output]) {
      const asked = askedAt.get(String(value));
      if (asked === undefined || asked > returnedAt)
        return `${name} ${key} gave ${String(value)}, which nobody had written`;
    }
  }
  return undefined;
}

/**
 * What needs no search: every acknowledged element of a list is there once in the last look, the others once
 * at most; counters likewise.
 */
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
