/**
 * Snapshots of the state machine, as files whose names carry index and term.
 *
 *   magic 8 bytes, u32 format version, u32 length of the metadata, metadata (JSON), u32 CRC-32 of all before
 *   blocks: u32 length, u32 CRC-32 of the data, seeded with the checksum before it, data
 *   end: u32 0, u32 CRC-32 of the next 8 bytes, seeded likewise, f64 data bytes in all
 *
 * Numbers are little endian. A block is checked before it is handed out, so that nobody ever sees a damaged
 * byte; a file without an end is no snapshot.
 */
import { basename, dirname, join } from 'node:path';
import type { NodeId, SnapshotMetadata } from '../../types.js';
import { type Disk, type DiskFile, syncFile, writeFile } from '../directory/disk.js';
import { isMembership } from '../directory/identity.js';
import { damageError, ioError, StorageError } from '../errors.js';
import { crc32 } from '../wal/crc32.js';

const snapshotVersion = 1;
const magic = Buffer.from('RDRFTSNP', 'latin1');
const namePattern = /^snapshot-(\d{16})-(\d{16})\.snap$/;
const blockBytesMax = 1024 * 1024;
const headerFixedBytes = 16;
/** So often a writer looks whether the disk has room. */
const lookEveryBytes = 2 * 1024 * 1024;
const metadataBytesMax = 16 * 1024 * 1024;
const advice = 'remove it; an older snapshot serves if the log behind it is whole';

export interface SnapshotInfo {
  readonly metadata: SnapshotMetadata;
  /** Bytes of the state machine's data. */
  readonly dataBytes: number;
  /** Whether this node cut it, from a log that was durable up to there; otherwise a peer sent it. */
  readonly isOwn: boolean;
}

/** Whose directory it is. */
export interface SnapshotOwner {
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

/** Takes a snapshot's data. Each `write` resolves when the next may come: that is the backpressure. */
export interface SnapshotWriter {
  write(chunk: Uint8Array): Promise<void>;
  /**
   * All has been written: makes it durable and reads it back, but keeps it apart. For what came from a peer;
   * then {@link commit}.
   */
  finish(): Promise<void>;
  /** Makes it durable and the newest one. */
  commit(): Promise<SnapshotInfo>;
  /** Leaves no trace. */
  abort(): Promise<void>;
}

/** Gives a snapshot's data, checked, in order. */
export interface SnapshotReader extends SnapshotInfo {
  /** The next piece, undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

export interface SnapshotStore {
  /** The newest good snapshot. */
  latest(): SnapshotInfo | undefined;
  /** @param isOwn whether this node cuts it; otherwise a peer sends it */
  begin(metadata: SnapshotMetadata, isOwn: boolean): Promise<SnapshotWriter>;
  /** The newest snapshot does not read back: it counts no more, and is removed when there is another. */
  distrust(damaged: SnapshotMetadata): void;
  /** Reads the newest snapshot. It may be removed meanwhile: the reader keeps it. */
  openLatest(): Promise<SnapshotReader | undefined>;
}

export function snapshotFile({ index, term }: SnapshotMetadata): string {
  return `snapshot-${String(index).padStart(16, '0')}-${String(term).padStart(16, '0')}.snap`;
}

/** Names of the snapshots among `names`, newest first. */
export function snapshotNames(names: readonly string[]): string[] {
  return names.filter((name) => namePattern.test(name)).sort((a, b) => (a < b ? 1 : -1));
}

export class FileSnapshotStore implements SnapshotStore {
  /** Names of files that do not read back. */
  private readonly damaged = new Set<string>();
  private newest: { path: string; info: SnapshotInfo } | undefined;

  private constructor(
    private readonly disk: Disk,
    private readonly directory: string,
    private readonly owner: SnapshotOwner,
    private readonly keep: number,
    private readonly reserveBytes: number,
  ) {}

  /**
   * Finds the newest good snapshot in `directory`. Damaged ones are passed over with a notice and left where
   * they are; whether an older one will do is for the log to say. Unfinished files are removed.
   */
  static async open(
    disk: Disk,
    directory: string,
    owner: SnapshotOwner,
    onNotice?: (text: string) => void,
    keep = 2,
    reserveBytes = 0,
  ): Promise<FileSnapshotStore> {
    const store = new FileSnapshotStore(disk, directory, owner, keep, reserveBytes);
    let names: string[];
    try {
      names = await disk.list(directory);
      for (const name of names) if (name.endsWith('.tmp')) await disk.unlink(join(directory, name));
      // A snapshot that can be seen may not have its name on the disk yet; the log behind it will be dropped.
      await disk.syncDirectory(directory);
    } catch (error) {
      throw ioError('cleaning', directory, error);
    }
    for (const name of snapshotNames(names)) {
      const path = join(directory, name);
      try {
        store.newest = { path, info: await verifySnapshot(disk, path, owner) };
        break;
      } catch (error) {
        onNotice?.((error as Error).message);
      }
    }
    return store;
  }

