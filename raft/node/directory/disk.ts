/**
 * All file work of this folder goes through `Disk`, so that a simulator can lose, tear, reorder and refuse
 * bytes under the real code. The interface is as narrow as that work: positioned writes, one way to sync, and
 * what a directory needs.
 */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { monotonicNow } from '../timers.js';

export type OpenMode = 'read' | 'update' | 'create';

/** An open file. Positions and lengths are bytes. */
export interface DiskFile {
  readonly path: string;
  /** Writes all buffers, one after the other, at `position`. They must not change before the callback. */
  write(buffers: readonly Uint8Array[], position: number, callback: (error: Error | null) => void): void;
  /**
   * The same at once, into the operating system's cache: for small batches this saves two thread hops.
   * Throws.
   */
  writeSync(buffers: readonly Uint8Array[], position: number): void;
  /**
   * Makes everything that was written before this call durable (fdatasync). The callback may come before this
   * returns.
   */
  sync(callback: (error: Error | null) => void): void;
  /** Fills `buffer` from `position`; the result is short only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  readSync(buffer: Uint8Array, position: number): number;
  size(): Promise<number>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * A file system. `create` makes the file or empties it; `update` wants it to exist. Errors carry `code` as
 * Node's do.
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names of the files (not the folders) in a directory, sorted. */
  list(directory: string): Promise<string[]>;
  makeDirectory(directory: string): Promise<void>;
  /** Makes created, renamed and unlinked names durable. */
  syncDirectory(directory: string): Promise<void>;
  freeBytes(directory: string): Promise<number>;
}

/** Promise form of `DiskFile.sync`. */
export function syncFile(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });
}

/** Promise form of `DiskFile.write`. */
export function writeFile(file: DiskFile, buffers: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(buffers, position, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** The whole of a small file, or undefined if there is none. */
export async function readWhole(disk: Disk, path: string): Promise<Uint8Array | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, 'read');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(await file.size());
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/**
 * Replaces a small file so that a crash leaves either the old or the new content: temporary file, sync,
 * rename, sync of the directory.
 */
export async function replaceFile(
  disk: Disk,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const temporary = join(directory, `${name}.tmp`);
  const file = await disk.open(temporary, 'create');
  try {
    await writeFile(file, [content], 0);
    await syncFile(file);
  } finally {
    await file.close();
  }
  await disk.rename(temporary, join(directory, name));
  await disk.syncDirectory(directory);
}

/** Above this, a sync goes to the thread pool: the loop has better things to do meanwhile. */
const inlineSyncMaxMs = 0.4;
const inlineSyncMaxBytes = 128 * 1024;
const inlineSyncRetryMs = 1000;

/**
 * Whether a sync is so quick on this machine that handing it to another thread, and hearing of its end, costs
 * more than waiting for it. Measured with syncs of 0.12 ms: 1.35 times the durable writes of 50 clients, at
 * two thirds of the processor time each.
 */
const inlineSyncs = {
  averageMs: 0,
  retryAtMs: 0,
  /** Syncs under way in the pool, as of a snapshot: the disk is busy, and one more may take long. */
  inPool: 0,

  pay(unsyncedBytes: number): boolean {
    if (unsyncedBytes > inlineSyncMaxBytes || this.inPool > 0) return false;
    return this.averageMs <= inlineSyncMaxMs || monotonicNow() >= this.retryAtMs;
  },

  took(durationMs: number, endedAtMs: number): void {
    // A slow one now and then (a file grew, so the file system's journal had to follow) does not make a slow
    // disk.
    const counted = Math.min(durationMs, 2 * inlineSyncMaxMs);
    this.averageMs =
      this.averageMs > inlineSyncMaxMs ? counted : this.averageMs + (counted - this.averageMs) / 8;
    this.retryAtMs = endedAtMs + inlineSyncRetryMs;
  },
};

/**
 * 1 while this thread waits for the disk to take what it writes. In memory that other threads can see: who
 * waits long must not pass for busy. Reads do not count: to copy hundreds of megabytes takes long on the
 * soundest disk.
 */
export const diskWait = new Int32Array(new SharedArrayBuffer(4));

/** Does what waits for the disk. */
function waiting<T>(work: () => T): T {
  Atomics.store(diskWait, 0, 1);
  try {
    return work();
  } finally {
    Atomics.store(diskWait, 0, 0);
  }
}

class NodeFile implements DiskFile {
  private unsyncedBytes = 0;

  constructor(
    readonly path: string,
    private readonly descriptor: number,
  ) {}

  write(buffers: readonly Uint8Array[], position: number, callback: (error: Error | null) => void): void {
    const total = byteLength(buffers);
    this.unsyncedBytes += total;
    fs.writev(this.descriptor, buffers, position, (error, written) => {
      if (error !== null || written === total) callback(error);
      else if (written === 0) callback(shortWrite(this.path));
      else this.write(rest(buffers, written), position + written, callback);
    });
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    let total = byteLength(buffers);
    this.unsyncedBytes += total;
    while (total > 0) {
      const written = waiting(() =>
        buffers.length === 1
          ? fs.writeSync(this.descriptor, buffers[0]!, 0, buffers[0]!.length, position)
          : fs.writevSync(this.descriptor, buffers, position),
      );
      if (written === 0) throw shortWrite(this.path);
      total -= written;
      if (total > 0) {
        buffers = rest(buffers, written);
        position += written;
      }
    }
  }

  sync(callback: (error: Error | null) => void): void {
    const isInline = inlineSyncs.pay(this.unsyncedBytes);
    this.unsyncedBytes = 0;
    if (!isInline) {
      inlineSyncs.inPool++;
      fs.fdatasync(this.descriptor, (error) => {
        inlineSyncs.inPool--;
        callback(error);
      });
      return;
    }
    const beganMs = monotonicNow();
    try {
      waiting(() => fs.fdatasyncSync(this.descriptor));
    } catch (error) {
      callback(error as Error);
      return;
    }
    const endedMs = monotonicNow();
    inlineSyncs.took(endedMs - beganMs, endedMs);
    callback(null);
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < buffer.length) {
      const count = await new Promise<number>((resolve, reject) => {
        fs.read(this.descriptor, buffer, filled, buffer.length - filled, position + filled, (error, read) =>
          error === null ? resolve(read) : reject(error),
        );
      });
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  readSync(buffer: Uint8Array, position: number): number {
    let filled = 0;
    while (filled < buffer.length) {
      const count = fs.readSync(this.descriptor, buffer, filled, buffer.length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.descriptor, (error, stats) => (error === null ? resolve(stats.size) : reject(error)));
    });
  }

  truncate(length: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.descriptor, length, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.descriptor, (error) => (error ? reject(error) : resolve()));
    });
  }
}

