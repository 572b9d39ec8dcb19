/**
 * The chunks of a big list, each a listpack in the slab: what they take, and what changes one or two of them.
 * Which chunks there are and how their elements are numbered is up to the list (quicklist.ts). The list
 * extends this class instead of owning an object of it: that saves memory for each list, and time for each
 * push.
 *
 * Of denque's calls those at the ends and peekAt are used, which are sound; its `remove` and deleting
 * `splice` are not (see replace-range.ts).
 */
import Denque from 'denque';
import type { View } from '../protocol/view.js';
import { type Address, Slab } from '../storage/slab.js';
import type { PieceSink, ValueWalk } from './big-value.js';
import {
  listpackCount,
  listpackElementSize,
  listpackEmptySize,
  listpackEnd,
  listpackEquals,
  listpackFind,
  listpackFirst,
  listpackHeaderSize,
  listpackLast,
  listpackPrevious,
  listpackSeek,
  listpackSize,
  resizeListpack,
  writeEmptyListpack,
  writeListpackBytes,
} from './listpack.js';
import { Chunk, GIVEN, QuicklistWalk } from './quicklist-walk.js';

/**
 * The most bytes that a chunk of several elements takes; a larger element has a chunk to itself. One slab
 * block.
 */
export const CHUNK_BYTES = 4096;
/** From so many chunks on, a new one gets its full size at once. */
const MANY_CHUNKS = 4;

/** Estimates of what V8 takes for a chunk's object with its place in the queue, and for the list itself. */
const CHUNK_OBJECT_BYTES = 64;
const LIST_OBJECT_BYTES = 320;

const noBytes = Buffer.alloc(0);

export abstract class QuicklistChunks {
  readonly objectBytes = LIST_OBJECT_BYTES;

  protected readonly chunks = new Denque<Chunk>();
  private chunkBytes = 0;
  private current: QuicklistWalk | undefined;

  constructor(readonly slab: Slab) {}

  get memoryBytes(): number {
    return this.chunkBytes + this.chunks.length * CHUNK_OBJECT_BYTES + LIST_OBJECT_BYTES;
  }

  contentBytes(): number {
    let bytes = 0;
    for (let i = 0; i < this.chunks.length; i++) {
      const { address } = this.chunks.peekAt(i)!;
      bytes += listpackSize(this.slab.buffer(address), this.slab.offset(address));
    }
    return bytes;
  }

  get chunkCount(): number {
    return this.chunks.length;
  }

  /** The listpack of chunk `index`; valid until the list changes. */
  chunk(index: number, into: View): View {
    const address = this.chunks.peekAt(index)!.address;
    const buffer = this.slab.buffer(address);
    const start = this.slab.offset(address);
    return into.on(buffer, start, start + listpackSize(buffer, start));
  }

  // ---- elements of a chunk ----

  protected sizeOf({ address }: Chunk): number {
    return listpackSize(this.slab.buffer(address), this.slab.offset(address));
  }

  protected fits(chunk: Chunk, elementSize: number): boolean {
    return this.sizeOf(chunk) + elementSize <= CHUNK_BYTES;
  }

  /** Offset of an element from its chunk's start; that of the end mark for the element behind the last. */
  protected offsetOf(chunk: Chunk, element: number): number {
    if (element === chunk.count) return -1;
    const start = this.slab.offset(chunk.address);
    return listpackSeek(this.slab.buffer(chunk.address), start, element) - start;
  }

  /** Writes an element into a chunk at an offset from its start, -1 being its end. */
  protected insertIn(
    chunk: Chunk,
    offset: number,
    size: number,
    bytes: Buffer,
    start: number,
    length: number,
  ): void {
    this.reserve(chunk, size);
    const buffer = this.slab.buffer(chunk.address);
    const base = this.slab.offset(chunk.address);
    const at = offset < 0 ? listpackEnd(buffer, base) : base + offset;
    resizeListpack(buffer, base, at, 0, size, 1);
    writeListpackBytes(buffer, at, bytes, start, length);
    chunk.count++;
  }

  /**
   * Removes the first `limit` elements that equal the bytes.
   *
   * @returns how many were removed
   */
  protected removeForwards(
    chunk: Chunk,
    limit: number,
    bytes: Buffer,
    start: number,
    length: number,
  ): number {
    let buffer = this.slab.buffer(chunk.address);
    let base = this.slab.offset(chunk.address);
    let removed = 0;
    let at = listpackFind(buffer, listpackFirst(buffer, base), 0, bytes, start, length);
    if (at < 0) return 0;
    const offset = at - base;
    this.reserve(chunk, 0);
    buffer = this.slab.buffer(chunk.address);
    base = this.slab.offset(chunk.address);
    at = base + offset;
    while (at >= 0 && removed < limit) {
      resizeListpack(buffer, base, at, listpackElementSize(buffer, at), 0, -1);
      removed++;
      at = listpackFind(buffer, at, 0, bytes, start, length);
    }
    chunk.count -= removed;
    return removed;
  }

  /** {@link removeForwards} from the last element on. */
  protected removeBackwards(
    chunk: Chunk,
    limit: number,
    bytes: Buffer,
    start: number,
    length: number,
  ): number {
    let buffer = this.slab.buffer(chunk.address);
    let base = this.slab.offset(chunk.address);
    let removed = 0;
    for (let at = listpackLast(buffer, base); at >= 0 && removed < limit; ) {
      if (!listpackEquals(buffer, at, bytes, start, length)) {
        at = listpackPrevious(buffer, base, at);
        continue;
      }
      if (removed === 0) {
        const offset = at - base;
        this.reserve(chunk, 0);
        buffer = this.slab.buffer(chunk.address);
        base = this.slab.offset(chunk.address);
        at = base + offset;
      }
      resizeListpack(buffer, base, at, listpackElementSize(buffer, at), 0, -1);
      removed++;
      at = listpackPrevious(buffer, base, at);
    }
    chunk.count -= removed;
    return removed;
  }

