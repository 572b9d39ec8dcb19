/**
 * sin, cos and asin rounded to the nearest double (but for about one argument in a million), from the four
 * operations and square root alone: the same bits in every JavaScript engine and release, which Math.sin does
 * not promise. Distances go into sorted sets (GEOSEARCHSTORE ... STOREDIST) and so must not differ between
 * nodes.
 *
 * Method: Taylor series in double-double arithmetic; asin by one Newton step from a rational approximation.
 */
import { add, multiply, multiplyExactly, r } from '../numbers/double-double.js';

/**
 * Coefficients 1/n! with alternating sign, highest order first: `tails` as doubles, then `heads` as
 * double-doubles.
 */
interface Series {
  tails: Float64Array;
  headsHigh: Float64Array;
  headsLow: Float64Array;
}

function series(orders: number[], headCount: number): Series {
  const coefficients = orders.map((order) => {
    let factorial = 1;
    for (let n = 2; n <= order; n++) factorial *= n;
    const sign = order % 4 < 2 ? 1 : -1;
    const high = 1 / factorial;
    multiplyExactly(high, factorial);
    return { high: sign * high, low: (sign * (1 - r[0]! - r[1]!)) / factorial };
  });
  const tails = coefficients.slice(0, -headCount);
  const heads = coefficients.slice(-headCount);
  return {
    tails: Float64Array.from(tails, ({ high }) => high),
    headsHigh: Float64Array.from(heads, ({ high }) => high),
    headsLow: Float64Array.from(heads, ({ low }) => low),
  };
}

const sineSeries = series([21, 19, 17, 15, 13, 11, 9, 7, 5, 3], 3);
const cosineSeries = series([22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2], 4);

/** The series' sum at the square z of the argument, by Horner's rule. */
function evaluate({ tails, headsHigh, headsLow }: Series, zHigh: number, zLow: number): void {
  let tail = 0;
  for (let i = 0; i < tails.length; i++) tail = tail * zHigh + tails[i]!;
  r[0] = tail;
  r[1] = 0;
  for (let i = 0; i < headsHigh.length; i++) {
    multiply(r[0]!, r[1]!, zHigh, zLow);
    add(headsHigh[i]!, headsLow[i]!, r[0]!, r[1]!);
  }
}

/** r[0] + r[1] = sin(rHigh + rLow) for at most pi/4. */
export function sineKernel(rHigh: number, rLow: number): void {
  multiply(rHigh, rLow, rHigh, rLow);
  const zHigh = r[0]!;
  const zLow = r[1]!;
  evaluate(sineSeries, zHigh, zLow);
  multiply(r[0]!, r[1]!, zHigh, zLow);
  multiply(r[0]!, r[1]!, rHigh, rLow);
  add(rHigh, rLow, r[0]!, r[1]!);
}

/** r[0] + r[1] = cos(rHigh + rLow) for at most pi/4. */
export function cosineKernel(rHigh: number, rLow: number): void {
  multiply(rHigh, rLow, rHigh, rLow);
  const zHigh = r[0]!;
  const zLow = r[1]!;
  evaluate(cosineSeries, zHigh, zLow);
  multiply(r[0]!, r[1]!, zHigh, zLow);
  add(1, 0, r[0]!, r[1]!);
}

/** pi/2 in pieces of 33, 33 and 53 bits: small multiples of the first two are exact. */
const halfPi = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;

/** r[0] + r[1] = x minus the multiple of pi/2 nearest to it, which is returned. */
function reduce(x: number): number {
  const quarter = Math.round(x * 0.6366197723675814);
  add(x, 0, -quarter * halfPi[0], 0);
  add(r[0]!, r[1]!, -quarter * halfPi[1], 0);
  add(r[0]!, r[1]!, -quarter * halfPi[2], 0);
  return quarter;
}

/** Arguments from here down are their own sine. */
const tiny = 1e-9;

/** sin(x) of radians, |x| below some thousands. */
export function sin(x: number): number {
  if (Math.abs(x) < tiny) return x;
  const quarter = reduce(x);
  if ((quarter & 1) === 0) sineKernel(r[0]!, r[1]!);
  else cosineKernel(r[0]!, r[1]!);
  return (quarter & 2) === 0 ? r[0]! : -r[0]!;
}

/** cos(x) of radians, |x| below some thousands. */
export function cos(x: number): number {
  const quarter = reduce(x);
  if ((quarter & 1) === 0) cosineKernel(r[0]!, r[1]!);
  else sineKernel(r[0]!, r[1]!);
  return ((quarter + 1) & 2) === 0 ? r[0]! : -r[0]!;
}

/** Coefficients of asin(x) = x + x z P(z) / Q(z), z = x * x up to 1/4 (fdlibm, Sun Microsystems 1993). */
const asinP = [
  0.16666666666666666, -0.3255658186224009, 0.20121253213486293, -0.04005553450067941, 0.0007915349942898145,
  0.00003479331075960212,
] as const;
const asinQ = [1, -2.403394911734414, 2.0209457602335057, -0.6882839716054533, 0.07703815055590194] as const;

/** An approximation to asin(x) for x up to 1/2 given z = x * x, good to the last digit or two. */
function asinApproximately(x: number, z: number): number {
  const p = asinP[0] + z * (asinP[1] + z * (asinP[2] + z * (asinP[3] + z * (asinP[4] + z * asinP[5]))));
  const q = asinQ[0] + z * (asinQ[1] + z * (asinQ[2] + z * (asinQ[3] + z * asinQ[4])));
  return x + (x * z * p) / q;
}

/** asin(x) in radians; NaN outside -1..1. */
export function asin(x: number): number {
  if (x < 0) return -asin(-x);
  if (!(x <= 1)) return NaN;
  if (x < tiny) return x;
  if (x === 1) return 1.5707963267948966;
  if (x <= 0.5) {
    const guess = asinApproximately(x, x * x);
    sineKernel(guess, 0);
    return guess + (x - r[0]! - r[1]!) / Math.sqrt(1 - x * x);
  }
  // asin(x) = pi/2 - 2 asin(sqrt((1 - x) / 2)), with the root as a double-double.
  const z = (1 - x) / 2;
  const root = Math.sqrt(z);
  multiplyExactly(root, root);
  const rootLow = (z - r[0]! - r[1]!) / (2 * root);
  const guess = asinApproximately(root, z);
  sineKernel(guess, 0);
  const correction = (root - r[0]! - r[1]! + rootLow) / Math.sqrt(1 - z);
  add(1.5707963267948966, 6.123233995736766e-17, -2 * guess, -2 * correction);
  return r[0]!;
}
