/**
 * Byte strings inside the engine.
 *
 * Two forms carry them: a {@link View} on somebody else's buffer (a request, the slab), valid until the next
 * command runs; and a flat latin1 JavaScript string (one char code a byte) for what is returned, compared or
 * kept by big values.
 */
import { errors } from './errors.js';

/**
 * The longest text that is made of bytes. V8's own limit differs between its releases (2^29 - 24 chars in the
 * lowest of those that we run on): half of that is far from any of them, so that all nodes refuse alike, and
 * a text may grow while it is worked on.
 */
export const TEXT_BYTES_MAX = 256 * 1024 * 1024;

/** From here on a reply that outlasts its source is bytes. */
const KEPT_TEXT_BYTES = 8192;

/** Bytes as a flat latin1 string. Throws an error reply past {@link TEXT_BYTES_MAX}. */
export function textOf(buffer: Buffer, start: number, end: number): string {
  if (end - start > TEXT_BYTES_MAX) throw errors.textTooLong;
  return buffer.latin1Slice(start, end);
}

/** Redis reads a long double of at most so many characters. */
const NUMBER_BYTES_MAX = 5 * 1024;

/** See {@link View.numberText}. */
export function numberTextOf(buffer: Buffer, start: number, end: number): string {
  return end - start > NUMBER_BYTES_MAX ? '?' : buffer.latin1Slice(start, end);
}

/** Owns bytes of which views are given out. */
export interface Lender {
  /** Promises not to change a buffer any more; false if it is no longer the owner's. */
  lend(buffer: Buffer): boolean;
}

/** From this share of its buffer on (one part in so many) a view's bytes are lent rather than copied. */
const LENT_SHARE = 4;

/** Bytes in somebody's buffer. */
export class View {
  /** Who keeps {@link buffer} unchanged for whoever asks, instead of having it copied; undefined for most. */
  private lender: Lender | undefined = undefined;

  constructor(
    public buffer: Buffer = emptyBuffer,
    public start = 0,
    public end = 0,
  ) {}

  get length(): number {
    return this.end - this.start;
  }

  /** Points this view at other bytes; returns it. */
  on(buffer: Buffer, start: number, end: number): this {
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.lender = undefined;
    return this;
  }

  /** {@link on}, for bytes whose owner lends them. */
  onLent(lender: Lender, buffer: Buffer, start: number, end: number): this {
    this.on(buffer, start, end);
    this.lender = lender;
    return this;
  }

  /** Bytes that stay as they are: the owner's own, where it lends them, or a copy. */
  keep(): Buffer {
    const length = this.end - this.start;
    // A change of a lent value copies all of it: that must not cost much more than copying the part that is
    // wanted.
    if (length * LENT_SHARE < this.buffer.length || this.lender?.lend(this.buffer) !== true)
      return this.copy();
    return this.buffer.subarray(this.start, this.end);
  }

  /** Narrows this view to those of its bytes from `from` up to `to`; returns it. */
  narrow(from: number, to: number): this {
    this.end = this.start + to;
    this.start += from;
    return this;
  }

  /** The bytes as a flat latin1 string. Throws an error reply past {@link TEXT_BYTES_MAX}. */
  latin1(): string {
    return textOf(this.buffer, this.start, this.end);
  }

  /**
   * The bytes as the text of a number; where they are longer than any that makes sense, a text that is none.
   */
  numberText(): string {
    return numberTextOf(this.buffer, this.start, this.end);
  }

  /** The bytes for a reply that outlasts what they lie in: a string, or a copy where they are long. */
  kept(): string | Buffer {
    return this.end - this.start < KEPT_TEXT_BYTES
      ? this.buffer.latin1Slice(this.start, this.end)
      : this.keep();
  }

  /** A copy of the bytes. */
  copy(): Buffer {
    return Buffer.from(this.buffer.subarray(this.start, this.end));
  }

  byteAt(index: number): number {
    return this.buffer[this.start + index];
  }

  equals(other: View): boolean {
    const length = this.end - this.start;
    return (
      other.end - other.start === length &&
      equalBytes(this.buffer, this.start, other.buffer, other.start, length)
    );
  }
}

declare global {
  // Node's own fast paths, which @types/node leaves out.
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
    latin1Write(text: string, offset?: number, length?: number): number;
    utf8Slice(start?: number, end?: number): string;
    utf8Write(text: string, offset?: number, length?: number): number;
  }
}

const emptyBuffer = Buffer.alloc(0);

/**
 * Up to here a byte loop beats the call into native code: measured 65 to 85 ns a call against 1.6 ns a byte,
 * on buffers that differ from call to call (a benchmark with one constant buffer shows a third of that).
 */
const LOOP_LIMIT = 48;

/**
 * Copies `length` bytes; the ranges may overlap only if `source` and `target` differ or the target lies
 * before the source.
 */
export function copyBytes(
  source: Buffer,
  sourceStart: number,
  target: Buffer,
  targetStart: number,
  length: number,
): void {
  if (length > LOOP_LIMIT) {
    source.copy(target, targetStart, sourceStart, sourceStart + length);
    return;
  }
  for (let i = 0; i < length; i++) target[targetStart + i] = source[sourceStart + i];
}

export function equalBytes(a: Buffer, aStart: number, b: Buffer, bStart: number, length: number): boolean {
  if (length > LOOP_LIMIT) return a.compare(b, bStart, bStart + length, aStart, aStart + length) === 0;
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Four little-endian bytes, unsigned. Without the checks of Node's own reader, which take 8 of its 12 ns. */
export function readUint32(buffer: Buffer, at: number): number {
  return (buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24)) >>> 0;
}

/** Writes the low 32 bits of `value`, little-endian. */
export function writeUint32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

/** memcmp order, the shorter first when one is a prefix of the other. Negative, 0 or positive. */
export function compareBytes(
  a: Buffer,
  aStart: number,
  aEnd: number,
  b: Buffer,
  bStart: number,
  bEnd: number,
): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  if (shared > LOOP_LIMIT) return a.compare(b, bStart, bEnd, aStart, aEnd);
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i] - b[bStart + i];
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** The UTF-8 bytes of a text of JavaScript as a latin1 string, which is what a reply takes. */
export function utf8Bytes(text: string): string {
  return Buffer.from(text, 'utf8').latin1Slice();
}

/** Writes a latin1 string's bytes at `offset`; the caller has made room. */
export function writeLatin1(text: string, target: Buffer, offset: number): void {
  const length = text.length;
  if (length > LOOP_LIMIT) {
    target.latin1Write(text, offset, length);
    return;
  }
  for (let i = 0; i < length; i++) target[offset + i] = text.charCodeAt(i);
}

/** A view on a fresh buffer that holds a latin1 string's bytes. */
export function viewOf(text: string): View {
  const buffer = Buffer.allocUnsafe(text.length);
  writeLatin1(text, buffer, 0);
  return new View(buffer, 0, text.length);
}
