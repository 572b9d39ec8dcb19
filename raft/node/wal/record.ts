/**
 * The bytes of the write-ahead log.
 *
 * A segment is a 16-byte prelude (magic, format version) and then records, each starting at a multiple of 8:
 *
 *      0  u32  length of the body: bytes from 24 on, without the padding to the next multiple of 8. Never 0, so that zeros
 *              (a preallocated or lost part) are never a record
 *      4  u32  CRC-32 of bytes 8 .. 24 + length, seeded with the directory's salt
 *      8  u32  checksum of the record before (the chain: a record out of place is refused)
 *     12  u32  kind: 1 header, 2 batch
 *     16  f64  synced: the position up to which the log was known to be durable when this record was written
 *     24  f64  term       \
 *     32  f64  vote        > the hard state as of this record
 *     40  f64  commit     /
 *     48  f64  first index of the entries below; in a header: the index that the next entry is expected to have
 *     56  f64  term of the entry before that one
 *
 *  batch: 64 f64 term of the entries, 72 u32 count, 76 u32[count] length | kind << 30, then the payloads
 *  header: 64 f64 sequence number of the segment, 72 f64 position of the segment's byte 0, 80 f64 node id, 88 u32 1 if the log
 *          before this segment is void (a snapshot took its place), 92 cluster id (latin1)
 *
 * Positions count bytes over all segments. All numbers are little endian. Why a layout of our own and not
 * CBOR: recovery passes over a million records a second, and a record's place can be judged without parsing
 * its payloads.
 */
import type { Entry, EntryKind, HardState } from '../../types.js';
import { crc32 } from './crc32.js';

export const formatVersion = 1;
export const preludeBytes = 16;
export const recordKind = { header: 1, batch: 2 } as const;

const magic = Buffer.from('RDRFTWAL', 'latin1');
const checksumFrom = 8;
const bodyFrom = 24;
const fixedBytes = 64;
const batchFixedBytes = 76;
const headerFixedBytes = 92;

/** Payloads from this length on are written from where they lie instead of being copied. */
const outOfLineBytes = 16 * 1024;
const scratchBytes = 256 * 1024;
/** One record holds at most this many entries and payload bytes, unless a single entry is larger. */
export const recordEntriesMax = 16_384;
export const recordPayloadMax = 1024 * 1024;
/** Payloads are at most this long: the length has 30 bits. */
export const payloadBytesMax = 2 ** 30 - 1;

export interface SegmentHeader {
  readonly sequence: number;
  /** Position of the segment's first byte. */
  readonly base: number;
  readonly nodeId: number;
  readonly clusterId: string;
  /** The log before this segment is void: a snapshot took its place. */
  readonly reset: boolean;
  readonly firstIndex: number;
  readonly previousTerm: number;
}

export function encodePrelude(): Uint8Array {
  const prelude = Buffer.alloc(preludeBytes);
  magic.copy(prelude);
  prelude.writeUInt32LE(formatVersion, 8);
  return prelude;
}

/** The format version that a segment states, or undefined if it does not start as a segment does. */
export function readPrelude(bytes: Uint8Array): number | undefined {
  if (bytes.length < preludeBytes || magic.compare(bytes, 0, 8) !== 0) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32LE(8);
}

/** Bytes that a record with a body of `length` takes in the file. */
function recordBytes(length: number): number {
  return (bodyFrom + length + 7) & ~7;
}

/** Lays records out in one reused buffer, ready for a gathered write. */
export class RecordEncoder {
  /** Checksum of the last record: the seed of the chain. */
  checksum = 0;
  /** Bytes laid out since `start`. */
  total = 0;

  private scratch = Buffer.allocUnsafeSlow(scratchBytes);
  private view = new DataView(this.scratch.buffer);
  private at = 0;
  private pieceStart = 0;
  private pieces: Uint8Array[] = [];

  constructor(private readonly salt: number) {}

  /** Begins a new write. What `finish` returned before must be written by now: the buffer is used again. */
  start(): void {
    this.at = 0;
    this.pieceStart = 0;
    this.total = 0;
    this.pieces = [];
  }

  /** The pieces to write, in order. */
  finish(): readonly Uint8Array[] {
    this.cutPiece();
    return this.pieces;
  }

  header(hardState: HardState, synced: number, header: SegmentHeader): void {
    const length = headerFixedBytes - bodyFrom + header.clusterId.length;
    const start = this.fixed(
      length,
      recordKind.header,
      hardState,
      synced,
      header.firstIndex,
      header.previousTerm,
      recordBytes(length),
    );
    this.view.setFloat64(start + 64, header.sequence, true);
    this.view.setFloat64(start + 72, header.base, true);
    this.view.setFloat64(start + 80, header.nodeId, true);
    this.view.setUint32(start + 88, header.reset ? 1 : 0, true);
    this.scratch.write(header.clusterId, start + headerFixedBytes, 'latin1');
    this.at = start + bodyFrom + length;
    this.seal(start, start + checksumFrom, this.salt);
    this.total += recordBytes(length);
  }

