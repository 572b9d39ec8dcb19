/**
 * What becomes of one client's requests: each is judged (`admission.ts`), then it runs here, goes into the
 * log, joins a transaction or is forwarded to the leader. Its reply takes a slot of the client's queue
 * (`reply-queue.ts`) unless it is given at once.
 */
import {
  ErrorReply,
  NULL_ARRAY,
  parseTrusted,
  QUEUED,
  type ReadCommand,
  type Reply,
  Request,
  type Runnable,
  type WriteCommand,
} from '../../engine/index.js';
import { Forwarding, type LeaderRoute } from '../cluster/forwarder.js';
import type { ForwardedRequest, Upstream } from '../cluster/upstream.js';
import type { ProgramCommand } from '../commands/program-command.js';
import type { ReplyTarget } from '../replication/replica.js';
import { NotLeading, replies } from '../replies.js';
import type { PendingRead } from '../tracking/pending-reads.js';
import { type Destination, WAIT } from './admission.js';
import type { ClientHost } from './client-host.js';
import { Exec } from './exec.js';
import { ReadPath } from './read-path.js';
import type { Deferred, RoutedClient } from './routed-client.js';
import type { Transaction } from './transaction.js';

/** The commands that MULTI lets through. */
const TRANSACTION_CONTROL = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

/** After these no key is watched any more. */
const ENDS_WATCH = new Set(['discard', 'reset', 'unwatch']);

export class Router {
  /** What becomes of its commands on a follower that forwards them; undefined while none was. */
  private forwarding: Forwarding | undefined;
  private readonly reads: ReadPath;
  /** Undefined until the first EXEC. */
  private executor: Exec | undefined;
  private readonly keysRequest = new Request();

  constructor(
    private readonly connection: RoutedClient,
    private readonly server: ClientHost,
  ) {
    this.reads = new ReadPath(connection, server, (row, request, raw) => this.write(row, request, raw));
  }

  // ---- which way ----

  /** @param deferred what is known of a request that was put aside before; otherwise the parser has it */
  execute(request: Request, deferred?: Deferred): void {
    if (request.count === 0) return;
    const { connection, server } = this;
    const row = this.resolve(request);
    const returned = deferred?.returned;
    if (returned?.transaction !== undefined) connection.transaction = returned.transaction;
    const forwarding = server.isForwarding ? this.forwardingOf(row) : undefined;
    if (forwarding === undefined ? this.mustWait(row, request) : this.mustWaitToForward(forwarding, row)) {
      connection.defer(deferred);
      return;
    }
    if (forwarding !== undefined && !this.knowsLeader && server.holds(returned?.heldSinceMs)) {
      connection.defer(deferred);
      server.awaitLeader(connection);
      return;
    }
    if (returned !== undefined) {
      this.runReturned(returned, row as Runnable, request, forwarding, deferred!);
      return;
    }
    const raw = deferred?.raw;
    if (row instanceof ErrorReply) {
      connection.beginCommand('');
      server.admission.unknown(connection, request);
      // A browser that was made to send requests here: nothing of what it sends may run, as in Redis.
      if (request.is(0, 'POST') || request.is(0, 'HOST:'))
        server.closeClient(connection, `it speaks HTTP ('${request.latin1(0)}')`);
      else this.reject(row, server.table.named(request), request);
      return;
    }
    const queues = connection.transaction !== undefined && !TRANSACTION_CONTROL.has(row.name);
    const destination: Destination = queues ? 'queue' : forwarding !== undefined ? 'forward' : 'run';
    const bytes = raw?.length ?? connection.requestBytes;
    let verdict = server.admission.judge(row, destination, connection, request, bytes);
    if (destination !== 'forward' && (verdict === undefined || verdict instanceof NotLeading)) {
      verdict = this.elsewhere(row, request, verdict);
      if (verdict !== undefined && this.holds(deferred)) return;
    }
    if (verdict === WAIT) {
      connection.defer(deferred);
      return;
    }
    connection.beginCommand(row.name);
    if (verdict === undefined && !queues) server.statistics.commands.countCall(row);
    if (verdict !== undefined) this.reject(verdict, row, request);
    else if (queues) this.enqueue(row, request, raw);
    else {
      if (this.forwarding?.watchesElsewhere && ENDS_WATCH.has(row.name)) this.forwarding.forgetWatched();
      if (forwarding === undefined) this.run(row, request, raw);
      else if (!this.knowsLeader) this.reject(server.notLeading(), row, request);
      else {
        this.forward(forwarding, row, raw ?? connection.copyRaw(), undefined);
        if (server.audience.monitors.size > 0) this.show(row, request);
      }
    }
    if (connection.tracking?.caching === true) this.endCaching(row);
  }

