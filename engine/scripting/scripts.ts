/**
 * Runs scripts: their sources by SHA-1, their compiled forms, and the commands that they call. One script runs at a time, to its end, at
 * its place in the log or on the read path.
 */
import type { Denial } from '../acl/permissions.js';
import type { Command } from '../command/command.js';
import type { CommandTable, Runnable } from '../command/command-table.js';
import type { ScriptRun, ScriptRunner } from '../command/script-runner.js';
import type { Arguments } from '../lua/index.js';
import {
  type CompiledScript,
  chargeSteps,
  compile,
  LuaError,
  LuaFatal,
  type LuaState,
  LuaTable,
  type LuaUsage,
  type LuaValue,
  unlimited,
} from '../lua/index.js';
import { errors } from '../protocol/errors.js';
import { ErrorReply, OK, type Reply } from '../protocol/reply.js';
import { type Request, RequestBuilder } from '../protocol/request.js';
import type { Keyspace } from '../storage/keyspace.js';
import { formatArgument } from './arguments.js';
import { CommandWork } from './command-work.js';
import { errorTable, fromLua, type ScriptProtocol, toLua } from './conversion.js';
import { answerProgramCommand, hasRightArity, isForbidden } from './program-commands.js';
import { openState, type ScriptCalls } from './redis-library.js';
import { type ScriptCaller, unboundedCaller } from './script-caller.js';
import { checkSource, ScriptStore } from './script-store.js';
import { sha1 } from './sha1.js';
import { parseShebang } from './shebang.js';

/** The engine, as scripts need it. */
export interface ScriptHost {
  readonly table: CommandTable;
  /** Runs a command of the engine as a part of the item at hand, which does not block. */
  runForScript(row: Runnable, request: Request, database: number, isRead: boolean): Reply;
  /** Its count of mutations grows with what commands do to the state. */
  readonly keyspace: Keyspace;
  select(request: Request): number | ErrorReply;
  /** For whom the script that begins now runs. */
  scriptCaller(isRead: boolean): ScriptCaller;
}

/** Bounds of a script besides its steps, which are a setting. */
const scriptLimits = { bytes: 256 * 1024 * 1024, depth: 1_000, nativeDepth: 198 };

/** Each change of the keyspace that a command makes. */
const stepsPerMutation = 5;

/** Compiled scripts that this node keeps, and their generated source in all. */
const COMPILED_MAX = 500;
const COMPILED_LENGTH_MAX = 8 * 1024 * 1024;

const scriptErrors = {
  noScript: new ErrorReply('NOSCRIPT No matching script. Please use EVAL.'),
  keyCountNegative: new ErrorReply("ERR Number of keys can't be negative"),
  keyCountTooLarge: new ErrorReply("ERR Number of keys can't be greater than number of args"),
  writeFlag: new ErrorReply('ERR Can not execute a script with write flag using *_ro command.'),
  unknown: 'ERR Unknown Redis command called from script',
  arity: 'ERR Wrong number of args calling Redis command from script',
  notAllowed: 'ERR This Redis command is not allowed from script',
  write: 'ERR Write commands are not allowed from read-only scripts.',
  noArguments: 'ERR Please specify at least one argument for this redis lib call',
  argumentType: 'ERR Lua redis lib command arguments must be strings or integers',
};

/** What a script is told that its caller may not do. */
function deniedText(reason: Denial['reason']): string {
  const begin = "ERR The user executing the script can't";
  switch (reason) {
    case 'command':
      return `${begin} run this command or subcommand`;
    case 'key':
      return `${begin} access at least one of the keys mentioned in the command arguments`;
    case 'channel':
      return `${begin} publish to the channel mentioned in the command`;
  }
}

/** Access times and counts are no state: what a script does may not follow from them. */
const answersOfOneNode: ReadonlySet<string> = new Set(['object|freq', 'object|idletime']);

interface Compiled {
  readonly script: CompiledScript;
  /** What the script says of itself in its first line; undefined where it has none. */
  readonly flags: ReadonlySet<string> | undefined;
}

export class Scripts implements ScriptCalls, ScriptRunner {
  readonly store = new ScriptStore();
  /** This node's own affair, by SHA-1, the one that has not run for longest first. */
  private readonly compiled = new Map<string, Compiled>();
  private compiledLength = 0;
  private state: LuaState | undefined;
  private readonly work = new CommandWork();
  private readonly builder = new RequestBuilder();
  private readonly writeIds: ReadonlySet<number>;
  // Of the script that runs.
  private run: ScriptRun | undefined;
  private caller: ScriptCaller = unboundedCaller;
  private readOnly = false;
  private allowsOutOfMemory = false;
  /** Whether it has called a write: from then on memory is no reason to stop it halfway. */
  private hasWritten = false;
  private database = 0;
  private protocol: ScriptProtocol = 2;
  private faults: unknown[] = [];

