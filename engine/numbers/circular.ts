/**
 * The circular functions and their inverses of any argument, rounded to the nearest double (but for about one
 * argument in a million): the same bits everywhere, on the kernels of geo/trigonometry.ts.
 */
import { asin as asinNear, cosineKernel, sineKernel } from '../geo/trigonometry.js';
import { powerOfTwo } from './double.js';
import { add, divide, multiply, multiplyExactly, r } from './double-double.js';

const halfPi = [1.5707963267948966, 6.123233995736766e-17] as const;
const pi = [Math.PI, 1.2246467991473532e-16] as const;

/** Fraction bits of the numbers below. */
const fractionBits = 1280n;

/** arctan(1 / n) in units of 2^-fractionBits. */
function inverseTangent(n: bigint): bigint {
  let power = (1n << fractionBits) / n;
  let sum = power;
  for (let k = 3n, sign = -1n; power > 0n; k += 2n, sign = -sign) {
    power /= n * n;
    sum += (sign * power) / k;
  }
  return sum;
}

let quarterTurn: bigint | undefined;

/** pi / 2 by Machin's formula. */
function exactHalfPi(): bigint {
  quarterTurn ??= 8n * inverseTangent(5n) - 2n * inverseTangent(239n);
  return quarterTurn;
}

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);

/** A number in units of 2^-fractionBits: exact for what is not tiny. */
function toFixed(x: number): bigint {
  doubles[0] = Math.abs(x);
  const biased = words[1]! >>> 20;
  const mantissa = (BigInt((words[1]! & 0xfffff) | 0x100000) << 32n) | BigInt(words[0]!);
  const shift = BigInt(biased - 1075) + fractionBits;
  const value = shift >= 0n ? mantissa << shift : mantissa >> -shift;
  return x < 0 ? -value : value;
}

/** r[0] + r[1] = x minus the multiple of pi/2 nearest to it; which multiple, modulo 4, is returned. */
function reduce(x: number): number {
  if (Math.abs(x) < 0.75) {
    r[0] = x;
    r[1] = 0;
    return 0;
  }
  const value = toFixed(x);
  const half = exactHalfPi();
  const doubled = 2n * value + half;
  let quarter = doubled / (2n * half);
  if (doubled < 0n && doubled % (2n * half) !== 0n) quarter--;
  let rest = value - quarter * half;
  // Two doubles hold 106 bits of what is left.
  const sign = rest < 0n ? -1 : 1;
  if (rest < 0n) rest = -rest;
  const bits = BigInt(rest.toString(2).length);
  const shift = bits > 120n ? bits - 120n : 0n;
  const top = rest >> shift;
  const scale = Number(shift - fractionBits);
  const high = Number(top >> 67n) * powerOfTwo(67);
  const low = Number((top >> 14n) & ((1n << 53n) - 1n)) * powerOfTwo(14);
  add(high, 0, low, 0);
  const factor = sign * powerOfTwo(Math.max(scale, -1000));
  r[0]! *= factor;
  r[1]! *= factor;
  return Number(((quarter % 4n) + 4n) % 4n);
}

/** Arguments from here down are their own sine and tangent. */
const tiny = 1e-9;

export function sin(x: number): number {
  if (!Number.isFinite(x)) return NaN;
  if (Math.abs(x) < tiny) return x;
  const quarter = reduce(x);
  if ((quarter & 1) === 0) sineKernel(r[0]!, r[1]!);
  else cosineKernel(r[0]!, r[1]!);
  return (quarter & 2) === 0 ? r[0]! : -r[0]!;
}

export function cos(x: number): number {
  if (!Number.isFinite(x)) return NaN;
  const quarter = reduce(x);
  if ((quarter & 1) === 0) cosineKernel(r[0]!, r[1]!);
  else sineKernel(r[0]!, r[1]!);
  return ((quarter + 1) & 2) === 0 ? r[0]! : -r[0]!;
}

export function tan(x: number): number {
  if (!Number.isFinite(x)) return NaN;
  if (Math.abs(x) < tiny) return x;
  const quarter = reduce(x);
  const high = r[0]!;
  const low = r[1]!;
  sineKernel(high, low);
  const sine = r[0]!;
  const sineLow = r[1]!;
  cosineKernel(high, low);
  if ((quarter & 1) === 0) {
    divide(sine, sineLow, r[0]!, r[1]!);
    return r[0]!;
  }
  divide(r[0]!, r[1]!, -sine, -sineLow);
  return r[0]!;
}