  /** Moves the elements of a chunk from number `element` on to a new chunk, which is returned. */
  protected split(chunk: Chunk, element: number): Chunk {
    this.reserve(chunk, 0);
    const buffer = this.slab.buffer(chunk.address);
    const start = this.slab.offset(chunk.address);
    const from = listpackSeek(buffer, start, element);
    const end = listpackEnd(buffer, start);
    const moved = end - from;
    const count = chunk.count - element;
    const rest = new Chunk(this.allocate(listpackEmptySize + moved), 0, count);
    const target = this.slab.buffer(rest.address);
    const targetStart = this.slab.offset(rest.address);
    writeEmptyListpack(target, targetStart);
    resizeListpack(target, targetStart, targetStart + listpackHeaderSize, 0, moved, count);
    buffer.copy(target, targetStart + listpackHeaderSize, from, end);
    resizeListpack(buffer, start, from, moved, 0, -count);
    chunk.count = element;
    this.settle(chunk);
    return rest;
  }

  /** Moves all of `right` to the end of `left`. */
  protected join(left: Chunk, right: Chunk): void {
    const source = this.slab.buffer(right.address);
    const from = this.slab.offset(right.address) + listpackHeaderSize;
    const size = this.sizeOf(right) - listpackEmptySize;
    this.reserve(left, size);
    const buffer = this.slab.buffer(left.address);
    const start = this.slab.offset(left.address);
    const at = listpackEnd(buffer, start);
    resizeListpack(buffer, start, at, 0, size, right.count);
    source.copy(buffer, at, from, from + size);
    left.count += right.count;
    this.release(right);
  }

  // ---- the slab ----

  /** An empty chunk with room for an element. */
  protected newChunk(position: number, elementSize: number): Chunk {
    const chunk = new Chunk(this.allocate(this.roomFor(listpackEmptySize + elementSize)), position, 0);
    writeEmptyListpack(this.slab.buffer(chunk.address), this.slab.offset(chunk.address));
    return chunk;
  }

  /**
   * A chunk of the elements of the listpack at `start`, which belongs to the list once it is given a
   * position.
   */
  protected copyChunk(buffer: Buffer, start: number): Chunk {
    const size = listpackSize(buffer, start);
    const chunk = new Chunk(this.allocate(size), 0, listpackCount(buffer, start));
    buffer.copy(this.slab.buffer(chunk.address), this.slab.offset(chunk.address), start, start + size);
    return chunk;
  }

  /** How many bytes to ask for when `needed` must fit and more may follow. */
  private roomFor(needed: number): number {
    if (needed >= CHUNK_BYTES) return needed;
    return this.chunks.length >= MANY_CHUNKS ? CHUNK_BYTES : Math.min(CHUNK_BYTES, needed + (needed >>> 1));
  }

  private allocate(size: number): Address {
    const address = this.slab.allocate(size);
    this.chunkBytes += this.slab.capacity(address);
    this.slab.track(CHUNK_OBJECT_BYTES);
    return address;
  }

  /**
   * To be called before a chunk's elements change: gives it to the walk under way, and makes room for `extra`
   * more bytes.
   */
  protected reserve(chunk: Chunk, extra: number): void {
    if (chunk.placeAtCut !== GIVEN) this.current!.give(chunk);
    const needed = this.sizeOf(chunk) + extra;
    if (this.slab.capacity(chunk.address) < needed) this.relocate(chunk, this.roomFor(needed));
    else this.slab.owned(chunk.address);
  }

  /** Gives back room that a chunk does not need, now that it is not the one that grows. */
  protected settle(chunk: Chunk): void {
    const size = this.sizeOf(chunk);
    if (Slab.blockBytes(size) < this.slab.capacity(chunk.address)) this.relocate(chunk, size);
  }

  private relocate(chunk: Chunk, capacity: number): void {
    const address = this.allocate(capacity);
    const buffer = this.slab.buffer(chunk.address);
    const start = this.slab.offset(chunk.address);
    buffer.copy(this.slab.buffer(address), this.slab.offset(address), start, start + this.sizeOf(chunk));
    this.free(chunk);
    chunk.address = address;
  }

  /** Drops a chunk and its elements. */
  protected release(chunk: Chunk): void {
    if (chunk.placeAtCut !== GIVEN) this.current!.give(chunk);
    this.free(chunk);
  }

  private free(chunk: Chunk): void {
    this.chunkBytes -= this.slab.capacity(chunk.address);
    this.slab.free(chunk.address);
    this.slab.track(-CHUNK_OBJECT_BYTES);
  }

  dispose(limit: number): boolean {
    for (let freed = 0; freed < limit && this.chunks.length > 0; ) {
      const chunk = this.chunks.pop()!;
      freed += chunk.count;
      this.free(chunk);
    }
    return this.chunks.length === 0;
  }

  // ---- snapshots ----

  get isWalked(): boolean {
    return this.current !== undefined;
  }

  get pieceCount(): number {
    return this.chunks.length;
  }

  pieces(sink: PieceSink): void {
    for (let i = 0; i < this.chunks.length; i++) sink(i, this.chunks.peekAt(i)!.listpack(this.slab), noBytes);
  }

  /**
   * Gives every chunk's listpack, `at` being the chunk's number at the cut: in turn, or before the chunk
   * changes.
   */
  walk(sink: PieceSink): ValueWalk {
    if (this.current !== undefined) throw new Error('a list is walked twice at a time');
    this.current = new QuicklistWalk(this.slab, this.chunks.toArray(), sink, () => {
      this.current = undefined;
    });
    return this.current;
  }
}
