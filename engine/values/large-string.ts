/**
 * A string of 8 KiB and more: bytes in a buffer with room to grow, changed in place (a bit set in 100 MB is
 * O(1)).
 */

import type { Lender, View } from '../protocol/view.js';
import type { Slab } from '../storage/slab.js';
import type { BigValue, PieceSink, ValueRestorer, ValueWalk } from './big-value.js';

const PIECE_BYTES = 64 * 1024;
/** The value's own object, its buffer's, and what V8 keeps beside a buffer's bytes. */
const OBJECT_BYTES = 256;
/**
 * Spare room that growth takes at most, as Redis's does; from a string of this length on, the buffer grows in
 * place.
 */
const SPARE_BYTES = 1 << 20;
/**
 * Addresses (not memory) set aside for a buffer that grows in place: so many times its length, and at least
 * so many bytes.
 */
const RESERVED_TIMES = 4;
const RESERVED_BYTES_MIN = 64 << 20;
const noBytes = Buffer.alloc(0);

/** ECMAScript 2024 of what this file uses; every runtime that we support has it. */
interface ResizableArrayBuffer extends ArrayBuffer {
  readonly maxByteLength: number;
  resize(byteLength: number): void;
}

type ResizableArrayBufferConstructor = new (
  byteLength: number,
  options: { maxByteLength: number },
) => ResizableArrayBuffer;

/** Zero bytes that can grow in place, or undefined where the process has no addresses left for that. */
function reserve(length: number): ResizableArrayBuffer | undefined {
  const maxByteLength = Math.max(RESERVED_BYTES_MIN, length * RESERVED_TIMES);
  try {
    return new (ArrayBuffer as unknown as ResizableArrayBufferConstructor)(length, { maxByteLength });
  } catch {
    return undefined;
  }
}

export class LargeString implements BigValue, Lender {
  private current: LargeStringWalk | undefined;
  /**
   * Somebody keeps {@link buffer} as it is, a reply on its way out: whoever changes the value changes a copy.
   */
  private isLent = false;
  /** How many bytes of the buffer are lent, while {@link isLent}. */
  private lentLength = 0;
  /** What {@link buffer} lies in, once it grows in place. */
  private growing: ResizableArrayBuffer | undefined;

  private constructor(
    private buffer: Buffer,
    public length: number,
    private readonly slab: Slab,
  ) {
    slab.track(this.memoryBytes);
  }

  static copyOf(bytes: View, slab: Slab): LargeString {
    return new LargeString(bytes.copy(), bytes.length, slab);
  }

  /** `length` zero bytes. */
  static zeros(length: number, slab: Slab): LargeString {
    return new LargeString(Buffer.alloc(length), length, slab);
  }

  /** Takes a string of `length` bytes over from its pieces. */
  static restorer(length: number, slab: Slab): ValueRestorer {
    const buffer = Buffer.alloc(length);
    let missing = length;
    return {
      piece(at, bytes) {
        missing -= bytes.copy(buffer, at);
      },
      isComplete: () => missing === 0,
      finish() {
        if (missing !== 0) throw new Error(`${missing} bytes of a string are missing`);
        return new LargeString(buffer, length, slab);
      },
    };
  }

  /** Noted with the bytes. */
  readonly objectBytes = 0;

  get memoryBytes(): number {
    return this.buffer.length + OBJECT_BYTES;
  }

  get elementCount(): number {
    return this.length;
  }

  contentBytes(): number {
    return this.length;
  }

  get isWalked(): boolean {
    return this.current !== undefined;
  }

  /** The bytes, for reading. */
  view(into: View): View {
    return into.onLent(this, this.buffer, 0, this.length);
  }

  /** The bytes, of which those from `from` up to `to` are about to be changed in place. */
  viewForWrite(into: View, from: number, to: number): View {
    this.current?.beforeChange(from, to);
    if (this.isLent && from < this.lentLength) this.takeBack(to - from < this.length);
    return into.on(this.buffer, 0, this.length);
  }

  lend(buffer: Buffer): boolean {
    if (buffer !== this.buffer) return false;
    this.isLent = true;
    this.lentLength = this.length;
    return true;
  }

  /** Goes on with a buffer of its own. */
  private takeBack(keepsBytes: boolean): void {
    const own = Buffer.alloc(this.buffer.length);
    if (keepsBytes) this.buffer.copy(own, 0, 0, this.length);
    this.buffer = own;
    this.isLent = false;
    this.growing = undefined;
  }

  /** Grows to `length` with zero bytes. The spare room is zero from the start, and lengths never shrink. */
  grow(length: number): void {
    if (length > this.buffer.length) {
      const before = this.buffer.length;
      this.enlarge(length + Math.min(length, SPARE_BYTES));
      this.slab.track(this.buffer.length - before);
    }
    this.length = length;
  }

  /**
   * A long string grows in place: copies of it, waiting to be collected, would take several times its own
   * memory.
   */
  private enlarge(capacity: number): void {
    if (this.growing !== undefined && capacity <= this.growing.maxByteLength) {
      this.growing.resize(capacity);
      this.buffer = Buffer.from(this.growing, 0, capacity);
      return;
    }
    const outgrown = this.growing;
    this.growing = capacity > SPARE_BYTES ? reserve(capacity) : undefined;
    const grown =
      this.growing === undefined ? Buffer.alloc(capacity) : Buffer.from(this.growing, 0, capacity);
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
    if (!this.isLent) outgrown?.resize(0);
    this.isLent = false;
  }

  dispose(): boolean {
    this.slab.track(-this.memoryBytes);
    return true;
  }

  get pieceCount(): number {
    return this.length;
  }

  pieces(sink: PieceSink): void {
    sink(0, this.buffer.subarray(0, this.length), noBytes);
  }

  walk(sink: PieceSink): ValueWalk {
    this.current = new LargeStringWalk(
      this.length,
      (start, end) => sink(start, this.buffer.subarray(start, end), noBytes),
      () => {
        this.current = undefined;
      },
    );
    return this.current;
  }
}

/** Gives a string's pieces in order, and those that are about to change before that. */
class LargeStringWalk implements ValueWalk {
  private next = 0;
  private readonly given: Uint8Array;

  constructor(
    readonly size: number,
    private readonly give: (start: number, end: number) => void,
    private readonly ended: () => void,
  ) {
    this.given = new Uint8Array(Math.ceil(size / PIECE_BYTES));
  }

  beforeChange(from: number, to: number): void {
    const last = Math.min(this.given.length - 1, Math.floor((to - 1) / PIECE_BYTES));
    for (let piece = Math.floor(from / PIECE_BYTES); piece <= last; piece++) this.givePiece(piece);
  }

  step(goOn: () => boolean): boolean {
    while (this.next < this.given.length) {
      this.givePiece(this.next++);
      if (!goOn()) break;
    }
    if (this.next < this.given.length) return false;
    this.stop();
    return true;
  }

  stop(): void {
    this.ended();
  }

  private givePiece(piece: number): void {
    if (this.given[piece] === 1) return;
    this.given[piece] = 1;
    this.give(piece * PIECE_BYTES, Math.min(this.size, (piece + 1) * PIECE_BYTES));
  }
}
