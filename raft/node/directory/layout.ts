/** Where things lie in a data directory: `identity.json`, `lock`, `log/*.wal`, `snapshots/*.snap`. */
import { join } from 'node:path';
import type { Disk } from './disk.js';

export function logDirectory(directory: string): string {
  return join(directory, 'log');
}

export function snapshotDirectory(directory: string): string {
  return join(directory, 'snapshots');
}

/** Whether a name is that of a log segment or a snapshot. */
const dataPattern = /^\d{16}\.wal$|^snapshot-\d{16}-\d{16}\.snap$/;

/**
 * What stands in a node's folders under names that no node gives: files that were renamed, or put there by
 * somebody.
 */
export async function strangeFiles(disk: Disk, directory: string): Promise<string[]> {
  const strange: string[] = [];
  for (const folder of [logDirectory(directory), snapshotDirectory(directory)]) {
    for (const name of await namesIn(disk, folder)) {
      const isUnfinished = name.endsWith('.tmp') && dataPattern.test(name.slice(0, -'.tmp'.length));
      if (!dataPattern.test(name) && !isUnfinished) strange.push(join(folder, name));
    }
  }
  return strange;
}

/** A log segment or a snapshot in `directory`, if there is any. */
export async function findData(disk: Disk, directory: string): Promise<string | undefined> {
  for (const folder of [logDirectory(directory), snapshotDirectory(directory)]) {
    const name = (await namesIn(disk, folder)).find((one) => dataPattern.test(one));
    if (name !== undefined) return join(folder, name);
  }
  return undefined;
}

async function namesIn(disk: Disk, folder: string): Promise<string[]> {
  try {
    return await disk.list(folder);
  } catch (error) {
    // A node that never took a snapshot may lack the folder.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
