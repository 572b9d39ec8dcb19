/** What the directory of a node holds that does not run: its newest snapshot, and the log behind that. */
import type { Entry } from '../../types.js';
import type { SnapshotReader } from '../snapshot/store.js';
import type { DataDirectory } from './data-directory.js';
import { entriesOf, lastMembership, openStoppedStorage } from './stopped-storage.js';

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
  const { identity, log, snapshots } = await openStoppedStorage(directory, onNotice, () => {});
  try {
    const snapshot = await snapshots.openLatest();
    const first = (snapshot?.metadata.index ?? 0) + 1;
    const last = log.lastIndex();
    const before = snapshot?.metadata.membership ?? identity.initialMembership;
    const { members } = lastMembership(log, first, before);
    const voters = members.filter(({ learner }) => !learner);
    // What the only voter has in its log is committed.
    const isAlone = voters.length === 1 && voters[0]!.id === identity.nodeId;
    const commit = isAlone ? last : Math.max(log.hardState.commit, first - 1);
    return {
      clusterId: identity.clusterId,
      snapshot,
      commit,
      uncertain: last - commit,
      entries: () => entriesOf(log, first, commit),
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
