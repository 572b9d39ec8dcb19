/**
 * One client: its requests in order, their replies in the same order.
 *
 * Requests are read ahead of replies (pipelining). Three counts keep the order: `inFlight` items in the log, `waitingReads` reads
 * whose consistency is being made sure of, and `stalled`, set while nothing more may be read (a blocking command, a promise, a request that must wait for
 * those before it). A read behind a write of its own connection runs in apply, right behind that write, if it came before the write was
 * proposed: then the commit was its quorum round.
 */
import type { Socket } from 'node:net';
import {
  BLOCKED,
  detach,
  ErrorReply,
  errors,
  NULL_ARRAY,
  parseTrusted,
  QUEUED,
  type ReadCommand,
  type Reply,
  Request,
  type Runnable,
  type Session,
  type WriteCommand,
} from '../../engine/index.js';
import { type LeaderRoute, PassingOn } from '../cluster/forwarder.js';
import type { PassedRequest, Upstream, UpstreamOwner } from '../cluster/upstream.js';
import type { ProgramCommand } from '../commands/program-command.js';
import { remoteAddress } from '../net/socket-addresses.js';
import type { Message } from '../pubsub/message.js';
import { ClientSubscriptions, type Subscriber } from '../pubsub/subscriptions.js';
import type { PendingEntry, ReplyTarget } from '../replication/replica.js';
import { NotLeading, replies } from '../replies.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import { defaultRequestLimits, RequestParser } from '../resp/request-parser.js';
import type { Server } from '../server.js';
import { ClientOutput } from './output.js';
import { type Transaction, WatchList } from './transaction.js';

export type Consistency = 'low' | 'medium' | 'high';

/** The commands that MULTI lets through. */
const TRANSACTION_CONTROL = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

/** What a client that subscribes to anything may send in RESP2. */
const SUBSCRIBER_COMMANDS = new Set([
  'ping',
  'subscribe',
  'ssubscribe',
  'unsubscribe',
  'sunsubscribe',
  'psubscribe',
  'punsubscribe',
  'quit',
  'reset',
]);

/** After these no key is watched any more. */
const ENDS_WATCH = new Set(['discard', 'reset', 'unwatch']);

/** A request that was read and must run before the parser goes on. */
interface Deferred {
  readonly raw: Buffer;
  /** What came back from a leader that did not take it. */
  readonly returned?: PassedRequest;
}

export class Connection implements ReplyTarget, UpstreamOwner, Subscriber {
  readonly session: Session;
  readonly parser: RequestParser;
  private readonly output: ClientOutput;

  // What the client set.
  database = 0;
  authenticated: boolean;
  name = '';
  libraryName = '';
  libraryVersion = '';
  noEvict = false;
  noTouch = false;
  replyMode: 'on' | 'off' | 'skip' | 'skip next' = 'on';
  consistency: Consistency;
  transaction: Transaction | undefined;
  /** While EXEC runs the program's own commands: what they are part of, and the database they run in. */
  executing: { readonly transaction: Transaction; readonly database: number } | undefined;
  /** Undefined until it first subscribes. */
  subscriptions: ClientSubscriptions | undefined;
  readonly watched: WatchList;

  // For CLIENT LIST and limits.
  readonly createdMs: number;
  lastActiveMs: number;
  lastCommand = '';
  commandsProcessed = 0;

  /** EXEC runs a command of the program: nothing may wait. */
  inExec = false;
  /** A blocking command of this client is in the log or waits in the engine. */
  blocked = false;
  closing = false;
  /** The client has ended its side: what it has sent is still answered. */
  private hasEnded = false;
  /** A blocking command of this client is known to wait. */
  private isWaiting = false;
  /** What this client is known to the node's account of memory to take. */
  private accountedBytes = 0;