  /**
   * A batch of `entries[from..to)`, which have consecutive indices and one term. With none, the record only
   * states the hard state and the synced position; `firstIndex` and `previousTerm` then tell where the log
   * stands.
   */
  batch(
    hardState: HardState,
    synced: number,
    firstIndex: number,
    previousTerm: number,
    entries: readonly Entry[],
    from: number,
    to: number,
  ): void {
    let length = batchFixedBytes - bodyFrom + 4 * (to - from);
    let copied = length;
    for (let i = from; i < to; i++) {
      const bytes = entries[i]!.payload.length;
      length += bytes;
      if (bytes < outOfLineBytes) copied += bytes;
    }
    const start = this.fixed(
      length,
      recordKind.batch,
      hardState,
      synced,
      firstIndex,
      previousTerm,
      recordBytes(copied) + 8,
    );
    this.view.setFloat64(start + 64, to > from ? entries[from]!.term : 0, true);
    this.view.setUint32(start + 72, to - from, true);
    let at = start + batchFixedBytes;
    for (let i = from; i < to; i++, at += 4) {
      const entry = entries[i]!;
      this.view.setUint32(at, (entry.payload.length | (entry.kind << 30)) >>> 0, true);
    }
    let checksumStart = start + checksumFrom;
    let checksum = this.salt;
    for (let i = from; i < to; i++) {
      const payload = entries[i]!.payload;
      if (payload.length < outOfLineBytes) {
        this.scratch.set(payload, at);
        at += payload.length;
      } else {
        checksum = crc32(this.scratch, checksumStart, at, checksum);
        checksum = crc32(payload, 0, payload.length, checksum);
        this.at = at;
        this.cutPiece();
        this.pieces.push(payload);
        checksumStart = at;
      }
    }
    this.at = at;
    this.seal(start, checksumStart, checksum, recordBytes(length) - bodyFrom - length);
    this.total += recordBytes(length);
  }

  /** Makes room for `need` bytes and writes what all records share. Returns where the record starts. */
  private fixed(
    length: number,
    kind: number,
    hardState: HardState,
    synced: number,
    firstIndex: number,
    previousTerm: number,
    need: number,
  ): number {
    if (this.at + need > this.scratch.length) {
      this.cutPiece();
      this.scratch = Buffer.allocUnsafeSlow(Math.max(scratchBytes, need));
      this.view = new DataView(this.scratch.buffer);
      this.at = 0;
      this.pieceStart = 0;
    }
    const start = this.at;
    const view = this.view;
    view.setUint32(start, length, true);
    view.setUint32(start + 8, this.checksum, true);
    view.setUint32(start + 12, kind, true);
    view.setFloat64(start + 16, synced, true);
    view.setFloat64(start + 24, hardState.term, true);
    view.setFloat64(start + 32, hardState.vote, true);
    view.setFloat64(start + 40, hardState.commit, true);
    view.setFloat64(start + 48, firstIndex, true);
    view.setFloat64(start + 56, previousTerm, true);
    return start;
  }

  /** Closes the record at `start`: what lies from `checksumStart` to here is not yet in `checksum`. */
  private seal(
    start: number,
    checksumStart: number,
    checksum: number,
    padding = (8 - (this.at & 7)) & 7,
  ): void {
    this.checksum = crc32(this.scratch, checksumStart, this.at, checksum);
    this.view.setUint32(start + 4, this.checksum, true);
    this.scratch.fill(0, this.at, this.at + padding);
    this.at += padding;
  }

  private cutPiece(): void {
    if (this.at > this.pieceStart) this.pieces.push(this.scratch.subarray(this.pieceStart, this.at));
    this.pieceStart = this.at;
  }
}

/** Why the bytes at some place are not a record. `end`: nothing but zeros, or nothing at all. */
export type RecordFault = 'end' | 'incomplete' | 'length' | 'checksum' | 'chain' | 'kind' | 'shape';

/** Reads records one by one out of a buffer; the fields describe the record that `next` found last. */
export class RecordReader {
  offset = 0;
  /** Offset after the record found last, padding included. */
  end = 0;
  length = 0;
  checksum = 0;
  kind = 0;
  synced = 0;
  term = 0;
  vote = 0;
  commit = 0;
  firstIndex = 0;
  previousTerm = 0;
  entriesTerm = 0;
  count = 0;

  private view: DataView;