  /**
   * A script that says it does not write is a read, unless it is queued, or what this client has under way
   * may change what it says.
   */
  private resolve(request: Request): Runnable | ErrorReply {
    const { connection, server } = this;
    const row = server.table.resolve(request);
    if (row instanceof ErrorReply || row.isReadNow === undefined) return row;
    if (connection.transaction !== undefined || connection.queue.hasItems || !connection.authenticated)
      return row;
    if (!row.isReadNow(request, server.engine.scripts)) return row;
    // Of what is forwarded the leader decides: it may know another function by the name.
    return server.isForwarding && this.forwardingOf(row.readRow!) !== undefined ? row : row.readRow!;
  }

  /** Puts a request that is the leader's aside where nobody is known to lead, but may soon be. */
  private holds(deferred: Deferred | undefined): boolean {
    const { connection, server } = this;
    if (connection.forwardedBy !== 0 || !server.guide.holds(deferred?.heldSinceMs)) return false;
    const held = deferred ?? { raw: connection.copyRaw() };
    held.heldSinceMs ??= server.monotonicMs();
    connection.defer(held);
    server.awaitLeader(connection);
    return true;
  }

  /** CLIENT CACHING holds for the next command, or the next transaction. */
  private endCaching(row: Runnable): void {
    const { transaction, tracking } = this.connection;
    if (transaction === undefined && !row.name.startsWith('client|')) tracking!.caching = false;
  }

  /**
   * Why a command that would run here is the leader's, in the words of this node's mode; undefined: it may
   * run.
   */
  private elsewhere(
    row: Runnable,
    request: Request,
    refusal: ErrorReply | undefined,
  ): ErrorReply | undefined {
    const { connection, server } = this;
    if (refusal === undefined) {
      // A leader that hands over refuses writes only: alone they were judged, here are those of a
      // transaction.
      if (server.isLeader) {
        if (row.kind !== 'other' || row.name !== 'exec') return undefined;
        const { transaction } = connection;
        if (transaction === undefined || transaction.failed || !transaction.writes) return undefined;
        refusal = server.refuseWrite(false);
        return refusal instanceof NotLeading ? refusal : undefined;
      }
      if (connection.forwardedBy !== 0 || server.isForwarding || !this.isLeaders(row)) return undefined;
      refusal = server.notLeading();
    }
    if (connection.forwardedBy !== 0) return refusal;
    const queued = row.name === 'exec' ? connection.transaction?.requests : undefined;
    return server.guide.redirection(connection, row, request, queued) ?? refusal;
  }

  /** Whether only the leader can answer a command of this client. */
  private isLeaders(row: Runnable): boolean {
    const { transaction, consistency } = this.connection;
    const isFresh = consistency !== 'low';
    if (row.name === 'exec')
      return transaction !== undefined && !transaction.failed && (isFresh || transaction.writes);
    if (transaction !== undefined && (row.kind === 'other' || !this.server.guide.redirects)) return false;
    if (row.kind === 'write') return true;
    if (row.kind === 'read') return isFresh || (row.wait !== undefined && transaction === undefined);
    return row.name === 'watch';
  }

  private run(row: Runnable, request: Request, raw: Buffer | undefined): void {
    const isShown = this.server.audience.monitors.size > 0;
    // What a script calls stands behind it.
    if (isShown && row.runsScripts) this.show(row, request);
    if (row.kind === 'read') this.reads.read(row, request, raw);
    else if (row.kind === 'write') this.write(row, request, raw);
    else this.runProgram(row as ProgramCommand, request);
    if (isShown && !row.runsScripts) this.show(row, request);
  }

  /** What monitors see: a command as it runs; those of a transaction, and its EXEC, once they have run. */
  private show(row: Runnable, request: Request): void {
    const { connection, server } = this;
    if (row.name !== 'exec')
      server.audience.monitors.show(row, request, connection.database, connection.address);
  }

  /**
   * Whether a request may not run yet for the sake of what came before it: it is put aside before it leaves
   * any trace.
   */
  private mustWait(row: Runnable | ErrorReply, request: Request): boolean {
    const { connection } = this;
    if (this.awaitsLeader) return true;
    // What changes how replies are given must not change earlier ones.
    if (connection.replyMode !== 'on' && !connection.queue.isEmpty) return true;
    if (row instanceof ErrorReply) return false;
    if (row.kind === 'read') return row.wait?.mayWait(request) === true && !connection.queue.isEmpty;
    if (connection.transaction !== undefined && !TRANSACTION_CONTROL.has(row.name)) return false;
    // The reads before a write must not see it.
    if (row.kind === 'write') return connection.queue.hasReads;
    const { handler } = row as ProgramCommand;
    if (handler.writes === true) return connection.queue.hasReads;
    return handler.ordered && !connection.queue.isEmpty;
  }

