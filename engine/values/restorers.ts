/** Which class puts a big value of an encoding together. */
import { Encoding } from '../encoding.js';
import type { Keyspace } from '../keyspace.js';
import type { ValueRestorer } from './big-value.js';
import { LargeString } from './large-string.js';
import { Table } from './table.js';

/** A restorer for a value of `size` elements or bytes (as its walk said). Throws for an encoding that has no big values. */
export function restorerFor(encoding: Encoding, keyspace: Keyspace, size: number): ValueRestorer {
  switch (encoding) {
    case Encoding.largeRaw:
      return LargeString.restorer(size);
    case Encoding.setTable:
    case Encoding.hashTable:
      return Table.restorer(keyspace, size);
    default:
      throw new Error(`encoding ${encoding} has no big values`);
  }
}
