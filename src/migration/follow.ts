/**
 * Follows a running Redis: its writes are applied as they come, in transactions that say how far they go. So
 * each is applied once, whatever connection is lost, and an import that was ended can go on.
 */
import { ErrorReply, type Reply } from '../../engine/index.js';
import { payloadBytesMax } from '../../raft/node/index.js';
import { type Destination, ImportError } from './destination.js';
import type { ReplicationPoint, ReplicationSource, SourceCommand } from './replication-source.js';

/** The key of the node that says how far an import has come. It is deleted at the end. */
export const MARKER = 'redraft:import:position';

const BATCH_COMMANDS = 500;
const BATCH_BYTES = 1024 * 1024;
/** What was read and not yet applied; the source holds what comes behind. */
const READ_AHEAD_BYTES = 16 * 1024 * 1024;

export function formatPoint({ replicationId, offset, database }: ReplicationPoint): string {
  return `${replicationId} ${offset} ${database}`;
}

/** @throws ImportError for what {@link formatPoint} has not written */
export function parsePoint(text: string): ReplicationPoint {
  const [, replicationId, offset, database] = /^([0-9a-f]{40}) (\d+) (\d+)$/.exec(text) ?? [];
  if (replicationId === undefined) throw new ImportError(`${MARKER} is no mark of an import: ${text}`);
  return { replicationId, offset: Number(offset), database: Number(database) };
}

const nameOf = ({ args }: SourceCommand): string => args[0].latin1Slice().toLowerCase();
const bytesOf = ({ args }: SourceCommand): number => args.reduce((sum, arg) => sum + arg.length + 16, 0);

export class Follower {
  /** Writes that were applied. */
  applied = 0;
  private readonly waiting: SourceCommand[] = [];
  private waitingBytes = 0;
  private failure: Error | undefined;
  private woken: (() => void) | undefined;
  private drained: (() => void) | undefined;
  /** What waits is the begin of a transaction: more must be read, as far as a node takes one. */
  private needsMore = false;
  private database: number;
  private offset: number;
  private isStopping = false;
  /** It would come again from every other connection. */
  private isHopeless = false;

  /** @param start what the node's state is that of; the marker holds it */
  constructor(
    private readonly source: ReplicationSource,
    private readonly destination: Destination,
    private start: ReplicationPoint,
    private readonly transactionBytesMax = payloadBytesMax,
  ) {
    this.database = start.database;
    this.offset = start.offset;
    void this.readAhead();
  }

  /**
   * Whether an error of {@link run} is the source's: another connection to it can go on from {@link point}.
   */
  isOfSource(error: unknown): boolean {
    return error === this.failure && !this.isHopeless;
  }

  get isStopped(): boolean {
    return this.isStopping;
  }

  /** What the node's state is that of. */
  get point(): ReplicationPoint {
    return this.start;
  }

  /** Up to which offset of the source everything is applied. */
  get appliedOffset(): number {
    return this.offset;
  }

  /** Bytes that were read and are not applied yet. */
  get lagBytes(): number {
    return this.source.offset - this.offset;
  }

  /**
   * Applies until {@link stop} is called.
   *
   * @throws ImportError when the source is lost, or the node does not take a write
   */
  async run(): Promise<void> {
    while (!this.isStopping) {
      if (this.waiting.length === 0) {
        if (this.failure !== undefined) throw this.failure;
        await new Promise<void>((resolve) => {
          this.woken = resolve;
        });
        continue;
      }
      await this.applyBatch();
    }
  }

  stop(): void {
    this.isStopping = true;
    this.readOn();
    this.wake();
  }

  private wake(): void {
    this.woken?.();
    this.woken = undefined;
  }

  private async readAhead(): Promise<void> {
    try {
      for await (const command of this.source.commands()) {
        this.waiting.push(command);
        this.waitingBytes += bytesOf(command);
        if (this.needsMore && this.waitingBytes > this.transactionBytesMax) {
          this.isHopeless = true;
          throw new ImportError(
            `a transaction of the source has more than ${this.transactionBytesMax} bytes: no entry of the log takes it`,
          );
        }
        if (!this.needsMore || nameOf(command) === 'exec') this.wake();
        while (this.waitingBytes > READ_AHEAD_BYTES && !this.needsMore && !this.isStopping)
          await new Promise<void>((resolve) => {
            this.drained = resolve;
          });
      }
    } catch (error) {
      this.failure = error as Error;
      this.wake();
    }
  }

  private async applyBatch(): Promise<void> {
    const commands: (readonly Buffer[])[] = [];
    const last = this.take(commands);
    if (last === undefined) {
      // A transaction of the source has not come as a whole.
      if (this.failure !== undefined) throw this.failure;
      this.needsMore = true;
      this.readOn();
      await new Promise<void>((resolve) => {
        this.woken = resolve;
      });
      return;
    }
    if (commands.length > 0) {
      const to = { ...this.start, offset: last.offset, database: this.database };
      const selected = [Buffer.from('SELECT'), Buffer.from(`${this.start.database}`)];
      const all = [selected, ...commands];
      const [from, marker] = [formatPoint(this.start), formatPoint(to)];
      const replies = await this.destination.transaction(all, MARKER, from, marker);
      refuse(all, replies);
      this.start = to;
      this.applied += commands.length;
    }
    this.offset = last.offset;
    this.source.acknowledge(last.offset);
  }

  /**
   * Takes what waits, in whole transactions of the source.
   *
   * @returns the last of them; undefined if there is no whole one
   */
  private take(commands: (readonly Buffer[])[]): SourceCommand | undefined {
    let bytes = 0;
    let whole = 0;
    let wholeCommands = 0;
    let wholeDatabase = this.database;
    let database = this.database;
    let inTransaction = false;
    for (const [i, command] of this.waiting.entries()) {
      const name = nameOf(command);
      bytes += bytesOf(command);
      if (name === 'multi') inTransaction = true;
      else if (name === 'exec') inTransaction = false;
      else if (name !== 'ping' && name !== 'replconf') {
        if (name === 'select') database = databaseOf(command);
        commands.push(command.args);
      }
      if (inTransaction) continue;
      whole = i + 1;
      wholeCommands = commands.length;
      wholeDatabase = database;
      if (wholeCommands >= BATCH_COMMANDS || bytes >= BATCH_BYTES) break;
    }
    commands.length = wholeCommands;
    if (whole === 0) return undefined;
    this.needsMore = false;
    this.database = wholeDatabase;
    const taken = this.waiting.splice(0, whole);
    for (const command of taken) this.waitingBytes -= bytesOf(command);
    this.readOn();
    return taken.at(-1);
  }

  private readOn(): void {
    this.drained?.();
    this.drained = undefined;
  }
}

/** @throws ImportError for a SELECT that names no database */
function databaseOf({ args: [, text] }: SourceCommand): number {
  const database = text?.latin1Slice() ?? '';
  if (!/^\d{1,9}$/.test(database))
    throw new ImportError(`the source sends SELECT '${database.slice(0, 64)}'`);
  return Number(database);
}

/** A write that the source did and the node refuses: the two differ from here on. */
function refuse(commands: readonly (readonly Buffer[])[], replies: readonly Reply[]): void {
  for (const [i, reply] of replies.entries()) {
    if (!(reply instanceof ErrorReply)) continue;
    const shown = commands[i].slice(0, 3).map((arg) => arg.subarray(0, 64).latin1Slice());
    throw new ImportError(`the node refuses what the source has done, ${shown.join(' ')} ...: ${reply.text}`);
  }
}
