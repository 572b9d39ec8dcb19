/** Every value type: the one list. */
import { type Encoding, TypeTable } from '../storage/encoding.js';
import type { Keyspace } from '../storage/keyspace.js';
import type { BigValue } from '../values/big-value.js';
import { hashType } from './hash.js';
import { listType } from './list.js';
import { setType } from './set.js';
import { streamType } from './stream.js';
import { stringType } from './string.js';
import type { ValueType } from './value-type.js';
import { zsetType } from './zset.js';

/** By their encodings and names. What each loads differs: it creates only what it loaded itself. */
export const valueTypes = new TypeTable<ValueType>([
  stringType,
  listType,
  setType,
  hashType,
  zsetType,
  streamType,
]);

const byRdbType = new Map<number, ValueType>();
for (const type of valueTypes.types) for (const rdbType of type.rdbTypes) byRdbType.set(rdbType, type);

/** The type of a payload's value, by the payload's first byte. */
export const typeOfPayload = (rdbType: number): ValueType | undefined => byRdbType.get(rdbType);

/** A copy of a big value, equal to the order of iteration. */
export function copyBig(encoding: Encoding, value: BigValue, keyspace: Keyspace): BigValue {
  const restorer = valueTypes.of(encoding).restorer(encoding, keyspace, value.pieceCount);
  value.pieces((at, first, second) => restorer.piece(at, first, second));
  return restorer.finish();
}
