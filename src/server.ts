/**
 * The program's middle: listens, keeps the connections, and brings together the engine, its place in the log and the clients.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { CommandCatalog } from '../engine/command-facts.js';
import {
  CommandTable,
  type Engine,
  type EntryBuilder,
  ErrorReply,
  engineCommands,
  errors,
  type Reply,
  type Runnable,
  type Session,
} from '../engine/index.js';
import type { Clock, RaftNode, Timer } from '../raft/node/index.js';
import { reuseReadBuffer } from './client-socket.js';
import { programCommands } from './commands/index.js';
import type { ConfigChange, Configuration } from './configuration.js';
import { Connection, type Consistency } from './connection.js';
import type { ConsensusNode } from './consensus.js';
import { Eviction } from './eviction.js';
import type { Log } from './log.js';
import { ReadQueue } from './reads.js';
import { Replica, type ReplyTarget } from './replica.js';
import { replies } from './replies.js';
import { Statistics } from './statistics.js';

/** How long a key may outlive its deadline, and a waiter its timeout, while nothing else is written. */
const TICK_MS = 100;
/** Elements of discarded values that are freed between two turns of the event loop. */
const FREED_PER_TURN = 2000;
/** Commands that are no writes and yet reach other clients: CLIENT PAUSE WRITE holds them up, too. */
const MAY_REPLICATE = new Set(['publish', 'spublish', 'pfcount']);
const DEFAULT_OUTPUT_LIMIT_BYTES = 1024 * 1024 * 1024;

export interface ServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly configuration: Configuration;
  readonly consistency: Consistency;
  readonly follower: 'try' | 'forward';
  readonly log: Log;
  /** Replaces the engine by one that is restored from a cut of it. */
  readonly reload: () => void;
  readonly clock: Clock;
  /** 32 random bits, to seed what an entry draws at random. */
  readonly randomSeed: () => number;
  /** A client asked for the end. */
  readonly shutdown: () => void;
}

/** CLIENT PAUSE. */
export interface Pause {
  readonly untilMs: number;
  readonly what: 'all' | 'write';
}

export class Server {
  readonly table = new CommandTable([...engineCommands, ...programCommands]);
  readonly connections = new Map<number, Connection>();
  readonly statistics = new Statistics();
  readonly reads: ReadQueue;
  readonly replica: Replica;
  readonly eviction: Eviction;
  readonly log: Log;
  readonly configuration: Configuration;
  /** Facts about every command, derived from the table when first asked for. */
  private commandCatalog: CommandCatalog | undefined;
  /** New at each start, as Redis's run id. */
  readonly runId = randomBytes(20).toString('hex');
  readonly configFile = '';
  password: string;
  consistency: Consistency;
  maxClients: number;
  keysLoaded = 0;
  peakMemory = 0;
  readonly snapshots = {
    lastSeconds: Math.floor(Date.now() / 1000),
    lastSucceeded: true,
    lastDurationSeconds: -1,
    count: 0,
  };
  outputLimitBytes = DEFAULT_OUTPUT_LIMIT_BYTES;
  paused: Pause | undefined;
  readonly startedMs = Date.now();