  /** What becomes of its commands on a follower that passes them on; undefined while none was. */
  private passing: PassingOn | undefined;
  /** A command of the program has promised its reply. */
  private awaiting = false;
  private inFlight = 0;
  private waitingReads = 0;
  private stalled = false;
  /** In their order. */
  private deferred: Deferred[] = [];
  /** Where the last item of this connection lies: later steps go behind it. */
  private tailEntry: PendingEntry | undefined;
  private tailOrdinal = 0;
  private readonly stepRequest = new Request();
  private readonly deferredRequest = new Request();
  /** Within {@link receive}, which flushes at its end. */
  private receiving = false;
  /** The server knows that there is output. */
  private noted = false;

  constructor(
    readonly id: number,
    readonly socket: Socket,
    private readonly server: Server,
    /** The node that passes this client's commands on; 0 for a client of this node's own. */
    readonly passedOnBy = 0,
  ) {
    this.session = { nodeId: server.session.nodeId, startId: server.session.startId, counter: id };
    this.watched = new WatchList(server.engine.keyspace.hashSeed);
    this.authenticated = !server.authenticationRequired;
    this.consistency = server.consistency;
    this.createdMs = this.lastActiveMs = server.clock();
    this.parser = new RequestParser({
      ...defaultRequestLimits,
      get maxBulkLength(): number {
        return server.maxBulkLength;
      },
      authenticated: () => this.authenticated,
    });
    this.output = new ClientOutput(socket, server.limits, server.statistics, {
      paused: () => this.passing?.pause(),
      drained: () => this.goOnReading(),
      exceeded: (unsentBytes) =>
        server.closeClient(this, `${unsentBytes} bytes of replies wait unread (client-output-buffer-limit)`),
    });
  }

  get writer(): ReplyWriter {
    return this.output.writer;
  }

  get protocol(): 2 | 3 {
    return this.writer.protocol;
  }

  // ---- reading requests ----

  /** Takes bytes from the socket; they are only borrowed until this returns. */
  receive(chunk: Buffer): void {
    const { server } = this;
    this.lastActiveMs = server.turnTimeMs();
    server.statistics.reads++;
    server.statistics.inputBytes += chunk.length;
    this.receiving = true;
    this.parser.feed(chunk);
    this.consume();
    this.receiving = false;
    if (this.queryBufferBytes > server.limits.queryBytes) {
      server.closeClient(this, `${this.queryBufferBytes} bytes of requests wait (client-query-buffer-limit)`);
      return;
    }
    // The replies of what is in flight mostly follow within this turn: they leave with these.
    if (this.inFlight > 0 && this.writer.length > 0) this.flushSoon();
    else this.flush();
    this.account();
  }

  private consume(): void {
    const { output } = this;
    while (!this.stalled && !this.closing && !output.isPaused && this.parser.next()) {
      this.execute(this.parser.request);
      if (output.isFull) output.flush();
    }
    // The chunk was only borrowed; the parser keeps what a stalled connection has not yet taken.
    if (this.stalled || output.isPaused) this.parser.hold();
    if (this.parser.error !== undefined && !this.closing && !this.stalled) {
      if (this.awaitsUpstream) {
        this.stalled = true;
        return;
      }
      this.answer(new ErrorReply(`ERR Protocol error: ${this.parser.error}`));
      this.closeAfterReplies();
    }
  }

  /** Goes on after a stall, once what it waited for has come. */
  resume(): void {
    if (!this.stalled || this.blocked || this.closing) return;
    this.stalled = false;
    for (let next = this.deferred.shift(); next !== undefined; next = this.deferred.shift()) {
      parseTrusted(next.raw, 0, this.deferredRequest);
      this.execute(this.deferredRequest, next);
      if (this.stalled) break;
    }
    this.consume();
    this.flush();
    this.account();
  }

  /** Goes on once the client has read its replies. */
  private goOnReading(): void {
    this.passing?.resume();
    if (!this.stalled) this.consume();
    this.flush();
    this.account();
  }

  /** Brings the node's account of what clients take up to date. */
  account(): void {
    const bytes = this.heldBytes;
    if (bytes === this.accountedBytes) return;
    this.server.clientMemory.bytes += bytes - this.accountedBytes;
    this.accountedBytes = bytes;
  }

