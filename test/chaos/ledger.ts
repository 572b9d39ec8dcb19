/**
 * Clients whose histories need no search: each appends to a list of its own and counts in a counter of its
 * own, in pipelines; and clients that write large values, so that logs grow and snapshots travel.
 */
import type { Operation, Reply } from '../linearizability/history.js';
import { Connector, isRefusal, sleep } from './clients.js';

/** Judges what is left of a ledger. */
export interface LedgerNotes {
  readonly acknowledged: readonly string[];
  readonly unknown: ReadonlySet<string>;
  readonly increments: { readonly acknowledged: number; readonly unknown: number };
}

/** @returns what is wrong with the list and the counter that were found, or undefined */
export function checkLedger(notes: LedgerNotes, list: readonly string[], count: number): string | undefined {
  const there = new Set<string>();
  for (const value of list) {
    if (there.has(value)) return `${value} is there twice`;
    there.add(value);
  }
  const lost = notes.acknowledged.find((value) => !there.has(value));
  if (lost !== undefined) return `${lost} was acknowledged and is lost`;
  const known = new Set([...notes.acknowledged, ...notes.unknown]);
  const stranger = list.find((value) => !known.has(value));
  if (stranger !== undefined) return `${stranger} was refused and is there`;
  const inOrder = list.filter((value) => !notes.unknown.has(value));
  const misplaced = inOrder.findIndex((value, place) => value !== notes.acknowledged[place]);
  if (misplaced >= 0)
    return `${inOrder[misplaced]} stands where ${notes.acknowledged[misplaced]} was appended`;
  const { acknowledged, unknown } = notes.increments;
  if (count < acknowledged) return `${acknowledged} increments were acknowledged, the counter is at ${count}`;
  if (count > acknowledged + unknown)
    return `${acknowledged} increments were acknowledged and ${unknown} are in doubt, the counter is at ${count}`;
  return undefined;
}

export class LedgerClient extends Connector {
  isStopped = false;
  readonly acknowledged: string[] = [];
  readonly unknown = new Set<string>();
  readonly increments = { acknowledged: 0, unknown: 0 };
  private next = 0;

  get listKey(): string {
    return `ledger:${this.name}`;
  }

  get counterKey(): string {
    return `count:${this.name}`;
  }

  async run(haste: number): Promise<void> {
    while (!this.isStopped) {
      const commands: string[][] = [];
      for (let i = 1 + this.random.below(12); i > 0; i--) {
        commands.push(
          this.random.chance(0.7)
            ? ['RPUSH', this.listKey, `${this.name}-${this.next++}`]
            : ['INCR', this.counterKey],
        );
      }
      const exchange = await this.exchange(commands);
      if (exchange !== undefined) {
        this.journal.count('operations', commands.length);
        this.note(commands, exchange.answers);
      }
      await sleep(this.random.exponential(exchange === undefined ? 30 : 15) / haste);
    }
    this.disconnect();
  }

  private note(commands: readonly (readonly string[])[], answers: readonly unknown[]): void {
    for (const [i, command] of commands.entries()) {
      const answer = answers[i];
      const value = command[0] === 'RPUSH' ? command[2]! : undefined;
      if (answer instanceof Error) {
        this.heed(answer);
        if (isRefusal(answer)) continue;
        this.expectUnknown(answer, command);
      } else if (answer === undefined) this.journal.count('unknown');
      const isKnown = typeof answer === 'number';
      if (value === undefined) this.increments[isKnown ? 'acknowledged' : 'unknown']++;
      else if (isKnown) this.acknowledged.push(value);
      else this.unknown.add(value);
    }
  }
}

/** A large value that can be told from every other, and from every part of one. */
export function largeValue(name: string, bytes: number): string {
  const unit = `${name};`;
  return unit
    .repeat(Math.ceil(bytes / unit.length))
    .slice(0, bytes - 1)
    .concat('.');
}

/** The name that a large value was made of; what is no such value throws. */
export function nameOfLarge(value: string): string {
  const name = value.slice(0, value.indexOf(';'));
  if (value !== largeValue(name, value.length))
    throw new Error(`a value that nobody wrote begins with ${value.slice(0, 40)}`);
  return name;
}

/**
 * Writes large values to a few registers and reads them. The history names them by what they were made of.
 */
export class LargeClient extends Connector {
  isStopped = false;
  readonly history: Operation[] = [];
  readonly keys = [0, 1, 2, 3, 4, 5].map((key) => `${this.name}:${key}`);
  private next = 0;

  /** @param bytesPerSecond what it writes at most */
  async run(bytes: number, bytesPerSecond: number): Promise<void> {
    while (!this.isStopped) {
      const key = this.random.pick(this.keys);
      if (this.random.chance(0.85)) {
        const name = `v${++this.next}`;
        const length = Math.floor(this.random.between(bytes / 2, bytes * 1.5));
        await this.perform(['SET', key, largeValue(name, length)], ['SET', key, name]);
        await sleep((length / bytesPerSecond) * 1000);
      } else await this.perform(['GET', key], ['GET', key]);
    }
    this.disconnect();
  }

  /** @returns whether it was answered */
  async perform(command: readonly string[], noted: readonly string[]): Promise<boolean> {
    const invokedAt = performance.now();
    const exchange = await this.exchange([command]);
    if (exchange === undefined) {
      await sleep(30);
      return false;
    }
    const answer = exchange.answers[0];
    let output: Reply | undefined;
    if (answer instanceof Error) {
      this.heed(answer);
      if (isRefusal(answer)) {
        await sleep(10);
        return false;
      }
      this.expectUnknown(answer, noted);
    } else if (answer === undefined) this.journal.count('unknown');
    else output = answer;
    if (typeof answer === 'string' && command[0] === 'GET') {
      try {
        output = nameOfLarge(answer);
      } catch (error) {
        this.journal.violate('large values', `${this.name} reads ${command[1]}: ${(error as Error).message}`);
      }
    }
    this.journal.count('operations');
    this.history.push({
      client: this.name,
      commands: [noted],
      isTransaction: false,
      invokedAt,
      returnedAt: output === undefined ? Number.POSITIVE_INFINITY : exchange.times[0]!,
      output,
    });
    return output !== undefined;
  }
}
