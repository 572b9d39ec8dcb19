/**
 * Sets: an intset while all members are integers, a listpack while there are few and short ones, else a
 * {@link Table}; one way.
 *
 * Redis 7.0 has no listpack sets: what is one here reports as `hashtable` too. Functions take the slot of a
 * key that is known to hold a set; it stays good across them, whatever the value turns into.
 */

import type { Walk } from '../commands/sampling.js';
import { type Int64, parseInt64Bytes } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import {
  insertIntset,
  intsetCount,
  intsetElement,
  intsetHeaderSize,
  intsetSizeWith,
  removeFromIntset,
  searchIntset,
  writeEmptyIntset,
} from './intset.js';
import {
  listpackAfter,
  listpackCount,
  listpackElementSize,
  listpackEmptySize,
  listpackFind,
  listpackFirst,
  listpackInteger,
  listpackIsInteger,
  listpackSeek,
  listpackSizeOfBytes,
  listpackSizeOfInteger,
  writeEmptyListpack,
  writeListpackBytes,
  writeListpackInteger,
} from './listpack.js';
import {
  Digits,
  listpackReply,
  listpackView,
  type PackedPlace,
  PackedScratch,
  PackedSlot,
  spliceListpack,
} from './packed.js';
import { Table, type TableHome } from './table.js';

/** A set of strings is a listpack up to so many members ... */
const PACKED_MEMBERS_MAX = 128;
/** ... and bytes in all. */
const PACKED_BYTES_MAX = 8192;
/** Redis holds the setting below this, so that an intset stays below 16 GiB. */
const INTSET_MEMBERS_MAX = 1 << 30;

type SetEncoding = typeof Encoding.intset | typeof Encoding.packedSet | typeof Encoding.setTable;

const packed = new View();
const packedSlot = new PackedSlot();
const conversion = new PackedScratch();

/** The slot of the set at `key`, or ABSENT. Throws WRONGTYPE. */
export function findSet(database: ReadableDatabase, key: View): Slot {
  const slot = database.lookup(key);
  if (slot !== ABSENT) checkSet(database, slot);
  return slot;
}

/** Throws WRONGTYPE when the key in `slot` holds no set. */
export function checkSet(database: ReadableDatabase, slot: Slot): void {
  const encoding = database.encoding(slot);
  if (encoding < Encoding.intset || encoding > Encoding.setTable) throw errors.wrongType;
}

/** Number of members. */
export function setLength(database: ReadableDatabase, slot: Slot): number {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.setTable) return (database.object(slot) as Table).size;
  database.value(slot, packed);
  return packedLength(encoding, packed.buffer, packed.start);
}

function packedLength(encoding: Encoding, buffer: Buffer, start: number): number {
  return encoding === Encoding.intset ? intsetCount(buffer, start) : listpackCount(buffer, start);
}

/** Whether `member` belongs to the set. */
export function setHas(database: ReadableDatabase, slot: Slot, member: View): boolean {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.setTable) return (database.object(slot) as Table).has(member);
  return findPacked(encoding, database.value(slot, packed), member) >= 0;
}

/** Whether an integer belongs to the set, which is an intset. */
export function intsetHas(database: ReadableDatabase, slot: Slot, integer: Int64): boolean {
  database.value(slot, packed);
  return searchIntset(packed.buffer, packed.start, integer) >= 0;
}

/** Index in an intset, position in a listpack; negative when absent. */
function findPacked(encoding: Encoding, bytes: View, member: View): number {
  const { buffer, start } = bytes;
  const length = member.end - member.start;
  if (encoding === Encoding.intset) {
    const integer = parseInt64Bytes(member.buffer, member.start, length);
    return integer === undefined ? -1 : searchIntset(buffer, start, integer);
  }
  return listpackFind(buffer, listpackFirst(buffer, start), 0, member.buffer, member.start, length);
}

// ---- adding ----

/** What became of a member, or what the value must become before it takes the member. */
const Outcome = { present: 0, added: 1, needsListpack: 2, needsTable: 3 } as const;
type Outcome = (typeof Outcome)[keyof typeof Outcome];

