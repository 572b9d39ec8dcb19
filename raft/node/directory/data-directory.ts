/** The directory in which a node keeps its files: taken for one process, with the identity that it holds. */

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { ioError, StorageError } from '../errors.js';
import { type Disk, nodeDisk } from './disk.js';
import { type Identity, identityFile, readIdentity, writeIdentity } from './identity.js';
import { findData, logDirectory, snapshotDirectory } from './layout.js';
import { type DirectoryLock, lockDirectory } from './lock.js';

export class DataDirectory {
  private held: Identity | undefined;

  private constructor(
    readonly disk: Disk,
    readonly path: string,
    private readonly lock: DirectoryLock | undefined,
  ) {}

  /**
   * Makes the directory if need be, locks it and reads who it belongs to. Only the machine's own disk is
   * locked.
   *
   * @throws StorageError if it cannot be written, is in use by another process, or is malformed
   */
  static async open(path: string, disk: Disk = nodeDisk): Promise<DataDirectory> {
    try {
      await disk.makeDirectory(path);
      await disk.makeDirectory(logDirectory(path));
      await disk.makeDirectory(snapshotDirectory(path));
    } catch (error) {
      throw ioError('creation', path, error);
    }
    const directory = new DataDirectory(
      disk,
      path,
      disk === nodeDisk ? await lockDirectory(path) : undefined,
    );
    try {
      directory.held = await readIdentity(disk, path);
      if (directory.held === undefined) await refuseOrphan(disk, path);
    } catch (error) {
      await directory.close();
      throw error;
    }
    return directory;
  }

  /** Who the directory belongs to; undefined as long as it is new. */
  get identity(): Identity | undefined {
    return this.held;
  }

  /** Gives a new directory its identity. */
  async establish(identity: Identity): Promise<void> {
    if (this.held !== undefined) throw new Error(`${this.path} has an identity already`);
    await writeIdentity(this.disk, this.path, identity);
    this.held = identity;
  }

  /**
   * Notes durably that a process starts here. Returns the identity with the new count; on a full disk, with a
   * number that no other start has or will have, as nothing can be noted.
   */
  async countStart(): Promise<Identity> {
    try {
      return await this.change((identity) => ({ ...identity, starts: identity.starts + 1 }));
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'full') throw error;
      return { ...this.held!, starts: 2 ** 31 + randomInt(2 ** 31) };
    }
  }

  /**
   * Notes durably that the log exists, and reaches at least to `position`: should it be missing or end before
   * that at a later start, that start is refused.
   */
  async noteLogReach(position: number): Promise<void> {
    if (this.held === undefined || (this.held.logFounded && position <= this.held.logReach)) return;
    await this.change((identity) => ({
      ...identity,
      logFounded: true,
      logReach: Math.max(identity.logReach, position),
    }));
  }

  private async change(change: (identity: Identity) => Identity): Promise<Identity> {
    if (this.held === undefined) throw new Error(`${this.path} has no identity yet`);
    const identity = change(this.held);
    await writeIdentity(this.disk, this.path, identity);
    this.held = identity;
    return identity;
  }

  /** Gives the directory free for others. */
  async close(): Promise<void> {
    await this.lock?.release();
  }
}

/**
 * What a directory with data and without an identity has to be told: a new identity would replace the data.
 */
export function orphanError(path: string, data: string): StorageError {
  const file = join(path, identityFile);
  const message = `${file} is missing, but ${data} is there: restore the identity from a copy, or name an empty directory and let a new node join`;
  return new StorageError('identity', message, file);
}

async function refuseOrphan(disk: Disk, path: string): Promise<void> {
  let data: string | undefined;
  try {
    data = await findData(disk, path);
  } catch (error) {
    throw ioError('read', path, error);
  }
  if (data !== undefined) throw orphanError(path, data);
}
