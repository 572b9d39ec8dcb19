/** Where a node keeps its log and its snapshots: in files, or in memory. */
import type { SnapshotMetadata } from '../index.js';
import { logDirectory, snapshotDirectory, strangeFiles } from './directory/layout.js';
import type { RaftNodeOptions, StorageStatus } from './node-options.js';
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
    | 'identity'
    | 'directory'
    | 'clock'
    | 'durability'
    | 'segmentBytes'
    | 'reserveBytes'
    | 'onRecovery'
    | 'onNotice'
    | 'onSync'
  >,
  onFailure: (error: Error) => void,
): Promise<{ log: NodeLog; snapshots: SnapshotStore }> {
  const { identity, directory, clock, onRecovery, onNotice } = options;
  const initial: SnapshotMetadata = { index: 0, term: 0, membership: identity.initialMembership };
  if (directory === undefined) return { log: new MemoryLog(initial), snapshots: new MemorySnapshotStore() };
  const { disk, path } = directory;
  for (const file of await strangeFiles(disk, path))
    onNotice?.(`${file} is no file of a node: it is not read`);
  const snapshots = await FileSnapshotStore.open(
    disk,
    snapshotDirectory(path),
    identity,
    onNotice,
    undefined,
    options.reserveBytes,
  );
  const log = await Wal.open({
    disk,
    clock,
    directory: logDirectory(path),
    clusterId: identity.clusterId,
    nodeId: identity.nodeId,
    salt: identity.salt,
    durability: options.durability,
    snapshot: snapshots.latest()?.metadata ?? initial,
    snapshotIsOwn: snapshots.latest()?.isOwn === true,
    mustExist: directory.identity?.logFounded === true,
    reach: directory.identity?.logReach ?? 0,
    onReach: async (position) => {
      try {
        await directory.noteLogReach(position);
      } catch (error) {
        // What is noted stays true; only less of it is known.
        onNotice?.((error as Error).message);
      }
    },
    onFailure,
    onNotice,
    onSync: options.onSync,
    onProgress: (done, total) => onRecovery?.({ phase: 'log', done, total }),
    segmentBytes: options.segmentBytes,
  });
  await directory.noteLogReach(0);
  return { log, snapshots };
}

/** The newest snapshot, and sizes. */
export function statusOfStorage(
  log: NodeLog,
  snapshots: SnapshotStore,
): Omit<StorageStatus, 'isSnapshotting'> {
  return {
    snapshot: log.snapshot(),
    snapshotBytes: snapshots.latest()?.dataBytes ?? 0,
    logBytes: log.bytes,
    lastSyncMs: log instanceof Wal ? log.lastSyncMs : 0,
  };
}
