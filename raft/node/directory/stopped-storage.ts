/** The log and the snapshots of a directory that no process uses. */
import { decodeMembership } from '../../membership.js';
import { type Entry, EntryKind, type Membership } from '../../types.js';
import { nodeClock } from '../clock.js';
import { StorageError } from '../errors.js';
import { openStorage } from '../node-storage.js';
import type { SnapshotStore } from '../snapshot/store.js';
import type { NodeLog } from '../wal/node-log.js';
import type { DataDirectory } from './data-directory.js';
import type { Identity } from './identity.js';

const READ_BYTES = 1024 * 1024;

export interface StoppedStorage {
  readonly identity: Identity;
  readonly log: NodeLog;
  readonly snapshots: SnapshotStore;
}

/**
 * Opens it. As at a start, a torn end of the log is cut.
 *
 * @param onFailure called once, when the log can be written no more
 * @throws StorageError if there is no node in the directory, or what it holds is damaged
 */
export async function openStoppedStorage(
  directory: DataDirectory,
  onNotice: (text: string) => void,
  onFailure: (error: Error) => void,
): Promise<StoppedStorage> {
  const { identity } = directory;
  if (identity === undefined)
    throw new StorageError('identity', `${directory.path} holds no node`, directory.path);
  const options = { identity, directory, clock: nodeClock, durability: 'high', onNotice } as const;
  return { identity, ...(await openStorage(options, onFailure)) };
}

/** Entries from `first` to `last`, some at a time. */
export function* entriesOf(log: NodeLog, first: number, last: number): Generator<readonly Entry[]> {
  for (let index = first; index <= last; ) {
    const entries = log.entries(index, last + 1, READ_BYTES);
    yield entries;
    index += entries.length;
  }
}

/** The membership as the whole log has it, `membership` being in force before the entry `first`. */
export function lastMembership(log: NodeLog, first: number, membership: Membership): Membership {
  let last = membership;
  for (const entries of entriesOf(log, first, log.lastIndex()))
    for (const { kind, payload } of entries)
      if (kind === EntryKind.membership) last = decodeMembership(payload);
  return last;
}
