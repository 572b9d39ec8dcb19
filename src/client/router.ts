/**
 * What becomes of one client's requests: each is judged (`admission.ts`), then it runs here, goes into the log, joins a transaction or is
 * forwarded to the leader. Its reply takes a slot of the client's queue (`reply-queue.ts`) unless it is given at once.
 */
import {
  BLOCKED,
  detach,
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
import { monotonicNow } from '../../raft/node/timers.js';
import { type ForwardingClient, type LeaderRoute, PassingOn } from '../cluster/forwarder.js';
import type { PassedRequest, Upstream } from '../cluster/upstream.js';
import type { ProgramCommand } from '../commands/program-command.js';
import type { ReplyTarget } from '../replication/replica.js';
import { NotLeading, replies } from '../replies.js';
import type { PendingRead } from '../tracking/pending-reads.js';
import { type Destination, WAIT } from './admission.js';
import type { AccountedClient, ClientHost, ScheduledClient } from './client-host.js';
import type { Consistency } from './consistency.js';
import type { ReplyQueue } from './reply-queue.js';
import { refusedRequest, type Transaction, type WatchList } from './transaction.js';

/** The commands that MULTI lets through. */
const TRANSACTION_CONTROL = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n');

/** After these no key is watched any more. */
const ENDS_WATCH = new Set(['discard', 'reset', 'unwatch']);

/** A request that was put aside. */
export interface Deferred {
  readonly raw: Buffer;
  /** Since when it waits for a leader, by the monotonic clock. */
  heldSinceMs?: number;
  /** What came back from a leader that did not take it. */
  readonly returned?: PassedRequest;
}

/** The connection whose requests come here. */
export interface RoutedClient extends AccountedClient, ScheduledClient, ForwardingClient, ReplyTarget {
  readonly userName: string;
  readonly provedPassword: boolean;
  readonly consistency: Consistency;
  readonly watched: WatchList;
  executing: AccountedClient['executing'];
  /** The replies that are still owed. */
  readonly queue: ReplyQueue;
  /** Where the request at hand lies. */
  readonly parser: { readonly requestStart: number; readonly requestEnd: number };
  /** How long the request at hand is. */
  readonly requestBytes: number;
  /** The bytes of the request at hand, as RESP. */
  copyRaw(): Buffer;
  /** Puts a request aside until everything before it is answered. */
  defer(deferred: Deferred | undefined): void;
  /** A command is admitted, or refused: it counts, and the mode of its reply is settled. */
  beginCommand(name: string): void;
  /** An item has its outcome. @param isSilent no reply is owed for it */
  itemDone(reply: Reply, isApplied: boolean, isSilent?: boolean): void;
  /** A handler has failed in a way that it does not foresee: this client gets an error and is closed; nobody else notices. */
  internalError(row: Runnable, error: unknown): ErrorReply;
  /** What is owed to this client cannot be said any more: it is cut off, and nobody else notices. */
  fault(what: string, error: unknown): void;
}

export class Router {
  /** What becomes of its commands on a follower that passes them on; undefined while none was. */
  private passing: PassingOn | undefined;
  private readonly stepRequest = new Request();
  private readonly keysRequest = new Request();

  constructor(
    private readonly connection: RoutedClient,
    private readonly server: ClientHost,
  ) {}

  // ---- which way ----

  /** @param deferred what is known of a request that was put aside before; otherwise the parser has it */
  execute(request: Request, deferred?: Deferred): void {
    if (request.count === 0) return;
    const { connection, server } = this;
    const row = server.table.resolve(request);
    const returned = deferred?.returned;
    if (returned?.transaction !== undefined) connection.transaction = returned.transaction;
    const passing = server.passesOn ? this.passedOn(row) : undefined;
    if (passing === undefined ? this.mustWait(row, request) : this.mustWaitToPassOn(passing, row)) {
      connection.defer(deferred);
      return;
    }
    if (passing !== undefined && !this.knowsLeader && server.holds(returned?.heldSinceMs)) {
      connection.defer(deferred);
      server.awaitLeader(connection);
      return;
    }
    if (returned !== undefined) {
      this.runReturned(returned, row as Runnable, request, passing);
      return;
    }
    const raw = deferred?.raw;
    if (row instanceof ErrorReply) {
      connection.beginCommand('');
      server.admission.unknown(connection, request);
      // A browser that was made to send requests here: nothing of what it sends may run, as in Redis.
      if (request.is(0, 'POST') || request.is(0, 'HOST:'))
        server.closeClient(connection, `it speaks HTTP ('${request.latin1(0)}')`);
      else this.reject(row, undefined, request);
      return;
    }
    const queues = connection.transaction !== undefined && !TRANSACTION_CONTROL.has(row.name);
    const destination: Destination = queues ? 'queue' : passing !== undefined ? 'forward' : 'run';
    const bytes = raw?.length ?? connection.requestBytes;
    let verdict = server.admission.judge(row, destination, connection, request, bytes);
    if (destination !== 'forward' && (verdict === undefined || verdict instanceof NotLeading)) {
      verdict = this.elsewhere(row, request, verdict);
      if (verdict !== undefined && server.guide.holds(deferred?.heldSinceMs) && connection.passedOnBy === 0) {
        const held = deferred ?? { raw: connection.copyRaw() };
        held.heldSinceMs ??= server.monotonicMs();
        connection.defer(held);
        server.awaitLeader(connection);
        return;
      }
    }
    if (verdict === WAIT) {
      connection.defer(deferred);
      return;
    }
    connection.beginCommand(row.name);
    server.countCommand(row);
    if (verdict !== undefined) this.reject(verdict, row, request);
    else if (queues) this.enqueue(row, request, raw);
    else {
      if (this.passing?.watchesElsewhere && ENDS_WATCH.has(row.name)) this.passing.forgetWatched();
      if (passing === undefined) this.run(row, request, raw);
      else if (!this.knowsLeader) this.reject(server.notLeading(), row, request);
      else {
        this.pass(passing, row, raw ?? connection.copyRaw(), undefined);
        if (server.audience.monitors.size > 0) this.show(row, request);
      }
    }
    if (connection.tracking?.caching === true) this.endCaching(row);
  }

  /** CLIENT CACHING holds for the next command, or the next transaction. */
  private endCaching(row: Runnable): void {
    const { transaction, tracking } = this.connection;
    if (transaction === undefined && !row.name.startsWith('client|')) tracking!.caching = false;
  }

  /** Why a command that would run here is the leader's, in the words of this node's mode; undefined: it may run. */
  private elsewhere(
    row: Runnable,
    request: Request,
    refusal: ErrorReply | undefined,
  ): ErrorReply | undefined {
    const { connection, server } = this;
    if (refusal === undefined) {
      // A leader that hands over refuses writes only: alone they were judged, here are those of a transaction.
      if (server.isLeader) {
        if (row.kind !== 'other' || row.name !== 'exec') return undefined;
        const { transaction } = connection;
        if (transaction === undefined || transaction.failed || !transaction.writes) return undefined;
        refusal = server.refuseWrite(false);
        return refusal instanceof NotLeading ? refusal : undefined;
      }
      if (connection.passedOnBy !== 0 || server.passesOn || !this.isLeaders(row)) return undefined;
      refusal = server.notLeading();
    }
    if (connection.passedOnBy !== 0) return refusal;
    return server.guide.redirection(row, request) ?? refusal;
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
    if (row.kind === 'read') this.read(row, request, raw);
    else if (row.kind === 'write') this.write(row, request, raw);
    else this.runProgram(row as ProgramCommand, request);
    if (this.server.audience.monitors.size > 0) this.show(row, request);
  }

  /** What monitors see: a command as it runs; those of a transaction, and its EXEC, once they have run. */
  private show(row: Runnable, request: Request): void {
    const { connection, server } = this;
    if (row.name !== 'exec')
      server.audience.monitors.show(row, request, connection.database, connection.address);
  }

  private showTransaction(requests: readonly Buffer[]): void {
    const { connection, server } = this;
    const { monitors } = server.audience;
    if (monitors.size === 0) return;
    let { database } = connection;
    for (const raw of [...requests, EXEC]) {
      parseTrusted(raw, 0, this.keysRequest);
      const row = server.table.resolve(this.keysRequest);
      if (row instanceof ErrorReply) continue;
      monitors.show(row, this.keysRequest, database, connection.address);
      if (row.name === 'select') database = Number(this.keysRequest.int64OrUndefined(1) ?? database);
    }
  }

  /** Whether a request may not run yet for the sake of what came before it: it is put aside before it leaves any trace. */
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

  /** Refuses a command before it runs; `row` is undefined when it is none. An EXEC that is refused ends its transaction, and says so. */
  private reject(error: ErrorReply, row: Runnable | undefined, request: Request): void {
    const { connection } = this;
    if (row !== undefined) this.server.statistics.countRejection(row);
    if (request.is(0, 'EXEC')) {
      connection.transaction = undefined;
      connection.watched.clear();
      this.passing?.forgetWatched();
      error = replies.execAbortedBecause(error);
    }
    if (connection.transaction !== undefined) connection.transaction.failed = true;
    connection.answer(error);
  }

  /** MULTI: keeps a request for EXEC. */
  private enqueue(row: Runnable, request: Request, raw: Buffer | undefined): void {
    const transaction = this.connection.transaction!;
    if (row.name === 'select') transaction.queuesSelect(request);
    transaction.queue(raw ?? this.connection.copyRaw());
    if (row.kind === 'write') transaction.writes = true;
    if (row.denyOutOfMemory) transaction.denyOutOfMemory = true;
    this.connection.answer(QUEUED);
  }

  // ---- commands of the program ----

  private runProgram(row: ProgramCommand, request: Request): void {
    const { connection, server } = this;
    let reply: ReturnType<ProgramCommand['handler']['run']>;
    try {
      reply = row.handler.run(request, connection, server);
    } catch (error) {
      reply = error instanceof ErrorReply ? error : connection.internalError(row, error);
    }
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

  // ---- reads ----

  private read(row: ReadCommand, request: Request, raw: Buffer | undefined): void {
    const { connection, server } = this;
    const { database } = connection;
    if (row.wait?.mayWait(request) === true) {
      this.readOrWait(row, raw ?? connection.copyRaw());
      return;
    }
    if (connection.queue.isEmpty && server.mayReadNow(connection.consistency)) {
      this.runRead(row, request, database);
      return;
    }
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const kept = raw ?? connection.copyRaw();
    const { remembers } = this;
    this.readLater(() => {
      parseTrusted(kept, 0, this.stepRequest);
      this.runRead(row, this.stepRequest, database, remembers);
    });
  }

  /** A read that waits when it finds nothing: it is proposed then. This client is idle, and what follows stands behind it. */
  private readOrWait(row: ReadCommand, raw: Buffer): void {
    const { connection, server } = this;
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const { remembers } = this;
    const run = (): void => {
      parseTrusted(raw, 0, this.stepRequest);
      const reply = this.evaluate(row, this.stepRequest, connection.database, remembers);
      if (reply !== BLOCKED) {
        connection.encode(reply);
        return;
      }
      const late = server.refuseWrite(row.denyOutOfMemory, raw.length);
      if (late === undefined) this.write(row, this.stepRequest, raw);
      else connection.encode(late);
    };
    if (server.mayReadNow(connection.consistency)) run();
    else {
      this.readLater(run);
      connection.queue.holdLast();
    }
  }

  private runRead(row: ReadCommand, request: Request, database: number, remembers = this.remembers): void {
    if (row.mayBeSlow || this.connection.noTouch) this.readTimed(row, request, database, remembers);
    else this.connection.encode(this.evaluate(row, request, database, remembers));
  }

  /** Whether the client is to be told when keys change that the request at hand reads. */
  private get remembers(): boolean {
    const { tracking } = this.connection;
    return tracking?.remembers() === true;
  }

  /** A read changes nothing: if it fails in a way that it does not foresee, nothing but its reply is lost. */
  private evaluate(row: ReadCommand, request: Request, database: number, remembers = this.remembers): Reply {
    const { server } = this;
    if (remembers) server.audience.tracking.remember(this.connection, server.readKeys.of(row, request));
    try {
      return server.engine.read(row, request, database, server.timeMs);
    } catch (error) {
      return this.connection.internalError(row, error);
    }
  }

  /** Runs a read that is no everyday one: with an eye on the clock for the slow log, or leaving access times alone. */
  private readTimed(row: ReadCommand, request: Request, database: number, remembers: boolean): void {
    const beganMs = monotonicNow();
    const { connection, server } = this;
    const { keyspace } = server.engine;
    keyspace.untouched = connection.noTouch && row.name !== 'touch';
    connection.encode(this.evaluate(row, request, database, remembers));
    keyspace.untouched = false;
    const durationUs = Math.round((monotonicNow() - beganMs) * 1000);
    server.statistics.countDuration(row, durationUs);
    server.noteSlow(request, connection, durationUs);
  }

  /** Runs `step` on a state that is as fresh as the connection's consistency demands, in the order of the connection. */
  readLater(step: () => void): void {
    const { connection, server } = this;
    const { queue, consistency } = connection;
    let needsItem: boolean;
    if (queue.hasItems) {
      // A quorum that has answered before the read came says nothing of it: another leader may have been at work since.
      const { isProposed } = queue.newestPlace!;
      needsItem = consistency === 'high' && isProposed && !server.consensus.readsAreLocal();
    } else {
      // Once an item is applied, logged time is up to date.
      needsItem = !queue.hasReads && server.isLeader && server.meetsDueKey();
      if (!needsItem) {
        this.readByQuorum(step);
        return;
      }
    }
    const refusal = needsItem ? this.addTick() : undefined;
    if (refusal !== undefined) connection.answer(refusal);
    else queue.addReadBehindItem((isApplied) => this.runOrRefuse(step, isApplied));
  }

  /** Adds an item of this turn that does nothing, for a read to stand behind; or says why there can be none. */
  private addTick(): ErrorReply | undefined {
    const { connection, server } = this;
    const { replica } = server;
    const refusal = replica.refusal(0);
    if (refusal !== undefined) return refusal;
    const done = (reply: Reply, isApplied = true): void => connection.itemDone(reply, isApplied, true);
    const target: ReplyTarget = {
      complete: done,
      fateUnknown: (error) => done(error, false),
      runInTransaction: () => null,
    };
    replica.item(target, 0, (builder) => builder.forget(connection.session));
    connection.queue.addItem(replica.turn);
    return undefined;
  }

  private readByQuorum(step: () => void): void {
    const { connection, server } = this;
    const slot = connection.queue.addRead((refusal) => {
      if (refusal === undefined) step();
      else connection.encode(refusal);
    });
    server.reads.add(
      () => connection.queue.readReady(slot),
      (refusal) => connection.queue.readRefused(slot, refusal),
    );
  }

  /** Leadership may have been lost with the write that a read stands behind. */
  private runOrRefuse(step: () => void, isApplied: boolean): void {
    const { server } = this;
    const { consistency } = this.connection;
    const mayBeStale = !isApplied && consistency !== 'low';
    const refusal = server.refuseRead(consistency) ?? (mayBeStale ? server.notLeading() : undefined);
    if (refusal === undefined) step();
    else this.connection.encode(refusal);
  }

  // ---- writes ----

  private write(row: WriteCommand | ReadCommand, request: Request, raw: Buffer | undefined): void {
    const { connection } = this;
    const { replica } = this.server;
    const { session, database } = connection;
    if (raw === undefined) {
      const { requestStart, requestEnd } = connection.parser;
      replica.command(connection, session, database, request.buffer, requestStart, requestEnd);
    } else {
      replica.command(connection, session, database, raw, 0, raw.length);
    }
    connection.queue.addItem(replica.turn, row.blocking, row.blocking);
  }

  // ---- transactions ----

  /** EXEC: its reply, or undefined if that comes later. */
  exec(): Reply | undefined {
    const refusal = this.execQueued();
    if (refusal !== undefined) this.showTransaction([]);
    return refusal;
  }

  /** All that was queued, as one item. */
  private execQueued(): Reply | undefined {
    const { connection, server } = this;
    const transaction = connection.transaction!;
    const watchedBytes = connection.watched.bytes;
    const watched = connection.watched.take();
    connection.transaction = undefined;
    const isWatchLost = this.passing?.watchesElsewhere === true;
    this.passing?.forgetWatched();
    if (transaction.failed) return replies.execAborted;
    // The keys were watched at a leader that this client has lost: they may have changed.
    if (isWatchLost) return NULL_ARRAY;
    if (!connection.permissions.isUnlimited) transaction.refuseDenied((request) => this.denyQueued(request));
    if (!transaction.writes && watched.length === 0) {
      this.execReads(transaction);
      return undefined;
    }
    const bytes = transaction.queuedBytes + watchedBytes;
    const refusal = server.refuseWrite(transaction.denyOutOfMemory, bytes);
    if (refusal !== undefined) return replies.execAbortedBecause(refusal);
    const { replica } = server;
    const caching = connection.tracking?.caching === true;
    const target: ReplyTarget = {
      complete: (reply, isApplied) => {
        this.showTransaction(Array.isArray(reply) ? transaction.requests : []);
        connection.database = transaction.databaseAfter(reply, connection.database);
        if (connection.tracking !== undefined) connection.tracking.caching = false;
        connection.complete(reply, isApplied);
      },
      fateUnknown: (error) => connection.fateUnknown(error),
      readInTransaction: (row, request) => {
        const { tracking } = connection;
        if (tracking?.remembers(caching || tracking.caching))
          server.audience.tracking.remember(connection, server.readKeys.of(row, request));
      },
      runInTransaction: (request, database) => this.runQueued(transaction, request, database),
    };
    replica.exec(target, connection.session, connection.database, watched, transaction.requests, bytes);
    // What follows may run in another database: that is known once the transaction has run.
    connection.queue.addItem(replica.turn, transaction.changesDatabase);
    return undefined;
  }

  /** Why a queued request may not run any more. */
  private denyQueued(queued: Buffer): ErrorReply | undefined {
    const { connection, server } = this;
    parseTrusted(queued, 0, this.stepRequest);
    const row = server.table.resolve(this.stepRequest);
    if (row instanceof ErrorReply) return undefined;
    return server.access.denyQueued(row.name, connection, this.stepRequest);
  }

  /** A transaction that only reads needs no log. */
  private execReads(transaction: Transaction): void {
    const { connection, server } = this;
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const { tracking } = connection;
    const caching = tracking?.caching === true;
    const run = (): void => {
      const results: Reply[] = [];
      if (tracking !== undefined) tracking.caching = caching;
      for (const request of transaction.requests) {
        parseTrusted(request, 0, this.stepRequest);
        results.push(detach(this.runQueued(transaction, this.stepRequest, connection.database)));
      }
      if (tracking !== undefined) tracking.caching = false;
      connection.encode(results);
      this.showTransaction(transaction.requests);
    };
    if (connection.queue.isEmpty && server.mayReadNow(connection.consistency)) run();
    else this.readLater(run);
  }

  private runQueued(transaction: Transaction, request: Request, database: number): Reply {
    const { connection } = this;
    connection.executing = { transaction, database };
    try {
      return this.runInTransaction(request, database);
    } finally {
      connection.executing = undefined;
    }
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

  /** A command at its place in EXEC: a read, or one of the program's. */
  runInTransaction(request: Request, database: number): Reply {
    const { connection, server } = this;
    const denial = refusedRequest(request);
    if (denial !== undefined) return denial;
    const row = server.table.resolve(request);
    if (row instanceof ErrorReply) return row;
    if (row.kind === 'read') {
      const reply = this.evaluate(row, request, database);
      return reply === BLOCKED ? NULL_ARRAY : reply;
    }
    if (row.kind === 'write') throw new Error(`'${row.name}' was not queued as a write`);
    try {
      const reply = (row as ProgramCommand).handler.run(request, connection, server);
      if (reply instanceof Promise) {
        // Nobody waits within EXEC; whatever it has begun goes on.
        reply.catch((error: unknown) => {
          if (!(error instanceof ErrorReply)) server.internalError(row.name, connection, error);
        });
        return replies.notInTransaction(row.name);
      }
      return reply ?? null;
    } catch (error) {
      return error instanceof ErrorReply ? error : connection.internalError(row, error);
    }
  }

  // ---- forwarding to the leader ----

  /** Whether the leader has requests of this client that it has not answered, be it only some that nobody waits for. */
  get awaitsLeader(): boolean {
    return this.passing?.awaitsReplies === true;
  }

  /** Bytes of requests that the leader has not answered. */
  get forwardedBytes(): number {
    return this.passing?.pendingBytes ?? 0;
  }

  /** What passes a request on, if only the leader can answer it. */
  private passedOn(row: Runnable | ErrorReply): PassingOn | undefined {
    const { connection } = this;
    if (row instanceof ErrorReply || connection.passedOnBy !== 0) return undefined;
    if (!connection.authenticated && !row.noAuth) return undefined;
    this.passing ??= new PassingOn(connection, this.leaderRoute());
    return this.passing.concerns(row) ? this.passing : undefined;
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
    { raw, heldSinceMs, hadWatch }: PassedRequest,
    row: Runnable,
    request: Request,
    passing: PassingOn | undefined,
  ): void {
    const { connection, server } = this;
    if (hadWatch === true) {
      // The node that watched the keys has ended that when it saw the EXEC.
      connection.transaction = undefined;
      connection.answer(NULL_ARRAY);
    } else if (passing === undefined) {
      const refusal =
        server.access.deny(row.name, connection, request, 'toplevel') ??
        connection.permissions.denyPatterns(row.name, request) ??
        (row.kind === 'write' ? server.refuseWrite(row.denyOutOfMemory, raw.length) : undefined);
      if (refusal === undefined) this.run(row, request, raw);
      else this.reject(refusal, row, request);
    } else if (!this.knowsLeader || !server.holds(heldSinceMs)) {
      this.reject(server.heldInVain(), row, request);
    } else {
      this.pass(passing, row, raw, heldSinceMs);
    }
  }

  /** Passes a request on. Should that fail, nobody knows what has gone out: the client is cut off. */
  private pass(passing: PassingOn, row: Runnable, raw: Buffer, heldSinceMs: number | undefined): void {
    try {
      passing.pass(row, raw, heldSinceMs);
    } catch (error) {
      this.connection.fault(row.name, error);
    }
  }

  private get knowsLeader(): boolean {
    return this.server.consensus.leaderAddress !== undefined;
  }

  leaderChanged(): void {
    this.passing?.leaderChanged();
  }

  private mustWaitToPassOn(passing: PassingOn, row: Runnable | ErrorReply): boolean {
    const { queue, replyMode } = this.connection;
    if (queue.hasItems || queue.hasReads) return true;
    if (replyMode !== 'on' && passing.awaitsReplies) return true;
    return passing.mustWait(row as Runnable);
  }

  /** The client does not read: nor is the leader read. */
  pause(): void {
    this.passing?.pause();
  }

  goOn(): void {
    this.passing?.resume();
  }

  /** The client will say no more, and everything that it said was sent. */
  end(): void {
    if (this.awaitsLeader) this.passing!.end();
  }

  /** The client is gone. */
  close(): void {
    this.passing?.close();
  }
}