function byteLength(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total;
}

/** What of `buffers` a short write left over. */
function rest(buffers: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (written >= buffer.length) written -= buffer.length;
    else {
      left.push(buffer.subarray(written));
      written = 0;
    }
  }
  return left;
}

/** The system took no byte and named no reason: in practice a full disk. */
function shortWrite(path: string): Error {
  return Object.assign(new Error(`write to ${path} took no bytes`), { code: 'ENOSPC' });
}

const openFlags = { read: 'r', update: 'r+', create: 'wx+' } as const;

function openFile(path: string, flags: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o600, (error, descriptor) =>
      error === null ? resolve(descriptor) : reject(error),
    );
  });
}

/**
 * Makes a directory and its parents, with names that are durable. Node's own `recursive` tries for ever below
 * /proc.
 */
async function makeDirectory(directory: string): Promise<void> {
  const parent = dirname(directory);
  try {
    await fs.promises.mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || code === 'EROFS') {
      if ((await fs.promises.stat(directory)).isDirectory()) return;
    }
    if (code !== 'ENOENT' || parent === directory) throw error;
    await makeDirectory(parent);
    await fs.promises.mkdir(directory, { mode: 0o700 });
  }
  await nodeDisk.syncDirectory(parent);
}

/** Windows syncs only what is open for writing; other systems open no directory so. */
const syncsDirectoriesBy = process.platform === 'win32' ? 'r+' : 'r';

/** The machine's own disk, through node:fs. */
export const nodeDisk: Disk = {
  async open(path, mode) {
    if (mode !== 'create') return new NodeFile(path, await openFile(path, openFlags[mode]));
    // What is there gives way, be it a link that would lead the bytes elsewhere.
    await fs.promises.rm(path, { force: true });
    return new NodeFile(path, await openFile(path, openFlags.create));
  },
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  async list(directory) {
    const found = await fs.promises.readdir(directory, { withFileTypes: true });
    return found
      .filter((item) => item.isFile())
      .map((item) => item.name)
      .sort();
  },
  async makeDirectory(directory) {
    await makeDirectory(directory);
  },
  async syncDirectory(directory) {
    const handle = await fs.promises.open(directory, syncsDirectoriesBy);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(directory) {
    const stats = await fs.promises.statfs(directory);
    return stats.bavail * stats.bsize;
  },
};
