/** Which class puts a big value of an encoding together. */
import { Encoding } from '../storage/encoding.js';
import type { Keyspace } from '../storage/keyspace.js';
import type { BigValue, ValueRestorer } from './big-value.js';
import { LargeString } from './large-string.js';
import { Quicklist } from './quicklist.js';
import { ScoredTable } from './scored-table.js';
import { Table } from './table.js';

/** A restorer for a value of `size` elements or bytes (as its walk said). Throws for an encoding that has no big values. */
export function restorerFor(encoding: Encoding, keyspace: Keyspace, size: number): ValueRestorer {
  switch (encoding) {
    case Encoding.largeRaw:
      return LargeString.restorer(size, keyspace.slab);
    case Encoding.setTable:
    case Encoding.hashTable:
      return Table.restorer(keyspace, size);
    case Encoding.skiplist:
      return ScoredTable.restorer(keyspace, size);
    case Encoding.quicklist:
      return Quicklist.restorer(keyspace.slab, size);
    default:
      throw new Error(`encoding ${encoding} has no big values`);
  }
}

/** A copy of a big value, equal to the order of iteration. */
export function copyBig(encoding: Encoding, value: BigValue, keyspace: Keyspace): BigValue {
  const restorer = restorerFor(encoding, keyspace, value.pieceCount);
  value.pieces((at, first, second) => restorer.piece(at, first, second));
  return restorer.finish();
}
