/**
 * One numbered database: keys, their values' encodings, deadlines and access times. Handlers work through it
 * and never learn how a value is laid out.
 *
 * Duties of a handler that writes: check everything that can fail before the first mutation; call {@link
 * Database.changed} once for each key that it created, changed or deleted.
 */

import { int64TextLengthMax, parseInt64Bytes } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { copyBytes, View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { BigValue } from '../values/big-value.js';
import { LargeString } from '../values/large-string.js';
import { Deadlines } from './deadlines.js';
import { ABSENT, Dictionary, type HashSeed, type Slot } from './dictionary.js';
import { Encoding, type TypeTable } from './encoding.js';
import type { Frequency } from './frequency.js';
import { type KeyEvent, keyEvents } from './key-events.js';
import type { Slab } from './slab.js';
import type { Statistics } from './statistics.js';

/** From this many bytes on a string is a {@link LargeString}. */
export const LARGE_STRING_BYTES = 8192;
const EMBEDDED_STRING_BYTES = 44;

const PAGE_BITS = 12;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

/** Words of a slot, behind its hash and address. */
const SLOT_SHIFT = 2;
const ENCODING = 2;
/** Seconds (LRU) or minutes and counter (LFU) of the last access: this node's own, outside the state. */
const ACCESS = 3;

const keyScratch = new View();
const endedKey = new View();

/** What reads may do with a database. */
export type ReadableDatabase = Pick<
  Database,
  | 'id'
  | 'size'
  | 'find'
  | 'findBytes'
  | 'lookup'
  | 'lookupUntouched'
  | 'has'
  | 'key'
  | 'keyText'
  | 'type'
  | 'encoding'
  | 'object'
  | 'value'
  | 'valueLength'
  | 'slab'
  | 'string'
  | 'stringAt'
  | 'deadline'
  | 'isDue'
  | 'idleSeconds'
  | 'accessClock'
  | 'accessFrequency'
  | 'slotBytes'
  | 'expiringCount'
>;

/** What no key holds any more, and is freed piecemeal. */
export type Discarded = Pick<BigValue, 'isWalked' | 'dispose'>;

/** The keyspace, as far as its databases, their values and the handlers that work on them need it. */
export interface DatabaseOwner {
  readonly slab: Slab;
  readonly hashSeed: HashSeed;
  readonly settings: Settings;
  readonly types: TypeTable;
  /** Logged time: milliseconds since the epoch. */
  readonly now: number;
  /** Whether an entry is being applied: a key that is due goes then, and is only hidden otherwise. */
  readonly writing: boolean;
  /** The position that WATCH compares. */
  readonly position: number;
  /** Grows with everything that a command does to the state. */
  mutations: number;
  readonly statistics: Statistics;
  readonly looksToRead: boolean;
  readonly isHeard: boolean;
  /** Reads leave access times alone. */
  readonly untouched: boolean;
  readonly clockSeconds: number;
  readonly countsFrequency: boolean;
  readonly frequency: Frequency;
  /** Set while clients wait for keys. */
  readonly creationListener: object | undefined;
  /** The access word that a touched key gets, and that of a new one. */
  accessClock(previous: number): number;
  freshAccessClock(): number;
  frequencyOf(accessWord: number): number;
  /** See {@link Database.changed} and {@link Database.happened}. */
  changed(database: Database, key: View, event: KeyEvent | undefined): void;
  happened(database: Database, key: View, event: KeyEvent): void;
  /** A value that clients may wait for came into being at `key`, or has more for those who share it. */
  created(database: Database, key: View, encoding: Encoding): void;
  /** The value at `key` goes: those who share it may have to be told. */
  ended(database: Database, key: View, encoding: Encoding): void;
  /** Takes over a value that no key holds any more. */
  discard(value: Discarded): void;
}

export class Database extends Dictionary {
  /** Big values by slot; a page without any has none. */
  private readonly objects: (BigValue | undefined)[][] = [];
  readonly deadlines = new Deadlines(this.slab);
  /**
   * Position of the last FLUSHDB, FLUSHALL or SWAPDB that touched this database (see {@link
   * Keyspace.lastWrite}).
   */
  flushedAt = 0;

  constructor(
    readonly keyspace: DatabaseOwner,
    public id: number,
  ) {
    super(keyspace.slab, keyspace.hashSeed, SLOT_SHIFT);
  }

  // ---- finding ----

  /**
   * The key's slot, or ABSENT. A key whose deadline has passed is hidden from reads and removed by a write
   * that meets it.
   */
  override find(key: View): Slot {
    const slot = this.findBytes(key.buffer, key.start, key.end);
    if (slot === ABSENT || this.deadlines.size === 0) return slot;
    const deadline = this.deadlines.get(slot);
    if (deadline === 0 || deadline > this.keyspace.now) return slot;
    if (this.keyspace.writing) this.expire(slot);
    return ABSENT;
  }

  /**
   * {@link find} for a command that uses the value: notes the access, and of a read counts a hit or a miss,
   * which is an event.
   */
  lookup(key: View): Slot {
    const slot = this.lookupUntouched(key);
    if (slot !== ABSENT) this.touch(slot);
    return slot;
  }

  /** {@link lookup} for what looks at the key and leaves its access time alone. */
  lookupUntouched(key: View): Slot {
    const slot = this.find(key);
    const { keyspace } = this;
    if (!keyspace.looksToRead) return slot;
    if (slot !== ABSENT) {
      keyspace.statistics.keyspaceHits++;
      return slot;
    }
    keyspace.statistics.keyspaceMisses++;
    if (keyspace.isHeard) keyspace.happened(this, key, keyEvents.keymiss);
    return ABSENT;
  }

  has(key: View): boolean {
    return this.find(key) !== ABSENT;
  }

  encoding(slot: Slot): Encoding {
    return this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ENCODING];
  }

  /** What TYPE answers. */
  type(slot: Slot): string {
    return this.keyspace.types.of(this.encoding(slot)).name;
  }

  /** The big value in a slot whose encoding says that it has one. */
  object(slot: Slot): BigValue {
    return this.objects[slot >>> PAGE_BITS][slot & PAGE_MASK]!;
  }

  /** {@link object}, to be changed. */
  objectForWrite(slot: Slot): BigValue {
    this.keyspace.mutations++;
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    return this.object(slot);
  }

  // ---- strings ----

  /** The string at `key`, in `into`; undefined when absent. Throws WRONGTYPE. */
  string(key: View, into: View): View | undefined {
    const slot = this.lookup(key);
    return slot === ABSENT ? undefined : this.stringAt(slot, into);
  }

  /** The string in a slot. Throws WRONGTYPE. */
  stringAt(slot: Slot, into: View): View {
    const encoding = this.encoding(slot);
    if (encoding > Encoding.largeRaw) throw errors.wrongType;
    if (encoding === Encoding.largeRaw) return (this.object(slot) as LargeString).view(into);
    return this.value(slot, into);
  }

  /** Stores what a command computed, as {@link setString} does, but of encoding raw whatever the bytes. */
  setRawString(key: View, value: View, keepDeadline = false): Slot {
    const slot = this.setString(key, value, keepDeadline);
    if (this.encoding(slot) < Encoding.raw) this.setEncoding(slot, Encoding.raw);
    return slot;
  }

  /**
   * Stores a string, whatever was there; drops the deadline unless told to keep it. `value` must not be the
   * key's own bytes.
   */
  setString(key: View, value: View, keepDeadline = false): Slot {
    const slot = this.find(key);
    const length = value.end - value.start;
    if (slot === ABSENT) {
      if (length >= LARGE_STRING_BYTES)
        return this.createBig(key, Encoding.largeRaw, LargeString.copyOf(value, this.slab));
      return this.create(key, stringEncoding(value), value);
    }
    if (length < LARGE_STRING_BYTES) {
      this.replace(slot, stringEncoding(value), value);
    } else if (
      this.encoding(slot) === Encoding.largeRaw &&
      (this.object(slot) as LargeString).length === length
    ) {
      // Of the same size: overwritten, since a fresh buffer would cost more than all the rest.
      const target = (this.objectForWrite(slot) as LargeString).viewForWrite(keyScratch, 0, length);
      copyBytes(value.buffer, value.start, target.buffer, target.start, length);
    } else {
      this.replaceBig(slot, Encoding.largeRaw, LargeString.copyOf(value, this.slab));
    }
    if (!keepDeadline && this.deadlines.size > 0) this.setDeadline(slot, 0);
    return slot;
  }

  /**
   * The bytes of the string in `slot`, lengthened with zeros to at least `length`, of which those from `from`
   * up to `to` are about to be changed in place; the encoding becomes raw. The caller has checked the type.
   */
  editString(slot: Slot, length: number, from: number, to: number, into: View): View {
    const encoding = this.encoding(slot);
    if (encoding === Encoding.largeRaw) {
      const large = this.objectForWrite(slot) as LargeString;
      if (length > large.length) large.grow(length);
      return large.viewForWrite(into, from, to);
    }
    const oldLength = this.valueLength(slot);
    if (length >= LARGE_STRING_BYTES) {
      const large = LargeString.zeros(length, this.slab);
      const source = this.value(slot, keyScratch);
      const target = large.view(into);
      source.buffer.copy(target.buffer, target.start, source.start, source.end);
      this.replaceBig(slot, Encoding.largeRaw, large);
      return target;
    }
    if (length > oldLength) this.resizeValue(slot, length);
    this.setEncoding(slot, Encoding.raw);
    const view = this.valueForWrite(slot, into);
    if (length > oldLength) view.buffer.fill(0, view.start + oldLength, view.end);
    return view;
  }

  // ---- what a dictionary does to its entries, noted ----

  override insert(key: View, valueLength: number): Slot {
    this.keyspace.mutations++;
    return super.insert(key, valueLength);
  }

  override setValue(slot: Slot, source: View): void {
    this.keyspace.mutations++;
    super.setValue(slot, source);
  }

  override resizeValue(slot: Slot, length: number): void {
    this.keyspace.mutations++;
    super.resizeValue(slot, length);
  }

  override valueForWrite(slot: Slot, into: View): View {
    this.keyspace.mutations++;
    return super.valueForWrite(slot, into);
  }

  // ---- creating, replacing, deleting ----

  /** Adds a key, known to be absent, whose value is `value`'s bytes. */
  create(key: View, encoding: Encoding, value: View): Slot {
    const slot = this.insert(key, value.end - value.start);
    this.setValue(slot, value);
    this.setColumns(slot, encoding, undefined);
    if (this.keyspace.isHeard) this.keyspace.happened(this, key, keyEvents.new);
    if (encoding >= Encoding.packedList) this.keyspace.created(this, key, encoding);
    return slot;
  }

  /** Adds a key, known to be absent, with a big value. */
  createBig(key: View, encoding: Encoding, object: BigValue): Slot {
    const slot = this.insert(key, 0);
    this.setColumns(slot, encoding, object);
    if (this.keyspace.isHeard) this.keyspace.happened(this, key, keyEvents.new);
    if (encoding >= Encoding.packedList) this.keyspace.created(this, key, encoding);
    return slot;
  }

  /** Gives an existing key another value of packed or string encoding; the deadline stays. */
  replace(slot: Slot, encoding: Encoding, value: View): void {
    this.end(slot);
    this.setValue(slot, value);
    this.dropObject(slot);
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ENCODING] = encoding;
  }

  /** Gives an existing key a big value; the deadline stays. */
  replaceBig(slot: Slot, encoding: Encoding, object: BigValue): void {
    this.end(slot);
    this.resizeValue(slot, 0);
    this.dropObject(slot);
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ENCODING] = encoding;
    this.holdObject(slot, object);
  }

  /** Changes the encoding byte of a value whose bytes stay or were changed in place. */
  setEncoding(slot: Slot, encoding: Encoding): void {
    this.keyspace.mutations++;
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ENCODING] = encoding;
  }

  /** Deletes the key in `slot`. Slots found earlier are void. A big value is freed piecemeal, later. */
  delete(slot: Slot): void {
    this.keyspace.mutations++;
    if (this.observer !== undefined) {
      // Before any column changes; Dictionary.remove asks again, which costs nothing by then.
      this.observer.beforeChange(slot);
      this.observer.beforeChange(this.size - 1);
    }
    this.end(slot);
    this.dropObject(slot);
    if (this.deadlines.size > 0) this.deadlines.delete(slot);
    this.remove(slot);
  }

  /** Deletes `key`; whether it was there. */
  deleteKey(key: View): boolean {
    const slot = this.find(key);
    if (slot === ABSENT) return false;
    this.delete(slot);
    return true;
  }

  /** Takes the big value out of `slot` (RENAME, MOVE): the caller places it elsewhere and deletes the key. */
  detachObject(slot: Slot): BigValue {
    this.keyspace.mutations++;
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    const page = this.objects[slot >>> PAGE_BITS];
    const object = page[slot & PAGE_MASK]!;
    page[slot & PAGE_MASK] = undefined;
    this.slab.track(-object.objectBytes);
    return object;
  }

  /**
   * Notes that a command changed `key`: for WATCH, for the count of changes since the last snapshot, and for
   * who listens.
   *
   * @param event what happened, or undefined where Redis tells nobody
   */
  changed(key: View, event: KeyEvent | undefined): void {
    this.keyspace.changed(this, key, event);
  }

  /**
   * {@link changed} for what takes something away from a value: the key may have gone with the last of it.
   */
  shrunk(key: View, event: KeyEvent): void {
    this.keyspace.changed(this, key, event);
    if (this.keyspace.isHeard && this.findBytes(key.buffer, key.start, key.end) === ABSENT)
      this.keyspace.happened(this, key, keyEvents.del);
  }

  /** A further event of a change that {@link changed} has told, or of none. */
  happened(key: View, event: KeyEvent): void {
    this.keyspace.happened(this, key, event);
  }

  // ---- time ----

  /** Absolute deadline in milliseconds since the epoch, 0 for none. */
  deadline(slot: Slot): number {
    return this.deadlines.size === 0 ? 0 : this.deadlines.get(slot);
  }

  /** Sets the deadline, or clears it with 0. */
  setDeadline(slot: Slot, deadlineMs: number): void {
    this.keyspace.mutations++;
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    this.deadlines.set(slot, deadlineMs);
  }

  /** Whether the key's deadline has passed in logged time. */
  isDue(slot: Slot): boolean {
    const deadline = this.deadline(slot);
    return deadline !== 0 && deadline <= this.keyspace.now;
  }

  get expiringCount(): number {
    return this.deadlines.size;
  }

  /**
   * Deletes a key whose deadline has passed. A step of its own, whatever becomes of the command that met the
   * key.
   */
  expire(slot: Slot): void {
    const { mutations } = this.keyspace;
    this.keyspace.statistics.expiredKeys++;
    const key = this.key(slot, keyScratch);
    this.changed(key, keyEvents.expired);
    this.delete(slot);
    this.keyspace.mutations = mutations;
  }

  // ---- access times, outside the state ----

  touch(slot: Slot): void {
    if (this.keyspace.untouched) return;
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ACCESS] = this.keyspace.accessClock(
      this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ACCESS],
    );
  }

  accessClock(slot: Slot): number {
    return this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ACCESS];
  }

  setAccessClock(slot: Slot, clock: number): void {
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ACCESS] = clock;
  }

  idleSeconds(slot: Slot): number {
    return Math.max(0, this.keyspace.clockSeconds - this.accessClock(slot));
  }

  /** The LFU counter as OBJECT FREQ gives it: what time has left of it. */
  accessFrequency(slot: Slot): number {
    return this.keyspace.frequencyOf(this.accessClock(slot));
  }

  // ---- memory ----

  /** Bytes that one key and its value take, its share of the index included. */
  slotBytes(slot: Slot): number {
    const object = this.keyspace.types.isBig(this.encoding(slot)) ? this.object(slot).memoryBytes : 0;
    return this.recordBytes(slot) + object + 20 + (this.deadline(slot) === 0 ? 0 : 16);
  }

  /** Empties the database in one step; memory is given back piecemeal. */
  clear(): Database {
    const fresh = new Database(this.keyspace, this.id);
    fresh.flushedAt = this.keyspace.position;
    return fresh;
  }

  /** Frees what at most `limit` keys of a database that was cleared hold; whether all is gone. */
  disposeKeys(limit: number): boolean {
    for (let i = 0; i < limit && this.size > 0; i++) {
      const slot = this.size - 1;
      this.dropObject(slot);
      this.dispose(1);
    }
    if (this.size > 0) return false;
    this.deadlines.dispose();
    return true;
  }

  /** Sets the columns of a key that is being restored. */
  restoreColumns(slot: Slot, encoding: Encoding, object: BigValue | undefined, deadlineMs: number): void {
    this.setColumns(slot, encoding, object);
    if (deadlineMs !== 0) this.deadlines.set(slot, deadlineMs);
  }

  private setColumns(slot: Slot, encoding: Encoding, object: BigValue | undefined): void {
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ENCODING] = encoding;
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << SLOT_SHIFT) + ACCESS] =
      this.keyspace.freshAccessClock();
    if (object !== undefined) this.holdObject(slot, object);
  }

  /**
   * {@link putObject} for a value that comes from outside; {@link detachObject} and dropObject are its
   * counterparts.
   */
  private holdObject(slot: Slot, object: BigValue): void {
    this.slab.track(object.objectBytes);
    this.putObject(slot, object);
  }

  private putObject(slot: Slot, object: BigValue): void {
    const page = slot >>> PAGE_BITS;
    this.objects[page] ??= new Array(this.pages[page].length >> SLOT_SHIFT);
    this.objects[page][slot & PAGE_MASK] = object;
  }

  /** A value goes, while clients wait for keys. */
  private end(slot: Slot): void {
    if (this.keyspace.creationListener !== undefined)
      this.keyspace.ended(this, this.key(slot, endedKey), this.encoding(slot));
  }

  private dropObject(slot: Slot): void {
    if (!this.keyspace.types.isBig(this.encoding(slot))) return;
    const page = this.objects[slot >>> PAGE_BITS];
    const object = page[slot & PAGE_MASK];
    page[slot & PAGE_MASK] = undefined;
    if (object === undefined) return;
    this.slab.track(-object.objectBytes);
    this.keyspace.discard(object);
  }

  protected override move(from: Slot, to: Slot): void {
    const encoding = this.encoding(from);
    this.pages[to >>> PAGE_BITS][((to & PAGE_MASK) << SLOT_SHIFT) + ENCODING] = encoding;
    this.pages[to >>> PAGE_BITS][((to & PAGE_MASK) << SLOT_SHIFT) + ACCESS] =
      this.pages[from >>> PAGE_BITS][((from & PAGE_MASK) << SLOT_SHIFT) + ACCESS];
    if (this.keyspace.types.isBig(encoding)) {
      const page = this.objects[from >>> PAGE_BITS];
      this.putObject(to, page[from & PAGE_MASK]!);
      page[from & PAGE_MASK] = undefined;
    }
    if (this.deadlines.size > 0) this.deadlines.move(from, to);
  }

  protected override removePage(page: number): void {
    this.deadlines.dropPlaces(page);
    if (this.objects.length > page) this.objects.length = page;
  }
}

/** The encoding that Redis gives a string stored whole. */
function stringEncoding(value: View): Encoding {
  const length = value.end - value.start;
  // Digits and the minus sign lie below the letters: most texts are no integer by their first byte.
  if (
    length <= int64TextLengthMax &&
    value.buffer[value.start] < 0x3a &&
    parseInt64Bytes(value.buffer, value.start, length) !== undefined
  )
    return Encoding.int;
  return length <= EMBEDDED_STRING_BYTES ? Encoding.embstr : Encoding.raw;
}
