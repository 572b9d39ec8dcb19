/** The library bit (Lua BitOp): operations on 32-bit integers. */
import type { LuaFunction } from '../value.js';
import { type Arguments, checkNumber, type Natives, natives, optionalNumber } from './arguments.js';

/** A number modulo 2^32 as a signed integer, rounded to the nearest first, ties to even. */
function toBits(value: number): number {
  // BitOp adds 2^52 + 2^51, whose last place is 1, and takes the low word: numbers beyond 2^51 lose their low
  // bits' meaning.
  const biased = value + 6755399441055744;
  if (!Number.isFinite(biased)) return 0;
  doubles[0] = biased;
  return words[0]!;
}

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

function bitsAt(args: Arguments, at: number): number {
  return toBits(checkNumber(args, at));
}

function fold(operation: (a: number, b: number) => number): LuaFunction {
  return (...args) => {
    let bits = bitsAt(args, 0);
    for (let at = args.length - 1; at > 0; at--) bits = operation(bits, bitsAt(args, at));
    return bits;
  };
}

function shift(operation: (bits: number, count: number) => number): LuaFunction {
  return (...args) => operation(bitsAt(args, 0), bitsAt(args, 1) & 31) | 0;
}

function toHex(args: Arguments): string {
  const bits = bitsAt(args, 0);
  let digits = args[1] === undefined ? 8 : toBits(optionalNumber(args, 1, 8));
  let text = (bits >>> 0).toString(16).padStart(8, '0');
  if (digits < 0) {
    digits = -digits;
    text = text.toUpperCase();
  }
  return digits > 8 || digits < 0 ? text : text.slice(8 - digits);
}

export const bitFunctions: Natives = natives({
  tobit: (...args) => bitsAt(args, 0),
  bnot: (...args) => ~bitsAt(args, 0),
  band: fold((a, b) => a & b),
  bor: fold((a, b) => a | b),
  bxor: fold((a, b) => a ^ b),
  lshift: shift((bits, count) => bits << count),
  rshift: shift((bits, count) => bits >>> count),
  arshift: shift((bits, count) => bits >> count),
  rol: shift((bits, count) => (bits << count) | (bits >>> ((32 - count) & 31))),
  ror: shift((bits, count) => (bits >>> count) | (bits << ((32 - count) & 31))),
  bswap: (...args) => {
    const bits = bitsAt(args, 0);
    return (bits >>> 24) | ((bits >>> 8) & 0xff00) | ((bits & 0xff00) << 8) | (bits << 24);
  },
  tohex: (...args) => toHex(args),
});