function addPacked(place: PackedPlace, encoding: Encoding, member: View, settings: Settings): Outcome {
  const length = member.end - member.start;
  if (encoding === Encoding.intset) {
    const count = intsetCount(place.buffer, place.start);
    const integer = parseInt64Bytes(member.buffer, member.start, length);
    if (integer !== undefined) {
      const index = searchIntset(place.buffer, place.start, integer);
      if (index >= 0) return Outcome.present;
      if (count < Math.min(settings['set-max-intset-entries'], INTSET_MEMBERS_MAX)) {
        place.resize(intsetSizeWith(place.buffer, place.start, integer));
        insertIntset(place.buffer, place.start, -1 - index, integer);
        return Outcome.added;
      }
    }
    // An integer takes at most 11 bytes in a listpack.
    return count < PACKED_MEMBERS_MAX && count * 11 + length <= PACKED_BYTES_MAX
      ? Outcome.needsListpack
      : Outcome.needsTable;
  }
  const { buffer, start } = place;
  if (listpackFind(buffer, listpackFirst(buffer, start), 0, member.buffer, member.start, length) >= 0)
    return Outcome.present;
  if (place.length + length > PACKED_BYTES_MAX || listpackCount(buffer, start) >= PACKED_MEMBERS_MAX)
    return Outcome.needsTable;
  const size = listpackSizeOfBytes(member.buffer, member.start, length);
  const room = spliceListpack(place, place.length - 1, 0, size, 1);
  writeListpackBytes(place.buffer, room, member.buffer, member.start, length);
  return Outcome.added;
}

function startListpack(place: PackedScratch): void {
  place.clear();
  place.resize(listpackEmptySize);
  writeEmptyListpack(place.buffer, 0);
}

/** Writes an intset's members to `target` as a listpack. */
function listpackOf(intset: PackedPlace, target: PackedScratch): void {
  startListpack(target);
  const count = intsetCount(intset.buffer, intset.start);
  for (let index = 0; index < count; index++) {
    const integer = intsetElement(intset.buffer, intset.start, index);
    const room = spliceListpack(target, target.length - 1, 0, listpackSizeOfInteger(integer), 1);
    writeListpackInteger(target.buffer, room, integer);
  }
}

const memberView = new View();
const memberDigits = new Digits();

function tableOf(place: PackedPlace, encoding: Encoding, home: TableHome): Table {
  const table = new Table(home);
  const { buffer, start } = place;
  const count = packedLength(encoding, buffer, start);
  if (encoding === Encoding.intset) {
    for (let index = 0; index < count; index++)
      table.add(memberDigits.of(intsetElement(buffer, start, index)));
    return table;
  }
  let at = listpackFirst(buffer, start);
  for (let index = 0; index < count; index++) {
    table.add(listpackView(buffer, at, memberView, memberDigits));
    at = listpackAfter(buffer, at);
  }
  return table;
}

/** Adds a member; whether it is new. */
export function setAdd(database: Database, slot: Slot, member: View): boolean {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.setTable) return (database.objectForWrite(slot) as Table).add(member);
  const place = packedSlot.open(database, slot);
  const outcome = addPacked(place, encoding, member, database.keyspace.settings);
  if (outcome <= Outcome.added) return outcome === Outcome.added;
  if (outcome === Outcome.needsTable) {
    const table = tableOf(place, encoding, database.keyspace);
    database.replaceBig(slot, Encoding.setTable, table);
    return table.add(member);
  }
  listpackOf(place, conversion);
  database.replace(slot, Encoding.packedSet, conversion.view());
  return setAdd(database, slot, member);
}

// ---- removing ----

/** Removes a member; whether it was there. The caller deletes the key of a set that is left empty. */
export function setRemove(database: Database, slot: Slot, member: View): boolean {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.setTable) return (database.objectForWrite(slot) as Table).remove(member);
  const found = findPacked(encoding, database.value(slot, packed), member);
  if (found < 0) return false;
  removePacked(
    packedSlot.open(database, slot),
    encoding,
    encoding === Encoding.intset ? found : found - packed.start,
  );
  return true;
}

