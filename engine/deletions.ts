/** Deletions that no client asks for: evictions, and what MIGRATE leaves behind. */
import type { Reply } from './protocol/reply.js';
import type { Request } from './protocol/request.js';
import { changedWithin } from './storage/changed-within.js';
import type { Database } from './storage/database.js';
import { keyEvents } from './storage/key-events.js';
import type { Keyspace } from './storage/keyspace.js';

/** Deletes the keys that a request names, as evicted. */
export function evict(keyspace: Keyspace, database: Database, request: Request): void {
  for (let i = 0; i < request.count; i++) {
    const key = request.view(i);
    if (!database.deleteKey(key)) continue;
    database.changed(key, keyEvents.evicted);
    keyspace.statistics.evictedKeys++;
  }
}

/**
 * Of each key that a request names 1 when it is gone now, 0 when it may have changed behind a position, and
 * stays.
 */
export function deleteUnchanged(
  keyspace: Keyspace,
  database: Database,
  request: Request,
  position: number,
): Reply {
  const outcomes: number[] = [];
  // All are judged before the first is deleted, which marks what it shares a bucket with.
  for (let i = 0; i < request.count; i++) {
    const key = request.view(i);
    const changed = database.flushedAt > position || keyspace.lastWrite(database.id, key) > position;
    outcomes.push(changed || changedWithin(database, key) > position ? 0 : 1);
  }
  for (let i = 0; i < outcomes.length; i++) {
    const key = request.view(i);
    if (outcomes[i] === 1 && database.deleteKey(key)) database.changed(key, keyEvents.del);
  }
  return outcomes;
}
