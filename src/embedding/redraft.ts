import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { durabilityLevels } from '../../engine/index.js';
import {
  backgroundClock,
  type Durability,
  nodeClock,
  type RaftNode,
  StorageError,
} from '../../raft/node/index.js';
import { setImmediate } from '../../raft/node/timers.js';
import type { Cluster } from '../cluster/cluster.js';
import { MemorySocket } from '../net/memory-socket.js';
import type { Entrance } from '../net/port.js';
import { createLog } from '../observability/log.js';
import { replies } from '../replies.js';
import type { Server } from '../server.js';
import { type ClientLibrary, type ClientOptions, clientOptions } from './client-options.js';
import { CommandLog } from './command-log.js';
import { Contents, type DataSnapshot } from './contents.js';
import { Faults } from './faults.js';
import { type ClusterOptions, LocalCluster } from './local-cluster.js';
import { connectorClass } from './memory-connector.js';
import { checkOptions, type RedraftOptions, type Role } from './options.js';
import type { PlainValue } from './plain-values.js';
import { end, type RecoverySummary, type Running } from './running.js';
import { beginning } from './seed-sequence.js';
import { pass, settleTime } from './settle-time.js';
import { enterCluster, startNode } from './start-node.js';
import { TestClock } from './test-clock.js';

export class Redraft {
  /** Time as clients see it. */
  readonly clock: TestClock;
  /** What clients have sent, once it records. */
  readonly commands: CommandLog = new CommandLog(() => this.faults.update());
  /** Faults that clients meet. */
  readonly faults: Faults = new Faults(this.commands, (downMs) => this.restart({ downMs }));
  private readonly contents = new Contents(() => this.running.server);
  private connector: ReturnType<typeof connectorClass> | undefined;
  private toldRole: Role | undefined;
  /** The number in use, whether it listens or not. */
  readonly port: number;

  private constructor(
    private running: Running,
    private readonly given: RedraftOptions,
    clock: TestClock,
  ) {
    this.clock = clock;
    this.port = running.port.number!;
    this.faults.attach(running);
    if (given.recordCommands === true) this.commands.record();
  }

  /**
   * Starts a cluster in this process, of nodes that a test may kill, stop and part.
   *
   * @param size how many nodes
   * @throws RangeError for no number of nodes; and as {@link start}
   * @example await using cluster = await Redraft.cluster(3); await cluster.kill(0);
   */
  static cluster(size: number, options: ClusterOptions = {}): Promise<LocalCluster<Redraft>> {
    return LocalCluster.open(size, options, (own) => Redraft.start(own));
  }

  get server(): Server {
    return this.running.server;
  }

  get node(): RaftNode {
    return this.running.node;
  }

  get cluster(): Cluster {
    return this.running.cluster;
  }

  /** Its port, which may be made to refuse and to hold up who connects. */
  get listening(): Entrance {
    return this.running.port;
  }

  get isStopped(): boolean {
    return this.running.stopped !== undefined;
  }

  /** What the last start found. */
  get recovery(): RecoverySummary {
    return this.running.recovery;
  }

