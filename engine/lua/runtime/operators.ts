/** Operators on what is not plain numbers: strings that read as numbers, metamethods, errors. */
import type { Chunk } from '../chunk.js';
import { chargeBytes, counters } from '../limits.js';
import { formatNumber, parseNumeral } from '../numbers.js';
import { LuaTable } from '../table.js';
import type { LuaValue } from '../value.js';
import { isTruthy } from '../value.js';
import { modulo, power } from './arithmetic.js';
import { callHandler } from './calls.js';
import { fail, failAt, typeName } from './frames.js';
import { failType } from './indexing.js';
import { type EventName, metamethod } from './metatables.js';

/** V8's longest string: 24 bytes short of 512 MiB. */
export const stringLengthMax = 2 ** 29 - 24;

/** What a string costs beside its bytes. */
const stringBytes = 24;

/** Charges a new string. */
export function chargeString(length: number): void {
  counters.b -= length + stringBytes;
  if (counters.b < 0) chargeBytes(0);
  if (length > 64) {
    counters.s -= length >> 6;
    if (length > stringLengthMax) fail('string length overflow');
  }
}

/** A number, or a string that reads as one; else undefined. */
export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (value.length > 256) chargeString(value.length);
  return parseNumeral(value);
}

function arithmetic(
  a: LuaValue,
  b: LuaValue,
  event: EventName,
  compute: (a: number, b: number) => number,
  chunk: Chunk,
  site: number,
): LuaValue {
  const left = toNumber(a);
  const right = toNumber(b);
  if (left !== undefined && right !== undefined) return compute(left, right);
  const handler = metamethod(a, event) ?? metamethod(b, event);
  if (handler !== undefined) return callHandler(handler, chunk, site, a, b);
  return left === undefined
    ? failType('perform arithmetic on', a, chunk, site, 0)
    : failType('perform arithmetic on', b, chunk, site, 1);
}

export function add(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  return arithmetic(a, b, '__add', (x, y) => x + y, chunk, site);
}

export function sub(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  return arithmetic(a, b, '__sub', (x, y) => x - y, chunk, site);
}

export function mul(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  return arithmetic(a, b, '__mul', (x, y) => x * y, chunk, site);
}

export function div(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  return arithmetic(a, b, '__div', (x, y) => x / y, chunk, site);
}

export function mod(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  if (typeof a === 'number' && typeof b === 'number') return a - Math.floor(a / b) * b;
  return arithmetic(a, b, '__mod', modulo, chunk, site);
}

export function pow(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  counters.s -= 4;
  if (typeof a === 'number' && typeof b === 'number') return power(a, b);
  return arithmetic(a, b, '__pow', power, chunk, site);
}

export function unm(a: LuaValue, chunk: Chunk, site: number): LuaValue {
  const number = toNumber(a);
  if (number !== undefined) return -number;
  const handler = metamethod(a, '__unm');
  if (handler !== undefined) return callHandler(handler, chunk, site, a, a);
  return failType('perform arithmetic on', a, chunk, site);
}

export function len(value: LuaValue, chunk: Chunk, site: number): LuaValue {
  if (value instanceof LuaTable) return value.length();
  if (typeof value === 'string') return value.length;
  return failType('get length of', value, chunk, site);
}

// Comparison

/** a == b of a table that is not itself b. */
/** Whether a value is this string: comparing long ones takes time. */
export function sameText(a: string, b: LuaValue): boolean {
  if (a.length > 256 && typeof b === 'string' && a.length === b.length) counters.s -= a.length >> 6;
  return a === b;
}

/** Charges the comparison of strings. */
export function chargeOrder(a: string, b: string): void {
  const length = Math.min(a.length, b.length);
  if (length > 256) counters.s -= length >> 5;
}

