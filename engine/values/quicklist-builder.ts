import type { Slab } from '../slab.js';
import { listpackSize } from './listpack.js';
import { Quicklist } from './quicklist.js';

/** Rebuilds a list, chunk by chunk as it was, from the bytes that a {@link FrozenList} gave, in pieces cut anywhere. */
export class QuicklistBuilder {
  private readonly list: Quicklist;
  /** The listpack at hand as far as it has come: its four bytes of size, then all of it. */
  private partial = Buffer.allocUnsafe(4);
  private filled = 0;

  constructor(slab: Slab) {
    this.list = new Quicklist(slab);
  }

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(bytes.length - at, this.partial.length - this.filled);
      bytes.copy(this.partial, this.filled, at, at + taken);
      at += taken;
      this.filled += taken;
      if (this.filled < this.partial.length) return;
      if (this.filled === 4) {
        const whole = Buffer.allocUnsafe(Math.max(5, listpackSize(this.partial, 0)));
        this.partial.copy(whole);
        this.partial = whole;
        continue;
      }
      this.list.appendChunk(this.partial, 0);
      this.partial = Buffer.allocUnsafe(4);
      this.filled = 0;
    }
  }

  /** Frees what has come so far; the builder is spent. */
  abandon(): void {
    this.list.dispose(Number.POSITIVE_INFINITY);
  }

  /** The list. Throws when the last listpack is not complete. */
  finish(): Quicklist {
    if (this.filled > 0) throw new Error('a list ends within a chunk');
    return this.list;
  }
}
