/**
 * A snapshot taken while the engine goes on: the state at one instant, written in slices.
 *
 * Making a cut takes time only for what cannot change piecewise (the WATCH marks, the waiters). From then on
 * every key and every element of a big value is written once, as it was at the cut: in turn, or just before
 * it changes.
 */

import type { Users } from '../acl/users.js';
import { View } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import type { Keyspace } from '../storage/keyspace.js';
import { valueTypes } from '../types/index.js';
import type { ValueWalk } from '../values/big-value.js';
import type { Waiter, Waiters } from '../waiters.js';
import { DictionaryWalk } from './dictionary-walk.js';
import { Fingerprint } from './fingerprint.js';
import { cbor, formatOf, RecordKind } from './format.js';

const BATCH_BYTES = 32 * 1024;
/** What {@link Cut.next} gives at most, but for one large record. */
const OUTPUT_BYTES = 256 * 1024;
const MARKS_PER_RECORD = 1024;

interface ObjectWalk {
  readonly id: number;
  readonly walk: ValueWalk;
}

/** What is written: the parts of an engine that are state. */
export interface CutSource {
  readonly appliedIndex: number;
  readonly keyspace: Keyspace;
  readonly waiters: Pick<Waiters, 'all'>;
  readonly users: Pick<Users, 'haveChanged' | 'all'>;
  /** The sources of scripts, in the order in which they would fall out; and of functions. */
  readonly scripts: {
    readonly store: { all(): string[] };
    readonly functions: { all(): readonly { readonly code: string }[] };
  };
}

export class Cut {
  /** Index of the last entry that the snapshot holds. */
  readonly index: number;
  private readonly fingerprint = new Fingerprint();
  private readonly databases: DictionaryWalk[] = [];
  /** Big values begun: those of keys that came up in turn, and those that were about to change. */
  private readonly objects: ObjectWalk[] = [];
  private nextObject = 0;
  private readonly waiters: Waiter[];
  /** Name and rules of each. */
  private readonly users: (readonly string[])[];
  private readonly scripts: readonly string[];
  private readonly libraries: readonly string[];
  private readonly marks: Float64Array;
  private nextMark = 0;
  /**
   * The keys or pieces of one owner that will be one record. They are views on the slab: void as soon as the
   * engine goes on.
   */
  private batch: unknown[] | undefined;
  private batchOwner = 0;
  private batchBytes = 0;
  private output: Buffer[] = [];
  private outputBytes = 0;
  private records = 0;
  private done = false;
  private complete = false;
  /** Within {@link next}; otherwise a change forces records out, which are encoded at once. */
  private stepping = false;
  private readonly keyView = new View();
  private readonly valueView = new View();

  /** With `write` false only the digest is made. `visited` is told of each key as it is written. */
  constructor(
    source: CutSource,
    private readonly write = true,
    private readonly visited?: (databaseId: number, slot: Slot) => void,
  ) {
    const { keyspace } = source;
    this.index = source.appliedIndex;
    this.waiters = [...source.waiters.all()];
    const { users } = source;
    this.users = users.haveChanged ? users.all().map(({ name, rules }) => [name, ...rules]) : [];
    this.scripts = source.scripts.store.all();
    this.libraries = source.scripts.functions.all().map(({ code }) => code);
    this.marks = keyspace.marks.slice();
    const level = keyspace.behaviour.written;
    const settings = Object.entries(keyspace.settings).flat();
    const databases: number[] = [];
    for (const database of keyspace.used()) {
      if (database.size === 0 && database.flushedAt === 0) continue;
      databases.push(database.id, database.size, database.flushedAt);
    }
    this.record([
      RecordKind.header,
      formatOf(level),
      this.index,
      keyspace.now,
      keyspace.position,
      settings,
      databases,
      ...level,
    ]);
    this.fingerprint
      .begin(RecordKind.header)
      .number(this.index)
      .number(keyspace.now)
      .number(keyspace.position);
    for (const setting of settings) {
      if (typeof setting === 'number') this.fingerprint.number(setting);
      else this.fingerprint.text(setting);
    }
    for (const number of [...databases, ...level]) this.fingerprint.number(number);
    this.fingerprint.end();
    for (const database of keyspace.used()) {
      if (database.size > 0) this.walkDatabase(database);
    }
  }

  /** Whether everything was written; false for one that was given up, too. */
  get isComplete(): boolean {
    return this.complete;
  }

  /** The state's digest; only once {@link next} has returned undefined. */
  get digest(): string {
    if (!this.complete) throw new Error('the digest stands only when the cut has been written');
    return this.fingerprint.toString();
  }

  /**
   * The next bytes of the snapshot, undefined behind the last. Works while `goOn` says so, and does at least
   * one step. Bytes that a change forced out in between come first.
   */
  next(goOn: () => boolean): Buffer | undefined {
    if (this.done) return undefined;
    const within = (): boolean => this.outputBytes < OUTPUT_BYTES && goOn();
    this.stepping = true;
    do {
      if (!this.step(within)) continue;
      this.flushBatch();
      this.record([RecordKind.footer, this.records, this.fingerprint.toString()]);
      this.done = this.complete = true;
    } while (!this.done && within());
    this.flushBatch();
    this.stepping = false;
    const bytes = Buffer.concat(this.output, this.outputBytes);
    this.output = [];
    this.outputBytes = 0;
    return bytes;
  }

  /** Gives up: the engine is no longer watched. */
  abort(): void {
    this.done = true;
    for (const walk of this.databases) walk.stop();
    for (const { walk } of this.objects) walk.stop();
  }

