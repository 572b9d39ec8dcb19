/**
 * The building blocks of DUMP payloads of every Redis up to 7.0 (RDB version 10). What a type makes of them
 * is its descriptor's affair (`engine/types/`). Payloads are foreign bytes: each claim is checked before it
 * is believed, and nothing is allocated on a claim that the payload's own size can't back.
 */
import { parseDoubleLoosely } from '../numbers/double.js';
import { formatInt64 } from '../numbers/int64.js';
import { textOf } from '../protocol/view.js';
import { intsetCount, intsetElement, isValidIntset } from '../values/intset.js';
import { listpackFirst, listpackNext, listpackText, validateListpack } from '../values/listpack.js';
import { readZiplist } from '../values/ziplist.js';
import { readZipmap } from '../values/zipmap.js';
import { matchesCrc64 } from './crc64.js';
import { decompressLzf } from './lzf.js';
import { footerSize, StringEncoding, stringSizeMax, versionOfType } from './rdb-types.js';

/** Thrown by {@link corrupt}, for whoever reads a whole payload to catch. */
export class Corruption extends Error {}

/** Ends the reading of a payload whose bytes make no value. */
export function corrupt(reason: string): never {
  throw new Corruption(reason);
}

/** LZF at its best makes 264 bytes of 3. */
const lzfRatioMax = 88;
/**
 * What one payload may come to decompressed: some megabytes could otherwise claim all memory, on every node
 * alike.
 */
const decompressedMax = 2 ** 30;

/**
 * Whether a payload's footer is right: a version that is known, and the checksum of all before it. What
 * RESTORE answers "DUMP payload version or checksum are wrong" to when not.
 */
export function isIntactDump(payload: Buffer, start: number, end: number): boolean {
  if (end - start < footerSize) return false;
  const footer = end - footerSize;
  const known = versionOfType(payload[start]!);
  return payload.readUInt16LE(footer) <= known && matchesCrc64(payload, start, end - 8, end - 8);
}

/** Where the bytes of a string lie: in the payload or, decompressed, in a buffer of their own. */
export interface Bytes {
  buffer: Buffer;
  start: number;
  length: number;
}

/**
 * The building blocks of a payload, in turn; each throws {@link Corruption} where bytes are missing or wrong.
 */
export class RdbReader {
  private decompressed = 0;

  constructor(
    private readonly buffer: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) corrupt('the payload ends early');
    return this.buffer[this.at++]!;
  }

  /** Steps over `size` bytes that must be there; returns where they begin. */
  private take(size: number): number {
    if (size > this.end - this.at) corrupt('the payload ends early');
    const start = this.at;
    this.at += size;
    return start;
  }

  /** A length that follows its first byte, which is not one of a string encoding (11xxxxxx). */
  private lengthAfter(first: number): number {
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte();
    if (first === 0x80) return this.buffer.readUInt32BE(this.take(4));
    // 2^53 and more lose digits, which doesn't matter to a claim that no payload can back.
    if (first === 0x81) return Number(this.buffer.readBigUInt64BE(this.take(8)));
    return corrupt('unknown length encoding');
  }

  length(): number {
    return this.lengthAfter(this.byte());
  }

  /** A 64-bit integer without a sign, in the encoding of lengths; bigint beyond 2^53. */
  uint64(): number | bigint {
    const first = this.byte();
    if (first !== 0x81) return this.lengthAfter(first);
    const value = this.buffer.readBigUInt64BE(this.take(8));
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  /** `size` bytes that stand without a length; a view. */
  raw(size: number): Buffer {
    const start = this.take(size);
    return this.buffer.subarray(start, start + size);
  }

  /**
   * A point in time: 8 bytes, signed. What no clock shows becomes the nearest that a number holds exactly.
   */
  milliseconds(): number {
    const value = Number(this.buffer.readBigInt64LE(this.take(8)));
    return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
  }

  /** A count of elements that take `sizeMin` bytes each at least. */
  count(sizeMin: number): number {
    const count = this.length();
    if (count * sizeMin > this.end - this.at) corrupt('more elements are claimed than the payload can hold');
    return count;
  }

  string(): Bytes {
    const first = this.byte();
    if (first >> 6 !== 3) {
      const length = this.lengthAfter(first);
      return { buffer: this.buffer, start: this.take(length), length };
    }
    switch (first & 0x3f) {
      case StringEncoding.int8:
        return digits(this.buffer.readInt8(this.take(1)));
      case StringEncoding.int16:
        return digits(this.buffer.readInt16LE(this.take(2)));
      case StringEncoding.int32:
        return digits(this.buffer.readInt32LE(this.take(4)));
      case StringEncoding.lzf:
        return this.compressedString();
      default:
        return corrupt('unknown string encoding');
    }
  }

  private compressedString(): Bytes {
    const size = this.length();
    const length = this.length();
    const start = this.take(size);
    if (length > size * lzfRatioMax || length > stringSizeMax) corrupt('a compressed string claims too much');
    this.decompressed += length;
    if (this.decompressed > decompressedMax) corrupt('compressed strings claim too much together');
    const buffer = Buffer.allocUnsafe(length);
    if (!decompressLzf(this.buffer, start, size, buffer)) corrupt('a compressed string is damaged');
    return { buffer, start: 0, length };
  }

  text(): string {
    const { buffer, start, length } = this.string();
    return textOf(buffer, start, start + length);
  }

  texts(count: number): string[] {
    const texts: string[] = [];
    for (let i = 0; i < count; i++) texts.push(this.text());
    return texts;
  }

  binaryDouble(): number {
    return this.buffer.readDoubleLE(this.take(8));
  }

  textDouble(): number {
    const length = this.byte();
    if (length === 255) return -Infinity;
    if (length === 254) return Infinity;
    if (length === 253 || length === 0) return NaN;
    const start = this.take(length);
    return parseDoubleLoosely(this.buffer.latin1Slice(start, start + length));
  }

  listpack(): string[] {
    const { buffer, start, length } = this.string();
    if (validateListpack(buffer, start, length) < 0) corrupt('a listpack is damaged');
    const texts: string[] = [];
    for (let at = listpackFirst(buffer, start); at >= 0; at = listpackNext(buffer, at)) {
      texts.push(listpackText(buffer, at));
    }
    return texts;
  }

  ziplist(): string[] {
    const { buffer, start, length } = this.string();
    return readZiplist(buffer, start, length) ?? corrupt('a ziplist is damaged');
  }

  zipmap(): string[] {
    const { buffer, start, length } = this.string();
    return readZipmap(buffer, start, length) ?? corrupt('a zipmap is damaged');
  }

  intset(): string[] {
    const { buffer, start, length } = this.string();
    if (!isValidIntset(buffer, start, length)) corrupt('an intset is damaged');
    const members: string[] = [];
    const count = intsetCount(buffer, start);
    for (let i = 0; i < count; i++) members.push(formatInt64(intsetElement(buffer, start, i)));
    return members;
  }
}

function digits(value: number): Bytes {
  const buffer = Buffer.from(`${value}`, 'latin1');
  return { buffer, start: 0, length: buffer.length };
}