  /**
   * Refuses a command before it runs; `row` is undefined when it is none. An EXEC that is refused ends its
   * transaction, and says so.
   */
  private reject(error: ErrorReply, row: Runnable | undefined, request: Request): void {
    const { connection } = this;
    if (row !== undefined) this.server.statistics.commands.countRejection(row);
    if (request.is(0, 'EXEC')) {
      connection.transaction = undefined;
      connection.watched.clear();
      this.forwarding?.forgetWatched();
      // As in Redis, whose clients take MOVED for EXEC's answer.
      if (error.code !== 'MOVED') error = replies.execAbortedBecause(error);
    }
    if (connection.transaction !== undefined) connection.transaction.failed = true;
    connection.answer(error);
  }

  /** MULTI: keeps a request for EXEC. */
  private enqueue(row: Runnable, request: Request, raw: Buffer | undefined): void {
    const transaction = this.connection.transaction!;
    if (row.name === 'select') transaction.queuesSelect(request);
    transaction.queue(row, raw ?? this.connection.copyRaw());
    if (row.kind === 'write') transaction.writes = true;
    if (row.denyOutOfMemory) transaction.denyOutOfMemory = true;
    if (row.runsScripts) transaction.runsScripts = true;
    if (row.kind === 'other') this.noteRights(row as ProgramCommand, transaction);
    this.connection.answer(QUEUED);
  }

  /** Notes what may change how the commands behind it are judged; changes of users need the log. */
  private noteRights({ name, handler }: ProgramCommand, transaction: Transaction): void {
    const changesUsers = handler.prepareUsers !== undefined;
    if (changesUsers) transaction.writes = true;
    if (changesUsers || name === 'auth' || name === 'hello') transaction.changesRights = true;
  }

  // ---- commands of the program ----

  private runProgram(row: ProgramCommand, request: Request): void {
    const { connection, server } = this;
    const beganMs = server.timer.begin(row, request);
    let reply: ReturnType<ProgramCommand['handler']['run']>;
    try {
      reply = row.handler.run(request, connection, server);
    } catch (error) {
      reply = error instanceof ErrorReply ? error : connection.internalError(row, error);
    }
    if (reply instanceof ErrorReply) server.timer.failed(row);
    if (beganMs !== 0) server.timer.ran(row, request, connection, beganMs);
    if (reply instanceof Promise) this.waitFor(row, reply);
    else if (reply !== undefined) connection.answer(reply);
  }

  private waitFor(row: Runnable, promise: Promise<Reply | undefined>): void {
    const { connection } = this;
    const slot = connection.queue.addPromised();
    if ((row as ProgramCommand).handler.holds === true) connection.queue.holdLast();
    const done = (reply: Reply | undefined): void => {
      connection.queue.kept(slot, reply);
      connection.resume();
    };
    promise.then(done, (error: unknown) =>
      done(error instanceof ErrorReply ? error : connection.internalError(row, error)),
    );
  }

  /**
   * Runs `step` on a state that is as fresh as the connection's consistency demands, in the order of the
   * connection.
   */
  readLater(step: () => void, raw: Buffer): void {
    this.reads.readLater(step, raw);
  }

  // ---- writes ----

  private write(row: WriteCommand | ReadCommand, request: Request, raw: Buffer | undefined): void {
    const { connection } = this;
    const { replica } = this.server;
    const { session, database } = connection;
    const { runsScripts } = row;
    const { scripts, tracking } = connection;
    const mayWait = row.blocking && row.mayWait?.(request) !== false;
    const caller = runsScripts ? scripts.caller() : mayWait ? scripts.waiter() : undefined;
    const remembers = runsScripts && tracking?.remembers() === true;
    const target = remembers ? this.rememberingTarget() : connection;
    if (raw === undefined) {
      const { requestStart, requestEnd } = connection.parser;
      replica.command(target, session, database, request.buffer, requestStart, requestEnd, caller);
    } else {
      replica.command(target, session, database, raw, 0, raw.length, caller);
    }
    connection.queue.addItem(replica.turn, mayWait, mayWait);
  }

  /** The client, where a script is to have it told of changes to what it reads. */
  private rememberingTarget(): ReplyTarget {
    const { connection } = this;
    return {
      complete: (reply, isApplied) => connection.complete(reply, isApplied),
      outcomeUnknown: (error) => connection.outcomeUnknown(error),
      scriptAudience: () => connection.scripts.remembering,
      runInTransaction: (request, database) => connection.runInTransaction(request, database),
    };
  }

  // ---- transactions ----

  /** EXEC: its reply, or undefined if that comes later. */
  exec(): Reply | undefined {
    const isWatchLost = this.forwarding?.watchesElsewhere === true;
    this.forwarding?.forgetWatched();
    return this.ownExec.run(isWatchLost);
  }

  /** A command at its place in EXEC: a read, or one of the program's. */
  runInTransaction(request: Request, database: number): Reply {
    return this.ownExec.runInTransaction(request, database);
  }

