/**
 * Strings as arrays of bits, the highest bit of the first byte first: what SETBIT, BITCOUNT, BITPOS and BITOP
 * do.
 */

/** A stretch of bytes. */
export interface ByteRange {
  buffer: Buffer;
  start: number;
  length: number;
}

/** From here up whole words pay for their set-up. */
const wordwiseMin = 256;

/** Bit `offset` of a string; 0 behind its end. */
export function getBit(buffer: Buffer, start: number, length: number, offset: number): number {
  const byte = Math.floor(offset / 8);
  return byte < length ? (buffer[start + byte]! >> (7 - (offset % 8))) & 1 : 0;
}

/** Sets bit `offset`, which lies in the string; returns what it was. */
export function setBit(buffer: Buffer, start: number, offset: number, bit: number): number {
  const at = start + Math.floor(offset / 8);
  const shift = 7 - (offset % 8);
  const byte = buffer[at]!;
  buffer[at] = (byte & ~(1 << shift)) | (bit << shift);
  return (byte >> shift) & 1;
}

function countInWord(word: number): number {
  word -= (word >>> 1) & 0x5555_5555;
  word = (word & 0x3333_3333) + ((word >>> 2) & 0x3333_3333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** Aligned 32-bit words over bytes [from, to) of a buffer, and the byte position of the first. */
function wordsOf(buffer: Buffer, from: number, to: number): { words: Int32Array; first: number } {
  const first = from + ((4 - ((buffer.byteOffset + from) & 3)) & 3);
  return { words: new Int32Array(buffer.buffer, buffer.byteOffset + first, (to - first) >> 2), first };
}

/** How many bits are set in bytes [from, to) of a buffer. */
export function countBits(buffer: Buffer, from: number, to: number): number {
  let count = 0;
  let at = from;
  if (to - from >= wordwiseMin) {
    const { words, first } = wordsOf(buffer, from, to);
    for (; at < first; at++) count += countInWord(buffer[at]!);
    for (let i = 0; i < words.length; i++) count += countInWord(words[i]!);
    at = first + words.length * 4;
  }
  for (; at < to; at++) count += countInWord(buffer[at]!);
  return count;
}

/**
 * How many bits are set among bits `first` to `last`, inclusive, of the string at `start`; both must lie in
 * it.
 */
export function countBitRange(buffer: Buffer, start: number, first: number, last: number): number {
  const from = Math.floor(first / 8);
  const to = Math.floor(last / 8);
  const count = countBits(buffer, start + from, start + to + 1);
  const before = buffer[start + from]! >> (8 - (first % 8));
  const behind = buffer[start + to]! & ((1 << (7 - (last % 8))) - 1);
  return count - countInWord(before) - countInWord(behind);
}

/**
 * Finds the first bit of a value among bits `first` to `last`, inclusive, of the string at `start`; both must
 * lie in it.
 *
 * @returns its offset in the string, or -1. (BITPOS key 0 without an end then answers `last + 1`: zeros go on
 * for ever.)
 */
export function findBit(buffer: Buffer, start: number, first: number, last: number, bit: number): number {
  /** What a byte without the bit looks like. */
  const blank = bit === 0 ? 0xff : 0;
  const from = Math.floor(first / 8);
  const to = Math.floor(last / 8);
  let at = from;
  // Bits outside the range are made blank, in the first byte and in the last.
  const found = (byte: number) => at * 8 + Math.clz32((byte ^ blank) & 0xff) - 24;
  let byte = buffer[start + at]!;
  byte = (byte & (0xff >> (first % 8))) | (blank & ~(0xff >> (first % 8)));
  if (at < to) {
    if (byte !== blank) return found(byte);
    at = skipBytes(buffer, start + at + 1, start + to, blank) - start;
    byte = buffer[start + at]!;
  }
  if (at === to) {
    const behind = (1 << (7 - (last % 8))) - 1;
    byte = (byte & ~behind) | (blank & behind);
  }
  return byte === blank ? -1 : found(byte);
}

/** Position of the first byte in [at, to) that differs from `blank` (0 or 255), else `to`. */
function skipBytes(buffer: Buffer, at: number, to: number, blank: number): number {
  if (to - at >= wordwiseMin) {
    const { words, first } = wordsOf(buffer, at, to);
    for (; at < first; at++) if (buffer[at] !== blank) return at;
    const blankWord = blank === 0 ? 0 : -1;
    let i = 0;
    while (i < words.length && words[i] === blankWord) i++;
    at = first + i * 4;
  }
  while (at < to && buffer[at] === blank) at++;
  return at;
}

export type BitOperation = 'and' | 'or' | 'xor';

const chunkSize = 32 * 1024;
let chunk: Int32Array | undefined;

/**
 * Combines strings bit by bit into a new one as long as the longest; shorter ones go on with zeros.
 * @param sources at least one
 */
export function combineBits(operation: BitOperation, sources: readonly ByteRange[]): Buffer {
  let length = 0;
  for (const source of sources) length = Math.max(length, source.length);
  // A multiple of 4 bytes on a boundary of 4, of which the caller sees `length`.
  const words = new Int32Array((length + 3) >> 2);
  const result = Buffer.from(words.buffer, 0, length);
  const [head, ...rest] = sources;
  head!.buffer.copy(result, 0, head!.start, head!.start + head!.length);
  for (const source of rest) {
    if (source.length < chunkSize / 128) combineBytes(operation, result, source);
    else combineWords(operation, words, source);
    if (operation === 'and') result.fill(0, source.length);
  }
  return result;
}

function combineBytes(operation: BitOperation, target: Buffer, { buffer, start, length }: ByteRange): void {
  for (let i = 0; i < length; i++) {
    const byte = buffer[start + i]!;
    if (operation === 'and') target[i] = target[i]! & byte;
    else if (operation === 'or') target[i] = target[i]! | byte;
    else target[i] = target[i]! ^ byte;
  }
}

/** Word by word, through a chunk that makes the source's bytes aligned. */
function combineWords(
  operation: BitOperation,
  target: Int32Array,
  { buffer, start, length }: ByteRange,
): void {
  chunk ??= new Int32Array(chunkSize / 4);
  const bytes = Buffer.from(chunk.buffer);
  for (let at = 0; at < length; at += chunkSize) {
    const size = Math.min(chunkSize, length - at);
    const count = (size + 3) >> 2;
    const first = at / 4;
    if (size < count * 4) {
      // Behind the source's end its last word must not change the target, unless by AND, after which that is
      // zero anyway.
      chunk[count - 1] = 0;
    }
    buffer.copy(bytes, 0, start + at, start + at + size);
    if (operation === 'and') for (let i = 0; i < count; i++) target[first + i]! &= chunk[i];
    else if (operation === 'or') for (let i = 0; i < count; i++) target[first + i]! |= chunk[i];
    else for (let i = 0; i < count; i++) target[first + i]! ^= chunk[i];
  }
}

/** The string with each bit inverted. */
export function invertBits({ buffer, start, length }: ByteRange): Buffer {
  const words = new Int32Array((length + 3) >> 2);
  const result = Buffer.from(words.buffer, 0, length);
  buffer.copy(result, 0, start, start + length);
  for (let i = 0; i < words.length; i++) words[i] = ~words[i]!;
  return result;
}
