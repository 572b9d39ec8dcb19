/**
 * Composes engine, replication and clients: listens, keeps connections, serves what handlers ask of a node.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  CommandCatalog,
  CommandTable,
  type Engine,
  type EntryBuilder,
  ErrorReply,
  engineCommands,
  errors,
  type Reply,
  type Session,
} from '../engine/index.js';
import type { Clock, RaftNode, Timer } from '../raft/node/index.js';
import { AccessControl } from './client/access.js';
import { Admission, heldWrites, standardChecks } from './client/admission.js';
import { Audience } from './client/audience.js';
import { AuthenticationGate } from './client/authentication-gate.js';
import type { Client } from './client/client.js';
import type { AccountedClient, ClientHost, ScheduledClient } from './client/client-host.js';
import { Connections } from './client/connections.js';
import type { Consistency } from './client/consistency.js';
import { ClientLimits } from './client/limits.js';
import { NodeUsers } from './client/node-users.js';
import { Pauses } from './client/pauses.js';
import { Slices } from './client/slices.js';
import { TurnEnd } from './client/turn-end.js';
import type { Cluster } from './cluster/cluster.js';
import { LeaderWait } from './cluster/leader-wait.js';
import { notLeading } from './cluster/not-leading.js';
import { Upstream, type UpstreamOwner } from './cluster/upstream.js';
import { programCommands } from './commands/index.js';
import { ClusterSettings } from './config/cluster-settings.js';
import type { ConfigChange, Configuration } from './config/configuration.js';
import { configParameters } from './config/parameters.js';
import { LeaderGuide } from './discovery/leader-guide.js';
import { Topology } from './discovery/topology.js';
import { Housekeeping } from './housekeeping.js';
import { Listener } from './net/listener.js';
import type { Entrance } from './net/port.js';
import type { NodeTls } from './net/tls-port.js';
import { CommandTimer } from './observability/command-timer.js';
import { logFault } from './observability/faults.js';
import type { Log, LogLevel } from './observability/log.js';
import { LatencyMonitor, SlowLog } from './observability/slow-log.js';
import { Statistics } from './observability/statistics.js';
import type { Subscriptions } from './pubsub/subscriptions.js';
import { RdbSave } from './replicas/rdb-save.js';
import { Replicas } from './replicas/replicas.js';
import type { ConsensusNode } from './replication/consensus.js';
import type { DiskSpace } from './replication/disk-space.js';
import { Eviction } from './replication/eviction.js';
import { KeyChanges } from './replication/key-changes.js';
import { ReadQueue } from './replication/read-queue.js';
import { Replica, type ReplyTarget, type StateOwner, unappliable } from './replication/replica.js';
import { type LoadingProgress, SnapshotRecord } from './replication/snapshot-record.js';
import { replies } from './replies.js';
import type { ServerOptions } from './server-options.js';
import { ReadKeys } from './tracking/read-keys.js';

/** Nothing changes it: all servers of a process have the same one. */
const serverTable = new CommandTable([...engineCommands, ...programCommands]);

export class Server implements ClientHost {
  readonly table = serverTable;
  private readonly clients = new Connections(this);
  readonly connections = this.clients.byId;
  readonly statistics = new Statistics();
  readonly slowLog = new SlowLog();
  readonly latency = new LatencyMonitor();
  readonly reads: ReadQueue;
  readonly replica: Replica;
  readonly eviction: Eviction;
  /** Redis's own replicas of this node. */
  readonly replicas: Replicas = new Replicas(this);
  readonly rdbSave = new RdbSave(this);
  readonly keyChanges = new KeyChanges(() => this.engine);
  readonly log: Log;
  readonly configuration: Configuration;
  /** Facts about every command, derived from the table when first asked for. */
  private commandCatalog: CommandCatalog | undefined;
  /** New at each start, as Redis's run id. */
  readonly runId = randomBytes(20).toString('hex');
  /** Empty when there is none. */
  readonly configFile: string;
  /** The parameters' values before any CONFIG SET. */
  readonly configuredAtStart: ReadonlyMap<string, string>;
  readonly users: NodeUsers;
  readonly access = new AccessControl({
    engine: () => this.engine,
    catalog: () => this.catalog,
    ownPassword: () => this.configuration.text('requirepass'),
    logLength: () => this.configuration.integer('acllog-max-len'),
    nowMs: () => this.clock(),
  });
  consistency: Consistency;
  maxClients: number;
  keysLoaded = 0;
  peakMemory = 0;
  /** What clients' requests, transactions and replies take, and what is kept of what they read. */
  readonly clientMemory = { bytes: 0 };
  readonly audience: Audience;
  readonly readKeys = new ReadKeys(this.table);
  readonly snapshots = new SnapshotRecord();
  readonly slices = new Slices(() => this.options.clock);
  readonly authenticationGate = new AuthenticationGate(() => this.options.clock.monotonicMs());
  readonly limits = new ClientLimits();
  readonly topology: Topology;
  readonly guide: LeaderGuide;
  /** What may run. */
  readonly admission: Admission<AccountedClient>;
  readonly pauses = new Pauses(
    () => this.clock(),
    () => this.resumeAll(),
  );
  /** 40 hexadecimal digits that name the cluster. */
  readonly clusterId: string;
  /** The cluster's id as logs and data directories have it. */
  readonly clusterName: string;
  readonly startedMs: number;
  readonly tls: NodeTls | undefined;