  constructor(
    private bytes: Uint8Array,
    private readonly salt: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Goes on with other bytes. */
  use(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /**
   * Looks at the record at `offset`. Returns undefined and sets the fields if it is whole and follows a
   * record whose checksum was `previous` (undefined: any); else why not. `incomplete` means that it reaches
   * beyond the bytes at hand.
   */
  next(offset: number, previous: number | undefined): RecordFault | undefined {
    const { view, bytes } = this;
    this.offset = offset;
    if (offset + 4 > bytes.length) return offset >= bytes.length ? 'end' : 'incomplete';
    const length = view.getUint32(offset, true);
    this.length = length;
    if (length === 0) return 'end';
    if (length < fixedBytes - bodyFrom) return 'length';
    if (offset + recordBytes(length) > bytes.length) return 'incomplete';
    const checksum = view.getUint32(offset + 4, true);
    if (crc32(bytes, offset + checksumFrom, offset + bodyFrom + length, this.salt) !== checksum)
      return 'checksum';
    if (previous !== undefined && view.getUint32(offset + 8, true) !== previous) return 'chain';
    this.checksum = checksum;
    this.kind = view.getUint32(offset + 12, true);
    this.synced = view.getFloat64(offset + 16, true);
    this.term = view.getFloat64(offset + 24, true);
    this.vote = view.getFloat64(offset + 32, true);
    this.commit = view.getFloat64(offset + 40, true);
    this.firstIndex = view.getFloat64(offset + 48, true);
    this.previousTerm = view.getFloat64(offset + 56, true);
    this.end = offset + recordBytes(length);
    if (this.kind === recordKind.batch) {
      if (length < batchFixedBytes - bodyFrom) return 'shape';
      this.entriesTerm = view.getFloat64(offset + 64, true);
      this.count = view.getUint32(offset + 72, true);
      return this.countFits() ? undefined : 'shape';
    }
    this.count = 0;
    if (this.kind !== recordKind.header) return 'kind';
    return length >= headerFixedBytes - bodyFrom ? undefined : 'shape';
  }

  private countFits(): boolean {
    return batchFixedBytes - bodyFrom + 4 * this.count <= this.length;
  }

  /** The chain value that the record found last states for its predecessor. */
  previousChecksum(): number {
    return this.view.getUint32(this.offset + 8, true);
  }

  header(): SegmentHeader {
    const { view, offset } = this;
    return {
      sequence: view.getFloat64(offset + 64, true),
      base: view.getFloat64(offset + 72, true),
      nodeId: view.getFloat64(offset + 80, true),
      reset: view.getUint32(offset + 88, true) === 1,
      clusterId: Buffer.from(
        this.bytes.buffer,
        this.bytes.byteOffset + offset + headerFixedBytes,
        this.length + bodyFrom - headerFixedBytes,
      ).toString('latin1'),
      firstIndex: this.firstIndex,
      previousTerm: this.previousTerm,
    };
  }

  /**
   * Appends to `into` those entries of the record found last that lie in `low <= index < high`, until their
   * payloads exceed `maxBytes` (the first one always). Payloads are views of the bytes. Returns the payload
   * bytes that were added.
   */
  entries(low: number, high: number, maxBytes: number, into: Entry[]): number {
    const { view, offset, firstIndex, entriesTerm, count } = this;
    const { buffer, byteOffset } = this.bytes;
    let at = offset + batchFixedBytes + 4 * count;
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const word = view.getUint32(offset + batchFixedBytes + 4 * i, true);
      const length = word & payloadBytesMax;
      const index = firstIndex + i;
      if (index >= high) break;
      if (index >= low) {
        if (into.length > 0 && taken + length > maxBytes) break;
        const payload = new Uint8Array(buffer, byteOffset + at, length);
        into.push({ index, term: entriesTerm, kind: (word >>> 30) as EntryKind, payload });
        taken += length;
      }
      at += length;
    }
    return taken;
  }

  /** Payload bytes of the record found last. */
  payloadBytes(): number {
    return this.length + bodyFrom - batchFixedBytes - 4 * this.count;
  }
}

/**
 * Looks behind a fault at `from` for a whole batch that was written when the log was already durable beyond
 * `position`, which is where the fault lies: proof that durable bytes have changed. Returns its offset, or
 * undefined: then the fault is a torn tail. `base` is the position of the bytes' start.
 */
export function findLaterBatch(
  bytes: Uint8Array,
  from: number,
  base: number,
  position: number,
  salt: number,
): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new RecordReader(bytes, salt);
  const last = bytes.length - batchFixedBytes;
  for (let at = (from + 7) & ~7; at <= last; at += 8) {
    if (view.getUint32(at, true) === 0 || view.getUint32(at + 12, true) !== recordKind.batch) continue;
    const synced = view.getFloat64(at + 16, true);
    if (!(synced > position) || synced > base + at) continue;
    if (reader.next(at, undefined) === undefined) return at;
  }
  return undefined;
}
