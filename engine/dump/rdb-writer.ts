/**
 * Writes DUMP payloads as redis-server 7.0.15 does (RDB version 10): a real server RESTOREs them, and for
 * values whose inner order Redis defines (strings, lists, packed forms, sorted sets) the bytes are the same.
 */

import { parseInt64Bytes } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { copyBytes, type View } from '../protocol/view.js';
import { ListpackBuilder } from '../values/listpack-builder.js';
import { RunningCrc64 } from './crc64.js';
import { compressLzf } from './lzf.js';
import { footerSize, QuicklistContainer, RdbType, rdbVersion, StringEncoding } from './rdb-types.js';

/** Strings of at most this many bytes aren't worth compressing. */
const uncompressedMax = 20;
/** Longer digits can't be a 32-bit integer. */
const integerTextMax = 11;
/**
 * What a quicklist node may grow to (list-max-listpack-size -2), and what Redis adds to an element to
 * estimate.
 */
const nodeSizeMax = 8192;
const nodeSizeSlack = 8;

/** No payload grows beyond this; no server's limit on a request would let it in again. */
const payloadSizeMax = 2 ** 31;
/** What type, encoding and two lengths take before a compressed stream, at most. */
const compressedHeaderMax = 1 + 9 + 9;

/** Builds one payload: a type byte, the pieces of the value, {@link finish}. */
export class RdbWriter {
  private buffer: Buffer;
  private end = 0;
  private readonly checksum = new RunningCrc64();
  private checkedTo = 0;

  /**
   * @param type one of RdbType; none where the payload is no value's
   * @param expectedSize what it will take at most, as far as that is known
   */
  constructor(type?: number, expectedSize = 256) {
    this.buffer = Buffer.allocUnsafe(Math.min(expectedSize, payloadSizeMax));
    if (type !== undefined) this.buffer[this.end++] = type;
  }

  private reserve(size: number): void {
    const needed = this.end + size;
    if (needed <= this.buffer.length) return;
    if (needed > payloadSizeMax) throw errors.dumpTooLarge;
    const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(this.buffer.length * 2, payloadSizeMax)));
    this.buffer.copy(grown, 0, 0, this.end);
    this.buffer = grown;
  }

  /** A count or a size, of 64 bits without a sign. */
  length(value: number | bigint): this {
    this.reserve(9);
    const { buffer, end } = this;
    if (typeof value === 'bigint') {
      // Numbers may come as bigints, whatever their size.
      if (value <= 0xffff_ffffn) return this.length(Number(value));
      buffer[end] = 0x81;
      this.end = buffer.writeBigUInt64BE(value, end + 1);
      return this;
    }
    if (value < 1 << 6) {
      buffer[end] = value;
      this.end += 1;
    } else if (value < 1 << 14) {
      buffer[end] = 0x40 | (value >> 8);
      buffer[end + 1] = value;
      this.end += 2;
    } else if (value <= 0xffff_ffff) {
      buffer[end] = 0x80;
      buffer.writeUInt32BE(value, end + 1);
      this.end += 5;
    } else {
      buffer[end] = 0x81;
      buffer.writeBigUInt64BE(BigInt(value), end + 1);
      this.end += 9;
    }
    return this;
  }

  /**
   * A string: as an integer of 8 to 32 bits when it is canonical digits, LZF-compressed when that saves, else
   * plain.
   */
  bytes(source: Buffer, start: number, length: number): this {
    if (length <= integerTextMax) {
      const integer = parseInt64Bytes(source, start, length);
      if (typeof integer === 'number' && integer >= -2147483648 && integer <= 2147483647)
        return this.integer32(integer);
    }
    if (length > uncompressedMax && this.compressed(source, start, length)) return this;
    this.length(length);
    this.reserve(length);
    source.copy(this.buffer, this.end, start, start + length);
    this.end += length;
    return this;
  }

  /** {@link bytes} of an element of a value; strings are latin1. */
  element(element: View | string): this {
    if (typeof element !== 'string')
      return this.bytes(element.buffer, element.start, element.end - element.start);
    const bytes = Buffer.from(element, 'latin1');
    return this.bytes(bytes, 0, bytes.length);
  }

  private integer32(value: number): this {
    this.reserve(5);
    const { buffer, end } = this;
    if (value >= -128 && value <= 127) {
      buffer[end] = 0xc0 | StringEncoding.int8;
      buffer[end + 1] = value;
      this.end += 2;
    } else if (value >= -32768 && value <= 32767) {
      buffer[end] = 0xc0 | StringEncoding.int16;
      buffer.writeInt16LE(value, end + 1);
      this.end += 3;
    } else {
      buffer[end] = 0xc0 | StringEncoding.int32;
      buffer.writeInt32LE(value, end + 1);
      this.end += 5;
    }
    return this;
  }

  private compressed(source: Buffer, start: number, length: number): boolean {
    // Compression must save 4 bytes at least. The sizes that precede the stream are known only afterwards: it
    // is moved then.
    const limit = length - 4;
    this.reserve(compressedHeaderMax + limit + 1);
    const at = this.end + compressedHeaderMax;
    const size = compressLzf(source, start, length, this.buffer, at, limit);
    if (size === 0) return false;
    this.buffer[this.end++] = 0xc0 | StringEncoding.lzf;
    this.length(size).length(length);
    this.buffer.copyWithin(this.end, at, at + size);
    this.end += size;
    return true;
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Buffer): this {
    this.reserve(bytes.length);
    bytes.copy(this.buffer, this.end);
    this.end += bytes.length;
    return this;
  }

  /** {@link raw} of a part of a buffer. */
  rawPart(source: Buffer, start: number, length: number): this {
    this.reserve(length);
    copyBytes(source, start, this.buffer, this.end, length);
    this.end += length;
    return this;
  }

  /** One byte: an opcode, a type. */
  byte(value: number): this {
    this.reserve(1);
    this.buffer[this.end++] = value;
    return this;
  }

  /** A point in time: 8 bytes, little-endian. */
  milliseconds(value: number): this {
    this.reserve(8);
    // A bigint would cost more than all the rest of a pending entry.
    this.end = this.buffer.writeInt32LE(value | 0, this.end);
    this.end = this.buffer.writeInt32LE(Math.floor(value / 2 ** 32) | 0, this.end);
    return this;
  }

  /** A score: 8 bytes, little-endian. */
  double(value: number): this {
    this.reserve(8);
    this.end = this.buffer.writeDoubleLE(value, this.end);
    return this;
  }

  /** What is written so far; a view. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.end);
  }

  /** Reckons the checksum of what is written, so that less is left to {@link finish}. */
  check(): void {
    this.checksum.update(this.buffer, this.checkedTo, this.end);
    this.checkedTo = this.end;
  }

  /** Ends the payload with version and checksum; the writer is not to be used again. */
  finish(version = rdbVersion): Buffer {
    this.reserve(footerSize);
    const { buffer, end } = this;
    buffer.writeUInt16LE(version, end);
    this.end += 2;
    this.check();
    this.checksum.write(buffer, this.end);
    return buffer.subarray(0, end + footerSize);
  }
}