/** Removes by index in an intset, by offset in a listpack. */
function removePacked(place: PackedPlace, encoding: Encoding, at: number): void {
  if (encoding === Encoding.intset) {
    place.resize(removeFromIntset(place.buffer, place.start, at));
    return;
  }
  spliceListpack(place, at, listpackElementSize(place.buffer, place.start + at), 0, -1);
}

/**
 * Removes the member at an index of the set's order, which must be inside, and returns it: O(1) in a table.
 */
export function setTake(database: Database, slot: Slot, index: number): string | Buffer {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.setTable) {
    const table = database.objectForWrite(slot) as Table;
    const member = table.entries.key(index, memberView).kept();
    table.removeAt(index);
    return member;
  }
  const place = packedSlot.open(database, slot);
  const { buffer, start } = place;
  if (encoding === Encoding.intset) {
    const member = `${intsetElement(buffer, start, index)}`;
    removePacked(place, encoding, index);
    return member;
  }
  const at = listpackSeek(buffer, start, index);
  const reply = listpackReply(buffer, at, memberView);
  const member = typeof reply === 'string' ? reply : reply.kept();
  removePacked(place, encoding, at - start);
  return member;
}

// ---- walking ----

/** Walks a set that does not change meanwhile, in its order. */
export class SetReader implements Walk {
  private encoding: Encoding = Encoding.intset;
  private table: Table | undefined;
  private buffer!: Buffer;
  private start = 0;
  private count = 0;
  private index = -1;
  /** Position of the member in the listpack. */
  private at = 0;
  private readonly bytes = new View();
  private readonly digits = new Digits();

  /** Stands before the first member. */
  open(database: ReadableDatabase, slot: Slot): this {
    const encoding = database.encoding(slot);
    if (encoding === Encoding.setTable) return this.openTable(database.object(slot) as Table);
    database.value(slot, packed);
    return this.openPacked(encoding, packed.buffer, packed.start);
  }

  /** {@link open} for a table that no key has. */
  openTable(table: Table): this {
    this.encoding = Encoding.setTable;
    this.table = table;
    this.count = table.size;
    this.index = -1;
    return this;
  }

  /** {@link open} for packed bytes that no key has. */
  openPacked(encoding: Encoding, buffer: Buffer, start: number): this {
    this.encoding = encoding;
    this.table = undefined;
    this.buffer = buffer;
    this.start = start;
    this.count = packedLength(encoding, buffer, start);
    this.index = -1;
    return this;
  }

  get isDirect(): boolean {
    return this.encoding !== Encoding.packedSet;
  }

  /** Goes to the next member; false behind the last. */
  next(): boolean {
    if (++this.index >= this.count) return false;
    if (this.encoding === Encoding.packedSet) {
      this.at =
        this.index === 0 ? listpackFirst(this.buffer, this.start) : listpackAfter(this.buffer, this.at);
    }
    return true;
  }

  /** Goes to the member at an index, which must be inside: O(1), but for a walk in a listpack. */
  seek(index: number): this {
    this.index = index;
    if (this.encoding === Encoding.packedSet) this.at = listpackSeek(this.buffer, this.start, index);
    return this;
  }

  /** The member where it is held as an integer, else undefined. */
  integer(): Int64 | undefined {
    if (this.encoding === Encoding.intset) return intsetElement(this.buffer, this.start, this.index);
    if (this.encoding === Encoding.packedSet && listpackIsInteger(this.buffer, this.at))
      return listpackInteger(this.buffer, this.at);
    return undefined;
  }

  /** The member's bytes, valid until the reader moves. */
  member(): View {
    if (this.table !== undefined) return this.table.entries.key(this.index, this.bytes);
    if (this.encoding === Encoding.intset)
      return this.digits.of(intsetElement(this.buffer, this.start, this.index));
    return listpackView(this.buffer, this.at, this.bytes, this.digits);
  }

