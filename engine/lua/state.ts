/** A Lua state: the globals and libraries that scripts see, and the runs of scripts in it. */
import { nativeFrame } from './chunk.js';
import { type CompiledScript, compile } from './compiler/compile.js';
import { asNative, type Natives, register } from './library/arguments.js';
import { baseFunctions } from './library/base.js';
import { bitFunctions } from './library/bit.js';
import { CjsonConfig } from './library/cjson/config.js';
import { fillCjson } from './library/cjson/library.js';
import { cmsgpackFunctions } from './library/cmsgpack.js';
import { coroutineFunctions } from './library/coroutine.js';
import { mathFunctions } from './library/math.js';
import { Random } from './library/random.js';
import { stringFunctions } from './library/string.js';
import { structFunctions } from './library/struct.js';
import { tableFunctions } from './library/table.js';
import {
  chargeBytes,
  chargeSteps,
  counters,
  defaultLimits,
  depthMax,
  type LuaLimits,
  sites,
  wideStackMax,
} from './limits.js';
import { asFatal, callWith, nesting, unwindTo, values } from './runtime/calls.js';
import { current } from './runtime/coroutines.js';
import { fail, frames, innermostPlace } from './runtime/frames.js';
import { shared } from './runtime/metatables.js';
import { addressOf, LuaTable } from './table.js';
import type { LuaFunction, LuaValue } from './value.js';

/** What a run took. */
export interface LuaUsage {
  steps: number;
  bytes: number;
}

/**
 * What compiling takes: some 100 us, and 40 us for a kilobyte; V8 keeps some 20 bytes for each of the source.
 */
const loadSteps = 10_000;
const loadStepsPerByte = 4;
const loadBytes = 4_000;
const loadBytesPerByte = 20;

/** How a run goes. */
export interface RunOptions {
  limits?: LuaLimits;
  /** Seed of math.random: 32 bits. */
  seed?: number;
  /** What the script's globals are looked up in; those of the state if not given. */
  environment?: LuaTable;
}

/** Runs work of a host that makes tables: outside of runs no limit holds. */
export function unlimited<Result>(work: () => Result): Result {
  const { s, b } = counters;
  counters.s = 2 ** 31 - 1;
  counters.b = 2 ** 40;
  try {
    return work();
  } finally {
    counters.s = s;
    counters.b = b;
  }
}

export class LuaState {
  /** `_G`. */
  readonly globals: LuaTable;
  readonly random = new Random();
  private readonly cjson = new CjsonConfig();
  private readonly stringMetatable: LuaTable;
  /** First address of what scripts make: equal on all nodes, whatever ran before. */
  private firstId = 1;
  private running: CompiledScript | undefined;
  private bytesAtStart = 0;
  private used: LuaUsage = { steps: 0, bytes: 0 };
  /** Where the error that ended the last run came from; undefined where that is no place in Lua. */
  errorPlace: { chunkName: string; line: number } | undefined;

  constructor() {
    counters.nextId = 1;
    this.globals = unlimited(() => new LuaTable(0, 2));
    this.stringMetatable = unlimited(() => new LuaTable());
    unlimited(() => this.openLibraries());
    this.firstId = counters.nextId;
  }

  private openLibraries(): void {
    const { globals } = this;
    globals.set('_G', globals);
    globals.set('_VERSION', 'Lua 5.1');
    this.define(globals, baseFunctions(this));
    this.library('coroutine', coroutineFunctions);
    this.library('table', tableFunctions);
    const string = this.library('string', stringFunctions);
    const math = this.library('math', mathFunctions(this.random), [
      ['pi', Math.PI],
      ['huge', Infinity],
    ]);
    this.library('struct', structFunctions);
    this.library('cmsgpack', cmsgpackFunctions, [
      ['_NAME', 'cmsgpack'],
      ['_VERSION', 'lua-cmsgpack 0.4.0'],
      ['_COPYRIGHT', 'Copyright (C) 2012, Salvatore Sanfilippo'],
      ['_DESCRIPTION', 'MessagePack C implementation for Lua'],
    ]);
    this.library('bit', bitFunctions);
    const cjson = new LuaTable();
    fillCjson(cjson, this.cjson, (table, list) => this.define(table, list));
    globals.set('cjson', cjson);
    this.stringMetatable.set('__index', string);
    math.set('mod', math.get('fmod'));
  }

