/**
 * EVAL and its kin: scripts by their SHA-1, sources as a part of the state, compiled forms as this node's own
 * affair.
 */
import type { ScriptRun, ScriptRunner } from '../command/script-runner.js';
import {
  type CompiledScript,
  compile,
  LuaError,
  LuaFatal,
  type LuaState,
  type LuaUsage,
  type LuaValue,
  unlimited,
} from '../lua/index.js';
import { ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { keyCountOf, listOf } from './call-arguments.js';
import { Functions } from './functions.js';
import { openState } from './redis-library.js';
import type { ScriptSession } from './script-session.js';
import { checkSource, ScriptStore } from './script-store.js';
import { sha1 } from './sha1.js';
import { parseShebang } from './shebang.js';

/** Compiled scripts that this node keeps, and their generated source in all. */
const COMPILED_MAX = 500;
const COMPILED_LENGTH_MAX = 8 * 1024 * 1024;

const noScript = new ErrorReply('NOSCRIPT No matching script. Please use EVAL.');

interface Compiled {
  readonly script: CompiledScript;
  /** What the script says of itself in its first line; undefined where it has none. */
  readonly flags: ReadonlySet<string> | undefined;
}

export class Scripts implements ScriptRunner {
  readonly functions: Functions;
  readonly store = new ScriptStore();
  /** This node's own affair, by SHA-1, the one that has not run for longest first. */
  private readonly compiled = new Map<string, Compiled>();
  private compiledLength = 0;
  private newest = '';
  private state: LuaState | undefined;

  constructor(private readonly session: ScriptSession) {
    this.functions = new Functions(session);
  }

  // ---- the cache ----

  /** SCRIPT LOAD. Throws an error reply for a script that does not compile. */
  load(request: Request, index: number): string {
    checkSource(request.length(index));
    const sha = sha1(request.view(index));
    const source = request.latin1(index);
    this.compile(sha, source);
    this.store.add(sha, source);
    return sha;
  }

  has(sha: string): boolean {
    return this.store.has(sha);
  }

  flush(): void {
    this.store.clear();
    this.compiled.clear();
    this.compiledLength = 0;
    this.newest = '';
  }

  // ---- running ----

  /** What the last script took. */
  get usage(): LuaUsage {
    return this.state?.usage ?? { steps: 0, bytes: 0 };
  }

  /** EVAL and EVAL_RO. */
  evalSource(request: Request, run: ScriptRun): Reply {
    checkSource(request.length(1));
    const keyCount = keyCountOf(request);
    const sha = sha1(request.view(1));
    const source = request.latin1(1);
    const compiled = this.compile(sha, source);
    if (!run.isRead) this.store.add(sha, source);
    return this.execute(sha, compiled, request, keyCount, run);
  }

  /** EVALSHA and EVALSHA_RO. */
  evalSha(request: Request, run: ScriptRun): Reply {
    const keyCount = keyCountOf(request);
    if (request.length(1) !== 40) return noScript;
    const sha = request.latin1(1).toLowerCase();
    const source = this.store.source(sha);
    if (source === undefined) return noScript;
    if (!run.isRead) this.store.touch(sha, source);
    return this.execute(sha, this.compile(sha, source), request, keyCount, run);
  }

  private compile(sha: string, source: string): Compiled {
    const known = this.compiled.get(sha);
    if (known !== undefined) {
      if (sha !== this.newest) {
        this.newest = sha;
        this.compiled.delete(sha);
        this.compiled.set(sha, known);
      }
      return known;
    }
    const shebang = parseShebang(source);
    let script: CompiledScript;
    try {
      script = compile(shebang === undefined ? source : source.slice(shebang.codeStart), {
        chunkName: 'user_script',
      });
    } catch (error) {
      if (!(error instanceof LuaError || error instanceof LuaFatal)) throw error;
      throw new ErrorReply(`ERR Error compiling script (new function): ${error.message}`);
    }
    const compiled = { script, flags: shebang?.flags };
    this.keep(sha, compiled);
    return compiled;
  }

  private keep(sha: string, compiled: Compiled): void {
    this.newest = sha;
    this.compiled.set(sha, compiled);
    this.compiledLength += compiled.script.generatedLength;
    for (const [oldest, { script }] of this.compiled) {
      if (this.compiled.size <= COMPILED_MAX && this.compiledLength <= COMPILED_LENGTH_MAX) break;
      this.compiled.delete(oldest);
      this.compiledLength -= script.generatedLength;
    }
  }

  private execute(
    sha: string,
    { script, flags }: Compiled,
    request: Request,
    keyCount: number,
    run: ScriptRun,
  ): Reply {
    this.state ??= openState(this.session);
    const { state } = this;
    const setGlobals = (keys: LuaValue, args: LuaValue): void => {
      state.globals.set('KEYS', keys);
      state.globals.set('ARGV', args);
    };
    unlimited(() => {
      setGlobals(listOf(request, 3, 3 + keyCount), listOf(request, 3 + keyCount, request.count));
    });
    try {
      return this.session.execute(
        { name: sha, flags, state, run: (limits) => state.run(script, [], { limits, seed: run.seed }) },
        run,
      );
    } finally {
      setGlobals(undefined, undefined);
    }
  }
}
