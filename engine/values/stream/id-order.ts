/**
 * Blocks of the slab in the order of the ids that they begin with: a stream's nodes, the pending entries of a
 * group and of a consumer.
 *
 * Addresses lie in sorted pages. What is appended behind all others costs O(1), everything else O(log n) and
 * a move within one page; n blocks take some 5 bytes each. Nothing that is answered depends on where pages
 * begin.
 *
 * Every block begins with {@link BLOCK_HEADER_BYTES}: the epoch of the snapshot's walk that has it, a word of
 * its owner's, and the id.
 */
import type { Address, Slab } from '../../storage/slab.js';
import { highWord, ID_BYTES, lowWord, readId, readWord, type StreamId } from './stream-id.js';

const PAGE_MAX = 256;
const PAGE_MIN = 4;
/** Neighbours that together hold no more become one page. */
const MERGED_MAX = PAGE_MAX / 2;

/** What V8 takes for a page besides its elements, about. */
const PAGE_OBJECT_BYTES = 160;

/** Where a block's id begins. */
export const ID_OFFSET = 8;
export const BLOCK_HEADER_BYTES = ID_OFFSET + ID_BYTES;

/** Consecutive blocks. */
export interface Page {
  addresses: Int32Array;
  count: number;
  /** What the {@link Weigh} of the order says of its blocks together; 0 without one. */
  weight: number;
  /** Bytes that the blocks take; 0 without a {@link Weigh}. */
  blockBytes: number;
  /** What somebody has reckoned of the page's ids; undefined as soon as these are others. */
  summary: PageSummary | undefined;
}

/** What a page of ids adds to a count over all of them: see `radix-nodes.ts`. */
export interface PageSummary {
  readonly count: number;
  readonly branches: readonly number[];
  readonly sharedFirst: number;
  readonly sharedLast: number;
}

/** What a block counts in its page. */
export type Weigh = (address: Address) => number;

/** A place in an order: void after the next change of it. */
export class OrderPosition {
  page = 0;
  index = 0;
}

const place = new OrderPosition();

export class IdOrder {
  size = 0;
  /** Bytes that all blocks take; 0 without a {@link Weigh}. */
  blockBytes = 0;
  readonly pages: Page[] = [];
  /** The id that is searched for, in words. */
  private a = 0;
  private b = 0;
  private c = 0;
  private d = 0;

  /** @param weigh says what blocks count: then each page knows what it holds */
  constructor(
    private readonly slab: Slab,
    private readonly weigh?: Weigh,
  ) {}

  /** Estimate of what the order takes besides the blocks. */
  get overheadBytes(): number {
    let bytes = 0;
    for (const { addresses } of this.pages) bytes += addresses.byteLength + PAGE_OBJECT_BYTES;
    return bytes;
  }

  /** The id of the block at `address`. */
  idOf(address: Address): StreamId {
    return readId(this.slab.buffer(address), this.slab.offset(address) + ID_OFFSET);
  }

  // ---- finding ----

  /** The block of an id, or undefined. */
  find(id: StreamId): Address | undefined {
    this.load(id);
    if (!this.seek(place)) return undefined;
    const address = this.at(place);
    return this.compare(address) === 0 ? address : undefined;
  }

  /** Goes to the first block whose id is at least `id`; false when there is none. */
  seekAtLeast(id: StreamId, position: OrderPosition): boolean {
    this.load(id);
    return this.seek(position);
  }

  /** Goes to the last block whose id is at most `id`; false when there is none. */
  seekAtMost(id: StreamId, position: OrderPosition): boolean {
    this.load(id);
    if (!this.seek(position)) return this.toLast(position);
    return this.compare(this.at(position)) === 0 || this.previous(position);
  }

  toFirst(position: OrderPosition): boolean {
    position.page = position.index = 0;
    return this.size > 0;
  }

  toLast(position: OrderPosition): boolean {
    if (this.size === 0) return false;
    position.page = this.pages.length - 1;
    position.index = this.pages[position.page].count - 1;
    return true;
  }

  next(position: OrderPosition): boolean {
    if (++position.index < this.pages[position.page].count) return true;
    position.index = 0;
    return ++position.page < this.pages.length;
  }

