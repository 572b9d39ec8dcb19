/** What MULTI collects on one connection until EXEC. */

import {
  ErrorReply,
  type HashSeed,
  keyedHash,
  OK,
  type Reply,
  type Request,
  type Runnable,
  type WatchedKey,
} from '../../engine/index.js';
import { encodeRequest } from '../resp/encode-request.js';

/** In place of a queued command's name: no client can queue what is no command. */
const REFUSED = '\0REFUSED';

/** The error that stands in place of a queued request, or undefined where there is none. */
export function refusedRequest(request: Request): ErrorReply | undefined {
  return request.is(0, REFUSED) ? new ErrorReply(request.latin1(1)) : undefined;
}

/** What a queued request or a watched key takes beside its bytes. */
const OVERHEAD_BYTES = 128;

export class Transaction {
  /** Each a RESP request as it came. */
  readonly requests: Buffer[] = [];
  /** The command of each. */
  readonly rows: Runnable[] = [];
  /** A command was refused when it was queued: EXEC will abort. */
  failed = false;
  /** Whether any queued command needs the log. */
  writes = false;
  /** Whether any queued command may be refused for want of memory. */
  denyOutOfMemory = false;
  /** Whether any queued command runs a script. */
  runsScripts = false;
  /** Whether any queued command changes users, or who the client is: what follows is judged by that. */
  changesRights = false;
  /** What {@link requests} take. */
  queuedBytes = 0;
  /** The SELECTs among the requests: place and database. */
  private readonly selects: { readonly place: number; readonly database: number }[] = [];

  queue(row: Runnable, request: Buffer): void {
    this.queuedBytes += request.length + OVERHEAD_BYTES;
    this.requests.push(request);
    this.rows.push(row);
  }

  /**
   * Puts other requests in the place of those for which `replace` has one. In the place of an error comes a
   * request that only answers with it: no command has its name, so that the engine of the node that proposes
   * asks the router for the reply, and every other one passes over it.
   */
  replaceRequests(replace: (request: Buffer) => Buffer | ErrorReply | undefined): void {
    this.requests.forEach((request, place) => {
      const found = replace(request);
      if (found === undefined) return;
      const other = found instanceof ErrorReply ? encodeRequest([REFUSED, found.text]) : found;
      this.queuedBytes += other.length - request.length;
      this.requests[place] = other;
    });
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

/**
 * The keys that WATCH remembers until EXEC, DISCARD or UNWATCH, each once. Adding and finding one is O(1).
 */
export class WatchList {
  /** What they take. */
  bytes = 0;
  private watched: WatchedKey[] = [];
  /**
   * By a keyed hash, which strangers cannot make collide; keys that share one are told apart by their bytes.
   */
  private byHash: Map<number, WatchedKey[]> | undefined;

  constructor(private readonly seed: HashSeed) {}

  get length(): number {
    return this.watched.length;
  }

  has(database: number, key: Buffer): boolean {
    const same = this.byHash?.get(this.hashOf(key));
    return same?.some((other) => other.database === database && other.key.equals(key)) ?? false;
  }

  /** Adds a key that is not in the list. */
  add(watched: WatchedKey): void {
    this.watched.push(watched);
    this.bytes += watched.key.length + OVERHEAD_BYTES;
    const hash = this.hashOf(watched.key);
    this.byHash ??= new Map();
    const same = this.byHash.get(hash);
    if (same === undefined) this.byHash.set(hash, [watched]);
    else same.push(watched);
  }

  /** Hands the keys over, and is empty. */
  take(): readonly WatchedKey[] {
    const { watched } = this;
    if (watched.length > 0) this.watched = [];
    this.byHash = undefined;
    this.bytes = 0;
    return watched;
  }

  clear(): void {
    this.take();
  }

  private hashOf(key: Buffer): number {
    return keyedHash(key, 0, key.length, this.seed.low, this.seed.high);
  }
}
