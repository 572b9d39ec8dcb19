/**
 * From what a payload holds to a key's value. Encodings are those that redis-server 7.0 gives on loading: by the thresholds of the
 * server that restores; a hash or sorted set that comes packed stays so by its count of entries alone, however long its members are.
 */

import { View, writeLatin1 } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import { Encoding } from '../storage/encoding.js';
import { PACKED_LIST_BYTES } from '../values/list.js';
import { listpackEmptySize, listpackSizeOfText } from '../values/listpack.js';
import { ListpackBuilder } from '../values/listpack-builder.js';
import { PackedScratch } from '../values/packed.js';
import { appendPacked } from '../values/packed-zset.js';
import { Quicklist } from '../values/quicklist.js';
import { ScoredTable } from '../values/scored-table.js';
import { SetBuilder } from '../values/set.js';
import { Table } from '../values/table.js';
import type { DumpValue } from './rdb-reader.js';
import { RdbType } from './rdb-types.js';

/** No listpack is made longer than this, whatever the settings say. */
const listpackSizeMax = 1 << 29;
const scratchBytesKept = 1 << 20;

type Of<Kind extends DumpValue['kind']> = Extract<DumpValue, { kind: Kind }>;

/** A latin1 string's bytes as a view, valid until the next call. */
class TextView {
  private buffer = Buffer.allocUnsafeSlow(256);
  private readonly view = new View();

  of(text: string): View {
    const { length } = text;
    if (length > this.buffer.length || (this.buffer.length > scratchBytesKept && length <= scratchBytesKept))
      this.buffer = Buffer.allocUnsafeSlow(Math.max(length, 256));
    writeLatin1(text, this.buffer, 0);
    return this.view.on(this.buffer, 0, length);
  }
}

const first = new TextView();
const second = new TextView();
const sets = new SetBuilder();
const bytes = new View();

/** Adds `key`, known to be absent, with a value that {@link readDump} has read. */
export function createFromDump(database: Database, key: View, value: DumpValue): void {
  switch (value.kind) {
    case 'string':
      database.setString(key, bytes.on(value.bytes, 0, value.bytes.length));
      return;
    case 'list':
      createList(database, key, value.items);
      return;
    case 'set':
      sets.start();
      for (const member of value.members) sets.add(first.of(member), database.keyspace);
      sets.create(database, key);
      return;
    case 'hash':
      createHash(database, key, value);
      return;
    case 'zset':
      createZset(database, key, value);
  }
}

function createList(database: Database, key: View, items: readonly string[]): void {
  if (fits(items, PACKED_LIST_BYTES)) {
    database.create(key, Encoding.packedList, listpackOf(items));
    return;
  }
  const list = new Quicklist(database.slab);
  for (const item of items) {
    const element = first.of(item);
    list.push(false, element.buffer, element.start, element.length);
  }
  database.createBig(key, Encoding.quicklist, list);
}

function createHash(database: Database, key: View, value: Of<'hash'>): void {
  const { fieldsAndValues, rdbType } = value;
  const { settings } = database.keyspace;
  const cameAsListpack = rdbType === RdbType.hashListpack || rdbType === RdbType.hashZiplist;
  if (
    fieldsAndValues.length / 2 <= settings['hash-max-listpack-entries'] &&
    (cameAsListpack || longest(fieldsAndValues) <= settings['hash-max-listpack-value']) &&
    fits(fieldsAndValues, listpackSizeMax)
  ) {
    database.create(key, Encoding.listpackHash, listpackOf(fieldsAndValues));
    return;
  }
  const table = new Table(database.keyspace);
  for (let i = 0; i < fieldsAndValues.length; i += 2)
    table.put(first.of(fieldsAndValues[i]), second.of(fieldsAndValues[i + 1]));
  database.createBig(key, Encoding.hashTable, table);
}

function createZset(database: Database, key: View, value: Of<'zset'>): void {
  const { members, scores, rdbType } = value;
  const { settings } = database.keyspace;
  const cameAsListpack = rdbType === RdbType.zsetListpack || rdbType === RdbType.zsetZiplist;
  if (
    members.length <= settings['zset-max-listpack-entries'] &&
    (cameAsListpack || longest(members) <= settings['zset-max-listpack-value']) &&
    fits(members, listpackSizeMax)
  ) {
    const place = new PackedScratch();
    const empty = listpackOf([]);
    place.resize(empty.length);
    empty.buffer.copy(place.buffer, 0, empty.start, empty.end);
    for (let i = 0; i < members.length; i++) appendPacked(place, first.of(members[i]), scores[i]);
    database.create(key, Encoding.listpackZset, place.view());
    return;
  }
  const table = new ScoredTable(database.keyspace);
  for (let i = 0; i < members.length; i++) table.insert(first.of(members[i]), scores[i]);
  database.createBig(key, Encoding.skiplist, table);
}

/** Whether a listpack of these texts takes at most `size` bytes. */
function fits(texts: readonly string[], size: number): boolean {
  let total = listpackEmptySize;
  for (let i = 0; i < texts.length && total <= size; i++) total += listpackSizeOfText(texts[i]);
  return total <= size;
}

function longest(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) if (text.length > length) length = text.length;
  return length;
}

function listpackOf(texts: readonly string[]): View {
  const builder = new ListpackBuilder();
  for (const text of texts) builder.appendText(text);
  const listpack = builder.take();
  return bytes.on(listpack, 0, listpack.length);
}
