/**
 * An engine from a snapshot: equal to the one that was cut, to the order of iteration. Bytes may come in
 * pieces of any size, so that whoever feeds them decides how long one slice of the work is.
 */

import { Engine } from '../engine.js';
import type { EngineOptions } from '../engine-options.js';
import { ErrorReply } from '../protocol/error-reply.js';
import { View } from '../protocol/view.js';
import { SOURCE_BYTES_MAX } from '../scripting/script-store.js';
import { isSetting } from '../settings.js';
import type { Database } from '../storage/database.js';
import type { Encoding } from '../storage/encoding.js';
import { valueTypes } from '../types/index.js';
import type { ValueRestorer } from '../values/big-value.js';
import { Fingerprint } from './fingerprint.js';
import { cbor, FORMAT, RecordKind } from './format.js';

/** A snapshot that is not whole or not one of ours: says what is wrong and at which record. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** Keys that a snapshot from a stranger may have room reserved for before they have come. */
export const RESERVED_FOR_STRANGERS = 1 << 20;

interface PendingObject {
  readonly database: Database;
  readonly databaseId: number;
  readonly slot: number;
  readonly encoding: Encoding;
  readonly deadlineMs: number;
  readonly size: number;
  readonly restorer: ValueRestorer;
}

export class Restore {
  private readonly engine: Engine;
  private readonly fingerprint = new Fingerprint();
  /** Bytes of a record that is not whole yet. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  /**
   * Decoding starts again at so many: each try reads the record from its begin, so that a record of many
   * pieces is tried only when twice as many bytes have come.
   */
  private awaitedBytes = 0;
  private records = 0;
  private footer: { records: number; digest: string } | undefined;
  private readonly sizes = new Map<Database, number>();
  private keysLeft = 0;
  private waiterPlace = 0;
  private scriptPlace = 0;
  private libraryPlace = 0;
  /** Big values of which pieces may still come, by object number. */
  private readonly objects = new Map<number, PendingObject>();
  private readonly users: (readonly [name: string, rules: readonly string[]])[] = [];
  private readonly key = new View();
  private readonly value = new View();

  /** @param reservedKeysMax keys that room is reserved for on the word of the header alone */
  constructor(
    options: EngineOptions = {},
    private readonly reservedKeysMax = Number.POSITIVE_INFINITY,
  ) {
    this.engine = new Engine(options);
  }

  /** Keys restored so far. */
  get keys(): number {
    return this.restoredKeys;
  }

  private restoredKeys = 0;

  /** Takes the next bytes. Throws {@link SnapshotError}. */
  feed(bytes: Buffer): void {
    if (this.heldBytes === 0) {
      this.decode(bytes);
      return;
    }
    // Never keep a view of the caller's bytes.
    this.held.push(Buffer.from(bytes));
    this.heldBytes += bytes.length;
    if (this.heldBytes >= this.awaitedBytes) this.decodeHeld();
  }

  private decodeHeld(): void {
    const data = Buffer.concat(this.held, this.heldBytes);
    this.held = [];
    this.decode(data);
  }

  /** Takes all whole records and holds what is left. */
  private decode(data: Buffer): void {
    let consumed = 0;
    try {
      cbor.decodeMultiple(data, (record: unknown, _start?: number, end?: number) => {
        this.take(record);
        consumed = end ?? consumed;
      });
      consumed = data.length;
    } catch (error) {
      if (error instanceof SnapshotError) throw error;
      const incomplete = error as { incomplete?: boolean; lastPosition?: number };
      if (incomplete.incomplete !== true)
        throw new SnapshotError(`record ${this.records}: ${(error as Error).message}`);
      consumed = incomplete.lastPosition ?? consumed;
    }
    this.heldBytes = data.length - consumed;
    this.held = this.heldBytes === 0 ? [] : [Buffer.from(data.subarray(consumed))];
    this.awaitedBytes = 2 * this.heldBytes;
  }

  /**
   * The engine, once all bytes were fed. Throws {@link SnapshotError} if any are missing or the digest
   * differs.
   */
  finish(): Engine {
    if (this.heldBytes > 0) this.decodeHeld();
    if (this.heldBytes > 0) throw new SnapshotError(`the snapshot ends within record ${this.records}`);
    if (this.footer === undefined)
      throw new SnapshotError(`the snapshot ends without a footer, after record ${this.records}`);
    for (const pending of this.objects.values()) this.finishObject(pending);
    if (this.keysLeft !== 0) throw new SnapshotError(`${this.keysLeft} keys are missing`);
    for (const [database, size] of this.sizes) database.size = size;
    if (this.footer.records !== this.records - 1) {
      throw new SnapshotError(`${this.records - 1} records, the footer counts ${this.footer.records}`);
    }
    const digest = this.fingerprint.toString();
    if (this.footer.digest !== digest)
      throw new SnapshotError(`digest ${digest}, the footer says ${this.footer.digest}`);
    this.restoreUsers();
    this.engine.restored();
    return this.engine;
  }

