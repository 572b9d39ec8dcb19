/**
 * The state machine. It changes by {@link Engine.apply} alone: two engines that applied the same entries are
 * equal, down to the order of iteration.
 */
import { changeQueuedUsers } from './acl/change-users.js';
import { Permissions } from './acl/permissions.js';
import { Users } from './acl/users.js';
import { type ApplyListener, silentListener } from './apply-listener.js';
import type { CallReplies } from './call-replies.js';
import { Calls } from './calls.js';
import { applyClusterItem } from './cluster-items.js';
import type { ReadCommand, ReadContext, Session, WriteContext } from './command/command.js';
import { CommandTable, type Runnable } from './command/command-table.js';
import { allTraces, onlyTouches } from './command/read-traces.js';
import type { CommandWatch } from './command-watch.js';
import { engineCommands } from './commands/index.js';
import { isOfThisMachine } from './containment.js';
import type { EffectWatch } from './effects/effect-watch.js';
import type { EngineOptions } from './engine-options.js';
import { FetchAhead } from './fetch-ahead.js';
import type { MessageCallback } from './local-client.js';
import { EntryReader, ItemKind } from './log/entry.js';
import { Random } from './log/random.js';
import { errors } from './protocol/errors.js';
import {
  type BufferReply,
  type JavaScriptReply,
  type ReplyError,
  toBuffers,
  toJavaScript,
} from './protocol/javascript-reply.js';
import { BLOCKED, detach, ErrorReply, NULL_ARRAY, OK, type Reply, viewBytes } from './protocol/reply.js';
import { type Argument, parseTrusted, Request, RequestBuilder } from './protocol/request.js';
import { readUint32, View } from './protocol/view.js';
import { ReadyWaiters } from './ready-waiters.js';
import { type ScriptCaller, ScriptRights, unboundedCaller } from './scripting/script-caller.js';
import { ScriptSession } from './scripting/script-session.js';
import { Scripts } from './scripting/scripts.js';
import { defaultSettings } from './settings.js';
import { Cut } from './snapshot/cut.js';
import type { Database } from './storage/database.js';
import { Keyspace } from './storage/keyspace.js';
import { valueTypes } from './types/index.js';
import { type Waiter, Waiters } from './waiters.js';

/**
 * How many keys one entry deletes because their deadline has passed: a count, not a time, so that all nodes
 * delete the same.
 */
export const EXPIRED_PER_ENTRY = 200;

/**
 * What the replies of one transaction may take, beyond which its reads are refused: every node must keep them
 * until EXEC ends.
 */
const TRANSACTION_REPLY_BYTES_MAX = 2 ** 30;

/** Nothing changes it: all engines of a process have the same one, 200 KB. */
const engineTable = new CommandTable(engineCommands);

type Mutable<Context> = { -readonly [Name in keyof Context]: Context[Name] };

export class Engine {
  readonly keyspace: Keyspace;
  readonly table = engineTable;
  readonly waiters = new Waiters();
  /** Who may use the cluster. Apply judges scripts and who has waited, proposers all else. */
  readonly users = new Users();
  readonly scripts: Scripts;
  /** For whom a script runs that is a read on its own. Set by who begins that, for as long as it lasts. */
  reader: ScriptCaller | undefined;
  /** Told of the commands that {@link apply} runs; undefined while nobody asks. No part of the state. */
  watch: CommandWatch | undefined;
  /** Told what {@link apply} does to the state; undefined while nobody asks. No part of the state. */
  effects: EffectWatch | undefined;
  /** Index of the last entry that was applied. */
  appliedIndex = 0;

  private readonly request = new Request();
  private readonly random = new Random();
  private readonly readRandom = new Random();
  private readonly context: Mutable<WriteContext>;
  private readonly rights: ScriptRights;
  /** Whether a script of an entry runs a command. */
  private inScript = false;
  readonly readContext: Mutable<ReadContext>;
  /** The entry whose item is at hand: where a request that blocks has its bytes. */
  private item!: EntryReader;
  /** Whether an item is at hand: before the first, time moves on. */
  private isWithinItem = false;
  private ordinal = 0;
  /** Who hears of the entry at hand. */
  private listener: ApplyListener = silentListener;
  private readonly ready: ReadyWaiters;
  private readonly fetchAhead: FetchAhead;
  private readonly keyView = new View();
  private readonly builder = new RequestBuilder();
  private readonly calls: Calls;
  private readonly clock: (() => number) | undefined;
  private readonly onContained: EngineOptions['onContained'];