export function asin(x: number): number {
  return asinNear(x);
}

/** r[0] + r[1] = asin(x + xLow) for at most 0.71, from a guess good to the last digits. */
function refineAsin(x: number, xLow: number, guess: number): void {
  sineKernel(guess, 0);
  add(x, xLow, -r[0]!, -r[1]!);
  add(guess, 0, (r[0]! + r[1]!) / Math.sqrt(1 - x * x), 0);
}

export function acos(x: number): number {
  if (!(x >= -1 && x <= 1)) return NaN;
  if (x === 1) return 0;
  if (Math.abs(x) <= 0.5) {
    refineAsin(x, 0, asinNear(x));
    add(halfPi[0], halfPi[1], -r[0]!, -r[1]!);
    return r[0]!;
  }
  // acos(x) = 2 asin(sqrt((1 - x) / 2)), with the root as a double-double.
  const z = (1 - Math.abs(x)) / 2;
  const root = Math.sqrt(z);
  multiplyExactly(root, root);
  const rootLow = (z - r[0]! - r[1]!) / (2 * root);
  if (root === 0) return x < 0 ? Math.PI : 0;
  refineAsin(root, rootLow, asinNear(root));
  const high = 2 * r[0]!;
  const low = 2 * r[1]!;
  if (x > 0) return high + low;
  add(pi[0], pi[1], -high, -low);
  return r[0]!;
}

/** r[0] + r[1] = atan(y + yLow) for 0 <= y <= 1. */
function atanKernel(y: number, yLow: number): void {
  if (y < tiny) {
    r[0] = y;
    r[1] = yLow;
    return;
  }
  // tan(a - b) = (tan a - tan b) / (1 + tan a tan b) gives what the guess lacks.
  const guess = asinNear(y / Math.sqrt(1 + y * y));
  sineKernel(guess, 0);
  const sine = r[0]!;
  const sineLow = r[1]!;
  cosineKernel(guess, 0);
  const cosine = r[0]!;
  multiply(y, yLow, cosine, r[1]!);
  add(r[0]!, r[1]!, -sine, -sineLow);
  add(guess, 0, (r[0]! + r[1]!) / (cosine + y * sine), 0);
}

/**
 * r[0] + r[1] = the angle, from 0 to pi, of a vector with coordinates x and y >= 0, not both 0 and finite.
 */
function angle(y: number, x: number): void {
  const width = Math.abs(x);
  if (y <= width) {
    divide(y, 0, width, 0);
    atanKernel(r[0]!, r[1]!);
  } else {
    divide(width, 0, y, 0);
    atanKernel(r[0]!, r[1]!);
    add(halfPi[0], halfPi[1], -r[0]!, -r[1]!);
  }
  if (x < 0) add(pi[0], pi[1], -r[0]!, -r[1]!);
}

export function atan(x: number): number {
  const size = Math.abs(x);
  if (!(size >= tiny)) return x;
  if (size > 1e17) return x < 0 ? -halfPi[0] : halfPi[0];
  angle(size, 1);
  return x < 0 ? -r[0]! : r[0]!;
}

export function atan2(y: number, x: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const below = y < 0 || (y === 0 && 1 / y < 0);
  const left = x < 0 || (x === 0 && 1 / x < 0);
  const height = Math.abs(y);
  let result: number;
  if (height === 0) result = left ? Math.PI : 0;
  else if (x === 0) result = halfPi[0];
  else if (!Number.isFinite(x)) {
    if (height === Infinity) result = left ? 2.356194490192345 : 0.7853981633974483;
    else result = left ? Math.PI : 0;
  } else if (height === Infinity) result = halfPi[0];
  else {
    const ratio = height / Math.abs(x);
    if (ratio > 1e300) result = halfPi[0];
    else if (ratio < 1e-290) result = left ? Math.PI : ratio;
    else {
      // Bring both into a range where their exact products are.
      const scale = Math.max(height, Math.abs(x)) > 1 ? 2 ** -500 : 2 ** 500;
      const extreme = Math.max(height, Math.abs(x)) > 1e150 || Math.min(height, Math.abs(x)) < 1e-150;
      angle(extreme ? height * scale : height, extreme ? x * scale : x);
      result = r[0]!;
    }
  }
  return below ? -result : result;
}
