/** The files of the log and, sparsely, which entry lies where in them. */
import type { DiskFile } from './disk.js';

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

export class WalSegments {
  readonly segments: Segment[] = [];
  /** Index of the last entry that was written. */
  lastWritten = 0;

  private readonly placeIndex: number[] = [];
  private readonly placeOffset: number[] = [];
  /** Sequence numbers. */
  private readonly placeSegment: number[] = [];

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
   * Notes that `count` entries from `firstIndex` on lie in the record at `offset` of segment `sequence`. Where they replace older ones a
   * place is always noted, so that from a place up to the next one, indices ascend without a break.
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
}
