/**
 * What a script may use: counted the same on every node, so that a script which goes too far ends everywhere
 * at the same step.
 *
 * The counters are those of the one script that runs: a process runs one at a time, to its end. They are a
 * module's object, not a state's, because generated code touches them at every call and every turn of a loop.
 */
import { LuaFatal } from './errors.js';

/** Bounds of one run. */
export interface LuaLimits {
  /**
   * Calls, turns of loops, and work of library functions in pieces of some ten nanoseconds; at most 2^31 - 1.
   */
  steps: number;
  /** Bytes allocated by strings and tables in all, whether still in use or not. */
  bytes: number;
  /** Nested calls of Lua functions. */
  depth: number;
  /** Nested calls through the library and metamethods (pcall, sort, gsub, __index and so on). */
  nativeDepth: number;
}

/**
 * Bounds of a run whose host sets none. The depths fit the main thread's default stack of 984 KB with the
 * largest frames that scripts can build (docs/SCRIPTS.md has the measurement).
 */
export const defaultLimits: LuaLimits = {
  steps: 100_000_000,
  bytes: 1024 * 1024 * 1024,
  depth: 1_000,
  nativeDepth: 198,
};

/** No program nests deeper, whatever its limits say: the size of the arrays below. */
export const depthMax = 20_000;

/** The counters. Short names: generated code is full of them. */
export const counters = {
  /** Steps left. */
  s: 0,
  /** Bytes left. */
  b: 0,
  /** Depth of the running function. */
  d: 0,
  /** Deepest allowed. */
  max: 0,
  /** Depth of calls through natives. */
  c: 0,
  cMax: 0,
  /** Stack taken by wide frames, in slots; and what they may take. */
  k: 0,
  kMax: 0,
  /** Tail calls that were made as plain calls, since the last that was not. */
  t: 0,
  /** Address of the next object that is asked for one. */
  nextId: 1,
};

/**
 * For each depth the number of the call site where that function is: an index into the sites of its chunk.
 */
export const sites = new Int32Array(depthMax + 300);

/** Slots of stack that wide frames and long argument lists may take beyond what `depth` reckons with. */
export const wideStackMax = 30_000;

/** Charges work of `count` steps. */
export function chargeSteps(count: number): void {
  counters.s -= count;
  if (counters.s < 0) stepsExhausted();
}

/** Charges `size` bytes, before they are allocated. */
export function chargeBytes(size: number): void {
  counters.b -= size;
  if (counters.b < 0) bytesExhausted();
}

export function stepsExhausted(): never {
  counters.s = 0;
  throw new LuaFatal('steps', 'script exceeded its limit of steps');
}

function bytesExhausted(): never {
  counters.b = 0;
  throw new LuaFatal('bytes', 'script exceeded its limit of allocated bytes');
}
