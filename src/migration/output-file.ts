/** A file that is there as a whole or not at all: written beside its place, synced, and put there. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError } from '../../raft/node/index.js';

/** Bytes on their way to a disk or a pipe. */
export interface Output {
  /** Resolves when more may come. */
  write(bytes: Buffer): Promise<void>;
  /** All has come. */
  commit(): Promise<void>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

/**
 * A name beside `path` for what is not whole yet. Nobody else has it: process ids come again, in containers
 * soon, and two may write to one place.
 */
export const temporaryBeside = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`;

export class OutputFile implements Output {
  private constructor(
    private readonly path: string,
    private readonly temporary: string,
    private readonly file: FileHandle,
  ) {}

  /** @throws StorageError, as all methods do */
  static async create(path: string): Promise<OutputFile> {
    const temporary = temporaryBeside(path);
    try {
      return new OutputFile(path, temporary, await open(temporary, 'wx', 0o600));
    } catch (error) {
      throw ioError('write', path, error);
    }
  }

  async write(bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.file.write(bytes, at)).bytesWritten;
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }

  async commit(): Promise<void> {
    try {
      await this.file.sync();
      await this.file.close();
      await rename(this.temporary, this.path);
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }

  async abort(): Promise<void> {
    await this.file.close().catch(() => {});
    await unlink(this.temporary).catch(() => {});
  }
}

/** Makes a file's name durable. Windows has no such thing. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A pipe or a terminal, which keeps what it has been given. */
export class OutputStream implements Output {
  constructor(private readonly stream: NodeJS.WritableStream) {}

  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  async commit(): Promise<void> {}

  async abort(): Promise<void> {}
}
