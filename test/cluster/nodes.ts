/** Clusters for tests: nodes in this process, on free ports of the loopback interface. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ErrorReply, MapReply, type Reply, Status } from '../../engine/index.js';
import { Redraft, type RedraftOptions } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';

/** Polls until a condition holds; fails, naming it, after a time that no sound run takes. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await holds()); ) {
    assert.ok(Date.now() < deadline, `it takes too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A reply as plain JavaScript: text for strings, `-CODE ...` for errors. */
export function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.text}`;
  if (reply instanceof Status) return reply.text;
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply instanceof MapReply) return reply.items.map(plain);
  return reply;
}

/** A node in this process and a connection to it. */
export class TestNode {
  redraft!: Redraft;
  private client: RespClient | undefined;
  /** Why it stopped by itself. */
  failure: Error | undefined;

  constructor(
    readonly cluster: TestCluster,
    readonly options: RedraftOptions,
  ) {}

  async start(changed: RedraftOptions = {}): Promise<this> {
    this.failure = undefined;
    this.redraft = await Redraft.start({
      ...this.options,
      ...changed,
      onFailure: (error) => {
        this.failure = error;
      },
    });
    return this;
  }

  get address(): string {
    return this.redraft.address;
  }

  get port(): number {
    return this.redraft.port;
  }

  get isRunning(): boolean {
    return this.redraft.node.isRunning;
  }

  get isLeader(): boolean {
    return this.isRunning && this.redraft.server.isLeader;
  }

  /** Opens a connection of its own. */
  connect(): Promise<RespClient> {
    const tls = this.redraft.server.tls?.identity.current.dialing;
    return RespClient.connect({ host: '127.0.0.1', port: this.port, tls });
  }

  /** Asks one command on a connection that is kept. */
  async ask(...args: string[]): Promise<unknown> {
    if (this.client === undefined || this.client.closed) this.client = await this.connect();
    return plain(await this.client.call(...args));
  }

  async stop(): Promise<void> {
    await this.client?.close();
    this.client = undefined;
    // As if it died: a clean stop would hand leadership over first.
    await this.redraft.stop({ handOver: false });
  }
}

export class TestCluster {
  readonly nodes: TestNode[] = [];
  private readonly root = mkdtempSync(join(tmpdir(), 'redraft-cluster-'));
  private directories = 0;

  private constructor(private readonly shared: RedraftOptions) {}

  /** A founder and nodes that join it; stopped and removed when the test ends. */
  static async start(t: TestContext, size: number, shared: RedraftOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster({
      durability: 'low',
      electionTimeoutMs: 250,
      heartbeatMs: 50,
      configuration: { 'enable-debug-command': 'local' },
      ...shared,
    });
    t.after(() => cluster.stop());
    await cluster.add();
    for (let i = 1; i < size; i++) await cluster.add();
    return cluster;
  }

  newDirectory(): string {
    return join(this.root, `node${++this.directories}`);
  }

  /** Starts one more node; the first founds the cluster, the others join it. */
  async add(options: RedraftOptions = {}): Promise<TestNode> {
    const join = this.nodes.find((node) => node.isRunning)?.address;
    const node = new TestNode(this, {
      ...this.shared,
      dir: this.newDirectory(),
      ...(join === undefined ? {} : { join }),
      ...options,
    });
    await node.start();
    // On a later start it is to be found where it was.
    Object.assign(node.options, { port: node.port });
    this.nodes.push(node);
    return node;
  }

  get running(): TestNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  /** Waits for a leader that knows all that was committed. */
  async leader(): Promise<TestNode> {
    let found: TestNode | undefined;
    await until('there is a leader', () => {
      found = this.running.find(
        (node) =>
          node.isLeader && node.redraft.server.consensus.knowsCommitted() && node.redraft.node.leaseValid,
      );
      return found !== undefined;
    });
    return found!;
  }

  async followers(): Promise<TestNode[]> {
    const leader = await this.leader();
    return this.running.filter((node) => node !== leader);
  }

  /** Makes sure that all nodes hold the same state, to the order of iteration. */
  async assertEqual(): Promise<void> {
    const leader = await this.leader();
    // Somewhat ahead, so that everybody can stop there.
    const index = leader.redraft.node.status().lastIndex + 1;
    const digests = Promise.all(this.running.map((node) => node.ask('RAFTDIGEST', `${index}`)));
    const writer = await leader.connect();
    await writer.call('SET', 'assert-equal', `${index}`);
    await writer.close();
    const [first, ...others] = await digests;
    assert.match(String((first as unknown[])[1]), /^[0-9a-f]{16}$/);
    for (const digest of others) assert.deepEqual(digest, first);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    rmSync(this.root, { recursive: true, force: true });
  }
}