  /** The member as a reply, which outlasts the reader's moves. */
  reply(): View | string {
    if (this.table !== undefined) return this.table.entries.key(this.index, new View());
    if (this.encoding === Encoding.intset) return `${intsetElement(this.buffer, this.start, this.index)}`;
    return listpackReply(this.buffer, this.at, new View());
  }

  /** The member for a reply that outlasts the set. */
  kept(): string | Buffer {
    const reply = this.reply();
    return typeof reply === 'string' ? reply : reply.kept();
  }

  /** The member as a flat string. */
  text(): string {
    const reply = this.reply();
    return typeof reply === 'string' ? reply : reply.latin1();
  }
}

// ---- building ----

/** Puts a new set together, away from any key. One builder serves many sets, one at a time. */
export class SetBuilder {
  private readonly place = new PackedScratch();
  private encoding: SetEncoding = Encoding.intset;
  private table: Table | undefined;
  private readonly reader = new SetReader();

  /** Starts an empty set: an intset, as Redis's results of set operations are at first. */
  start(): this {
    this.encoding = Encoding.intset;
    this.table = undefined;
    this.place.clear();
    this.place.resize(intsetHeaderSize);
    writeEmptyIntset(this.place.buffer, 0);
    return this;
  }

  get size(): number {
    return this.table?.size ?? packedLength(this.encoding, this.place.buffer, 0);
  }

  /** Adds a member; whether it is new. */
  add(member: View, home: TableHome & { readonly settings: Settings }): boolean {
    if (this.table !== undefined) return this.table.add(member);
    const outcome = addPacked(this.place, this.encoding, member, home.settings);
    if (outcome <= Outcome.added) return outcome === Outcome.added;
    if (outcome === Outcome.needsTable) {
      this.table = tableOf(this.place, this.encoding, home);
      this.encoding = Encoding.setTable;
    } else {
      listpackOf(this.place, conversion);
      this.place.resize(conversion.length);
      conversion.buffer.copy(this.place.buffer, 0, 0, conversion.length);
      this.encoding = Encoding.packedSet;
    }
    return this.add(member, home);
  }

  /** Removes a member; whether it was there. */
  remove(member: View): boolean {
    if (this.table !== undefined) return this.table.remove(member);
    const at = findPacked(this.encoding, this.place.view(), member);
    if (at < 0) return false;
    removePacked(this.place, this.encoding, at);
    return true;
  }

  /** Appends the members to `replies`, as strings, and gives the set up. */
  takeTexts(replies: string[]): void {
    const reader =
      this.table === undefined
        ? this.reader.openPacked(this.encoding, this.place.buffer, 0)
        : this.reader.openTable(this.table);
    while (reader.next()) replies.push(reader.text());
    this.table?.dispose(Number.POSITIVE_INFINITY);
    this.table = undefined;
  }

  /** Adds the set, not empty, at a key that is known to be absent. */
  create(database: Database, key: View): Slot {
    const table = this.table;
    this.table = undefined;
    return table === undefined
      ? database.create(key, this.encoding, this.place.view())
      : database.createBig(key, Encoding.setTable, table);
  }

  /**
   * Stores the set at `key` in place of whatever was there, without a deadline; an empty set deletes the key.
   * Notes the change.
   *
   * @param event told unless the key is deleted
   * @returns the number of members
   */
  store(database: Database, key: View, event: KeyEvent): number {
    const size = this.size;
    const slot = database.find(key);
    const table = this.table;
    this.table = undefined;
    if (size === 0) {
      table?.dispose(Number.POSITIVE_INFINITY);
      if (slot === ABSENT) return 0;
      database.delete(slot);
    } else if (slot === ABSENT) {
      this.table = table;
      this.create(database, key);
    } else {
      if (table === undefined) database.replace(slot, this.encoding, this.place.view());
      else database.replaceBig(slot, Encoding.setTable, table);
      if (database.deadline(slot) !== 0) database.setDeadline(slot, 0);
    }
    database.changed(key, size === 0 ? keyEvents.del : event);
    return size;
  }
}