  private readonly net: NetServer;
  private nextConnectionId = 1;
  private readonly dirty: Connection[] = [];
  private readonly resuming: Connection[] = [];
  private resumeScheduled = false;
  private freeing = false;
  private turnMs = 0;
  private ticker: Timer;
  private pauseTimer: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    engine: Engine,
    readonly consensus: ConsensusNode,
    readonly session: Session,
    private readonly options: ServerOptions,
    private readonly failed: (what: string, error: unknown) => void,
  ) {
    this.log = options.log;
    this.configuration = options.configuration;
    this.password = options.configuration.text('requirepass');
    this.consistency = options.consistency;
    this.maxClients = options.configuration.integer('maxclients');
    this.replica = new Replica(engine, consensus, session, options.clock, options.randomSeed, {
      wake: (waiting, reply) => this.wake(waiting, reply),
      failed: (index, error) => this.fail(`entry ${index} could not be applied`, error),
      adopted: (previous) => this.adopted(previous),
      applied: () => this.afterApply(),
    });
    this.eviction = new Eviction(this.replica, () => this.isLeader);
    this.eviction.configure(this.configuration);
    this.reads = new ReadQueue(
      () => consensus.readIndex(),
      () => this.engine.appliedIndex,
      () => this.notLeading(),
      () => this.flushOutputs(),
      options.clock,
    );
    this.net = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 300_000, pauseOnConnect: true },
      (socket) => this.serve(reuseReadBuffer(socket)),
    );
    this.ticker = this.armTicker();
  }

  /** The consensus node itself, for whoever looks at or administers the cluster. */
  get node(): RaftNode {
    return this.consensus.node;
  }

  get catalog(): CommandCatalog {
    this.commandCatalog ??= new CommandCatalog(this.table.commands);
    return this.commandCatalog;
  }

  /** The state machine; another one after a snapshot was installed. */
  get engine(): Engine {
    return this.replica.engine;
  }

  // ---- life ----

  /** Resolves with the port once clients are served. Rejects as `net.Server` does when the address cannot be had. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.net.once('error', reject);
      this.net.listen(this.options.port, this.options.host, () => {
        this.net.off('error', reject);
        resolve(this.port);
      });
    });
  }

  get port(): number {
    const address = this.net.address();
    return typeof address === 'object' && address !== null ? address.port : this.options.port;
  }

  /** Stops accepting, answers what is in flight, and closes every connection. The node is stopped by its owner. */
  async close(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.ticker.cancel();
    clearTimeout(this.pauseTimer);
    const closed = new Promise<void>((resolve) => this.net.close(() => resolve()));
    this.replica.flush();
    await this.drained();
    for (const connection of this.connections.values()) {
      connection.flush();
      connection.socket.end();
    }
    // A client that does not read its last replies does not hold up the end.
    const impatience = setTimeout(() => {
      for (const connection of this.connections.values()) connection.socket.destroy();
    }, 500);
    await closed;
    clearTimeout(impatience);
  }

  private async drained(): Promise<void> {
    const deadline = Date.now() + 5000;
    while ((this.replica.pendingEntries > 0 || this.reads.waiting > 0) && Date.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  fail(what: string, error: unknown): void {
    this.failed(what, error);
  }

  // ---- clients ----

  /** Serves a client's connection until it ends. */
  serve(socket: Socket): void {
    this.statistics.connectionsReceived++;
    socket.on('error', () => socket.destroy());
    if (this.connections.size >= this.maxClients) {
      this.statistics.connectionsRejected++;
      socket.end(`-${replies.tooManyClients.text}\r\n`);
      return;
    }
    const connection = new Connection(this.nextConnectionId++, socket, this);
    this.connections.set(connection.id, connection);
    socket.on('data', (chunk: Buffer) => connection.receive(chunk));
    // A client that ends its side still gets its replies.
    socket.on('end', () => connection.closeAfterReplies());
    socket.on('close', () => {
      this.connections.delete(connection.id);
      connection.disconnected();
    });
  }

  get authenticationRequired(): boolean {
    return this.password !== '';
  }

  get maxBulkLength(): number {
    return this.engine.keyspace.settings['proto-max-bulk-len'];
  }

  private wake(session: Session, reply: Reply): void {
    this.connections.get(session.counter)?.complete(reply);
  }

  /** The session's client is gone while it waits: the engine is told through the log. */
  forget(session: Session): void {
    if (this.isLeader && !this.stopping)
      this.replica.item(undefined, (builder: EntryBuilder) => builder.forget(session));
  }

  // ---- consistency and leadership ----

  get isLeader(): boolean {
    return this.consensus.isLeader;
  }

  /** Whether a read may run on the state as it stands. */
  mayReadNow(consistency: Consistency): boolean {
    if (consistency === 'low') return !this.isLeader || !this.meetsDueKey();
    if (!this.consensus.isLeader || this.meetsDueKey()) return false;
    return consistency === 'medium' ? this.consensus.leaseValid : this.consensus.readsAreLocal();
  }

  /** Whether some key is due by this node's clock and not yet in logged time: a read must not see it, nor see it come back. */
  meetsDueKey(): boolean {
    const deadline = this.engine.keyspace.nextDeadline;
    return deadline !== undefined && deadline <= this.turnTimeMs() && deadline > this.engine.keyspace.now;
  }

  /** Why this node cannot serve a read at all, or undefined. */
  refuseRead(consistency: Consistency): ErrorReply | undefined {
    if (consistency === 'low') return undefined;
    if (!this.consensus.isLeader) return this.notLeading();
    if (consistency === 'medium' && !this.consensus.leaseValid) {
      return replies.noLeader('this leader has lost contact with its quorum');
    }
    return undefined;
  }

  /** Why this node cannot take a write now, or undefined. */
  refuseWrite(needsMemory: boolean): ErrorReply | undefined {
    if (!this.consensus.isLeader) return this.notLeading();
    return needsMemory && !this.eviction.admits() ? errors.outOfMemory : undefined;
  }

  private notLeading(): ErrorReply {
    const leader = this.consensus.leaderAddress;
    return leader === undefined ? replies.notLeader() : replies.tryLeader(leader);
  }

  // ---- time ----

  /** Wall clock, milliseconds since the epoch. */
  clock(): number {
    return this.options.clock.wallMs();
  }

  /** {@link clock}, read once a turn. */
  turnTimeMs(): number {
    if (this.turnMs === 0) {
      this.turnMs = this.clock();
      this.options.clock.afterInput(() => {
        this.turnMs = 0;
      });
    }
    return this.turnMs;
  }

  /** By which time-to-live replies are reckoned. */
  get timeMs(): number {
    return this.turnTimeMs();
  }

  private armTicker(): Timer {
    return this.options.clock.setTimer(TICK_MS, () => {
      this.ticker = this.armTicker();
      this.tick();
    });
  }

  private tick(): void {
    this.engine.keyspace.clockSeconds = Math.floor(this.clock() / 1000);
    this.eviction.tick();
    if (!this.isLeader) return;
    const deadline = this.engine.nextDeadline();
    if (deadline !== undefined && deadline <= this.clock()) this.replica.tick();
    this.freeDiscarded();
  }

  private freeDiscarded(): void {
    if (this.freeing || !this.engine.keyspace.hasDiscarded) return;
    this.freeing = true;
    const step = (): void => {
      this.engine.keyspace.freeDiscarded(FREED_PER_TURN);
      this.freeing = this.engine.keyspace.hasDiscarded;
      if (this.freeing) this.options.clock.afterInput(step);
    };
    this.options.clock.afterInput(step);
  }

  clockUs(): number {
    return Math.floor((performance.timeOrigin + performance.now()) * 1000);
  }

  // ---- administration ----

  /** Puts checked changes of the configuration into force on this node. */
  configure(changes: readonly ConfigChange[]): void {
    this.configuration.apply(changes);
    this.password = this.configuration.text('requirepass');
    this.maxClients = this.configuration.integer('maxclients');
    this.eviction.configure(this.configuration);
  }

  /** What belongs to the node and not to the state goes on with another engine. */
  private adopted(previous: Engine): void {
    Object.assign(this.engine.keyspace.statistics, previous.keyspace.statistics);
    this.eviction.configure(this.configuration);
  }

  /** DEBUG RELOAD: goes on with a copy of the state that went through a snapshot. */
  reload(): void {
    this.options.reload();
  }

  /** CONFIG REWRITE. */
  async rewriteConfiguration(): Promise<void> {
    throw new ErrorReply('ERR The server is running without a config file');
  }

  async takeSnapshot(): Promise<void> {
    const began = this.clock();
    try {
      await this.node.takeSnapshot();
      this.snapshots.lastSucceeded = true;
      this.snapshots.count++;
      this.snapshots.lastSeconds = Math.floor(this.clock() / 1000);
      this.snapshots.lastDurationSeconds = Math.round((this.clock() - began) / 1000);
      this.engine.keyspace.statistics.changesSinceSnapshot = 0;
    } catch (error) {
      this.snapshots.lastSucceeded = false;
      throw error;
    }
  }

  shutdown(): void {
    this.options.shutdown();
  }

  /** Bytes that keys and values take, and what they are kept in. */
  usedMemory(): number {
    const used = this.eviction.usedBytes;
    this.peakMemory = Math.max(this.peakMemory, used);
    return used;
  }

  /** How many followers have all that is committed now. */
  replicasCaughtUp(commit = this.node.status().commit): number {
    return this.node.status().peers.filter((peer) => !peer.learner && peer.match >= commit).length;
  }

  /** How many followers have all that was committed when asked; waits for `wanted` of them for at most `timeoutMs` (0: for ever). */
  async waitForReplicas(wanted: number, timeoutMs: number): Promise<number> {
    const { commit } = this.node.status();
    const until = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.clock() + timeoutMs;
    for (;;) {
      const caughtUp = this.replicasCaughtUp(commit);
      if (caughtUp >= wanted || this.clock() >= until || this.stopping) return caughtUp;
      await new Promise((resolve) => setTimeout(resolve, Math.min(10, until - this.clock())));
    }
  }

  // ---- pauses ----

  /** Whether CLIENT PAUSE holds a command of this connection up. */
  holdsUp(row: Runnable, connection: Connection): boolean {
    const pause = this.paused;
    if (pause === undefined || (!connection.authenticated && !row.noAuth)) return false;
    if (pause.what === 'all' || row.kind === 'write') return true;
    if (row.name === 'exec') return connection.transaction?.writes === true;
    return MAY_REPLICATE.has(row.name);
  }

  /** Pauses clients; of two pauses the longer and the stricter counts, as in Redis. */
  pause(pause: Pause): void {
    const before = this.paused;
    const paused: Pause = {
      untilMs: Math.max(pause.untilMs, before?.untilMs ?? 0),
      what: before?.what === 'all' ? 'all' : pause.what,
    };
    clearTimeout(this.pauseTimer);
    this.paused = paused;
    const left = Math.max(0, paused.untilMs - this.clock());
    if (left === 0) {
      this.unpause();
      return;
    }
    // Timers wait at most this long; a pause that is to last longer starts another one.
    this.pauseTimer = setTimeout(
      () => (this.clock() < paused.untilMs ? this.pause(paused) : this.unpause()),
      Math.min(left, 0x7fffffff),
    );
    this.pauseTimer.unref();
  }

  /** Whoever was held up goes on. */
  unpause(): void {
    clearTimeout(this.pauseTimer);
    if (this.paused === undefined) return;
    this.paused = undefined;
    for (const connection of this.connections.values()) this.resumeSoon(connection);
  }

  // ---- output ----

  /** The connection has output, or is to be closed; it is flushed at the end of the turn at the latest. */
  hasOutput(connection: Connection): void {
    if (this.dirty.push(connection) === 1) this.options.clock.afterInput(() => this.flushOutputs());
  }

  private flushOutputs(): void {
    if (this.dirty.length === 0) return;
    for (const connection of this.dirty.splice(0)) connection.flush();
  }

  private afterApply(): void {
    this.reads.applied();
    this.flushOutputs();
    this.freeDiscarded();
  }

  /** Lets a stalled connection go on, outside of apply. */
  resumeSoon(connection: Connection): void {
    this.resuming.push(connection);
    if (this.resumeScheduled) return;
    this.resumeScheduled = true;
    this.options.clock.afterInput(() => {
      this.resumeScheduled = false;
      for (const resumed of this.resuming.splice(0)) resumed.resume();
    });
  }

  // ---- counting ----

  countCommand(row: Runnable): void {
    this.statistics.countCommand(row.name);
  }

  /** A command was refused before it ran. */
  countError(error: ErrorReply): void {
    this.statistics.rejected++;
    this.countErrorReply(error);
  }

  countErrorReply(error: ErrorReply): void {
    this.statistics.countError(error.code);
  }

  /** For {@link ReplyTarget}s of the program itself: settings, evictions. */
  proposeItem(add: (builder: EntryBuilder) => number): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const target: ReplyTarget = {
        complete: resolve,
        fateUnknown: reject,
        runInTransaction: () => null,
      };
      this.replica.item(target, add);
    });
  }
}
