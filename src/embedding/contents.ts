/**
 * A node's keys as a test sees and sets them: read from the state, written through the log as one
 * transaction.
 */
import { isMap } from 'node:util/types';
import {
  type BufferReply,
  ErrorReply,
  type Keyspace,
  noTraces,
  type Reply,
  ReplyError,
  RequestBuilder,
  toBuffers,
} from '../../engine/index.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { Server } from '../server.js';
import {
  type LoadableValue,
  loadingCommands,
  type PlainValue,
  plainName,
  plainValue,
  readingCommands,
} from './plain-values.js';

/**
 * So many bytes of commands go into one entry of the log. More take several, which readers may see one after
 * the other.
 */
const ENTRY_BYTES = 8 * 1024 * 1024;

export interface InDatabase {
  /** Number of the database. Default 0. */
  readonly db?: number;
}

/**
 * Keys with their values and the time that they had left to live: what {@link Contents.restore} brings back.
 */
export interface DataSnapshot {
  readonly databases: readonly {
    readonly db: number;
    /** What DUMP gives of each key, and milliseconds to live (0: for ever). */
    readonly keys: readonly (readonly [key: Buffer, dump: Buffer, ttlMs: number])[];
  }[];
}

export class Contents {
  private readonly builder = new RequestBuilder();
  /** What was last restored or taken, and how much had been changed by then. */
  private unchanged:
    | { readonly snapshot: DataSnapshot; readonly keyspace: Keyspace; readonly mutations: number }
    | undefined;

  /** @param server the node's present one */
  constructor(private readonly server: () => Server) {}

  // ---- reading ----

  /** Names of all keys, sorted. Those that are no UTF-8 are written as redis-cli does. */
  keys({ db = 0, match = '*' }: InDatabase & { readonly match?: string } = {}): string[] {
    return this.rawKeys(db, match).map(plainName).sort();
  }

  /** What a key holds; undefined if there is none. */
  get(key: string | Uint8Array, { db = 0 }: InDatabase = {}): PlainValue | undefined {
    const type = String(this.read(db, 'TYPE', key));
    const command = readingCommands.get(type);
    if (command === undefined) return undefined;
    const [name, ...rest] = command;
    return plainValue(type, this.read(db, name, key, ...rest));
  }

  /** Milliseconds that a key has left to live; Infinity if it never expires, undefined if there is none. */
  ttl(key: string | Uint8Array, { db = 0 }: InDatabase = {}): number | undefined {
    const leftMs = this.read(db, 'PTTL', key) as number;
    if (leftMs === -2) return undefined;
    return leftMs === -1 ? Number.POSITIVE_INFINITY : leftMs;
  }

