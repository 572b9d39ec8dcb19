/**
 * Layout (b): views on the request, a segmented hash table of our own, and keys and values as latin1 strings
 * in paged columns. The table is the engine's in small: open addressing in segments of 2048, which split one
 * at a time.
 */

import { View } from '../../engine/protocol/view.js';
import { keyedHash } from '../../engine/storage/hash.js';
import { keyBytes, type Layout, valueBytes } from './layout.js';
import { serveViews } from './serve-views.js';

const PAGE_BITS = 12;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
const SEGMENT_ENTRIES = 2048;

interface Segment {
  entries: Int32Array;
  used: number;
  depth: number;
}

class StringColumns {
  size = 0;
  private readonly hashes: Int32Array[] = [];
  private readonly keys: string[][] = [];
  private readonly values: string[][] = [];
  private readonly deadlines: Float64Array[] = [];
  private directory: Segment[] = [{ entries: new Int32Array(SEGMENT_ENTRIES), used: 0, depth: 0 }];
  private depth = 0;

  find(buffer: Buffer, start: number, end: number, hash: number): number {
    const { entries } = this.segmentOf(hash);
    for (let i = hash & (SEGMENT_ENTRIES - 1); ; i = (i + 1) & (SEGMENT_ENTRIES - 1)) {
      const slot = entries[i] - 1;
      if (slot < 0) return -1;
      if (this.hashes[slot >>> PAGE_BITS][slot & PAGE_MASK] !== hash) continue;
      const key = this.keys[slot >>> PAGE_BITS][slot & PAGE_MASK];
      if (key.length !== end - start) continue;
      let at = 0;
      while (at < key.length && key.charCodeAt(at) === buffer[start + at]) at++;
      if (at === key.length) return slot;
    }
  }

  set(key: View, value: View): void {
    const hash = keyedHash(key.buffer, key.start, key.end, 1, 2);
    let slot = this.find(key.buffer, key.start, key.end, hash);
    if (slot < 0) slot = this.insert(hash, key.latin1());
    this.values[slot >>> PAGE_BITS][slot & PAGE_MASK] = value.latin1();
  }

  get(key: View): string | undefined {
    const slot = this.find(key.buffer, key.start, key.end, keyedHash(key.buffer, key.start, key.end, 1, 2));
    return slot < 0 ? undefined : this.values[slot >>> PAGE_BITS][slot & PAGE_MASK];
  }

  private insert(hash: number, key: string): number {
    const slot = this.size++;
    const page = slot >>> PAGE_BITS;
    if (page === this.keys.length) {
      this.hashes.push(new Int32Array(PAGE_MASK + 1));
      this.keys.push(new Array<string>(PAGE_MASK + 1));
      this.values.push(new Array<string>(PAGE_MASK + 1));
      this.deadlines.push(new Float64Array(PAGE_MASK + 1));
    }
    this.hashes[page][slot & PAGE_MASK] = hash;
    this.keys[page][slot & PAGE_MASK] = key;
    let segment = this.segmentOf(hash);
    while (segment.used > (SEGMENT_ENTRIES * 3) / 4) {
      this.split(segment, hash);
      segment = this.segmentOf(hash);
    }
    enter(segment, hash, slot);
    return slot;
  }

  private segmentOf(hash: number): Segment {
    return this.depth === 0 ? this.directory[0] : this.directory[hash >>> (32 - this.depth)];
  }

  private split(segment: Segment, hash: number): void {
    if (segment.depth === this.depth) {
      this.directory = this.directory.flatMap((one) => [one, one]);
      this.depth++;
    }
    const depth = segment.depth + 1;
    const halves = [0, 1].map((): Segment => ({ entries: new Int32Array(SEGMENT_ENTRIES), used: 0, depth }));
    for (const entry of segment.entries) {
      if (entry === 0) continue;
      const slot = entry - 1;
      const entryHash = this.hashes[slot >>> PAGE_BITS][slot & PAGE_MASK];
      enter(halves[(entryHash >>> (32 - depth)) & 1], entryHash, slot);
    }
    const run = 1 << (this.depth - depth);
    const first = ((hash >>> (32 - depth)) & ~1) * run;
    for (let i = 0; i < run * 2; i++) this.directory[first + i] = halves[i < run ? 0 : 1];
  }
}

function enter(segment: Segment, hash: number, slot: number): void {
  let i = hash & (SEGMENT_ENTRIES - 1);
  while (segment.entries[i] !== 0) i = (i + 1) & (SEGMENT_ENTRIES - 1);
  segment.entries[i] = slot + 1;
  segment.used++;
}

export function stringColumns(): Layout {
  const columns = new StringColumns();
  const key = new View();
  const value = new View(valueBytes, 0, 16);
  return {
    name: 'b: request views, own table, string columns',
    set: (i) => columns.set(key.on(keyBytes(i), 0, 16), value),
    get: (i) => columns.get(key.on(keyBytes(i), 0, 16))?.length ?? 0,
    connection: (write) =>
      serveViews(
        write,
        (request) => columns.set(request.view(1), request.view(2)),
        (request) => columns.get(request.view(1)) ?? null,
      ),
  };
}
