/** From Lua source to a script that can run: parser in front, V8's compiler behind. */
import { Chunk } from '../chunk.js';
import { LuaError, LuaFatal } from '../errors.js';
import { type ParsedChunk, Parser } from '../parser.js';
import { runtime } from '../runtime/index.js';
import type { LuaTable } from '../table.js';
import type { LuaFunction } from '../value.js';
import { SiteList } from './site-list.js';
import { compileFunction } from './statements.js';

/**
 * Names through which a script can reach coroutines: one that names none of them is compiled to plain
 * functions.
 */
const coroutineNames = ['coroutine', '_G', 'load', 'loadstring'];

/** A compiled script. Making a function of it is cheap: each run may have its own. */
export interface CompiledScript {
  /** Makes the chunk's function, with the table of its globals. */
  instantiate(globals: LuaTable): LuaFunction;
  readonly chunk: Chunk;
  /** Length of the generated source: what keeping the script costs is some multiple of it. */
  readonly generatedLength: number;
  /** Whether its functions are generators. */
  readonly usesCoroutines: boolean;
}

/** Options of {@link compile}. */
export interface CompileOptions {
  /** How messages name the source: `user_script`. */
  chunkName: string;
  /** Generators, whatever the source names: for code that a script with coroutines loads. */
  coroutines?: boolean;
}

/**
 * Compiles Lua source.
 * @param source char codes 0 to 255, one a byte
 * @throws LuaError as 5.1's compiler words it; LuaFatal when JavaScript may not compile code here
 */
export function compile(source: string, options: CompileOptions): CompiledScript {
  const { chunkName } = options;
  const parsed = guardStack(() => parse(source, chunkName), chunkName);
  const usesCoroutines = options.coroutines ?? coroutineNames.some((name) => parsed.globals.has(name));
  const generated = guardStack(() => generate(parsed, usesCoroutines), chunkName);
  const chunk = new Chunk(chunkName, generated.sites);
  const bind = guardStack(() => evaluate(generated.source), chunkName)(runtime, chunk);
  return bindable(bind, chunk, generated.source.length, usesCoroutines);
}

/**
 * Checks source as {@link compile} does, in a third of its time.
 * @throws LuaError as 5.1's compiler words it
 */
export function checkSyntax(source: string, chunkName: string): void {
  guardStack(() => parse(source, chunkName), chunkName);
}

function parse(source: string, chunkName: string): ParsedChunk {
  if (source.charCodeAt(0) === 27) throw new LuaError(`${chunkName}: bad code`);
  return new Parser(source, chunkName).parse();
}

/**
 * Made apart: a closure inside `compile` would keep the syntax tree and the source that are in reach there.
 */
function bindable(
  bind: ReturnType<Factory>,
  chunk: Chunk,
  generatedLength: number,
  usesCoroutines: boolean,
): CompiledScript {
  let bound: LuaTable | undefined;
  let make!: () => LuaFunction;
  return {
    instantiate: (globals) => {
      if (bound !== globals) {
        make = bind(globals);
        bound = globals;
      }
      return make();
    },
    chunk,
    generatedLength,
    usesCoroutines,
  };
}

type Factory = (names: typeof runtime, chunk: Chunk) => (globals: LuaTable) => () => LuaFunction;

/** The JavaScript source of a parsed chunk: a function's body that returns the chunk's function. */
function generate(parsed: ParsedChunk, isGenerator: boolean): { source: string; sites: string } {
  const sites = new SiteList();
  const main = compileFunction(parsed.main, sites, isGenerator);
  // Functions in parentheses: V8 reads them once, where it would skim through others first, at every level.
  const source = `"use strict";const {${Object.keys(runtime).join(',')}}=R;return(function(G){return(function(){return ${main}})});`;
  return { source, sites: sites.encode() };
}

function evaluate(source: string): Factory {
  try {
    return new Function('R', 'K', source) as Factory;
  } catch (error) {
    if (error instanceof EvalError) {
      throw new LuaFatal(
        'host',
        'scripts need code generation from strings, which is forbidden here (a content security policy, or --disallow-code-generation-from-strings)',
      );
    }
    throw error;
  }
}

/**
 * The parser's limits keep recursion shallow; a caller that has used up the stack gets an error, not a crash.
 */
function guardStack<Result>(work: () => Result, chunkName: string): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError)
      throw new LuaFatal('stack', `${chunkName}: no stack left to compile the script`);
    throw error;
  }
}