  latest(): SnapshotInfo | undefined {
    return this.newest?.info;
  }

  distrust({ index }: SnapshotMetadata): void {
    if (this.newest?.info.metadata.index !== index) return;
    this.damaged.add(basename(this.newest.path));
    this.newest = undefined;
  }

  async openLatest(): Promise<SnapshotReader | undefined> {
    return this.newest === undefined ? undefined : openSnapshot(this.disk, this.newest.path, this.owner);
  }

  async begin(metadata: SnapshotMetadata, isOwn: boolean): Promise<SnapshotWriter> {
    const path = join(this.directory, snapshotFile(metadata));
    const temporary = `${path}.tmp`;
    const leaveRoom = (): Promise<void> => this.leaveRoom(temporary);
    await leaveRoom();
    let file: DiskFile;
    try {
      file = await this.disk.open(temporary, 'create');
    } catch (error) {
      throw ioError('write', temporary, error);
    }
    const { clusterId, nodeId } = this.owner;
    const stated = { ...metadata, clusterId, cutBy: isOwn ? nodeId : 0 };
    const writer = new FileSnapshotWriter(
      file,
      metadata,
      stated,
      isOwn,
      this.disk,
      leaveRoom,
      async (info) => {
        await this.disk.rename(temporary, path);
        await this.disk.syncDirectory(this.directory);
        this.damaged.delete(basename(path));
        const current = this.newest?.info.metadata.index ?? 0;
        if (metadata.index >= current) this.newest = { path, info };
        await this.removeOld();
      },
    );
    await writer.begin();
    return writer;
  }

  /** A snapshot can wait, the log cannot: what is left of the disk is the log's. */
  private async leaveRoom(file: string): Promise<void> {
    if (this.reserveBytes === 0) return;
    const free = await this.disk.freeBytes(this.directory);
    if (free >= this.reserveBytes) return;
    const message = `${file} is not written: no space left on the disk but ${Math.floor(free / 1024)} KiB, which the log needs`;
    throw new StorageError('full', message, file);
  }

  private async removeOld(): Promise<void> {
    const newest = this.newest!.info.metadata;
    let names = snapshotNames(await this.disk.list(this.directory));
    for (const name of names) if (this.damaged.has(name)) await this.disk.unlink(join(this.directory, name));
    names = names.filter((name) => !this.damaged.has(name));
    this.damaged.clear();
    const upTo = names.indexOf(snapshotFile(newest));
    for (const name of names.slice(upTo + this.keep)) await this.disk.unlink(join(this.directory, name));
  }
}

/** The metadata as a file states it. */
export interface StatedMetadata extends SnapshotMetadata {
  readonly clusterId: string;
  /** The node that cut it and keeps it; 0 where a peer sent it. */
  readonly cutBy: NodeId;
  /** Of a backup: when it was taken, in milliseconds since 1970. */
  readonly takenMs?: number;
}

class FileSnapshotWriter implements SnapshotWriter {
  private position = 0;
  private checksum = 0;
  private dataBytes = 0;
  /** Written since it was last looked whether the disk has room. */
  private unlookedBytes = 0;
  private isEnded = false;

  constructor(
    private readonly file: DiskFile,
    private readonly metadata: SnapshotMetadata,
    private readonly stated: StatedMetadata,
    private readonly isOwn: boolean,
    private readonly disk: Disk,
    /** Rejects when the disk is nearly full. */
    private readonly leaveRoom: () => Promise<void>,
    private readonly publish: (info: SnapshotInfo) => Promise<void>,
  ) {}

  async begin(): Promise<void> {
    const metadata = Buffer.from(JSON.stringify(this.stated));
    const header = Buffer.alloc(headerFixedBytes + metadata.length + 4);
    magic.copy(header);
    header.writeUInt32LE(snapshotVersion, 8);
    header.writeUInt32LE(metadata.length, 12);
    metadata.copy(header, headerFixedBytes);
    this.checksum = crc32(header, 0, header.length - 4, 0);
    header.writeUInt32LE(this.checksum, header.length - 4);
    await this.put([header]);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += blockBytesMax) {
      const data = chunk.subarray(at, at + blockBytesMax);
      this.checksum = crc32(data, 0, data.length, this.checksum);
      this.dataBytes += data.length;
      this.unlookedBytes += data.length;
      if (this.unlookedBytes >= lookEveryBytes) {
        this.unlookedBytes = 0;
        await this.leaveRoom();
      }
      await this.put([frame(data.length, this.checksum), data]);
    }
  }