  /** Bytes that requests, transaction, watched keys and replies of this client take. */
  get heldBytes(): number {
    return (
      this.parser.bufferedBytes +
      (this.deferred?.length ?? 0) +
      (this.transaction?.queuedBytes ?? 0) +
      this.watched.bytes +
      (this.passing?.pendingBytes ?? 0) +
      this.output.unsentBytes
    );
  }

  /** Bytes of replies that the client has not been sent. */
  get unsentBytes(): number {
    return this.output.unsentBytes;
  }

  /** Puts a request aside until everything before it is answered. */
  private defer(deferred: Deferred | undefined): void {
    this.deferred.unshift(deferred ?? { raw: this.copyRaw() });
    this.stalled = true;
  }

  private get idle(): boolean {
    return this.inFlight === 0 && this.waitingReads === 0 && !this.awaitsUpstream;
  }

  private get awaitsUpstream(): boolean {
    return this.passing?.awaitsReplies === true;
  }

  /** The bytes of the request at hand, as RESP. */
  private copyRaw(): Buffer {
    const { request, requestStart, requestEnd } = this.parser;
    return Buffer.from(request.buffer.subarray(requestStart, requestEnd));
  }

  // ---- running them ----

  private execute(request: Request, deferred?: Deferred): void {
    if (request.count === 0) return;
    const server = this.server;
    const row = server.table.resolve(request);
    const returned = deferred?.returned;
    if (returned?.transaction !== undefined) this.transaction = returned.transaction;
    const passing = server.passesOn ? this.passedOn(row) : undefined;
    if (passing === undefined ? this.mustWait(row, request) : this.mustWaitToPassOn(passing, row)) {
      this.defer(deferred);
      return;
    }
    if (
      passing !== undefined &&
      server.consensus.leaderAddress === undefined &&
      server.holds(returned?.heldSinceMs)
    ) {
      this.defer(deferred);
      server.awaitLeader(this);
      return;
    }
    const raw = deferred?.raw;
    if (returned !== undefined) {
      this.runReturned(returned, row as Runnable, request, passing);
      return;
    }
    if (this.replyMode === 'skip next') this.replyMode = 'skip';
    else if (this.replyMode === 'skip') this.replyMode = 'on';
    this.commandsProcessed++;
    if (row instanceof ErrorReply) {
      // A browser that was made to send requests here: nothing of what it sends may run, as in Redis.
      if (request.is(0, 'POST') || request.is(0, 'HOST:')) {
        server.closeClient(this, `it speaks HTTP ('${request.latin1(0)}')`);
        return;
      }
      this.reject(row, undefined, request);
      return;
    }
    this.lastCommand = row.name;
    server.countCommand(row);
    if (!this.authenticated && !row.noAuth) {
      this.reject(replies.noAuth, row, request);
      return;
    }
    if (this.isSubscriber && this.protocol === 2 && !SUBSCRIBER_COMMANDS.has(row.name)) {
      this.reject(replies.subscriberMode(row.name), row, request);
      return;
    }
    if (this.transaction !== undefined && !TRANSACTION_CONTROL.has(row.name)) {
      this.queue(row, request, raw);
      return;
    }
    if (this.passing?.watchesElsewhere && ENDS_WATCH.has(row.name)) this.passing.forgetWatched();
    if (passing === undefined) this.run(row, request, raw);
    else if (server.consensus.leaderAddress === undefined) this.reject(server.notLeading(), row, request);
    else passing.pass(row, raw ?? this.copyRaw(), undefined);
  }

  private run(row: Runnable, request: Request, raw: Buffer | undefined): void {
    if (row.kind === 'read') this.read(row, request, raw);
    else if (row.kind === 'write') this.write(row, request, raw);
    else this.runProgram(row as ProgramCommand, request);
  }

