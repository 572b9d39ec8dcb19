/** The mathematical functions, of our own where JavaScript's may differ between releases. */
import { acos, asin, atan, atan2, cos, sin, tan } from '../../numbers/circular.js';
import { powerOfTwo } from '../../numbers/double.js';
import { cosh, exp, log, log10, pow, sinh, tanh } from '../../numbers/elementary.js';
import { chargeSteps } from '../limits.js';
import { fail } from '../runtime/frames.js';
import type { LuaFunction, LuaValue } from '../value.js';
import { type Arguments, argumentError, checkInt, checkNumber, type Natives, natives } from './arguments.js';
import type { Random } from './random.js';

const int32Max = 2147483647;
const degree = Math.PI / 180;

/** A function of one number, which takes some ten steps. */
function unary(compute: (x: number) => number): LuaFunction {
  return (...args) => {
    chargeSteps(8);
    return compute(checkNumber(args, 0));
  };
}

function extreme(args: Arguments, isBetter: (a: number, b: number) => boolean): number {
  let best = checkNumber(args, 0);
  for (let at = 1; at < args.length; at++) {
    const value = checkNumber(args, at);
    if (isBetter(value, best)) best = value;
  }
  return best;
}

/** Mantissa of [0.5, 1) and exponent. */
function frexp(x: number): LuaValue[] {
  if (x === 0 || !Number.isFinite(x)) return [x, 0];
  let exponent = 0;
  let size = Math.abs(x);
  if (size < powerOfTwo(-1022)) {
    size *= powerOfTwo(54);
    exponent = -54;
  }
  for (let step = 512; step >= 1; step /= 2) {
    if (size >= powerOfTwo(step)) {
      size *= powerOfTwo(-step);
      exponent += step;
    } else if (size < powerOfTwo(-step)) {
      size *= powerOfTwo(step);
      exponent -= step;
    }
  }
  while (size >= 1) {
    size /= 2;
    exponent++;
  }
  while (size < 0.5) {
    size *= 2;
    exponent--;
  }
  return [x < 0 ? -size : size, exponent];
}

function ldexp(x: number, exponent: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const [mantissa, own] = frexp(x) as [number, number];
  const power = own + Math.max(-5000, Math.min(5000, exponent));
  if (power > 1024) return mantissa < 0 ? -Infinity : Infinity;
  if (power < -1100) return mantissa < 0 ? -0 : 0;
  // One rounding at most: the first step is exact.
  return power < -1000
    ? mantissa * powerOfTwo(-900) * powerOfTwo(power + 900)
    : mantissa * 2 * powerOfTwo(power - 1);
}

function modf(x: number): LuaValue[] {
  if (!Number.isFinite(x)) return [x, Number.isNaN(x) ? x : x < 0 ? -0 : 0];
  const whole = Math.trunc(x);
  const fraction = x - whole;
  return [whole, fraction === 0 && (x < 0 || 1 / x < 0) ? -0 : fraction];
}

function random(args: Arguments, generator: Random): LuaValue {
  const part = (generator.next() % int32Max) / int32Max;
  switch (args.length) {
    case 0:
      return part;
    case 1: {
      const to = checkInt(args, 0);
      if (to < 1) argumentError(0, 'interval is empty');
      return Math.floor(part * to) + 1;
    }
    case 2: {
      const from = checkInt(args, 0);
      const to = checkInt(args, 1);
      if (from > to) argumentError(1, 'interval is empty');
      // C's int arithmetic wraps.
      return Math.floor(part * ((to - from + 1) | 0)) + from;
    }
    default:
      return fail('wrong number of arguments');
  }
}

export function mathFunctions(generator: Random): Natives {
  const fmod: LuaFunction = (...args) => checkNumber(args, 0) % checkNumber(args, 1);
  return natives({
    abs: unary(Math.abs),
    acos: unary(acos),
    asin: unary(asin),
    atan2: (...args) => {
      chargeSteps(8);
      return atan2(checkNumber(args, 0), checkNumber(args, 1));
    },
    atan: unary(atan),
    ceil: (...args) => Math.ceil(checkNumber(args, 0)),
    cosh: unary(cosh),
    cos: unary(cos),
    deg: (...args) => checkNumber(args, 0) / degree,
    exp: unary(exp),
    floor: (...args) => Math.floor(checkNumber(args, 0)),
    fmod,
    frexp: (...args) => frexp(checkNumber(args, 0)),
    ldexp: (...args) => ldexp(checkNumber(args, 0), checkInt(args, 1)),
    log10: unary(log10),
    log: unary(log),
    max: (...args) => extreme(args, (a, b) => a > b),
    min: (...args) => extreme(args, (a, b) => a < b),
    modf: (...args) => modf(checkNumber(args, 0)),
    pow: (...args) => {
      chargeSteps(8);
      return pow(checkNumber(args, 0), checkNumber(args, 1));
    },
    rad: (...args) => checkNumber(args, 0) * degree,
    random: (...args) => random(args, generator),
    randomseed: (...args) => {
      generator.seed(checkInt(args, 0));
      return [];
    },
    sinh: unary(sinh),
    sin: unary(sin),
    sqrt: unary(Math.sqrt),
    tanh: unary(tanh),
    tan: unary(tan),
  });
}
