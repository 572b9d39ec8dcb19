/** Hashes. A hash that comes packed stays so by its count of fields alone, however long they are. */
import { hasDuplicate } from '../dump/duplicates.js';
import { corrupt, type RdbReader } from '../dump/rdb-reader.js';
import { RdbType } from '../dump/rdb-types.js';
import { dumpPacked, dumpTexts } from '../dump/rdb-writer.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { HashBuilder, HashReader, hashLength } from '../values/hash.js';
import { Table } from '../values/table.js';
import { fitsListpack, listpackOf, listpackSizeMax, longestText, TextView } from './loading.js';
import type { LoadedValue, ValueType } from './value-type.js';

export interface LoadedHash extends LoadedValue {
  readonly kind: 'hash';
  /** Field, value, field, value, ... in the payload's order. */
  readonly fieldsAndValues: readonly string[];
}

const view = new View();
const first = new TextView();
const second = new TextView();
const hashes = new HashBuilder();

function* fieldsAndValues(database: ReadableDatabase, slot: Slot): Generator<View> {
  const reader = new HashReader().open(database, slot);
  while (reader.next()) {
    yield reader.field();
    yield reader.value();
  }
}

function loadTexts(reader: RdbReader, rdbType: number): string[] {
  switch (rdbType) {
    case RdbType.hash:
      return reader.texts(2 * reader.count(2));
    case RdbType.hashZipmap:
      return reader.zipmap();
    case RdbType.hashZiplist:
      return reader.ziplist();
    default:
      return reader.listpack();
  }
}

export const hashType: ValueType<LoadedHash> = {
  name: 'hash',
  encodings: [
    { encoding: Encoding.listpackHash, name: 'listpack', isBig: false },
    { encoding: Encoding.packedHash, name: 'hashtable', isBig: false },
    { encoding: Encoding.hashTable, name: 'hashtable', isBig: true },
  ],
  awaited: undefined,
  digestNumber: 4,
  rdbTypes: [RdbType.hash, RdbType.hashZipmap, RdbType.hashZiplist, RdbType.hashListpack],

  restorer: (_encoding, keyspace, size) => Table.restorer(keyspace, size),

  dump(database, slot) {
    if (database.encoding(slot) !== Encoding.listpackHash)
      return dumpTexts(RdbType.hash, 2 * hashLength(database, slot), fieldsAndValues(database, slot));
    const { buffer, start, length } = database.value(slot, view);
    return dumpPacked(RdbType.hashListpack, buffer, start, length);
  },

  load(reader, rdbType) {
    const texts = loadTexts(reader, rdbType);
    if (texts.length === 0) corrupt('the hash is empty');
    if (texts.length % 2 !== 0) corrupt('a field lacks its value');
    if (hasDuplicate(texts, 2)) corrupt('a field stands twice');
    return { kind: 'hash', rdbType, fieldsAndValues: texts };
  },

  create(database, key, { fieldsAndValues: texts, rdbType }) {
    const { settings } = database.keyspace;
    const cameAsListpack = rdbType === RdbType.hashListpack || rdbType === RdbType.hashZiplist;
    if (
      texts.length / 2 <= settings['hash-max-listpack-entries'] &&
      (cameAsListpack || longestText(texts) <= settings['hash-max-listpack-value']) &&
      fitsListpack(texts, listpackSizeMax)
    ) {
      database.create(key, Encoding.listpackHash, listpackOf(texts));
      return;
    }
    hashes.start();
    for (let i = 0; i < texts.length; i += 2)
      hashes.put(first.of(texts[i]), second.of(texts[i + 1]), database.keyspace);
    hashes.create(database, key);
  },

  digest(into, database, slot) {
    const reader = new HashReader().open(database, slot);
    while (reader.next()) {
      into.addGroup((pair) => {
        pair.mix(reader.field());
        pair.mix(reader.value());
      });
    }
  },
};
