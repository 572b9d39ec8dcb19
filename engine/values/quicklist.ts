/**
 * A list too large for its key's record: a double-ended queue of chunks, each a listpack in the slab.
 *
 * Each chunk carries the position of its first element on a number line of its list, on which a push at the
 * head counts down and one at the tail counts up. An index is then found by interpolating between positions:
 * O(1) where chunks hold about equal numbers, O(log chunks) at worst. Only a change in the middle counts
 * positions anew, from there to the nearer end.
 *
 * Which element lies in which chunk follows from the operations alone: never from addresses, capacities or a
 * snapshot under way.
 */
import type { Slab } from '../storage/slab.js';
import type { BigValue, ValueRestorer } from './big-value.js';
import type { ListCursor } from './list-cursor.js';
import {
  listpackElementSize,
  listpackEmptySize,
  listpackEnd,
  listpackHeaderSize,
  listpackSeek,
  listpackSize,
  listpackSizeOfBytes,
  resizeListpack,
  validateListpack,
  writeListpackBytes,
} from './listpack.js';
import { CHUNK_BYTES, QuicklistChunks } from './quicklist-chunks.js';
import type { Chunk } from './quicklist-walk.js';
import { replaceRange } from './replace-range.js';

/** Neighbours that together stay within this become one chunk when elements were removed from either. */
const MERGED_BYTES = CHUNK_BYTES / 2;

export class Quicklist extends QuicklistChunks implements BigValue {
  /** Number of elements. */
  length = 0;

  /** The position behind the last element. */
  private endPosition = 0;

  /** Where the last {@link seek} ended: chunk, and element within it. */
  private foundChunk = 0;
  private foundElement = 0;

  /** A list whose first chunk is the listpack at `start`. */
  static fromListpack(slab: Slab, buffer: Buffer, start: number): Quicklist {
    const list = new Quicklist(slab);
    list.adopt(list.copyChunk(buffer, start));
    return list;
  }

  /** Takes a list of `chunkCount` chunks over from its pieces. */
  static restorer(slab: Slab, chunkCount: number): ValueRestorer {
    const list = new Quicklist(slab);
    const chunks: Chunk[] = [];
    let missing = chunkCount;
    return {
      piece(at, bytes) {
        if (validateListpack(bytes, 0, bytes.length) <= 0) throw new Error(`chunk ${at} is damaged`);
        missing -= chunks[at] === undefined ? 1 : 0;
        chunks[at] = list.copyChunk(bytes, 0);
      },
      isComplete: () => missing === 0,
      finish() {
        if (missing !== 0 || chunks.length !== chunkCount)
          throw new Error(`${missing} chunks of a list are missing`);
        for (const chunk of chunks) list.adopt(chunk);
        return list;
      },
    };
  }

  get elementCount(): number {
    return this.length;
  }

  private adopt(chunk: Chunk): void {
    chunk.position = this.endPosition;
    this.chunks.push(chunk);
    this.length += chunk.count;
    this.endPosition = (this.endPosition + chunk.count) | 0;
  }

  // ---- finding ----

  /** Points `cursor` at the element `index`, which must exist. */
  seek(index: number, cursor: ListCursor): void {
    this.locate(index);
    this.point(cursor, this.foundChunk, this.foundElement);
  }

  /** Points `cursor` at element `element` of chunk `chunkIndex`. */
  point(cursor: ListCursor, chunkIndex: number, element: number): void {
    const address = this.chunks.peekAt(chunkIndex)!.address;
    cursor.list = this;
    cursor.chunkIndex = chunkIndex;
    cursor.element = element;
    cursor.buffer = this.slab.buffer(address);
    cursor.start = this.slab.offset(address);
    cursor.at = listpackSeek(cursor.buffer, cursor.start, element);
  }

  /** Points `cursor` at the last element of a chunk. */
  pointLast(cursor: ListCursor, chunkIndex: number): void {
    this.point(cursor, chunkIndex, this.chunks.peekAt(chunkIndex)!.count - 1);
  }

  /** Sets foundChunk and foundElement to where element `index` lies. */
  private locate(index: number): void {
    const chunks = this.chunks;
    let low = 0;
    let high = chunks.length - 1;
    const target = (chunks.peekFront()!.position + index) | 0;
    let probe = Math.floor((index / this.length) * chunks.length);
    for (let step = 0; low <= high; step++) {
      const chunk = chunks.peekAt(probe)!;
      const element = (target - chunk.position) | 0;
      if (element < 0) high = probe - 1;
      else if (element >= chunk.count) low = probe + 1;
      else {
        this.foundChunk = probe;
        this.foundElement = element;
        return;
      }
      if (step >= 3) {
        probe = (low + high) >>> 1;
        continue;
      }
      // A few guesses by the distance left, then halving.
      const guess = probe + Math.trunc((element / this.length) * chunks.length);
      probe = Math.min(high, Math.max(low, guess));
    }
    throw new Error(`element ${index} of a list of ${this.length} is in none of its chunks`);
  }

