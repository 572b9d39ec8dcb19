/** The newest entries of a log, in memory: what followers ask for and what is about to be applied. */
import type { Entry } from '../../types.js';

/** What an entry costs besides its payload: the object, the view, its share of the ring. */
const entryOverheadBytes = 160;

export class EntryCache {
  /** Index of the oldest entry held; `last + 1` when there is none. */
  first = 1;
  last = 0;
  bytes = 0;

  private ring: (Entry | undefined)[] = new Array(1024).fill(undefined);

  /** Appends; an index that is there already cuts the cache before it, one beyond the end empties it. */
  push(entry: Entry): void {
    const { index } = entry;
    if (index !== this.last + 1) {
      if (index > this.first && index <= this.last) this.truncate(index);
      else this.clear(index);
    }
    if (index - this.first >= this.ring.length) this.grow();
    this.ring[index & (this.ring.length - 1)] = entry;
    this.last = index;
    this.bytes += entry.payload.length + entryOverheadBytes;
  }

  get(index: number): Entry | undefined {
    return index >= this.first && index <= this.last ? this.ring[index & (this.ring.length - 1)] : undefined;
  }

  /** Empties the cache; the next entry is `next`. */
  clear(next: number): void {
    this.ring = new Array(1024).fill(undefined);
    this.first = next;
    this.last = next - 1;
    this.bytes = 0;
  }

  /**
   * Drops the oldest entries, as long as there are more than `bytesMax` bytes and the entry's index is at
   * most `index`.
   */
  evict(bytesMax: number, index: number): void {
    const mask = this.ring.length - 1;
    while (this.bytes > bytesMax && this.first <= index && this.first <= this.last) {
      this.bytes -= this.ring[this.first & mask]!.payload.length + entryOverheadBytes;
      this.ring[this.first & mask] = undefined;
      this.first++;
    }
  }

  private truncate(from: number): void {
    const mask = this.ring.length - 1;
    for (let index = from; index <= this.last; index++) {
      this.bytes -= this.ring[index & mask]!.payload.length + entryOverheadBytes;
      this.ring[index & mask] = undefined;
    }
    this.last = from - 1;
  }

  private grow(): void {
    const grown: (Entry | undefined)[] = new Array(this.ring.length * 2).fill(undefined);
    for (let index = this.first; index <= this.last; index++) {
      grown[index & (grown.length - 1)] = this.ring[index & (this.ring.length - 1)];
    }
    this.ring = grown;
  }
}

/**
 * Entries `low` to `high` (exclusive) of the cache, cut where their payloads exceed `maxBytes`, at least one.
 */
export function cachedEntries(
  cache: EntryCache,
  low: number,
  high: number,
  maxBytes: number,
  into: Entry[],
): void {
  let bytes = 0;
  for (const entry of into) bytes += entry.payload.length;
  for (let index = low; index < high; index++) {
    const entry = cache.get(index)!;
    bytes += entry.payload.length;
    if (into.length > 0 && bytes > maxBytes) return;
    into.push(entry);
  }
}
