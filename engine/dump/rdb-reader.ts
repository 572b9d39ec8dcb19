/**
 * Reads DUMP payloads of every Redis up to 7.0 (RDB version 10) for strings, lists, sets, sorted sets and hashes, in
 * every encoding. Payloads are foreign bytes: each claim is checked before it is believed, and nothing is allocated on a
 * claim that the payload's own size can't back.
 */
import { parseDoubleLoosely, parseLeadingDouble } from '../numbers/double.js';
import { formatInt64 } from '../numbers/int64.js';
import { intsetCount, intsetElement, isValidIntset } from '../values/intset.js';
import { listpackFirst, listpackNext, listpackText, validateListpack } from '../values/listpack.js';
import { readZiplist } from '../values/ziplist.js';
import { readZipmap } from '../values/zipmap.js';
import { matchesCrc64 } from './crc64.js';
import { hasDuplicate } from './duplicates.js';
import { decompressLzf } from './lzf.js';
import {
  footerSize,
  QuicklistContainer,
  RdbType,
  rdbVersion,
  StringEncoding,
  stringSizeMax,
} from './rdb-types.js';

/**
 * A value as read. Texts are latin1 strings. `rdbType` says in what form it came: Redis lets a value that came packed keep
 * that form in some cases in which it would not have chosen it (see {@link readDump}).
 */
export type DumpValue =
  | { kind: 'string'; rdbType: number; bytes: Buffer }
  | { kind: 'list'; rdbType: number; items: string[] }
  | { kind: 'set'; rdbType: number; members: string[] }
  /** Field, value, field, value, ... in the payload's order. */
  | { kind: 'hash'; rdbType: number; fieldsAndValues: string[] }
  /** Ascending by score, then member. */
  | { kind: 'zset'; rdbType: number; members: string[]; scores: number[] };

export type DumpFailure = { kind: 'corrupt'; reason: string };

/** Thrown and caught within this file only. */
class Corruption extends Error {}

function corrupt(reason: string): never {
  throw new Corruption(reason);
}

/** Redis looks at no more of a packed score. */
const packedScoreSizeMax = 127;

/** LZF at its best makes 264 bytes of 3. */
const lzfRatioMax = 88;
/** What one payload may come to decompressed: some megabytes could otherwise claim all memory, on every node alike. */
const decompressedMax = 2 ** 30;

/**
 * Whether a payload's footer is right: a version that is known, and the checksum of all before it. What RESTORE answers
 * "DUMP payload version or checksum are wrong" to when not.
 */
export function isIntactDump(payload: Buffer, start: number, end: number): boolean {
  if (end - start < footerSize) return false;
  const footer = end - footerSize;
  return payload.readUInt16LE(footer) <= rdbVersion && matchesCrc64(payload, start, end - 8, end - 8);
}

/**
 * Reads the value of a payload whose footer {@link isIntactDump} has found right.
 *
 * Never throws on damaged bytes: the failure says what is wrong (RESTORE answers "Bad data format"). Refused besides
 * damage: empty collections, duplicates, NaN scores (a packed score that is no number is 0), types that are none of the
 * five, more than 1 GiB of decompressed strings. As in Redis, bytes between value and footer are ignored, and a value that
 * claims more than there is before the footer is read into it.
 *
 * On restoring, Redis 7.0 keeps a listpack or ziplist packed by its count of entries alone (a member may be longer than
 * the configured value size), a zipmap and every big form by count and sizes.
 */
export function readDump(payload: Buffer, start: number, end: number): DumpValue | DumpFailure {
  try {
    return new RdbReader(payload, start, end).value();
  } catch (error) {
    if (error instanceof Corruption) return { kind: 'corrupt', reason: error.message };
    throw error;
  }
}

/** Where the bytes of a string lie: in the payload or, decompressed, in a buffer of their own. */
interface Bytes {
  buffer: Buffer;
  start: number;
  length: number;
}

class RdbReader {
  private decompressed = 0;

  constructor(
    private readonly buffer: Buffer,
    private at: number,
    private readonly end: number,
  ) {}

  value(): DumpValue {
    const rdbType = this.byte();
    switch (rdbType) {
      case RdbType.string: {
        const { buffer, start, length } = this.string();
        return { kind: 'string', rdbType, bytes: Buffer.from(buffer.subarray(start, start + length)) };
      }
      case RdbType.list:
        return this.list(rdbType, this.texts(this.count(1)));
      case RdbType.listZiplist:
        return this.list(rdbType, this.ziplist());
      case RdbType.listQuicklist:
      case RdbType.listQuicklist2:
        return this.list(rdbType, this.quicklist(rdbType));
      case RdbType.set:
        return this.set(rdbType, this.texts(this.count(1)));
      case RdbType.setIntset:
        return this.set(rdbType, this.intset());
      case RdbType.hash:
        return this.hash(rdbType, this.texts(2 * this.count(2)));
      case RdbType.hashZipmap:
        return this.hash(rdbType, this.zipmap());
      case RdbType.hashZiplist:
        return this.hash(rdbType, this.ziplist());
      case RdbType.hashListpack:
        return this.hash(rdbType, this.listpack());
      case RdbType.zset:
      case RdbType.zset2:
        return this.scored(rdbType);
      case RdbType.zsetZiplist:
        return this.packedZset(rdbType, this.ziplist());
      case RdbType.zsetListpack:
        return this.packedZset(rdbType, this.listpack());
      default:
        return corrupt(`type ${rdbType} is not supported`);
    }
  }

  private list(rdbType: number, items: string[]): DumpValue {
    if (items.length === 0) corrupt('the list is empty');
    return { kind: 'list', rdbType, items };
  }

