/**
 * Redis 7's listpack, in place: the packed, order-keeping byte string that small hashes, lists, sets and
 * sorted sets are held in. Layout facts: antirez/listpack, listpack.md; checked against dumps of redis-server
 * 7.0.15.
 *
 *     <total bytes: 4, little-endian> <elements: 2, 65535 = more than it can say> <element>... <0xff>
 *     element = <encoding> <data> <length of the two before it, readable from behind>
 *
 * Every function works on a listpack that begins at `start` of a larger buffer. A position is an absolute
 * offset in that buffer; -1 is "none". Bytes are trusted to be well-formed: {@link validateListpack} is the
 * gate for foreign ones.
 */
import {
  type Int64,
  int64TextLength,
  parseInt64,
  parseInt64Bytes,
  readInt64,
  writeInt64,
} from '../numbers/int64.js';
import { copyBytes, equalBytes, textOf } from '../protocol/view.js';

/** Bytes of a listpack's header; an empty one has the end mark besides. */
export const listpackHeaderSize = 6;
export const listpackEmptySize = 7;
const countUnknown = 65535;
const endMark = 0xff;

/** Writes an empty listpack; returns its size. */
export function writeEmptyListpack(buffer: Buffer, start: number): number {
  writeHeader(buffer, start, listpackEmptySize, 0);
  buffer[start + listpackHeaderSize] = endMark;
  return listpackEmptySize;
}

function writeHeader(buffer: Buffer, start: number, size: number, count: number): void {
  buffer[start] = size;
  buffer[start + 1] = size >>> 8;
  buffer[start + 2] = size >>> 16;
  buffer[start + 3] = size >>> 24;
  buffer[start + 4] = count;
  buffer[start + 5] = count >>> 8;
}

/** Size in bytes, header and end mark included. */
export function listpackSize(buffer: Buffer, start: number): number {
  return (
    (buffer[start]! | (buffer[start + 1]! << 8) | (buffer[start + 2]! << 16) | (buffer[start + 3]! << 24)) >>>
    0
  );
}

/** How many elements; O(1) below 65535, a walk from there on. */
export function listpackCount(buffer: Buffer, start: number): number {
  const count = buffer[start + 4]! | (buffer[start + 5]! << 8);
  if (count !== countUnknown) return count;
  let walked = 0;
  for (let at = start + listpackHeaderSize; buffer[at] !== endMark; at = afterElement(buffer, at)) walked++;
  return walked;
}

/** Size of an element's encoding and data, without what tells its length from behind. */
function bodySize(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc0) return 1 + (lead & 0x3f);
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 2 + (((lead & 0x0f) << 8) | buffer[at + 1]!);
  switch (lead) {
    case 0xf0:
      return 5 + readUInt32(buffer, at + 1);
    case 0xf1:
      return 3;
    case 0xf2:
      return 4;
    case 0xf3:
      return 5;
    default:
      return 9;
  }
}

function readUInt32(buffer: Buffer, at: number): number {
  return (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)) >>> 0;
}

/**
 * How many bytes tell a body's length from behind. The bounds are one short of what 7-bit groups hold, as in
 * Redis.
 */
function backLengthSize(body: number): number {
  if (body <= 127) return 1;
  if (body < 16383) return 2;
  if (body < 2097151) return 3;
  if (body < 268435455) return 4;
  return 5;
}

function writeBackLength(buffer: Buffer, at: number, body: number): void {
  const size = backLengthSize(body);
  if (size === 1) {
    buffer[at] = body;
    return;
  }
  for (let last = at + size - 1; last > at; last--) {
    buffer[last] = (body & 0x7f) | 0x80;
    body >>>= 7;
  }
  buffer[at] = body;
}

/** Reads the length that ends at `last`, backwards. */
function readBackLength(buffer: Buffer, last: number): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 5; i++) {
    const byte = buffer[last - i]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
  return -1;
}

function afterElement(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  // The rule in small values, and a third of a search's time saved: small integers, strings of at most 63
  // bytes.
  if (lead < 0x80) return at + 2;
  if (lead < 0xc0) return at + (lead & 0x3f) + 2;
  const body = bodySize(buffer, at);
  return at + body + backLengthSize(body);
}

/** Size of the whole element at a position. */
export function listpackElementSize(buffer: Buffer, at: number): number {
  return afterElement(buffer, at) - at;
}

/** Position of the first element, or -1. */
export function listpackFirst(buffer: Buffer, start: number): number {
  const at = start + listpackHeaderSize;
  return buffer[at] === endMark ? -1 : at;
}

/** Position of the element behind the one at `at`, or -1. */
export function listpackNext(buffer: Buffer, at: number): number {
  const next = afterElement(buffer, at);
  return buffer[next] === endMark ? -1 : next;
}

