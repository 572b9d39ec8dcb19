/** Sets. */
import { hasDuplicate } from '../dump/duplicates.js';
import { corrupt, type RdbReader } from '../dump/rdb-reader.js';
import { RdbType } from '../dump/rdb-types.js';
import { dumpPacked, dumpTexts } from '../dump/rdb-writer.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { SetBuilder, SetReader, setLength } from '../values/set.js';
import { Table } from '../values/table.js';
import { TextView } from './loading.js';
import type { LoadedValue, ValueType } from './value-type.js';

export interface LoadedSet extends LoadedValue {
  readonly kind: 'set';
  readonly members: readonly string[];
}

const view = new View();
const text = new TextView();
const sets = new SetBuilder();

function* members(database: ReadableDatabase, slot: Slot): Generator<View> {
  const reader = new SetReader().open(database, slot);
  while (reader.next()) yield reader.member();
}

function loadTexts(reader: RdbReader, rdbType: number): string[] {
  if (rdbType === RdbType.set) return reader.texts(reader.count(1));
  return rdbType === RdbType.setIntset ? reader.intset() : reader.listpack();
}

export const setType: ValueType<LoadedSet> = {
  name: 'set',
  encodings: [
    { encoding: Encoding.intset, name: 'intset', isBig: false },
    { encoding: Encoding.packedSet, name: 'hashtable', isBig: false },
    { encoding: Encoding.setTable, name: 'hashtable', isBig: true },
  ],
  awaited: undefined,
  digestNumber: 2,
  rdbTypes: [RdbType.set, RdbType.setIntset, RdbType.setListpack],

  restorer: (_encoding, keyspace, size) => Table.restorer(keyspace, size),

  dump(database, slot) {
    if (database.encoding(slot) !== Encoding.intset)
      return dumpTexts(RdbType.set, setLength(database, slot), members(database, slot));
    const { buffer, start, length } = database.value(slot, view);
    return dumpPacked(RdbType.setIntset, buffer, start, length);
  },

  load(reader, rdbType) {
    const texts = loadTexts(reader, rdbType);
    if (texts.length === 0) corrupt('the set is empty');
    if (hasDuplicate(texts, 1)) corrupt('a member stands twice');
    return { kind: 'set', rdbType, members: texts };
  },

  create(database, key, value) {
    sets.start();
    for (const member of value.members) sets.add(text.of(member), database.keyspace);
    sets.create(database, key);
  },

  digest(into, database, slot) {
    for (const member of members(database, slot)) into.add(member);
  },
};
