/**
 * Lists as commands see them. A small one is a listpack in its key's record; from {@link PACKED_LIST_BYTES}
 * on it is a {@link Quicklist}, and stays one for as long as the key lives. Both are "quicklist" to OBJECT
 * ENCODING.
 */

import { errors } from '../protocol/errors.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import type { ListCursor } from './list-cursor.js';
import {
  listpackCount,
  listpackElementSize,
  listpackEmptySize,
  listpackEnd,
  listpackEquals,
  listpackFind,
  listpackFirst,
  listpackHeaderSize,
  listpackLast,
  listpackPrevious,
  listpackSeek,
  listpackSize,
  listpackSizeOfBytes,
  resizeListpack,
  writeEmptyListpack,
  writeListpackBytes,
} from './listpack.js';
import { Quicklist } from './quicklist.js';

/** The most bytes of a packed list. */
export const PACKED_LIST_BYTES = 2048;

const packed = new View();
const empty = new View(Buffer.alloc(listpackEmptySize), 0, listpackEmptySize);
writeEmptyListpack(empty.buffer, 0);

const isPacked = (database: ReadableDatabase, slot: Slot): boolean =>
  database.encoding(slot) === Encoding.packedList;

const bigForWrite = (database: Database, slot: Slot): Quicklist => database.objectForWrite(slot) as Quicklist;

/** The slot of the list at `key`, or ABSENT. Counts as an access. Throws WRONGTYPE. */
export function lookupList(database: ReadableDatabase, key: View): Slot {
  const slot = database.lookup(key);
  if (slot !== ABSENT) checkList(database, slot);
  return slot;
}

/** Throws WRONGTYPE when `slot` holds no list. */
export function checkList(database: ReadableDatabase, slot: Slot): void {
  const encoding = database.encoding(slot);
  if (encoding !== Encoding.packedList && encoding !== Encoding.quicklist) throw errors.wrongType;
}

export function listLength(database: ReadableDatabase, slot: Slot): number {
  if (!isPacked(database, slot)) return (database.object(slot) as Quicklist).length;
  database.value(slot, packed);
  return listpackCount(packed.buffer, packed.start);
}

/** Points `cursor` at element `index` (from 0), which must exist. */
export function seekElement(database: ReadableDatabase, slot: Slot, index: number, cursor: ListCursor): void {
  if (!isPacked(database, slot)) {
    (database.object(slot) as Quicklist).seek(index, cursor);
    return;
  }
  database.value(slot, packed);
  cursor.list = undefined;
  cursor.chunkIndex = 0;
  cursor.element = index;
  cursor.buffer = packed.buffer;
  cursor.start = packed.start;
  cursor.at = listpackSeek(packed.buffer, packed.start, index);
}

// ---- growing ----

/**
 * Puts the request's arguments from `first` on at one end, one after the other; creates the list when `slot`
 * is ABSENT. Returns its length.
 */
export function pushArguments(
  database: Database,
  key: View,
  slot: Slot,
  atHead: boolean,
  request: Request,
  first: number,
): number {
  const buffer = request.buffer;
  let size = 0;
  for (let i = first; i < request.count; i++)
    size += listpackSizeOfBytes(buffer, request.offsets[i << 1], request.length(i));
  const target = makeRoom(database, key, slot, size);
  if (!isPacked(database, target)) {
    const list = bigForWrite(database, target);
    for (let i = first; i < request.count; i++)
      list.push(atHead, buffer, request.offsets[i << 1], request.length(i));
    return list.length;
  }
  let at = openGap(database, target, atHead ? listpackHeaderSize : -1, size, request.count - first);
  for (let i = first; i < request.count; i++) {
    const argument = atHead ? request.count - 1 - (i - first) : i;
    at += writeListpackBytes(
      packed.buffer,
      at,
      buffer,
      request.offsets[argument << 1],
      request.length(argument),
    );
  }
  return listpackCount(packed.buffer, packed.start);
}

/**
 * Puts an element, whose bytes must not lie in the slab, at one end; creates the list when `slot` is ABSENT.
 */
export function pushElement(database: Database, key: View, slot: Slot, atHead: boolean, element: View): void {
  const length = element.end - element.start;
  const size = listpackSizeOfBytes(element.buffer, element.start, length);
  const target = makeRoom(database, key, slot, size);
  if (isPacked(database, target)) {
    const at = openGap(database, target, atHead ? listpackHeaderSize : -1, size, 1);
    writeListpackBytes(packed.buffer, at, element.buffer, element.start, length);
  } else {
    bigForWrite(database, target).push(atHead, element.buffer, element.start, length);
  }
}

/** Adds a key, known to be absent, that holds a list of no elements yet: the caller pushes some at once. */
export function createList(database: Database, key: View, willBeBig: boolean): Slot {
  return willBeBig
    ? database.createBig(key, Encoding.quicklist, new Quicklist(database.slab))
    : database.create(key, Encoding.packedList, empty);
}

/**
 * Puts a list of no elements yet in place of whatever a key holds, without a deadline: the caller pushes some
 * at once.
 */
export function replaceByList(database: Database, slot: Slot): Slot {
  database.replace(slot, Encoding.packedList, empty);
  if (database.deadline(slot) !== 0) database.setDeadline(slot, 0);
  return slot;
}

/**
 * The slot of the list, created if absent and turned into its big form if `size` more bytes of elements will
 * not go into the packed one.
 */