/** Position behind the element at `at`: the next element's, or the end mark's. */
export function listpackAfter(buffer: Buffer, at: number): number {
  return afterElement(buffer, at);
}

/** Position of the end mark, where an appended element goes. */
export function listpackEnd(buffer: Buffer, start: number): number {
  return start + listpackSize(buffer, start) - 1;
}

/** Position of the last element, or -1. */
export function listpackLast(buffer: Buffer, start: number): number {
  return listpackPrevious(buffer, start, listpackEnd(buffer, start));
}

/** Position of the element before `at` (an element's position or the end mark's), or -1. */
export function listpackPrevious(buffer: Buffer, start: number, at: number): number {
  if (at === start + listpackHeaderSize) return -1;
  const body = readBackLength(buffer, at - 1);
  return at - body - backLengthSize(body);
}

/**
 * Position of the element at an index, from the nearer end; negative indexes count from the last. -1 outside.
 */
export function listpackSeek(buffer: Buffer, start: number, index: number): number {
  const header = buffer[start + 4]! | (buffer[start + 5]! << 8);
  let forward = index >= 0;
  if (header !== countUnknown) {
    if (index < 0) index += header;
    if (index < 0 || index >= header) return -1;
    forward = index < header / 2;
    if (!forward) index -= header;
  }
  if (forward) {
    let at = listpackFirst(buffer, start);
    for (; index > 0 && at >= 0; index--) at = listpackNext(buffer, at);
    return at;
  }
  let at = listpackLast(buffer, start);
  for (; index < -1 && at >= 0; index++) at = listpackPrevious(buffer, start, at);
  return at;
}

/** Whether the element is stored as an integer. */
export function listpackIsInteger(buffer: Buffer, at: number): boolean {
  const lead = buffer[at]!;
  return lead < 0x80 || (lead >= 0xc0 && lead < 0xe0) || lead > 0xf0;
}

/** Value of an element for which {@link listpackIsInteger} holds. */
export function listpackInteger(buffer: Buffer, at: number): Int64 {
  const lead = buffer[at]!;
  if (lead < 0x80) return lead;
  switch (lead) {
    case 0xf1:
      return ((buffer[at + 1]! | (buffer[at + 2]! << 8)) << 16) >> 16;
    case 0xf2:
      return ((buffer[at + 1]! | (buffer[at + 2]! << 8) | (buffer[at + 3]! << 16)) << 8) >> 8;
    case 0xf3:
      return readUInt32(buffer, at + 1) | 0;
    case 0xf4:
      return readInt64(buffer, at + 1);
    default:
      return ((((lead & 0x1f) << 8) | buffer[at + 1]!) << 19) >> 19;
  }
}

/** Where the bytes of a string element begin. */
export function listpackStringStart(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  return lead < 0xc0 ? at + 1 : lead === 0xf0 ? at + 5 : at + 2;
}

/** How many bytes a string element has. */
function stringLength(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  if (lead < 0xc0) return lead & 0x3f;
  if (lead === 0xf0) return readUInt32(buffer, at + 1);
  return ((lead & 0x0f) << 8) | buffer[at + 1]!;
}

/** Length of the element as text: an integer's is that of its digits. */
export function listpackTextLength(buffer: Buffer, at: number): number {
  return listpackIsInteger(buffer, at)
    ? int64TextLength(listpackInteger(buffer, at))
    : stringLength(buffer, at);
}

/** The element as a flat latin1 string, digits if it is stored as an integer. */
export function listpackText(buffer: Buffer, at: number): string {
  if (listpackIsInteger(buffer, at)) return `${listpackInteger(buffer, at)}`;
  const from = listpackStringStart(buffer, at);
  return textOf(buffer, from, from + stringLength(buffer, at));
}

/** Writes the element's text to `target`; returns how many bytes. */
export function copyListpackText(buffer: Buffer, at: number, target: Buffer, targetStart: number): number {
  if (listpackIsInteger(buffer, at)) return target.latin1Write(`${listpackInteger(buffer, at)}`, targetStart);
  const from = listpackStringStart(buffer, at);
  const length = stringLength(buffer, at);
  buffer.copy(target, targetStart, from, from + length);
  return length;
}

/** Whether the element's text equals `length` bytes of `other`. */
export function listpackEquals(
  buffer: Buffer,
  at: number,
  other: Buffer,
  otherStart: number,
  length: number,
): boolean {
  if (listpackIsInteger(buffer, at))
    return listpackInteger(buffer, at) === parseInt64Bytes(other, otherStart, length);
  return (
    stringLength(buffer, at) === length &&
    equalBytes(buffer, listpackStringStart(buffer, at), other, otherStart, length)
  );
}

