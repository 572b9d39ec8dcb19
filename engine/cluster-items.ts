/** Items of the log that are no command of a client: settings, users, evictions, the behaviour level. */
import { changeUsers } from './acl/change-users.js';
import type { Users } from './acl/users.js';
import { deleteUnchanged, evict } from './deletions.js';
import { type EntryReader, ItemKind } from './log/entry.js';
import { OK, type Reply } from './protocol/reply.js';
import { parseTrusted, type Request } from './protocol/request.js';
import { readUint32 } from './protocol/view.js';
import { applySettings } from './settings.js';
import type { Keyspace } from './storage/keyspace.js';

/** The parts of an engine that they change. */
export interface ClusterItemTarget {
  readonly keyspace: Keyspace;
  readonly users: Users;
}

/**
 * Applies the item at which `entry` stands.
 *
 * @param request is pointed at what the item carries
 * @throws Error for a kind of item that nobody knows
 */
export function applyClusterItem(
  { keyspace, users }: ClusterItemTarget,
  entry: EntryReader,
  request: Request,
): Reply {
  switch (entry.kind) {
    case ItemKind.configure:
      parseTrusted(entry.buffer, entry.bodyStart, request);
      applySettings(keyspace.settings, request);
      keyspace.onConfigured?.();
      return OK;
    case ItemKind.evict:
      parseTrusted(entry.buffer, entry.bodyStart, request);
      evict(keyspace, keyspace.database(entry.database), request);
      return OK;
    case ItemKind.deleteUnchanged:
      parseTrusted(entry.buffer, entry.bodyStart + 8, request);
      return deleteUnchanged(
        keyspace,
        keyspace.database(entry.database),
        request,
        entry.buffer.readDoubleLE(entry.bodyStart),
      );
    case ItemKind.setUser:
    case ItemKind.deleteUsers:
    case ItemKind.replaceUsers:
      parseTrusted(entry.buffer, entry.bodyStart, request);
      return changeUsers(users, entry.kind, request);
    case ItemKind.raiseLevel:
      keyspace.behaviour.raise(readUint32(entry.buffer, entry.bodyStart));
      return OK;
    default:
      throw new Error(`log entry: unknown item kind ${entry.kind}`);
  }
}
