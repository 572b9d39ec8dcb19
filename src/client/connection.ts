/**
 * One client: its socket, and its requests as they come. What it has set lies in `client-state.ts`. What a
 * request does is the router's; in which order replies leave is the reply queue's (`reply-queue.ts`), whether
 * a command may run is said by the list of checks (`admission.ts`).
 */
import type { Socket } from 'node:net';
import Denque from 'denque';
import {
  BLOCKED,
  detach,
  ErrorReply,
  Push,
  parseTrusted,
  type Reply,
  Request,
  type Runnable,
  type ScriptAudience,
  type Session,
} from '../../engine/index.js';
import type { ForwardedRequest } from '../cluster/upstream.js';
import { remoteAddress } from '../net/socket-addresses.js';
import type { OutOfBand } from '../pubsub/message.js';
import { NotLeading } from '../replies.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import { defaultRequestLimits, RequestParser } from '../resp/request-parser.js';
import type { PendingRead } from '../tracking/pending-reads.js';
import type { ClientHost, ScheduledClient } from './client-host.js';
import { ClientState } from './client-state.js';
import type { Consistency } from './consistency.js';
import { ClientOutput } from './output.js';
import { type PutBack, ReplyQueue, type ReplyQueueOwner, type SlotKind } from './reply-queue.js';
import { type Deferred, deferredOf, type RoutedClient } from './routed-client.js';
import { Router } from './router.js';
import { ScriptCalls } from './script-calls.js';
import { WatchList } from './transaction.js';

/** So many bytes of replies are written at once before the next read waits until they are sent. */
const READ_PAUSE_BYTES = 1024 * 1024;
/**
 * Replies that may wait where reads cannot be put off, since a write of the same client stands behind them.
 */
const READ_MAX_BYTES = 256 * 1024 * 1024;

/** More than this is not held until the turn ends. */
const TURN_BYTES = 16 * 1024;

const NOTHING = Buffer.alloc(0);

export class Connection extends ClientState implements RoutedClient, ScheduledClient, ReplyQueueOwner {
  readonly session: Session;
  readonly parser: RequestParser;
  private readonly output: ClientOutput;

  /** Whom the client's certificate names, where that is asked for; latin1. */
  readonly certificateUser: string | undefined;
  consistency: Consistency;
  readonly watched: WatchList;
  /** What the requests that were forwarded read, in their order, while it tracks keys. */
  private readonly forwardedReads = new Denque<PendingRead | undefined>();

  // For CLIENT LIST and limits.
  readonly createdMs: number;
  lastActiveMs: number;

  closing = false;
  /** The client has ended its side: what it has sent is still answered. */
  private hasEnded = false;
  /** Nothing reaches the client any more. */
  isCutOff = false;
  /** A blocking command of this client is known to wait. */
  private isWaiting = false;
  /** What this client is known to the node's account of memory to take. */
  private accountedBytes = 0;

  /** The replies that are still owed. */
  readonly queue: ReplyQueue;
  private readonly router: Router;
  readonly scripts: ScriptCalls;
  /** Reading stopped before all that came was looked at. */
  private hasUnread = false;
  /** Requests that were read and must run before the parser goes on, in their order. */
  private deferred: Deferred[] = [];
  private readonly deferredRequest = new Request();
  /** Within {@link receive}, which flushes at its end. */
  private receiving = false;
  /** The server knows that there is output. */
  private noted = false;