/**
 * Finds an element by its text, from position `at` on, looking at one element and leaving out `skip` after
 * each: with skip 1 from the first element, the fields of a hash.
 *
 * @returns its position, or -1
 */
export function listpackFind(
  buffer: Buffer,
  at: number,
  skip: number,
  needle: Buffer,
  needleStart: number,
  needleLength: number,
): number {
  if (at < 0) return -1;
  const integer = parseInt64Bytes(needle, needleStart, needleLength);
  const lastByte = needleLength === 0 ? 0 : needle[needleStart + needleLength - 1];
  for (;;) {
    if (buffer[at] === endMark) return -1;
    if (integer !== undefined) {
      // Our own writers store canonical digits as an integer; a foreign payload may hold them as a string.
      if (
        listpackIsInteger(buffer, at)
          ? listpackInteger(buffer, at) === integer
          : stringLength(buffer, at) === needleLength &&
            equalBytes(buffer, listpackStringStart(buffer, at), needle, needleStart, needleLength)
      ) {
        return at;
      }
    } else {
      const lead = buffer[at]!;
      // The common case first: a string of at most 63 bytes.
      if (lead < 0xc0) {
        if (
          lead >= 0x80 &&
          (lead & 0x3f) === needleLength &&
          // Names that differ tend to do so at their end.
          (needleLength === 0 || buffer[at + needleLength] === lastByte) &&
          equalBytes(buffer, at + 1, needle, needleStart, needleLength)
        ) {
          return at;
        }
      } else if (
        !listpackIsInteger(buffer, at) &&
        stringLength(buffer, at) === needleLength &&
        equalBytes(buffer, listpackStringStart(buffer, at), needle, needleStart, needleLength)
      ) {
        return at;
      }
    }
    at = afterElement(buffer, at);
    for (let left = skip; left > 0; left--) {
      if (buffer[at] === endMark) return -1;
      at = afterElement(buffer, at);
    }
  }
}

function integerBodySize(value: Int64): number {
  if (typeof value === 'bigint') return 9;
  if (value >= 0 && value <= 127) return 1;
  if (value >= -4096 && value <= 4095) return 2;
  if (value >= -32768 && value <= 32767) return 3;
  if (value >= -8388608 && value <= 8388607) return 4;
  if (value >= -2147483648 && value <= 2147483647) return 5;
  return 9;
}

function stringBodySize(length: number): number {
  if (length < 64) return 1 + length;
  if (length < 4096) return 2 + length;
  return 5 + length;
}

function withBackLength(body: number): number {
  return body + backLengthSize(body);
}

/** Size of the element that an integer becomes. */
export function listpackSizeOfInteger(value: Int64): number {
  return integerBodySize(value) + 1;
}

/** Size of the element that bytes become: an integer's when they are canonical digits. */
export function listpackSizeOfBytes(bytes: Buffer, start: number, length: number): number {
  const integer = parseInt64Bytes(bytes, start, length);
  return integer === undefined ? withBackLength(stringBodySize(length)) : integerBodySize(integer) + 1;
}

/** Size of the element that a latin1 string becomes. */
export function listpackSizeOfText(text: string): number {
  const integer = parseInt64(text);
  return integer === undefined ? withBackLength(stringBodySize(text.length)) : integerBodySize(integer) + 1;
}

/** Writes the element of an integer at `at`; returns its size. */
export function writeListpackInteger(buffer: Buffer, at: number, value: Int64): number {
  const body = integerBodySize(value);
  switch (body) {
    case 1:
      buffer[at] = value as number;
      break;
    case 2:
      buffer[at] = 0xc0 | (((value as number) >> 8) & 0x1f);
      buffer[at + 1] = value as number;
      break;
    case 9:
      buffer[at] = 0xf4;
      writeInt64(buffer, at + 1, value);
      break;
    default: {
      buffer[at] = 0xf0 + body - 2;
      let rest = value as number;
      for (let i = 1; i < body; i++) {
        buffer[at + i] = rest;
        rest >>= 8;
      }
    }
  }
  buffer[at + body] = body;
  return body + 1;
}

/**
 * Writes the encoding of a string of a length; returns its size. The bytes and the back length are the
 * caller's.
 */
function writeStringLead(buffer: Buffer, at: number, length: number): number {
  if (length < 64) {
    buffer[at] = 0x80 | length;
    return 1;
  }
  if (length < 4096) {
    buffer[at] = 0xe0 | (length >> 8);
    buffer[at + 1] = length;
    return 2;
  }
  buffer[at] = 0xf0;
  buffer[at + 1] = length;
  buffer[at + 2] = length >>> 8;
  buffer[at + 3] = length >>> 16;
  buffer[at + 4] = length >>> 24;
  return 5;
}

