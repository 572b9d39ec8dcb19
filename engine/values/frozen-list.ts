/** The elements of a big list as they were at a cut, for a snapshot that reads them piecewise while the list goes on changing. */
import type { Address, Slab } from '../slab.js';
import { listpackSize } from './listpack.js';

export const NOT_FROZEN = -1;

/** What a list shares with its frozen self. */
interface SharedChunk {
  readonly address: Address;
  frozenAt: number;
}

/**
 * Every block is read once and then let go: it is the list's again or, where the list gave it up meanwhile, freed. Whoever holds
 * a frozen list reads it to the end or calls {@link abort}.
 */
export class FrozenList {
  private readonly addresses: Int32Array;
  private index = 0;
  /** Bytes of the chunk at hand that were read. */
  private read = 0;

  /** @param chunks the list's chunks; undefined takes the place of one that the list gave up */
  constructor(
    private readonly slab: Slab,
    private readonly chunks: (SharedChunk | undefined)[],
  ) {
    this.addresses = new Int32Array(chunks.length);
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i]!;
      chunk.frozenAt = i;
      this.addresses[i] = chunk.address;
    }
  }

  get isDone(): boolean {
    return this.index === this.addresses.length;
  }

  /** Takes over the block number `index`, which the list no longer uses. */
  own(index: number): void {
    this.chunks[index] = undefined;
  }

  /**
   * The next piece, at most `maxBytes` long, of the chunks' listpacks one behind the other; {@link QuicklistBuilder} takes such
   * pieces. A copy.
   *
   * @returns undefined at the end
   */
  next(maxBytes: number): Buffer | undefined {
    if (this.isDone) return undefined;
    let length = 0;
    let skipped = this.read;
    for (let i = this.index; i < this.addresses.length && length < maxBytes; i++) {
      length += this.sizeAt(i) - skipped;
      skipped = 0;
    }
    const piece = Buffer.allocUnsafe(Math.min(length, maxBytes));
    for (let filled = 0; filled < piece.length; ) {
      const address = this.addresses[this.index];
      const size = this.sizeAt(this.index);
      const start = this.slab.offset(address);
      const taken = Math.min(size - this.read, piece.length - filled);
      this.slab.buffer(address).copy(piece, filled, start + this.read, start + this.read + taken);
      filled += taken;
      this.read += taken;
      if (this.read < size) break;
      this.letGo();
    }
    return piece;
  }

  /** Lets go of all that was not read. */
  abort(): void {
    while (!this.isDone) this.letGo();
  }

  private sizeAt(index: number): number {
    const address = this.addresses[index];
    return listpackSize(this.slab.buffer(address), this.slab.offset(address));
  }

  private letGo(): void {
    const chunk = this.chunks[this.index];
    if (chunk === undefined) this.slab.free(this.addresses[this.index]);
    else chunk.frozenAt = NOT_FROZEN;
    this.chunks[this.index] = undefined;
    this.index++;
    this.read = 0;
  }
}