  private get ownExec(): Exec {
    this.executor ??= new Exec(this.connection, this.server, this.reads);
    return this.executor;
  }

  // ---- forwarding to the leader ----

  /**
   * Whether the leader has requests of this client that it has not answered, be it only some that nobody
   * waits for.
   */
  get awaitsLeader(): boolean {
    return this.forwarding?.awaitsReplies === true;
  }

  /** Bytes of requests that the leader has not answered. */
  get forwardedBytes(): number {
    return this.forwarding?.pendingBytes ?? 0;
  }

  /** The keys that requests read whose replies come later, to be remembered then. */
  beginReads(requests: readonly Buffer[]): PendingRead | undefined {
    const { connection, server } = this;
    const { tracking } = connection;
    if (tracking === undefined) return undefined;
    const { caching } = tracking;
    const keys: string[] = [];
    for (const raw of requests) {
      parseTrusted(raw, 0, this.keysRequest);
      const row = server.table.resolve(this.keysRequest);
      if (row instanceof ErrorReply) continue;
      // Within a transaction it holds for what follows.
      if (row.name === 'client|caching') tracking.caching = true;
      else for (const key of tracking.of(server.readKeys.of(row, this.keysRequest))) keys.push(key);
    }
    tracking.caching = caching;
    return server.audience.tracking.beginRead(connection, keys);
  }

  /** What passes a request on, if only the leader can answer it. */
  private forwardingOf(row: Runnable | ErrorReply): Forwarding | undefined {
    const { connection } = this;
    if (row instanceof ErrorReply || connection.forwardedBy !== 0) return undefined;
    if (!connection.authenticated && !row.noAuth) return undefined;
    this.forwarding ??= new Forwarding(connection, this.leaderRoute());
    return this.forwarding.concerns(row) ? this.forwarding : undefined;
  }

  private leaderRoute(): LeaderRoute {
    const { connection, server } = this;
    return {
      get leaderId(): number {
        return server.consensus.leaderId;
      },
      get databases(): number {
        return server.engine.keyspace.settings.databases;
      },
      dial: (): Upstream => server.dialLeader(connection),
    };
  }

  /** Runs a request that a leader did not take. It was counted and checked when it came. */
  private runReturned(
    { raw, heldSinceMs, hadWatch }: ForwardedRequest,
    row: Runnable,
    request: Request,
    forwarding: Forwarding | undefined,
    deferred: Deferred,
  ): void {
    const { connection, server } = this;
    if (hadWatch === true) {
      // The node that watched the keys has ended that when it saw the EXEC.
      connection.transaction = undefined;
      connection.answer(NULL_ARRAY);
    } else if (forwarding === undefined) {
      let refusal =
        server.access.deny(row.name, connection, request, 'toplevel') ??
        connection.permissions.denyPatterns(row.name, request) ??
        (row.kind === 'write' ? server.refuseWrite(row.denyOutOfMemory, raw.length) : undefined);
      if (refusal === undefined || refusal instanceof NotLeading) {
        refusal = this.elsewhere(row, request, refusal);
        if (refusal !== undefined && this.holds(deferred)) return;
      }
      if (refusal === undefined) this.run(row, request, raw);
      else this.reject(refusal, row, request);
    } else if (!this.knowsLeader || !server.holds(heldSinceMs)) {
      this.reject(server.heldInVain(), row, request);
    } else {
      this.forward(forwarding, row, raw, heldSinceMs);
    }
  }

  /** Passes a request on. Should that fail, nobody knows what has gone out: the client is cut off. */
  private forward(forwarding: Forwarding, row: Runnable, raw: Buffer, heldSinceMs: number | undefined): void {
    try {
      forwarding.forward(row, raw, heldSinceMs);
    } catch (error) {
      this.connection.fault(row.name, error);
    }
  }

  private get knowsLeader(): boolean {
    return this.server.consensus.leaderAddress !== undefined;
  }

  leaderChanged(): void {
    this.forwarding?.leaderChanged();
  }

  private mustWaitToForward(forwarding: Forwarding, row: Runnable | ErrorReply): boolean {
    const { queue, replyMode } = this.connection;
    if (queue.hasItems || queue.hasReads) return true;
    if (replyMode !== 'on' && forwarding.awaitsReplies) return true;
    return forwarding.mustWait(row as Runnable);
  }

  /** The client does not read: nor is the leader read. */
  pause(): void {
    this.forwarding?.pause();
  }

  goOn(): void {
    this.forwarding?.resume();
  }

  /** The client will say no more, and everything that it said was sent. */
  end(): void {
    if (this.awaitsLeader) this.forwarding!.end();
  }

  /** The client is gone. */
  close(): void {
    this.forwarding?.close();
  }
}
