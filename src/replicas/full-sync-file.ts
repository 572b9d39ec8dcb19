/** An RDB file of a snapshot, for replicas and tools: without a name, gone when the last has read it. */
import { closeSync, constants, openSync, read, statfs, unlink, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { SnapshotReader } from '../../raft/node/index.js';
import { serverVersion } from '../version.js';
import type { RdbJob, RdbOrder, RdbReport } from './rdb-job.js';

/** So much of the snapshot may be on its way to the thread. */
const AHEAD_BYTES = 4 * 1024 * 1024;
/** V8's share of the thread's memory; values lie outside of it. */
const THREAD_HEAP_MB = 512;
let made = 0;

const readAt = promisify(read);
const fileSystem = promisify(statfs);

export interface FullSyncFileOptions extends Omit<RdbJob, 'descriptor'> {
  readonly snapshot: SnapshotReader;
  /** Where the file lies while it is there. */
  readonly directory: string;
  /** What must stay free of the disk. */
  readonly reserveBytes: number;
}

/**
 * What redis-server 7.0.15 says at the head of a file.
 *
 * @param stream what it says of the stream behind it
 */
export function fileFacts(
  host: { clock(): number; usedMemory(): number },
  stream: readonly (readonly [string, string])[] = [],
): readonly (readonly [string, string])[] {
  return [
    ['redis-ver', serverVersion],
    ['redis-bits', '64'],
    ['ctime', `${Math.floor(host.clock() / 1000)}`],
    ['used-mem', `${host.usedMemory()}`],
    ...stream,
    ['aof-base', '0'],
  ];
}

export class FullSyncFile {
  private users = 0;

  private constructor(
    private readonly descriptor: number,
    readonly length: number,
    readonly keys: number,
    private readonly remove: () => void,
  ) {}

  /**
   * Writes the file. The snapshot is read to its end, and not closed.
   *
   * @throws Error where the disk has no room, or the snapshot is damaged
   */
  static async make(options: FullSyncFileOptions): Promise<FullSyncFile> {
    const { directory, snapshot, reserveBytes, facts, content, traces } = options;
    await checkRoom(directory, snapshot.dataBytes, reserveBytes);
    const path = join(directory, `replica-${process.pid}-${made++}.rdb.tmp`);
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    // Where an open file can have no name, nothing stays behind, whatever ends the process.
    let isNamed = process.platform === 'win32';
    if (!isNamed) unlinkSync(path);
    const remove = (): void => {
      closeSync(descriptor);
      if (isNamed) unlink(path, () => {});
      isNamed = false;
    };
    try {
      const { fileBytes, keys } = await convert(snapshot, { descriptor, facts, content, traces });
      return new FullSyncFile(descriptor, fileBytes, keys, remove);
    } catch (error) {
      remove();
      throw error;
    }
  }

  /** Somebody reads it, until the function that is returned is called. */
  use(): () => void {
    this.users++;
    let isUsed = true;
    return () => {
      if (isUsed && --this.users === 0) this.remove();
      isUsed = false;
    };
  }

  /** Bytes from `offset` on: as many as are wanted, or fewer at the end. */
  async read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(Math.min(length, this.length - offset));
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await readAt(this.descriptor, bytes, at, bytes.length - at, offset + at);
      if (bytesRead === 0) throw new Error('the file for replicas was cut short');
      at += bytesRead;
    }
    return bytes;
  }
}

/** @throws Error where the disk has no room for so many bytes and what must stay free */
export async function checkRoom(directory: string, bytes: number, reserveBytes: number): Promise<void> {
  const { bavail, bsize } = await fileSystem(directory);
  if (bavail * bsize < bytes + reserveBytes)
    throw new Error(`the disk of ${directory} has no room for a file of ${bytes} bytes`);
}

/** Has a thread make the file of a snapshot, which is read to its end and not closed. */
export async function convert(
  snapshot: SnapshotReader,
  job: RdbJob,
): Promise<{ readonly fileBytes: number; readonly keys: number }> {
  const worker = new Worker(new URL('./rdb-thread.js', import.meta.url), {
    workerData: job,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MB },
  });
  const order = (text: RdbOrder, transferred: readonly ArrayBuffer[] = []): void =>
    worker.postMessage(text, transferred);
  let aheadBytes = 0;
  let goOn: (() => void) | undefined;
  const done = new Promise<{ fileBytes: number; keys: number }>((resolve, reject) => {
    worker.on('message', (report: RdbReport) => {
      if (report.kind === 'taken') {
        aheadBytes -= report.bytes;
        goOn?.();
      } else if (report.kind === 'done') resolve(report);
      else reject(new Error(report.why));
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the thread that writes the file has ended')));
  });
  // It is awaited at the end; what is wrong ends the loop before.
  let hasFailed = false;
  done.catch(() => {
    hasFailed = true;
    goOn?.();
  });
  try {
    for (let chunk = await snapshot.next(); chunk !== undefined; chunk = await snapshot.next()) {
      const bytes = Uint8Array.from(chunk);
      aheadBytes += bytes.length;
      order({ kind: 'snapshot', bytes }, [bytes.buffer]);
      while (aheadBytes > AHEAD_BYTES && !hasFailed)
        await new Promise<void>((resolve) => {
          goOn = resolve;
        });
      if (hasFailed) break;
    }
    if (!hasFailed) order({ kind: 'end' });
    return await done;
  } finally {
    await worker.terminate();
  }
}