/** Writes the element of bytes at `at`, as an integer when they are canonical digits; returns its size. */
export function writeListpackBytes(
  buffer: Buffer,
  at: number,
  bytes: Buffer,
  start: number,
  length: number,
): number {
  const integer = parseInt64Bytes(bytes, start, length);
  if (integer !== undefined) return writeListpackInteger(buffer, at, integer);
  const lead = writeStringLead(buffer, at, length);
  copyBytes(bytes, start, buffer, at + lead, length);
  const body = lead + length;
  writeBackLength(buffer, at + body, body);
  return withBackLength(body);
}

/** Writes the element of a latin1 string at `at`; returns its size. */
export function writeListpackText(buffer: Buffer, at: number, text: string): number {
  const integer = parseInt64(text);
  if (integer !== undefined) return writeListpackInteger(buffer, at, integer);
  const length = text.length;
  const lead = writeStringLead(buffer, at, length);
  if (length > 32) buffer.latin1Write(text, at + lead);
  else for (let i = 0; i < length; i++) buffer[at + lead + i] = text.charCodeAt(i);
  const body = lead + length;
  writeBackLength(buffer, at + body, body);
  return withBackLength(body);
}

/**
 * Makes room for an edit within the listpack's own buffer: the `removed` bytes at `at` (whole elements)
 * become `inserted` bytes that the caller fills with elements at once. Header and end mark are brought up to
 * date. The buffer must have `inserted - removed` bytes to spare behind the listpack.
 *
 * @param countChange how many elements more (or fewer) there will be
 * @returns the new size
 */
export function resizeListpack(
  buffer: Buffer,
  start: number,
  at: number,
  removed: number,
  inserted: number,
  countChange: number,
): number {
  const size = listpackSize(buffer, start);
  const newSize = size + inserted - removed;
  if (inserted !== removed) moveBytes(buffer, at + removed, at + inserted, start + size - at - removed);
  updateHeader(buffer, start, newSize, countChange);
  return newSize;
}

/** A byte loop beats the call into native code only for the shortest moves: 25 ns a call, 1.7 a byte. */
function moveBytes(buffer: Buffer, from: number, to: number, length: number): void {
  if (length > 16) {
    buffer.copyWithin(to, from, from + length);
  } else if (to < from) {
    for (let i = 0; i < length; i++) buffer[to + i] = buffer[from + i]!;
  } else {
    for (let i = length - 1; i >= 0; i--) buffer[to + i] = buffer[from + i]!;
  }
}

function updateHeader(buffer: Buffer, start: number, size: number, countChange: number): void {
  const count = buffer[start + 4]! | (buffer[start + 5]! << 8);
  // A count that once left the header stays unknown, even if it shrinks again: only a walk could tell.
  const newCount = count === countUnknown ? countUnknown : Math.min(count + countChange, countUnknown);
  writeHeader(buffer, start, size, newCount);
}

/**
 * As {@link resizeListpack}, from one buffer to another: copies the listpack to `target` with the edit's gap.
 * The caller fills the gap at `targetStart + (at - start)`.
 *
 * @returns the new size
 */
export function copyListpackResized(
  source: Buffer,
  start: number,
  at: number,
  removed: number,
  inserted: number,
  countChange: number,
  target: Buffer,
  targetStart: number,
): number {
  const size = listpackSize(source, start);
  const head = at - start;
  source.copy(target, targetStart, start, at);
  source.copy(target, targetStart + head + inserted, at + removed, start + size);
  const newSize = size + inserted - removed;
  updateHeader(target, targetStart, newSize, countChange);
  return newSize;
}

/**
 * Whether `length` bytes are one well-formed listpack, every element included. Foreign bytes (RESTORE) must
 * pass it before any other function here sees them; it reads nothing outside the range.
 *
 * @returns the number of elements, or -1 when malformed
 */
export function validateListpack(buffer: Buffer, start: number, length: number): number {
  if (length < listpackEmptySize || listpackSize(buffer, start) !== length) return -1;
  const last = start + length - 1;
  if (buffer[last] !== endMark) return -1;
  let count = 0;
  let at = start + listpackHeaderSize;
  while (at < last) {
    const lead = buffer[at]!;
    if (lead > 0xf4) return -1;
    const leadSize = lead < 0xc0 ? 1 : lead < 0xf0 ? 2 : lead === 0xf0 ? 5 : 1;
    if (at + leadSize > last) return -1;
    const body = bodySize(buffer, at);
    const back = backLengthSize(body);
    if (body + back > last - at) return -1;
    at += body + back;
    if (readBackLength(buffer, at - 1) !== body) return -1;
    count++;
  }
  if (at !== last) return -1;
  const header = buffer[start + 4]! | (buffer[start + 5]! << 8);
  return header === countUnknown || header === count ? count : -1;
}
