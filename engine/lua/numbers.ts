/** Numbers as Lua reads and prints them. */
import { parseLeadingDouble } from '../numbers/double.js';
import { isSpaceCode, scanFloat } from '../numbers/float-syntax.js';
import { counters } from './limits.js';

const doubles = new Float64Array(1);
const halves = new Uint32Array(doubles.buffer);

/**
 * A number as source code, tonumber and arithmetic on strings read it: C's strtod, blanks around it, nothing
 * else. As in C a NUL byte ends the text.
 * @returns undefined when the text is no number
 */
export function parseNumeral(text: string): number | undefined {
  const short = parseDigits(text);
  if (short >= 0) return short;
  let { end } = scanFloat(text, 0);
  if (end === 0) return undefined;
  const value = parseLeadingDouble(text);
  while (end < text.length && isSpaceCode(text.charCodeAt(end))) end++;
  return end === text.length || text.charCodeAt(end) === 0 ? value : undefined;
}

/** Up to 15 digits and nothing else; -1 for other texts. */
function parseDigits(text: string): number {
  const { length } = text;
  if (length === 0 || length > 15) return -1;
  let value = 0;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** A number as `tostring` and `..` print it: C's "%.14g". */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && value < 1e14 && value > -1e14) {
    return value === 0 && 1 / value < 0 ? '-0' : String(value);
  }
  return formatGeneral(value, 14, false);
}

/**
 * inf and nan as C prints them. Which sign a NaN has JavaScript does not tell: x86's arithmetic makes
 * negative ones.
 */
export function formatNonFinite(value: number): string {
  return value > 0 ? 'inf' : value < 0 ? '-inf' : '-nan';
}

/**
 * Steps of finding digits. They are not looked at here: hosts print numbers too, outside of any run; a
 * script's next step tells that none are left.
 */
const digitSteps = 6;
const exactSteps = 20;

/** Decimal digits of a number: d1 d2 d3... times 10^(exponent), the point behind d1. */
interface Decimal {
  digits: string;
  exponent: number;
}

/** All digits of a positive finite number, exactly: at most 767. */
function exactDecimal(magnitude: number): Decimal {
  doubles[0] = magnitude;
  const biased = halves[1]! >>> 20;
  const high = halves[1]! & 0xfffff;
  const mantissa = BigInt(biased === 0 ? high : high + 0x100000) * 4294967296n + BigInt(halves[0]!);
  const power = Math.max(biased, 1) - 1075;
  counters.s -= exactSteps + (Math.abs(power) >> 3);
  if (power >= 0) {
    const digits = (mantissa << BigInt(power)).toString();
    return { digits, exponent: digits.length - 1 };
  }
  const digits = (mantissa * 5n ** BigInt(-power)).toString();
  return { digits, exponent: digits.length - 1 + power };
}

/** Rounds to `count` digits (0 or less: to none, or to a one before them), ties to even. */
function roundDecimal({ digits, exponent }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { digits: digits.padEnd(count, '0'), exponent };
  if (count < 0) return { digits: '', exponent };
  const next = digits.charCodeAt(count) - 48;
  const odd = count > 0 && (digits.charCodeAt(count - 1) & 1) === 1;
  const up = next > 5 || (next === 5 && (odd || /[1-9]/.test(digits.slice(count + 1))));
  const kept = digits.slice(0, count);
  if (!up) return { digits: kept, exponent };
  const raised = (BigInt(kept === '' ? '0' : kept) + 1n).toString().padStart(count, '0');
  if (raised.length > count) return { digits: raised.slice(0, Math.max(count, 1)), exponent: exponent + 1 };
  return { digits: raised, exponent };
}

/** The `count` digits nearest to a positive finite number, ties to even; count at least 1. */
function significantDigits(magnitude: number, count: number): Decimal {
  counters.s -= digitSteps;
  if (count <= 17) {
    const text = magnitude.toExponential(count - 1);
    const mark = text.indexOf('e');
    // toExponential rounds ties up: only an odd last digit can come of that.
    if ((text.charCodeAt(mark - 1) & 1) === 0) {
      const digits = count === 1 ? text.slice(0, mark) : text.charAt(0) + text.slice(2, mark);
      return { digits, exponent: Number(text.slice(mark + 1)) };
    }
  }
  return roundDecimal(exactDecimal(magnitude), count);
}

function isNegative(value: number): boolean {
  return value < 0 || (value === 0 && 1 / value < 0);
}

function withExponent(digits: string, exponent: number, keepPoint: boolean): string {
  const size = Math.abs(exponent);
  const point = digits.length > 1 || keepPoint ? '.' : '';
  return `${digits.charAt(0)}${point}${digits.slice(1)}e${exponent < 0 ? '-' : '+'}${size < 10 ? '0' : ''}${size}`;
}

/** C's "%.*e"; `keepPoint` is its flag "#". */
export function formatExponential(value: number, precision: number, keepPoint: boolean): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const sign = isNegative(value) ? '-' : '';
  if (value === 0) return sign + withExponent('0'.repeat(precision + 1), 0, keepPoint);
  const { digits, exponent } = significantDigits(Math.abs(value), precision + 1);
  return sign + withExponent(digits, exponent, keepPoint);
}

/** C's "%.*f". */
export function formatFixed(value: number, precision: number, keepPoint: boolean): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const sign = isNegative(value) ? '-' : '';
  const magnitude = Math.abs(value);
  const point = precision > 0 || keepPoint ? '.' : '';
  if (magnitude === 0) return `${sign}0${point}${'0'.repeat(precision)}`;
  const exact = exactDecimal(magnitude);
  const { digits, exponent } = roundDecimal(exact, exact.exponent + 1 + precision);
  // What is rounded away whole leaves no digits, or a single one.
  if (digits === '' || exponent + 1 + precision <= 0) return `${sign}0${point}${'0'.repeat(precision)}`;
  const padded = exponent < 0 ? '0'.repeat(-exponent) + digits : digits.padEnd(exponent + 1, '0');
  const whole = Math.max(exponent, 0) + 1;
  return `${sign}${padded.slice(0, whole)}${point}${padded.slice(whole, whole + precision).padEnd(precision, '0')}`;
}

/** C's "%.*g"; `alternative` is its flag "#", which keeps the zeros at the end. */
export function formatGeneral(value: number, precision: number, alternative: boolean): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const sign = isNegative(value) ? '-' : '';
  if (precision === 0) precision = 1;
  const { digits: all, exponent } =
    value === 0
      ? { digits: '0'.repeat(precision), exponent: 0 }
      : significantDigits(Math.abs(value), precision);
  let digits = all;
  if (!alternative) {
    let end = digits.length;
    while (end > 1 && digits.charCodeAt(end - 1) === 48) end--;
    digits = digits.slice(0, end);
  }
  if (exponent < -4 || exponent >= precision) return sign + withExponent(digits, exponent, alternative);
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return sign + (fraction === '' && !alternative ? whole : `${whole}.${fraction}`);
}