function makeRoom(database: Database, key: View, slot: Slot, size: number): Slot {
  if (slot === ABSENT) return createList(database, key, listpackEmptySize + size > PACKED_LIST_BYTES);
  if (isPacked(database, slot) && database.valueLength(slot) + size > PACKED_LIST_BYTES) {
    database.value(slot, packed);
    const list = Quicklist.fromListpack(database.slab, packed.buffer, packed.start);
    database.replaceBig(slot, Encoding.quicklist, list);
  }
  return slot;
}

/**
 * Opens a gap for elements in a packed list, `offset` from its start (-1: its end). Leaves `packed` on it;
 * returns where the gap lies.
 */
function openGap(database: Database, slot: Slot, offset: number, size: number, count: number): number {
  const length = database.valueLength(slot);
  database.resizeValue(slot, length + size);
  database.valueForWrite(slot, packed);
  const at = packed.start + (offset < 0 ? length - 1 : offset);
  resizeListpack(packed.buffer, packed.start, at, 0, size, count);
  return at;
}

// ---- shrinking ----

/**
 * Removes `count` elements, at most as many as there are, from one end; deletes the key when none is left.
 */
export function removeFromEnd(database: Database, slot: Slot, atHead: boolean, count: number): void {
  if (count === 0) return;
  if (count >= listLength(database, slot)) {
    database.delete(slot);
    return;
  }
  if (!isPacked(database, slot)) {
    bigForWrite(database, slot).removeFromEnd(atHead, count);
    return;
  }
  const { buffer, start } = database.valueForWrite(slot, packed);
  const from = atHead ? start + listpackHeaderSize : listpackSeek(buffer, start, -count);
  const to = atHead ? listpackSeek(buffer, start, count) : listpackEnd(buffer, start);
  database.resizeValue(slot, resizeListpack(buffer, start, from, to - from, 0, -count));
}

/**
 * Removes up to `limit` elements that equal `element`, the first from the head or from the tail; deletes the
 * key when none is left.
 *
 * @returns how many were removed
 */
export function removeEqual(
  database: Database,
  slot: Slot,
  fromHead: boolean,
  limit: number,
  element: View,
): number {
  const length = element.end - element.start;
  let removed = 0;
  if (!isPacked(database, slot)) {
    removed = bigForWrite(database, slot).removeEqual(fromHead, limit, element.buffer, element.start, length);
  } else {
    const { buffer, start } = database.valueForWrite(slot, packed);
    let at = fromHead ? listpackFirst(buffer, start) : listpackLast(buffer, start);
    while (at >= 0 && removed < limit) {
      if (fromHead) at = listpackFind(buffer, at, 0, element.buffer, element.start, length);
      if (at < 0) break;
      if (fromHead || listpackEquals(buffer, at, element.buffer, element.start, length)) {
        resizeListpack(buffer, start, at, listpackElementSize(buffer, at), 0, -1);
        removed++;
      }
      if (!fromHead) at = listpackPrevious(buffer, start, at);
    }
    if (removed > 0) database.resizeValue(slot, listpackSize(buffer, start));
  }
  if (removed > 0 && listLength(database, slot) === 0) database.delete(slot);
  return removed;
}

// ---- the middle ----

/** Replaces element `index` (from 0), which must exist. */
export function setElement(database: Database, key: View, slot: Slot, index: number, element: View): void {
  const length = element.end - element.start;
  const size = listpackSizeOfBytes(element.buffer, element.start, length);
  if (isPacked(database, slot)) {
    const { buffer, start } = database.value(slot, packed);
    const at = listpackSeek(buffer, start, index) - start;
    const oldSize = listpackElementSize(buffer, start + at);
    if (size <= oldSize || makeRoomFor(database, key, slot, size - oldSize)) {
      const valueLength = database.valueLength(slot);
      if (size > oldSize) database.resizeValue(slot, valueLength + size - oldSize);
      database.valueForWrite(slot, packed);
      resizeListpack(packed.buffer, packed.start, packed.start + at, oldSize, size, 0);
      writeListpackBytes(packed.buffer, packed.start + at, element.buffer, element.start, length);
      if (size < oldSize) database.resizeValue(slot, valueLength + size - oldSize);
      return;
    }
  }
  bigForWrite(database, slot).set(index, element.buffer, element.start, length);
}

/** {@link makeRoom} in an existing list; whether it is (still) packed. */
function makeRoomFor(database: Database, key: View, slot: Slot, size: number): boolean {
  makeRoom(database, key, slot, size);
  return isPacked(database, slot);
}

/** Inserts `element` before or behind the one that `cursor` points at. */
export function insertElement(
  database: Database,
  key: View,
  slot: Slot,
  cursor: ListCursor,
  behind: boolean,
  element: View,
): void {
  const length = element.end - element.start;
  const size = listpackSizeOfBytes(element.buffer, element.start, length);
  if (cursor.list !== undefined) {
    bigForWrite(database, slot).insert(cursor, behind, element.buffer, element.start, length);
    return;
  }
  const offset = cursor.at - cursor.start + (behind ? listpackElementSize(cursor.buffer, cursor.at) : 0);
  if (makeRoomFor(database, key, slot, size)) {
    const at = openGap(database, slot, offset, size, 1);
    writeListpackBytes(packed.buffer, at, element.buffer, element.start, length);
    return;
  }
  // The packed list became the one chunk of the big one: the element kept its number.
  cursor.chunkIndex = 0;
  bigForWrite(database, slot).insert(cursor, behind, element.buffer, element.start, length);
}