  async finish(): Promise<void> {
    await this.end();
    await verifySnapshot(this.disk, this.file.path, undefined);
  }

  async commit(): Promise<SnapshotInfo> {
    await this.end();
    const info = { metadata: this.metadata, dataBytes: this.dataBytes, isOwn: this.isOwn };
    try {
      await this.publish(info);
    } catch (error) {
      throw ioError('write', this.file.path, error);
    }
    return info;
  }

  /** Writes the end and syncs, once. */
  private async end(): Promise<void> {
    if (this.isEnded) return;
    this.isEnded = true;
    const total = Buffer.alloc(8);
    total.writeDoubleLE(this.dataBytes);
    await this.put([frame(0, crc32(total, 0, 8, this.checksum)), total]);
    try {
      await syncFile(this.file);
      await this.file.close();
    } catch (error) {
      throw ioError('write', this.file.path, error);
    }
  }

  async abort(): Promise<void> {
    await this.file.close().catch(() => {});
    await this.disk.unlink(this.file.path).catch(() => {});
  }

  private async put(buffers: readonly Uint8Array[]): Promise<void> {
    try {
      await writeFile(this.file, buffers, this.position);
    } catch (error) {
      throw ioError('write', this.file.path, error);
    }
    for (const buffer of buffers) this.position += buffer.length;
  }
}

function frame(length: number, checksum: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt32LE(checksum, 4);
  return bytes;
}

/**
 * Reads a snapshot file to its end.
 *
 * @throws StorageError naming the offset of the first damage, or saying that it is another cluster's or has
 * another's name
 */
export async function verifySnapshot(
  disk: Disk,
  path: string,
  owner: SnapshotOwner | undefined,
): Promise<SnapshotInfo> {
  const reader = new FileSnapshotReader(disk, path, owner);
  try {
    const metadata = await reader.begin();
    while ((await reader.next()) !== undefined);
    return { metadata, dataBytes: reader.dataBytes, isOwn: reader.isOwn };
  } finally {
    await reader.close();
  }
}

const openSnapshot = (disk: Disk, path: string, owner: SnapshotOwner): Promise<SnapshotReader> =>
  begun(new FileSnapshotReader(disk, path, owner));

