/** The basic functions, those that Redis leaves to scripts. */
import { nativeFrame } from '../chunk.js';
import { LuaError } from '../errors.js';
import { chargeSteps } from '../limits.js';
import { formatNumber } from '../numbers.js';
import { call, isCallable, protectedCall, withNativeDepth } from '../runtime/calls.js';
import { fail, handlerDepth, position, typeName } from '../runtime/frames.js';
import { index } from '../runtime/indexing.js';
import { nextKey, steps } from '../runtime/iteration.js';
import { metamethod, metatableOf } from '../runtime/metatables.js';
import { chargeString, toNumber } from '../runtime/operators.js';
import { addressOf, LuaTable } from '../table.js';
import {
  isTruthy,
  type LuaFunction,
  type LuaObject,
  type LuaResult,
  type LuaValue,
  noValues,
} from '../value.js';
import {
  argumentError,
  checkAny,
  checkInt,
  checkString,
  checkTable,
  type Natives,
  natives,
  optionalInt,
  optionalString,
  typeError,
} from './arguments.js';

/** Most values that a native may give: the size of C's stack in 5.1. */
export const resultsMax = 7999;

/** A value as `tostring` shows it. */
export function toText(value: LuaValue): LuaValue {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      chargeString(16);
      return formatNumber(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'undefined':
      return 'nil';
    default: {
      const handler = metamethod(value, '__tostring');
      if (handler !== undefined) return call(handler, value)[0];
      return `${typeName(value)}: ${address(value)}`;
    }
  }
}

function address(value: LuaFunction | LuaObject): string {
  if (typeof value !== 'function' && value.typeName === 'userdata') return '(nil)';
  return `0x${(0x7f0000000000 + addressOf(value)).toString(16)}`;
}

const nextFunction: LuaFunction = (...args) => {
  const table = checkTable(args, 0);
  chargeSteps(1);
  return nextKey(table, args[1]);
};

const ipairsStep: LuaFunction = (...args) => {
  const at = checkInt(args, 1) + 1;
  const value = checkTable(args, 0).getNumber(at);
  return value === undefined ? noValues : [at, value];
};

export function checkMutable(table: LuaTable): void {
  if (table.readonly) throw new LuaError('Attempt to modify a readonly table');
}

function load(state: BaseHost, source: string, chunkName: string): LuaResult {
  try {
    return state.load(source, chunkId(chunkName));
  } catch (error) {
    if (error instanceof LuaError) return [undefined, error.value];
    throw error;
  }
}

/** A chunk's name as messages show it: what follows `=` or `@`, else the source's first line. */
export function chunkId(name: string): string {
  const first = name.charAt(0);
  if (first === '=') return name.slice(1, 60);
  if (first === '@') return name.length > 53 ? `...${name.slice(-52)}` : name.slice(1);
  const end = name.search(/[\r\n]/);
  const line = end < 0 ? name : name.slice(0, end);
  const room = 60 - ' [string "..."] '.length;
  return line.length > room || end >= 0 ? `[string "${line.slice(0, room)}..."]` : `[string "${line}"]`;
}

function readChunk(args: readonly LuaValue[]): string {
  const parts: string[] = [];
  let length = 0;
  for (;;) {
    chargeSteps(1);
    const piece = call(args[0])[0];
    if (piece === undefined || piece === '') return parts.join('');
    if (typeof piece !== 'string' && typeof piece !== 'number') fail('reader function must return a string');
    const text = typeof piece === 'string' ? piece : formatNumber(piece);
    length += text.length;
    chargeString(length);
    parts.push(text);
  }
}

/** What the basic functions need of the state. */
export interface BaseHost {
  load(source: string, chunkName: string): LuaFunction;
  /** Kilobytes that scripts use, as collectgarbage tells them: a count that is equal on all nodes. */
  readonly kilobytes: number;
}

function collectGarbage(state: BaseHost, args: readonly LuaValue[]): LuaResult {
  const option = optionalString(args, 0, 'collect');
  optionalInt(args, 1, 0);
  switch (option) {
    case 'count':
      return state.kilobytes;
    case 'step':
      return true;
    case 'setpause':
    case 'setstepmul':
      return 200;
    case 'collect':
    case 'stop':
    case 'restart':
      return 0;
    default:
      return argumentError(0, `invalid option '${option}'`);
  }
}

function toNumberInBase(args: readonly LuaValue[]): LuaValue {
  const base = optionalInt(args, 1, 10);
  if (base === 10) {
    checkAny(args, 0);
    return toNumber(args[0]);
  }
  const text = checkString(args, 0);
  if (base < 2 || base > 36) argumentError(1, 'base out of range');
  return parseInBase(text, base);
}

/** C's strtoul, all of a text; what is too large becomes the greatest. */
function parseInBase(text: string, base: number): number | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9a-fA-F]))?([0-9a-zA-Z]+)[ \t\n\v\f\r]*(?:\0|$)/.exec(
    base === 16 ? text : text.replace(/0[xX]/, (prefix) => prefix),
  );
  if (!match) return undefined;
  const source =
    base === 16 ? match : /^[ \t\n\v\f\r]*([+-]?)([0-9a-zA-Z]+)[ \t\n\v\f\r]*(?:\0|$)/.exec(text);
  if (!source) return undefined;
  chargeString(text.length);
  let value = 0n;
  for (const char of source[2]!.slice(0, 4096)) {
    const digit = Number.parseInt(char, 36);
    if (digit >= base) return undefined;
    if (value < 1n << 64n) value = value * BigInt(base) + BigInt(digit);
  }
  const max = (1n << 64n) - 1n;
  if (value > max) return Number(max);
  return Number(source[1] === '-' ? BigInt.asUintN(64, -value) : value);
}