  constructor(options: EngineOptions = {}) {
    const settings = { ...defaultSettings, ...options.settings };
    const { hashSeed = { low: 0, high: 0 }, behaviourLevel } = options;
    this.keyspace = new Keyspace(settings, hashSeed, valueTypes, behaviourLevel);
    this.fetchAhead = new FetchAhead(this.keyspace);
    this.scripts = new Scripts(new ScriptSession(this));
    this.ready = new ReadyWaiters({
      keyspace: this.keyspace,
      waiters: this.waiters,
      retry: (waiter, request, readyKey) => this.retry(waiter, request, readyKey),
    });
    this.rights = new ScriptRights(this.users, engineCommands);
    this.context = {
      keyspace: this.keyspace,
      timeMs: 0,
      random: this.random,
      scripts: this.scripts,
      inTransaction: false,
      readyKey: undefined,
      publish: (channel, message, isSharded) => {
        const receivers = this.listener.publish(channel, message, isSharded);
        // Nodes have different subscribers, and a script may write what it is told.
        return this.inScript ? 0 : receivers;
      },
      block: (request, type, keys, deadlineMs, rewritten) =>
        this.block(request, type, keys, deadlineMs, rewritten),
    };
    this.calls = new Calls(this);
    this.clock = options.clock;
    this.onContained = options.onContained;
    this.random.seed(options.seed ?? 0, 0);
    this.readContext = {
      keyspace: this.keyspace,
      timeMs: 0,
      random: this.readRandom,
      scripts: this.scripts,
      prolong: undefined,
    };
    this.readRandom.seed(hashSeed.low, hashSeed.high);
  }

  // ---- applying ----

  /**
   * Applies one committed entry. Throws only for bytes that are no entry, for want of memory, or when a
   * handler fails behind its first mutation: the node must then stop and name the index.
   */
  apply(index: number, payload: Buffer, listener: ApplyListener): void {
    const entry = new EntryReader(payload);
    this.listener = listener;
    this.begin(entry.nowMs, listener);
    this.random.seed(entry.seedLow, entry.seedHigh);
    // A key that was due may have had somebody wait at it.
    if (this.ready.keys.size > 0) this.ready.serve(listener);
    this.effects?.settled(false);
    this.item = entry;
    this.isWithinItem = true;
    for (let ordinal = 0; ordinal < entry.itemCount; ordinal++) {
      this.fetchAhead.beforeItem(entry, ordinal);
      entry.step();
      this.ordinal = ordinal;
      this.keyspace.position++;
      const reply = this.applyItem(entry, ordinal, listener);
      if (reply !== BLOCKED) listener.reply(ordinal, reply);
      else listener.blocked?.(ordinal);
      if (this.ready.keys.size > 0) this.ready.serve(listener);
      this.effects?.settled(true);
    }
    this.appliedIndex = index;
    this.isWithinItem = false;
    this.keyspace.writing = false;
  }

  /** Whose item is being applied, to whoever is told of what it does; undefined while none is. */
  get actor(): Session | undefined {
    return this.isWithinItem ? this.item.session : undefined;
  }

  /**
   * What every entry does before its items: time moves on, waiters give up, a bounded number of due keys
   * goes.
   */
  private begin(nowMs: number, listener: ApplyListener): void {
    const keyspace = this.keyspace;
    keyspace.writing = true;
    if (nowMs > keyspace.now) keyspace.now = nowMs;
    keyspace.clockSeconds = Math.floor(keyspace.now / 1000);
    this.context.timeMs = keyspace.now;
    if (this.waiters.size > 0) {
      for (const waiter of this.waiters.due(keyspace.now)) this.ready.release(waiter, NULL_ARRAY, listener);
    }
    if (keyspace.settings['active-expire'] !== 0) keyspace.expireDue(EXPIRED_PER_ENTRY);
  }

  private applyItem(entry: EntryReader, ordinal: number, listener: ApplyListener): Reply {
    switch (entry.kind) {
      case ItemKind.command: {
        parseTrusted(entry.buffer, entry.bodyStart, this.request);
        const row = this.table.resolve(this.request);
        if (row instanceof ErrorReply) return row;
        return this.runWrite(row, this.request, this.keyspace.database(entry.database));
      }
      case ItemKind.exec:
        return this.applyExec(entry, ordinal, listener);
      case ItemKind.forget: {
        const waiter = this.waiters.ofSession(entry.session);
        if (waiter !== undefined) this.waiters.remove(waiter);
        return OK;
      }
      case ItemKind.forgetStart:
        for (const waiter of this.waiters.ofStart(entry.session)) this.waiters.remove(waiter);
        return OK;
      case ItemKind.unblock: {
        const waiter = this.waiters.ofSession(entry.session);
        if (waiter === undefined) return 0;
        const reply = entry.buffer[entry.bodyStart] === 1 ? errors.unblocked : NULL_ARRAY;
        this.ready.release(waiter, reply, listener);
        return 1;
      }
      default:
        return applyClusterItem(this, entry, this.request);
    }
  }