  // ---- the ends ----

  push(atHead: boolean, bytes: Buffer, start: number, length: number): void {
    const size = listpackSizeOfBytes(bytes, start, length);
    let chunk = atHead ? this.chunks.peekFront() : this.chunks.peekBack();
    if (chunk === undefined || !this.fits(chunk, size)) {
      if (chunk !== undefined) this.settle(chunk);
      const position = atHead && chunk !== undefined ? chunk.position : this.endPosition;
      chunk = this.newChunk(position, size);
      if (atHead) this.chunks.unshift(chunk);
      else this.chunks.push(chunk);
    }
    if (atHead) {
      this.insertIn(chunk, listpackHeaderSize, size, bytes, start, length);
      chunk.position = (chunk.position - 1) | 0;
    } else {
      this.insertIn(chunk, -1, size, bytes, start, length);
      this.endPosition = (this.endPosition + 1) | 0;
    }
    this.length++;
  }

  /** Removes `count` elements, at most as many as there are, from one end: O(chunks removed). */
  removeFromEnd(atHead: boolean, count: number): void {
    this.length -= count;
    if (!atHead) this.endPosition = (this.endPosition - count) | 0;
    while (count > 0) {
      const chunk = atHead ? this.chunks.peekFront()! : this.chunks.peekBack()!;
      if (chunk.count <= count) {
        count -= chunk.count;
        this.release(chunk);
        if (atHead) this.chunks.shift();
        else this.chunks.pop();
        continue;
      }
      this.reserve(chunk, 0);
      const buffer = this.slab.buffer(chunk.address);
      const start = this.slab.offset(chunk.address);
      if (atHead) {
        const first = start + listpackHeaderSize;
        const behind = listpackSeek(buffer, start, count);
        resizeListpack(buffer, start, first, behind - first, 0, -count);
        chunk.position = (chunk.position + count) | 0;
      } else {
        const from = listpackSeek(buffer, start, -count);
        resizeListpack(buffer, start, from, listpackEnd(buffer, start) - from, 0, -count);
      }
      chunk.count -= count;
      return;
    }
  }

  // ---- the middle ----

  /** Replaces the element `index`, which must exist. */
  set(index: number, bytes: Buffer, start: number, length: number): void {
    this.locate(index);
    const chunkIndex = this.foundChunk;
    const element = this.foundElement;
    const chunk = this.chunks.peekAt(chunkIndex)!;
    const size = listpackSizeOfBytes(bytes, start, length);
    let buffer = this.slab.buffer(chunk.address);
    let base = this.slab.offset(chunk.address);
    const at = listpackSeek(buffer, base, element) - base;
    const oldSize = listpackElementSize(buffer, base + at);
    const fits = chunk.count === 1 || listpackSize(buffer, base) - oldSize + size <= CHUNK_BYTES;
    this.reserve(chunk, fits ? Math.max(0, size - oldSize) : 0);
    buffer = this.slab.buffer(chunk.address);
    base = this.slab.offset(chunk.address);
    if (fits) {
      resizeListpack(buffer, base, base + at, oldSize, size, 0);
      writeListpackBytes(buffer, base + at, bytes, start, length);
      if (size < oldSize) this.settle(chunk);
      return;
    }
    resizeListpack(buffer, base, base + at, oldSize, 0, -1);
    chunk.count--;
    this.insertAt(chunkIndex, element, size, bytes, start, length);
  }

  /** Inserts an element before (or behind) the one that `cursor` points at. */
  insert(cursor: ListCursor, behind: boolean, bytes: Buffer, start: number, length: number): void {
    const size = listpackSizeOfBytes(bytes, start, length);
    this.insertAt(cursor.chunkIndex, cursor.element + (behind ? 1 : 0), size, bytes, start, length);
    this.length++;
  }

