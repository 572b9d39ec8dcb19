/** What MULTI collects on one connection until EXEC. */
import { OK, type Reply, type Request, type WatchedKey } from '../../engine/index.js';

/** What one connection may queue: requests are kept in memory until EXEC. */
const MAX_QUEUED_BYTES = 512 * 1024 * 1024;

export class Transaction {
  /** Each a RESP request as it came. */
  readonly requests: Buffer[] = [];
  /** A command was refused when it was queued: EXEC will abort. */
  failed = false;
  /** Whether any queued command needs the log. */
  writes = false;
  /** Whether any queued command may be refused for want of memory. */
  denyOutOfMemory = false;
  /** What {@link requests} take. */
  queuedBytes = 0;
  /** The SELECTs among the requests: place and database. */
  private readonly selects: { readonly place: number; readonly database: number }[] = [];

  /** False when there is no more room. */
  queue(request: Buffer): boolean {
    this.queuedBytes += request.length;
    if (this.queuedBytes > MAX_QUEUED_BYTES) return false;
    this.requests.push(request);
    return true;
  }

  /** Notes that the request queued next is a SELECT. */
  queuesSelect(request: Request): void {
    this.selects.push({ place: this.requests.length, database: Number(request.int64OrUndefined(1)) });
  }

  get changesDatabase(): boolean {
    return this.selects.length > 0;
  }

  /** The database of the last SELECT among the requests, undefined if there is none. */
  get lastSelected(): number | undefined {
    return this.selects.at(-1)?.database;
  }

  /** The database that is selected once EXEC has answered `replies`. */
  databaseAfter(replies: Reply, database: number): number {
    if (!Array.isArray(replies)) return database;
    for (const select of this.selects) if (replies[select.place] === OK) database = select.database;
    return database;
  }
}

/** The keys that WATCH remembers until EXEC, DISCARD or UNWATCH. */
export type WatchList = WatchedKey[];