/** A reader at its first record; it is closed where that cannot be read. */
async function begun<Reader extends FileSnapshotReader>(reader: Reader): Promise<Reader> {
  try {
    await reader.begin();
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}

class FileSnapshotReader implements SnapshotReader {
  metadata!: SnapshotMetadata;
  /** As the end of the file states it. */
  dataBytes = 0;
  isOwn = false;
  stated!: StatedMetadata;

  private file: DiskFile | undefined;
  private position = 0;
  private checksum = 0;
  private given = 0;
  private isAtEnd = false;

  constructor(
    private readonly disk: Disk,
    private readonly path: string,
    private readonly owner: SnapshotOwner | undefined,
    private readonly hasOwnName = true,
  ) {}

  async begin(): Promise<SnapshotMetadata> {
    const { path } = this;
    let size: number;
    try {
      this.file = await this.disk.open(path, 'read');
      size = await this.file.size();
    } catch (error) {
      throw ioError('read', path, error);
    }
    const fixed = await this.take(headerFixedBytes);
    if (magic.compare(fixed, 0, 8) !== 0)
      throw damageError(path, 0, 'it does not start as a snapshot does', advice);
    const version = fixed.readUInt32LE(8);
    if (version !== snapshotVersion) {
      const what = `format version ${version}; this release reads version ${snapshotVersion}`;
      throw damageError(path, 8, what, advice);
    }
    const length = fixed.readUInt32LE(12);
    if (length > metadataBytesMax) throw damageError(path, 12, 'an impossible length', advice);
    const rest = await this.take(length + 4);
    this.checksum = crc32(rest, 0, length, crc32(fixed, 0, headerFixedBytes, 0));
    if (rest.readUInt32LE(length) !== this.checksum)
      throw damageError(path, 0, 'its header does not match its checksum', advice);
    const stated = JSON.parse(rest.toString('utf8', 0, length)) as StatedMetadata;
    const { index, term, membership } = stated;
    if (!Number.isSafeInteger(index) || !Number.isSafeInteger(term) || !isMembership(membership)) {
      throw damageError(path, headerFixedBytes, 'its metadata is malformed', advice);
    }
    const metadata = { index, term, membership };
    this.stated = stated;
    if (this.hasOwnName && basename(path, '.tmp') !== snapshotFile(metadata)) {
      const what = `it is the snapshot of entry ${index} and term ${term}, by a wrong name`;
      throw damageError(path, headerFixedBytes, what, advice);
    }
    const { clusterId, nodeId } = this.owner ?? { clusterId: stated.clusterId, nodeId: 0 };
    // The first releases stated no cluster.
    if (stated.clusterId !== undefined && stated.clusterId !== clusterId) {
      const message = `${path} belongs to cluster ${stated.clusterId}, the directory to cluster ${clusterId}: ${advice}`;
      throw new StorageError('identity', message, path);
    }
    this.metadata = metadata;
    this.isOwn = stated.cutBy === nodeId;
    this.dataBytes = (await this.readEnd(size)) ?? 0;
    return metadata;
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.isAtEnd) return undefined;
    const { path, position } = this;
    const head = await this.take(8);
    const length = head.readUInt32LE(0);
    if (length > blockBytesMax)
      throw damageError(path, position, 'a block with an impossible length', advice);
    const data = await this.take(length === 0 ? 8 : length);
    this.checksum = crc32(data, 0, data.length, this.checksum);
    if (head.readUInt32LE(4) !== this.checksum)
      throw damageError(path, position, 'a block whose checksum does not match', advice);
    if (length > 0) {
      this.given += length;
      return data;
    }
    this.isAtEnd = true;
    if (data.readDoubleLE(0) !== this.given)
      throw damageError(path, position, 'its end states another length', advice);
    return undefined;
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  /** What the end states as length, for progress reports; whether it is true is checked on arrival there. */
  private async readEnd(size: number): Promise<number | undefined> {
    if (size < this.position + 16) throw damageError(this.path, size, 'it was cut short', advice);
    const end = Buffer.alloc(8);
    await this.file!.read(end, size - 8);
    return end.readDoubleLE(0);
  }

  private async take(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    let read: number;
    try {
      read = await this.file!.read(bytes, this.position);
    } catch (error) {
      throw ioError('read', this.path, error);
    }
    if (read < length) throw damageError(this.path, this.position + read, 'it was cut short', advice);
    this.position += length;
    return bytes;
  }
}

/** A snapshot in a file of its own, under any name: a backup. */
export interface StandaloneSnapshot extends SnapshotReader {
  readonly stated: StatedMetadata;
}

/** @throws StorageError for what is no snapshot, or begins with damage */
export const openStandaloneSnapshot = (disk: Disk, path: string): Promise<StandaloneSnapshot> =>
  begun(new FileSnapshotReader(disk, path, undefined, false));

/** Writes a snapshot to `temporary`, and puts it to `path`, where it appears as a whole or not at all. */
export async function createStandaloneSnapshot(
  disk: Disk,
  path: string,
  temporary: string,
  stated: StatedMetadata,
): Promise<SnapshotWriter> {
  let file: DiskFile;
  try {
    file = await disk.open(temporary, 'create');
  } catch (error) {
    throw ioError('write', temporary, error);
  }
  const writer = new FileSnapshotWriter(
    file,
    stated,
    stated,
    false,
    disk,
    async () => {},
    async () => {
      await disk.rename(temporary, path);
      await disk.syncDirectory(dirname(path));
    },
  );
  await writer.begin();
  return writer;
}

/** The newest snapshot in memory, for a node that keeps no files. */
export class MemorySnapshotStore implements SnapshotStore {
  private newest: { info: SnapshotInfo; chunks: readonly Uint8Array[] } | undefined;

  latest(): SnapshotInfo | undefined {
    return this.newest?.info;
  }

  async begin(metadata: SnapshotMetadata, isOwn: boolean): Promise<SnapshotWriter> {
    const chunks: Uint8Array[] = [];
    let dataBytes = 0;
    return {
      write: async (chunk) => {
        chunks.push(Uint8Array.from(chunk));
        dataBytes += chunk.length;
      },
      finish: async () => {},
      commit: async () => {
        const info = { metadata, dataBytes, isOwn };
        if (metadata.index >= (this.newest?.info.metadata.index ?? 0)) this.newest = { info, chunks };
        return info;
      },
      abort: async () => {},
    };
  }

  distrust(): void {}

  async openLatest(): Promise<SnapshotReader | undefined> {
    if (this.newest === undefined) return undefined;
    const { info, chunks } = this.newest;
    let at = 0;
    return { ...info, next: async () => chunks[at++], close: async () => {} };
  }
}