function unpack(args: readonly LuaValue[]): LuaResult {
  const table = checkTable(args, 0);
  const from = optionalInt(args, 1, 1);
  const to = args[2] === undefined ? table.length() : checkInt(args, 2);
  if (from > to) return noValues;
  const count = to - from + 1;
  if (count > resultsMax - args.length) fail('too many results to unpack');
  chargeSteps(count >> 3);
  const result: LuaValue[] = [];
  for (let at = from; at <= to; at++) result.push(table.getNumber(at));
  return result;
}

function select(args: readonly LuaValue[]): LuaResult {
  if (typeof args[0] === 'string' && args[0].startsWith('#')) return args.length - 1;
  let at = checkInt(args, 0);
  if (at < 0) at = args.length + at;
  else if (at > args.length) at = args.length;
  if (at < 1) argumentError(0, 'index out of range');
  chargeSteps((args.length - at) >> 3);
  return args.slice(at);
}

function throwError(args: readonly LuaValue[]): never {
  const [value] = args;
  const level = optionalInt(args, 1, 1);
  if ((typeof value === 'string' || typeof value === 'number') && level > 0) {
    const where = position(level);
    const text = typeof value === 'number' ? formatNumber(value) : value;
    chargeString(where.length + text.length);
    throw new LuaError(where + text);
  }
  throw new LuaError(value);
}

/**
 * pcall as Redis has it: of an error table whose `err` is a string it gives that string; else both, table and
 * `err`.
 */
function redisPcall(args: readonly LuaValue[]): LuaValue[] {
  const { ok, values } = protectedCall(() => call(args[0], ...args.slice(1)));
  if (ok) return [true, ...values];
  const [error] = values;
  if (!(error instanceof LuaTable)) return [false, error];
  const text = index(error, 'err', nativeFrame, 0);
  return typeof text === 'string' || typeof text === 'number' ? [false, text] : [false, error, text];
}

/** The basic functions, in an order of registration that gives Redis's order of `pairs`. */
export function baseFunctions(state: BaseHost): Natives {
  steps.next ??= nextFunction;
  steps.ipairs ??= ipairsStep;
  return natives({
    assert: (...args) => {
      checkAny(args, 0);
      if (isTruthy(args[0])) return [...args];
      return fail(optionalString(args, 1, 'assertion failed!'));
    },
    collectgarbage: (...args) => collectGarbage(state, args),
    error: (...args) => throwError(args),
    gcinfo: () => Math.floor(state.kilobytes),
    getmetatable: (...args) => {
      checkAny(args, 0);
      const metatable = metatableOf(args[0]);
      return metatable && (metamethod(args[0], '__metatable') ?? metatable);
    },
    loadstring: (...args) => {
      const source = checkString(args, 0);
      return load(state, source, optionalString(args, 1, source));
    },
    load: (...args) => {
      const chunkName = optionalString(args, 1, '=(load)');
      if (typeof args[0] !== 'function') typeError(args, 0, 'function');
      const { ok, values: read } = protectedCall(() => [readChunk(args)]);
      return ok ? load(state, read[0] as string, chunkName) : [undefined, read[0]];
    },
    next: steps.next,
    pcall: (...args) => redisPcall(args),
    rawequal: (...args) => {
      checkAny(args, 0);
      checkAny(args, 1);
      return args[0] === args[1];
    },
    rawget: (...args) => {
      const table = checkTable(args, 0);
      checkAny(args, 1);
      return table.get(args[1]);
    },
    rawset: (...args) => {
      const table = checkTable(args, 0);
      checkAny(args, 1);
      checkAny(args, 2);
      checkMutable(table);
      if (args[1] === undefined) throw new LuaError('table index is nil');
      if (typeof args[1] === 'number' && Number.isNaN(args[1])) throw new LuaError('table index is NaN');
      table.set(args[1], args[2]);
      return table;
    },
    select: (...args) => select(args),
    setmetatable: (...args) => {
      const table = checkTable(args, 0);
      const metatable = args[1];
      if (!(metatable instanceof LuaTable) && (metatable !== undefined || args.length < 2))
        argumentError(1, 'nil or table expected');
      if (metamethod(table, '__metatable') !== undefined) fail('cannot change a protected metatable');
      checkMutable(table);
      table.metatable = metatable;
      return table;
    },
    tonumber: (...args) =>
      args.length === 1 && typeof args[0] === 'number' ? args[0] : toNumberInBase(args),
    tostring: (...args) => {
      checkAny(args, 0);
      return toText(args[0]);
    },
    type: (...args) => {
      checkAny(args, 0);
      return typeName(args[0]);
    },
    unpack: (...args) => unpack(args),
    xpcall: (...args) => {
      checkAny(args, 1);
      const { ok, values: result } = protectedCall(() => call(args[0]));
      if (ok) return [true, ...result];
      if (!isCallable(args[1])) return [false, undefined];
      // An error for want of depth has some left for its handler.
      const handled = protectedCall(() => withNativeDepth(handlerDepth, () => call(args[1], result[0])));
      return [false, handled.ok ? handled.values[0] : 'error in error handling'];
    },
    ipairs: (...args) => [steps.ipairs, checkTable(args, 0), 0],
    pairs: (...args) => [steps.next, checkTable(args, 0), undefined],
  });
}
