/** Changes of a value that no mark of the keyspace tells. */
import type { View } from '../protocol/view.js';
import type { Database } from './database.js';
import { ABSENT } from './dictionary.js';

/** Position of the last change of the key's value that WATCH does not see; 0 when there was none. */
export function changedWithin(database: Database, key: View): number {
  const slot = database.find(key);
  if (slot === ABSENT || !database.keyspace.types.isBig(database.encoding(slot))) return 0;
  return database.object(slot).changedAt ?? 0;
}
