/**
 * SAVE and BGSAVE: a snapshot, and where `rdb-on-save` says so an RDB file beside it under the name of
 * `dbfilename`, for what copies that file once LASTSAVE has moved on.
 */
import { closeSync, constants, fsync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ErrorReply } from '../../engine/index.js';
import type { RaftNode } from '../../raft/node/index.js';
import { wallNow } from '../../raft/node/timers.js';
import type { Configuration } from '../config/configuration.js';
import { syncDirectory } from '../migration/output-file.js';
import { SNAPSHOT_RESERVE_BYTES } from '../replication/disk-space.js';
import type { SnapshotRecord } from '../replication/snapshot-record.js';
import { replies } from '../replies.js';
import { checkRoom, convert, fileFacts } from './full-sync-file.js';

export interface RdbSaveHost {
  readonly node: RaftNode;
  readonly configuration: Configuration;
  readonly snapshots: SnapshotRecord;
  readonly options: { readonly workDirectory?: string };
  /** @throws ErrorReply if none was taken */
  takeSnapshot(): Promise<void>;
  clock(): number;
  usedMemory(): number;
}

const MAGIC = 'REDIS';

const sync = promisify(fsync);

export class RdbSave {
  private underWay: Promise<void> | undefined;
  /** When the last file was written, or the node started. */
  private writtenSeconds = Math.floor(wallNow() / 1000);
  private hasFailed = false;

  constructor(private readonly host: RdbSaveHost) {}

  /** Whether a file is being made. */
  get isUnderWay(): boolean {
    return this.underWay !== undefined;
  }

  /** What LASTSAVE says: who waits for a file must not be told of a snapshot alone. */
  get lastSeconds(): number {
    return this.isWanted ? this.writtenSeconds : this.host.snapshots.lastSeconds;
  }

  get lastSucceeded(): boolean {
    return this.host.snapshots.lastSucceeded && !(this.isWanted && this.hasFailed);
  }

  /** Resolves when all that is to be written is on the disk. @throws ErrorReply if it is not */
  async save(): Promise<void> {
    if (!this.isWanted) {
      await this.host.takeSnapshot();
      return;
    }
    // Whoever comes meanwhile is owed a file of a later state.
    while (this.underWay !== undefined) await this.underWay.catch(() => {});
    this.underWay = this.write();
    this.hasFailed = true;
    try {
      await this.underWay;
      this.writtenSeconds = Math.floor(this.host.clock() / 1000);
      this.hasFailed = false;
    } catch (error) {
      throw error instanceof ErrorReply ? error : replies.noRdbFile((error as Error).message);
    } finally {
      this.underWay = undefined;
    }
  }

  private get isWanted(): boolean {
    return this.host.configuration.text('rdb-on-save') === 'yes';
  }

  private async write(): Promise<void> {
    const { configuration, node, options } = this.host;
    const { workDirectory } = options;
    const name = configuration.text('dbfilename');
    if (workDirectory === undefined) throw new Error('this node has no data directory');
    if (name === '' || basename(name) !== name) throw new Error(`dbfilename '${name}' is no name of a file`);
    const path = join(workDirectory, name);
    refuseOther(path);
    await this.host.takeSnapshot();
    const snapshot = await node.snapshotter.read(node.storageStatus().snapshot.index);
    try {
      await checkRoom(workDirectory, snapshot.dataBytes, SNAPSHOT_RESERVE_BYTES);
      const temporary = join(workDirectory, `temp-${process.pid}.rdb.tmp`);
      // One that a process of this number left behind goes; what stands in its place is not followed.
      rmSync(temporary, { force: true });
      const descriptor = openSync(temporary, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        await convert(snapshot, {
          descriptor,
          facts: fileFacts(this.host),
          content: 'all',
          traces: undefined,
        });
        await sync(descriptor);
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      } finally {
        closeSync(descriptor);
      }
      await syncDirectory(workDirectory);
    } finally {
      await snapshot.close();
    }
  }
}

/** The directory has files of the node's own: no setting may put a file in their place. */
function refuseOther(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const head = Buffer.alloc(MAGIC.length);
    const length = readSync(descriptor, head, 0, head.length, 0);
    if (length > 0 && head.toString('latin1', 0, length) !== MAGIC)
      throw new Error(`${path} is there, and is no RDB file`);
  } finally {
    closeSync(descriptor);
  }
}