  previous(position: OrderPosition): boolean {
    if (--position.index >= 0) return true;
    if (--position.page < 0) return false;
    position.index = this.pages[position.page].count - 1;
    return true;
  }

  at(position: OrderPosition): Address {
    return this.pages[position.page].addresses[position.index];
  }

  get first(): Address | undefined {
    return this.size === 0 ? undefined : this.pages[0].addresses[0];
  }

  get last(): Address | undefined {
    if (this.size === 0) return undefined;
    const page = this.pages[this.pages.length - 1];
    return page.addresses[page.count - 1];
  }

  // ---- changing ----

  /** Adds a block, whose id no other has. */
  add(address: Address): void {
    const id = this.idOf(address);
    this.load(id);
    const last = this.last;
    if (last === undefined) this.pages.push(this.newPage(PAGE_MIN));
    if (last === undefined || this.compare(last) < 0) {
      let page = this.pages.at(-1)!;
      if (page.count === PAGE_MAX) {
        page = this.newPage(PAGE_MAX);
        this.pages.push(page);
      }
      this.insertAt(page, page.count, address);
    } else {
      this.seek(place);
      let page = this.pages[place.page];
      let { index } = place;
      if (page.count === PAGE_MAX) {
        this.split(place.page);
        if (index > page.count) {
          index -= page.count;
          page = this.pages[place.page + 1];
        }
      }
      this.insertAt(page, index, address);
    }
    this.size++;
  }

  /** Puts a block that moved in the place of the last one, which has the same id. */
  replaceLast(address: Address): void {
    const page = this.pages.at(-1)!;
    this.put(page, page.count - 1, address);
  }

  /** Puts a block that moved in the place of the one with the same id. */
  replace(address: Address): void {
    this.load(this.idOf(address));
    this.seek(place);
    this.put(this.pages[place.page], place.index, address);
  }

  private put(page: Page, index: number, address: Address): void {
    if (this.weigh !== undefined) {
      this.addBytes(page, this.slab.capacity(address) - this.slab.capacity(page.addresses[index]));
    }
    page.addresses[index] = address;
  }

  /** The last block counts for so much more. */
  reweighLast(difference: number): void {
    this.pages[this.pages.length - 1].weight += difference;
  }

  /** The block of an id counts for so much more, or less. */
  reweigh(id: StreamId, difference: number): void {
    this.load(id);
    this.seek(place);
    this.pages[place.page].weight += difference;
  }

  private addBytes(page: Page, bytes: number): void {
    page.blockBytes += bytes;
    this.blockBytes += bytes;
  }

  /** Takes the block of an id out; returns it, or undefined when there was none. The caller frees it. */
  remove(id: StreamId): Address | undefined {
    this.load(id);
    if (!this.seek(place)) return undefined;
    const address = this.at(place);
    if (this.compare(address) !== 0) return undefined;
    this.removeAt(place);
    return address;
  }

  private removeAt({ page: number, index }: OrderPosition): void {
    const page = this.pages[number];
    if (this.weigh !== undefined) {
      page.weight -= this.weigh(page.addresses[index]);
      this.addBytes(page, -this.slab.capacity(page.addresses[index]));
      page.summary = undefined;
    }
    page.addresses.copyWithin(index, index + 1, page.count);
    page.count--;
    this.size--;
    if (page.count === 0) {
      this.track(-page.addresses.byteLength - PAGE_OBJECT_BYTES);
      this.pages.splice(number, 1);
      return;
    }
    const next = this.pages[number + 1];
    if (next !== undefined && page.count + next.count <= MERGED_MAX) this.merge(number);
    else if (number > 0 && this.pages[number - 1].count + page.count <= MERGED_MAX) this.merge(number - 1);
  }

  /** Takes the first block out. */
  shift(): Address {
    const address = this.pages[0].addresses[0];
    place.page = place.index = 0;
    this.removeAt(place);
    return address;
  }