  private runWrite(row: Runnable, request: Request, database: Database): Reply {
    const { effects } = this;
    if (effects === undefined || row.kind !== 'write') return this.runWatched(row, request, database);
    return effects.watch(row, request, database.id, () => this.runWatched(row, request, database));
  }

  private runWatched(row: Runnable, request: Request, database: Database): Reply {
    const { watch } = this;
    if (watch === undefined || !this.isWithinItem || this.inScript)
      return this.runContained(row, request, database);
    const began = watch.begin(row, request);
    const reply = this.runContained(row, request, database);
    if (reply !== OK && this.scripts.hasFailed(row, reply)) watch.failed(row);
    if (began !== 0) watch.ended(row, request, this.item, began);
    return reply;
  }

  private runContained(row: Runnable, request: Request, database: Database): Reply {
    const { mutations } = this.keyspace;
    this.keyspace.looksToRead = row.looksToRead;
    try {
      if (row.kind === 'write') return row.handler(request, database, this.context);
      if (row.kind === 'read') return this.readInEntry(row, request, database);
      throw new Error(`'${row.name}' is no command of the engine`);
    } catch (error) {
      if (error instanceof ErrorReply) return error;
      if (this.keyspace.mutations !== mutations || isOfThisMachine(error)) throw error;
      return this.contain(row, error);
    }
  }

  // ---- scripts ----

  /** For whom the script at hand runs. */
  scriptCaller(isRead: boolean): ScriptCaller {
    if (isRead && this.reader !== undefined) return this.reader;
    if (!this.isWithinItem) return unboundedCaller;
    const { ordinal, listener } = this;
    const { caller } = this.item;
    return {
      permissions: caller?.user === undefined ? Permissions.unlimited : this.rights.of(caller.user),
      memoryIsFull: caller?.memoryIsFull === true,
      audience: listener.scriptAudience?.(ordinal),
      watch: this.watch,
    };
  }

  /** Runs a command that a script calls. On the read path it runs at the script's own time. */
  runForScript(row: Runnable, request: Request, databaseId: number, isRead: boolean): Reply {
    if (isRead) {
      const reply = this.read(row, request, databaseId, this.readContext.timeMs);
      return reply === BLOCKED ? NULL_ARRAY : reply;
    }
    const { inTransaction, readyKey } = this.context;
    this.context.inTransaction = true;
    this.context.readyKey = undefined;
    // What a read answers may be written: it draws as writes do, the same on every node.
    this.readContext.random = this.random;
    this.inScript = true;
    try {
      return this.runWrite(row, request, this.keyspace.database(databaseId));
    } finally {
      this.context.inTransaction = inTransaction;
      this.context.readyKey = readyKey;
      this.readContext.random = this.readRandom;
      this.inScript = false;
    }
  }

  /** A read at its place among the entry's writes. One that finds nothing may wait. */
  private readInEntry(row: ReadCommand, request: Request, database: Database): Reply {
    if (this.context.readyKey !== undefined) return row.wait!.run(request, database, this.context);
    // One that waits was looked up where it came.
    const traces = this.context.inTransaction ? allTraces : onlyTouches;
    const reply = this.read(row, request, database.id, this.keyspace.now, traces);
    if (reply !== BLOCKED) return reply;
    return this.context.inTransaction ? NULL_ARRAY : row.wait!.run(request, database, this.context);
  }

  /** Answers for a command that failed and has changed nothing. */
  private contain(row: Runnable, error: unknown): Reply {
    this.onContained?.(row.name, error);
    return errors.contained;
  }

  // ---- transactions ----

