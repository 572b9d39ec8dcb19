/**
 * Memory for small byte blocks outside V8's heap, so that a keyspace of millions costs the garbage collector
 * nothing.
 *
 * 1 MiB chunks are cut into 64 KiB pages; a page serves one size class and keeps its own free list (threaded
 * through the free blocks) and live count, so that a page whose blocks are all free goes back to the pool
 * whatever its class was. Chunks never move: an address stays good until it is freed. Larger blocks are
 * buffers of their own, with negative addresses.
 */
import { OutOfMemoryError } from '../containment.js';
import { type Lender, readUint32, writeUint32 } from '../protocol/view.js';

const CHUNK_BYTES = 1 << 20;
const PAGE_BYTES = 1 << 16;
const PAGES_PER_CHUNK = CHUNK_BYTES / PAGE_BYTES;
const GRANULE_BITS = 3;
const CHUNK_SHIFT = 20 - GRANULE_BITS;
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;
const PAGE_SHIFT = 16 - GRANULE_BITS;
const MAX_CHUNKS = 1 << (31 - CHUNK_SHIFT);

/** The largest block that a page serves; beyond it a block is a buffer of its own. */
export const LARGEST_SMALL_BLOCK = 16 * 1024;

/**
 * Names a block: non-negative in a page (8-byte granules), negative for a buffer of its own. 0x7fffffff
 * granules are 16 GiB.
 */
export type Address = number;

/** Block sizes: every 8 bytes up to 128, then eight steps to each doubling (at most 12.5% lost). */
const classSizes: number[] = [];
for (let size = 8; size <= 128; size += 8) classSizes.push(size);
for (let base = 128; base < LARGEST_SMALL_BLOCK; base *= 2) {
  for (let step = 1; step <= 8; step++) classSizes.push(base + (base / 8) * step);
}
const CLASS_COUNT = classSizes.length;

/** Size class by (size + 7) >> 3. */
const classOfGranules = new Uint8Array((LARGEST_SMALL_BLOCK >> GRANULE_BITS) + 1);
for (let granules = 1, sizeClass = 0; granules < classOfGranules.length; granules++) {
  if (granules << GRANULE_BITS > classSizes[sizeClass]) sizeClass++;
  classOfGranules[granules] = sizeClass;
}

const NONE = -1;

export class Slab implements Lender {
  /** Indexed by chunk; every element is CHUNK_BYTES long. */
  private readonly chunks: Buffer[] = [];
  private readonly huge: (Buffer | undefined)[] = [];
  private readonly freeHuge: number[] = [];
  /** Buffers of large blocks that somebody keeps as they are: see {@link lend}. */
  private readonly lent = new WeakSet<Buffer>();

  // One element a page. Grown by doubling: 16 pages a MiB, so that 10 GiB need 160k elements.
  private pageClass = new Uint8Array(256);
  private pageLive = new Uint16Array(256);
  /** First free granule of a page, or NONE; blocks never handed out lie behind `pageFresh`. */
  private pageFree = new Int32Array(256);
  private pageFresh = new Uint32Array(256);
  private pageNext = new Int32Array(256);
  private pagePrevious = new Int32Array(256);
  private pageCount = 0;

  /** Pages of each class that have room, as a doubly linked list. */
  private readonly classHead = new Int32Array(CLASS_COUNT).fill(NONE);
  private readonly emptyPages: number[] = [];

  private liveBytes = 0;
  private hugeBytes = 0;

  /** Bytes in blocks that are in use, sizes rounded up to their class. */
  get usedBytes(): number {
    return this.liveBytes + this.hugeBytes;
  }

  /**
   * Bytes of what lies outside of blocks but belongs to what they hold: indexes, pages, big strings. Kept by
   * {@link track}.
   */
  trackedBytes = 0;

  /** Notes that a structure outside of the blocks grew by `bytes`, or shrank. */
  track(bytes: number): void {
    this.trackedBytes += bytes;
  }

  /** Bytes taken from the operating system. */
  get reservedBytes(): number {
    return this.chunks.length * CHUNK_BYTES + this.hugeBytes;
  }

  /** How many bytes a block for `size` bytes really takes. */
  static blockBytes(size: number): number {
    if (size <= LARGEST_SMALL_BLOCK) return classSizes[classOfGranules[(size + 7) >> GRANULE_BITS]];
    // Steps as the classes have: a listpack of 30 KiB that grows by an element is not copied each time.
    const step = 1 << (28 - Math.clz32(size));
    return Math.ceil(size / step) * step;
  }

  /** A block of at least `size` bytes (size at least 1), contents undefined. */
  allocate(size: number): Address {
    if (size > LARGEST_SMALL_BLOCK) return this.allocateHuge(size);
    const sizeClass = classOfGranules[(size + 7) >> GRANULE_BITS];
    let page = this.classHead[sizeClass];
    if (page === NONE) page = this.openPage(sizeClass);
    const blockBytes = classSizes[sizeClass];
    this.pageLive[page]++;
    this.liveBytes += blockBytes;
    let address = this.pageFree[page];
    if (address !== NONE) {
      this.pageFree[page] = readUint32(
        this.chunks[address >>> CHUNK_SHIFT],
        (address & CHUNK_MASK) << GRANULE_BITS,
      );
    } else {
      const fresh = this.pageFresh[page];
      address = (page << PAGE_SHIFT) + (fresh >> GRANULE_BITS);
      this.pageFresh[page] = fresh + blockBytes;
    }
    if (this.pageFree[page] === NONE && this.pageFresh[page] + blockBytes > PAGE_BYTES)
      this.unlink(page, sizeClass);
    return address;
  }