  /** Runs a request that a leader did not take. It was counted and checked when it came. */
  private runReturned(
    { raw, heldSinceMs, hadWatch }: PassedRequest,
    row: Runnable,
    request: Request,
    passing: PassingOn | undefined,
  ): void {
    const { server } = this;
    if (hadWatch === true) {
      // The node that watched the keys has ended that when it saw the EXEC.
      this.transaction = undefined;
      this.encode(NULL_ARRAY);
    } else if (passing === undefined) {
      this.run(row, request, raw);
    } else if (server.consensus.leaderAddress === undefined || !server.holds(heldSinceMs)) {
      this.reject(server.heldInVain(), row, request);
    } else {
      passing.pass(row, raw, heldSinceMs);
    }
  }

  /** Whether a request may not run yet: it is put aside before it leaves any trace. */
  private mustWait(row: Runnable | ErrorReply, request: Request): boolean {
    if (this.awaitsUpstream) return true;
    // What changes how replies are given must not change earlier ones.
    if (this.replyMode !== 'on' && !this.idle) return true;
    if (row instanceof ErrorReply) return false;
    if (this.server.pauses.holdsUp(row, this)) return true;
    if (row.kind === 'read') return row.wait?.mayWait(request) === true && !this.idle;
    if (this.transaction !== undefined && !TRANSACTION_CONTROL.has(row.name)) return false;
    // The reads before a write must not see it.
    if (row.kind === 'write') return this.waitingReads > 0;
    const { handler } = row as ProgramCommand;
    if (handler.writes === true) return this.waitingReads > 0;
    return handler.ordered && !this.idle;
  }

  /** Refuses a command before it runs; `row` is undefined when it is none. An EXEC that is refused ends its transaction, and says so. */
  private reject(error: ErrorReply, row: Runnable | undefined, request: Request): void {
    if (row !== undefined) this.server.statistics.countRejection(row);
    if (request.is(0, 'EXEC')) {
      this.transaction = undefined;
      this.watched.clear();
      error = replies.execAbortedBecause(error);
    }
    if (this.transaction !== undefined) this.transaction.failed = true;
    this.server.countError(error);
    this.answer(error);
  }

  private queue(row: Runnable, request: Request, raw: Buffer | undefined): void {
    const transaction = this.transaction!;
    if (row.noMulti || (row.kind === 'other' && (row as ProgramCommand).handler.waits === true)) {
      this.reject(new ErrorReply('ERR Command not allowed inside a transaction'), row, request);
      return;
    }
    // Queueing takes memory, too, whatever the command.
    this.account();
    if (!this.server.hasMemory()) {
      this.reject(errors.outOfMemory, row, request);
      return;
    }
    if (row.name === 'select') transaction.queuesSelect(request);
    transaction.queue(raw ?? this.copyRaw());
    if (row.kind === 'write') transaction.writes = true;
    if (row.denyOutOfMemory) transaction.denyOutOfMemory = true;
    this.answer(QUEUED);
  }

  private runProgram(row: ProgramCommand, request: Request): void {
    let reply: ReturnType<ProgramCommand['handler']['run']>;
    try {
      reply = row.handler.run(request, this, this.server);
    } catch (error) {
      reply = error instanceof ErrorReply ? error : this.internalError(row, error);
    }
    if (reply instanceof Promise) this.waitFor(row, reply);
    else if (reply !== undefined) this.answer(reply);
  }

  private waitFor(row: Runnable, promise: Promise<Reply | undefined>): void {
    this.stalled = true;
    this.blocked = this.awaiting = true;
    const done = (reply: Reply | undefined): void => {
      this.blocked = this.awaiting = false;
      if (reply !== undefined) this.answer(reply);
      this.resume();
      this.flush();
    };
    promise.then(done, (error: unknown) =>
      done(error instanceof ErrorReply ? error : this.internalError(row, error)),
    );
  }

  /** A handler has failed in a way that it does not foresee: this client gets an error and is closed; nobody else notices. */
  private internalError(row: Runnable, error: unknown): ErrorReply {
    this.closeAfterReplies();
    return this.server.internalError(row.name, this, error);
  }

