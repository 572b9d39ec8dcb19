/**
 * Reads a whole log without changing it, and judges where it ends: at a clean end, in a torn tail (bytes
 * after the position that was known to be durable: a crash may leave them in any state), or in damage
 * (durable bytes that have changed). Recovery and `redraft check` stand on the same judgement.
 */
import { join } from 'node:path';
import type { Disk, DiskFile } from '../directory/disk.js';
import { ioError } from '../errors.js';
import {
  findLaterBatch,
  formatVersion,
  preludeBytes,
  type RecordFault,
  RecordReader,
  readPrelude,
  recordKind,
  type SegmentHeader,
} from './record.js';

const segmentName = /^(\d{16})\.wal$/;
const readPieceBytes = 8 * 1024 * 1024;

export function segmentFile(sequence: number): string {
  return `${String(sequence).padStart(16, '0')}.wal`;
}

export interface SegmentScan {
  readonly path: string;
  readonly sequence: number;
  /** Bytes of the file. */
  readonly size: number;
  /** Undefined only where the header itself is at fault. */
  readonly header: SegmentHeader | undefined;
  /** Offset after the last good record. */
  readonly end: number;
  /** Checksum of the last good record. */
  readonly checksum: number;
  readonly batches: number;
  readonly entries: number;
}

export interface LogProblem {
  readonly kind: 'torn' | 'damaged';
  readonly file: string;
  readonly offset: number;
  readonly what: string;
}

export interface LogScan {
  readonly segments: readonly SegmentScan[];
  /** Files before a hole in the numbering: what an interrupted compaction may leave. They are not read. */
  readonly strays: readonly string[];
  /** The last file, when its creation did not come to an end: it holds nothing. */
  readonly unborn: string | undefined;
  readonly problem: LogProblem | undefined;
  /** The highest position that a good record states as known to be durable. */
  readonly synced: number;
  /** Bytes of the last segment from the position known to be durable to the end of the last good record. */
  readonly unsyncedTail: Uint8Array;
}

export interface LogVisitor {
  /** The header of a segment, or a batch in it: the reader's fields describe it. */
  record(reader: RecordReader, segment: SegmentHeader): void;
  /** After each segment: bytes read so far and in all. */
  progress?(bytes: number, bytesTotal: number): void;
}

const faultText: Record<RecordFault, string> = {
  end: 'zeros where a record was',
  incomplete: 'a record that reaches beyond the end of the file',
  length: 'a record with an impossible length',
  checksum: 'a record whose checksum does not match',
  chain: 'a record that does not follow the one before it',
  kind: 'a record of an unknown kind',
  shape: 'a record that contradicts itself',
};

/** Reads the log in `directory`. Throws a StorageError where the disk refuses a read. */
export async function scanLog(
  disk: Disk,
  directory: string,
  salt: number,
  visitor: LogVisitor,
): Promise<LogScan> {
  const { sequences, strays } = contiguous(await disk.list(directory));
  const paths = sequences.map((sequence) => join(directory, segmentFile(sequence)));
  const segments: SegmentScan[] = [];
  const reader = new RecordReader(new Uint8Array(0), salt);
  let unborn: string | undefined;
  let problem: LogProblem | undefined;
  let synced = 0;
  let unsyncedTail = new Uint8Array(0);
  let bytesRead = 0;
  let bytesTotal = 0;
  for (const path of paths) bytesTotal += await fileSize(disk, path);

  // The next segment is read while this one is parsed.
  let reading = paths.length > 0 ? readSegment(disk, paths[0]!) : undefined;
  let following: Promise<Uint8Array> | undefined;
  for (let i = 0; i < paths.length && problem === undefined; i++) {
    const path = paths[i]!;
    const bytes: Uint8Array = await reading!;
    following = i + 1 < paths.length ? readSegment(disk, paths[i + 1]!) : undefined;
    following?.catch(() => {});
    const isLast = i + 1 === paths.length;
    const before = segments.at(-1);
    reader.use(bytes);
    const opened = openSegment(reader, bytes, path, sequences[i]!, before);
    if (typeof opened === 'string') {
      const provesDamage =
        !isLast ||
        (before === undefined && sequences[i] !== 1) ||
        findLaterBatch(bytes, preludeBytes, Number.POSITIVE_INFINITY, -1, salt) !== undefined;
      if (provesDamage) problem = { kind: 'damaged', file: path, offset: 0, what: opened };
      else unborn = path;
      break;
    }
    const header = opened;
    visitor.record(reader, header);
    synced = Math.max(synced, reader.synced, header.base);
    const scan = scanRecords(reader, header, visitor);
    synced = Math.max(synced, scan.synced);
    segments.push({ path, sequence: header.sequence, size: bytes.length, header, ...scan });
    if (!isLast) {
      // A segment is synced whole before the next one is made, so that nothing in it can be torn.
      if (scan.fault !== 'end')
        problem = { kind: 'damaged', file: path, offset: scan.end, what: faultText[scan.fault] };
    } else {
      problem = judgeTail(bytes, scan.end, scan.fault, header.base, path, salt);
      unsyncedTail = bytes.slice(Math.max(0, Math.min(scan.end, synced - header.base)), scan.end);
    }
    bytesRead += bytes.length;
    visitor.progress?.(bytesRead, bytesTotal);
    reading = following;
  }
  // With an unborn file behind it, the last segment is one that was synced whole.
  if (unborn !== undefined && segments.length > 0) {
    const last = segments.at(-1)!;
    synced = Math.max(synced, last.header!.base + last.end);
  }
  return { segments, strays, unborn, problem, synced, unsyncedTail };
}

