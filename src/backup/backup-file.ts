/** One backup in one file: a snapshot with its checksums, and what it is of. */
import { stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  createStandaloneSnapshot,
  nodeDisk,
  openStandaloneSnapshot,
  type StandaloneSnapshot,
  StorageError,
} from '../../raft/node/index.js';
import { wallNow } from '../../raft/node/timers.js';
import { temporaryBeside } from '../migration/output-file.js';
import type { NodeSource, SnapshotHead } from './node-source.js';

/**
 * Writes a backup of the node as it is now. The file appears as a whole, synced, or not at all.
 *
 * @param progress called after each piece
 */
export async function writeBackup(
  path: string,
  source: NodeSource,
  progress: (bytes: number, total: number) => void,
  head?: SnapshotHead,
): Promise<SnapshotHead> {
  const { clusterId, index, term, membership, dataBytes } = head ?? (await source.snapshot());
  const stated = { index, term, membership, clusterId, cutBy: 0, takenMs: wallNow() };
  const writer = await createStandaloneSnapshot(nodeDisk, path, temporaryBeside(path), stated);
  try {
    let bytes = 0;
    for (let piece = await source.piece(); piece !== undefined; piece = await source.piece()) {
      await writer.write(piece);
      bytes += piece.length;
      progress(bytes, dataBytes);
    }
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { clusterId, index, term, membership, dataBytes };
}

export const openBackup = (path: string): Promise<StandaloneSnapshot> =>
  openStandaloneSnapshot(nodeDisk, path);

/** Whether a file is a backup, of which cluster and up to which entry; undefined for anything else. */
export async function headOf(
  path: string,
): Promise<{ readonly clusterId: string; readonly index: number; readonly takenMs: number } | undefined> {
  try {
    const backup = await openBackup(path);
    await backup.close();
    const { clusterId, index, takenMs = 0 } = backup.stated;
    return { clusterId, index, takenMs };
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}

/** Removes backups of the same cluster beside `path`, but for the newest `keep`. @returns what was removed */
export async function removeOldBackups(path: string, keep: number): Promise<string[]> {
  const own = await headOf(path);
  const folder = dirname(path);
  const found: { readonly path: string; readonly index: number; readonly takenMs: number }[] = [];
  for (const name of await nodeDisk.list(folder)) {
    const other = join(folder, name);
    if (name.endsWith('.tmp') || !(await stat(other)).isFile()) continue;
    const head = await headOf(other);
    if (head !== undefined && head.clusterId === own?.clusterId) found.push({ path: other, ...head });
  }
  found.sort((a, b) => b.index - a.index || b.takenMs - a.takenMs);
  const old = found.slice(keep).map((backup) => backup.path);
  for (const one of old) await unlink(one);
  return old;
}