  private readonly time: Clock;
  private readonly listener: Listener;
  readonly turn: TurnEnd;
  private readonly settings = new ClusterSettings(this);
  readonly leaderWait: LeaderWait;
  private readonly housekeeping: Housekeeping;
  private turnMs = 0;
  /** Resolves when the port is given up and every socket, be it a peer's, is gone. */
  ended: Promise<void> = Promise.resolve();
  isStopping = false;
  readonly timer: CommandTimer;
  /** Of a node that has a disk. */
  diskSpace: DiskSpace | undefined;
  /** How far the recovery is; undefined once everything may be served. */
  loading: LoadingProgress | undefined;

  constructor(
    private readonly owner: StateOwner,
    readonly consensus: ConsensusNode,
    readonly session: Session,
    readonly options: ServerOptions,
    private readonly failed: (what: string, error: unknown) => void,
  ) {
    this.log = options.log;
    this.tls = options.tls;
    this.turn = new TurnEnd(options.clock);
    this.time = options.time ?? options.clock;
    this.configuration = options.configuration;
    this.configFile = options.configFile ?? '';
    this.configuredAtStart = new Map(
      configParameters.map(({ name }) => [name, options.configuration.text(name)]),
    );
    this.users = new NodeUsers(this, options);
    this.clusterName = options.clusterId;
    this.clusterId = createHash('sha1').update(options.clusterId).digest('hex');
    this.consistency = options.consistency;
    this.maxClients = options.configuration.integer('maxclients');
    this.replica = new Replica(owner, consensus, session, this.time, options.randomSeed, {
      wake: ({ counter }, reply) => this.connections.get(counter)?.wake(reply),
      publish: (channel, message, isSharded) => this.audience.publish(channel, message, isSharded),
      refusal: () => this.guide.refusal(),
      failed: (index, error) => this.failed(unappliable(index), error),
      adopted: (previous) => this.adopted(previous),
      applied: () => this.afterApply(),
    });
    this.timer = new CommandTimer({
      statistics: this.statistics,
      slowLog: this.slowLog,
      latency: this.latency,
      configuration: this.configuration,
      wallMs: () => this.clock(),
      clientOf: (waiting) => this.connections.get(waiting.counter),
      table: () => this.table,
    });
    this.replica.watch = this.timer;
    this.startedMs = this.clock();
    this.audience = new Audience({
      connections: this.connections,
      log: this.log,
      session,
      memory: this.clientMemory,
      engine: () => this.engine,
      timeUs: () => this.clockUs(),
      trackedKeysMax: () => this.configuration.integer('tracking-table-max-keys'),
      afterInput: (step) => options.clock.afterInput(step),
    });
    this.eviction = new Eviction(
      this.replica,
      () => this.isLeader,
      () => this.clientMemory.bytes,
      options.randomSeed,
    );
    this.eviction.configure(this.configuration);
    this.limits.configure(this.configuration);
    this.reads = new ReadQueue(
      () => consensus.readIndex(),
      () => this.engine.appliedIndex,
      () => this.guide.refusal(),
      () => this.turn.flush(),
      options.clock,
    );
    this.admission = new Admission(
      standardChecks<AccountedClient>({
        isLoading: () => this.loading !== undefined,
        deny: (row, connection, request) => this.access.deny(row.name, connection, request),
        isPaused: (row, connection) => this.pauses.holdsUp(row, connection),
        refuseWrite: (needsMemory, bytes) => this.refuseWrite(needsMemory, bytes),
        hasMemory: (connection) => this.hasMemory(connection),
      }),
      () => this.loading !== undefined || this.pauses.current !== undefined,
    );
    this.listener = new Listener({
      hasPeers: options.cluster !== undefined,
      admit: (socket) => this.clients.admit(socket),
      turnedAway: () => {
        this.statistics.connectionsRejected++;
      },
      peer: (socket, { args, head }, proven) => {
        if (!consensus.isBound) {
          // Its messages could not be taken yet; it dials again.
          socket.destroy();
          return;
        }
        this.cluster.transport.accept(socket, args, Buffer.from(head), () => {
          this.statistics.connectionsReceived--;
          proven();
        });
      },
    });
    this.topology = new Topology(this, options.cluster);
    this.guide = new LeaderGuide(this, options.follower, options.clock);
    this.leaderWait = new LeaderWait(consensus, options.clock, (client) => this.resumeSoon(client));
    this.housekeeping = new Housekeeping(this, options.clock);
  }