/** The numbers of the newest run of segments without a hole, and the names of files before it. */
function contiguous(names: readonly string[]): { sequences: number[]; strays: string[] } {
  const found = names
    .filter((name) => segmentName.test(name))
    .map((name) => Number(segmentName.exec(name)![1]));
  let start = found.length - 1;
  while (start > 0 && found[start - 1] === found[start]! - 1) start--;
  return {
    sequences: found.slice(Math.max(0, start)),
    strays: found.slice(0, Math.max(0, start)).map(segmentFile),
  };
}

async function fileSize(disk: Disk, path: string): Promise<number> {
  return withFile(disk, path, (file) => file.size());
}

async function readSegment(disk: Disk, path: string): Promise<Uint8Array> {
  return withFile(disk, path, async (file) => {
    const bytes = Buffer.allocUnsafeSlow(await file.size());
    let at = 0;
    while (at < bytes.length) {
      const read = await file.read(bytes.subarray(at, at + readPieceBytes), at);
      if (read === 0) break;
      at += read;
    }
    return bytes.subarray(0, at);
  });
}

async function withFile<T>(disk: Disk, path: string, work: (file: DiskFile) => Promise<T>): Promise<T> {
  try {
    const file = await disk.open(path, 'read');
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError('read', path, error);
  }
}

/** The header at the start of a segment, or what is wrong with it. The reader stands on it afterwards. */
function openSegment(
  reader: RecordReader,
  bytes: Uint8Array,
  path: string,
  sequence: number,
  before: SegmentScan | undefined,
): SegmentHeader | string {
  const version = readPrelude(bytes);
  if (version === undefined) return 'it does not start as a log segment does';
  if (version !== formatVersion)
    return `format version ${version}; this release reads version ${formatVersion}`;
  const fault = reader.next(preludeBytes, before?.checksum);
  if (fault !== undefined) return faultText[fault];
  if (reader.kind !== recordKind.header) return 'it lacks a header';
  const header = reader.header();
  if (header.sequence !== sequence) return `it is segment ${header.sequence}, by a wrong name (${path})`;
  if (before !== undefined && header.base !== before.header!.base + before.end)
    return 'it does not follow the segment before';
  return header;
}

interface RecordsScan {
  end: number;
  checksum: number;
  synced: number;
  batches: number;
  entries: number;
  fault: RecordFault;
}

function scanRecords(reader: RecordReader, header: SegmentHeader, visitor: LogVisitor): RecordsScan {
  let { end, checksum } = reader;
  let synced = 0;
  let batches = 0;
  let entries = 0;
  for (;;) {
    let fault = reader.next(end, checksum);
    if (fault === undefined && reader.kind !== recordKind.batch) fault = 'kind';
    if (fault !== undefined) return { end, checksum, synced, batches, entries, fault };
    visitor.record(reader, header);
    end = reader.end;
    checksum = reader.checksum;
    if (reader.synced > synced) synced = reader.synced;
    batches++;
    entries += reader.count;
  }
}

function judgeTail(
  bytes: Uint8Array,
  end: number,
  fault: RecordFault,
  base: number,
  path: string,
  salt: number,
): LogProblem | undefined {
  if (fault === 'end' && isZero(bytes, end)) return undefined;
  const proof = findLaterBatch(bytes, end, base, base + end, salt);
  if (proof === undefined) return { kind: 'torn', file: path, offset: end, what: faultText[fault] };
  return {
    kind: 'damaged',
    file: path,
    offset: end,
    what: `${faultText[fault]}, while the record at offset ${proof} says that it was durable`,
  };
}

function isZero(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
