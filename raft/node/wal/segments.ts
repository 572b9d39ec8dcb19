/** The files of the log and, sparsely, which entry lies where in them. */
import type { Entry } from '../../types.js';
import type { DiskFile } from '../directory/disk.js';
import { damageError, ioError, logDamageAdvice } from '../errors.js';
import { RecordReader } from './record.js';

export interface Segment {
  readonly sequence: number;
  readonly path: string;
  readonly file: DiskFile;
  /** Position of byte 0. */
  readonly base: number;
  /** The index that was to come next when the segment was begun. */
  readonly firstIndex: number;
  /** Bytes in use. */
  end: number;
}

/** A place where reading may start, and the index from which on another place is to be used. */
export interface Location {
  readonly segment: Segment;
  readonly offset: number;
  readonly limit: number;
}

/** One place in this many bytes is remembered. */
const placeDistanceBytes = 64 * 1024;

const readChunkBytes = 256 * 1024;
const readChunkMaxBytes = 4 * 1024 * 1024;

export class WalSegments {
  readonly segments: Segment[] = [];
  /** Index of the last entry that was written. */
  lastWritten = 0;

  private readonly placeIndex: number[] = [];
  private readonly placeOffset: number[] = [];
  /** Sequence numbers. */
  private readonly placeSegment: number[] = [];

  constructor(private readonly salt: number) {}

  get active(): Segment {
    return this.segments.at(-1)!;
  }

  /** Position of the end of the log. */
  get position(): number {
    return this.active.base + this.active.end;
  }

  /** The log is void up to here; the next entry is `firstIndex`. */
  reset(firstIndex: number): void {
    this.placeIndex.length = 0;
    this.placeOffset.length = 0;
    this.placeSegment.length = 0;
    this.lastWritten = firstIndex - 1;
  }

  /**
   * Notes that `count` entries from `firstIndex` on lie in the record at `offset` of segment `sequence`.
   * Where they replace older ones a place is always noted, so that from a place up to the next one, indices
   * ascend without a break.
   */
  note(sequence: number, offset: number, firstIndex: number, count: number): void {
    let places = this.placeIndex.length;
    const replaces = firstIndex <= this.lastWritten;
    if (replaces) {
      while (places > 0 && this.placeIndex[places - 1]! >= firstIndex) places--;
      this.placeIndex.length = places;
      this.placeOffset.length = places;
      this.placeSegment.length = places;
    }
    const isNear =
      places > 0 &&
      this.placeSegment[places - 1] === sequence &&
      offset - this.placeOffset[places - 1]! < placeDistanceBytes;
    if (replaces || !isNear) {
      this.placeIndex.push(firstIndex);
      this.placeOffset.push(offset);
      this.placeSegment.push(sequence);
    }
    this.lastWritten = firstIndex + count - 1;
  }

  /** Where to start reading for the entry at `index`, which must have been written. */
  locate(index: number): Location {
    let low = 0;
    let high = this.placeIndex.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.placeIndex[middle]! <= index) low = middle;
      else high = middle;
    }
    return {
      segment: this.segments[this.placeSegment[low]! - this.segments[0]!.sequence]!,
      offset: this.placeOffset[low]!,
      limit: this.placeIndex[low + 1] ?? this.lastWritten + 1,
    };
  }

  /** Index of the first entry that lies in `segment` or after it and is still valid. */
  firstIndexIn(segment: Segment): number {
    const place = this.placeSegment.findIndex((sequence) => sequence >= segment.sequence);
    return place === -1 ? this.lastWritten + 1 : this.placeIndex[place]!;
  }

  /** Bytes from the start of `segment` to the end of the log. */
  bytesFrom(segment: Segment): number {
    return this.position - segment.base;
  }

  /** Forgets all segments before `segment` and returns them, oldest first. */
  dropBefore(segment: Segment): Segment[] {
    const dropped = this.segments.splice(0, this.segments.indexOf(segment));
    const places = this.placeSegment.findIndex((sequence) => sequence >= segment.sequence);
    const count = places === -1 ? this.placeSegment.length : places;
    this.placeIndex.splice(0, count);
    this.placeOffset.splice(0, count);
    this.placeSegment.splice(0, count);
    return dropped;
  }

  /** Entries from `low` on out of one part of the files; returns their payload bytes. */
  read(low: number, high: number, maxBytes: number, into: Entry[]): number {
    const { segment, offset, ...place } = this.locate(low);
    const want = Math.min(readChunkMaxBytes, Math.max(readChunkBytes, maxBytes + readChunkBytes));
    let bytes = this.readBytes(segment, offset, want);
    const reader = new RecordReader(bytes, this.salt);
    let { limit } = place;
    let start = offset;
    let at = 0;
    let taken = 0;
    while (low < high && (into.length === 0 || taken < maxBytes)) {
      if (low >= limit) {
        // Go on where the next place is what comes next anyway.
        const next = this.locate(low);
        if (next.segment !== segment || next.offset !== start + at) return taken;
        limit = next.limit;
      }
      const fault = reader.next(at, undefined);
      const isCut = fault === 'incomplete' || at >= bytes.length;
      if (isCut && start + bytes.length < segment.end) {
        // The record goes on behind what was read: enough if there are entries to return, else read it whole.
        if (taken > 0) return taken;
        start += at;
        bytes = this.readBytes(segment, start, Math.max(want, reader.length + 32));
        reader.use(bytes);
        at = 0;
        continue;
      }
      if (fault !== undefined) {
        throw damageError(
          segment.path,
          start + at,
          `entry ${low} does not read back as it was written`,
          logDamageAdvice,
        );
      }
      const before = into.length;
      taken += reader.entries(low, Math.min(high, limit), maxBytes - taken, into);
      if (into.length > before) low = into.at(-1)!.index + 1;
      // A record that was not used up: the next of its entries is more than was asked for.
      if (reader.count > 0 && reader.firstIndex + reader.count > low) return taken;
      at = reader.end;
    }
    return taken;
  }

  private readBytes(segment: Segment, offset: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(Math.min(length, segment.end - offset));
    try {
      return bytes.subarray(0, segment.file.readSync(bytes, offset));
    } catch (error) {
      throw ioError('read', segment.path, error);
    }
  }
}