  constructor(private readonly host: ScriptHost) {
    this.writeIds = new Set(writeIds(host.table.commands));
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
    if (request.length(1) !== 40) return scriptErrors.noScript;
    const sha = request.latin1(1).toLowerCase();
    const source = this.store.source(sha);
    if (source === undefined) return scriptErrors.noScript;
    if (!run.isRead) this.store.touch(sha, source);
    return this.execute(sha, this.compile(sha, source), request, keyCount, run);
  }

  private compile(sha: string, source: string): Compiled {
    const known = this.compiled.get(sha);
    if (known !== undefined) {
      this.compiled.delete(sha);
      this.compiled.set(sha, known);
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
    const noWrites = flags?.has('no-writes');
    this.caller = this.host.scriptCaller(run.isRead);
    const allowsOutOfMemory = flags?.has('allow-oom') === true || noWrites === true;
    if (flags !== undefined && !allowsOutOfMemory && this.caller.memoryIsFull) return errors.outOfMemory;
    if (run.isRead && noWrites === false) return scriptErrors.writeFlag;
    this.allowsOutOfMemory = allowsOutOfMemory;
    this.hasWritten = false;
    this.state ??= openState(this);
    const { state } = this;
    this.run = run;
    this.readOnly = run.isRead || noWrites === true;
    this.database = run.database;
    this.protocol = 2;
    this.faults = [];
    unlimited(() => {
      state.globals.set('KEYS', listOf(request, 3, 3 + keyCount));
      state.globals.set('ARGV', listOf(request, 3 + keyCount, request.count));
    });
    const limits = { ...scriptLimits, steps: this.host.keyspace.settings['lua-step-limit'] };
    try {
      const [result] = state.run(script, [], { limits, seed: run.seed });
      return unlimited(() => fromLua(result, this.protocol));
    } catch (error) {
      if (this.faults.length > 0) throw this.faults[0];
      if (error instanceof LuaError) return this.errorReply(sha, error.value);
      if (error instanceof LuaFatal) return new ErrorReply(`ERR ${error.message} script: ${sha}.`);
      throw error;
    } finally {
      this.run = undefined;
      state.globals.set('KEYS', undefined);
      state.globals.set('ARGV', undefined);
    }
  }

  /** An error that no pcall caught, with the place that it came from. */
  private errorReply(sha: string, value: LuaValue): ErrorReply {
    let text: string;
    if (value instanceof LuaTable) {
      const error = value.get('err');
      text = typeof error === 'string' ? error : 'ERR unknown error';
    } else {
      text = `ERR ${typeof value === 'string' ? value : String(value ?? 'nil')}`;
    }
    const place = this.state?.errorPlace;
    const where = place === undefined ? '' : `, on @${place.chunkName}:${place.line}`;
    return new ErrorReply(`${text} script: ${sha}${where}.`.replace(/[\r\n]/g, ' '));
  }

  // ---- what scripts call ----

  setProtocol(protocol: ScriptProtocol): void {
    this.protocol = protocol;
  }

  mayRun(args: Arguments): boolean | undefined {
    const request = this.requestOf(args);
    if (request === undefined) return undefined;
    const name = request.latin1(0).toLowerCase();
    const row = this.host.table.resolve(request);
    const { permissions } = this.caller;
    if (!(row instanceof ErrorReply)) return permissions.deny(row.name, request) === undefined;
    const isKnown =
      this.host.table.lookup(name) !== undefined ||
      hasRightArity(name, request.count) !== undefined ||
      isForbidden(name);
    return isKnown ? permissions.deny(name, request) === undefined : undefined;
  }

  command(args: Arguments): LuaValue {
    if (args.length === 0) return errorTable(scriptErrors.noArguments);
    const request = this.requestOf(args);
    if (request === undefined) return errorTable(scriptErrors.argumentType);
    const { mutations } = this.host.keyspace;
    let reply: Reply;
    try {
      reply = this.dispatch(request);
    } catch (error) {
      if (error instanceof LuaFatal) throw error;
      // A fault of the engine is none of the script's: no pcall of its may swallow it.
      this.faults.push(error);
      throw new LuaFatal('host', 'a command failed');
    }
    chargeSteps((this.host.keyspace.mutations - mutations) * stepsPerMutation);
    try {
      return toLua(reply, this.protocol);
    } catch (error) {
      if (error instanceof ErrorReply) return errorTable(error.text);
      throw error;
    }
  }

  private requestOf(args: Arguments): Request | undefined {
    this.builder.start();
    for (const arg of args) {
      if (typeof arg === 'string') this.builder.latin1(arg);
      else if (typeof arg === 'number') this.builder.latin1(formatArgument(arg));
      else return undefined;
    }
    return this.builder.request;
  }

  private dispatch(request: Request): Reply {
    const { host } = this;
    const run = this.run!;
    const row = host.table.resolve(request);
    if (row instanceof ErrorReply) return this.programCommand(row, request, run);
    const refusal = this.refusal(row, request);
    if (refusal !== undefined) return this.refused(refusal, request);
    this.hasWritten ||= this.writeIds.has(row.id);
    this.caller.audience?.called(request, this.database);
    const database = host.keyspace.database(this.database);
    chargeSteps(this.work.before(row, request, database));
    const reply = host.runForScript(row, request, this.database, run.isRead);
    const more = this.work.after(row, request, database);
    if (more > 0) chargeSteps(more);
    return reply;
  }

  /** Why the script's caller may not run a command. */
  private denial(name: string, request: Request): ErrorReply | undefined {
    const { permissions, audience } = this.caller;
    if (permissions.isUnlimited) return undefined;
    const denial = permissions.deny(name, request);
    if (denial === undefined) return permissions.denyPatterns(name, request);
    audience?.denied(name, denial, request);
    return new ErrorReply(deniedText(denial.reason));
  }

  private refused(refusal: ErrorReply, request: Request): ErrorReply {
    chargeSteps(CommandWork.ofCall(request));
    return refusal;
  }

  /** Why the script may not run a command; undefined if it may. Who may run what is judged here and nowhere else. */
  private refusal(row: Runnable, request: Request): ErrorReply | undefined {
    if (row.kind === 'other' || row.flags?.includes('noscript') === true)
      return new ErrorReply(scriptErrors.notAllowed);
    if (this.run?.isRead === false && answersOfOneNode.has(row.name))
      return new ErrorReply(scriptErrors.notAllowed);
    const denial = this.denial(row.name, request);
    if (denial !== undefined) return denial;
    if (this.readOnly && this.writeIds.has(row.id)) return new ErrorReply(scriptErrors.write);
    if (row.denyOutOfMemory && this.caller.memoryIsFull && !this.allowsOutOfMemory && !this.hasWritten)
      return errors.outOfMemory;
    if (row.kind === 'read' && row.wait?.mayWait(request) === true)
      return new ErrorReply(`ERR ${row.name} command is not allowed with BLOCK option from scripts`);
    return undefined;
  }

  private programCommand(unresolved: ErrorReply, request: Request, run: ScriptRun): Reply {
    chargeSteps(CommandWork.ofCall(request));
    const name = request.latin1(0).toLowerCase();
    const fits = hasRightArity(name, request.count);
    if (fits === false) return new ErrorReply(scriptErrors.arity);
    if (fits === true) {
      const denial = this.denial(name, request);
      if (denial !== undefined) return denial;
      this.caller.audience?.called(request, this.database);
      if (name !== 'select') return answerProgramCommand(name, request, run.timeMs);
      const selected = this.host.select(request);
      if (typeof selected !== 'number') return selected;
      this.database = selected;
      return OK;
    }
    if (isForbidden(name)) return new ErrorReply(scriptErrors.notAllowed);
    const isArity = unresolved.text.startsWith('ERR wrong number of arguments');
    return new ErrorReply(isArity ? scriptErrors.arity : scriptErrors.unknown);
  }
}

function keyCountOf(request: Request): number {
  const count = request.int64(2);
  if (count > request.count - 3) throw scriptErrors.keyCountTooLarge;
  if (count < 0) throw scriptErrors.keyCountNegative;
  return Number(count);
}

function listOf(request: Request, from: number, to: number): LuaTable {
  const table = new LuaTable();
  for (let i = from; i < to; i++) table.setNumber(i - from + 1, request.latin1(i));
  return table;
}

function* writeIds(commands: readonly Command[]): Generator<number> {
  for (const command of commands) {
    if (command.kind === 'container') yield* writeIds(command.subcommands);
    else if (command.kind === 'write') yield command.id;
  }
}
