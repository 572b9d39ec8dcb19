/**
 * An engine from a snapshot: equal to the one that was cut, to the order of iteration. Bytes may come in
 * pieces of any size, so that whoever feeds them decides how long one slice of the work is.
 */

import { isBehaviourLevel } from '../behaviour.js';
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
import { formatOf, RecordKind, refuseFormat } from './format.js';
import { RecordReader, SnapshotError } from './record-reader.js';

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

export class Restore extends RecordReader {
  private readonly engine: Engine;
  private readonly fingerprint = new Fingerprint();
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
    super();
    this.engine = new Engine(options);
  }

  /** Keys restored so far. */
  get keys(): number {
    return this.restoredKeys;
  }

  private restoredKeys = 0;

  /**
   * The engine, once all bytes were fed. Throws {@link SnapshotError} if any are missing or the digest
   * differs.
   */
  finish(): Engine {
    const footer = this.end();
    for (const pending of this.objects.values()) this.finishObject(pending);
    if (this.keysLeft !== 0) throw new SnapshotError(`${this.keysLeft} keys are missing`);
    for (const [database, size] of this.sizes) database.size = size;
    const digest = this.fingerprint.toString();
    if (footer.digest !== digest)
      throw new SnapshotError(`digest ${digest}, the footer says ${footer.digest}`);
    this.restoreUsers();
    this.engine.restored();
    return this.engine;
  }

  protected take(items: readonly unknown[]): void {
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
      default:
        this.check(false, `has the unknown kind ${items[0]}`);
    }
  }

  private takeHeader(items: readonly unknown[]): void {
    const [, format, index, now, position, settings, databases, ...level] = items;
    const refused = refuseFormat(format);
    if (refused !== undefined) throw new SnapshotError(refused);
    this.check(level.length < 2 && format === formatOf(level as number[]), 'is no header');
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
    for (const one of level) {
      this.check(isBehaviourLevel(one), 'names no behaviour level');
      this.fingerprint.number(one as number);
      keyspace.behaviour.raise(one as number);
    }
    this.fingerprint.end();
  }

  private takeKeys(items: readonly unknown[]): void {
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

  private takePieces(items: readonly unknown[]): void {
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

  private takeMarks(items: readonly unknown[]): void {
    const { marks } = this.engine.keyspace;
    for (let i = 1; i + 1 < items.length; i += 2) {
      const bucket = this.place(items[i], marks.length);
      marks[bucket] = this.number(items[i + 1]);
      this.fingerprint.begin(RecordKind.marks).number(bucket).number(marks[bucket]).end();
    }
  }

  private takeWaiter(items: readonly unknown[]): void {
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

  private takeUser(items: readonly unknown[]): void {
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

  private source(kind: number, place: number, items: readonly unknown[]): string {
    const bytes = this.bytes(items[1]);
    this.check(bytes.length <= SOURCE_BYTES_MAX, 'has a script that is too long');
    this.fingerprint.begin(kind).number(place).bytes(bytes, 0, bytes.length).end();
    return bytes.latin1Slice();
  }

  private takeLibrary(items: readonly unknown[]): void {
    const code = this.source(RecordKind.library, this.libraryPlace++, items);
    try {
      this.engine.scripts.functions.load(code, false);
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      throw new SnapshotError(`a library of functions is refused: ${error.text}`);
    }
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