  private applyExec(entry: EntryReader, ordinal: number, listener: ApplyListener): Reply {
    let changed = false;
    let at = entry.watchedKeys(this.keyView, (id, key, position, existed) => {
      changed ||= this.keyspace.changedSince(id, key, position, existed);
    });
    if (changed) return NULL_ARRAY;
    const count = readUint32(entry.buffer, at);
    at += 4;
    const replies: Reply[] = [];
    let replyBytes = 0;
    let database = entry.database;
    this.context.inTransaction = true;
    for (let i = 0; i < count; i++) {
      at = parseTrusted(entry.buffer, at, this.request);
      if (this.request.is(0, 'SELECT')) {
        const reply = this.select(this.request);
        if (typeof reply === 'number') database = reply;
        replies.push(typeof reply === 'number' ? OK : reply);
        continue;
      }
      const row = this.table.resolve(this.request);
      if (!(row instanceof ErrorReply) && row.kind === 'read')
        listener.readInTransaction?.(ordinal, row, this.request);
      let reply =
        row instanceof ErrorReply
          ? (changeQueuedUsers(this.users, this.request) ??
            listener.runProgramCommand(ordinal, this.request, database))
          : this.runWrite(row, this.request, this.keyspace.database(database));
      if (!(row instanceof ErrorReply) && row.kind === 'read') {
        const bytes = viewBytes(reply);
        if (replyBytes + bytes > TRANSACTION_REPLY_BYTES_MAX) reply = errors.repliesTooMany;
        else replyBytes += bytes;
      }
      replies.push(detach(reply));
    }
    this.context.inTransaction = false;
    return replies;
  }

  /** The database number that SELECT names, or an error. */
  select(request: Request): number | ErrorReply {
    if (request.count !== 2) return errors.wrongArity('select');
    const id = request.int64OrUndefined(1);
    if (id === undefined) return errors.notInteger;
    if (id < -0x80000000 || id > 0x7fffffff) return errors.notInt32;
    return id >= 0 && id < this.keyspace.settings.databases ? Number(id) : errors.databaseOutOfRange;
  }

  // ---- snapshots ----

  /**
   * Starts a snapshot of the state as it is now; it is written while the engine goes on. One at a time.
   *
   * @param write false if only its digest is wanted
   */
  cut(write = true, visited?: (databaseId: number, slot: number) => void): Cut {
    return new Cut(this, write, visited);
  }

