/**
 * The one dictionary behind the keyspace, big hashes, big sets and the member index of big sorted sets.
 *
 * Entries lie in dense slots 0 .. size-1; removal moves the last entry into the hole. The slot order is part
 * of the state (it decides SCAN, RANDOMKEY, SPOP), and is the same on every node; the index over it, its hash
 * seed and all addresses are not.
 *
 * The index is segmented open addressing (extendible hashing over linear probing): a full segment splits in
 * two, so that growth costs at most one segment's rehash (measured under 0.1 ms) at any size.
 *
 * An entry's record in the slab is [key length][value length][key][value]; a length is one byte, or 255 and
 * four bytes.
 */

import { copyBytes, equalBytes, readUint32, View } from '../protocol/view.js';
import { keyedHash } from './hash.js';
import { type Address, Slab } from './slab.js';

/** Names an entry until the next insertion or removal in its dictionary. */
export type Slot = number;
export const ABSENT = -1;

const PAGE_BITS = 12;
const PAGE_SLOTS = 1 << PAGE_BITS;
const PAGE_MASK = PAGE_SLOTS - 1;

const SEGMENT_BITS = 11;
const SEGMENT_ENTRIES = 1 << SEGMENT_BITS;
const FIRST_ENTRIES = 16;
/**
 * How full the segments of {@link Dictionary.reserve} will be on average: none of them is then likely to
 * split.
 */
const RESERVED_LOAD = 0.7;
/** 16 thousand segments, 16 million entries: what is beyond grows as ever. */
const RESERVED_DEPTH_MAX = 14;
/** What a segment's JavaScript object takes besides its entries. */
const SEGMENT_OBJECT_BYTES = 64;
/**
 * An index entry holds slot + 1 in its low 28 bits and four hash bits above, which spare most false probes.
 */
const SLOT_MASK = 0x0fffffff;
/** The most entries that one dictionary can hold. */
export const MAX_ENTRIES = SLOT_MASK - 1;

/**
 * The part of {@link Dictionary.overheadBytes} that the slab is not told of: what a dictionary begins with.
 */
export const EMPTY_INDEX_BYTES = FIRST_ENTRIES * 4 + SEGMENT_OBJECT_BYTES + 8;

const LONG = 255;

/** How many keys {@link Dictionary.fetch} takes at most: as many misses as a processor has under way. */
export const FETCHED_MAX = 16;
const fetched = new Int32Array(FETCHED_MAX);

interface Segment {
  entries: Int32Array;
  used: number;
  /** How many leading hash bits all of its entries share. */
  depth: number;
}

/**
 * Told before an entry changes, moves or goes: how a snapshot under way keeps what it has not yet written.
 */
export interface ChangeObserver {
  beforeChange(slot: Slot): void;
}

export interface HashSeed {
  readonly low: number;
  readonly high: number;
}

export class Dictionary {
  size = 0;
  /** Set while a snapshot walks this dictionary. */
  observer: ChangeObserver | undefined;

  /**
   * Pages of slots, only the first of which may be shorter than PAGE_SLOTS. A slot is its hash, its address
   * and the columns of a subclass, side by side in 2 ** {@link slotShift} words, so that one cache line has
   * them all.
   */
  protected readonly pages: Int32Array[] = [];
  private firstPageSlots = 0;
  private directory: Segment[];
  private depth = 0;
  /** What the slab was told about the index. */
  private indexBytes = 0;

  /** @param slotShift 1, or 2 for a subclass that keeps two columns of its own behind hash and address */
  constructor(
    readonly slab: Slab,
    private readonly seed: HashSeed,
    private readonly slotShift: 1 | 2 = 1,
  ) {
    this.directory = [{ entries: new Int32Array(FIRST_ENTRIES), used: 0, depth: 0 }];
  }

  get isWalked(): boolean {
    return this.observer !== undefined;
  }

  /** Bytes of the index and the slot pages, without the records in the slab. */
  get overheadBytes(): number {
    let bytes = 0;
    for (const page of this.pages) bytes += page.byteLength;
    let previous: Segment | undefined;
    for (const segment of this.directory) {
      if (segment !== previous) bytes += segment.entries.byteLength + SEGMENT_OBJECT_BYTES;
      previous = segment;
    }
    return bytes + this.directory.length * 8;
  }

  /** The slot of `key`, or ABSENT. */
  find(key: View): Slot {
    return this.findBytes(key.buffer, key.start, key.end);
  }

