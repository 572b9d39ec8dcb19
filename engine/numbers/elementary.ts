/**
 * exp, log, pow and the hyperbolic functions, rounded to the nearest double (but for about one argument in a
 * million), from the four operations and square root alone: the same bits in every JavaScript engine and
 * release, which Math.pow and `**` do not give (V8 of Node 20 and of Node 24 differ in one random argument of
 * ten).
 *
 * Method: series in double-double arithmetic behind a reduction by powers of two.
 */
import { powerOfTwo } from './double.js';
import { add, divide, multiply, multiplyExactly, r } from './double-double.js';

/** ln 2 in three parts; multiples of the first, of 32 bits, by exponents are exact. */
const ln2 = [0.6931471803691238, 1.9082149292705877e-10, 1.1612227229362532e-26] as const;

const doubles = new Float64Array(1);
const halves = new Int32Array(doubles.buffer);

/** 1/n! as double-doubles, n from 2 to 12. */
const inverseFactorials = Array.from({ length: 11 }, (_, at) => {
  let factorial = 1;
  for (let n = 2; n <= at + 2; n++) factorial *= n;
  divide(1, 0, factorial, 0);
  return [r[0]!, r[1]!] as const;
});

/** How often the argument of exp is halved before its series. */
const halvings = 8;

/**
 * r[0] + r[1] = exp(high + low) / 2^n, and n is returned. The argument is at most some 750.
 */
function expReduced(high: number, low: number): number {
  const power = Math.round(high * Math.LOG2E);
  add(high, low, -power * ln2[0], 0);
  multiplyInto(-power, ln2[1], ln2[2]);
  const scale = powerOfTwo(-halvings);
  const x = r[0]! * scale;
  const xLow = r[1]! * scale;
  // exp(x) - 1 by Horner's rule, squared as e -> 2e + e * e, which loses nothing to the one.
  let sum = 0;
  let sumLow = 0;
  for (let at = 8; at >= 0; at--) {
    add(sum, sumLow, inverseFactorials[at]![0], inverseFactorials[at]![1]);
    multiply(r[0]!, r[1]!, x, xLow);
    sum = r[0]!;
    sumLow = r[1]!;
  }
  // sum = x/2! + x^2/3! + ...; e = x + x * sum
  multiply(sum, sumLow, x, xLow);
  add(x, xLow, r[0]!, r[1]!);
  for (let i = 0; i < halvings; i++) {
    const e = r[0]!;
    const eLow = r[1]!;
    multiply(e, eLow, e, eLow);
    add(2 * e, 2 * eLow, r[0]!, r[1]!);
  }
  add(1, 0, r[0]!, r[1]!);
  return power;
}

/** r = r + factor * (high + low) */
function multiplyInto(factor: number, high: number, low: number): void {
  const sum = r[0]!;
  const sumLow = r[1]!;
  multiplyExactly(factor, high);
  const product = r[0]!;
  const productLow = r[1]! + factor * low;
  add(sum, sumLow, product, productLow);
}

/** value * 2^power, rounded once. */
function scaled(value: number, low: number, power: number): number {
  if (power >= -1020 && power <= 1020) return (value + low) * powerOfTwo(power);
  if (power > 1020) return (value + low) * powerOfTwo(1020) * powerOfTwo(power - 1020);
  if (power < -1130) return 0;
  // The result may be subnormal: round the sum of both parts where its last place will be.
  const unit = powerOfTwo(-1074 - power);
  add(value, 0, low, 0);
  const whole = Math.floor(r[0]! / unit) * unit;
  add(r[0]!, r[1]!, -whole, 0);
  const rest = r[0]! + r[1]!;
  const half = unit / 2;
  const odd = (whole / unit) % 2 === 1;
  const up = rest > half || (rest === half && odd);
  const rounded = up ? whole + unit : whole;
  return rounded * powerOfTwo(-1000) * powerOfTwo(power + 1000);
}

/** e^x */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.2) return 0;
  if (Math.abs(x) < 1e-17) return 1 + x;
  const power = expReduced(x, 0);
  return scaled(r[0]!, r[1]!, power);
}

/** r[0] + r[1] = ln(x) of a positive finite x. */
function logDouble(x: number): void {
  doubles[0] = x;
  let power = (halves[1]! >>> 20) & 0x7ff;
  if (power === 0) {
    doubles[0] = x * powerOfTwo(54);
    power = ((halves[1]! >>> 20) & 0x7ff) - 54;
  }
  power -= 1023;
  halves[1] = (halves[1]! & 0xfffff) | 0x3ff00000;
  let mantissa = doubles[0]!;
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    power++;
  }
  // ln m = 2 atanh((m - 1) / (m + 1))
  add(mantissa, 0, 1, 0);
  const sum = r[0]!;
  const sumLow = r[1]!;
  divide(mantissa - 1, 0, sum, sumLow);
  const s = r[0]!;
  const sLow = r[1]!;
  multiply(s, sLow, s, sLow);
  const z = r[0]!;
  const zLow = r[1]!;
  let tail = 0;
  for (let n = 45; n > 25; n -= 2) tail = (tail + 1 / n) * z;
  r[0] = tail;
  r[1] = 0;
  for (let at = oddInverses.length - 1; at >= 0; at--) {
    add(r[0]!, r[1]!, oddInverses[at]![0], oddInverses[at]![1]);
    multiply(r[0]!, r[1]!, z, zLow);
  }
  multiply(r[0]!, r[1]!, s, sLow);
  add(s, sLow, r[0]!, r[1]!);
  const high = 2 * r[0]!;
  const low = 2 * r[1]!;
  if (power === 0) {
    r[0] = high;
    r[1] = low;
    return;
  }
  add(power * ln2[0], 0, high, low);
  multiplyInto(power, ln2[1], ln2[2]);
}