  /**
   * Inserts an element in a chunk, before its element number `element`. A chunk without room passes it to a
   * neighbour when it belongs at the edge, and is else split there. The chunk may just have lost an element
   * ({@link set}), uncounted by positions.
   */
  private insertAt(
    chunkIndex: number,
    element: number,
    size: number,
    bytes: Buffer,
    start: number,
    length: number,
  ): void {
    const chunk = this.chunks.peekAt(chunkIndex)!;
    if (this.fits(chunk, size)) {
      this.insertIn(chunk, this.offsetOf(chunk, element), size, bytes, start, length);
      this.reposition(chunkIndex, chunkIndex);
      return;
    }
    const previous = element === 0 && chunkIndex > 0 ? this.chunks.peekAt(chunkIndex - 1) : undefined;
    if (previous !== undefined && this.fits(previous, size)) {
      this.insertIn(previous, -1, size, bytes, start, length);
      this.reposition(chunkIndex - 1, chunkIndex);
      return;
    }
    const next = element === chunk.count ? this.chunks.peekAt(chunkIndex + 1) : undefined;
    if (next !== undefined && this.fits(next, size)) {
      this.insertIn(next, listpackHeaderSize, size, bytes, start, length);
      this.reposition(chunkIndex, chunkIndex + 1);
      return;
    }
    const pieces: Chunk[] = [];
    if (element > 0) pieces.push(chunk);
    const rest = element === 0 ? chunk : element < chunk.count ? this.split(chunk, element) : undefined;
    if (element > 0 && this.fits(chunk, size)) {
      this.insertIn(chunk, -1, size, bytes, start, length);
    } else if (rest !== undefined && this.fits(rest, size)) {
      this.insertIn(rest, listpackHeaderSize, size, bytes, start, length);
    } else {
      const own = this.newChunk(0, size);
      this.insertIn(own, -1, size, bytes, start, length);
      this.settle(own);
      pieces.push(own);
    }
    if (rest !== undefined) pieces.push(rest);
    replaceRange(this.chunks, chunkIndex, chunkIndex, pieces);
    this.reposition(chunkIndex, chunkIndex + pieces.length - 1);
  }

  /**
   * Removes the first (from the head or from the tail) `limit` elements that equal the bytes.
   *
   * @returns how many were removed
   */
  removeEqual(fromHead: boolean, limit: number, bytes: Buffer, start: number, length: number): number {
    const chunkCount = this.chunks.length;
    let removed = 0;
    let low = chunkCount;
    let high = -1;
    for (let step = 0; step < chunkCount && removed < limit; step++) {
      const index = fromHead ? step : chunkCount - 1 - step;
      const chunk = this.chunks.peekAt(index)!;
      const found = fromHead
        ? this.removeForwards(chunk, limit - removed, bytes, start, length)
        : this.removeBackwards(chunk, limit - removed, bytes, start, length);
      if (found === 0) continue;
      removed += found;
      low = Math.min(low, index);
      high = Math.max(high, index);
    }
    if (removed === 0) return 0;
    this.length -= removed;
    this.closeGaps(low, high);
    return removed;
  }

  /**
   * After removals in the chunks `low` to `high`: drops the empty ones, joins small neighbours, counts
   * positions anew.
   */
  private closeGaps(low: number, high: number): void {
    const from = Math.max(0, low - 1);
    const to = Math.min(this.chunks.length - 1, high + 1);
    const kept: Chunk[] = [];
    for (let index = from; index <= to; index++) {
      const chunk = this.chunks.peekAt(index)!;
      const last = kept.at(-1);
      if (chunk.count === 0) this.release(chunk);
      else if (
        last !== undefined &&
        this.sizeOf(last) + this.sizeOf(chunk) - listpackEmptySize <= MERGED_BYTES
      )
        this.join(last, chunk);
      else kept.push(chunk);
    }
    for (const chunk of kept) this.settle(chunk);
    if (kept.length <= to - from) replaceRange(this.chunks, from, to, kept);
    if (kept.length > 0) this.reposition(from, from + kept.length - 1);
  }

  /** Counts positions anew after the counts of the chunks `low` to `high` changed, towards the nearer end. */
  private reposition(low: number, high: number): void {
    const chunks = this.chunks;
    const count = chunks.length;
    if (low <= count - 1 - high) {
      let position = high + 1 < count ? chunks.peekAt(high + 1)!.position : this.endPosition;
      for (let i = high; i >= 0; i--) {
        const chunk = chunks.peekAt(i)!;
        position = (position - chunk.count) | 0;
        chunk.position = position;
      }
      return;
    }
    const previous = low === 0 ? undefined : chunks.peekAt(low - 1)!;
    let position = previous === undefined ? 0 : (previous.position + previous.count) | 0;
    for (let i = low; i < count; i++) {
      const chunk = chunks.peekAt(i)!;
      chunk.position = position;
      position = (position + chunk.count) | 0;
    }
    this.endPosition = position;
  }
}