export function eq(a: LuaTable, b: LuaValue, chunk: Chunk, site: number): boolean {
  if (!(b instanceof LuaTable) || a.metatable === undefined || b.metatable === undefined) return false;
  const handler = metamethod(a, '__eq');
  if (handler === undefined || (a.metatable !== b.metatable && metamethod(b, '__eq') !== handler))
    return false;
  return isTruthy(callHandler(handler, chunk, site, a, b));
}

/** Calls the handler of an order when both operands have the same one. */
function order(
  a: LuaValue,
  b: LuaValue,
  event: '__lt' | '__le',
  chunk: Chunk,
  site: number,
): boolean | undefined {
  const handler = metamethod(a, event);
  if (handler === undefined || metamethod(b, event) !== handler) return undefined;
  return isTruthy(callHandler(handler, chunk, site, a, b));
}

function failOrder(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): never {
  const left = typeName(a);
  const right = typeName(b);
  failAt(
    chunk,
    site,
    left === right ? `attempt to compare two ${left} values` : `attempt to compare ${left} with ${right}`,
  );
}

export function lt(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    chargeOrder(a, b);
    return a < b;
  }
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeName(a) !== typeName(b)) failOrder(a, b, chunk, site);
  return order(a, b, '__lt', chunk, site) ?? failOrder(a, b, chunk, site);
}

export function le(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    chargeOrder(a, b);
    return a <= b;
  }
  if (typeof a === 'number' && typeof b === 'number') return a <= b;
  if (typeName(a) !== typeName(b)) failOrder(a, b, chunk, site);
  const result = order(a, b, '__le', chunk, site);
  if (result !== undefined) return result;
  const reversed = order(b, a, '__lt', chunk, site);
  return reversed === undefined ? failOrder(a, b, chunk, site) : !reversed;
}

// Concatenation

function isText(value: LuaValue): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function text(value: string | number): string {
  return typeof value === 'string' ? value : formatNumber(value);
}

/** a .. b */
export function cat(a: LuaValue, b: LuaValue, chunk: Chunk, site: number): LuaValue {
  if (!isText(a) || !isText(b)) return cats([a, b], chunk, site);
  const left = text(a);
  const right = text(b);
  chargeString(left.length + right.length);
  return left + right;
}

/** a .. b .. c */
export function cat3(a: LuaValue, b: LuaValue, c: LuaValue, chunk: Chunk, site: number): LuaValue {
  if (!isText(a) || !isText(b) || !isText(c)) return cats([a, b, c], chunk, site);
  const left = text(a);
  const middle = text(b);
  const right = text(c);
  chargeString(left.length + middle.length + right.length);
  return left + middle + right;
}

/** Concatenates from the right: as many strings at a time as stand together, then a metamethod of two. */
export function cats(list: LuaValue[], chunk: Chunk, site: number): LuaValue {
  let right = list[list.length - 1];
  let at = list.length - 2;
  while (at >= 0) {
    const left = list[at];
    if (isText(left) && isText(right)) {
      let from = at;
      while (from > 0 && isText(list[from - 1])) from--;
      let length = text(right).length;
      const parts: string[] = [];
      for (let i = from; i <= at; i++) {
        const part = text(list[i] as string | number);
        length += part.length;
        parts.push(part);
      }
      chargeString(length);
      right = parts.join('') + text(right);
      at = from - 1;
      continue;
    }
    const handler = metamethod(left, '__concat') ?? metamethod(right, '__concat');
    if (handler === undefined) {
      return isText(left)
        ? failType('concatenate', right, chunk, site, at + 1)
        : failType('concatenate', left, chunk, site, at);
    }
    right = callHandler(handler, chunk, site, left, right);
    at--;
  }
  return right;
}

/** A bound of a numeric `for`, once none of the three is left to evaluate. */
export function loopNumber(value: LuaValue, which: number, chunk: Chunk, site: number): number {
  const number = toNumber(value);
  if (number !== undefined) return number;
  return failAt(chunk, site, `'for' ${['initial value', 'limit', 'step'][which]} must be a number`);
}
