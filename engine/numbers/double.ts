/**
 * IEEE doubles as Redis 7.0 reads and prints them: scores, coordinates, distances.
 *
 * JavaScript's own conversions are used where the language fixes their result to the last digit: Number(text)
 * of a decimal literal is correctly rounded, toExponential and toFixed give exact digits. They differ from C
 * in one point, ties (C: to even; JavaScript: up), which is mended here.
 */
import { hexadecimalDigits, roundBinary } from './binary-rounding.js';
import { exponentOf, FloatKind, type FloatSyntax, isSpaceCode, scanFloat } from './float-syntax.js';
import type { Int64 } from './int64.js';

function hexadecimalValue(text: string, scanned: FloatSyntax): number {
  const digits = hexadecimalDigits(text.slice(scanned.from, scanned.digitsEnd));
  const exponent = exponentOf(text, scanned) + digits.exponent;
  if (digits.mantissa === 0n) return 0;
  const rounded = roundBinary(digits.mantissa, Math.max(exponent, -1e6), 53, -1074);
  const mantissa = Number(rounded.mantissa);
  if (mantissa === 0) return 0;
  if (rounded.exponent > 1023) return Infinity;
  // Two exact steps: 2^exponent alone may be below the smallest double or above the largest.
  const half = Math.trunc(rounded.exponent / 2);
  return mantissa * powerOfTwo(half) * powerOfTwo(rounded.exponent - half);
}

/** 2^exponent, exact, for -1074..1023. */
export function powerOfTwo(exponent: number): number {
  let result = 1;
  let base = exponent < 0 ? 0.5 : 2;
  for (let rest = Math.abs(exponent); rest > 0; rest = rest >>> 1) {
    if (rest & 1) result *= base;
    base *= base;
  }
  return result;
}

function floatValue(text: string, scanned: FloatSyntax): number {
  let magnitude: number;
  switch (scanned.kind) {
    case FloatKind.decimal:
      magnitude = Number(text.slice(scanned.from, scanned.end));
      break;
    case FloatKind.hexadecimal:
      magnitude = hexadecimalValue(text, scanned);
      break;
    case FloatKind.infinity:
      magnitude = Infinity;
      break;
    case FloatKind.nan:
      return NaN;
    default:
      return 0;
  }
  return scanned.negative ? -magnitude : magnitude;
}

/** Whether a scanned literal that came out as zero has a digit other than zero: it underflowed. */
function hasNonZeroDigit(text: string, scanned: FloatSyntax): boolean {
  for (let at = scanned.from; at < scanned.digitsEnd; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x30 && code !== 0x2e) return true;
  }
  return false;
}

/**
 * Parses a double argument as Redis's string2d does: all of the text, no blank before or after it, no NaN,
 * and no literal that overflows to infinity or underflows to zero. "inf" and hexadecimal floats are taken.
 *
 * @returns undefined when Redis answers "not a valid float"
 */
export function parseDouble(text: string): number | undefined {
  const length = text.length;
  if (length === 0 || isSpaceCode(text.charCodeAt(0))) return undefined;
  const simple = parseShortInteger(text);
  if (!Number.isNaN(simple)) return simple;
  const scanned = scanFloat(text, 0);
  if (scanned.end !== length || scanned.kind === FloatKind.none || scanned.kind === FloatKind.nan)
    return undefined;
  const value = floatValue(text, scanned);
  if (scanned.kind === FloatKind.infinity) return value;
  if (value === 0 ? hasNonZeroDigit(text, scanned) : !Number.isFinite(value)) return undefined;
  return value;
}

/** Up to 15 digits with no sign but a minus; NaN for all else, "-0" included. */
function parseShortInteger(text: string): number {
  const length = text.length;
  const negative = text.charCodeAt(0) === 0x2d;
  const from = negative ? 1 : 0;
  if (length === from || length - from > 15) return NaN;
  let value = 0;
  for (let at = from; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  if (negative) return value === 0 ? NaN : -value;
  return value;
}

/**
 * C's strtod on a C string, as Redis uses it for the bounds of ZRANGEBYSCORE (from `at`, behind a
 * parenthesis) and the keys of SORT: blanks may lead, the empty string is 0, a NUL byte ends the text,
 * overflow gives infinity.
 *
 * @returns NaN when anything but the end of the string follows the number, or the number is NaN
 */
export function parseDoubleLoosely(text: string, at = 0): number {
  const scanned = scanFloat(text, at);
  if (scanned.end < text.length && text.charCodeAt(scanned.end) !== 0) return NaN;
  return floatValue(text, scanned);
}

/** What C's strtod makes of the number at the start of a text, whatever follows it; 0 when there is none. */
export function parseLeadingDouble(text: string): number {
  return floatValue(text, scanFloat(text, 0));
}

/**
 * Whether SORT refuses a number that {@link parseDoubleLoosely} takes because strtod sets ERANGE for it: it
 * overflows, or is so small that a double can't hold it exactly.
 */
export function isOutOfDoubleRange(text: string): boolean {
  const scanned = scanFloat(text, 0);
  if (scanned.kind !== FloatKind.decimal && scanned.kind !== FloatKind.hexadecimal) return false;
  const value = Math.abs(floatValue(text, scanned));
  if (value === 0) return hasNonZeroDigit(text, scanned);
  if (value === Infinity) return true;
  return value < 2.2250738585072014e-308 && !isExactSubnormal(text, scanned, value);
}

function isExactSubnormal(text: string, scanned: FloatSyntax, value: number): boolean {
  if (scanned.kind === FloatKind.hexadecimal) {
    const digits = hexadecimalDigits(text.slice(scanned.from, scanned.digitsEnd));
    const exponent = exponentOf(text, scanned) + digits.exponent;
    if (exponent >= -1074) return true;
    return exponent > -1e6 && digits.mantissa % (1n << BigInt(-1074 - exponent)) === 0n;
  }
  // Compare the literal with the value's exact digits, of which a subnormal has at most 767.
  const literal = text.slice(scanned.from, scanned.digitsEnd);
  const point = literal.indexOf('.');
  const fractionLength = point < 0 ? 0 : literal.length - point - 1;
  const digits = point < 0 ? literal : literal.slice(0, point) + literal.slice(point + 1);
  const significant = trimZeros(digits);
  let first = 0;
  while (significant.charCodeAt(first) === 0x30) first++;
  if (significant.length - first > 767) return false;
  // literal = units * 10^scale, scale below 0 here; value = steps * 2^-1074.
  const scale = exponentOf(text, scanned) - fractionLength + digits.length - significant.length;
  if (scale < -2_000) return false;
  const units = BigInt(significant.slice(first));
  const steps = BigInt(value / 5e-324);
  return units << 1074n === steps * 10n ** BigInt(-scale);
}

/** Removes zeros at the end of a string of digits. */
function trimZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}

