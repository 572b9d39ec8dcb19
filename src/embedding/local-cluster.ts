/**
 * A cluster in one process, for tests: its nodes die, stand still, lose sight of each other, and come back.
 */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type Clock, nodeClock } from '../../raft/node/index.js';
import { setTimeout } from '../../raft/node/timers.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Entrance } from '../net/port.js';
import type { Server } from '../server.js';
import type { Contents, DataSnapshot } from './contents.js';
import type { RedraftOptions } from './options.js';
import { PausableClock } from './pausable-clock.js';
import type { PlainValue } from './plain-values.js';
import { TestClock } from './test-clock.js';

/** What a cluster needs of its nodes. */
export interface ClusterNode {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly url: string;
  readonly server: Server;
  readonly cluster: Cluster;
  readonly isStopped: boolean;
  readonly listening: Entrance;
  flush(): Promise<void>;
  load(...args: Parameters<Contents['load']>): Promise<void>;
  get(...args: Parameters<Contents['get']>): Promise<PlainValue | undefined>;
  keys(...args: Parameters<Contents['keys']>): Promise<string[]>;
  dump(...args: Parameters<Contents['dump']>): Promise<ReturnType<Contents['dump']>>;
  snapshot(): DataSnapshot;
  restore(snapshot: DataSnapshot): Promise<void>;
  kill(): Promise<void>;
  stop(options?: { readonly handOver?: boolean }): Promise<void>;
}

/** Options of all nodes. `dir` is a folder in which each has its own. */
export type ClusterOptions = Omit<
  RedraftOptions,
  'port' | 'advertise' | 'join' | 'clock' | 'isCut' | 'users'
>;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What constructors of client libraries take, by library and by how they find the leader. */
export interface ClusterClientOptions {
  /** `new Redis.Cluster(...options)`. */
  readonly ioredis: {
    readonly cluster: [nodes: Address[], options: { slotsRefreshInterval: number }];
    /** `new Redis(options)`. */
    readonly sentinel: { sentinels: Address[]; name: string };
  };
  /** `createCluster(options)` and `createSentinel(options)` of node-redis. */
  readonly redis: {
    readonly cluster: { rootNodes: { url: string }[] };
    readonly sentinel: { name: string; sentinelRootNodes: Address[] };
  };
}

interface Member<Node> {
  node: Node;
  readonly options: RedraftOptions;
  readonly clock: PausableClock;
  /** Sockets that its pause holds up; undefined while it runs. */
  paused: Set<Socket> | undefined;
}

const POLL_MS = 5;
const DEADLINE_MS = 20_000;

export class LocalCluster<Node extends ClusterNode> {
  private readonly members: Member<Node>[] = [];
  /** By node: which part of a partition it is in. */
  private parts: readonly number[] = [];

  private constructor(
    private readonly shared: ClusterOptions,
    private readonly startNode: (options: RedraftOptions) => Promise<Node>,
    /** Time as clients of all nodes see it. */
    readonly clock: TestClock,
  ) {}