  private take(record: unknown): void {
    this.check(
      Array.isArray(record) && typeof record[0] === 'number',
      'is no array that begins with its kind',
    );
    this.check(this.footer === undefined, 'stands behind the footer');
    const items = record as unknown[];
    this.check((this.records === 0) === (items[0] === RecordKind.header), 'the header stands first, once');
    switch (items[0]) {
      case RecordKind.header:
        this.takeHeader(items);
        break;
      case RecordKind.keys:
        this.takeKeys(items);
        break;
      case RecordKind.pieces:
        this.takePieces(items);
        break;
      case RecordKind.marks:
        this.takeMarks(items);
        break;
      case RecordKind.userWaiter:
      case RecordKind.waiter:
        this.takeWaiter(items);
        break;
      case RecordKind.user:
        this.takeUser(items);
        break;
      case RecordKind.script:
        this.engine.scripts.store.restore(this.source(RecordKind.script, this.scriptPlace++, items));
        break;
      case RecordKind.library:
        this.takeLibrary(items);
        break;
      case RecordKind.footer:
        this.footer = { records: this.number(items[1]), digest: String(items[2]) };
        break;
      default:
        this.check(false, `has the unknown kind ${items[0]}`);
    }
    this.records++;
  }

  private takeHeader(items: unknown[]): void {
    const [, format, index, now, position, settings, databases] = items;
    if (format !== FORMAT) throw new SnapshotError(`snapshot format ${format}, this release reads ${FORMAT}`);
    this.check(Array.isArray(settings) && Array.isArray(databases), 'is no header');
    const { keyspace } = this.engine;
    this.engine.appliedIndex = this.number(index);
    keyspace.now = this.number(now);
    keyspace.clockSeconds = Math.floor(keyspace.now / 1000);
    keyspace.position = this.number(position);
    this.fingerprint
      .begin(RecordKind.header)
      .number(this.number(index))
      .number(keyspace.now)
      .number(keyspace.position);
    const named = settings as (string | number)[];
    for (let i = 0; i + 1 < named.length; i += 2) {
      const name = String(named[i]);
      if (isSetting(name)) keyspace.settings[name] = this.number(named[i + 1]);
      this.fingerprint.text(name).number(this.number(named[i + 1]));
    }
    const counts = databases as unknown[];
    for (let i = 0; i + 2 < counts.length; i += 3) {
      const database = keyspace.database(this.place(counts[i], 1 << 30));
      const size = this.place(counts[i + 1], 1 << 28);
      database.flushedAt = this.number(counts[i + 2]);
      this.fingerprint.number(database.id).number(size).number(database.flushedAt);
      this.sizes.set(database, size);
      database.reserve(Math.max(0, Math.min(size, this.reservedKeysMax - this.keysLeft)));
      this.keysLeft += size;
    }
    this.fingerprint.end();
  }

  private takeKeys(items: unknown[]): void {
    const id = this.place(items[1], 1 << 30);
    const database = this.engine.keyspace.database(id);
    const size = this.sizes.get(database);
    this.check(size !== undefined, `names database ${id}, which the header does not`);
    this.check((items.length - 2) % 5 === 0, 'ends within a key');
    for (let i = 2; i < items.length; i += 5) {
      const slot = this.place(items[i], size!);
      const key = this.bytes(items[i + 1]);
      const encoding = this.place(items[i + 2], valueTypes.encodingLimit);
      this.check(valueTypes.has(encoding), `has the unknown encoding ${encoding}`);
      const deadline = this.number(items[i + 3]);
      this.key.on(key, 0, key.length);
      this.fingerprint
        .begin(RecordKind.keys)
        .number(id)
        .number(slot)
        .bytes(key, 0, key.length)
        .number(encoding)
        .number(deadline);
      this.keysLeft--;
      this.restoredKeys++;
      if (valueTypes.isBig(encoding)) {
        const owner = items[i + 4];
        this.check(Array.isArray(owner), 'has a big value without an object');
        const [object, count] = owner as unknown[];
        // No string is longer, no table larger.
        const elements = this.place(count, 2 ** 29);
        this.fingerprint.number(elements).end();
        database.restore(slot, this.key, this.value.on(key, 0, 0));
        this.objects.set(this.number(object), {
          database,
          databaseId: id,
          slot,
          encoding,
          deadlineMs: deadline,
          size: elements,
          restorer: valueTypes.of(encoding).restorer(encoding, this.engine.keyspace, elements),
        });
      } else {
        const value = this.bytes(items[i + 4]);
        this.fingerprint.bytes(value, 0, value.length).end();
        database.restore(slot, this.key, this.value.on(value, 0, value.length));
        database.restoreColumns(slot, encoding, undefined, deadline);
      }
    }
  }