/** 1/3, 1/5, ... 1/25 as double-doubles. */
const oddInverses = Array.from({ length: 12 }, (_, at) => {
  divide(1, 0, 2 * at + 3, 0);
  return [r[0]!, r[1]!] as const;
});

/** Natural logarithm. */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  logDouble(x);
  return r[0]! + r[1]!;
}

/** 1 / ln 10 */
const inverseLn10 = [Math.LOG10E, 1.098319650216765e-17] as const;

/** Decimal logarithm. */
export function log10(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  logDouble(x);
  multiply(r[0]!, r[1]!, inverseLn10[0], inverseLn10[1]);
  return r[0]! + r[1]!;
}

function isOddInteger(y: number): boolean {
  return Number.isInteger(y) && Math.abs(y) < 9007199254740992 && Math.abs(y % 2) === 1;
}

/** x^y as C's pow: 1 for a base of 1 or an exponent of 0, whatever the other is. */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  if (y === 1) return x;
  if (y === 2) return x * x;
  const size = Math.abs(x);
  if (!Number.isFinite(y)) {
    if (size === 1) return 1;
    return size > 1 === y > 0 ? Infinity : 0;
  }
  const negative = (x < 0 || (x === 0 && 1 / x < 0)) && isOddInteger(y);
  if (size === 0 || size === Infinity) {
    const result = (size === 0) === y > 0 ? 0 : Infinity;
    return negative ? -result : result;
  }
  if (x < 0 && !Number.isInteger(y)) return NaN;
  if (size === 1) return negative ? -1 : 1;
  if (y === 0.5) return Math.sqrt(x);
  if (y === -1) return 1 / x;
  logDouble(size);
  multiplyExactlyWide(y);
  const exponent = r[0]!;
  let result: number;
  if (!(exponent < 710)) result = Infinity;
  else if (exponent < -746) result = 0;
  else {
    const power = expReduced(exponent, r[1]!);
    result = scaled(r[0]!, r[1]!, power);
  }
  return negative ? -result : result;
}

/**
 * r = r * y; y so large that the product's exact parts overflow gives infinity, which is what the power then
 * is.
 */
function multiplyExactlyWide(y: number): void {
  const product = r[0]! * y;
  if (Math.abs(product) > 1000 || Math.abs(y) > 1e290) {
    r[0] = product;
    r[1] = 0;
  } else multiply(r[0]!, r[1]!, y, 0);
}

/** r[0] + r[1] = exp(x) and, behind it, exp(-x), for 0 <= x <= 40. */
function expBoth(x: number): readonly [high: number, low: number, inverseHigh: number, inverseLow: number] {
  const power = powerOfTwo(expReduced(x, 0));
  const high = r[0]! * power;
  const low = r[1]! * power;
  divide(1, 0, high, low);
  return [high, low, r[0]!, r[1]!];
}

/** Hyperbolic sine. */
export function sinh(x: number): number {
  const size = Math.abs(x);
  if (!(size > 1e-9)) return x;
  let result: number;
  if (size > 711) result = Infinity;
  else if (size > 40) result = hyperbolicLarge(size);
  else if (size < 0.3) result = sinhSeries(size);
  else {
    const [high, low, inverse, inverseLow] = expBoth(size);
    add(high, low, -inverse, -inverseLow);
    result = (r[0]! + r[1]!) / 2;
  }
  return x < 0 ? -result : result;
}

/** e^x / 2 of a large x, without overflow before its time. */
function hyperbolicLarge(x: number): number {
  const power = expReduced(x, 0);
  return scaled(r[0]!, r[1]!, power - 1);
}

/** x + x^3/3! + x^5/5! + ... */
function sinhSeries(x: number): number {
  multiply(x, 0, x, 0);
  const z = r[0]!;
  const zLow = r[1]!;
  let sum = 0;
  let sumLow = 0;
  for (let n = 23; n >= 3; n -= 2) {
    divide(1, 0, n * (n - 1), 0);
    const high = r[0]!;
    const low = r[1]!;
    add(1, 0, sum, sumLow);
    multiply(r[0]!, r[1]!, high, low);
    multiply(r[0]!, r[1]!, z, zLow);
    sum = r[0]!;
    sumLow = r[1]!;
  }
  multiply(sum, sumLow, x, 0);
  add(x, 0, r[0]!, r[1]!);
  return r[0]! + r[1]!;
}

/** Hyperbolic cosine. */
export function cosh(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (size > 711) return Infinity;
  if (size > 40) return hyperbolicLarge(size);
  const [high, low, inverse, inverseLow] = expBoth(size);
  add(high, low, inverse, inverseLow);
  return (r[0]! + r[1]!) / 2;
}

/** Hyperbolic tangent. */
export function tanh(x: number): number {
  const size = Math.abs(x);
  if (!(size > 1e-9)) return x;
  let result = 1;
  if (size < 0.3) {
    const [high, low, inverse, inverseLow] = expBoth(size);
    add(high, low, inverse, inverseLow);
    const cosine = r[0]! / 2;
    const cosineLow = r[1]! / 2;
    sinhSeries(size);
    divide(r[0]!, r[1]!, cosine, cosineLow);
    result = r[0]! + r[1]!;
  } else if (size < 22) {
    const [high, low, inverse, inverseLow] = expBoth(size);
    add(high, low, -inverse, -inverseLow);
    const sine = r[0]!;
    const sineLow = r[1]!;
    add(high, low, inverse, inverseLow);
    divide(sine, sineLow, r[0]!, r[1]!);
    result = r[0]! + r[1]!;
  }
  return x < 0 ? -result : result;
}
