/** Clients that follow -TRY, give up when nothing comes, and note what they saw. */
import { keyPlaces, keysOf, type Operation, type Reply } from '../linearizability/history.js';
import type { Random } from '../sim/random.js';
import type { TtlHistory } from '../sim/ttl.js';
import { type ClientOperation, drawOperations } from '../sim/workload.js';
import type { Journal } from './journal.js';
import type { Links } from './proxy.js';
import { type Answer, type Exchange, Session } from './session.js';

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** Where clients find the cluster. */
export interface Places {
  readonly links: Links | undefined;
  /** All addresses that any node ever had. */
  readonly known: ReadonlySet<string>;
  /** Addresses of all nodes, up or not. */
  readonly addresses: readonly string[];
  /** Of those that pass commands on. */
  readonly forwarding: readonly string[];
}

/** A refusal is certain: the command did not take effect. */
export const isRefusal = (error: Error): boolean =>
  /^(TRY|CLUSTERDOWN|EXECABORT|LOADING|MISCONF)/.test(error.message);
export const isUnknown = (error: Error): boolean => error.message.startsWith('UNKNOWN');

/** An answer, where an error that says what the state is counts as any other: `-NOGROUP`. */
function told(answer: Answer | undefined): Answer | undefined {
  // What the parser makes of EXEC's replies may hold errors, too.
  if (Array.isArray(answer)) return answer.map((one) => told(one) as Reply);
  const code = answer instanceof Error ? /^(BUSYGROUP|NOGROUP)/.exec(answer.message)?.[0] : undefined;
  return code === undefined ? answer : `-${code}`;
}

/** What every client does about connections. */
export class Connector {
  /** Exchanges that were answered in full. */
  answered = 0;
  private session: Session | undefined;
  private target: string | undefined;
  /** It talks to this address, whatever it is told. */
  protected pinnedTo: (() => string) | undefined;

  constructor(
    readonly name: string,
    private readonly places: () => Places,
    protected readonly random: Random,
    protected readonly journal: Journal,
    /** Prefers nodes that pass commands on. */
    private readonly isLazy: boolean,
    protected readonly patienceMs: readonly [low: number, high: number] = [800, 4000],
  ) {}

  /** The address that it talks to; undefined while there is no connection. */
  get linked(): string | undefined {
    return this.session?.isClosed === false ? this.session.address : undefined;
  }

  disconnect(): void {
    this.session?.close();
    this.session = undefined;
  }

  /** Undefined: nothing was sent. With `only`, on a connection that stands to that address, or not at all. */
  async exchange(commands: readonly (readonly string[])[], only?: string): Promise<Exchange | undefined> {
    if (this.linked === undefined) {
      if (only !== undefined) return undefined;
      const { addresses, forwarding, links } = this.places();
      const lazy = this.isLazy && forwarding.length > 0 ? forwarding : addresses;
      const address = this.pinnedTo?.() ?? this.target ?? this.random.pick(lazy);
      this.session = await Session.open(address, this.name, links, (text) =>
        this.journal.violate('replies', `${this.name} at ${address} got ${text}`),
      );
      if (this.session === undefined) {
        this.target = undefined;
        return undefined;
      }
    } else if (only !== undefined && this.linked !== only) return undefined;
    const session = this.session!;
    const exchange = await session.exchange(commands, this.random.between(...this.patienceMs));
    if (exchange.answers.length === 0 && !session.hasReached) {
      this.target = undefined;
      return undefined;
    }
    if (exchange.answers.length === commands.length) this.answered++;
    else this.target = undefined;
    return exchange;
  }

  /** Goes where a refusal points to. */
  heed(error: Error): void {
    if (this.pinnedTo !== undefined) return;
    if (error.message.startsWith('LOADING')) {
      this.target = undefined;
      this.disconnect();
      return;
    }
    const address = /^TRY (\S+)/.exec(error.message)?.[1];
    if (address === undefined && !error.message.includes('CLUSTERDOWN')) return;
    if (address !== undefined && !this.places().known.has(address))
      this.journal.violate('replies', `${this.name} is sent to ${address}, where no node is`);
    this.target = address;
    if (this.target !== this.linked) this.disconnect();
  }

  expectUnknown(error: Error, command: readonly string[]): void {
    if (isUnknown(error)) this.journal.count('unknown');
    else
      this.journal.violate(
        'replies',
        `${this.name} at ${this.linked}: ${command.join(' ').slice(0, 200)} -> ${error.message}`,
      );
  }
}

/** Operations of one generation have keys of their own: what the checker must order stays small. */
export interface Generation {
  readonly history: Operation[];
  readonly ttl: TtlHistory;
  /** What was refused, or not served: it must not have happened. Kept for reports. */
  readonly refusals: string[];
  /** The operations of each client. */
  readonly operations: readonly (readonly ClientOperation[])[];
}