  /**
   * Starts a node of its own in this process and listens.
   *
   * @throws TypeError for an option of an unknown name; StorageError for what is wrong with `dir`; the
   * system's error when the address cannot be had
   * @example
   * const redraft = await Redraft.start();
   * const client = new Redis(redraft.url);
   * // ...
   * await redraft.stop();
   */
  static async start(options: RedraftOptions = {}): Promise<Redraft> {
    checkOptions(options);
    const log = options.log ?? createLog('quiet', () => {});
    const time =
      options.clock instanceof TestClock
        ? options.clock
        : new TestClock(options.clock ?? (options.listen === false ? backgroundClock : nodeClock));
    if (options.now !== undefined) time.begin(beginning(options.now));
    let redraft: Redraft | undefined;
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      log.warning(error.message, { event: 'node-failed', reason: error.message });
      if (redraft === undefined) options.onFailure?.(error);
      else void redraft.failed(error).finally(() => options.onFailure?.(error));
    };
    const running = await startNode(options, time, log, { fail, roleChanged: () => redraft?.noteRole() });
    redraft = new Redraft(running, options, time);
    try {
      await enterCluster(running, options, redraft.role === 'learner');
      if (failure !== undefined) throw failure;
    } catch (error) {
      await redraft.stop({ handOver: false });
      throw error;
    }
    return redraft;
  }

  /** Ends a node that cannot go on; clients are told that what is in flight will not be acknowledged. */
  private failed(error: Error): Promise<void> {
    const isFull = error instanceof StorageError && error.code === 'full';
    this.server.replica.abandon(isFull ? replies.outcomeUnknownDiskFull : replies.outcomeUnknownStopped);
    return this.stop({ handOver: false });
  }

  /** The address that it was told to listen on. */
  get host(): string {
    return this.given.host ?? '127.0.0.1';
  }

  /** host:port on which it listens. */
  get address(): string {
    const { host } = this;
    return `${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /**
   * For clients that take a URL: `redis://127.0.0.1:7481`, with the password where there is one; `rediss://`
   * where only TLS is spoken.
   */
  get url(): string {
    const { password = '' } = this.given;
    return `${this.running.isSecure ? 'rediss' : 'redis'}://${password === '' ? '' : `:${encodeURIComponent(password)}@`}${this.address}`;
  }

  /** The port that speaks TLS; undefined where there is none. */
  get tlsPort(): number | undefined {
    return this.running.tls?.port.number;
  }

  /**
   * Reads the certificates again that `tls` names. Connections that stand go on; new ones go by what the
   * files say now.
   *
   * @returns false if they cannot be used: then all stays as it was, and the log says why
   */
  reloadCertificates(): boolean {
    return this.running.tls?.identity.reload() ?? true;
  }

  /**
   * Changes the cluster's secrets: the first is proved from now on, each of them is taken. Connections that
   * stand go on. On every node first the old and the new one, then the new and the old one, then the new one
   * alone: so no node is shut out meanwhile.
   *
   * @throws Error where there was a secret and shall be none, or the other way round: that takes a restart of
   * all nodes
   */
  replaceClusterSecrets(secrets: readonly string[]): void {
    this.running.credentials.replace(secrets);
    this.cluster.transport.credentialsChanged();
    this.running.server.log.notice(`peers prove another secret now; ${secrets.length} are taken`, {
      event: 'secrets-changed',
    });
  }

  /** What the node is at the moment; `learner`, too, for one that is not let in yet. */
  get role(): Role {
    const { role, membership } = this.node.status();
    if (role === 'leader') return 'leader';
    const isVoter = membership.members.some(({ id, learner }) => id === this.node.id && !learner);
    if (!isVoter) return 'learner';
    return role === 'follower' ? 'follower' : 'candidate';
  }

  private noteRole(): void {
    const { role } = this;
    if (role === this.toldRole) return;
    this.toldRole = role;
    this.given.onRole?.(role);
  }

  /** The cluster's, which may be another than this node was started with. */
  get durability(): Durability {
    return durabilityLevels[this.server.engine.keyspace.settings.durability];
  }

  // ---- for tests ----

  /**
   * What a client library's constructor takes to connect to this node.
   *
   * @param library `ioredis`, or `redis` for node-redis
   * @throws TypeError for another library
   * @example new Redis(redraft.options('ioredis')); createClient(redraft.options('redis'))
   */
  options<Library extends ClientLibrary>(library: Library): ClientOptions[Library] {
    const { tls, isSecure } = this.running;
    const trust = tls === undefined || !isSecure ? undefined : { ca: tls.identity.current.accepting.ca };
    return clientOptions(library, this.host, this.port, this.given.password, trust);
  }

  /**
   * Opens a connection to this node that needs no socket. Of what `net.Socket` has it has what client
   * libraries use; it connects, or fails, behind the events of this turn.
   */
  connect(): MemorySocket {
    const { client, server } = MemorySocket.pair(this.port);
    client.connecting = true;
    // Who gets it through promises has its listeners on by then.
    setImmediate(() => {
      client.connecting = false;
      if (this.isStopped || this.running.port.isRefusing) {
        const error = new Error(`connect ECONNREFUSED ${this.address}`);
        client.destroy(Object.assign(error, { code: 'ECONNREFUSED', syscall: 'connect' }));
        return;
      }
      this.running.server.serve(server as unknown as Socket);
      client.emit('connect');
    });
    return client;
  }

  /**
   * ioredis's option `Connector`, with which it reaches this node without a socket.
   *
   * @example new Redis({ Connector: redraft.ioredisConnector })
   */
  get ioredisConnector(): ReturnType<typeof connectorClass> {
    this.connector ??= connectorClass(async () => this.connect());
    return this.connector;
  }

  /** Removes all keys of all databases. */
  flush(): Promise<void> {
    return this.contents.flush();
  }

  /** Sets keys: see {@link Contents.load}. */
  load(...args: Parameters<Contents['load']>): Promise<void> {
    return this.contents.load(...args);
  }

  /** What a key holds, as a plain value; undefined if there is none. @see PlainValue */
  async get(...args: Parameters<Contents['get']>): Promise<PlainValue | undefined> {
    await this.settleDue();
    return this.contents.get(...args);
  }

  /** Milliseconds that a key has left to live: Infinity if it never expires, undefined if there is none. */
  async ttl(...args: Parameters<Contents['ttl']>): Promise<number | undefined> {
    await this.settleDue();
    return this.contents.ttl(...args);
  }

  /** Names of all keys of a database, sorted. */
  async keys(...args: Parameters<Contents['keys']>): Promise<string[]> {
    await this.settleDue();
    return this.contents.keys(...args);
  }

  /** All keys of a database with what they hold, as plain values. */
  async dump(...args: Parameters<Contents['dump']>): Promise<ReturnType<Contents['dump']>> {
    await this.settleDue();
    return this.contents.dump(...args);
  }

  /** All keys of all databases, for {@link restore}; as they are now, and not what is in flight. */
  snapshot(): DataSnapshot {
    return this.contents.snapshot();
  }

  /**
   * Brings all databases back to what a snapshot holds, each key with the time to live that it had then:
   * between tests. Clients stay connected, and those that block go on waiting. Users, settings and the clock
   * stay as they are.
   */
  restore(snapshot: DataSnapshot): Promise<void> {
    return this.contents.restore(snapshot);
  }

  /**
   * Ends and starts again as after a crash, on the same port: all connections break, nobody listens for a
   * while, blocked clients and subscriptions are gone. What was acknowledged is there: a node with `dir`
   * reads it back from its log, one in memory keeps it.
   *
   * @param downMs how long nobody listens, at least. Default 0
   */
  async restart({ downMs = 0 }: { readonly downMs?: number } = {}): Promise<void> {
    const { running } = this;
    if (running.stopped !== undefined) throw new Error('a node that was stopped does not start again');
    running.port.refuse();
    this.faults.disconnect();
    if (running.directory === undefined) {
      while (running.server.connections.size > 0) await pass(1);
      await pass(downMs);
      await running.port.accept();
      return;
    }
    await this.kill();
    await pass(downMs);
    const { tlsPort, clock } = this;
    const { tls } = this.given;
    const port = running.plainPort ?? this.port;
    const again = {
      ...this.given,
      port,
      clusterSecret: running.credentials.all,
      tls: tls?.port === undefined ? tls : { ...tls, port: tlsPort },
      clock,
      now: undefined,
      recordCommands: false,
    };
    const { running: next, faults } = await Redraft.start(again);
    faults.attach(undefined);
    this.running = next;
    this.faults.attach(next);
  }

  /** A key that is due by the clock goes before anybody looks. */
  private async settleDue(): Promise<void> {
    const { server } = this.running;
    if (server.meetsDueKey()) await settleTime(server);
  }

  /**
   * Stops: hands leadership over (unless told not to, or nobody can take over), answers what is in flight,
   * syncs, closes. Nothing of it keeps the process alive afterwards.
   */
  stop({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    const { running } = this;
    running.stopped ??= (async () => {
      this.faults.attach(undefined);
      if (handOver) {
        await running.cluster.handOver();
        await running.server.guide.sendOff();
      }
      await end(running);
    })();
    return running.stopped;
  }

  /** Ends as a crash does: all connections break, nothing that is in flight is answered, nobody is told. */
  kill(): Promise<void> {
    const { running } = this;
    running.port.refuse();
    this.faults.disconnect();
    running.server.replica.abandon();
    return this.stop({ handOver: false });
  }

  /** In what tests and consoles print. */
  [inspect.custom](): string {
    return `Redraft ${this.url} (${this.isStopped ? 'stopped' : this.role})`;
  }

  /** {@link stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