/**
 * Prints a double as C's "%.17g", which is how Redis 7.0 prints scores: 17 significant digits, trailing zeros
 * dropped, an exponent below 1e-4 and from 1e17 on; "inf", "-inf", "nan", "-0".
 */
export function formatDouble(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e17) {
    // Integral, hence exact as plain digits; a minus zero keeps its sign.
    return value === 0 ? (1 / value < 0 ? '-0' : '0') : value.toFixed(0);
  }
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : value < 0 ? '-inf' : 'nan';
  const scientific = roundHalfEven17(Math.abs(value));
  const mark = scientific.indexOf('e');
  const exponent = Number(scientific.slice(mark + 1));
  const digits = scientific.charAt(0) + trimZeros(scientific.slice(2, mark));
  const sign = value < 0 ? '-' : '';
  if (exponent < -4 || exponent >= 17) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const size = Math.abs(exponent);
    return `${sign}${digits.charAt(0)}${fraction}e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** d.dddddddddddddddd (17 digits) with exponent, of a positive finite value, ties to even. */
function roundHalfEven17(magnitude: number): string {
  const rounded = magnitude.toExponential(16);
  const mark = rounded.indexOf('e');
  // toExponential rounds a tie up; where that gave an odd last digit, C rounds down.
  if ((rounded.charCodeAt(mark - 1) & 1) === 0) return rounded;
  // A tie has 18 significant digits, the last a 5: its last binary place is as far behind the point as its
  // last decimal.
  const scaled = magnitude * powerOfTwo(17 - Number(rounded.slice(mark + 1)));
  if (!Number.isInteger(scaled) || scaled % 2 === 0) return rounded;
  const last = rounded.charCodeAt(mark - 1) - 48 - 1;
  return `${rounded.slice(0, mark - 1)}${last}${rounded.slice(mark)}`;
}

/**
 * The integer as which a listpack-encoded sorted set stores a score, or undefined for one that it stores as
 * the text {@link formatDouble} gives. So -0 becomes 0 and loses its sign (a skiplist-encoded set keeps it).
 */
export function packedScoreInteger(value: number): Int64 | undefined {
  if (!Number.isInteger(value) || Math.abs(value) > 2 ** 62) return undefined;
  return Number.isSafeInteger(value) ? value + 0 : BigInt(value);
}

/**
 * A score as the text of the listpack element that {@link packedScoreInteger} or {@link formatDouble} gives.
 */
export function formatPackedScore(value: number): string {
  const integer = packedScoreInteger(value);
  return integer === undefined ? formatDouble(value) : `${integer}`;
}

/**
 * Prints a double as C's "%.*f" with `decimals` digits (at most 17), ties to even: GEODIST's "%.4f".
 * @param value finite, below 1e21 in magnitude
 */
export function formatFixed(value: number, decimals: number): string {
  const magnitude = Math.abs(value);
  const sign = value < 0 || (value === 0 && 1 / value < 0) ? '-' : '';
  const scaled = magnitude * powerOfTwo(decimals + 1);
  // Only a value whose last binary place is 2^-(decimals+1) lies halfway between two decimals.
  if (Number.isInteger(scaled) && scaled % 2 === 1) {
    const down = magnitude.toFixed(decimals + 1).slice(0, -1);
    if ((down.charCodeAt(down.length - 1) & 1) === 0) return sign + down;
  }
  return sign + magnitude.toFixed(decimals);
}

/** Drops trailing zeros after the point, and the point itself when nothing follows; "-0" becomes "0". */
export function trimFixed(text: string): string {
  if (text.indexOf('.') < 0) return text === '-0' ? '0' : text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 0x30) end--;
  if (text.charCodeAt(end - 1) === 0x2e) end--;
  const trimmed = text.slice(0, end);
  return trimmed === '-0' ? '0' : trimmed;
}

/** Prints a coordinate as GEOPOS does: "%.17Lf" with trailing zeros dropped. */
export function formatCoordinate(value: number): string {
  return trimFixed(formatFixed(value, 17));
}