  private set(rdbType: number, members: string[]): DumpValue {
    if (members.length === 0) corrupt('the set is empty');
    if (hasDuplicate(members, 1)) corrupt('a member stands twice');
    return { kind: 'set', rdbType, members };
  }

  private hash(rdbType: number, fieldsAndValues: string[]): DumpValue {
    if (fieldsAndValues.length === 0) corrupt('the hash is empty');
    if (fieldsAndValues.length % 2 !== 0) corrupt('a field lacks its value');
    if (hasDuplicate(fieldsAndValues, 2)) corrupt('a field stands twice');
    return { kind: 'hash', rdbType, fieldsAndValues };
  }

  private scored(rdbType: number): DumpValue {
    const count = this.count(rdbType === RdbType.zset2 ? 9 : 2);
    const members: string[] = [];
    const scores: number[] = [];
    for (let i = 0; i < count; i++) {
      members.push(this.text());
      scores.push(rdbType === RdbType.zset2 ? this.binaryDouble() : this.textDouble());
    }
    return this.zset(rdbType, members, scores);
  }

  private packedZset(rdbType: number, texts: string[]): DumpValue {
    if (texts.length % 2 !== 0) corrupt('a member lacks its score');
    const members: string[] = [];
    const scores: number[] = [];
    for (let i = 0; i < texts.length; i += 2) {
      members.push(texts[i]!);
      scores.push(parseLeadingDouble(texts[i + 1]!.slice(0, packedScoreSizeMax)));
    }
    return this.zset(rdbType, members, scores);
  }

  private zset(rdbType: number, members: string[], scores: number[]): DumpValue {
    if (members.length === 0) corrupt('the sorted set is empty');
    if (hasDuplicate(members, 1)) corrupt('a member stands twice');
    for (const score of scores) if (Number.isNaN(score)) corrupt('a score is not a number');
    return { kind: 'zset', rdbType, ...ascending(members, scores) };
  }

  private byte(): number {
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

  private length(): number {
    return this.lengthAfter(this.byte());
  }

  /** A count of elements that take `sizeMin` bytes each at least. */
  private count(sizeMin: number): number {
    const count = this.length();
    if (count * sizeMin > this.end - this.at) corrupt('more elements are claimed than the payload can hold');
    return count;
  }

  private string(): Bytes {
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

  private text(): string {
    const { buffer, start, length } = this.string();
    return buffer.latin1Slice(start, start + length);
  }

  private texts(count: number): string[] {
    const texts: string[] = [];
    for (let i = 0; i < count; i++) texts.push(this.text());
    return texts;
  }

  private binaryDouble(): number {
    return this.buffer.readDoubleLE(this.take(8));
  }

  private textDouble(): number {
    const length = this.byte();
    if (length === 255) return -Infinity;
    if (length === 254) return Infinity;
    if (length === 253 || length === 0) return NaN;
    const start = this.take(length);
    return parseDoubleLoosely(this.buffer.latin1Slice(start, start + length));
  }

  private listpack(): string[] {
    const { buffer, start, length } = this.string();
    if (validateListpack(buffer, start, length) < 0) corrupt('a listpack is damaged');
    const texts: string[] = [];
    for (let at = listpackFirst(buffer, start); at >= 0; at = listpackNext(buffer, at)) {
      texts.push(listpackText(buffer, at));
    }
    return texts;
  }

  private ziplist(): string[] {
    const { buffer, start, length } = this.string();
    return readZiplist(buffer, start, length) ?? corrupt('a ziplist is damaged');
  }

  private zipmap(): string[] {
    const { buffer, start, length } = this.string();
    return readZipmap(buffer, start, length) ?? corrupt('a zipmap is damaged');
  }

  private intset(): string[] {
    const { buffer, start, length } = this.string();
    if (!isValidIntset(buffer, start, length)) corrupt('an intset is damaged');
    const members: string[] = [];
    const count = intsetCount(buffer, start);
    for (let i = 0; i < count; i++) members.push(formatInt64(intsetElement(buffer, start, i)));
    return members;
  }

  private quicklist(rdbType: number): string[] {
    const items: string[] = [];
    for (let nodes = this.count(1); nodes > 0; nodes--) {
      if (rdbType === RdbType.listQuicklist) {
        appendAll(items, this.ziplist());
        continue;
      }
      const container = this.length();
      if (container === QuicklistContainer.plain) items.push(this.text());
      else if (container === QuicklistContainer.packed) appendAll(items, this.listpack());
      else corrupt('unknown kind of list node');
    }
    return items;
  }
}

function digits(value: number): Bytes {
  const buffer = Buffer.from(`${value}`, 'latin1');
  return { buffer, start: 0, length: buffer.length };
}

function appendAll(items: string[], more: string[]): void {
  for (const item of more) items.push(item);
}

/** Sorts by score, then member. Redis writes packed sets ascending and big ones descending; both cost no sort. */
function ascending(members: string[], scores: number[]): { members: string[]; scores: number[] } {
  const compare = (a: number, b: number) => {
    if (scores[a] !== scores[b]) return scores[a]! < scores[b]! ? -1 : 1;
    return members[a]! < members[b]! ? -1 : 1;
  };
  let rising = true;
  let falling = true;
  for (let i = 1; i < members.length && (rising || falling); i++) {
    if (compare(i - 1, i) < 0) falling = false;
    else rising = false;
  }
  if (rising) return { members, scores };
  if (falling) return { members: members.reverse(), scores: scores.reverse() };
  const order = members.map((_, i) => i).sort(compare);
  return { members: order.map((i) => members[i]!), scores: order.map((i) => scores[i]!) };
}
