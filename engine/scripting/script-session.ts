/**
 * One script or function at a time: for whom it runs, what it may take, the commands that it calls, and what
 * becomes of what it returns or of its error.
 */
import type { Denial } from '../acl/permissions.js';
import type { Command } from '../command/command.js';
import type { CommandTable, Runnable } from '../command/command-table.js';
import type { ScriptRun } from '../command/script-runner.js';
import type { CommandWatch } from '../command-watch.js';
import {
  type Arguments,
  chargeSteps,
  LuaError,
  LuaFatal,
  type LuaLimits,
  type LuaState,
  LuaTable,
  type LuaValue,
  unlimited,
} from '../lua/index.js';
import { errors } from '../protocol/errors.js';
import { ErrorReply, OK, type Reply } from '../protocol/reply.js';
import { type Request, RequestBuilder } from '../protocol/request.js';
import type { Keyspace } from '../storage/keyspace.js';
import { formatArgument } from './arguments.js';
import { CommandWork } from './command-work.js';
import { errorTable, fieldTable, fromLua, isRepeated, type ScriptProtocol, toLua } from './conversion.js';
import { answerProgramCommand, forbiddenTakes, hasRightArity, isForbidden } from './program-commands.js';
import type { ScriptCalls } from './redis-library.js';
import { type ScriptCaller, unboundedCaller } from './script-caller.js';

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
export const scriptLimits = { bytes: 256 * 1024 * 1024, depth: 1_000, nativeDepth: 198 };

/** Each change of the keyspace that a command makes. */
const stepsPerMutation = 5;

export const writeFlag = new ErrorReply('ERR Can not execute a script with write flag using *_ro command.');