  /** Gives a reply that is known already, behind all that are still to come before it. */
  answer(reply: Reply): void {
    if (this.idle) {
      this.encode(reply);
      return;
    }
    const kept = detach(reply);
    this.behindTail(() => this.encode(kept));
  }

  /** Writes a reply whose turn it is. */
  encode(reply: Reply): void {
    if (reply instanceof ErrorReply) {
      this.server.countErrorReply(reply);
      if (this.passedOnBy !== 0 && reply instanceof NotLeading) {
        // As a bulk error, which is no reply of any command: the node that passed it on may try another one.
        this.writer.writeRaw(Buffer.from(`!${Buffer.byteLength(reply.text)}\r\n${reply.text}\r\n`));
        if (!this.receiving) this.flushSoon();
        return;
      }
    }
    if (this.replyMode === 'off' || this.replyMode === 'skip') return;
    try {
      this.output.write(reply);
    } catch (error) {
      // Half a reply may have been written: nothing can be said behind it.
      this.server.internalError('a reply', this, error);
      this.cutOff();
      return;
    }
    if (!this.receiving) this.flushSoon();
  }

  /** Runs `step` behind the last item or read of this connection. */
  private behindTail(step: () => void): void {
    if (this.waitingReads > 0) this.waitWithReads(step);
    else this.tailEntry!.after(this.tailOrdinal, step);
  }

  /** Queues a step among the reads of this connection; `drop` is called instead if they are refused, or `step` all the same. */
  private waitWithReads(step: () => void, drop?: (error: ErrorReply) => void): void {
    this.waitingReads++;
    const waited = (): void => {
      this.waitingReads--;
      if (this.idle && this.stalled) this.server.resumeSoon(this);
    };
    this.server.reads.add(
      this,
      () => {
        waited();
        step();
      },
      (error) => {
        waited();
        if (drop === undefined) step();
        else drop(error);
      },
    );
  }

  // ---- reads ----

  private read(row: ReadCommand, request: Request, raw: Buffer | undefined): void {
    const server = this.server;
    if (row.wait?.mayWait(request) === true) {
      this.readOrWait(row, raw ?? this.copyRaw());
      return;
    }
    if (this.idle && server.mayReadNow(this.consistency)) {
      if (row.mayBeSlow || this.noTouch) this.readTimed(row, request, this.database);
      else this.encode(this.runRead(row, request, this.database));
      return;
    }
    const refusal = server.refuseRead(this.consistency);
    if (refusal !== undefined) {
      this.answer(refusal);
      return;
    }
    const kept = raw ?? this.copyRaw();
    const database = this.database;
    this.readLater(() => {
      parseTrusted(kept, 0, this.stepRequest);
      if (row.mayBeSlow || this.noTouch) this.readTimed(row, this.stepRequest, database);
      else this.encode(this.runRead(row, this.stepRequest, database));
    });
  }

  /** A read that waits when it finds nothing: it is proposed then. This connection is idle, and what follows stands behind it. */
  private readOrWait(row: ReadCommand, request: Buffer): void {
    const { server } = this;
    const refusal = server.refuseRead(this.consistency);
    if (refusal !== undefined) {
      this.answer(refusal);
      return;
    }
    const run = (): void => {
      parseTrusted(request, 0, this.stepRequest);
      const reply = this.runRead(row, this.stepRequest, this.database);
      if (reply === BLOCKED) this.write(row, this.stepRequest, request);
      else this.encode(reply);
    };
    if (server.mayReadNow(this.consistency)) run();
    else {
      this.stalled = true;
      this.readLater(run);
    }
  }

  /** A read changes nothing: if it fails in a way that it does not foresee, nothing but its reply is lost. */
  private runRead(row: ReadCommand, request: Request, database: number): Reply {
    const { server } = this;
    try {
      return server.engine.read(row, request, database, server.timeMs);
    } catch (error) {
      return this.internalError(row, error);
    }
  }

