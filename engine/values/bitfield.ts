/** Integers of any width within a string's bits, as BITFIELD reads, writes and increments them. */
import { type Int64, int64FromBigInt } from '../numbers/int64.js';

/** An integer type: i1 to i64, u1 to u63. */
export interface BitfieldType {
  signed: boolean;
  width: number;
}

export type Overflow = 'wrap' | 'sat' | 'fail';

/**
 * Reads an integer at a bit offset; bits behind the end of the string are zero.
 */
export function readBitfield(
  buffer: Buffer,
  start: number,
  length: number,
  offset: number,
  { signed, width }: BitfieldType,
): Int64 {
  if (width <= 48) {
    const value = readBits(buffer, start, length, offset, width);
    return signed && value >= 2 ** (width - 1) ? value - 2 ** width : value;
  }
  const high = readBits(buffer, start, length, offset, width - 32);
  const low = readBits(buffer, start, length, offset + width - 32, 32);
  const value = (BigInt(high) << 32n) | BigInt(low);
  return int64FromBigInt(signed ? BigInt.asIntN(width, value) : value);
}

/** At most 48 bits as an unsigned number. */
function readBits(buffer: Buffer, start: number, length: number, offset: number, width: number): number {
  let value = 0;
  while (width > 0) {
    const byte = Math.floor(offset / 8);
    const shift = offset % 8;
    const taken = Math.min(8 - shift, width);
    const bits = byte < length ? (buffer[start + byte]! >> (8 - shift - taken)) & ((1 << taken) - 1) : 0;
    value = value * (1 << taken) + bits;
    offset += taken;
    width -= taken;
  }
  return value;
}

/** Writes an integer at a bit offset: its lowest `width` bits, all of which must lie in the string. */
export function writeBitfield(
  buffer: Buffer,
  start: number,
  offset: number,
  width: number,
  value: Int64,
): void {
  if (width > 48) {
    const bits = BigInt.asUintN(width, BigInt(value));
    writeBits(buffer, start, offset, width - 32, Number(bits >> 32n));
    writeBits(buffer, start, offset + width - 32, 32, Number(bits & 0xffff_ffffn));
  } else if (typeof value === 'number') {
    const span = 2 ** width;
    writeBits(buffer, start, offset, width, ((value % span) + span) % span);
  } else {
    writeBits(buffer, start, offset, width, Number(BigInt.asUintN(width, value)));
  }
}

/** At most 48 bits of an unsigned number, the lowest first. */
function writeBits(buffer: Buffer, start: number, offset: number, width: number, value: number): void {
  let end = offset + width;
  while (width > 0) {
    const at = start + Math.floor((end - 1) / 8);
    const shift = (8 - (end % 8)) % 8;
    const taken = Math.min(8 - shift, width);
    const mask = ((1 << taken) - 1) << shift;
    buffer[at] = (buffer[at]! & ~mask) | ((value % (1 << taken)) << shift);
    value = Math.floor(value / (1 << taken));
    end -= taken;
    width -= taken;
  }
}

/**
 * value + increment within a type: BITFIELD INCRBY, and SET with an increment of 0.
 * A value set is a signed 64-bit integer; for an unsigned type a negative one stands for 2^64 more.
 *
 * @returns undefined when it overflows and `overflow` is "fail"
 */
export function addToBitfield(
  value: Int64,
  increment: Int64,
  type: BitfieldType,
  overflow: Overflow,
): Int64 | undefined {
  const { signed, width } = type;
  if (width <= 48 && typeof value === 'number' && typeof increment === 'number') {
    const sum = value + increment;
    const min = signed ? -(2 ** (width - 1)) : 0;
    const max = signed ? 2 ** (width - 1) - 1 : 2 ** width - 1;
    // A value within the type and a safe increment: the sum is exact where it is within.
    if (value >= min && value <= max && sum >= min && sum <= max) return sum;
  }
  return signed
    ? addSigned(BigInt(value), BigInt(increment), width, overflow)
    : addUnsigned(BigInt.asUintN(64, BigInt(value)), BigInt(increment), width, overflow);
}

function addUnsigned(value: bigint, increment: bigint, width: number, overflow: Overflow): Int64 | undefined {
  const max = (1n << BigInt(width)) - 1n;
  const sum = value + increment;
  const above = value > max || (increment > 0n && sum > max);
  if (!above && sum >= 0n) return int64FromBigInt(sum);
  if (overflow === 'fail') return undefined;
  if (overflow === 'wrap') return int64FromBigInt(BigInt.asUintN(width, sum));
  return int64FromBigInt(above ? max : 0n);
}

function addSigned(value: bigint, increment: bigint, width: number, overflow: Overflow): Int64 | undefined {
  const max = (1n << BigInt(width - 1)) - 1n;
  const min = -max - 1n;
  // Room above and below, in 64 bits that wrap around as in Redis: a value far below i8 counts as an
  // overflow, not an underflow.
  const roomAbove = BigInt.asIntN(64, max - value);
  const roomBelow = BigInt.asIntN(64, min - value);
  const above =
    value > max ||
    (width !== 64 && increment > roomAbove) ||
    (value >= 0n && increment > 0n && increment > roomAbove);
  const below =
    value < min ||
    (width !== 64 && increment < roomBelow) ||
    (value < 0n && increment < 0n && increment < roomBelow);
  if (!above && !below) return int64FromBigInt(value + increment);
  if (overflow === 'fail') return undefined;
  if (overflow === 'wrap') return int64FromBigInt(BigInt.asIntN(width, value + increment));
  return int64FromBigInt(above ? max : min);
}
