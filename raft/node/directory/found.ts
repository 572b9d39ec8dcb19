/** Founds a cluster of one node on a state that is there already: that of a backup. */
import { encodeMembership } from '../../membership.js';
import { EntryKind, type SnapshotMetadata } from '../../types.js';
import { nodeClock } from '../clock.js';
import { openStorage } from '../node-storage.js';
import { FileSnapshotStore } from '../snapshot/store.js';
import type { DataDirectory } from './data-directory.js';
import { snapshotDirectory } from './layout.js';

/**
 * Writes the snapshot, and a log behind it whose first entry names the only member. Durable when it resolves.
 *
 * @param directory with the new node's identity, and nothing else
 * @param next the snapshot's bytes, undefined behind the last
 */
export async function foundFromSnapshot(
  directory: DataDirectory,
  metadata: SnapshotMetadata,
  next: () => Uint8Array | undefined,
): Promise<void> {
  const identity = directory.identity!;
  const { disk, path } = directory;
  const store = await FileSnapshotStore.open(disk, snapshotDirectory(path), identity);
  const writer = await store.begin(metadata, false);
  try {
    for (let bytes = next(); bytes !== undefined; bytes = next()) await writer.write(bytes);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  let failure: Error | undefined;
  const { log } = await openStorage(
    { identity, directory, clock: nodeClock, durability: 'high' },
    (error) => {
      failure = error;
    },
  );
  try {
    const index = metadata.index + 1;
    const term = metadata.term + 1;
    const payload = encodeMembership(metadata.membership);
    await new Promise<void>((resolve, reject) => {
      log.append(
        { term, vote: identity.nodeId, commit: index },
        [{ index, term, kind: EntryKind.membership, payload }],
        (error) => (error === undefined ? resolve() : reject(error)),
      );
      if (failure !== undefined) reject(failure);
    });
  } finally {
    await log.close();
  }
}
