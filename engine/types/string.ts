/** Strings. */

import { RdbType } from '../dump/rdb-types.js';
import { dumpString } from '../dump/rdb-writer.js';
import { View } from '../protocol/view.js';
import { Encoding } from '../storage/encoding.js';
import { LargeString } from '../values/large-string.js';
import type { LoadedValue, ValueType } from './value-type.js';

export interface LoadedString extends LoadedValue {
  readonly kind: 'string';
  readonly bytes: Buffer;
}

const view = new View();

export const stringType: ValueType<LoadedString> = {
  name: 'string',
  encodings: [
    { encoding: Encoding.int, name: 'int', isBig: false },
    { encoding: Encoding.embstr, name: 'embstr', isBig: false },
    { encoding: Encoding.raw, name: 'raw', isBig: false },
    { encoding: Encoding.largeRaw, name: 'raw', isBig: true },
  ],
  awaited: undefined,
  digestNumber: 0,
  rdbTypes: [RdbType.string],

  restorer: (_encoding, keyspace, size) => LargeString.restorer(size, keyspace.slab),

  dump(database, slot) {
    const { buffer, start, length } = database.stringAt(slot, view);
    return dumpString(buffer, start, length);
  },

  load(reader, rdbType) {
    const { buffer, start, length } = reader.string();
    return { kind: 'string', rdbType, bytes: Buffer.from(buffer.subarray(start, start + length)) };
  },

  create(database, key, { bytes }) {
    database.setString(key, view.on(bytes, 0, bytes.length));
  },

  digest(into, database, slot) {
    into.mix(database.stringAt(slot, view));
  },
};