  /** Runs a read that is no everyday one: with an eye on the clock for the slow log, or leaving access times alone. */
  private readTimed(row: ReadCommand, request: Request, database: number): void {
    const beganMs = performance.now();
    const { server } = this;
    const { keyspace } = server.engine;
    keyspace.untouched = this.noTouch && row.name !== 'touch';
    this.encode(this.runRead(row, request, database));
    keyspace.untouched = false;
    const durationUs = Math.round((performance.now() - beganMs) * 1000);
    server.statistics.countDuration(row, durationUs);
    server.noteSlow(request, this, durationUs);
  }

  /** Runs `step` on a state that is as fresh as the connection's consistency demands, in the order of the connection. */
  readLater(step: () => void): void {
    if (this.inFlight > 0) {
      // A quorum that has answered before the read came says nothing of it: another leader may have been at work since.
      if (this.consistency === 'high' && this.tailEntry!.isProposed && !this.server.consensus.readsAreLocal())
        this.readBehindTick(step);
      else this.tailEntry!.after(this.tailOrdinal, (isApplied) => this.runOrRefuse(step, isApplied));
    } else if (this.waitingReads === 0 && this.server.isLeader && this.server.meetsDueKey()) {
      this.readBehindTick(step);
    } else {
      this.waitWithReads(step, (error) => this.encode(error));
    }
  }

  /** {@link readLater}, or at once where nothing is to be waited for. */
  readNowOrLater(step: () => void): void {
    if (this.idle && this.server.mayReadNow('high')) step();
    else this.readLater(step);
  }

  /** Leadership may have been lost with the write that a read stands behind. */
  private runOrRefuse(step: () => void, isApplied: boolean): void {
    const { server, consistency } = this;
    const mayBeStale = !isApplied && consistency !== 'low';
    const refusal = server.refuseRead(consistency) ?? (mayBeStale ? server.notLeading() : undefined);
    if (refusal === undefined) step();
    else this.encode(refusal);
  }

  /** Runs `step` behind an item of this turn: once it is applied, logged time is up to date, and a quorum has answered since the read came. */
  private readBehindTick(step: () => void): void {
    const { replica } = this.server;
    const { turn } = replica;
    // A step runs behind an item. In an empty turn that must not be the write which this client sends next: the read stands before it.
    if (turn.targets.length === 0) replica.item(undefined, 0, (builder) => builder.forget(this.session));
    this.tailEntry = turn;
    this.tailOrdinal = turn.targets.length - 1;
    this.inFlight++;
    turn.after(this.tailOrdinal, (isApplied) => {
      this.finishItem();
      this.runOrRefuse(step, isApplied);
    });
  }

  // ---- writes ----

  private write(row: WriteCommand | ReadCommand, request: Request, raw: Buffer | undefined): void {
    const { requestStart, requestEnd } = this.parser;
    const refusal = this.server.refuseWrite(row.denyOutOfMemory, raw?.length ?? requestEnd - requestStart);
    if (refusal !== undefined) {
      this.reject(refusal, row, request);
      return;
    }
    const replica = this.server.replica;
    if (raw === undefined) {
      this.tailOrdinal = replica.command(
        this,
        this.session,
        this.database,
        request.buffer,
        requestStart,
        requestEnd,
      );
    } else {
      this.tailOrdinal = replica.command(this, this.session, this.database, raw, 0, raw.length);
    }
    this.tailEntry = replica.turn;
    this.inFlight++;
    if (row.blocking) this.blocked = this.stalled = true;
  }