  private library(
    name: string,
    natives: Natives,
    constants: readonly (readonly [name: string, value: LuaValue])[] = [],
  ): LuaTable {
    // 5.1 makes room for the natives first: `pairs` shows it.
    const table = new LuaTable(0, natives.length);
    this.define(table, natives);
    for (const [key, value] of constants) table.set(key, value);
    this.globals.set(name, table);
    return table;
  }

  /**
   * Adds natives to a table of this state. Each gets its address now, so that it does not depend on what
   * scripts do.
   */
  define(table: LuaTable, natives: Natives): void {
    unlimited(() => register(table, natives));
    for (const [, native] of natives) addressOf(native);
    this.firstId = counters.nextId;
  }

  /**
   * Makes all tables of the globals readonly, and names that do not exist an error: as Redis does once its
   * own API is in place.
   */
  protect(): void {
    unlimited(() => this.freezeAll());
  }

  private freezeAll(): void {
    const metatable = new LuaTable();
    metatable.set(
      '__index',
      asNative((...args) => {
        const [, name] = args;
        return fail(`Script attempted to access nonexistent global variable '${String(name)}'`);
      }),
    );
    metatable.readonly = true;
    this.globals.metatable = metatable;
    const freeze = (table: LuaTable): void => {
      if (table.readonly) return;
      table.readonly = true;
      for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
        const value = table.valueAt(at);
        if (value instanceof LuaTable) freeze(value);
      }
    };
    freeze(this.globals);
    freeze(this.stringMetatable);
  }

  /** Compiles a chunk that scripts load. */
  load(source: string, chunkName: string): LuaFunction {
    chargeSteps(loadSteps + source.length * loadStepsPerByte);
    chargeBytes(loadBytes + source.length * loadBytesPerByte);
    const script = compile(source, { chunkName, coroutines: this.running?.usesCoroutines || undefined });
    return script.instantiate(this.globals);
  }

  get kilobytes(): number {
    return 40 + (this.bytesAtStart - counters.b) / 1024;
  }

  /** What the last run took. */
  get usage(): LuaUsage {
    return this.used;
  }

  /**
   * Runs a script from its start.
   * @throws LuaError as the script left it, LuaFatal when it went past a limit
   */
  run(script: CompiledScript, args: LuaValue[] = [], options: RunOptions = {}): LuaValue[] {
    return this.runFunction(script.instantiate(options.environment ?? this.globals), args, options, script);
  }

  /** Calls a function, such as one that a chunk left behind, in a run of its own. */
  call(callee: LuaFunction, args: LuaValue[], options: RunOptions = {}): LuaValue[] {
    return this.runFunction(callee, args, options, undefined);
  }

  private runFunction(
    callee: LuaFunction,
    args: LuaValue[],
    { limits = defaultLimits, seed = 0 }: RunOptions,
    script: CompiledScript | undefined,
  ): LuaValue[] {
    const { s, b, d, max, c, cMax, k, kMax, t, nextId } = counters;
    const outerRunning = this.running;
    const outerMetatable = shared.stringMetatable;
    const outerCoroutine = current.coroutine;
    const base = d > 0 ? d + 1 : 0;
    counters.s = limits.steps;
    counters.b = limits.bytes;
    counters.max = Math.min(base + limits.depth, depthMax);
    counters.cMax = c + limits.nativeDepth;
    counters.kMax = k + wideStackMax;
    counters.nextId = this.firstId;
    counters.d = base;
    this.bytesAtStart = limits.bytes;
    this.running = script;
    this.random.seed(seed);
    this.cjson.reset();
    shared.stringMetatable = this.stringMetatable;
    current.coroutine = undefined;
    frames[base] = nativeFrame;
    sites[base] = 0;
    const before = nesting();
    try {
      return values(callWith(callee, args));
    } catch (error) {
      this.errorPlace = innermostPlace();
      throw asFatal(error);
    } finally {
      this.used = { steps: limits.steps - counters.s, bytes: limits.bytes - counters.b };
      unwindTo(before);
      counters.s = s;
      counters.b = b;
      counters.d = d;
      counters.max = max;
      counters.c = c;
      counters.cMax = cMax;
      counters.k = k;
      counters.kMax = kMax;
      counters.t = t;
      counters.nextId = nextId;
      this.running = outerRunning;
      shared.stringMetatable = outerMetatable;
      current.coroutine = outerCoroutine;
    }
  }
}
