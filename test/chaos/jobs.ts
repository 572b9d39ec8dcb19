/**
 * Clients that share a stream as a queue of jobs: they add, read as consumers of one group, acknowledge, die
 * with jobs in hand, and claim what the dead have left.
 */
import { Connector, isRefusal, sleep } from './clients.js';

type Entry = readonly [id: string, fields: readonly string[]];

function compareIds(a: string, b: string): number {
  const [[aMs, aSequence], [bMs, bSequence]] = [a, b].map((id) => id.split('-').map(Number)) as [
    [number, number],
    [number, number],
  ];
  return aMs - bMs || aSequence - bSequence;
}

/** What all clients of one stream saw. Each method returns what is wrong with it, or undefined. */
export class JobLedger {
  /** Acknowledged XADDs: value by id. */
  readonly added = new Map<string, string>();
  /** Values of XADDs whose outcome is unknown. */
  readonly doubtful = new Set<string>();
  /** Who was given an entry that was new to the group. */
  private readonly given = new Map<string, string>();
  private readonly lastGiven = new Map<string, string>();
  /** When an acknowledgement was confirmed. */
  private readonly acknowledged = new Map<string, number>();
  private readonly delivered = new Set<string>();
  private readonly lastAdded = new Map<string, string>();

  add(client: string, id: string, value: string): string | undefined {
    const last = this.lastAdded.get(client);
    this.lastAdded.set(client, id);
    if (this.added.has(id)) return `${id} was given to two entries`;
    this.added.set(id, value);
    return last !== undefined && compareIds(last, id) >= 0 ? `${id} was added behind ${last}` : undefined;
  }