  findBytes(buffer: Buffer, start: number, end: number): Slot {
    const hash = keyedHash(buffer, start, end, this.seed.low, this.seed.high);
    const entries = this.segmentOf(hash).entries;
    const mask = entries.length - 1;
    const tag = hash & 0x7800;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const entry = entries[i];
      if (entry === 0) return ABSENT;
      if ((entry >>> 28) << 11 !== tag) continue;
      const slot = (entry & SLOT_MASK) - 1;
      const page = this.pages[slot >>> PAGE_BITS];
      const column = (slot & PAGE_MASK) << this.slotShift;
      if (page[column] === hash && this.keyEquals(page[column + 1], buffer, start, end)) return slot;
    }
  }

  /**
   * Reads what looking up these keys will read, one step of all of them at a time: the processor fetches
   * from memory what does not wait for each other at once.
   *
   * @param offsets a start and an end in `buffer` for each of at most {@link FETCHED_MAX} keys
   * @returns a number that means nothing, so that nobody may leave the reads out
   */
  fetch(buffer: Buffer, offsets: Int32Array, count: number): number {
    const { pages, seed, slab, slotShift } = this;
    for (let i = 0; i < count; i++) {
      const hash = keyedHash(buffer, offsets[i << 1], offsets[(i << 1) + 1], seed.low, seed.high);
      const { entries } = this.segmentOf(hash);
      fetched[i] = entries[hash & (entries.length - 1)] & SLOT_MASK;
    }
    for (let i = 0; i < count; i++) {
      const slot = fetched[i] - 1;
      fetched[i] = slot < 0 ? -1 : pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << slotShift) + 1];
    }
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const address = fetched[i];
      if (address >= 0) sum += slab.buffer(address)[slab.offset(address)];
    }
    return sum;
  }

  /**
   * Adds `key`, known to be absent, with room for a value of `valueLength` undefined bytes; returns its slot,
   * the last.
   */
  insert(key: View, valueLength: number): Slot {
    const hash = keyedHash(key.buffer, key.start, key.end, this.seed.low, this.seed.high);
    const slot = this.size;
    this.openSlot(slot);
    this.place(slot, hash, this.newRecord(key.buffer, key.start, key.end - key.start, valueLength));
    this.size++;
    return slot;
  }

  /**
   * Puts an entry into a given slot of a dictionary that is being restored: slots may come in any order, and
   * are all to be filled before `size` counts them.
   */
  restore(slot: Slot, key: View, value: View): void {
    const hash = keyedHash(key.buffer, key.start, key.end, this.seed.low, this.seed.high);
    const length = value.end - value.start;
    this.openSlot(slot);
    const address = this.newRecord(key.buffer, key.start, key.end - key.start, length);
    this.place(slot, hash, address);
    copyBytes(value.buffer, value.start, this.slab.buffer(address), this.valueOffset(address), length);
  }

  /**
   * Makes an index for some `size` entries at once, in a dictionary that is still empty and about to be
   * restored.
   */
  reserve(size: number): void {
    if (this.size > 0 || this.depth > 0) throw new Error('only an empty dictionary can be reserved');
    let depth = 0;
    while (depth < RESERVED_DEPTH_MAX && size > SEGMENT_ENTRIES * RESERVED_LOAD * 2 ** depth) depth++;
    if (depth === 0) return;
    this.depth = depth;
    this.directory = Array.from({ length: 2 ** depth }, () => ({
      entries: new Int32Array(SEGMENT_ENTRIES),
      used: 0,
      depth,
    }));
    this.trackIndex(2 ** depth * (SEGMENT_ENTRIES * 4 + SEGMENT_OBJECT_BYTES + 8));
  }

  /** Removes the entry; the last entry takes its slot. */
  remove(slot: Slot): void {
    const last = this.size - 1;
    if (this.observer !== undefined) {
      this.observer.beforeChange(slot);
      if (last !== slot) this.observer.beforeChange(last);
    }
    const page = this.pages[slot >>> PAGE_BITS];
    const column = (slot & PAGE_MASK) << this.slotShift;
    this.slab.free(page[column + 1]);
    this.unindex(page[column], slot);
    if (slot !== last) {
      const lastPage = this.pages[last >>> PAGE_BITS];
      const lastColumn = (last & PAGE_MASK) << this.slotShift;
      const hash = lastPage[lastColumn];
      this.reindex(hash, last, slot);
      page[column] = hash;
      page[column + 1] = lastPage[lastColumn + 1];
      this.move(last, slot);
    }
    this.size = last;
    if (last === 0 && this.depth > 0) this.resetIndex();
    // One page is kept spare, so that a size that swings about a page's edge does not allocate each time.
    const needed = ((last + PAGE_MASK) >>> PAGE_BITS) + 1;
    while (this.pages.length > needed) this.dropPage();
  }

  /**
   * Frees up to `limit` records from the end, unindexed: for a dictionary that nobody reads any more. Returns
   * what is left.
   */
  dispose(limit: number): number {
    for (let freed = 0; freed < limit && this.size > 0; freed++) {
      const slot = --this.size;
      this.slab.free(this.address(slot));
      if ((slot & PAGE_MASK) === 0) this.dropPage();
    }
    if (this.size === 0) this.resetIndex();
    return this.size;
  }

  /** The address of the entry's record: stable until the value changes its length or the entry goes. */
  address(slot: Slot): Address {
    return this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << this.slotShift) + 1];
  }

  key(slot: Slot, into: View): View {
    return keyOfRecord(this.slab, this.address(slot), into);
  }

  keyText(slot: Slot): string {
    return this.key(slot, scratch).latin1();
  }

  value(slot: Slot, into: View): View {
    const address = this.address(slot);
    const buffer = this.slab.buffer(address);
    const start = this.valueOffset(address);
    const end = start + this.valueLengthAt(buffer, this.slab.offset(address));
    return address < 0 ? into.onLent(this.slab, buffer, start, end) : into.on(buffer, start, end);
  }

  valueText(slot: Slot): string {
    return this.value(slot, scratch).latin1();
  }

  valueLength(slot: Slot): number {
    const address = this.address(slot);
    return this.valueLengthAt(this.slab.buffer(address), this.slab.offset(address));
  }

  /** The value's bytes, to be changed in place. */
  valueForWrite(slot: Slot, into: View): View {
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    this.slab.owned(this.address(slot));
    return this.value(slot, into);
  }

  /** Replaces the value. `source` must not lie in this entry's own record. */
  setValue(slot: Slot, source: View): void {
    const length = source.end - source.start;
    let address = this.address(slot);
    let buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    if (length < LONG && buffer[offset] < LONG && buffer[offset + 1] === length) {
      // As long as the old value, which is common: its bytes are overwritten.
      if (this.observer !== undefined) this.observer.beforeChange(slot);
      copyBytes(source.buffer, source.start, buffer, offset + 2 + buffer[offset], length);
      return;
    }
    this.resize(slot, length, false);
    address = this.address(slot);
    buffer = this.slab.owned(address);
    copyBytes(source.buffer, source.start, buffer, this.valueOffset(address), length);
  }

  /** Changes the value's length, keeping the bytes that both lengths share; new bytes are undefined. */
  resizeValue(slot: Slot, length: number): void {
    this.resize(slot, length, true);
  }

  /** Bytes that the entry takes in the slab. */
  recordBytes(slot: Slot): number {
    return this.slab.capacity(this.address(slot));
  }

  /** Subclasses carry their columns along when an entry moves. */
  protected move(_from: Slot, _to: Slot): void {}

  protected removePage(_page: number): void {}

  private resize(slot: Slot, length: number, keep: boolean): void {
    if (this.observer !== undefined) this.observer.beforeChange(slot);
    const slab = this.slab;
    const address = this.address(slot);
    const buffer = slab.buffer(address);
    const offset = slab.offset(address);
    const oldLength = this.valueLengthAt(buffer, offset);
    if (oldLength === length) return;
    const keyHeader = buffer[offset] === LONG ? 5 : 1;
    const keyLength = keyHeader === 1 ? buffer[offset] : readUint32(buffer, offset + 1);
    const header = keyHeader + (length < LONG ? 1 : 5);
    const total = header + keyLength + length;
    if (oldLength < LONG === length < LONG && Slab.blockBytes(total) === slab.capacity(address)) {
      writeLength(slab.owned(address), offset + keyHeader, length);
      return;
    }
    const oldValue = this.valueOffset(address);
    const moved = this.newRecord(buffer, oldValue - keyLength, keyLength, length);
    if (keep) {
      const target = slab.buffer(moved);
      copyBytes(
        buffer,
        oldValue,
        target,
        slab.offset(moved) + header + keyLength,
        Math.min(oldLength, length),
      );
    }
    slab.free(address);
    this.pages[slot >>> PAGE_BITS][((slot & PAGE_MASK) << this.slotShift) + 1] = moved;
  }

  private newRecord(source: Buffer, start: number, keyLength: number, valueLength: number): Address {
    const slab = this.slab;
    const header = (keyLength < LONG ? 1 : 5) + (valueLength < LONG ? 1 : 5);
    const address = slab.allocate(header + keyLength + valueLength);
    const buffer = slab.buffer(address);
    let offset = writeLength(buffer, slab.offset(address), keyLength);
    offset = writeLength(buffer, offset, valueLength);
    copyBytes(source, start, buffer, offset, keyLength);
    return address;
  }

  private valueOffset(address: Address): number {
    const buffer = this.slab.buffer(address);
    let offset = this.slab.offset(address);
    let keyLength = buffer[offset];
    if (keyLength === LONG) {
      keyLength = readUint32(buffer, offset + 1);
      offset += 4;
    }
    return offset + 1 + (buffer[offset + 1] === LONG ? 5 : 1) + keyLength;
  }

  private valueLengthAt(buffer: Buffer, offset: number): number {
    offset += buffer[offset] === LONG ? 5 : 1;
    return buffer[offset] === LONG ? readUint32(buffer, offset + 1) : buffer[offset];
  }

  private keyEquals(address: Address, buffer: Buffer, start: number, end: number): boolean {
    const record = this.slab.buffer(address);
    let offset = this.slab.offset(address);
    let length = record[offset++];
    if (length === LONG) {
      length = readUint32(record, offset);
      offset += 4;
    }
    if (length !== end - start) return false;
    offset += record[offset] === LONG ? 5 : 1;
    return equalBytes(record, offset, buffer, start, length);
  }

  private openSlot(slot: Slot): void {
    const page = slot >>> PAGE_BITS;
    if (page === 0 && slot >= this.firstPageSlots) {
      const wanted = Math.max(FIRST_ENTRIES, this.firstPageSlots);
      let slots = wanted;
      while (slots <= slot) slots *= 2;
      const grown = new Int32Array(slots << this.slotShift);
      if (this.pages.length > 0) grown.set(this.pages[0]);
      this.pages[0] = grown;
      this.slab.track((slots - this.firstPageSlots) << (this.slotShift + 2));
      this.firstPageSlots = slots;
    }
    while (this.pages.length <= page) {
      if (this.pages.length === 0 || (this.pages.length === 1 && this.firstPageSlots < PAGE_SLOTS)) {
        this.openSlot(PAGE_MASK);
        continue;
      }
      this.pages.push(new Int32Array(PAGE_SLOTS << this.slotShift));
      this.slab.track(PAGE_SLOTS << (this.slotShift + 2));
    }
  }

  private dropPage(): void {
    this.slab.track(-this.pages.pop()!.byteLength);
    this.removePage(this.pages.length);
    if (this.pages.length === 0) this.firstPageSlots = 0;
  }

  private place(slot: Slot, hash: number, address: Address): void {
    const page = this.pages[slot >>> PAGE_BITS];
    const column = (slot & PAGE_MASK) << this.slotShift;
    page[column] = hash;
    page[column + 1] = address;
    let segment = this.segmentOf(hash);
    while (segment.used >= segment.entries.length - (segment.entries.length >>> 2)) {
      this.growSegment(segment, hash);
      segment = this.segmentOf(hash);
    }
    this.enter(segment, hash, slot);
  }

  private segmentOf(hash: number): Segment {
    return this.depth === 0 ? this.directory[0] : this.directory[hash >>> (32 - this.depth)];
  }

  private enter(segment: Segment, hash: number, slot: Slot): void {
    const entries = segment.entries;
    const mask = entries.length - 1;
    let i = hash & mask;
    while (entries[i] !== 0) i = (i + 1) & mask;
    entries[i] = ((hash & 0x7800) << 17) | (slot + 1);
    segment.used++;
  }

  private hashOf(slot: Slot): number {
    return this.pages[slot >>> PAGE_BITS][(slot & PAGE_MASK) << this.slotShift];
  }

  /**
   * Doubles a small segment, splits a full-sized one on its next hash bit (doubling the directory when it
   * must).
   */
  private growSegment(segment: Segment, hash: number): void {
    const old = segment.entries;
    segment.used = 0;
    // Past 2^24 segments hash bits would run out; a full-sized segment then simply doubles.
    if (old.length < SEGMENT_ENTRIES || segment.depth === 20) {
      segment.entries = new Int32Array(old.length * 2);
      this.trackIndex(old.byteLength);
      for (const entry of old) {
        if (entry !== 0) this.enter(segment, this.hashOf((entry & SLOT_MASK) - 1), (entry & SLOT_MASK) - 1);
      }
      return;
    }
    if (segment.depth === this.depth) {
      const doubled: Segment[] = new Array(this.directory.length * 2);
      for (let i = 0; i < doubled.length; i++) doubled[i] = this.directory[i >>> 1];
      this.directory = doubled;
      this.trackIndex(doubled.length * 4);
      this.depth++;
    }
    segment.depth++;
    const sibling: Segment = { entries: new Int32Array(SEGMENT_ENTRIES), used: 0, depth: segment.depth };
    segment.entries = new Int32Array(SEGMENT_ENTRIES);
    this.trackIndex(SEGMENT_ENTRIES * 4 + SEGMENT_OBJECT_BYTES);
    const bit = 32 - segment.depth;
    for (const entry of old) {
      if (entry === 0) continue;
      const slot = (entry & SLOT_MASK) - 1;
      const entryHash = this.hashOf(slot);
      this.enter((entryHash >>> bit) & 1 ? sibling : segment, entryHash, slot);
    }
    // The directory's run that pointed at the old segment: its upper half now points at the sibling.
    const run = 1 << (this.depth - segment.depth);
    const first = ((hash >>> bit) | 1) * run;
    for (let i = first; i < first + run; i++) this.directory[i] = sibling;
  }

  private trackIndex(bytes: number): void {
    this.indexBytes += bytes;
    this.slab.track(bytes);
  }

  private resetIndex(): void {
    this.trackIndex(-this.indexBytes);
    this.directory = [{ entries: new Int32Array(FIRST_ENTRIES), used: 0, depth: 0 }];
    this.depth = 0;
  }

  private indexPosition(entries: Int32Array, hash: number, slot: Slot): number {
    const mask = entries.length - 1;
    let i = hash & mask;
    while ((entries[i] & SLOT_MASK) !== slot + 1) i = (i + 1) & mask;
    return i;
  }

  private reindex(hash: number, from: Slot, to: Slot): void {
    const entries = this.segmentOf(hash).entries;
    const i = this.indexPosition(entries, hash, from);
    entries[i] = (entries[i] & ~SLOT_MASK) | (to + 1);
  }

  /**
   * Takes an entry out of the index and closes the gap (backward shift), so that no tombstone is ever left.
   */
  private unindex(hash: number, slot: Slot): void {
    const segment = this.segmentOf(hash);
    const entries = segment.entries;
    const mask = entries.length - 1;
    let hole = this.indexPosition(entries, hash, slot);
    segment.used--;
    for (let i = (hole + 1) & mask; entries[i] !== 0; i = (i + 1) & mask) {
      const home = this.hashOf((entries[i] & SLOT_MASK) - 1) & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        entries[hole] = entries[i];
        hole = i;
      }
    }
    entries[hole] = 0;
    if (segment.depth > 0 && segment.used <= SEGMENT_ENTRIES >>> 3 && (segment.used & 31) === 0) {
      this.mergeSegment(segment, hash);
    }
  }

  /**
   * Takes the entries of the segment that this one was split from, if both are nearly empty: the index
   * shrinks as it grew.
   */
  private mergeSegment(segment: Segment, hash: number): void {
    const run = 1 << (this.depth - segment.depth);
    const first = ((hash >>> (32 - segment.depth)) ^ 1) * run;
    const sibling = this.directory[first];
    if (sibling.depth !== segment.depth || segment.used + sibling.used > SEGMENT_ENTRIES >>> 2) return;
    for (const entry of sibling.entries) {
      if (entry !== 0) this.enter(segment, this.hashOf((entry & SLOT_MASK) - 1), (entry & SLOT_MASK) - 1);
    }
    segment.depth--;
    for (let i = first; i < first + run; i++) this.directory[i] = segment;
    this.trackIndex(-sibling.entries.byteLength - SEGMENT_OBJECT_BYTES);
  }
}

const scratch = new View();

/** Points `into` at the key in the record at `address`. */
export function keyOfRecord(slab: Slab, address: Address, into: View): View {
  const buffer = slab.buffer(address);
  let offset = slab.offset(address);
  let length = buffer[offset++];
  if (length === LONG) {
    length = readUint32(buffer, offset);
    offset += 4;
  }
  offset += buffer[offset] === LONG ? 5 : 1;
  return address < 0
    ? into.onLent(slab, buffer, offset, offset + length)
    : into.on(buffer, offset, offset + length);
}

function writeLength(buffer: Buffer, offset: number, length: number): number {
  if (length < LONG) {
    buffer[offset] = length;
    return offset + 1;
  }
  buffer[offset] = LONG;
  buffer.writeUInt32LE(length, offset + 1);
  return offset + 5;
}