  private takePieces(items: unknown[]): void {
    const pending = this.objects.get(this.number(items[1]));
    this.check(pending !== undefined, `belongs to object ${items[1]}, of which no key was seen`);
    this.check((items.length - 2) % 3 === 0, 'ends within a piece');
    const { databaseId, slot, restorer } = pending!;
    for (let i = 2; i < items.length; i += 3) {
      const at = this.number(items[i]);
      const first = this.bytes(items[i + 1]);
      const second = this.bytes(items[i + 2]);
      this.fingerprint
        .begin(RecordKind.pieces)
        .number(databaseId)
        .number(slot)
        .number(at)
        .bytes(first, 0, first.length)
        .bytes(second, 0, second.length)
        .end();
      restorer.piece(at, first, second);
    }
  }

  private finishObject({ database, slot, encoding, deadlineMs, restorer }: PendingObject): void {
    try {
      database.restoreColumns(slot, encoding, restorer.finish(), deadlineMs);
    } catch (error) {
      throw new SnapshotError(`key in database ${database.id}, slot ${slot}: ${(error as Error).message}`);
    }
  }

  private takeMarks(items: unknown[]): void {
    const { marks } = this.engine.keyspace;
    for (let i = 1; i + 1 < items.length; i += 2) {
      const bucket = this.place(items[i], marks.length);
      marks[bucket] = this.number(items[i + 1]);
      this.fingerprint.begin(RecordKind.marks).number(bucket).number(marks[bucket]).end();
    }
  }

  private takeWaiter(items: unknown[]): void {
    const hasUser = items[0] === RecordKind.userWaiter;
    const user = hasUser ? this.bytes(items[1]).latin1Slice() : '';
    const [nodeId, startId, counter, database, deadlineMs, type, request, ...keys] = items.slice(
      hasUser ? 2 : 1,
    );
    this.check(
      typeof type === 'string' && valueTypes.named(type)?.awaited !== undefined,
      'waits for no type',
    );
    const numbers = [nodeId, startId, counter, database, deadlineMs].map((item) => this.number(item));
    const bytes = Buffer.from(this.bytes(request));
    this.fingerprint.begin(hasUser ? RecordKind.userWaiter : RecordKind.waiter).number(this.waiterPlace++);
    for (const number of numbers) this.fingerprint.number(number);
    if (hasUser) this.fingerprint.text(user);
    this.fingerprint.text(type).bytes(bytes, 0, bytes.length).end();
    this.engine.waiters.add({
      session: { nodeId: numbers[0], startId: numbers[1], counter: numbers[2] },
      database: numbers[3],
      deadlineMs: numbers[4],
      type,
      request: bytes,
      user,
      keys: keys.map((key) => this.bytes(key).latin1Slice()),
    });
  }

  private takeUser(items: unknown[]): void {
    const [name, ...rules] = items.slice(1).map((item) => this.bytes(item).latin1Slice());
    this.check(name !== undefined, 'names no user');
    this.fingerprint.begin(RecordKind.user).text(name);
    for (const rule of rules) this.fingerprint.text(rule);
    this.fingerprint.end();
    this.users.push([name, rules]);
  }

  /** A snapshot of a cluster that has never had users of its own holds none. */
  private restoreUsers(): void {
    if (this.users.length === 0) return;
    const error = this.engine.users.replace(this.users);
    if (error !== undefined)
      throw new SnapshotError(`rule '${error.rule}' of a user is refused: ${error.reason}`);
  }

  private source(kind: number, place: number, items: unknown[]): string {
    const bytes = this.bytes(items[1]);
    this.check(bytes.length <= SOURCE_BYTES_MAX, 'has a script that is too long');
    this.fingerprint.begin(kind).number(place).bytes(bytes, 0, bytes.length).end();
    return bytes.latin1Slice();
  }

  private takeLibrary(items: unknown[]): void {
    const code = this.source(RecordKind.library, this.libraryPlace++, items);
    try {
      this.engine.scripts.functions.load(code, false);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      throw new SnapshotError(`a library of functions is refused: ${error.text}`);
    }
  }

  private number(item: unknown): number {
    this.check(typeof item === 'number' || typeof item === 'bigint', 'lacks a number');
    return Number(item);
  }

  /** A non-negative integer below `bound`. */
  private place(item: unknown, bound: number): number {
    const number = this.number(item);
    this.check(
      Number.isInteger(number) && number >= 0 && number < bound,
      `has ${number} where 0 to ${bound - 1} may stand`,
    );
    return number;
  }

  private bytes(item: unknown): Buffer {
    this.check(item instanceof Uint8Array, 'lacks bytes');
    const bytes = item as Uint8Array;
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private check(holds: boolean, what: string): asserts holds {
    if (!holds) throw new SnapshotError(`record ${this.records} ${what}`);
  }
}

/**
 * An engine equal to the one that `engine.snapshot()` was called on, to the order of iteration.
 *
 * @throws SnapshotError when the bytes are not whole, or their digest differs
 */
export function restoreEngine(bytes: Buffer, options: EngineOptions = {}): Engine {
  const restore = new Restore(options);
  restore.feed(bytes);
  return restore.finish();
}
