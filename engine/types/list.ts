/** Lists. */
import { corrupt, type RdbReader } from '../dump/rdb-reader.js';
import { QuicklistContainer, RdbType } from '../dump/rdb-types.js';
import { dumpList, dumpListpacks } from '../dump/rdb-writer.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { listLength, PACKED_LIST_BYTES, seekElement } from '../values/list.js';
import { ListCursor } from '../values/list-cursor.js';
import { Quicklist } from '../values/quicklist.js';
import { fitsListpack, listpackOf, TextView } from './loading.js';
import type { LoadedValue, ValueType } from './value-type.js';

export interface LoadedList extends LoadedValue {
  readonly kind: 'list';
  /** Latin1, as all texts of loaded values. */
  readonly items: readonly string[];
}

const view = new View();
const text = new TextView();

function* elements(database: ReadableDatabase, slot: Slot): Generator<View | string> {
  const cursor = new ListCursor();
  seekElement(database, slot, 0, cursor);
  for (let left = listLength(database, slot); left > 0; left--) {
    yield cursor.view();
    if (left > 1) cursor.next();
  }
}

function quicklistItems(reader: RdbReader, rdbType: number): string[] {
  const items: string[] = [];
  const append = (more: readonly string[]): void => {
    for (const item of more) items.push(item);
  };
  for (let nodes = reader.count(1); nodes > 0; nodes--) {
    if (rdbType === RdbType.listQuicklist) {
      append(reader.ziplist());
      continue;
    }
    const container = reader.length();
    if (container === QuicklistContainer.plain) items.push(reader.text());
    else if (container === QuicklistContainer.packed) append(reader.listpack());
    else corrupt('unknown kind of list node');
  }
  return items;
}

function loadItems(reader: RdbReader, rdbType: number): string[] {
  if (rdbType === RdbType.list) return reader.texts(reader.count(1));
  return rdbType === RdbType.listZiplist ? reader.ziplist() : quicklistItems(reader, rdbType);
}

export const listType: ValueType<LoadedList> = {
  name: 'list',
  encodings: [
    { encoding: Encoding.packedList, name: 'quicklist', isBig: false },
    { encoding: Encoding.quicklist, name: 'quicklist', isBig: true },
  ],
  awaited: 'taken',
  digestNumber: 1,
  rdbTypes: [RdbType.list, RdbType.listZiplist, RdbType.listQuicklist, RdbType.listQuicklist2],

  restorer: (_encoding, keyspace, size) => Quicklist.restorer(keyspace.slab, size),

  dump(database, slot) {
    if (database.encoding(slot) === Encoding.quicklist) return dumpList(elements(database, slot));
    const { buffer, start, end } = database.value(slot, view);
    return dumpListpacks([buffer.subarray(start, end)]);
  },

  load(reader, rdbType) {
    const items = loadItems(reader, rdbType);
    if (items.length === 0) corrupt('the list is empty');
    return { kind: 'list', rdbType, items };
  },

  create(database, key, { items }) {
    if (fitsListpack(items, PACKED_LIST_BYTES)) {
      database.create(key, Encoding.packedList, listpackOf(items));
      return;
    }
    const list = new Quicklist(database.slab);
    for (const item of items) {
      const element = text.of(item);
      list.push(false, element.buffer, element.start, element.length);
    }
    database.createBig(key, Encoding.quicklist, list);
  },

  digest(into, database, slot) {
    for (const element of elements(database, slot)) into.mix(element);
  },
};