  /** What this node's clients have subscribed to. */
  get subscriptions(): Subscriptions {
    return this.audience.subscriptions;
  }

  /** The consensus node itself, for whoever looks at or administers the cluster. */
  get node(): RaftNode {
    return this.consensus.node;
  }

  /** This node's part in its cluster. */
  get cluster(): Cluster {
    if (this.options.cluster === undefined) throw new ErrorReply('ERR this node has no cluster');
    return this.options.cluster;
  }

  get catalog(): CommandCatalog {
    this.commandCatalog ??= new CommandCatalog(this.table.commands);
    return this.commandCatalog;
  }

  /** The state machine; another one after a snapshot was installed. */
  get engine(): Engine {
    return this.owner.engine;
  }

  // ---- life ----

  /** Serves who connects to `port`; as long as {@link loading} is set, with what needs no keys. */
  listen(port: Entrance): void {
    this.listener.listen(port);
  }

  get port(): number {
    return this.listener.portNumber ?? this.options.port;
  }

  /** Stops accepting, answers what is in flight, closes all connections. Its owner stops the node. */
  async close(): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    this.replica.isClosing = true;
    this.housekeeping.stop();
    this.pauses.close();
    this.ended = this.listener.close();
    this.guide.look();
    for (const connection of [...this.leaderWait.awaiting]) connection.resume();
    this.replica.flush();
    await this.replica.drained(() => this.reads.waiting > 0);
    await this.replicas.close();
    await this.clients.closeAll();
  }

  // ---- clients ----

  /** Serves a connection until it ends. */
  serve(socket: Socket): void {
    this.listener.serve(socket);
  }

  /** Serves a client whose commands the node `from` forwards: it has counted and authenticated it. */
  serveForwarded(socket: Socket, from: number): void {
    this.clients.serveForwarded(socket, from);
  }

  /** The node `from` is lost: nobody waits for the clients whose commands it forwarded. */
  dropForwarded(from: number): void {
    this.clients.dropForwarded(from);
  }

  get maxBulkLength(): number {
    return this.engine.keyspace.settings['proto-max-bulk-len'];
  }

  /** The session's client is gone while it waits: the engine is told through the log. */
  forget(session: Session): void {
    if (this.isLeader && !this.isStopping)
      this.replica.item(undefined, 0, (builder: EntryBuilder) => builder.forget(session));
  }

  /** Ends a connection that takes more than it may. */
  closeClient(connection: Pick<Client, 'address' | 'cutOff'>, why: string): void {
    this.log.warning(`client ${connection.address} closed: ${why}`, { event: 'client-closed', reason: why });
    connection.cutOff();
  }

  /** For a fault that leaves no state in doubt: the log says what it was, the client where to look. */
  internalError(what: string, connection: Pick<Client, 'address'>, error: unknown): ErrorReply {
    return replies.internalError(logFault(this.log, what, connection.address, error));
  }

  // ---- consistency and leadership ----

  get isLeader(): boolean {
    return this.consensus.isLeader;
  }

  /** Whether a client's read may run on the state as it stands; the node `forwardedBy` forwards it, or 0. */
  mayReadNow(consistency: Consistency, forwardedBy: number): boolean {
    if (forwardedBy !== 0 && this.consensus.isBehind) return false;
    if (consistency === 'low') return !this.isLeader || !this.meetsDueKey();
    if (!this.consensus.isLeader || this.meetsDueKey()) return false;
    if (consistency === 'high') return this.consensus.readsAreLocal();
    // Before its first own commit a leader may not have applied what its predecessor acknowledged.
    return this.consensus.leaseValid && this.consensus.knowsCommitted();
  }

  /** Whether a key is due by this node's clock, not yet by logged time: no read may see it. */
  meetsDueKey(): boolean {
    const deadline = this.engine.keyspace.nextDeadline;
    return deadline !== undefined && deadline <= this.turnTimeMs() && deadline > this.engine.keyspace.now;
  }

  /** Whether this node forwards to the leader what only the leader can do. */
  get isForwarding(): boolean {
    return this.options.follower === 'forward' && !this.consensus.isLeader;
  }

  holds(heldSinceMs: number | undefined): boolean {
    return !this.isStopping && this.leaderWait.holds(heldSinceMs);
  }

  heldInVain(): ErrorReply {
    const { leaderAddress } = this.consensus;
    return leaderAddress === undefined
      ? this.notLeading()
      : replies.noLeader(`the leader at ${leaderAddress} cannot be reached`);
  }

  get awaitingLeader(): Set<ScheduledClient> {
    return this.leaderWait.awaiting;
  }

  awaitLeader(connection: ScheduledClient): void {
    this.leaderWait.awaiting.add(connection);
  }

  /** Another node leads, or none. Clients that wait for one are told when the node's own work is done. */
  leaderChanged(): void {
    if (this.isLeader) this.users.leads();
    this.guide.leaderChanged();
    this.leaderWait.look();
    this.options.clock.afterInput(() => {
      this.guide.look();
      for (const connection of this.connections.values()) connection.leaderChanged();
      this.leaderWait.resumeAll();
    });
  }

  /** Opens a way to the leader for one client. */
  dialLeader(owner: UpstreamOwner): Upstream {
    const { leaderId, leaderAddress = '' } = this.consensus;
    return new Upstream(
      leaderId,
      leaderAddress,
      owner,
      () => this.cluster.transport.dialClient(leaderId, leaderAddress),
      this.options.clock,
    );
  }

  /** Why this node cannot serve a read at all, or undefined. */
  refuseRead(consistency: Consistency): ErrorReply | undefined {
    if (consistency === 'low') return undefined;
    if (!this.consensus.isLeader) return this.notLeading();
    if (consistency === 'medium' && !this.consensus.quorumHeld) {
      return replies.noLeader('this leader has lost contact with its quorum');
    }
    return undefined;
  }

  /** Why this node cannot take a write of so many bytes now, or undefined. */
  refuseWrite(needsMemory: boolean, bytes = 0): ErrorReply | undefined {
    if (!this.consensus.isLeader) return this.notLeading();
    if (needsMemory && this.diskSpace?.isFull === true) return replies.diskFull;
    if (needsMemory && !this.eviction.admits()) return errors.outOfMemory;
    return this.replica.refusal(bytes);
  }

  /** Whether there is memory for what a client has this node keep; evicts first where the policy says so. */
  private hasMemory(connection: AccountedClient): boolean {
    connection.account();
    return this.isLeader ? this.eviction.admits() : this.eviction.hasRoom;
  }

  /** Where a client should go, or why there is nowhere to go. */
  notLeading(): ErrorReply {
    return notLeading(this.consensus, this.options.cluster, this.topology);
  }

  // ---- time ----

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.options.clock.setTimer(delayMs, callback);
  }

  /** Resolves after a while. */
  after(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.setTimer(delayMs, resolve);
    });
  }

  /** Milliseconds since the epoch as the next entry would be stamped: never behind the log. */
  clock(): number {
    return this.replica.timeMs();
  }

  monotonicMs(): number {
    return this.options.clock.monotonicMs();
  }

  /** {@link clock}, read once a turn. */
  turnTimeMs(): number {
    return this.turnMs !== 0 ? this.turnMs : this.beginTurn();
  }

  private beginTurn(): number {
    this.options.clock.afterInput(() => {
      this.turnMs = 0;
    });
    this.turnMs = this.clock();
    return this.turnMs;
  }

  /** By which time-to-live replies are reckoned. */
  get timeMs(): number {
    return this.turnTimeMs();
  }

  clockUs(): number {
    return this.time.wallUs?.() ?? this.time.wallMs() * 1000;
  }

  /** Time was moved: what is due by it comes with the next entry, and who is paused may go on. */
  timeMoved(): void {
    this.turnMs = 0;
    this.pauses.look();
  }

  // ---- administration ----

  /** Puts checked changes of the configuration into force on this node. */
  configure(changes: readonly ConfigChange[]): void {
    this.configuration.apply(changes);
    this.maxClients = this.configuration.integer('maxclients');
    this.eviction.configure(this.configuration);
    this.timer.configured();
    this.limits.configure(this.configuration);
    const names = changes.map(({ parameter }) => parameter.name);
    // Clients that are connected already, too.
    if (names.includes('tcp-keepalive')) this.limits.keepAlive(this.connections.values());
    if (names.includes('loglevel')) this.log.level = this.configuration.text('loglevel') as LogLevel;
  }

  /** Ends the waiting of clients of which nobody knows whether they were served. */
  releaseBlocked(isLost: (session: Session) => boolean): void {
    for (const connection of [...this.connections.values()]) {
      if (connection.blockedBy === undefined || !isLost(connection.session)) continue;
      this.connections.delete(connection.id);
      connection.outcomeUnknown(replies.outcomeUnknown);
      connection.closeAfterReplies();
    }
  }

  /** What belongs to the node and not to the state goes on with another engine. */
  private adopted(previous: Engine): void {
    // What the snapshot passed over may have served them.
    this.releaseBlocked(
      (session) =>
        previous.waiters.ofSession(session) !== undefined &&
        this.engine.waiters.ofSession(session) === undefined,
    );
    Object.assign(this.engine.keyspace.statistics, previous.keyspace.statistics);
    this.audience.adopted(previous, this.engine);
    this.users.adopted();
    this.settings.follow();
    this.eviction.configure(this.configuration);
    this.replicas.adopted();
  }

  /** Before anybody is served: puts the cluster's settings and users into force, or founds them. */
  settle(): Promise<void> {
    return this.settings.settle();
  }

  /** DEBUG RELOAD: goes on with a copy of the state that went through a snapshot. */
  reload(): void {
    if (this.loading !== undefined) throw replies.loading;
    this.options.reload();
  }

  /** RAFTDIGEST: see the state machine. */
  digest(index?: number): Promise<{ readonly index: number; readonly digest: string }> {
    return this.options.digest(index);
  }

  async takeSnapshot(): Promise<void> {
    try {
      await this.node.takeSnapshot();
    } catch (error) {
      this.snapshots.lastSucceeded = false;
      throw new ErrorReply(`ERR no snapshot was taken: ${(error as Error).message}`);
    }
  }

  shutdown(): void {
    this.options.shutdown();
  }

  /** Bytes of keys, values, what they are kept in, and clients; ten times a second the peak is noted. */
  usedMemory(): number {
    const used = this.eviction.usedBytes + this.clientMemory.bytes;
    this.peakMemory = Math.max(this.peakMemory, used);
    return used;
  }

  // ---- output ----

  hasOutput(connection: ScheduledClient): void {
    this.turn.hasOutput(connection);
  }

  resumeSoon(connection: ScheduledClient): void {
    this.turn.resumeSoon(connection);
  }

  private afterApply(): void {
    this.reads.applied();
    this.audience.tracking.applied();
    this.replicas.applied();
    this.turn.flush();
    this.housekeeping.freeDiscarded();
  }

  readonly holdWrites = (): (() => void) => this.admission.addFirst(heldWrites);
  resumeAll(): void {
    for (const connection of this.connections.values()) this.resumeSoon(connection);
  }

  // ---- counting ----

  countErrorReply(error: ErrorReply): void {
    if (!error.isCounted) this.statistics.countError(error.code);
  }

  /** For items of the program itself: settings, evictions. */
  proposeItem(bytes: number, add: (builder: EntryBuilder) => number): Promise<Reply> {
    if (!this.consensus.isBound) return Promise.reject(replies.loading);
    return new Promise((resolve, reject) => {
      const target: ReplyTarget = {
        complete: resolve,
        outcomeUnknown: reject,
        runInTransaction: () => null,
      };
      this.replica.item(target, bytes, add);
    });
  }
}