  free(address: Address): void {
    if (address < 0) {
      this.freeHugeBlock(address);
      return;
    }
    const page = address >>> PAGE_SHIFT;
    const sizeClass = this.pageClass[page];
    const blockBytes = classSizes[sizeClass];
    const wasFull = this.pageFree[page] === NONE && this.pageFresh[page] + blockBytes > PAGE_BYTES;
    this.liveBytes -= blockBytes;
    if (--this.pageLive[page] === 0) {
      if (!wasFull) this.unlink(page, sizeClass);
      this.emptyPages.push(page);
      return;
    }
    writeUint32(
      this.chunks[address >>> CHUNK_SHIFT],
      (address & CHUNK_MASK) << GRANULE_BITS,
      this.pageFree[page],
    );
    this.pageFree[page] = address;
    if (wasFull) this.link(page, sizeClass);
  }

  /** Bytes that the block at `address` can hold. */
  capacity(address: Address): number {
    return address < 0 ? this.huge[~address]!.length : classSizes[this.pageClass[address >>> PAGE_SHIFT]];
  }

  /** The buffer in which the block lies, from {@link offset} on. */
  buffer(address: Address): Buffer {
    return address < 0 ? this.huge[~address]! : this.chunks[address >>> CHUNK_SHIFT];
  }

  /** Where in {@link buffer} the block begins. */
  offset(address: Address): number {
    return address < 0 ? 0 : (address & CHUNK_MASK) << GRANULE_BITS;
  }

  /**
   * Promises that a large block's buffer stays as it is, for a reply on its way out: whoever changes the
   * block asks for {@link owned}. Views of smaller blocks never come here, since a view is lent only with
   * most of its buffer.
   */
  lend(buffer: Buffer): boolean {
    this.lent.add(buffer);
    return true;
  }

  /** {@link buffer} for changing in place: a copy takes the place of one that is lent. */
  owned(address: Address): Buffer {
    const buffer = this.buffer(address);
    if (address >= 0 || !this.lent.has(buffer)) return buffer;
    const own = Buffer.allocUnsafeSlow(buffer.length);
    buffer.copy(own);
    this.huge[~address] = own;
    return own;
  }

  private allocateHuge(size: number): Address {
    const index = this.freeHuge.pop() ?? this.huge.length;
    const capacity = Slab.blockBytes(size);
    this.huge[index] = Buffer.allocUnsafeSlow(capacity);
    this.hugeBytes += capacity;
    return ~index;
  }

  private freeHugeBlock(address: Address): void {
    this.hugeBytes -= this.huge[~address]!.length;
    this.huge[~address] = undefined;
    this.freeHuge.push(~address);
  }

  private openPage(sizeClass: number): number {
    const page = this.emptyPages.pop() ?? this.newPage();
    this.pageClass[page] = sizeClass;
    this.pageLive[page] = 0;
    this.pageFree[page] = NONE;
    this.pageFresh[page] = 0;
    this.link(page, sizeClass);
    return page;
  }

  private newPage(): number {
    if (this.pageCount === this.chunks.length * PAGES_PER_CHUNK) {
      if (this.chunks.length === MAX_CHUNKS)
        throw new OutOfMemoryError('the slab is full: 16 GiB of small blocks are in use');
      this.chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES));
    }
    const page = this.pageCount++;
    if (page === this.pageClass.length) this.growPageTable();
    return page;
  }

  private growPageTable(): void {
    const capacity = this.pageClass.length * 2;
    const grow = <T extends { set(from: T): void }>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.pageClass = grow(this.pageClass, new Uint8Array(capacity));
    this.pageLive = grow(this.pageLive, new Uint16Array(capacity));
    this.pageFree = grow(this.pageFree, new Int32Array(capacity));
    this.pageFresh = grow(this.pageFresh, new Uint32Array(capacity));
    this.pageNext = grow(this.pageNext, new Int32Array(capacity));
    this.pagePrevious = grow(this.pagePrevious, new Int32Array(capacity));
  }

  private link(page: number, sizeClass: number): void {
    const head = this.classHead[sizeClass];
    this.pageNext[page] = head;
    this.pagePrevious[page] = NONE;
    if (head !== NONE) this.pagePrevious[head] = page;
    this.classHead[sizeClass] = page;
  }

  private unlink(page: number, sizeClass: number): void {
    const next = this.pageNext[page];
    const previous = this.pagePrevious[page];
    if (previous === NONE) this.classHead[sizeClass] = next;
    else this.pageNext[previous] = next;
    if (next !== NONE) this.pagePrevious[next] = previous;
  }
}
