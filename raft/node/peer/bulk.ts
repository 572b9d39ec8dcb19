/**
 * Large frames in pieces, so that what must not wait, such as a heartbeat, passes between two of them. Frames
 * in order of each other go through one queue: whatever is behind a large one waits for it.
 */

/** A longer body goes in pieces of this length. */
export const pieceBytes = 256 * 1024;
/**
 * A frame counts up to here towards what waits: how much one entry holds is not for a link to judge, how much
 * piles up is.
 */
const countedMaxBytes = 1024 * 1024;

interface QueuedFrame {
  readonly kind: number;
  readonly pieces: readonly Uint8Array[];
  readonly length: number;
  readonly countedBytes: number;
}

/** What is to be sent in order. */
export class BulkQueue {
  private readonly frames: QueuedFrame[] = [];
  private isBegun = false;
  /** Where in the first frame: a piece of its list, and an offset in that. */
  private place = 0;
  private offset = 0;
  private countedBytes = 0;

  get isEmpty(): boolean {
    return this.frames.length === 0;
  }

  /** Bytes that wait behind the frame that is on its way. */
  get waitingBytes(): number {
    return this.countedBytes - (this.frames[0]?.countedBytes ?? 0);
  }

  push(kind: number, pieces: readonly Uint8Array[], length: number): void {
    const countedBytes = Math.min(length, countedMaxBytes);
    this.frames.push({ kind, pieces, length, countedBytes });
    this.countedBytes += countedBytes;
  }

  /**
   * Takes off what is to be sent next.
   *
   * @returns a whole frame; the announcement of a frame in pieces; or its next piece
   */
  shift():
    | { readonly what: 'frame'; readonly kind: number; readonly pieces: readonly Uint8Array[] }
    | { readonly what: 'begin'; readonly body: Uint8Array }
    | { readonly what: 'piece'; readonly pieces: readonly Uint8Array[] } {
    const frame = this.frames[0]!;
    const { kind, pieces, length } = frame;
    if (length <= pieceBytes) {
      this.drop();
      return { what: 'frame', kind, pieces };
    }
    if (!this.isBegun) {
      this.isBegun = true;
      const body = Buffer.allocUnsafe(5);
      body.writeUInt32LE(length, 0);
      body[4] = kind;
      return { what: 'begin', body };
    }
    const taken: Uint8Array[] = [];
    let room = pieceBytes;
    while (room > 0 && this.place < pieces.length) {
      const rest = pieces[this.place]!.subarray(this.offset, this.offset + room);
      if (rest.length > 0) taken.push(rest);
      room -= rest.length;
      this.offset += rest.length;
      if (this.offset < pieces[this.place]!.length) break;
      this.place++;
      this.offset = 0;
    }
    if (this.place === pieces.length) this.drop();
    return { what: 'piece', pieces: taken };
  }

  private drop(): void {
    this.countedBytes -= this.frames.shift()!.countedBytes;
    this.isBegun = false;
    this.place = 0;
    this.offset = 0;
  }
}

/** A frame of which pieces come in. */
export class IncomingBulk {
  private filled = 0;

  constructor(
    readonly kind: number,
    readonly body: Buffer,
  ) {}

  /** Where the next piece belongs; undefined if it is longer than what is missing. */
  place(length: number): Buffer | undefined {
    if (length === 0 || this.filled + length > this.body.length) return undefined;
    return this.body.subarray(this.filled, this.filled + length);
  }

  /** A piece has come whole. Returns whether it was the last one. */
  took(length: number): boolean {
    this.filled += length;
    return this.filled === this.body.length;
  }
}