  /** Entries that were new to the group (`>`). */
  give(consumer: string, entries: readonly Entry[], invokedAt: number): string | undefined {
    for (const [id, fields] of entries) {
      const other = this.given.get(id);
      if (other !== undefined) return `${id} was new to ${other} and to ${consumer}`;
      this.given.set(id, consumer);
      const last = this.lastGiven.get(consumer);
      if (last !== undefined && compareIds(last, id) >= 0)
        return `${consumer} was given ${id} behind ${last}`;
      this.lastGiven.set(consumer, id);
      const wrong = this.deliver(id, fields, invokedAt);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** Entries that another consumer had in hand. */
  claim(entries: readonly Entry[], invokedAt: number): string | undefined {
    for (const [id, fields] of entries) {
      const wrong = this.deliver(id, fields, invokedAt);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  private deliver(id: string, fields: readonly string[], invokedAt: number): string | undefined {
    this.delivered.add(id);
    const value = this.added.get(id);
    if (value !== undefined && fields[1] !== value)
      return `${id} holds ${fields[1]}, and was added with ${value}`;
    const acknowledgedAt = this.acknowledged.get(id);
    return acknowledgedAt !== undefined && acknowledgedAt < invokedAt
      ? `${id} was acknowledged, and is delivered again`
      : undefined;
  }

  acknowledge(ids: readonly string[], returnedAt: number): void {
    for (const id of ids) if (!this.acknowledged.has(id)) this.acknowledged.set(id, returnedAt);
  }

  /** Once everything was read, claimed and acknowledged: the whole stream, and how much is pending. */
  end(entries: readonly Entry[], pending: number): string | undefined {
    if (pending !== 0) return `${pending} entries are pending, though all was acknowledged`;
    const there = new Set<string>();
    let last = '0-0';
    for (const [id, [, value]] of entries) {
      if (compareIds(last, id) >= 0) return `${id} stands behind ${last}`;
      last = id;
      there.add(id);
      if (!this.added.has(id) && !this.doubtful.has(value!)) return `${id} was refused and is there`;
      if (!this.delivered.has(id)) return `${id} was never delivered`;
    }
    for (const id of this.added.keys()) if (!there.has(id)) return `${id} was added and is lost`;
    return undefined;
  }
}

const GROUP = 'workers';
/** Who has had a job in hand for so long is taken for dead. */
const IDLE_MS = 200;

export class JobClient extends Connector {
  isStopped = false;
  private lives = 0;
  private next = 0;
  private inHand: string[] = [];
  private hasGroup = false;

  constructor(
    readonly key: string,
    private readonly ledger: JobLedger,
    ...connector: ConstructorParameters<typeof Connector>
  ) {
    super(...connector);
  }

  private get consumer(): string {
    return `${this.name}-${this.lives}`;
  }

  async run(haste: number): Promise<void> {
    while (!this.isStopped) {
      if (!(await this.step(this.draw()))) await sleep(30);
      await sleep(this.random.exponential(12) / haste);
    }
  }

  /** Reads, claims and acknowledges until nothing is left. Its consumer is a new one. */
  async finish(deadline: number): Promise<void> {
    this.lives++;
    for (let idle = 0; idle < 2 && performance.now() < deadline && this.journal.violation === undefined; ) {
      const isDone =
        (await this.step(this.reading(100))) &&
        (await this.step(this.claiming(0))) &&
        (this.inHand.length === 0 || (await this.step(['XACK', this.key, GROUP, ...this.inHand])));
      if (!isDone) await sleep(20);
      idle = isDone && this.found === 0 ? idle + 1 : 0;
      this.found = 0;
    }
    this.disconnect();
  }

  /** Entries that came since this was last set. */
  private found = 0;

  private reading(count: number): string[] {
    return ['XREADGROUP', 'GROUP', GROUP, this.consumer, 'COUNT', `${count}`, 'STREAMS', this.key, '>'];
  }

  private claiming(idleMs: number): string[] {
    return ['XAUTOCLAIM', this.key, GROUP, this.consumer, `${idleMs}`, '0', 'COUNT', '100'];
  }

  private draw(): string[] {
    const { random } = this;
    if (!this.hasGroup) return ['XGROUP', 'CREATE', this.key, GROUP, '0', 'MKSTREAM'];
    if (random.chance(0.03)) {
      // It dies; what it had in hand is for others to claim.
      this.lives++;
      this.inHand = [];
      this.disconnect();
    }
    if (random.chance(0.4)) return ['XADD', this.key, '*', 'v', `${this.name}:${this.next++}`];
    if (this.inHand.length > 0 && random.chance(0.6)) {
      const count = 1 + random.below(this.inHand.length);
      return ['XACK', this.key, GROUP, ...this.inHand.slice(0, count)];
    }
    return random.chance(0.75) ? this.reading(1 + random.below(4)) : this.claiming(IDLE_MS);
  }

  /** @returns whether it was answered */
  private async step(command: readonly string[]): Promise<boolean> {
    const invokedAt = performance.now();
    const exchange = await this.exchange([command]);
    if (exchange === undefined) return false;
    this.journal.count('operations');
    const answer = exchange.answers[0];
    if (answer instanceof Error) {
      if (/^BUSYGROUP/.test(answer.message)) this.hasGroup = true;
      else {
        this.heed(answer);
        if (isRefusal(answer)) return false;
        this.expectUnknown(answer, command);
        if (command[0] === 'XADD') this.ledger.doubtful.add(command[4]!);
      }
      return false;
    }
    if (answer === undefined) {
      this.journal.count('unknown');
      if (command[0] === 'XADD') this.ledger.doubtful.add(command[4]!);
      return false;
    }
    const wrong = this.note(command, answer, invokedAt, exchange.times[0]!);
    if (wrong !== undefined)
      this.journal.violate('jobs of a stream', `${this.key}, ${this.consumer}: ${wrong}`);
    return true;
  }

  private note(
    command: readonly string[],
    answer: unknown,
    invokedAt: number,
    returnedAt: number,
  ): string | undefined {
    const { ledger } = this;
    switch (command[0]) {
      case 'XGROUP':
        this.hasGroup = true;
        return undefined;
      case 'XADD':
        return ledger.add(this.name, answer as string, command[4]!);
      case 'XREADGROUP': {
        const entries = answer === null ? [] : (answer as [string, Entry[]][])[0]![1];
        this.take(entries);
        return ledger.give(command[3]!, entries, invokedAt);
      }
      case 'XAUTOCLAIM': {
        const entries = (answer as [string, Entry[]])[1];
        this.take(entries);
        return ledger.claim(entries, invokedAt);
      }
      default: {
        const ids = command.slice(3);
        ledger.acknowledge(ids, returnedAt);
        this.inHand = this.inHand.filter((id) => !ids.includes(id));
        return undefined;
      }
    }
  }

  private take(entries: readonly Entry[]): void {
    this.found += entries.length;
    for (const [id] of entries) if (!this.inHand.includes(id)) this.inHand.push(id);
  }
}