  /** @param startNode starts one node */
  static async open<Node extends ClusterNode>(
    size: number,
    options: ClusterOptions,
    startNode: (options: RedraftOptions) => Promise<Node>,
  ): Promise<LocalCluster<Node>> {
    if (!Number.isInteger(size) || size < 1 || size > 9)
      throw new RangeError(`a cluster has 1 to 9 nodes, and not ${size}`);
    const cluster = new LocalCluster<Node>(options, startNode, new TestClock(nodeClock));
    try {
      for (let i = 0; i < size; i++) await cluster.add();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private async add(): Promise<void> {
    const index = this.members.length;
    const { dir } = this.shared;
    const clock = new PausableClock(nodeClock);
    const options: RedraftOptions = {
      follower: 'moved',
      electionTimeoutMs: 250,
      ...this.shared,
      ...(index === 0 ? {} : { join: this.members[0].node.address, now: undefined }),
      ...(dir === undefined ? {} : { dir: join(dir, `node${index}`) }),
      clock: this.clock.on(clock),
      isCut: (peer) => this.isCut(index, peer),
    };
    const node = await this.startNode(options);
    // On a later start it is to be found where it was.
    this.members.push({ node, options: { ...options, port: node.port }, clock, paused: undefined });
  }

  /** All nodes, those that were killed among them, in the order in which they were started. */
  get nodes(): readonly Node[] {
    return this.members.map(({ node }) => node);
  }

  /** Nodes that run, be they paused. */
  private get running(): readonly Member<Node>[] {
    return this.members.filter(({ node }) => !node.isStopped);
  }

  private member(i: number): Member<Node> {
    const member = this.members[i];
    if (member === undefined)
      throw new RangeError(`there is no node ${i}: they have the numbers 0 to ${this.members.length - 1}`);
    return member;
  }

  /** Ends all nodes. */
  async stop(): Promise<void> {
    for (let i = 0; i < this.members.length; i++) this.resume(i);
    await Promise.all(this.members.map(({ node }) => node.stop({ handOver: false })));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  // ---- who leads ----

  /**
   * The node that leads, once one does that can answer.
   *
   * @throws Error when none does within some seconds: there is no majority
   */
  async leader(): Promise<Node> {
    let found: Node | undefined;
    await until('no node leads', () => {
      found = this.running.find(({ node, paused }) => paused === undefined && leads(node))?.node;
      return found !== undefined;
    });
    return found!;
  }

  /**
   * Hands leadership over. @param to the number of the node that is to lead. Default: the one that is
   * furthest
   */
  async transfer(to?: number): Promise<void> {
    const leader = await this.leader();
    const target = to === undefined ? undefined : this.member(to).node;
    if (target === leader) return;
    await leader.cluster.administration.transfer(target?.address ?? '');
    await until('leadership was not handed over', () =>
      this.running.some(
        ({ node }) => (target === undefined ? node !== leader : node === target) && leads(node),
      ),
    );
  }

  // ---- what befalls it ----

  /**
   * Ends a node as a crash does: its connections break, and it says nothing to anybody. One in memory loses
   * what it held.
   */
  async kill(i: number): Promise<void> {
    const { node } = this.member(i);
    this.resume(i);
    await node.kill();
  }

  /**
   * Starts a node again that was killed, at its old address. Resolves when it votes: a majority of the others
   * must be there.
   */
  async start(i: number): Promise<void> {
    const member = this.member(i);
    if (!member.node.isStopped) throw new Error(`node ${i} runs`);
    const others = this.running.map(({ node }) => node.address);
    // With a directory it knows whom it belongs to.
    const join = others.length > 0 ? others : undefined;
    member.node = await this.startNode({ ...member.options, join, now: undefined });
    this.wireChanged();
  }

  /**
   * A node stands still, as a process does under SIGSTOP: it neither reads nor writes, and its connections
   * stand.
   */
  pause(i: number): void {
    const member = this.member(i);
    const { node } = member;
    if (member.paused !== undefined || node.isStopped) return;
    member.clock.pause();
    node.listening.pause();
    const sockets = new Set<Socket>();
    for (const { socket } of node.server.connections.values()) if (!socket.isPaused()) sockets.add(socket);
    for (const socket of node.cluster.transport.peerSockets()) if (!socket.isPaused()) sockets.add(socket);
    for (const socket of sockets) socket.pause();
    member.paused = sockets;
  }

  /** A paused node goes on. */
  resume(i: number): void {
    const member = this.member(i);
    const { node, paused } = member;
    if (paused === undefined) return;
    member.paused = undefined;
    for (const socket of paused) socket.resume();
    node.listening.resume();
    member.clock.resume();
  }

  /**
   * Parts the nodes: those of one group see each other, and no others. Clients reach all of them.
   *
   * @param groups numbers of nodes. Whoever is in none is alone
   * @example cluster.partition([[0], [1, 2]])
   */
  partition(groups: readonly (readonly number[])[]): void {
    const parts = this.members.map((_, i) => -1 - i);
    groups.forEach((group, part) => {
      for (const i of group) {
        this.member(i);
        if (parts[i] >= 0) throw new RangeError(`node ${i} cannot be in two groups`);
        parts[i] = part;
      }
    });
    this.parts = parts;
    this.wireChanged();
  }

  /** Ends a partition. */
  heal(): void {
    this.parts = [];
    this.wireChanged();
  }

  /** @param peer id of a node, which a node in memory has anew at each start */
  private isCut(i: number, peer: number): boolean {
    if (this.parts.length === 0) return false;
    const other = this.members.findIndex(({ node }) => node.server.session.nodeId === peer);
    return other !== -1 && this.parts[i] !== this.parts[other];
  }

  private wireChanged(): void {
    for (const [i, { node }] of this.members.entries()) {
      if (node.isStopped) continue;
      node.cluster.transport.wireChanged();
      // What they forward goes over connections that are no peer's any more.
      for (const { server } of this.nodes)
        if (this.isCut(i, server.session.nodeId)) node.server.dropForwarded(server.session.nodeId);
    }
  }

  // ---- for clients ----

  /** host:port of each node. */
  get addresses(): string[] {
    return this.members.map(({ node }) => node.address);
  }

  /** What a client library's constructor takes. @see ClusterClientOptions */
  options<Library extends keyof ClusterClientOptions, Way extends 'cluster' | 'sentinel' = 'cluster'>(
    library: Library,
    way: Way = 'cluster' as Way,
  ): ClusterClientOptions[Library][Way] {
    const nodes = this.members.map(({ node: { host, port } }) => ({ host, port }));
    const name = this.members[0].node.server.configuration.text('sentinel-name');
    const options: ClusterClientOptions = {
      ioredis: {
        // Without it a client of a leader that stands still never looks for another one.
        cluster: [nodes, { slotsRefreshInterval: 1000 }],
        sentinel: { sentinels: nodes, name },
      },
      redis: {
        cluster: { rootNodes: this.members.map(({ node: { url } }) => ({ url })) },
        sentinel: { name, sentinelRootNodes: nodes },
      },
    };
    if (!Object.hasOwn(options, library) || !Object.hasOwn(options[library], way))
      throw new TypeError(
        `options() knows 'ioredis' and 'redis', each by 'cluster' and 'sentinel'; not '${library}' by '${way}'`,
      );
    return options[library][way];
  }

  // ---- data, by the leader ----

  async flush(): Promise<void> {
    await (await this.leader()).flush();
  }

  async load(...args: Parameters<Contents['load']>): Promise<void> {
    await (await this.leader()).load(...args);
  }

  async get(...args: Parameters<Contents['get']>): Promise<PlainValue | undefined> {
    return (await this.leader()).get(...args);
  }

  async keys(...args: Parameters<Contents['keys']>): Promise<string[]> {
    return (await this.leader()).keys(...args);
  }

  async dump(...args: Parameters<Contents['dump']>): Promise<ReturnType<Contents['dump']>> {
    return (await this.leader()).dump(...args);
  }

  async snapshot(): Promise<DataSnapshot> {
    return (await this.leader()).snapshot();
  }

  async restore(snapshot: DataSnapshot): Promise<void> {
    await (await this.leader()).restore(snapshot);
  }

  /** Resolves when all nodes that see the leader have what it has. */
  async caughtUp(): Promise<void> {
    const leader = await this.leader();
    const at = this.nodes.indexOf(leader);
    const { appliedIndex } = leader.server.engine;
    await until('the nodes do not catch up', () =>
      this.running.every(
        ({ node, paused }) =>
          paused !== undefined ||
          this.isCut(at, node.server.session.nodeId) ||
          node.server.engine.appliedIndex >= appliedIndex,
      ),
    );
  }
}

function leads({ server }: ClusterNode): boolean {
  return server.isLeader && server.consensus.knowsCommitted() && server.node.leaseValid;
}

/** Polls. @throws Error that says what is wrong after a time that no sound cluster takes */
async function until(wrong: string, holds: () => boolean, clock: Clock = nodeClock): Promise<void> {
  for (const deadlineMs = clock.monotonicMs() + DEADLINE_MS; !holds(); ) {
    if (clock.monotonicMs() > deadlineMs) throw new Error(`${wrong} within ${DEADLINE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