  /** The whole state as bytes, in one step: what `restoreEngine` takes. */
  snapshot(): Buffer {
    const cut = new Cut(this);
    const chunks: Buffer[] = [];
    for (let chunk = cut.next(() => true); chunk !== undefined; chunk = cut.next(() => true))
      chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The digest of the whole state, its order included, in one step: equal on all nodes at an equal index. */
  digest(): string {
    const cut = new Cut(this, false);
    while (cut.next(() => true) !== undefined);
    return cut.digest;
  }

  /** Called once the state was filled in from a snapshot. */
  restored(): void {
    if (this.waiters.size > 0) this.keyspace.creationListener = this.ready.creationListener;
  }

  // ---- calling in process ----

  /**
   * Runs one command in this process, as an entry of its own: no log, no network. Strings are taken as UTF-8,
   * Buffers as bytes. All calls are one client's: SELECT, MULTI, WATCH and the like hold for those that
   * follow.
   *
   * @returns what the command answers: strings (UTF-8), numbers, bigints past 2^53, null, arrays; maps as
   * flat arrays, doubles as numbers. A command that would block answers as it does within a transaction. The
   * types of {@link CallReplies} hold outside of MULTI.
   * @throws ReplyError for an error reply, its message being Redis's text
   * @throws TypeError for a call without a command, or with an argument of another type
   * @example engine.call('SET', 'k', 'v', 'EX', 10)
   */
  call<Name extends keyof CallReplies>(name: Name, ...args: readonly Argument[]): CallReplies[Name];
  call(...args: readonly Argument[]): JavaScriptReply;
  call(...args: readonly Argument[]): JavaScriptReply {
    return toJavaScript(this.calls.answer(args));
  }

  /** {@link call} with strings answered as Buffers: for values that are no text. */
  callBuffer(...args: readonly Argument[]): BufferReply {
    return toBuffers(this.calls.answer(args));
  }

  /**
   * Runs several commands, one behind the other, with nothing between them.
   *
   * @returns what each answers; a ReplyError in the place of one that fails, after which the rest runs all
   * the same
   * @throws TypeError for what is no command, before any has run
   */
  exec(commands: readonly (readonly Argument[])[]): (JavaScriptReply | ReplyError)[] {
    return this.calls.exec(commands);
  }

  /**
   * Has each message of a channel told that {@link call} publishes, when the command is done.
   *
   * @returns what ends that
   */
  subscribe(channel: string | Uint8Array, callback: MessageCallback): () => void {
    return this.calls.subscribe(channel, false, callback);
  }

  /** {@link subscribe} to all channels whose names match a pattern of Redis's. */
  psubscribe(pattern: string | Uint8Array, callback: MessageCallback): () => void {
    return this.calls.subscribe(pattern, true, callback);
  }

  /**
   * {@link call} in a given database, answering the engine's own reply: views in it are valid until the next
   * call.
   */
  callRaw(databaseId: number, args: readonly Argument[]): Reply {
    const name = args[0];
    const known = typeof name === 'string' ? this.table.byText.get(name) : undefined;
    const request = this.builder.command(args, known !== undefined);
    const row = this.table.resolve(request, known);
    if (row instanceof ErrorReply) return row;
    if (this.clock !== undefined) this.setTime(Math.max(this.clock(), this.keyspace.now));
    if (row.kind === 'read') {
      const reply = this.read(row, request, databaseId, this.keyspace.now);
      return reply === BLOCKED ? NULL_ARRAY : reply;
    }
    this.listener = this.calls.listener;
    this.begin(this.keyspace.now, silentListener);
    this.keyspace.position++;
    this.context.inTransaction = true;
    try {
      return this.runWrite(row, request, this.keyspace.database(databaseId));
    } finally {
      this.context.inTransaction = false;
      this.keyspace.writing = false;
    }
  }

  /** Sets logged time for {@link call}; it never goes back. */
  setTime(nowMs: number): void {
    if (nowMs > this.keyspace.now) this.keyspace.now = nowMs;
  }

  /** Moves logged time on, as if so long had passed. */
  fastForward(milliseconds: number): void {
    this.setTime(this.keyspace.now + milliseconds);
  }

  /** Starts the random sequence of {@link call} anew. */
  seed(seed: number): void {
    this.random.seed(seed, 0);
  }

  // ---- waiting clients ----

  private block(
    request: Request,
    type: string,
    keys: readonly string[],
    deadlineMs: number,
    rewritten?: Buffer,
  ): Reply {
    this.keyspace.mutations++;
    this.waiters.add({
      session: this.item.session,
      database: this.item.database,
      type,
      keys,
      deadlineMs,
      request: rewritten ?? Buffer.from(request.buffer.subarray(this.item.bodyStart, this.item.bodyEnd)),
      user: this.item.caller?.user ?? '',
    });
    this.keyspace.creationListener = this.ready.creationListener;
    return BLOCKED;
  }

  /** Runs a waiting request again, for the key that it waits for, if its user still may. */
  private retry(waiter: Waiter, request: Request, readyKey: View): Reply {
    const row = this.table.resolve(request);
    if (row instanceof ErrorReply) throw new Error(`a waiting request no longer resolves: ${row.text}`);
    const denied = this.rights.deny(waiter.user, row.name, request);
    this.context.readyKey = readyKey;
    const reply = denied ?? this.runWrite(row, request, this.keyspace.database(waiter.database));
    this.context.readyKey = undefined;
    return reply;
  }

  /** Drops every waiter unserved: what the first entry of a term does. Their clients get `-UNBLOCKED`. */
  dropWaiters(listener: ApplyListener): void {
    this.ready.drop(listener);
  }

  // ---- reading ----

  /**
   * Runs a read on the state as it is. `timeMs` is this node's clock, by which time-to-live replies are
   * reckoned; whether a key has expired is decided by logged time alone. `traces` says what it leaves behind.
   */
  read(row: Runnable, request: Request, databaseId: number, timeMs: number, traces = allTraces): Reply {
    if (row.kind !== 'read') throw new Error(`'${row.name}' is no read`);
    const keyspace = this.keyspace;
    const { writing, untouched } = keyspace;
    keyspace.writing = false;
    keyspace.looksToRead = traces.counts;
    // What a script calls touches no more than the script may.
    keyspace.untouched = untouched || !traces.touches;
    this.readContext.timeMs = Math.max(timeMs, keyspace.now);
    try {
      return row.handler(request, keyspace.database(databaseId), this.readContext);
    } catch (error) {
      // A read changes nothing, whatever it was that failed.
      return error instanceof ErrorReply ? error : this.contain(row, error);
    } finally {
      keyspace.writing = writing;
      keyspace.untouched = untouched;
    }
  }

  /**
   * When an entry should be proposed so that a key expires or a waiter gives up: milliseconds since the
   * epoch, or undefined.
   */
  nextDeadline(): number | undefined {
    const key = this.keyspace.settings['active-expire'] === 0 ? undefined : this.keyspace.nextDeadline;
    const waiter = this.waiters.nextDeadline;
    if (key === undefined || waiter === undefined) return key ?? waiter;
    return Math.min(key, waiter);
  }
}
