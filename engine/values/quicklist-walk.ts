/** A snapshot's walk over the chunks of a big list while the list goes on changing. */
import type { Address, Slab } from '../storage/slab.js';
import type { PieceSink, ValueWalk } from './big-value.js';
import { listpackSize } from './listpack.js';

const noBytes = Buffer.alloc(0);

/** What {@link Chunk.placeAtCut} is where no walk still has to give the chunk. */
export const GIVEN = -1;

export class Chunk {
  /** The chunk's number when the walk under way began, until it is given. */
  placeAtCut = GIVEN;

  constructor(
    public address: Address,
    /** Position of the first element, modulo 2^32. */
    public position: number,
    public count: number,
  ) {}

  /** Its elements; valid until they change. */
  listpack(slab: Slab): Buffer {
    const buffer = slab.buffer(this.address);
    const start = slab.offset(this.address);
    return buffer.subarray(start, start + listpackSize(buffer, start));
  }
}

/**
 * Every chunk is given once, as it was when the walk began: in turn, or by the list just before it changes.
 */
export class QuicklistWalk implements ValueWalk {
  readonly size: number;
  private next = 0;

  constructor(
    private readonly slab: Slab,
    private readonly chunks: readonly Chunk[],
    private readonly sink: PieceSink,
    private readonly ended: () => void,
  ) {
    this.size = chunks.length;
    for (let i = 0; i < chunks.length; i++) chunks[i].placeAtCut = i;
  }

  give(chunk: Chunk): void {
    const place = chunk.placeAtCut;
    chunk.placeAtCut = GIVEN;
    this.sink(place, chunk.listpack(this.slab), noBytes);
  }

  step(goOn: () => boolean): boolean {
    while (this.next < this.chunks.length) {
      const chunk = this.chunks[this.next++];
      if (chunk.placeAtCut === GIVEN) continue;
      this.give(chunk);
      if (!goOn()) break;
    }
    if (this.next < this.chunks.length) return false;
    this.ended();
    return true;
  }

  stop(): void {
    for (; this.next < this.chunks.length; this.next++) this.chunks[this.next].placeAtCut = GIVEN;
    this.ended();
  }
}