  constructor(
    readonly id: number,
    readonly socket: Socket,
    private readonly server: ClientHost,
    /** The node that forwards this client's commands; 0 for a client of this node's own. */
    readonly forwardedBy = 0,
  ) {
    super();
    this.session = { nodeId: server.session.nodeId, startId: server.session.startId, counter: id };
    this.watched = new WatchList(server.engine.keyspace.hashSeed);
    this.certificateUser = forwardedBy === 0 ? server.tls?.userOf(socket) : undefined;
    server.access.reset(this);
    this.consistency = server.consistency;
    this.createdMs = this.lastActiveMs = server.clock();
    this.parser = new RequestParser({
      ...defaultRequestLimits,
      get maxBulkLength(): number {
        return server.maxBulkLength;
      },
      authenticated: () => this.authenticated,
    });
    this.queue = new ReplyQueue(this, () => server.guide.refusal());
    this.scripts = new ScriptCalls(this, server);
    this.router = new Router(this, server);
    this.output = new ClientOutput(socket, () => server.limits.outputOf(this), server.statistics, {
      paused: () => this.router.pause(),
      drained: () => this.goOnReading(),
      exceeded: (unsentBytes) => this.exceeded(unsentBytes),
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
    // Written behind the turn, replies wake their clients once all sockets were read: half the system's time
    // where many clients send pipelines. What is large leaves now, so that little gathers in a turn.
    const { length } = this.writer;
    if (length > 0 && length < TURN_BYTES && !server.turn.isCrowded) this.flushSoon();
    else this.flush();
    this.account();
  }

  private consume(): void {
    const { output } = this;
    while (!this.isStalled && !this.closing && !output.isPaused && this.parser.next()) {
      this.router.execute(this.parser.request);
      if (output.isFull) output.flush();
    }
    // The chunk was only borrowed; the parser keeps what a stalled connection has not yet taken.
    this.hasUnread = this.isStalled || output.isPaused;
    if (this.hasUnread) this.parser.hold();
    if (this.parser.error !== undefined && !this.closing && !this.isStalled) {
      if (this.router.awaitsLeader) {
        this.hasUnread = true;
        return;
      }
      this.answer(new ErrorReply(`ERR Protocol error: ${this.parser.error}`));
      this.closeAfterReplies();
    }
  }

  /** Goes on after a stall, once what it waited for has come. */
  resume(): void {
    if (this.queue.isHeld || this.closing) return;
    for (let next = this.deferred.shift(); next !== undefined; next = this.deferred.shift()) {
      if (next.reply !== undefined) {
        this.answer(next.reply);
        continue;
      }
      parseTrusted(next.raw, 0, this.deferredRequest);
      this.router.execute(this.deferredRequest, next);
      if (this.deferred[0] === next || this.queue.isHeld) break;
    }
    this.consume();
    this.flush();
    this.account();
  }

  /** Goes on once the client has read its replies. */
  private goOnReading(): void {
    this.router.goOn();
    if (this.queue.advance()) this.moved();
    if (!this.isStalled) this.consume();
    this.flush();
    this.account();
  }

  /** Whether no request may be read: one was put aside, or the last one must be answered first. */
  private get isStalled(): boolean {
    return this.deferred.length > 0 || this.queue.isHeld;
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
      this.deferredBytes +
      (this.transaction?.queuedBytes ?? 0) +
      this.watched.bytes +
      this.router.forwardedBytes +
      (this.subscriptions?.bytes ?? 0) +
      (this.tracking?.prefixBytes ?? 0) +
      this.unsentBytes
    );
  }

  /** Bytes of replies that the client has not been sent. */
  get unsentBytes(): number {
    return this.output.unsentBytes + this.queue.pushBytes;
  }

  /** Puts a request aside until everything before it is answered. */
  defer(deferred: Deferred | undefined): void {
    this.deferred.unshift(deferred ?? { raw: this.copyRaw() });
  }

  private get deferredBytes(): number {
    return this.deferred.reduce((bytes, { raw }) => bytes + raw.length, 0);
  }

  /** Whether everything that was asked is answered. */
  get isIdle(): boolean {
    return this.queue.isEmpty && !this.router.awaitsLeader;
  }

  get blockedBy(): SlotKind | undefined {
    return this.queue.blockedBy;
  }

  /** How long the request at hand is. */
  get requestBytes(): number {
    return this.parser.requestEnd - this.parser.requestStart;
  }

  /** The bytes of the request at hand, as RESP. */
  copyRaw(): Buffer {
    const { request, requestStart, requestEnd } = this.parser;
    return Buffer.from(request.buffer.subarray(requestStart, requestEnd));
  }

  /** Gives a reply that is known already, behind all that are still to come before it. */
  answer(reply: Reply): void {
    if (this.queue.isEmpty) this.encode(reply);
    else this.queue.addReply(detach(reply));
  }

  /**
   * A handler has failed in a way that it does not foresee: this client gets an error and is closed; nobody
   * else notices.
   */
  internalError(row: Runnable, error: unknown): ErrorReply {
    this.closeAfterReplies();
    return this.server.internalError(row.name, this, error);
  }

  /** What is owed to this client cannot be said any more: it is cut off, and nobody else notices. */
  fault(what: string, error: unknown): void {
    this.server.internalError(what, this, error);
    this.cutOff();
  }

  /** Writes a reply whose turn it is. */
  encode(reply: Reply): void {
    if (this.isCutOff) return;
    if (reply instanceof ErrorReply) {
      this.server.countErrorReply(reply);
      if (this.forwardedBy !== 0 && reply instanceof NotLeading) {
        // As a bulk error, which is no reply of any command: the node that forwarded it may try another one.
        this.writeRaw(Buffer.from(`!${Buffer.byteLength(reply.text)}\r\n${reply.text}\r\n`));
        return;
      }
      if (reply instanceof NotLeading) reply = reply.saidTo(this.socket);
    }
    // What is pushed has a client that wants no replies, too.
    if ((this.replyMode === 'off' || this.replyMode === 'skip') && !(reply instanceof Push)) return;
    try {
      this.output.write(reply);
    } catch (error) {
      // Half a reply may have been written: nothing can be said behind it.
      this.fault('a reply', error);
      return;
    }
    if (!this.receiving) this.flushSoon();
  }

  /** Writes bytes that are RESP already. */
  writeRaw(bytes: Buffer, isShared = false): void {
    this.writer.writeRaw(bytes, isShared);
    if (!this.receiving) this.flushSoon();
  }

  // ---- what the reply queue asks ----

  mayRead(): boolean {
    return !this.output.isPaused && this.output.writer.length < READ_PAUSE_BYTES;
  }

  mustRead(): void {
    const unsent = this.output.unsentBytes;
    if (unsent > READ_MAX_BYTES && !this.isCutOff)
      this.server.closeClient(this, `${unsent} bytes of replies wait before its own writes`);
  }

  moved(): void {
    if (this.mustGoOn) this.server.resumeSoon(this);
    else if (this.closing || this.hasEnded) this.flushSoon();
  }

  /** Whether there is more to run than what is under way. */
  private get mustGoOn(): boolean {
    return this.hasUnread || this.deferred.length > 0;
  }

  // ---- what the log answers ----

  complete(reply: Reply, isApplied = true): void {
    if (reply === BLOCKED) {
      this.isWaiting = true;
      // Who hears nothing more of it waits for nothing.
      if (this.hasEnded) this.cutOff();
      return;
    }
    this.isWaiting = false;
    this.itemDone(reply, isApplied);
  }

  /** A waiter of this client has its reply: of one whose outcome was told as unknown nobody wants it. */
  wake(reply: Reply): void {
    if (this.isWaiting) this.complete(reply);
  }

  /** An item has its outcome. @param isSilent no reply is owed for it */
  itemDone(reply: Reply, isApplied: boolean, isSilent = false): void {
    try {
      this.queue.itemDone(isSilent ? undefined : reply, isApplied);
    } catch (error) {
      // This runs in apply: the state is sound, only this client cannot be told.
      this.fault('a reply', error);
    }
  }

  refused(error: ErrorReply, request: ForwardedRequest | undefined, isSilent = false): void {
    this.isWaiting = false;
    if (this.mayRunAnew && (isSilent || request !== undefined)) this.queue.itemReturned(request);
    else this.itemDone(error, false, isSilent);
  }

  readRefused(error: ErrorReply, request: ForwardedRequest): void {
    // What CLIENT CACHING has said of it cannot be said again.
    if (this.mayRunAnew && this.tracking?.asksByCommand !== true) this.queue.putBack(request);
    else this.queue.refuse(error);
  }

  /** Whether what was refused because this node does not lead runs as if it had just come. */
  private get mayRunAnew(): boolean {
    return this.forwardedBy === 0 && this.server.guide.mayLeadElsewhere;
  }

  runAnew(requests: readonly PutBack[]): void {
    if (this.isCutOff) return;
    this.deferred = [...deferredOf(requests, this.server.monotonicMs()), ...this.deferred];
    this.server.resumeSoon(this);
  }

  outcomeUnknown(error: ErrorReply): void {
    this.complete(error, false);
  }

  scriptAudience(): ScriptAudience | undefined {
    return this.scripts.audience;
  }

  runInTransaction(request: Request, database: number): Reply {
    return this.router.runInTransaction(request, database);
  }

  /** EXEC: all that was queued, as one item. */
  exec(): Reply | undefined {
    return this.router.exec();
  }

  /** Runs `step` on a state that is as fresh as a leader's, in the order of the connection. */
  readNowOrLater(step: () => void, request: () => Buffer): void {
    if (this.isIdle && this.server.mayReadNow('high', this.forwardedBy)) step();
    else this.router.readLater(step, request());
  }

  // ---- what the leader answers, for a follower that forwards ----

  relay(bytes: Buffer, isEnd: boolean): void {
    this.queue.relay(this.replyMode === 'off' || this.replyMode === 'skip' ? NOTHING : bytes, isEnd);
    if (isEnd && this.forwardedReads.length > 0)
      this.server.audience.tracking.endRead(this, this.forwardedReads.shift(), true);
  }

  lost(error: ErrorReply): void {
    this.queue.forwardedLost(error);
    this.server.audience.tracking.endRead(this, this.forwardedReads.shift(), false);
  }

  /** Requests are forwarded, which get one reply. */
  forwards(requests: readonly Buffer[]): void {
    this.queue.addForwarded();
    if (this.tracking !== undefined) this.forwardedReads.push(this.router.beginReads(requests));
  }

  upstreamReady(): void {
    if (this.mustGoOn && !this.server.awaitingLeader.has(this)) this.server.resumeSoon(this);
  }

  takeBack(requests: readonly ForwardedRequest[], leaderId: number): void {
    const back = this.queue.takenBack(requests);
    for (let i = 0; i < requests.length && this.forwardedReads.length > 0; i++)
      this.server.audience.tracking.endRead(this, this.forwardedReads.pop(), false);
    if (this.isCutOff) return;
    const { server } = this;
    this.deferred = [...deferredOf(back, server.monotonicMs()), ...this.deferred];
    if (server.consensus.hasLeader && server.consensus.leaderId !== leaderId) server.resumeSoon(this);
    else server.awaitLeader(this);
  }

  leaderChanged(): void {
    this.router.leaderChanged();
  }

  brokenOff(): void {
    this.flush();
    this.cutOff();
  }

  /** CLIENT TRACKING OFF, RESET, or the end. */
  stopTracking(): void {
    const { tracking } = this.server.audience;
    while (this.forwardedReads.length > 0) tracking.endRead(this, this.forwardedReads.shift(), false);
    tracking.disable(this);
  }

  // ---- subscriptions ----

  /** Messages go between replies, at once: a reply is written whole. */
  deliver(message: OutOfBand): void {
    if (this.closing) return;
    this.lastActiveMs = this.server.turnTimeMs();
    this.queue.push(message.bytes(this.protocol));
    // Of a burst within one turn no more may gather than the limit allows.
    if (this.output.isFull) this.output.flush();
    else if (this.queue.pushBytes > 0) this.limitPushes();
  }

  /** Messages that wait for the end of a reply whose other bytes this node does not have. */
  private limitPushes(): void {
    const { hardBytes } = this.server.limits.outputOf(this);
    if (hardBytes > 0 && this.unsentBytes > hardBytes) this.exceeded(this.unsentBytes);
  }

  private exceeded(unsentBytes: number): void {
    if (this.isCutOff) return;
    const what = this.isSubscriber || this.isMonitor ? 'messages and replies' : 'replies';
    this.server.closeClient(this, `${unsentBytes} bytes of ${what} wait unread (client-output-buffer-limit)`);
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
    // Reads that would have written too much at once.
    while (!this.output.isPaused && !this.isCutOff && this.queue.advance()) {
      this.output.flush();
      this.moved();
    }
    if (this.accountedBytes !== 0 || this.output.leftBytes !== 0) this.account();
    if (this.closing ? this.isIdle : this.hasEnded && this.isDone) this.socket.end();
    else if (this.hasEnded && !this.mustGoOn && !this.output.isPaused) this.router.end();
  }

  /** Whether everything that the client has sent is answered. */
  private get isDone(): boolean {
    return this.isIdle && !this.mustGoOn && !this.output.isPaused;
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
    this.closing = this.isCutOff = true;
    this.socket.destroy();
  }

  /** The socket is gone. */
  disconnected(): void {
    this.closing = this.isCutOff = true;
    this.deferred = [];
    this.stopTracking();
    this.router.close();
    this.output.closed();
    this.server.clientMemory.bytes -= this.accountedBytes;
    this.accountedBytes = 0;
    if (this.queue.blockedBy === 'log') this.server.forget(this.session);
  }
}