/** Payload of a string. */
export function dumpString(source: Buffer, start: number, length: number): Buffer {
  return new RdbWriter(RdbType.string).bytes(source, start, length).finish();
}

/**
 * Payload of a value that is one packed byte string in Redis.
 * @param type RdbType.hashListpack, zsetListpack or setIntset, whose bytes these are
 */
export function dumpPacked(type: number, source: Buffer, start: number, length: number): Buffer {
  return new RdbWriter(type).bytes(source, start, length).finish();
}

/** Payload of a set or, from field, value, field, ..., of a hash in its big form. */
export function dumpTexts(
  type: typeof RdbType.set | typeof RdbType.hash,
  count: number,
  elements: Iterable<View | string>,
): Buffer {
  const writer = new RdbWriter(type).length(type === RdbType.hash ? count / 2 : count);
  for (const element of elements) writer.element(element);
  return writer.finish();
}

/**
 * Payload of a sorted set in its big form.
 * @param descending members with their scores, the greatest first: the order in which Redis writes them
 */
export function dumpSortedSet(
  count: number,
  descending: Iterable<readonly [member: View | string, score: number]>,
): Buffer {
  const writer = new RdbWriter(RdbType.zset2).length(count);
  for (const [member, score] of descending) writer.element(member).double(score);
  return writer.finish();
}

/** Payload of a list whose nodes are given as listpacks. */
export function dumpListpacks(nodes: readonly Buffer[]): Buffer {
  const writer = new RdbWriter(RdbType.listQuicklist2).length(nodes.length);
  for (const node of nodes) writer.length(QuicklistContainer.packed).bytes(node, 0, node.length);
  return writer.finish();
}

/** Payload of a list, packed into nodes as repeated RPUSH packs them in Redis: up to 8 KB each. */
export function dumpList(items: Iterable<View | string>): Buffer {
  const nodes: Buffer[] = [];
  const node = new ListpackBuilder(nodeSizeMax);
  for (const item of items) {
    if (node.count > 0 && node.size + item.length + nodeSizeSlack > nodeSizeMax) nodes.push(node.take());
    if (typeof item === 'string') node.appendText(item);
    else node.appendBytes(item.buffer, item.start, item.length);
  }
  if (node.count > 0) nodes.push(node.take());
  return dumpListpacks(nodes);
}
