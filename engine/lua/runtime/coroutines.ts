/**
 * Coroutines: generators of JavaScript, which the functions of a script that may use them are compiled to.
 */
import { coroutineFrame } from '../chunk.js';
import { LuaError } from '../errors.js';
import { chargeBytes, chargeSteps, counters, sites } from '../limits.js';
import type {
  LuaFunction,
  LuaGenerator,
  LuaGeneratorFunction,
  LuaObject,
  LuaResult,
  LuaValue,
} from '../value.js';
import { asFatal, callWith, nesting, PendingCall, unwindTo, values } from './calls.js';
import { frames } from './frames.js';

/** What a coroutine costs. */
const coroutineBytes = 1024;

/** Steps of a resume. */
const resumeSteps = 20;

export type CoroutineStatus = 'running' | 'suspended' | 'normal' | 'dead';

/** The coroutine that runs, of the one script that does. */
export const current: { coroutine: Coroutine | undefined } = { coroutine: undefined };

export class Coroutine implements LuaObject {
  readonly typeName = 'thread';
  id = 0;
  status: CoroutineStatus = 'suspended';
  private generator: LuaGenerator | undefined;
  private resumer: Coroutine | undefined;
  /** Depth of natives at which it may yield: none of them stands between it and its resumer. */
  private nativeDepth = 0;
  private savedSites: number[] = [];
  private savedFrames: typeof frames = [];
  private savedWide = 0;

  constructor(private readonly body: LuaFunction) {
    chargeBytes(coroutineBytes);
  }

  get canYield(): boolean {
    return counters.c === this.nativeDepth;
  }

  /**
   * Runs it until it yields, returns or fails.
   * @throws LuaError with what it failed
   */
  resume(args: LuaValue[]): LuaValue[] {
    if (this.status !== 'suspended') throw new LuaError(`cannot resume ${this.status} coroutine`);
    const before = nesting();
    const base = before.d + 1;
    if (counters.c > counters.cMax || base + this.savedSites.length > counters.max)
      throw new LuaError('C stack overflow');
    chargeSteps(resumeSteps);
    counters.c++;
    this.nativeDepth = counters.c;
    this.enter(base);
    try {
      const result = this.run(args);
      this.leave(base, before.k);
      return result;
    } catch (error) {
      this.status = 'dead';
      throw asFatal(error);
    } finally {
      unwindTo(before);
      current.coroutine = this.resumer;
      if (this.resumer) this.resumer.status = 'running';
      this.resumer = undefined;
    }
  }

  private enter(base: number): void {
    this.resumer = current.coroutine;
    if (this.resumer) this.resumer.status = 'normal';
    current.coroutine = this;
    this.status = 'running';
    frames[base] = coroutineFrame;
    sites[base] = 0;
    this.savedSites.forEach((site, at) => {
      sites[base + 1 + at] = site;
      frames[base + 1 + at] = this.savedFrames[at]!;
    });
    counters.d = base + this.savedSites.length;
    counters.k += this.savedWide;
  }

  private run(args: LuaValue[]): LuaValue[] {
    if (!this.generator) {
      const twin = this.body.twin;
      if (!twin) {
        // Not of a script with coroutines: it cannot be left.
        this.nativeDepth = -1;
        this.status = 'dead';
        return values(callWith(this.body, args));
      }
      this.generator = twin(...args);
      args = [];
    }
    let step = this.generator.next(args);
    while (step.done) {
      const { value } = step;
      if (!(value instanceof PendingCall)) {
        this.status = 'dead';
        return values(value);
      }
      // Only functions with a twin are left to be called.
      this.generator = value.callee.twin!(...value.args);
      step = this.generator.next([]);
    }
    this.status = 'suspended';
    return step.value as LuaValue[];
  }

  private leave(base: number, wide: number): void {
    if (this.status !== 'suspended') return;
    const top = counters.d;
    this.savedSites = Array.from(sites.subarray(base + 1, top + 1));
    this.savedFrames = frames.slice(base + 1, top + 1);
    this.savedWide = counters.k - wide;
  }
}

/** coroutine.yield, where it is called as a plain function: a native stands between it and its coroutine. */
export const yieldFunction: LuaFunction = () => {
  throw new LuaError('attempt to yield across metamethod/C-call boundary');
};
yieldFunction.native = true;

/** Checks that the running function may yield, and gives what to yield. */
export function yielded(args: LuaValue[]): LuaValue[] {
  if (!current.coroutine?.canYield) yieldFunction();
  return args;
}

export function resumed(args: LuaValue[]): LuaValue[] {
  return args;
}

/** Makes, in a generator, a call that a tail call left. */
export function* finish(pending: PendingCall): LuaGenerator {
  let result: LuaResult = pending;
  while (result instanceof PendingCall) result = yield* result.callee.twin!(...result.args);
  return result;
}

/** A function that is compiled to a generator: called as a plain one it runs to its end. */
export function gen(twin: LuaGeneratorFunction): LuaFunction {
  const plain: LuaFunction = (...args) => {
    const step = twin(...args).next([]);
    return step.value as LuaValue[];
  };
  plain.twin = twin;
  return plain;
}