/** The operations of some clients for about `ms`. Keys begin with `prefix`. */
export function drawGeneration(random: Random, prefix: string, clients: number, ms: number): Generation {
  const operations = drawOperations(random, clients, ms).map((operation) => ({
    ...operation,
    commands: operation.commands.map((command) => {
      const [from, to] = keyPlaces(command);
      return command.map((word, place) => (place >= from && place < to ? `${prefix}${word}` : word));
    }),
  }));
  return {
    history: [],
    refusals: [],
    ttl: { writes: [], reads: [] },
    operations: Array.from({ length: clients }, (_, client) =>
      operations.filter((operation) => operation.client === client),
    ),
  };
}

export class Client extends Connector {
  private generation!: Generation;
  isStopped = false;

  /** Carries out its operations until told to stop. `next` gives generation after generation. */
  async run(place: number, next: (number: number) => Generation, haste: number): Promise<void> {
    for (let number = 0; !this.isStopped; number++) {
      this.generation = next(number);
      for (const operation of this.generation.operations[place]!) {
        await sleep(operation.thinkMs / haste);
        if (this.isStopped) break;
        await this.perform(operation);
      }
    }
    this.disconnect();
  }

  /** Reads a key until it is answered, or time is over; notes it in the generation's history. */
  async readBack(
    generation: Generation,
    commands: readonly (readonly string[])[],
    deadline: number,
  ): Promise<boolean> {
    this.generation = generation;
    for (let left = commands; left.length > 0; ) {
      const before = generation.history.length;
      await this.sendCommands(left, false);
      const noted = generation.history.slice(before);
      const read = new Set(noted.filter((one) => one.output !== undefined).map((one) => one.commands[0]));
      left = left.filter((command) => !read.has(command));
      if (left.length > 0 && performance.now() > deadline) return false;
      if (left.length > 0) await sleep(20);
    }
    return true;
  }

  /** Sends a command once; notes it. */
  protected async attemptOnce(generation: Generation, command: readonly string[]): Promise<void> {
    this.generation = generation;
    await this.sendCommands([command], true);
  }

  /** Carries an operation through: again while it is refused, once when its outcome is unknown. */
  private async perform(operation: ClientOperation): Promise<void> {
    this.journal.count('operations');
    for (;;) {
      if ((await this.attempt(operation)) || this.isStopped) return;
      await sleep(this.random.between(5, 80));
    }
  }

  private attempt({ commands, kind }: ClientOperation): Promise<boolean> {
    if (kind === 'command' || kind === 'pipeline') return this.sendCommands(commands, kind === 'command');
    if (kind === 'expire') return this.sendExpiring(commands[0]!);
    if (kind === 'watch') return this.sendWatched(commands);
    return this.sendTransaction(commands, kind === 'look', undefined);
  }

  private async sendCommands(commands: readonly (readonly string[])[], mayRepeat: boolean): Promise<boolean> {
    const invokedAt = performance.now();
    const exchange = await this.exchange(commands);
    if (exchange === undefined) return false;
    const refused = (command: readonly string[], { message }: Error): void => {
      const at = `${this.name} ${invokedAt.toFixed(2)} ${command.join(' ')} at ${exchange.address}`;
      this.generation.refusals.push(`${at} -> ${message} at ${exchange.times.at(-1)!.toFixed(2)}`);
    };
    let previous: Operation | undefined;
    for (const [i, command] of commands.entries()) {
      const answer = told(exchange.answers[i]);
      if (answer instanceof Error) {
        this.heed(answer);
        if (answer.message.startsWith('UNBLOCKED') || isRefusal(answer)) refused(command, answer);
        if (answer.message.startsWith('UNBLOCKED')) continue;
        if (isRefusal(answer)) {
          if (mayRepeat) return false;
          continue;
        }
        this.expectUnknown(answer, command);
      } else if (answer === undefined) this.journal.count('unknown');
      const isKnown = answer !== undefined && !(answer instanceof Error);
      const noted: Mutable<Operation> = {
        client: this.name,
        commands: [command],
        isTransaction: false,
        invokedAt,
        returnedAt: isKnown ? exchange.times[i]! : Number.POSITIVE_INFINITY,
        output: isKnown ? answer : undefined,
      };
      if (previous !== undefined) noted.follows = previous;
      this.generation.history.push(noted);
      previous = noted;
    }
    return true;
  }

  private async sendWatched(commands: readonly (readonly string[])[]): Promise<boolean> {
    const key = commands[0]![1]!;
    const read = ['GET', key];
    const invokedAt = performance.now();
    const exchange = await this.exchange([['WATCH', key], read]);
    if (exchange === undefined) return false;
    const { answers, times } = exchange;
    const value = answers[1];
    if (answers[0] !== 'OK' || value instanceof Error || value === undefined) {
      for (const answer of answers) if (answer instanceof Error) this.heed(answer);
      this.disconnect();
      return false;
    }
    this.generation.history.push({
      client: this.name,
      commands: [read],
      isTransaction: false,
      invokedAt,
      returnedAt: times[1]!,
      output: value,
    });
    return this.sendTransaction(commands, false, { key, value: value as string | null });
  }