  /** Takes the first `count` pages out, with their blocks. The caller frees these. */
  shiftPages(count: number): Page[] {
    const pages = this.pages.splice(0, count);
    for (const page of pages) {
      this.size -= page.count;
      this.blockBytes -= page.blockBytes;
      this.track(-page.addresses.byteLength - PAGE_OBJECT_BYTES);
    }
    return pages;
  }

  /** Takes the last block out. */
  pop(): Address {
    this.toLast(place);
    const address = this.at(place);
    this.removeAt(place);
    return address;
  }

  private newPage(capacity: number): Page {
    this.track(capacity * 4 + PAGE_OBJECT_BYTES);
    return {
      addresses: new Int32Array(capacity),
      count: 0,
      weight: 0,
      blockBytes: 0,
      summary: undefined,
    };
  }

  private insertAt(page: Page, index: number, address: Address): void {
    if (page.count === page.addresses.length) {
      const grown = new Int32Array(page.count * 2);
      grown.set(page.addresses);
      this.track(grown.byteLength - page.addresses.byteLength);
      page.addresses = grown;
    }
    if (index < page.count) page.addresses.copyWithin(index + 1, index, page.count);
    page.addresses[index] = address;
    page.count++;
    if (this.weigh === undefined) return;
    page.weight += this.weigh(address);
    this.addBytes(page, this.slab.capacity(address));
    page.summary = undefined;
  }

  private split(number: number): void {
    const page = this.pages[number];
    const kept = page.count >>> 1;
    const rest = this.newPage(PAGE_MAX);
    rest.addresses.set(page.addresses.subarray(kept, page.count));
    rest.count = page.count - kept;
    page.count = kept;
    this.pages.splice(number + 1, 0, rest);
    if (this.weigh === undefined) return;
    for (let i = 0; i < rest.count; i++) {
      rest.weight += this.weigh(rest.addresses[i]);
      rest.blockBytes += this.slab.capacity(rest.addresses[i]);
    }
    page.weight -= rest.weight;
    page.blockBytes -= rest.blockBytes;
    page.summary = undefined;
  }

  /** Moves the blocks of the page behind into the page. */
  private merge(number: number): void {
    const page = this.pages[number];
    const next = this.pages[number + 1];
    const count = page.count + next.count;
    if (page.addresses.length < count) {
      const grown = new Int32Array(PAGE_MAX);
      grown.set(page.addresses);
      this.track(grown.byteLength - page.addresses.byteLength);
      page.addresses = grown;
    }
    page.addresses.set(next.addresses.subarray(0, next.count), page.count);
    page.count = count;
    page.weight += next.weight;
    page.blockBytes += next.blockBytes;
    page.summary = undefined;
    this.track(-next.addresses.byteLength - PAGE_OBJECT_BYTES);
    this.pages.splice(number + 1, 1);
  }

  private track(bytes: number): void {
    this.slab.track(bytes);
  }

  // ---- comparing ----

  private load({ ms, seq }: StreamId): void {
    this.a = highWord(ms);
    this.b = lowWord(ms);
    this.c = highWord(seq);
    this.d = lowWord(seq);
  }

  /** How the block's id compares with the one loaded: negative, 0 or positive. */
  private compare(address: Address): number {
    const buffer = this.slab.buffer(address);
    const at = this.slab.offset(address) + ID_OFFSET;
    let word = readWord(buffer, at);
    if (word !== this.a) return word - this.a;
    word = readWord(buffer, at + 4);
    if (word !== this.b) return word - this.b;
    word = readWord(buffer, at + 8);
    if (word !== this.c) return word - this.c;
    return readWord(buffer, at + 12) - this.d;
  }

  /** Goes to the first block whose id is at least the one loaded. */
  private seek(position: OrderPosition): boolean {
    const { pages } = this;
    let low = 0;
    let high = pages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const page = pages[middle];
      if (this.compare(page.addresses[page.count - 1]) < 0) low = middle + 1;
      else high = middle;
    }
    position.page = low;
    position.index = 0;
    if (low === pages.length) return false;
    const { addresses, count } = pages[low];
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.compare(addresses[middle]) < 0) from = middle + 1;
      else to = middle;
    }
    position.index = from;
    return true;
  }
}
