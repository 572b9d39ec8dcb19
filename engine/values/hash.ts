/**
 * Hashes: fields and values in turn in a listpack while small, a {@link Table} beyond Redis's thresholds, one
 * way.
 *
 * Functions take the slot of a key that is known to hold a hash; it stays good across them, whether or not
 * the value turns into a table.
 */

import type { Walk } from '../commands/sampling.js';
import { errors } from '../protocol/errors.js';
import { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import {
  listpackAfter,
  listpackCount,
  listpackElementSize,
  listpackEmptySize,
  listpackFind,
  listpackFirst,
  listpackHeaderSize,
  listpackSeek,
  listpackSizeOfBytes,
  writeEmptyListpack,
  writeListpackBytes,
} from './listpack.js';
import {
  Digits,
  listpackReply,
  listpackView,
  type PackedPlace,
  PackedScratch,
  PackedSlot,
  spliceListpack,
  staysSmall,
} from './packed.js';
import { Table, type TableHome } from './table.js';

/** Beyond this no listpack grows, whatever the settings say (Redis's own safety limit). */
const LISTPACK_BYTES_MAX = 1 << 30;

const packed = new View();
const packedSlot = new PackedSlot();

/** The slot of the hash at `key`, or ABSENT. Throws WRONGTYPE. */
export function findHash(database: ReadableDatabase, key: View): Slot {
  const slot = database.lookup(key);
  if (slot !== ABSENT) {
    const encoding = database.encoding(slot);
    if (
      encoding !== Encoding.listpackHash &&
      encoding !== Encoding.hashTable &&
      encoding !== Encoding.packedHash
    )
      throw errors.wrongType;
  }
  return slot;
}

/** The hash's table, or undefined while it is packed. */
function tableAt(database: ReadableDatabase, slot: Slot): Table | undefined {
  return database.encoding(slot) === Encoding.hashTable ? (database.object(slot) as Table) : undefined;
}

/** Number of fields. */
export function hashLength(database: ReadableDatabase, slot: Slot): number {
  const table = tableAt(database, slot);
  if (table !== undefined) return table.size;
  database.value(slot, packed);
  return listpackCount(packed.buffer, packed.start) >>> 1;
}

function findField(bytes: View, field: View): number {
  const first = listpackFirst(bytes.buffer, bytes.start);
  return listpackFind(bytes.buffer, first, 1, field.buffer, field.start, field.end - field.start);
}

/**
 * The value of `field`: `into` pointed at its bytes, or the text of a packed integer; undefined when the
 * field is absent.
 */
export function hashGet(
  database: ReadableDatabase,
  slot: Slot,
  field: View,
  into: View,
): View | string | undefined {
  const table = tableAt(database, slot);
  if (table !== undefined) {
    const entry = table.entries.find(field);
    return entry === ABSENT ? undefined : table.entries.value(entry, into);
  }
  const at = findField(database.value(slot, packed), field);
  return at < 0 ? undefined : listpackReply(packed.buffer, listpackAfter(packed.buffer, at), into);
}

export function hashHas(database: ReadableDatabase, slot: Slot, field: View): boolean {
  const table = tableAt(database, slot);
  return table === undefined ? findField(database.value(slot, packed), field) >= 0 : table.has(field);
}

/** Whether a listpack may still take this pair; false: the hash must become a table first. */
function fitsPacked(place: PackedPlace, field: View, value: View, settings: Settings): boolean {
  const longest = settings['hash-max-listpack-value'];
  return (
    field.end - field.start <= longest &&
    value.end - value.start <= longest &&
    place.length + field.length + value.length < LISTPACK_BYTES_MAX
  );
}

/** Sets a field of a packed hash; whether it is new. */
function putPacked(place: PackedPlace, field: View, value: View): boolean {
  const { buffer, start } = place;
  const first = listpackFirst(buffer, start);
  const at = listpackFind(buffer, first, 1, field.buffer, field.start, field.end - field.start);
  const valueLength = value.end - value.start;
  const valueSize = listpackSizeOfBytes(value.buffer, value.start, valueLength);
  if (at >= 0) {
    const old = listpackAfter(buffer, at);
    const room = spliceListpack(place, old - start, listpackElementSize(buffer, old), valueSize, 0);
    writeListpackBytes(place.buffer, room, value.buffer, value.start, valueLength);
    return false;
  }
  const fieldSize = listpackSizeOfBytes(field.buffer, field.start, field.end - field.start);
  const room = spliceListpack(place, place.length - 1, 0, fieldSize + valueSize, 2);
  writeListpackBytes(place.buffer, room, field.buffer, field.start, field.end - field.start);
  writeListpackBytes(place.buffer, room + fieldSize, value.buffer, value.start, valueLength);
  return true;
}

function exceedsEntries(place: PackedPlace, settings: Settings): boolean {
  return listpackCount(place.buffer, place.start) >>> 1 > settings['hash-max-listpack-entries'];
}

const fieldView = new View();
const valueView = new View();
const fieldDigits = new Digits();
const valueDigits = new Digits();

function tableOf(place: PackedPlace, home: TableHome): Table {
  const table = new Table(home);
  const { buffer, start } = place;
  const end = start + place.length - 1;
  for (let at = start + listpackHeaderSize; at < end; ) {
    const valueAt = listpackAfter(buffer, at);
    table.put(
      listpackView(buffer, at, fieldView, fieldDigits),
      listpackView(buffer, valueAt, valueView, valueDigits),
    );
    at = listpackAfter(buffer, valueAt);
  }
  return table;
}

/** Sets a field; whether it is new. */
export function hashPut(database: Database, slot: Slot, field: View, value: View): boolean {
  const encoding = database.encoding(slot);
  if (encoding === Encoding.hashTable) return (database.objectForWrite(slot) as Table).put(field, value);
  const settings = database.keyspace.settings;
  const place = packedSlot.open(database, slot);
  if (encoding === Encoding.listpackHash && fitsPacked(place, field, value, settings)) {
    const isNew = putPacked(place, field, value);
    if (isNew && exceedsEntries(place, settings)) {
      if (staysSmall(place, 0, 0)) database.setEncoding(slot, Encoding.packedHash);
      else becomeTable(database, slot, place);
    }
    return isNew;
  }
  if (!staysSmall(place, 1, field.length + value.length))
    return becomeTable(database, slot, place).put(field, value);
  if (encoding === Encoding.listpackHash) database.setEncoding(slot, Encoding.packedHash);
  return putPacked(place, field, value);
}

function becomeTable(database: Database, slot: Slot, place: PackedPlace): Table {
  const table = tableOf(place, database.keyspace);
  database.replaceBig(slot, Encoding.hashTable, table);
  return table;
}

/** Removes a field; whether it was there. The caller deletes the key of a hash that is left empty. */
export function hashRemove(database: Database, slot: Slot, field: View): boolean {
  if (database.encoding(slot) === Encoding.hashTable)
    return (database.objectForWrite(slot) as Table).remove(field);
  const at = findField(database.value(slot, packed), field);
  if (at < 0) return false;
  const offset = at - packed.start;
  const size = listpackAfter(packed.buffer, listpackAfter(packed.buffer, at)) - at;
  spliceListpack(packedSlot.open(database, slot), offset, size, 0, -2);
  return true;
}

/** Puts a new hash together, away from any key. One builder serves many hashes, one at a time. */
export class HashBuilder {
  private readonly place = new PackedScratch();
  private table: Table | undefined;
  /** That of {@link place}. */
  private encoding: Encoding = Encoding.listpackHash;

  /** Starts an empty hash. */
  start(): this {
    this.place.clear();
    this.place.resize(listpackEmptySize);
    writeEmptyListpack(this.place.buffer, 0);
    this.encoding = Encoding.listpackHash;
    this.table = undefined;
    return this;
  }

  /** Sets a field; whether it is new. */
  put(field: View, value: View, home: TableHome & { readonly settings: Settings }): boolean {
    const { place } = this;
    if (this.table !== undefined) return this.table.put(field, value);
    if (this.encoding === Encoding.listpackHash && fitsPacked(place, field, value, home.settings)) {
      const isNew = putPacked(place, field, value);
      if (isNew && exceedsEntries(place, home.settings)) this.outgrow(0, 0, home);
      return isNew;
    }
    this.outgrow(1, field.length + value.length, home);
    return this.table === undefined ? putPacked(place, field, value) : this.put(field, value, home);
  }

  /** Leaves the form of a listpack, since the thresholds are passed or are about to be. */
  private outgrow(morePairs: number, bytes: number, home: TableHome): void {
    if (staysSmall(this.place, morePairs, bytes)) this.encoding = Encoding.packedHash;
    else this.table = tableOf(this.place, home);
  }

  /** Adds the hash, not empty, at a key that is known to be absent. */
  create(database: Database, key: View): Slot {
    const table = this.table;
    this.table = undefined;
    return table === undefined
      ? database.create(key, this.encoding, this.place.view())
      : database.createBig(key, Encoding.hashTable, table);
  }
}

/** Walks a hash that does not change meanwhile, in its order. */
export class HashReader implements Walk {
  private table: Table | undefined;
  private buffer!: Buffer;
  private start = 0;
  private end = 0;
  /** Slot, or position of the field in the listpack. */
  private at = 0;
  private valueAt = 0;
  private readonly fieldBytes = new View();
  private readonly valueBytes = new View();
  private readonly fieldDigits = new Digits();
  private readonly valueDigits = new Digits();

  /** Stands before the first field. */
  open(database: ReadableDatabase, slot: Slot): this {
    this.table = tableAt(database, slot);
    this.at = -1;
    if (this.table === undefined) {
      database.value(slot, packed);
      this.buffer = packed.buffer;
      this.start = packed.start;
      this.end = packed.end - 1;
    }
    return this;
  }

  get isDirect(): boolean {
    return this.table !== undefined;
  }

  /** Goes to the next field; false behind the last. */
  next(): boolean {
    if (this.table !== undefined) return ++this.at < this.table.size;
    this.at = this.at < 0 ? listpackFirst(this.buffer, this.start) : listpackAfter(this.buffer, this.valueAt);
    if (this.at < 0 || this.at >= this.end) return false;
    this.valueAt = listpackAfter(this.buffer, this.at);
    return true;
  }

  /** Goes to the field at an index, which must be inside: O(1) in a table, a walk in a listpack. */
  seek(index: number): this {
    this.at = index;
    if (this.table === undefined) {
      this.at = listpackSeek(this.buffer, this.start, index * 2);
      this.valueAt = listpackAfter(this.buffer, this.at);
    }
    return this;
  }

  /** The field's bytes, valid until the reader moves. */
  field(): View {
    return this.table === undefined
      ? listpackView(this.buffer, this.at, this.fieldBytes, this.fieldDigits)
      : this.table.entries.key(this.at, this.fieldBytes);
  }

  /** The value's bytes, valid until the reader moves. */
  value(): View {
    return this.table === undefined
      ? listpackView(this.buffer, this.valueAt, this.valueBytes, this.valueDigits)
      : this.table.entries.value(this.at, this.valueBytes);
  }

  /** The field as a reply, which outlasts the reader's moves. */
  fieldReply(): View | string {
    return this.table === undefined
      ? listpackReply(this.buffer, this.at, new View())
      : this.table.entries.key(this.at, new View());
  }

  /** The value as a reply, which outlasts the reader's moves. */
  valueReply(): View | string {
    return this.table === undefined
      ? listpackReply(this.buffer, this.valueAt, new View())
      : this.table.entries.value(this.at, new View());
  }
}
