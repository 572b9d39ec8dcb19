/**
 * Double-double arithmetic (T. J. Dekker, 1971: a value is an unevaluated sum of two doubles), some 106 bits,
 * from the four operations alone: the same bits in every JavaScript engine and release.
 */

/**
 * Result of the operations below: r[0] + r[1], the second at most half a unit in the last place of the first.
 * In an array, because V8 allocates at each assignment of a double to a variable of the module.
 */
export const r = new Float64Array(2);

/** r[0] + r[1] = a * b exactly (Dekker's product, halves by Veltkamp's splitting). */
export function multiplyExactly(a: number, b: number): void {
  const product = a * b;
  let scaled = 134217729 * a;
  const aHigh = scaled - (scaled - a);
  const aLow = a - aHigh;
  scaled = 134217729 * b;
  const bHigh = scaled - (scaled - b);
  const bLow = b - bHigh;
  r[1] = aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
  r[0] = product;
}

export function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  multiplyExactly(aHigh, bHigh);
  const rest = r[1]! + (aHigh * bLow + aLow * bHigh);
  const sum = r[0]! + rest;
  r[1] = rest - (sum - r[0]!);
  r[0] = sum;
}

export function add(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const sum = aHigh + bHigh;
  const bPart = sum - aHigh;
  const rest = aHigh - (sum - bPart) + (bHigh - bPart) + (aLow + bLow);
  r[0] = sum + rest;
  r[1] = rest - (r[0]! - sum);
}

export function divide(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const quotient = aHigh / bHigh;
  multiply(quotient, 0, bHigh, bLow);
  add(aHigh, aLow, -r[0]!, -r[1]!);
  const correction = (r[0]! + r[1]!) / bHigh;
  const sum = quotient + correction;
  r[1] = correction - (sum - quotient);
  r[0] = sum;
}
