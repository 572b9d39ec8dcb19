/** From a key's value, in whatever layout, to the payload of DUMP. */

import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { HashReader, hashLength } from '../values/hash.js';
import { listLength, seekElement } from '../values/list.js';
import { ListCursor } from '../values/list-cursor.js';
import { SetReader, setLength } from '../values/set.js';
import { ZsetReader, zsetLength } from '../values/zset.js';
import { RdbType } from './rdb-types.js';
import { dumpList, dumpListpacks, dumpPacked, dumpSortedSet, dumpString, dumpTexts } from './rdb-writer.js';

const view = new View();

/** The payload of the value in `slot`, in the encoding that Redis would write it in. Throws when it is beyond all limits. */
export function dumpValue(database: ReadableDatabase, slot: Slot): Buffer {
  const encoding = database.encoding(slot);
  switch (encoding) {
    case Encoding.packedList: {
      const { buffer, start, end } = database.value(slot, view);
      return dumpListpacks([buffer.subarray(start, end)]);
    }
    case Encoding.quicklist:
      return dumpList(elements(database, slot));
    case Encoding.intset:
      return dumpBytes(RdbType.setIntset, database.value(slot, view));
    case Encoding.packedSet:
    case Encoding.setTable:
      return dumpTexts(RdbType.set, setLength(database, slot), members(database, slot));
    case Encoding.listpackHash:
      return dumpBytes(RdbType.hashListpack, database.value(slot, view));
    case Encoding.hashTable:
      return dumpTexts(RdbType.hash, 2 * hashLength(database, slot), fieldsAndValues(database, slot));
    case Encoding.listpackZset:
      return dumpBytes(RdbType.zsetListpack, database.value(slot, view));
    case Encoding.skiplist:
      return dumpSortedSet(zsetLength(database, slot), descending(database, slot));
    default: {
      const { buffer, start, length } = database.stringAt(slot, view);
      return dumpString(buffer, start, length);
    }
  }
}

function dumpBytes(type: number, bytes: View): Buffer {
  return dumpPacked(type, bytes.buffer, bytes.start, bytes.length);
}

function* elements(database: ReadableDatabase, slot: Slot): Generator<View | string> {
  const cursor = new ListCursor();
  seekElement(database, slot, 0, cursor);
  for (let left = listLength(database, slot); left > 0; left--) {
    yield cursor.view();
    if (left > 1) cursor.next();
  }
}

function* members(database: ReadableDatabase, slot: Slot): Generator<View> {
  const reader = new SetReader().open(database, slot);
  while (reader.next()) yield reader.member();
}

function* fieldsAndValues(database: ReadableDatabase, slot: Slot): Generator<View> {
  const reader = new HashReader().open(database, slot);
  while (reader.next()) {
    yield reader.field();
    yield reader.value();
  }
}

function* descending(database: ReadableDatabase, slot: Slot): Generator<readonly [View, number]> {
  let rank = zsetLength(database, slot) - 1;
  const reader = new ZsetReader().openRank(database, slot, rank);
  for (; rank >= 0; rank--) {
    yield [reader.member(), reader.score()];
    if (rank > 0) reader.step(true);
  }
}