  private async sendTransaction(
    commands: readonly (readonly string[])[],
    isLook: boolean,
    watched: { key: string; value: string | null } | undefined,
  ): Promise<boolean> {
    // Under WATCH the transaction belongs to the connection on which the key was read.
    const only = watched === undefined ? undefined : (this.linked ?? 'nowhere');
    const invokedAt = performance.now();
    const exchange = await this.exchange([['MULTI'], ...commands, ['EXEC']], only);
    if (exchange === undefined) return watched !== undefined;
    const answer = told(exchange.answers[commands.length + 1]);
    if (answer instanceof Error) {
      // What made the transaction fail was said when the command was queued.
      for (const one of exchange.answers) if (one instanceof Error) this.heed(one);
      if (isRefusal(answer)) {
        this.disconnect();
        return watched !== undefined;
      }
      this.expectUnknown(answer, commands[0]!);
    } else if (answer === undefined) {
      const [first] = exchange.answers;
      if (first instanceof Error && isRefusal(first)) {
        this.heed(first);
        this.disconnect();
        return watched !== undefined;
      }
      this.journal.count('unknown');
    }
    const isKnown = answer !== undefined && !(answer instanceof Error);
    const returnedAt = isKnown ? exchange.times.at(-1)! : Number.POSITIVE_INFINITY;
    if (isLook) {
      if (isKnown) {
        const [value, ttlMs] = answer as [string | null, number];
        this.generation.ttl.reads.push({ key: commands[0]![1]!, value, ttlMs, invokedAt, returnedAt });
      }
      return true;
    }
    this.generation.history.push({
      client: this.name,
      commands,
      isTransaction: true,
      watched: watched === undefined ? undefined : [watched],
      invokedAt,
      returnedAt,
      output: isKnown ? answer : undefined,
    });
    return true;
  }

  private async sendExpiring(command: readonly string[]): Promise<boolean> {
    const invokedAt = performance.now();
    const exchange = await this.exchange([command]);
    if (exchange === undefined) return false;
    const answer: Answer | undefined = exchange.answers[0];
    if (answer instanceof Error) {
      this.heed(answer);
      if (isRefusal(answer)) return false;
      this.expectUnknown(answer, command);
    } else if (answer === undefined) this.journal.count('unknown');
    this.generation.ttl.writes.push({
      key: command[1]!,
      value: command[2]!,
      lifetimeMs: Number(command[4]),
      invokedAt,
      returnedAt: answer === 'OK' ? exchange.times[0]! : Number.POSITIVE_INFINITY,
    });
    return true;
  }
}

/**
 * Talks to one node only, wherever it is sent, about what others write just now. A leader that was replaced
 * while it was alone may not know it yet: who reads there then, and only he, sees what is past, if somebody
 * writes to its successor as soon as it leads.
 */
export class FaithfulClient extends Client {
  private written = 0;

  constructor(
    address: () => string,
    private readonly current: () => Generation | undefined,
    ...rest: ConstructorParameters<typeof Connector>
  ) {
    super(rest[0], rest[1], rest[2], rest[3], false, [150, 700]);
    this.pinnedTo = address;
  }

  async stay(haste: number): Promise<void> {
    while (!this.isStopped) {
      const generation = this.current();
      const keys = generation === undefined ? [] : readsOf(generation);
      if (keys.length > 0) await this.sendOnce(generation!, this.random.chance(0.3), this.random.pick(keys));
      await sleep(this.random.exponential(30) / haste);
    }
    this.disconnect();
  }

  private sendOnce(generation: Generation, writes: boolean, read: readonly string[]): Promise<void> {
    const key = read[1]!;
    const letter = key.at(key.lastIndexOf(':') + 1);
    if (writes && letter === 'c') return this.attemptOnce(generation, ['INCR', key]);
    if (writes && letter === 'r')
      return this.attemptOnce(generation, ['SET', key, `${this.name}-${++this.written}`]);
    return this.attemptOnce(generation, read);
  }
}

/** The reads that tell all there is of a generation at the end, key by key. */
export function readsOf({ history }: Generation): string[][] {
  const keys = new Map<string, string>();
  for (const { commands } of history) {
    for (const command of commands) for (const key of keysOf(command)) keys.set(key, command[0]!);
  }
  return [...keys.keys()].map((key) => {
    const letter = key.at(key.lastIndexOf(':') + 1);
    if (letter === 'l' || letter === 'q') return ['LRANGE', key, '0', '-1'];
    if (letter === 'x') return ['XRANGE', key, '-', '+'];
    return letter === 's' ? ['SMEMBERS', key] : ['GET', key];
  });
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