  /** One stretch of work; true when nothing is left. */
  private step(goOn: () => boolean): boolean {
    const object = this.objects.at(-1);
    if (object !== undefined) {
      if (object.walk.step(goOn)) this.objects.splice(this.objects.indexOf(object), 1);
      return false;
    }
    const database = this.databases.at(-1);
    if (database !== undefined) {
      // A big value that comes up is written before the next key.
      if (database.step(() => this.objects.length === 0 && goOn())) this.databases.pop();
      return false;
    }
    if (this.nextMark < this.marks.length) {
      this.writeMarks();
      return false;
    }
    this.waiters.forEach((waiter, place) => {
      this.writeWaiter(waiter, place);
    });
    for (const user of this.users) this.writeUser(user);
    this.scripts.forEach((source, place) => {
      this.writeSource(RecordKind.script, source, place);
    });
    this.libraries.forEach((code, place) => {
      this.writeSource(RecordKind.library, code, place);
    });
    return true;
  }

  private walkDatabase(database: Database): void {
    const { id } = database;
    this.databases.push(new DictionaryWalk(database, (slot) => this.writeKey(database, id, slot)));
  }

  private writeKey(database: Database, id: number, slot: Slot): void {
    this.visited?.(id, slot);
    const key = database.key(slot, this.keyView);
    const encoding = database.encoding(slot);
    const deadline = database.deadline(slot);
    this.fingerprint
      .begin(RecordKind.keys)
      .number(id)
      .number(slot)
      .bytes(key.buffer, key.start, key.end)
      .number(encoding)
      .number(deadline);
    const keyBytes = key.buffer.subarray(key.start, key.end);
    let value: unknown;
    if (valueTypes.isBig(encoding)) {
      const walk = this.walkObject(database, id, slot);
      this.fingerprint.number(walk.walk.size).end();
      value = [walk.id, walk.walk.size];
    } else {
      const { buffer, start, end } = database.value(slot, this.valueView);
      this.fingerprint.bytes(buffer, start, end).end();
      value = buffer.subarray(start, end);
      this.batchBytes += end - start;
    }
    if (!this.write) return;
    const batch = this.batchFor(RecordKind.keys, id);
    batch.push(slot, keyBytes, encoding, deadline, value);
    this.batchBytes += keyBytes.length + 16;
    if (this.batchBytes >= BATCH_BYTES || !this.stepping) this.flushBatch();
  }

  private walkObject(database: Database, databaseId: number, slot: Slot): ObjectWalk {
    const id = this.nextObject++;
    const walk = database.object(slot).walk((at, first, second) => {
      this.fingerprint
        .begin(RecordKind.pieces)
        .number(databaseId)
        .number(slot)
        .number(at)
        .bytes(first, 0, first.length)
        .bytes(second, 0, second.length)
        .end();
      if (!this.write) return;
      const batch = this.batchFor(RecordKind.pieces, id);
      batch.push(at, first, second);
      this.batchBytes += first.length + second.length + 16;
      if (this.batchBytes >= BATCH_BYTES || !this.stepping) this.flushBatch();
    });
    const begun = { id, walk };
    this.objects.push(begun);
    return begun;
  }

  private writeMarks(): void {
    const record: number[] = [RecordKind.marks];
    const end = Math.min(this.marks.length, this.nextMark + MARKS_PER_RECORD * 8);
    for (; this.nextMark < end && record.length < MARKS_PER_RECORD * 2; this.nextMark++) {
      const position = this.marks[this.nextMark];
      if (position === 0) continue;
      record.push(this.nextMark, position);
      this.fingerprint.begin(RecordKind.marks).number(this.nextMark).number(position).end();
    }
    if (record.length > 1) this.record(record);
  }

  private writeWaiter(waiter: Waiter, place: number): void {
    const { session, database, deadlineMs, type, request, user, keys } = waiter;
    const kind = user === '' ? RecordKind.waiter : RecordKind.userWaiter;
    const numbers = [session.nodeId, session.startId, session.counter, database, deadlineMs];
    this.fingerprint.begin(kind).number(place);
    for (const number of numbers) this.fingerprint.number(number);
    if (user !== '') this.fingerprint.text(user);
    this.fingerprint.text(type).bytes(request, 0, request.length).end();
    this.record([
      kind,
      ...(user === '' ? [] : [Buffer.from(user, 'latin1')]),
      ...numbers,
      type,
      request,
      ...keys.map((key) => Buffer.from(key, 'latin1')),
    ]);
  }

  private writeUser(words: readonly string[]): void {
    this.fingerprint.begin(RecordKind.user);
    for (const word of words) this.fingerprint.text(word);
    this.fingerprint.end();
    this.record([RecordKind.user, ...words.map((word) => Buffer.from(word, 'latin1'))]);
  }

  private writeSource(kind: number, source: string, place: number): void {
    const bytes = Buffer.from(source, 'latin1');
    this.fingerprint.begin(kind).number(place).bytes(bytes, 0, bytes.length).end();
    this.record([kind, bytes]);
  }

  private batchFor(kind: number, owner: number): unknown[] {
    if (this.batch === undefined || this.batch[0] !== kind || this.batchOwner !== owner) {
      this.flushBatch();
      this.batch = [kind, owner];
      this.batchOwner = owner;
    }
    return this.batch;
  }

  private flushBatch(): void {
    if (this.batch === undefined) return;
    this.record(this.batch);
    this.batch = undefined;
    this.batchBytes = 0;
  }

  private record(record: readonly unknown[]): void {
    this.records++;
    if (!this.write) return;
    const bytes = cbor.encode(record);
    this.output.push(bytes);
    this.outputBytes += bytes.length;
  }
}