const scriptErrors = {
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

/** Bits of what scripts have to know of a command. */
const Trait = { notAllowed: 1, ofOneNode: 2, writes: 4 } as const;

/** What runs, as its author declares it. */
export interface Runnables {
  /** What errors call it: a SHA-1, or a function's name. */
  readonly name: string;
  /** What it says of itself; undefined where it says nothing at all. */
  readonly flags: ReadonlySet<string> | undefined;
  readonly state: LuaState;
  /** Runs it within limits. */
  run(limits: LuaLimits): LuaValue[];
}

export class ScriptSession implements ScriptCalls {
  private readonly work = new CommandWork();
  private readonly builder = new RequestBuilder();
  /** What is known of a command whatever it is asked, by its row's id: see {@link Trait}. */
  private readonly traits: Uint8Array;
  /** Whether the last script's reply holds an error and is none. */
  hasErrorWithin = false;
  // Of the script that runs.
  private run: ScriptRun | undefined;
  private caller: ScriptCaller = unboundedCaller;
  private readOnly = false;
  private allowsOutOfMemory = false;
  /** Whether it has called a write: from then on memory is no reason to stop it halfway. */
  private hasWritten = false;
  private database = 0;
  private protocol: ScriptProtocol = 2;
  private readonly faults: unknown[] = [];
  private knownLimits: LuaLimits = { ...scriptLimits, steps: 0 };

  constructor(private readonly host: ScriptHost) {
    const rows = [...runnables(host.table.commands)];
    this.traits = new Uint8Array(1 + Math.max(...rows.map(({ id }) => id)));
    for (const row of rows) this.traits[row.id] = traitsOf(row);
  }

  private limits(): LuaLimits {
    const steps = this.host.keyspace.settings['lua-step-limit'];
    if (this.knownLimits.steps !== steps) this.knownLimits = { ...scriptLimits, steps };
    return this.knownLimits;
  }

  /** Runs a script or function to its end. */
  execute({ name, flags, state, run: start }: Runnables, run: ScriptRun): Reply {
    const noWrites = flags?.has('no-writes');
    this.caller = this.host.scriptCaller(run.isRead);
    const allowsOutOfMemory = flags?.has('allow-oom') === true || noWrites === true;
    if (flags !== undefined && !allowsOutOfMemory && this.caller.memoryIsFull) return errors.outOfMemory;
    if (run.isRead && noWrites === false) return writeFlag;
    this.allowsOutOfMemory = allowsOutOfMemory;
    this.hasWritten = false;
    this.run = run;
    this.readOnly = run.isRead || noWrites === true;
    this.database = run.database;
    this.protocol = 2;
    this.hasErrorWithin = false;
    if (this.faults.length > 0) this.faults.length = 0;
    try {
      const [result] = start(this.limits());
      return unlimited(() => fromLua(result, this.protocol, this.foundError));
    } catch (error) {
      if (this.faults.length > 0) throw this.faults[0];
      if (error instanceof LuaError) return this.errorReply(name, error.value, state);
      if (error instanceof LuaFatal) return new ErrorReply(`ERR ${error.message} script: ${name}.`);
      throw error;
    } finally {
      this.run = undefined;
      this.caller = unboundedCaller;
    }
  }

  /** Counts an error within the reply, as Redis does, but for one that was counted where it arose. */
  private readonly foundError = (error: ErrorReply): void => {
    this.hasErrorWithin = true;
    if (!error.isCounted) this.caller.watch?.scriptedError(error, undefined);
  };

  /** An error that no pcall caught, with the place that it came from. */
  private errorReply(name: string, value: LuaValue, state: LuaState): ErrorReply {
    let text: string;
    let isCounted = false;
    if (value instanceof LuaTable) {
      isCounted = isRepeated(value);
      const error = value.get('err');
      text = typeof error === 'string' ? error : 'ERR unknown error';
    } else {
      text = `ERR ${typeof value === 'string' ? value : String(value ?? 'nil')}`;
    }
    const place = state.errorPlace;
    const where = place === undefined ? '' : `, on @${place.chunkName}:${place.line}`;
    return new ErrorReply(`${text} script: ${name}${where}.`.replace(/[\r\n]/g, ' '), isCounted);
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
    if (args.length === 0) return fieldTable('err', scriptErrors.noArguments);
    const request = this.requestOf(args);
    if (request === undefined) return fieldTable('err', scriptErrors.argumentType);
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
    if (refusal !== undefined) {
      this.caller.watch?.scriptedError(refusal, row);
      return this.refused(refusal, request);
    }
    if ((this.traits[row.id] & Trait.writes) !== 0) this.hasWritten = true;
    this.caller.audience?.called(request, this.database, row);
    const database = host.keyspace.database(this.database);
    chargeSteps(this.work.before(row, request, database));
    const { watch } = this.caller;
    const began = watch === undefined ? 0 : this.beginWatched(watch, row, request);
    const reply = host.runForScript(row, request, this.database, run.isRead);
    if (watch !== undefined) this.endWatched(watch, row, request, reply, began);
    const more = this.work.after(row, request, database);
    if (more > 0) chargeSteps(more);
    return reply;
  }

  private beginWatched(watch: CommandWatch, row: Runnable, request: Request): number {
    watch.scripted(row);
    return watch.begin(row, request);
  }

  private endWatched(
    watch: CommandWatch,
    row: Runnable,
    request: Request,
    reply: Reply,
    began: number,
  ): void {
    if (reply instanceof ErrorReply) {
      watch.failed(row);
      watch.scriptedError(reply, undefined);
    }
    if (began !== 0) watch.ended(row, request, undefined, began);
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

  /**
   * Why the script may not run a command; undefined if it may. Who may run what is judged here and nowhere
   * else.
   */
  private refusal(row: Runnable, request: Request): ErrorReply | undefined {
    const traits = this.traits[row.id];
    if ((traits & Trait.notAllowed) !== 0) return new ErrorReply(scriptErrors.notAllowed);
    if ((traits & Trait.ofOneNode) !== 0 && this.run?.isRead === false)
      return new ErrorReply(scriptErrors.notAllowed);
    const denial = this.denial(row.name, request);
    if (denial !== undefined) return denial;
    if (this.readOnly && (traits & Trait.writes) !== 0) return new ErrorReply(scriptErrors.write);
    if (row.denyOutOfMemory && this.caller.memoryIsFull && !this.allowsOutOfMemory && !this.hasWritten)
      return errors.outOfMemory;
    if (row.kind === 'read' && row.wait?.mayWait(request) === true)
      return new ErrorReply(`ERR ${row.name} command is not allowed with BLOCK option from scripts`);
    return undefined;
  }

  private programCommand(unresolved: ErrorReply, request: Request, run: ScriptRun): Reply {
    chargeSteps(CommandWork.ofCall(request));
    const name = request.latin1(0).toLowerCase();
    const { audience, watch } = this.caller;
    const refusal = this.programRefusal(unresolved, name, request);
    if (refusal !== undefined) {
      watch?.scriptedError(refusal, this.host.table.named(request) ?? watch.programRow(name));
      return refusal;
    }
    audience?.called(request, this.database);
    const row = watch?.programRow(name);
    if (watch === undefined || row === undefined) return this.answerProgram(name, request, run);
    const began = this.beginWatched(watch, row, request);
    const reply = this.answerProgram(name, request, run);
    this.endWatched(watch, row, request, reply, began);
    return reply;
  }

  private answerProgram(name: string, request: Request, run: ScriptRun): Reply {
    if (name !== 'select') return answerProgramCommand(name, request, run.timeMs);
    const selected = this.host.select(request);
    if (typeof selected !== 'number') return selected;
    this.database = selected;
    return OK;
  }

  private programRefusal(unresolved: ErrorReply, name: string, request: Request): ErrorReply | undefined {
    const fits = hasRightArity(name, request.count);
    if (fits === true) return this.denial(name, request);
    if (fits === false) return new ErrorReply(scriptErrors.arity);
    if (isForbidden(name))
      return new ErrorReply(
        forbiddenTakes(name, request.count) ? scriptErrors.notAllowed : scriptErrors.arity,
      );
    const isArity = unresolved.text.startsWith('ERR wrong number of arguments');
    return new ErrorReply(isArity ? scriptErrors.arity : scriptErrors.unknown);
  }
}

function traitsOf(row: Runnable): number {
  const isRefused = row.kind === 'other' || row.flags?.includes('noscript') === true;
  return (
    (isRefused ? Trait.notAllowed : 0) |
    (answersOfOneNode.has(row.name) ? Trait.ofOneNode : 0) |
    (row.kind === 'write' ? Trait.writes : 0)
  );
}

function* runnables(commands: readonly Command[]): Generator<Runnable> {
  for (const command of commands) {
    if (command.kind !== 'container') yield command;
    else {
      if (command.alone !== undefined) yield command.alone;
      yield* runnables(command.subcommands);
    }
  }
}
