/** Correct rounding of exact binary values to a floating-point format: nearest, ties to even. */

/** Number of bits of a non-negative bigint. */
export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hex = value.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex.charAt(0), 16)));
}

/**
 * value / 2^shift rounded to nearest, ties to even; `sticky` says that the true value is a little above
 * `value`.
 */
export function shiftRightRounded(value: bigint, shift: number, sticky: boolean): bigint {
  if (shift <= 0) return value << BigInt(-shift);
  const width = BigInt(shift);
  const quotient = value >> width;
  const rest = value - (quotient << width);
  const half = 1n << (width - 1n);
  if (rest > half || (rest === half && (sticky || (quotient & 1n) === 1n))) return quotient + 1n;
  return quotient;
}

/** mantissa * 2^exponent. */
export interface BinaryValue {
  readonly mantissa: bigint;
  readonly exponent: number;
}

/**
 * Rounds mantissa * 2^exponent (mantissa not negative) to `precision` bits, with no bit below 2^minExponent
 * (gradual underflow). With `sticky` set the true value lies above, by less than one unit of the mantissa;
 * the mantissa must then have at least precision + 1 bits.
 */
export function roundBinary(
  mantissa: bigint,
  exponent: number,
  precision: number,
  minExponent: number,
  sticky = false,
): BinaryValue {
  if (mantissa === 0n) return { mantissa: 0n, exponent: 0 };
  const bits = bitLength(mantissa);
  let shift = bits - precision;
  if (exponent + shift < minExponent) shift = minExponent - exponent;
  if (shift <= 0) return { mantissa, exponent };
  return { mantissa: shiftRightRounded(mantissa, shift, sticky), exponent: exponent + shift };
}

/** More hexadecimal digits than any rounding to a double or long double, subnormals included, can need. */
const hexadecimalDigitsMax = 8192;

/**
 * Mantissa and exponent of the digits of a hexadecimal float (no exponent part). Exact up to 8192 significant
 * digits; what follows is told by the last bit only, which is all that rounding needs.
 */
export function hexadecimalDigits(text: string): BinaryValue {
  const point = text.indexOf('.');
  let digits = point < 0 ? text : text.slice(0, point) + text.slice(point + 1);
  let exponent = point < 0 ? 0 : -4 * (text.length - point - 1);
  let first = 0;
  while (digits.charCodeAt(first) === 0x30) first++;
  digits = digits.slice(first);
  if (digits.length === 0) return { mantissa: 0n, exponent: 0 };
  if (digits.length > hexadecimalDigitsMax) {
    const rest = digits.slice(hexadecimalDigitsMax);
    exponent += 4 * rest.length;
    digits = digits.slice(0, hexadecimalDigitsMax) + (/[^0]/.test(rest) ? '1' : '0');
    exponent -= 4;
  }
  return { mantissa: BigInt(`0x${digits}`), exponent };
}
