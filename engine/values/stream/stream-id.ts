/**
 * The ids of stream entries: two unsigned 64-bit integers, milliseconds and a sequence number, in this order.
 *
 * Each half is a number while it is a safe integer and a bigint beyond, never a bigint for a safe value:
 * equal halves are `===`, and `<` compares them whichever they are.
 */

import { quoted } from '../../protocol/errors.js';

/** An unsigned 64-bit integer: number when safe, bigint otherwise. */
export type Uint64 = number | bigint;

export interface StreamId {
  readonly ms: Uint64;
  readonly seq: Uint64;
}

const UINT64_END = 1n << 64n;
const WORD = 0x1_0000_0000;

/** The greatest half. */
export const uint64Max: Uint64 = UINT64_END - 1n;
export const minId: StreamId = { ms: 0, seq: 0 };
export const maxId: StreamId = { ms: uint64Max, seq: uint64Max };

/** The canonical form of a bigint, modulo 2^64. */
export function uint64(value: bigint): Uint64 {
  const wrapped = BigInt.asUintN(64, value);
  const number = Number(wrapped);
  return Number.isSafeInteger(number) ? number : wrapped;
}

/** a + b modulo 2^64; b may be negative. */
export function addUint64(a: Uint64, b: number | bigint): Uint64 {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (sum >= 0 && sum <= Number.MAX_SAFE_INTEGER) return sum;
  }
  return uint64(BigInt(a) + BigInt(b));
}

/** a - b as a signed 64-bit integer, modulo 2^64: what a node keeps of an entry's id. */
export function differenceOf(a: Uint64, b: Uint64): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const difference = BigInt.asIntN(64, BigInt(a) - BigInt(b));
  const number = Number(difference);
  return Number.isSafeInteger(number) ? number : difference;
}

/** Negative, 0 or positive. */
export function compareIds(a: StreamId, b: StreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1;
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

export const isZeroId = (id: StreamId): boolean => id.ms === 0 && id.seq === 0;

/** The id behind, or undefined behind the greatest. */
export function nextId({ ms, seq }: StreamId): StreamId | undefined {
  if (seq !== uint64Max) return { ms, seq: addUint64(seq, 1) };
  return ms === uint64Max ? undefined : { ms: addUint64(ms, 1), seq: 0 };
}

/** The id before, or undefined before the least. */
export function previousId({ ms, seq }: StreamId): StreamId | undefined {
  if (seq !== 0) return { ms, seq: addUint64(seq, -1) };
  return ms === 0 ? undefined : { ms: addUint64(ms, -1), seq: uint64Max };
}

export const formatId = ({ ms, seq }: StreamId): string => `${ms}-${seq}`;

/** Reads eight big-endian bytes. */
export function readUint64(buffer: Buffer, at: number): Uint64 {
  const high = readWord(buffer, at);
  const low = readWord(buffer, at + 4);
  if (high < 0x200000) return high * WORD + low;
  return (BigInt(high) << 32n) | BigInt(low);
}

export function readWord(buffer: Buffer, at: number): number {
  return ((buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]) >>> 0;
}

function writeWord(buffer: Buffer, at: number, word: number): void {
  buffer[at] = word >>> 24;
  buffer[at + 1] = word >>> 16;
  buffer[at + 2] = word >>> 8;
  buffer[at + 3] = word;
}

/** The upper 32 bits. */
export const highWord = (value: Uint64): number =>
  typeof value === 'number' ? Math.floor(value / WORD) : Number(value >> 32n);
/** The lower 32 bits. */
export const lowWord = (value: Uint64): number =>
  typeof value === 'number' ? value % WORD : Number(value & 0xffffffffn);

/** Writes eight big-endian bytes. */
export function writeUint64(buffer: Buffer, at: number, value: Uint64): void {
  writeWord(buffer, at, highWord(value));
  writeWord(buffer, at + 4, lowWord(value));
}

/** Reads an id's sixteen bytes: big-endian halves, whose order as bytes is that of ids. */
export const readId = (buffer: Buffer, at: number): StreamId => ({
  ms: readUint64(buffer, at),
  seq: readUint64(buffer, at + 8),
});

export function writeId(buffer: Buffer, at: number, id: StreamId): void {
  writeUint64(buffer, at, id.ms);
  writeUint64(buffer, at + 8, id.seq);
}

/** An id's bytes in {@link readId}'s form. */
export const ID_BYTES = 16;

/**
 * A half as C's string2ull reads it: a canonical 64-bit integer, which must not be negative; or else what
 * strtoull takes to its end (blanks before, a sign, leading zeros; a minus wraps around).
 */
function parseHalf(text: string): Uint64 | undefined {
  const { length } = text;
  // What ids look like: digits that a number holds exactly.
  if (length > 0 && length < 16) {
    let value = 0;
    let at = 0;
    for (; at < length; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === length) return value;
  }
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const value = BigInt(match[2]);
  if (/^-[1-9]/.test(text) && value <= UINT64_END >> 1n) return undefined;
  return value >= UINT64_END ? undefined : uint64(match[1] === '-' ? -value : value);
}

/** How long an id's text may be. */
const ID_TEXT_MAX = 127;

/** An id as written, where `seq` is undefined for `5-*`. */
export interface WrittenId {
  readonly ms: Uint64;
  readonly seq: Uint64 | undefined;
}

/**
 * Reads `5-3` or `5`, whose sequence number is then `missingSeq`.
 *
 * @param takesAny whether `5-*` is allowed: XADD
 * @returns undefined when the text is no id
 */
export function parseWrittenId(text: string, missingSeq: Uint64, takesAny: boolean): WrittenId | undefined {
  if (text.length > ID_TEXT_MAX) return undefined;
  const written = text.includes('\0') ? quoted(text) : text;
  const dash = written.indexOf('-');
  const ms = parseHalf(dash < 0 ? written : written.slice(0, dash));
  if (ms === undefined) return undefined;
  if (dash < 0) return { ms, seq: missingSeq };
  const rest = written.slice(dash + 1);
  if (takesAny && rest === '*') return { ms, seq: undefined };
  const seq = parseHalf(rest);
  return seq === undefined ? undefined : { ms, seq };
}

/** Reads `5-3` or `5`, whose sequence number is then `missingSeq`; undefined when the text is no id. */
export const parseId = (text: string, missingSeq: Uint64 = 0): StreamId | undefined =>
  parseWrittenId(text, missingSeq, false) as StreamId | undefined;
