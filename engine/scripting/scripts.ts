/**
 * EVAL and its kin: scripts by their SHA-1, sources as a part of the state, compiled forms as this node's own
 * affair.
 */
import type { Runnable } from '../command/command-table.js';
import type { ScriptRun, ScriptRunner } from '../command/script-runner.js';
import {
  type CompiledScript,
  checkSyntax,
  compile,
  hashString,
  LuaError,
  LuaFatal,
  type LuaState,
  type LuaUsage,
  unlimited,
} from '../lua/index.js';
import { ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { keyCountOf, listOf } from './call-arguments.js';
import { CompiledScripts } from './compiled-scripts.js';
import { Functions } from './functions.js';
import { openState } from './redis-library.js';
import type { ScriptSession } from './script-session.js';
import { checkSource, ScriptStore, SOURCE_BYTES_MAX } from './script-store.js';
import { sha1 } from './sha1.js';
import { parseShebang, type Shebang } from './shebang.js';

/** Sources whose SHA-1 is remembered: at most so many, none longer than this. */
const RECENT_MAX = 16;
const RECENT_LENGTH_MAX = 64 * 1024;

/** What errors call every script. */
const CHUNK_NAME = 'user_script';

const HASH = 0x23;
const BANG = 0x21;

const noScript = new ErrorReply('NOSCRIPT No matching script. Please use EVAL.');

const SHA_LENGTH = 40;
const keysHash = hashString('KEYS');
const argvHash = hashString('ARGV');
/** Of a request whose arguments stay in reach until the next script. */
const KEPT_BYTES_MAX = 4096;

interface Compiled {
  readonly script: CompiledScript;
  /** What the script says of itself in its first line; undefined where it has none. */
  readonly flags: ReadonlySet<string> | undefined;
}

/** A script's text (latin1) and its SHA-1. */
interface Source {
  readonly text: string;
  readonly sha: string;
}

export class Scripts implements ScriptRunner {
  readonly functions: Functions;
  readonly store = new ScriptStore();
  private readonly compiled = new CompiledScripts<Compiled>();
  /** By the lowest bits of their length: EVAL gives the same sources again and again. */
  private readonly recent: (Source | undefined)[] = new Array<Source | undefined>(RECENT_MAX).fill(undefined);
  /** By two of their digits: EVALSHA gives the same ones again and again. */
  private readonly recentShas: (string | undefined)[] = new Array<string | undefined>(RECENT_MAX).fill(
    undefined,
  );
  private state: LuaState | undefined;

  constructor(private readonly session: ScriptSession) {
    this.functions = new Functions(session);
  }

  // ---- the cache ----

  /** SCRIPT LOAD. Throws an error reply for a script that does not compile. */
  load(request: Request, index: number): string {
    const { sha, text } = this.sourceOf(request, index);
    if (!this.store.has(sha)) {
      const shebang = parseShebang(text);
      compiling(() => checkSyntax(codeOf(text, shebang), CHUNK_NAME));
    }
    this.store.add(sha, text);
    return sha;
  }

  has(sha: string): boolean {
    return this.store.has(sha);
  }

  flush(): void {
    this.store.clear();
    this.compiled.clear();
    this.recent.fill(undefined);
  }

  // ---- running ----

  /** Whether a command that has just run has failed: a script does, too, by an error within its reply. */
  hasFailed(row: Runnable, reply: Reply): boolean {
    return reply instanceof ErrorReply || (row.runsScripts && this.session.hasErrorWithin);
  }

  /** What the last script took. */
  get usage(): LuaUsage {
    return this.state?.usage ?? { steps: 0, bytes: 0 };
  }

  /** EVAL and EVAL_RO. */
  evalSource(request: Request, run: ScriptRun): Reply {
    checkSource(request.length(1));
    const keyCount = keyCountOf(request);
    const { sha, text } = this.sourceOf(request, 1);
    const compiled = this.compile(sha, text);
    if (!run.isRead) this.store.add(sha, text);
    return this.execute(sha, compiled, request, keyCount, run);
  }

  /** EVALSHA and EVALSHA_RO. */
  evalSha(request: Request, run: ScriptRun): Reply {
    const keyCount = keyCountOf(request);
    if (request.length(1) !== SHA_LENGTH) return noScript;
    const sha = this.shaOf(request);
    const source = this.store.source(sha);
    if (source === undefined) return noScript;
    if (!run.isRead) this.store.touch(sha, source);
    return this.execute(sha, this.compile(sha, source), request, keyCount, run);
  }

  /** Whether EVAL of a request runs a script that the cache knows, and that says it does not write. */
  evalIsRead(request: Request): boolean {
    const start = request.offsets[2];
    const { buffer } = request;
    if (buffer[start] !== HASH || buffer[start + 1] !== BANG || request.length(1) > SOURCE_BYTES_MAX)
      return false;
    return writesNothing(request.latin1(1)) && this.store.has(this.sourceOf(request, 1).sha);
  }

  /** The same of EVALSHA. */
  evalShaIsRead(request: Request): boolean {
    if (request.length(1) !== SHA_LENGTH) return false;
    const text = this.store.source(this.shaOf(request));
    return text !== undefined && writesNothing(text);
  }

  /**
   * The SHA-1 that a request names, as the text of an earlier one where that is the same: V8 knows its hash
   * by then.
   */
  private shaOf(request: Request): string {
    const { buffer } = request;
    const start = request.offsets[2];
    const place = (buffer[start] ^ (buffer[start + 1] << 3)) & (RECENT_MAX - 1);
    const known = this.recentShas[place];
    if (known !== undefined && isTextAt(known, buffer, start)) return known;
    const sha = request.latin1(1).toLowerCase();
    this.recentShas[place] = sha;
    return sha;
  }

  private sourceOf(request: Request, index: number): Source {
    checkSource(request.length(index));
    const text = request.latin1(index);
    const place = text.length & (RECENT_MAX - 1);
    const known = this.recent[place];
    if (known?.text === text) return known;
    const source = { text, sha: sha1(request.view(index)) };
    if (text.length <= RECENT_LENGTH_MAX) this.recent[place] = source;
    return source;
  }

  private compile(sha: string, source: string): Compiled {
    const known = this.compiled.get(sha);
    if (known !== undefined) return known;
    const shebang = parseShebang(source);
    const script = compiling(() => compile(codeOf(source, shebang), { chunkName: CHUNK_NAME }));
    return this.compiled.add(sha, { script, flags: shebang?.flags });
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
    const { globals } = state;
    unlimited(() => {
      globals.setString('KEYS', keysHash, listOf(request, 3, 3 + keyCount));
      globals.setString('ARGV', argvHash, listOf(request, 3 + keyCount, request.count));
    });
    // The next script gives them others; until then little of them may stay.
    const areLarge = request.byteLength > KEPT_BYTES_MAX;
    try {
      return this.session.execute(
        { name: sha, flags, state, run: (limits) => state.run(script, [], { limits, seed: run.seed }) },
        run,
      );
    } finally {
      if (areLarge) {
        globals.setString('KEYS', keysHash, undefined);
        globals.setString('ARGV', argvHash, undefined);
      }
    }
  }
}

/** Whether the bytes at `start` are a text's, none of which is beyond ASCII. */
function isTextAt(text: string, buffer: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (buffer[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

function codeOf(source: string, shebang: Shebang | undefined): string {
  return shebang === undefined ? source : source.slice(shebang.codeStart);
}

/** @throws ErrorReply for what does not compile */
function compiling<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LuaError || error instanceof LuaFatal)) throw error;
    throw new ErrorReply(`ERR Error compiling script (new function): ${error.message}`);
  }
}

/** Whether a script says in its first line that it does not write. */
function writesNothing(source: string): boolean {
  if (!source.startsWith('#!')) return false;
  try {
    return parseShebang(source)?.flags.has('no-writes') === true;
  } catch (error) {
    if (error instanceof ErrorReply) return false;
    throw error;
  }
}
