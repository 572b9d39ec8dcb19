/**
 * Libraries of functions. Their sources are state; what they register follows from running them, which no
 * time, chance or key has a part in. A library is run anew for each call: what its functions leave in
 * variables beside them is gone with the call, as it must be where nodes come and go.
 */
import type { FunctionRunner, LibraryInfo, ScriptRun } from '../command/script-runner.js';
import { Corruption, isIntactDump, RdbReader } from '../dump/rdb-reader.js';
import { footerSize } from '../dump/rdb-types.js';
import { RdbWriter } from '../dump/rdb-writer.js';
import {
  asNative,
  type CompiledScript,
  compile,
  fail,
  LuaError,
  LuaFatal,
  type LuaLimits,
  type LuaState,
  LuaTable,
  type LuaValue,
  unlimited,
} from '../lua/index.js';
import { ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import { keyCountOf, listOf } from './call-arguments.js';
import { CompiledScripts } from './compiled-scripts.js';
import { fieldTable } from './conversion.js';
import { parseLibrary } from './library-metadata.js';
import { addLoadLibrary, openFunctionState } from './redis-library.js';
import { type RegisteredFunction, registerFunction } from './registration.js';
import { type ScriptSession, scriptLimits } from './script-session.js';
import { checkSource } from './script-store.js';

/** What all sources may take together. */
const ALL_SOURCES_BYTES_MAX = 16 * 1024 * 1024;

/** What loading may take: no setting, since a snapshot must load what the cluster has loaded before. */
const loadLimits: LuaLimits = { ...scriptLimits, steps: 5_000_000 };

/** Marks a library in a payload. */
const LIBRARY_OPCODE = 245;

const replies = {
  notFound: new ErrorReply('ERR Function not found'),
  badKeyCount: new ErrorReply('ERR Bad number of keys provided'),
  nothingRegistered: new ErrorReply('ERR No functions registered'),
  tooMuch: new ErrorReply(`ERR libraries take at most ${ALL_SOURCES_BYTES_MAX} bytes together`),
  badPayload: new ErrorReply('ERR DUMP payload version or checksum are wrong'),
  noLibrary: new ErrorReply('ERR given type is not a function'),
  damaged: new ErrorReply('ERR Failed loading library data'),
};

interface LibraryFunction {
  readonly name: string;
  readonly description: string | undefined;
  readonly flags: readonly string[];
}

interface Library extends LibraryInfo {
  readonly functions: readonly LibraryFunction[];
}

/** Names of functions are looked up in any case. */
const keyOf = (name: string): string => name.toLowerCase();

export class Functions implements FunctionRunner {
  private readonly libraries = new Map<string, Library>();
  /** By name in lower case. */
  private readonly owners = new Map<string, { readonly library: Library; readonly own: LibraryFunction }>();
  private bytes = 0;
  private state: LuaState | undefined;
  /**
   * Where the globals of a library are found: what it may use while it loads, and everything when it is
   * called.
   */
  private readonly lookup = unlimited(() => new LuaTable(0, 1));
  private readonly environment = unlimited(() => new LuaTable());
  private readonly loadGlobals = unlimited(() => new LuaTable());
  private registered: Map<string, RegisteredFunction> | undefined;

  constructor(
    private readonly session: ScriptSession,
    private readonly compiled = new CompiledScripts(),
  ) {}

  all(): readonly LibraryInfo[] {
    return [...this.libraries.values()];
  }

  get size(): number {
    return this.libraries.size;
  }

  get sourceBytes(): number {
    return this.bytes;
  }

  get functionCount(): number {
    return this.owners.size;
  }

  load(code: string, replaces: boolean): string {
    const library = this.read(code);
    const old = this.libraries.get(library.name);
    try {
      if (old !== undefined && !replaces)
        throw new ErrorReply(`ERR Library '${library.name}' already exists`);
      this.register(library);
      this.checkNames(library, (owner) => owner !== old);
      if (this.bytes - (old?.code.length ?? 0) + code.length > ALL_SOURCES_BYTES_MAX) throw replies.tooMuch;
    } catch (error) {
      this.compiled.delete(library);
      throw error;
    }
    if (old !== undefined) this.remove(old);
    this.add(library);
    return library.name;
  }

  delete(name: string): boolean {
    const library = this.libraries.get(name);
    if (library === undefined) return false;
    this.remove(library);
    return true;
  }

  flush(): void {
    for (const library of this.libraries.values()) this.compiled.delete(library);
    this.libraries.clear();
    this.owners.clear();
    this.bytes = 0;
  }

  dump(): Buffer {
    const writer = new RdbWriter();
    for (const { code } of this.libraries.values()) {
      const bytes = Buffer.from(code, 'latin1');
      writer.raw(Buffer.from([LIBRARY_OPCODE])).bytes(bytes, 0, bytes.length);
    }
    return writer.finish();
  }

  restore(payload: View, policy: 'append' | 'replace' | 'flush'): void {
    const given = new Functions(this.session, this.compiled);
    try {
      this.take(given, payload, policy);
    } catch (error) {
      given.flush();
      throw error;
    }
  }

  /** Loads a payload's libraries into an empty set of their own, and takes them over when all are right. */
  private take(given: Functions, payload: View, policy: 'append' | 'replace' | 'flush'): void {
    for (const code of librariesOf(payload)) {
      const library = given.read(code);
      if (given.libraries.has(library.name))
        throw new ErrorReply(`ERR Library ${library.name} already exists`);
      given.register(library);
      given.checkNames(library, () => true);
      given.add(library);
    }
    const replaced = (library: Library): boolean =>
      policy === 'flush' || (policy === 'replace' && given.libraries.has(library.name));
    let bytes = given.bytes;
    for (const library of this.libraries.values()) {
      if (replaced(library)) continue;
      bytes += library.code.length;
      if (given.libraries.has(library.name))
        throw new ErrorReply(`ERR Library ${library.name} already exists`);
    }
    if (bytes > ALL_SOURCES_BYTES_MAX) throw replies.tooMuch;
    for (const library of given.libraries.values()) this.checkNames(library, (owner) => !replaced(owner));
    for (const library of [...this.libraries.values()]) if (replaced(library)) this.remove(library);
    for (const library of given.libraries.values()) this.add(library);
  }

  callIsRead(request: Request): boolean {
    const found = this.owners.get(keyOf(request.latin1(1)));
    return found?.own.flags.includes('no-writes') === true;
  }

  call(request: Request, run: ScriptRun): Reply {
    const found = this.owners.get(keyOf(request.latin1(1)));
    if (found === undefined) throw replies.notFound;
    const keyCount = keyCountOf(request, replies.badKeyCount);
    const { library, own } = found;
    const state = this.open();
    const [keys, args] = unlimited(() => [
      listOf(request, 3, 3 + keyCount),
      listOf(request, 3 + keyCount, request.count),
    ]);
    const start = (limits: LuaLimits): LuaValue[] => {
      const { callback } = this.run(library, limits).get(own.name)!;
      this.lookup.set('__index', state.globals);
      const steps = limits.steps - state.usage.steps;
      return state.call(callback, [keys, args], { limits: { ...limits, steps }, seed: run.seed });
    };
    return this.session.execute({ name: own.name, flags: new Set(own.flags), state, run: start }, run);
  }

  // ---- loading ----

  /** Compiles a library. What it registers is not known yet. */
  private read(code: string): Library {
    checkSource(code.length);
    const library = { name: parseLibrary(code).name, code, functions: [] };
    this.scriptOf(library);
    return library;
  }

  /** @throws ErrorReply for what does not compile */
  private scriptOf(library: Library): CompiledScript {
    const known = this.compiled.get(library);
    if (known !== undefined) return known.script;
    const { code } = library;
    try {
      const script = compile(code.slice(parseLibrary(code).codeStart), { chunkName: 'user_function' });
      return this.compiled.add(library, { script }).script;
    } catch (error) {
      if (!(error instanceof LuaError || error instanceof LuaFatal)) throw error;
      throw new ErrorReply(`ERR Error compiling function: ${error.message}`);
    }
  }

  /** Finds out what a library registers. */
  private register(library: Library): void {
    let registered: Map<string, RegisteredFunction>;
    try {
      registered = this.run(library, loadLimits);
    } catch (error) {
      let text: string;
      if (error instanceof LuaFatal) text = 'ERR FUNCTION LOAD timeout';
      else if (!(error instanceof LuaError)) throw error;
      else if (error.value instanceof LuaTable) text = String(error.value.get('err') ?? 'ERR unknown error');
      else text = `ERR ${error.message}`;
      throw new ErrorReply(`ERR Error registering functions: ${text.replace(/[\r\n]/g, ' ')}`);
    }
    if (registered.size === 0) throw replies.nothingRegistered;
    const functions = library.functions as LibraryFunction[];
    for (const { name, description, flags } of registered.values())
      functions.push({ name, description, flags });
  }

  /** Runs a library's own code: what it registers. */
  private run(library: Library, limits: LuaLimits): Map<string, RegisteredFunction> {
    const script = this.scriptOf(library);
    const state = this.open();
    const registered = new Map<string, RegisteredFunction>();
    this.registered = registered;
    this.lookup.set('__index', this.loadGlobals);
    try {
      state.run(script, [], { limits, environment: this.environment });
    } finally {
      this.registered = undefined;
    }
    return registered;
  }

  /** @param counts whether a library's names count: not those of one that is about to go */
  private checkNames({ functions }: Library, counts: (owner: Library) => boolean): void {
    const own = new Set<string>();
    for (const { name } of functions) {
      const owner = this.owners.get(keyOf(name));
      if (own.has(keyOf(name)) || (owner !== undefined && counts(owner.library)))
        throw new ErrorReply(`ERR Function ${name} already exists`);
      own.add(keyOf(name));
    }
  }

  private add(library: Library): void {
    this.libraries.set(library.name, library);
    for (const own of library.functions) this.owners.set(keyOf(own.name), { library, own });
    this.bytes += library.code.length;
  }

  private remove(library: Library): void {
    this.compiled.delete(library);
    this.libraries.delete(library.name);
    for (const { name } of library.functions) this.owners.delete(keyOf(name));
    this.bytes -= library.code.length;
  }

  private open(): LuaState {
    this.state ??= unlimited(() => this.openState());
    return this.state;
  }

  private openState(): LuaState {
    const state = openFunctionState(this.session);
    const missing = new LuaTable(0, 1);
    missing.set(
      '__index',
      asNative((...[, name]) =>
        fail(`Script attempted to access nonexistent global variable '${String(name)}'`),
      ),
    );
    const redis = new LuaTable();
    const register = (...args: LuaValue[]): LuaValue[] => {
      if (this.registered !== undefined) return registerFunction(args, this.registered);
      throw new LuaError(
        fieldTable('err', 'ERR redis.register_function can only be called on FUNCTION LOAD command'),
      );
    };
    state.define(redis, [['register_function', register]]);
    addLoadLibrary(state, redis);
    this.loadGlobals.set('redis', redis);
    for (const table of [redis, this.loadGlobals]) {
      table.metatable = missing;
      table.readonly = true;
    }
    this.environment.metatable = this.lookup;
    this.environment.readonly = true;
    return state;
  }
}

function* librariesOf(payload: View): Generator<string> {
  const { buffer, start, end } = payload;
  if (!isIntactDump(buffer, start, end)) throw replies.badPayload;
  const reader = new RdbReader(buffer, start, end - footerSize);
  try {
    while (!reader.isAtEnd) {
      if (reader.byte() !== LIBRARY_OPCODE) throw replies.noLibrary;
      yield reader.text();
    }
  } catch (error) {
    throw error instanceof Corruption ? replies.damaged : error;
  }
}
