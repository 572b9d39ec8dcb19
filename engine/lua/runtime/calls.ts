/**
 * Calls: of values that are no functions, with lists of arguments, in the place of a result (tail calls), and
 * by natives.
 *
 * A tail call is made as a plain call while few of them nest; past that the call still to be made is
 * returned, and whoever receives it makes it (a trampoline): so they use no stack, at no cost for results
 * that are none.
 */
import type { Chunk } from '../chunk.js';
import { LuaError, LuaFatal } from '../errors.js';
import { counters, sites } from '../limits.js';
import { LuaTable } from '../table.js';
import type { LuaFunction, LuaResult, LuaValue } from '../value.js';
import {
  checkNativeDepth,
  enterNative,
  fail,
  failAt,
  frames,
  leaveNative,
  positionAt,
  tailCalls,
  typeName,
} from './frames.js';
import { metamethod } from './metatables.js';

/** Tail calls that may nest as plain calls. */
const nestedTailCallsMax = 48;

/** Steps of catching an error. */
const caughtSteps = 100;

/** Arguments up to this many are reckoned with in a frame. */
const freeArguments = 8;
/** Most arguments of a call. 5.1 has no such bound; its natives give at most 8,000 values. */
const argumentsMax = 16_000;

/** A call still to be made, in the place of its result. */
export class PendingCall extends Array<LuaValue> {
  callee!: LuaFunction;
  args!: LuaValue[];

  static to(callee: LuaFunction, args: LuaValue[]): PendingCall {
    const pending = new PendingCall();
    pending.callee = callee;
    pending.args = args;
    return pending;
  }
}

function finish(pending: PendingCall): LuaResult {
  let result: LuaResult = pending;
  while (result instanceof PendingCall) result = callWith(result.callee, result.args);
  return result;
}

/** The first value of a result. */
export function first(result: LuaResult): LuaValue {
  if (result instanceof PendingCall) result = finish(result);
  return Array.isArray(result) ? result[0] : result;
}

/** All values of a result. */
export function values(result: LuaResult): LuaValue[] {
  if (result instanceof PendingCall) result = finish(result);
  return Array.isArray(result) ? result : [result];
}

/** Calls with a list of arguments, which take stack beyond what the frame is reckoned with. */
export function callWith(callee: LuaFunction, args: LuaValue[]): LuaResult {
  const count = args.length;
  if (count <= freeArguments) return callee(...args);
  if (count > argumentsMax || counters.k + count > counters.kMax) fail('stack overflow');
  counters.k += count;
  const result = callee(...args);
  counters.k -= count;
  return result;
}

/**
 * What to call for a value that is no function: its `__call`, or an error, once the arguments are evaluated.
 */
export function callable(value: LuaValue, chunk: Chunk, site: number): LuaFunction {
  return (...args) => {
    if (typeof value === 'function') return callWith(value, args);
    const handler = metamethod(value, '__call');
    if (typeof handler === 'function') return callWith(handler, [value, ...args]);
    return failCall(value, chunk.site(site).names[0] ?? '', chunk, site);
  };
}

function failCall(value: LuaValue, name: string, chunk: Chunk, site: number): never {
  failAt(
    chunk,
    site,
    `attempt to call ${name === '' ? 'a' : `${name} (a`} ${typeName(value)} value${name === '' ? '' : ')'}`,
  );
}

/** Calls a value with a list of arguments from the function at a depth. */
export function apply(
  callee: LuaValue,
  args: LuaValue[],
  depth: number,
  chunk: Chunk,
  site: number,
): LuaResult {
  frames[depth] = chunk;
  sites[depth] = site;
  return callWith(typeof callee === 'function' ? callee : callable(callee, chunk, site), args);
}

/** A call in the place of the result of the function at a depth. */
export function tail(
  callee: LuaValue,
  args: LuaValue[],
  depth: number,
  chunk: Chunk,
  site: number,
): LuaResult {
  if (typeof callee !== 'function' || callee.native === true) return apply(callee, args, depth, chunk, site);
  if (counters.t >= nestedTailCallsMax) return PendingCall.to(callee, args);
  counters.t++;
  counters.d = depth - 1;
  tailCalls.set(depth, 1);
  const result = callWith(callee, args);
  tailCalls.delete(depth);
  counters.t--;
  return result;
}

/** Calls a value from a native, which may not be left by a coroutine meanwhile. */
export function call(callee: LuaValue, ...args: LuaValue[]): LuaValue[] {
  enterNative();
  const result = values(callWith(typeof callee === 'function' ? callee : resolveCall(callee), args));
  leaveNative();
  return result;
}

function resolveCall(callee: LuaValue): LuaFunction {
  const handler = metamethod(callee, '__call');
  if (typeof handler !== 'function') fail(`attempt to call a ${typeName(callee)} value`);
  return (...args) => callWith(handler, [callee, ...args]);
}

/**
 * Calls a metamethod (a function or what has `__call`) for an operator of the running function; its first
 * value.
 */
export function callHandler(handler: LuaValue, chunk: Chunk, site: number, ...args: LuaValue[]): LuaValue {
  const { d } = counters;
  frames[d] = chunk;
  sites[d] = site;
  if (++counters.c > counters.cMax) checkNativeDepth(positionAt(chunk, site));
  const result = first(
    callWith(typeof handler === 'function' ? handler : callable(handler, chunk, site), args),
  );
  counters.c--;
  return result;
}

/** Where the counters of nesting stand, to go back to when an error is caught. */
export interface Nesting {
  d: number;
  c: number;
  k: number;
  t: number;
}

export function nesting(): Nesting {
  const { d, c, k, t } = counters;
  return { d, c, k, t };
}

export function unwindTo({ d, c, k, t }: Nesting): void {
  counters.d = d;
  counters.c = c;
  counters.k = k;
  counters.t = t;
  if (tailCalls.size > 0) {
    for (const depth of tailCalls.keys()) if (depth > d) tailCalls.delete(depth);
  }
}

/**
 * Runs something that may end with an error of Lua. All else passes through; V8's end of stack ends the
 * script.
 */
export function protectedCall(work: () => LuaValue[]): { ok: boolean; values: LuaValue[] } {
  const before = nesting();
  try {
    return { ok: true, values: work() };
  } catch (error) {
    unwindTo(before);
    // A catch costs V8 some hundred times a call.
    counters.s -= caughtSteps;
    if (error instanceof LuaError) return { ok: false, values: [error.value] };
    throw asFatal(error);
  }
}

/** Runs `work` with room for so many more nested calls through natives. */
export function withNativeDepth<T>(more: number, work: () => T): T {
  const { cMax } = counters;
  counters.cMax = cMax + more;
  try {
    return work();
  } finally {
    counters.cMax = cMax;
  }
}

/** V8's end of stack, which the limits of depth are to keep out of reach, as the end of the script. */
export function asFatal(error: unknown): unknown {
  return error instanceof RangeError
    ? new LuaFatal('stack', `script ran out of stack: ${error.message}`)
    : error;
}

/** Whether a value can be called. */
export function isCallable(value: LuaValue): boolean {
  return (
    typeof value === 'function' || (value instanceof LuaTable && metamethod(value, '__call') !== undefined)
  );
}
