/**
 * Signed 64-bit integers as Redis reads and prints them.
 *
 * An {@link Int64} is a JavaScript number while it is a safe integer and a bigint beyond that, never a bigint
 * for a safe value: two equal integers are therefore `===`.
 */

/** A signed 64-bit integer: number when safe (|n| < 2^53), bigint otherwise. */
export type Int64 = number | bigint;

export const int64Min = -(1n << 63n);
export const int64Max = (1n << 63n) - 1n;

/** The most characters a canonical 64-bit integer has: "-9223372036854775808". */
export const int64TextLengthMax = 20;

/** Makes an {@link Int64} of a bigint that is known to be in range. */
export function int64FromBigInt(value: bigint): Int64 {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The canonical integer of a bigint, or undefined outside -2^63..2^63-1. */
export function checkedInt64(value: bigint): Int64 | undefined {
  return value < int64Min || value > int64Max ? undefined : int64FromBigInt(value);
}

/**
 * Parses a canonical decimal integer: no sign but a leading minus, no leading zero, no blank, no "-0".
 * The rule of Redis's string2ll, by which it decides what is an integer and what may be stored as one.
 *
 * @returns undefined when the text isn't canonical or doesn't fit 64 bits
 */
export function parseInt64(text: string): Int64 | undefined {
  const length = text.length;
  if (length === 0 || length > int64TextLengthMax) return undefined;
  let at = 0;
  const negative = text.charCodeAt(0) === 0x2d;
  if (negative) at = 1;
  const digits = length - at;
  let value = text.charCodeAt(at) - 48;
  if (digits === 1 && value === 0 && !negative) return 0;
  if (!(value >= 1 && value <= 9)) return undefined;
  for (at++; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  // A sum that rounds to a safe integer was exact all along.
  if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
  return checkedInt64(BigInt(text));
}

/** {@link parseInt64} on bytes in place: `length` bytes of `buffer` from `start`. */
export function parseInt64Bytes(buffer: Buffer, start: number, length: number): Int64 | undefined {
  if (length === 0 || length > int64TextLengthMax) return undefined;
  const end = start + length;
  let at = start;
  const negative = buffer[at] === 0x2d;
  if (negative) {
    at++;
    if (length === 1) return undefined;
  }
  let value = buffer[at]! - 48;
  if (value === 0 && end - at === 1 && !negative) return 0;
  if (value < 1 || value > 9) return undefined;
  for (at++; at < end; at++) {
    const digit = buffer[at]! - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (value <= Number.MAX_SAFE_INTEGER) return negative ? -value : value;
  return checkedInt64(BigInt(buffer.latin1Slice(start, end)));
}

/** Decimal text of an integer. */
export function formatInt64(value: Int64): string {
  return `${value}`;
}

/** Writes the decimal text of an integer, of at most {@link int64TextLengthMax} bytes; returns how many. */
export function writeInt64Text(value: Int64, buffer: Buffer, at: number): number {
  if (typeof value === 'bigint' || (value | 0) !== value || value === -0x80000000) {
    const text = `${value}`;
    for (let i = 0; i < text.length; i++) buffer[at + i] = text.charCodeAt(i);
    return text.length;
  }
  // 32 bits: V8 divides them by ten with a multiplication, and no string is made.
  const length = int64TextLength(value);
  let rest = value;
  if (value < 0) {
    buffer[at] = 0x2d;
    rest = -value;
  }
  let last = at + length - 1;
  do {
    const tenth = (rest / 10) | 0;
    buffer[last--] = 0x30 + rest - tenth * 10;
    rest = tenth;
  } while (rest > 0);
  return length;
}

/** How many characters {@link formatInt64} gives, without making the string. */
export function int64TextLength(value: Int64): number {
  if (typeof value === 'bigint') return value.toString().length;
  let length = 1;
  if (value < 0) {
    length = 2;
    value = -value;
  }
  for (let bound = 10; value >= bound; bound *= 10) length++;
  return length;
}

/** a + b, or undefined when the sum doesn't fit 64 bits. */
export function addInt64(a: Int64, b: Int64): Int64 | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    // The `+ 0` of a minus zero is zero; safe operands can't overflow 64 bits.
    if (Number.isSafeInteger(sum)) return sum + 0;
    return BigInt(a) + BigInt(b);
  }
  return checkedInt64(BigInt(a) + BigInt(b));
}

/** -a, or undefined for -2^63. */
export function negateInt64(a: Int64): Int64 | undefined {
  if (typeof a === 'number') return 0 - a;
  return checkedInt64(-a);
}

/** Negative, zero or positive as a is less than, equal to or greater than b. */
export function compareInt64(a: Int64, b: Int64): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Reads 8 little-endian bytes. */
export function readInt64(buffer: Buffer, at: number): Int64 {
  const low = buffer.readUInt32LE(at);
  const high = buffer.readInt32LE(at + 4);
  const value = high * 0x1_0000_0000 + low;
  if (Number.isSafeInteger(value)) return value;
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Writes 8 little-endian bytes. */
export function writeInt64(buffer: Buffer, at: number, value: Int64): void {
  if (typeof value === 'bigint') {
    buffer.writeBigInt64LE(value, at);
    return;
  }
  const high = Math.floor(value / 0x1_0000_0000);
  buffer.writeUInt32LE(value - high * 0x1_0000_0000, at);
  buffer.writeInt32LE(high, at + 4);
}