  /** All keys of a database with what they hold, sorted by name. */
  dump({ db = 0 }: InDatabase = {}): { [key: string]: PlainValue } {
    const entries = this.rawKeys(db, '*').map((key) => [plainName(key), this.get(key, { db })!] as const);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** All keys of all databases, exactly. */
  snapshot(): DataSnapshot {
    const databases = this.usedDatabases().map((db) => ({
      db,
      keys: this.rawKeys(db, '*').map((key) => {
        const ttlMs = this.read(db, 'PTTL', key) as number;
        return [key, this.read(db, 'DUMP', key) as Buffer, Math.max(0, ttlMs)] as const;
      }),
    }));
    const snapshot = { databases };
    this.noteUnchanged(snapshot);
    return snapshot;
  }

  private usedDatabases(): number[] {
    return [...this.engine.keyspace.used()].filter(({ size }) => size > 0).map(({ id }) => id);
  }

  private rawKeys(db: number, match: string): Buffer[] {
    return this.read(db, 'KEYS', match) as Buffer[];
  }

  private get engine(): Server['engine'] {
    return this.server().engine;
  }

  /** @throws RangeError unless there is a database of that number */
  private check(db: number): void {
    const { databases } = this.engine.keyspace.settings;
    if (!Number.isInteger(db) || db < 0 || db >= databases)
      throw new RangeError(`there is no database ${db}: they have the numbers 0 to ${databases - 1}`);
  }

  /** Runs a read on the state as it stands. It counts as nobody's use of a key. */
  private read(db: number, ...args: readonly (string | Uint8Array)[]): BufferReply {
    this.check(db);
    const server = this.server();
    const { engine } = server;
    const request = this.builder.command(args, false);
    const row = engine.table.resolve(request);
    if (row instanceof ErrorReply) throw new ReplyError(row);
    return toBuffers(engine.read(row, request, db, server.clock(), noTraces));
  }

  // ---- writing ----

  /** Removes all keys of all databases. */
  async flush(): Promise<void> {
    await this.write([{ db: 0, args: ['FLUSHALL'] }]);
  }

  /**
   * Sets keys in the place of what they held.
   *
   * @param data by key: text, a number or bytes for a string, an array for a list, a Set, an object for a
   * hash, a Map from member to score for a sorted set, an array of `{ id, fields }` for a stream
   * @param ttlMs how long they live. Default: for ever
   * @throws TypeError for what Redis has no type for; ReplyError for what Redis refuses, behind which the
   * rest was set all the same, as in EXEC
   */
  async load(
    data: { readonly [key: string]: LoadableValue } | ReadonlyMap<string, LoadableValue>,
    { db = 0, ttlMs }: InDatabase & { readonly ttlMs?: number } = {},
  ): Promise<void> {
    const entries = isMap(data) ? [...data.entries()] : Object.entries(data);
    const commands = entries.flatMap(([key, value]) => [
      ...loadingCommands(key, value).map((args) => ({ db, args })),
      ...(ttlMs === undefined ? [] : [{ db, args: ['PEXPIRE', key, `${ttlMs}`] }]),
    ]);
    await this.write(commands);
  }

  /**
   * Brings all databases back to what a snapshot holds, each key with the time to live that it had then.
   * Clients stay connected, and those that block go on waiting.
   */
  async restore(snapshot: DataSnapshot): Promise<void> {
    const isVolatile = snapshot.databases.some(({ keys }) => keys.some(([, , ttlMs]) => ttlMs > 0));
    if (!isVolatile && this.holds(snapshot)) return;
    const commands: Command[] = [{ db: 0, args: ['FLUSHALL'] }];
    for (const { db, keys } of snapshot.databases)
      for (const [key, dump, ttlMs] of keys) commands.push({ db, args: ['RESTORE', key, `${ttlMs}`, dump] });
    await this.write(commands);
    this.noteUnchanged(snapshot);
  }

  private holds(snapshot: DataSnapshot): boolean {
    const { keyspace } = this.engine;
    const last = this.unchanged;
    return last?.snapshot === snapshot && last.keyspace === keyspace && last.mutations === keyspace.mutations;
  }

  private noteUnchanged(snapshot: DataSnapshot): void {
    const { keyspace } = this.engine;
    this.unchanged = { snapshot, keyspace, mutations: keyspace.mutations };
  }

  /** Runs commands as one transaction, or as several where they take too much for one. */
  private async write(commands: readonly Command[]): Promise<void> {
    let requests: Buffer[] = [];
    let bytes = 0;
    let selected = 0;
    const add = (request: Buffer): void => {
      requests.push(request);
      bytes += request.length;
    };
    for (const { db } of commands) this.check(db);
    for (const { db, args } of commands) {
      if (bytes > ENTRY_BYTES) {
        await this.execute(requests, bytes);
        [requests, bytes, selected] = [[], 0, 0];
      }
      if (db !== selected) add(encodeRequest(['SELECT', `${db}`]));
      selected = db;
      add(encodeRequest(args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg))));
    }
    if (requests.length > 0) await this.execute(requests, bytes);
  }

  private async execute(requests: readonly Buffer[], bytes: number): Promise<void> {
    const server = this.server();
    const refusal = server.refuseWrite(true, bytes);
    if (refusal !== undefined) throw new ReplyError(refusal);
    const reply = await new Promise<Reply>((resolve, reject) => {
      server.replica.exec(
        {
          complete: (answer) => resolve(Array.isArray(answer) ? (answer.find(isError) ?? null) : answer),
          outcomeUnknown: (error) => reject(new ReplyError(error)),
          runInTransaction: () => null,
        },
        server.session,
        0,
        [],
        requests,
        bytes,
      );
    });
    if (reply instanceof ErrorReply) throw new ReplyError(reply);
  }
}

interface Command {
  readonly db: number;
  readonly args: readonly (string | Uint8Array)[];
}

const isError = (reply: Reply): reply is ErrorReply => reply instanceof ErrorReply;
