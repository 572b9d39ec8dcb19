/**
 * The x87 80-bit extended format, in which Redis on x86-64 computes INCRBYFLOAT, HINCRBYFLOAT and timeouts:
 * 64-bit significand, 15-bit exponent, round to nearest even. Emulated exactly with BigInt, so that replies
 * equal the real server's on every platform.
 */
import { hexadecimalDigits, roundBinary, shiftRightRounded } from './binary-rounding.js';
import { trimFixed } from './double.js';
import { exponentOf, FloatKind, type FloatSyntax, isSpaceCode, scanFloat } from './float-syntax.js';
import type { Int64 } from './int64.js';

/**
 * mantissa * 2^exponent; an infinity has an infinite exponent. The sign of zero isn't kept: it is never
 * printed.
 */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const precision = 64;
const minExponent = -16445;
/** Values from 2^16384 on are infinite. */
const maxMagnitude = 16384;
/** Redis copies the text to a buffer of this size, its NUL included. */
const textLengthMax = 5 * 1024 - 1;

const zero: LongDouble = { mantissa: 0n, exponent: 0 };
const positiveInfinity: LongDouble = { mantissa: 1n, exponent: Infinity };
const negativeInfinity: LongDouble = { mantissa: -1n, exponent: Infinity };

export function isFiniteLongDouble(value: LongDouble): boolean {
  return value.exponent !== Infinity;
}

function round(mantissa: bigint, exponent: number, sticky = false): LongDouble {
  const negative = mantissa < 0n;
  const rounded = roundBinary(negative ? -mantissa : mantissa, exponent, precision, minExponent, sticky);
  if (rounded.mantissa === 0n) return zero;
  if (
    rounded.exponent > -precision &&
    rounded.mantissa >= 1n << BigInt(Math.max(0, maxMagnitude - rounded.exponent))
  ) {
    return negative ? negativeInfinity : positiveInfinity;
  }
  return negative ? { mantissa: -rounded.mantissa, exponent: rounded.exponent } : rounded;
}

/** An integer is exact in 64 bits. */
export function longDoubleFromInt64(value: Int64): LongDouble {
  return { mantissa: BigInt(value), exponent: 0 };
}

/**
 * Parses as Redis's string2ld: all of the text in strtold's grammar, at most 5119 bytes, no leading blank, no
 * NaN, no literal that overflows or vanishes. "inf" is taken (and then refused by the commands' own check of
 * the sum).
 *
 * @returns undefined when Redis answers "not a valid float"
 */
export function parseLongDouble(text: string): LongDouble | undefined {
  if (text.length === 0 || text.length > textLengthMax || isSpaceCode(text.charCodeAt(0))) return undefined;
  const syntax = scanFloat(text, 0);
  if (syntax.end !== text.length) return undefined;
  const negative = syntax.negative;
  if (syntax.kind === FloatKind.infinity) return negative ? negativeInfinity : positiveInfinity;
  let value: LongDouble | undefined;
  if (syntax.kind === FloatKind.decimal) value = decimalValue(text, syntax);
  else if (syntax.kind === FloatKind.hexadecimal) value = hexadecimalValue(text, syntax);
  if (value === undefined || !isFiniteLongDouble(value)) return undefined;
  return negative ? { mantissa: -value.mantissa, exponent: value.exponent } : value;
}

function decimalValue(text: string, syntax: FloatSyntax): LongDouble | undefined {
  const literal = text.slice(syntax.from, syntax.digitsEnd);
  const point = literal.indexOf('.');
  const fractionLength = point < 0 ? 0 : literal.length - point - 1;
  const digits = point < 0 ? literal : literal.slice(0, point) + literal.slice(point + 1);
  const units = BigInt(digits);
  if (units === 0n) return zero;
  const scale = exponentOf(text, syntax) - fractionLength;
  // Beyond these the value over- or underflows whatever the digits (at most 5119 of them).
  if (scale > 5_000) return undefined;
  if (scale < -12_000) return undefined;
  if (scale >= 0) return round(units * 10n ** BigInt(scale), 0);
  const divisor = 10n ** BigInt(-scale);
  // Enough bits that the quotient has 66 or more: then quotient and remainder decide the rounding.
  const shift = Math.max(0, precision + 2 + Math.ceil(-scale * 3.33) + 4);
  const dividend = units << BigInt(shift);
  const quotient = dividend / divisor;
  const value = round(quotient, -shift, quotient * divisor !== dividend);
  return value.mantissa === 0n ? undefined : value;
}

function hexadecimalValue(text: string, syntax: FloatSyntax): LongDouble | undefined {
  const digits = hexadecimalDigits(text.slice(syntax.from, syntax.digitsEnd));
  if (digits.mantissa === 0n) return zero;
  const exponent = exponentOf(text, syntax) + digits.exponent;
  if (exponent > 40_000 || exponent < -60_000) return undefined;
  const value = round(digits.mantissa, exponent);
  return value.mantissa === 0n ? undefined : value;
}

/** The rounded sum; undefined for inf - inf, which is NaN. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble | undefined {
  if (!isFiniteLongDouble(a)) {
    return isFiniteLongDouble(b) || a.mantissa === b.mantissa ? a : undefined;
  }
  if (!isFiniteLongDouble(b)) return b;
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  return round(sum, exponent);
}

/** The rounded product with an integer. */
export function multiplyLongDouble(a: LongDouble, factor: number): LongDouble {
  if (!isFiniteLongDouble(a)) return a;
  return round(a.mantissa * BigInt(factor), a.exponent);
}

/** The least integer not below the value, which must be finite. */
export function ceilLongDouble(value: LongDouble): bigint {
  if (value.exponent >= 0) return value.mantissa << BigInt(value.exponent);
  const shift = BigInt(-value.exponent);
  // A right shift of a bigint rounds down; negate twice to round up.
  return -(-value.mantissa >> shift);
}

/**
 * Prints as Redis's human-friendly form: "%.17Lf" without trailing zeros.
 * @param value finite
 */
export function formatLongDouble(value: LongDouble): string {
  const negative = value.mantissa < 0n;
  const magnitude = negative ? -value.mantissa : value.mantissa;
  if (value.exponent >= 0) return `${negative ? '-' : ''}${magnitude << BigInt(value.exponent)}`;
  const scaled = shiftRightRounded(magnitude * 100_000_000_000_000_000n, -value.exponent, false);
  const digits = scaled.toString().padStart(18, '0');
  const point = digits.length - 17;
  return trimFixed(`${negative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`);
}