  /** EXEC: all that was queued, as one item. */
  exec(): Reply | undefined {
    const transaction = this.transaction!;
    const watchedBytes = this.watched.bytes;
    const watched = this.watched.take();
    this.transaction = undefined;
    const isWatchLost = this.passing?.watchesElsewhere === true;
    this.passing?.forgetWatched();
    if (transaction.failed) return replies.execAborted;
    // The keys were watched at a leader that this client has lost: they may have changed.
    if (isWatchLost) return NULL_ARRAY;
    const { requests } = transaction;
    if (!transaction.writes && watched.length === 0) {
      this.execReads(transaction);
      return undefined;
    }
    const bytes = transaction.queuedBytes + watchedBytes;
    const refusal = this.server.refuseWrite(transaction.denyOutOfMemory, bytes);
    if (refusal !== undefined) {
      this.server.countError(refusal);
      return replies.execAbortedBecause(refusal);
    }
    const replica = this.server.replica;
    const target: ReplyTarget = {
      complete: (reply) => {
        this.database = transaction.databaseAfter(reply, this.database);
        this.complete(reply);
      },
      fateUnknown: (error) => this.fateUnknown(error),
      runInTransaction: (request, database) => this.runQueued(transaction, request, database),
    };
    this.tailOrdinal = replica.exec(target, this.session, this.database, watched, requests, bytes);
    this.tailEntry = replica.turn;
    this.inFlight++;
    // What follows may run in another database: that is known once the transaction has run.
    if (transaction.changesDatabase) this.stalled = true;
    return undefined;
  }

  /** A transaction that only reads needs no log. */
  private execReads(transaction: Transaction): void {
    const refusal = this.server.refuseRead(this.consistency);
    if (refusal !== undefined) {
      this.answer(refusal);
      return;
    }
    const run = (): void => {
      const results: Reply[] = [];
      for (const request of transaction.requests) {
        parseTrusted(request, 0, this.stepRequest);
        results.push(detach(this.runQueued(transaction, this.stepRequest, this.database)));
      }
      this.encode(results);
    };
    if (this.idle && this.server.mayReadNow(this.consistency)) run();
    else this.readLater(run);
  }

  private runQueued(transaction: Transaction, request: Request, database: number): Reply {
    this.executing = { transaction, database };
    try {
      return this.runInTransaction(request, database);
    } finally {
      this.executing = undefined;
    }
  }

  runInTransaction(request: Request, database: number): Reply {
    const row = this.server.table.resolve(request);
    if (row instanceof ErrorReply) return row;
    if (row.kind === 'read') {
      const reply = this.runRead(row, request, database);
      return reply === BLOCKED ? NULL_ARRAY : reply;
    }
    if (row.kind === 'write') throw new Error(`'${row.name}' was not queued as a write`);
    this.inExec = true;
    try {
      const reply = (row as ProgramCommand).handler.run(request, this, this.server);
      if (reply instanceof Promise) {
        // Nobody waits within EXEC; whatever it has begun goes on.
        reply.catch((error: unknown) => {
          if (!(error instanceof ErrorReply)) this.server.internalError(row.name, this, error);
        });
        return replies.notInTransaction(row.name);
      }
      return reply ?? null;
    } catch (error) {
      return error instanceof ErrorReply ? error : this.internalError(row, error);
    } finally {
      this.inExec = false;
    }
  }

  complete(reply: Reply): void {
    if (reply === BLOCKED) {
      this.isWaiting = true;
      // Who hears nothing more of it waits for nothing.
      if (this.hasEnded) this.cutOff();
      return;
    }
    this.finishItem();
    this.encode(reply);
  }

  fateUnknown(error: ErrorReply): void {
    this.finishItem();
    this.encode(error);
  }

  private finishItem(): void {
    this.inFlight--;
    this.isWaiting = false;
    if (this.inFlight === 0) {
      this.tailEntry = undefined;
      // A command that blocks is the last one in flight: those before it do not end its wait.
      this.blocked = this.awaiting;
    }
    if (this.stalled) this.server.resumeSoon(this);
    else if (this.closing || this.hasEnded) this.flushSoon();
  }

  // ---- passing on to the leader ----

  /** What passes a request on, if only the leader can answer it. */
  private passedOn(row: Runnable | ErrorReply): PassingOn | undefined {
    if (row instanceof ErrorReply || this.passedOnBy !== 0 || (!this.authenticated && !row.noAuth))
      return undefined;
    this.passing ??= new PassingOn(this, this.leaderRoute());
    return this.passing.concerns(row) ? this.passing : undefined;
  }

