/**
 * Entries of the log in a file of a backup: what follows a base, so that a point in time can be named.
 *
 *     header   magic 8 bytes, u32 length of the JSON, JSON {format, clusterId, after}, u32 CRC-32 of it all
 *     block    u32 length, u32 CRC-32 of the data, seeded with the checksum before it; entries:
 *              index f64, term f64, kind u8, length u32, payload
 *
 * Numbers are little-endian. A block is written and synced as a whole: a torn one at the end is none.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Entry, EntryKind } from '../../raft/index.js';
import { crc32 } from '../../raft/node/index.js';

const MAGIC = 'RDRFTLOG';
const FORMAT = 1;
const HEAD_BYTES = 12;
const HEADER_MAX = 64 * 1024;
const BLOCK_HEAD_BYTES = 8;
const BLOCK_BYTES_MAX = 1024 * 1024 * 1024;
const ENTRY_HEAD_BYTES = 21;

/** A file that is none of a backup, or a damaged one. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

export interface LogFileHead {
  readonly clusterId: string;
  /** The entry before the first. */
  readonly after: number;
}

const checksumOf = (bytes: Uint8Array, seed = 0): number => crc32(bytes, 0, bytes.length, seed);

function encodeHead({ clusterId, after }: LogFileHead): Buffer {
  const json = Buffer.from(JSON.stringify({ format: FORMAT, clusterId, after }));
  const head = Buffer.alloc(HEAD_BYTES + json.length + 4);
  head.latin1Write(MAGIC, 0);
  head.writeUInt32LE(json.length, 8);
  json.copy(head, HEAD_BYTES);
  head.writeUInt32LE(checksumOf(head.subarray(0, -4)), head.length - 4);
  return head;
}

export function encodeEntries(entries: readonly Entry[]): Buffer {
  let length = 0;
  for (const { payload } of entries) length += ENTRY_HEAD_BYTES + payload.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { index, term, kind, payload } of entries) {
    bytes.writeDoubleLE(index, at);
    bytes.writeDoubleLE(term, at + 8);
    bytes[at + 16] = kind;
    bytes.writeUInt32LE(payload.length, at + 17);
    bytes.set(payload, at + ENTRY_HEAD_BYTES);
    at += ENTRY_HEAD_BYTES + payload.length;
  }
  return bytes;
}

/** @throws BackupError for what {@link encodeEntries} has not written */
export function decodeEntries(bytes: Buffer, where: string): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end =
      bytes.length - at < ENTRY_HEAD_BYTES ? Number.NaN : at + ENTRY_HEAD_BYTES + bytes.readUInt32LE(at + 17);
    if (!(end <= bytes.length)) throw new BackupError(`${where}: an entry ends behind its block`);
    entries.push({
      index: bytes.readDoubleLE(at),
      term: bytes.readDoubleLE(at + 8),
      kind: bytes[at + 16] as EntryKind,
      payload: bytes.subarray(at + ENTRY_HEAD_BYTES, end),
    });
    at = end;
  }
  return entries;
}

/** Appends entries, each call durable when it resolves. */
export class LogFileWriter {
  private constructor(
    private readonly file: FileHandle,
    private position: number,
    private checksum: number,
    /** The last entry that it holds. */
    public last: number,
  ) {}

  static async create(path: string, head: LogFileHead): Promise<LogFileWriter> {
    const bytes = encodeHead(head);
    const file = await open(path, 'wx', 0o600);
    await file.write(bytes, 0, bytes.length, 0);
    await file.sync();
    return new LogFileWriter(file, bytes.length, checksumOf(bytes), head.after);
  }

  /** Goes on behind the last whole block; a torn one is cut. @throws BackupError for a damaged head */
  static async reopen(path: string): Promise<LogFileWriter> {
    const reader = await LogFileReader.open(path);
    let last = reader.head.after;
    for (let entries = await reader.next(); entries !== undefined; entries = await reader.next())
      last = entries.at(-1)?.index ?? last;
    const { position, checksum } = reader;
    await reader.close();
    const file = await open(path, 'r+');
    await file.truncate(position);
    return new LogFileWriter(file, position, checksum, last);
  }

  async append(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const data = encodeEntries(entries);
    const block = Buffer.alloc(BLOCK_HEAD_BYTES + data.length);
    const checksum = checksumOf(data, this.checksum);
    block.writeUInt32LE(data.length, 0);
    block.writeUInt32LE(checksum, 4);
    data.copy(block, BLOCK_HEAD_BYTES);
    await this.file.write(block, 0, block.length, this.position);
    await this.file.datasync();
    this.position += block.length;
    this.checksum = checksum;
    this.last = entries.at(-1)!.index;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

export class LogFileReader {
  /** Behind the last whole block. */
  position = 0;
  checksum = 0;
  /** Bytes behind {@link position} at the end that are no whole block. */
  tornBytes = 0;

  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly size: number,
    readonly head: LogFileHead,
  ) {}

  static async open(path: string): Promise<LogFileReader> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const fixed = await readExactly(file, 0, HEAD_BYTES);
      const length = fixed?.readUInt32LE(8) ?? 0;
      const rest = length > HEADER_MAX ? undefined : await readExactly(file, HEAD_BYTES, length + 4);
      if (fixed === undefined || rest === undefined || fixed.latin1Slice(0, 8) !== MAGIC)
        throw new BackupError(`${path} holds no log of a backup`);
      const checksum = checksumOf(rest.subarray(0, length), checksumOf(fixed));
      if (rest.readUInt32LE(length) !== checksum)
        throw new BackupError(`${path} is damaged: its head does not match its checksum`);
      const { format, clusterId, after } = JSON.parse(rest.toString('utf8', 0, length)) as Record<
        string,
        unknown
      >;
      if (format !== FORMAT)
        throw new BackupError(`${path} has format ${format}; this release reads ${FORMAT}`);
      const reader = new LogFileReader(path, file, size, {
        clusterId: String(clusterId),
        after: Number(after),
      });
      reader.position = HEAD_BYTES + length + 4;
      reader.checksum = checksumOf(Buffer.concat([fixed, rest]));
      return reader;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * The entries of the next block; undefined at the end.
   *
   * @throws BackupError for damage that is no torn end
   */
  async next(): Promise<readonly Entry[] | undefined> {
    const { path, position, size } = this;
    if (position === size) return undefined;
    const head = await readExactly(this.file, position, BLOCK_HEAD_BYTES);
    const length = head?.readUInt32LE(0) ?? 0;
    const isWhole =
      head !== undefined && length <= BLOCK_BYTES_MAX && position + BLOCK_HEAD_BYTES + length <= size;
    const data = isWhole ? await readExactly(this.file, position + BLOCK_HEAD_BYTES, length) : undefined;
    if (data === undefined || checksumOf(data, this.checksum) !== head!.readUInt32LE(4)) {
      // Only the last block may be torn: whatever follows a whole one that is wrong is lost.
      if (data !== undefined && position + BLOCK_HEAD_BYTES + length < size)
        throw new BackupError(
          `${path} is damaged at offset ${position}: a block does not match its checksum`,
        );
      this.tornBytes = size - position;
      return undefined;
    }
    this.position = position + BLOCK_HEAD_BYTES + length;
    this.checksum = head!.readUInt32LE(4);
    return decodeEntries(data, path);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytesRead === length ? bytes : undefined;
}
