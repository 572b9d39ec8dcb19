/** What the directory of a node holds that does not run: its newest snapshot, and the log behind that. */
import { decodeMembership } from '../../membership.js';
import { type Entry, EntryKind, type SnapshotMetadata } from '../../types.js';
import { nodeClock } from '../clock.js';
import { StorageError } from '../errors.js';
import { openStorage } from '../node-storage.js';
import type { SnapshotReader } from '../snapshot/store.js';
import type { DataDirectory } from './data-directory.js';

const READ_BYTES = 1024 * 1024;

export interface StoppedNode {
  readonly clusterId: string;
  /** The newest snapshot; undefined where the log is all there is. */
  readonly snapshot: SnapshotReader | undefined;
  /** The last entry that the node knows to be committed. */
  readonly commit: number;
  /** Entries behind that, which other nodes may know to be committed. */
  readonly uncertain: number;
  /** The committed entries behind the snapshot, some at a time. */
  entries(): Generator<readonly Entry[]>;
  close(): Promise<void>;
}

/**
 * Opens a directory that no process uses. As at a start, a torn end of the log is cut.
 *
 * @throws StorageError if there is no node in the directory, or what it holds is damaged
 */
export async function openStoppedNode(
  directory: DataDirectory,
  onNotice: (text: string) => void,
): Promise<StoppedNode> {
  const { identity } = directory;
  if (identity === undefined)
    throw new StorageError('identity', `${directory.path} holds no node`, directory.path);
  const { log, snapshots } = await openStorage(
    { identity, directory, clock: nodeClock, durability: 'high', onNotice },
    () => {},
  );
  try {
    const snapshot = await snapshots.openLatest();
    const first = (snapshot?.metadata.index ?? 0) + 1;
    const last = log.lastIndex();
    const stretch = function* (end: number): Generator<readonly Entry[]> {
      for (let index = first; index <= end; ) {
        const entries = log.entries(index, end + 1, READ_BYTES);
        yield entries;
        index += entries.length;
      }
    };
    let { membership }: Pick<SnapshotMetadata, 'membership'> = snapshot?.metadata ?? {
      membership: identity.initialMembership,
    };
    for (const entries of stretch(last))
      for (const { kind, payload } of entries)
        if (kind === EntryKind.membership) membership = decodeMembership(payload);
    const voters = membership.members.filter(({ learner }) => !learner);
    // What the only voter has in its log is committed.
    const isAlone = voters.length === 1 && voters[0]!.id === identity.nodeId;
    const commit = isAlone ? last : Math.max(log.hardState.commit, first - 1);
    return {
      clusterId: identity.clusterId,
      snapshot,
      commit,
      uncertain: last - commit,
      entries: () => stretch(commit),
      close: async () => {
        await snapshot?.close();
        await log.close();
      },
    };
  } catch (error) {
    await log.close();
    throw error;
  }
}
