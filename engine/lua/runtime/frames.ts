/** Who calls whom, for messages: the running functions' chunks and places. */
import { type Chunk, coroutineFrame, nativeFrame } from '../chunk.js';
import { LuaError } from '../errors.js';
import { counters, depthMax, sites } from '../limits.js';
import type { LuaValue } from '../value.js';

/** For each depth the chunk of the function that runs there. */
export const frames: Chunk[] = new Array<Chunk>(depthMax + 300).fill(nativeFrame);

/**
 * `name:line: ` of the function `level` levels up (1: the one that calls a native), or nothing where none is
 * known.
 */
export function position(level: number): string {
  let depth = counters.d;
  for (let up = 1; up < level; up++) {
    if (depth <= 0 || frames[depth] === coroutineFrame) return '';
    // A call that was replaced by its tail call is a level of its own, of which nothing is known.
    const replaced = tailCalls.get(depth);
    depth--;
    if (replaced !== undefined && replaced > 0) {
      up++;
      if (up >= level) return '';
    }
  }
  return depth > 0 ? positionAt(frames[depth]!, sites[depth]!) : '';
}

/**
 * Where the innermost function of Lua is, once an error has left it: nothing unwinds before the error is
 * caught.
 */
export function innermostPlace(): { chunkName: string; line: number } | undefined {
  let depth = counters.d;
  if (depth > 0 && frames[depth] === nativeFrame) depth--;
  if (depth <= 0 || frames[depth]!.name === '') return undefined;
  return { chunkName: frames[depth]!.name, line: frames[depth]!.site(sites[depth]!).line };
}

/**
 * Depths whose function was called in the place of another's result, and how many it replaced. Cleared by who
 * sets it.
 */
export const tailCalls = new Map<number, number>();

export function positionAt(chunk: Chunk, site: number): string {
  return chunk.name === '' ? '' : `${chunk.name}:${chunk.site(site).line}: `;
}

/** An error in a native, with the place of its caller. */
export function fail(message: string): never {
  throw new LuaError(position(1) + message);
}

/** An error in Lua code. */
export function failAt(chunk: Chunk, site: number, message: string): never {
  frames[counters.d] = chunk;
  sites[counters.d] = site;
  throw new LuaError(positionAt(chunk, site) + message);
}

/** How the running native was called: `field 'rep'`, or empty. */
export function calledAs(): string {
  const { d } = counters;
  return d > 0 ? (frames[d]!.site(sites[d]!).names[0] ?? '') : '';
}

/** Nested calls through natives beyond the limit that handlers of errors may make: an eighth of it in 5.1. */
export const handlerDepth = 25;

/**
 * To be called where one more call has passed the limit of nested calls through natives. As in 5.1 it is an
 * error of its own only at the limit: a coroutine that was resumed there goes on like a handler of errors.
 */
export function checkNativeDepth(place: string): void {
  const beyond = counters.c - counters.cMax;
  if (beyond > 1 && beyond <= handlerDepth) return;
  counters.c--;
  throw new LuaError(beyond === 1 ? `${place}C stack overflow` : 'error in error handling');
}

/** Calls on a native's behalf. What goes wrong in the native, these overflows too, has no place in Lua. */
export function enterNative(): void {
  if (++counters.c > counters.cMax) checkNativeDepth('');
  if (++counters.d > counters.max) {
    counters.d--;
    counters.c--;
    throw new LuaError('stack overflow');
  }
  frames[counters.d] = nativeFrame;
  sites[counters.d] = 0;
}

export function leaveNative(): void {
  counters.c--;
  counters.d--;
}

/** A value's type as Lua calls it. */
export function typeName(value: LuaValue): string {
  switch (typeof value) {
    case 'undefined':
      return 'nil';
    case 'boolean':
    case 'number':
    case 'string':
    case 'function':
      return typeof value;
    default:
      return value.typeName;
  }
}