  private leaderRoute(): LeaderRoute {
    const { server } = this;
    return {
      get leaderId(): number {
        return server.consensus.leaderId;
      },
      get databases(): number {
        return server.engine.keyspace.settings.databases;
      },
      dial: (): Upstream => server.dialLeader(this),
    };
  }

  private mustWaitToPassOn(passing: PassingOn, row: Runnable | ErrorReply): boolean {
    if (this.inFlight > 0 || this.waitingReads > 0) return true;
    if (this.replyMode !== 'on' && passing.awaitsReplies) return true;
    return passing.mustWait(row as Runnable);
  }

  leaderChanged(): void {
    this.passing?.leaderChanged();
  }

  takeBack(requests: readonly PassedRequest[], leaderId: number): void {
    if (this.socket.destroyed) return;
    const { server } = this;
    const nowMs = server.monotonicMs();
    for (const request of requests) request.heldSinceMs ??= nowMs;
    this.deferred = [...requests.map((returned) => ({ raw: returned.raw, returned })), ...this.deferred];
    this.stalled = true;
    if (server.consensus.hasLeader && server.consensus.leaderId !== leaderId) server.resumeSoon(this);
    else server.awaitLeader(this);
  }

  relay(bytes: Buffer): void {
    if (this.replyMode === 'off' || this.replyMode === 'skip') return;
    this.writer.writeRaw(bytes);
  }

  upstreamReady(): void {
    if (this.stalled && !this.server.isAwaitingLeader(this)) this.server.resumeSoon(this);
  }

  brokenOff(): void {
    this.flush();
    this.socket.destroy();
  }

  // ---- subscriptions ----

  /** What it has subscribed to, to be added to. */
  ownSubscriptions(): ClientSubscriptions {
    this.subscriptions ??= new ClientSubscriptions();
    return this.subscriptions;
  }

  /** Whether it subscribes to anything: in RESP2 most commands are refused then. */
  get isSubscriber(): boolean {
    return this.subscriptions !== undefined && this.subscriptions.size > 0;
  }

  /** Messages go between replies, at once: a reply is written whole. */
  deliver(message: Message): void {
    if (this.closing) return;
    this.writer.writeRaw(message.bytes(this.protocol));
    if (!this.receiving) this.flushSoon();
  }

  // ---- output ----

  /** {@link flush}, at the end of the turn at the latest. */
  private flushSoon(): void {
    if (this.noted) return;
    this.noted = true;
    this.server.hasOutput(this);
  }

  /** Sends what has gathered. */
  flush(): void {
    this.noted = false;
    this.output.flush();
    if (this.accountedBytes !== 0 || this.output.leftBytes !== 0) this.account();
    if (this.closing ? this.idle && !this.blocked : this.hasEnded && this.isDone) this.socket.end();
    else if (this.hasEnded && this.awaitsUpstream && !this.stalled && !this.output.isPaused)
      this.passing!.end();
  }

  /** Whether everything that the client has sent is answered. */
  private get isDone(): boolean {
    return this.idle && !this.blocked && !this.stalled && !this.output.isPaused;
  }

  /** host:port of the client. */
  get address(): string {
    return remoteAddress(this.socket);
  }

  /** Bytes of requests that were read and not yet run. */
  get queryBufferBytes(): number {
    return this.parser.bufferedBytes;
  }

  /** Answers what is in flight, then closes. */
  closeAfterReplies(): void {
    this.closing = true;
    this.flushSoon();
  }

  /** The client has ended its side: it will say no more, and still gets its replies. */
  ended(): void {
    this.hasEnded = true;
    if (this.isWaiting) this.cutOff();
    else this.flushSoon();
  }

  /** Ends the connection at once. */
  cutOff(): void {
    this.closing = true;
    this.socket.destroy();
  }

  /** The socket is gone. */
  disconnected(): void {
    this.closing = true;
    this.deferred = [];
    this.passing?.close();
    this.output.closed();
    this.server.clientMemory.bytes -= this.accountedBytes;
    this.accountedBytes = 0;
    if (this.blocked && this.inFlight > 0) this.server.forget(this.session);
  }
}
