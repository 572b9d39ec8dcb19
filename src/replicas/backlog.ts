/**
 * The stream that replicas are sent, as far back as it is kept: its bytes have offsets that only grow. Blocks
 * are written once, so that sockets may hold what they were given.
 */
import Denque from 'denque';

const BLOCK_BYTES = 64 * 1024;

interface Block {
  /** Of its first byte. */
  readonly offset: number;
  readonly bytes: Buffer;
  used: number;
}

export class Backlog {
  /** Behind the last byte. */
  end: number;
  private readonly blocks = new Denque<Block>();

  constructor(offset: number) {
    this.end = offset;
  }

  /** Of the first byte that is kept. */
  get start(): number {
    return this.blocks.peekFront()?.offset ?? this.end;
  }

  get keptBytes(): number {
    return this.end - this.start;
  }

  append(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      let block = this.blocks.peekBack();
      if (block === undefined || block.used === block.bytes.length) {
        const size = Math.max(BLOCK_BYTES, bytes.length - at);
        block = { offset: this.end, bytes: Buffer.allocUnsafeSlow(size), used: 0 };
        this.blocks.push(block);
      }
      const copied = bytes.copy(block.bytes, block.used, at);
      block.used += copied;
      at += copied;
      this.end += copied;
    }
  }

  /** What stands at an offset, in one piece of at most `limit` bytes; empty at the end. */
  read(offset: number, limit: number): Buffer {
    if (offset < this.start || offset > this.end) throw new RangeError(`offset ${offset} is not kept`);
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks.peekAt(middle)!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const block = this.blocks.peekAt(low - 1);
    if (block === undefined) return Buffer.alloc(0);
    const from = offset - block.offset;
    return block.bytes.subarray(from, Math.min(block.used, from + limit));
  }

  /** Forgets whole blocks, but for the last `keptBytes` bytes and what stands behind `neededFrom`. */
  trim(keptBytes: number, neededFrom: number): void {
    for (;;) {
      const first = this.blocks.peekFront();
      if (first === undefined || this.blocks.length === 1) return;
      const behind = first.offset + first.used;
      if (behind > neededFrom || this.end - behind < keptBytes) return;
      this.blocks.shift();
    }
  }
}
