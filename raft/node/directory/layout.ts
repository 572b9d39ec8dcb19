/** Where things lie in a data directory: `identity.json`, `lock`, `log/*.wal`, `snapshots/*.snap`. */
import { join } from 'node:path';

export function logDirectory(directory: string): string {
  return join(directory, 'log');
}

export function snapshotDirectory(directory: string): string {
  return join(directory, 'snapshots');
}
