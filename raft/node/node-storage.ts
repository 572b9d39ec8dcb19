/** Where a node keeps its log and its snapshots: in files, or in memory. */
import type { SnapshotMetadata } from '../index.js';
import { logDirectory, snapshotDirectory } from './directory/layout.js';
import type { RaftNodeOptions } from './node-options.js';
import { FileSnapshotStore, MemorySnapshotStore, type SnapshotStore } from './snapshot/store.js';
import { MemoryLog } from './wal/memory-log.js';
import type { NodeLog } from './wal/node-log.js';
import { Wal } from './wal/wal.js';

/**
 * Opens both and brings them in line with each other.
 *
 * @param onFailure called once, when the log can be written no more
 * @throws StorageError for what is wrong with the directory
 */
export async function openStorage(
  options: Pick<
    RaftNodeOptions,
    'identity' | 'directory' | 'clock' | 'durability' | 'segmentBytes' | 'onRecovery' | 'onNotice'
  >,
  onFailure: (error: Error) => void,
): Promise<{ log: NodeLog; snapshots: SnapshotStore }> {
  const { identity, directory, clock, onRecovery, onNotice } = options;
  const initial: SnapshotMetadata = { index: 0, term: 0, membership: identity.initialMembership };
  if (directory === undefined) return { log: new MemoryLog(initial), snapshots: new MemorySnapshotStore() };
  const { disk, path } = directory;
  const snapshots = await FileSnapshotStore.open(disk, snapshotDirectory(path), onNotice);
  const log = await Wal.open({
    disk,
    clock,
    directory: logDirectory(path),
    clusterId: identity.clusterId,
    nodeId: identity.nodeId,
    salt: identity.salt,
    durability: options.durability,
    snapshot: snapshots.latest()?.metadata ?? initial,
    mustExist: directory.identity?.logFounded === true,
    onFailure,
    onNotice,
    onProgress: (done, total) => onRecovery?.({ phase: 'log', done, total }),
    segmentBytes: options.segmentBytes,
  });
  await directory.noteLogFounded();
  return { log, snapshots };
}
