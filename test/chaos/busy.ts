/**
 * What keeps a node busy and must not pass for its death, and deaths that must be noticed as fast as ever: on
 * three real processes.
 *
 * The nodes stand behind proxies only where links are to be slow: all connections between two nodes share the
 * bandwidth of their link.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ErrorReply } from '../../engine/protocol/reply.js';
import { RespClient } from '../../src/resp/client.js';
import { plain } from '../cluster/nodes.js';
import { programPath } from '../program-path.js';
import { Random } from '../sim/random.js';
import { Links, NodeProxy } from './proxy.js';

const size = 3;
const everywhere = Array.from({ length: size }, (_, i) => i);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Three processes. */
export class BusyCluster {
  readonly links: Links;
  private readonly processes: (ChildProcess | undefined)[] = [];
  private readonly ports: number[] = [];
  private readonly proxies: NodeProxy[] = [];

  private constructor(
    private readonly root: string,
    private readonly flags: readonly string[],
  ) {
    this.links = new Links(new Random(1), (id) => this.nameOf(id));
  }

  static async start(root: string, isProxied: boolean, flags: readonly string[] = []): Promise<BusyCluster> {
    const cluster = new BusyCluster(root, flags);
    for (const i of everywhere) {
      const port = await freePort();
      cluster.ports.push(port);
      if (isProxied)
        cluster.proxies.push(await NodeProxy.listen(cluster.links, `n${i}`, { host: '127.0.0.1', port }, 0));
    }
    for (const i of everywhere) await cluster.spawn(i);
    return cluster;
  }

  private nameOf(id: number): string | undefined {
    for (const i of everywhere) {
      try {
        const identity = JSON.parse(
          readFileSync(join(this.root, `${i}`, 'identity.json'), 'utf8'),
        ) as unknown;
        if ((identity as { nodeId: number }).nodeId === id) return `n${i}`;
      } catch {
        // Not written yet.
      }
    }
    return undefined;
  }

  /** Starts a node; resolves once it votes. */
  async spawn(i: number): Promise<void> {
    const outer = (j: number): number => this.proxies[j]?.port ?? this.ports[j]!;
    const own = ['--port', `${this.ports[i]}`, '--dir', join(this.root, `${i}`)];
    own.push('--enable-debug-command', 'local', '--advertise', `127.0.0.1:${outer(i)}`);
    if (i > 0) own.push('--join', `${outer(0)}`);
    const child = spawn(process.execPath, [programPath, ...own, ...this.flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.processes[i] = child;
    let printed = '';
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout!, child.stderr!]) {
        stream.on('data', (text: Buffer) => {
          printed += text;
          if (printed.includes(' serves ')) resolve();
        });
      }
      child.once('exit', (code) => reject(new Error(`node ${i} ended with ${code}: ${printed}`)));
    });
  }

  connect(i: number, replyTimeoutMs = 120_000): Promise<RespClient> {
    return RespClient.connect({ host: '127.0.0.1', port: this.ports[i]!, replyTimeoutMs });
  }

  async ask(i: number, ...args: string[]): Promise<unknown> {
    const client = await this.connect(i);
    try {
      return plain(await client.call(...args));
    } finally {
      await client.close();
    }
  }

  async stats(i: number): Promise<Readonly<Record<string, string>>> {
    const items = (await this.ask(i, 'RAFTSTATS')) as unknown[];
    const stats: Record<string, string> = {};
    for (let at = 0; at < items.length; at += 2) stats[String(items[at])] = String(items[at + 1]);
    return stats;
  }

  /** The highest term that any node that answers is in. */
  async term(): Promise<number> {
    const terms = await Promise.all(everywhere.map(async (i) => Number((await this.stats(i)).term)));
    return Math.max(...terms);
  }

  /** The node that takes a write, of those that are asked. */
  async leader(among: readonly number[] = everywhere): Promise<number> {
    for (;;) {
      for (const i of among) {
        const client = await this.connect(i, 1000).catch(() => undefined);
        const reply = await client?.call('SET', 'probe', '1').catch(() => undefined);
        await client?.close();
        if (plain(reply ?? null) === 'OK') return i;
      }
      await delay(2);
    }
  }

  /** Resolves when all nodes have applied what the leader has. */
  async even(): Promise<void> {
    for (;;) {
      const stats = await Promise.all(everywhere.map((i) => this.stats(i)));
      const applied = new Set(stats.map(({ applied_index }) => applied_index));
      const terms = new Set(stats.map(({ term }) => term));
      if (applied.size === 1 && terms.size === 1 && stats.some(({ state }) => state === 'Leader')) return;
      await delay(50);
    }
  }

  signal(i: number, signal: NodeJS.Signals): void {
    this.processes[i]?.kill(signal);
  }

  async kill(i: number): Promise<void> {
    const child = this.processes[i];
    if (child === undefined) return;
    this.processes[i] = undefined;
    child.removeAllListeners('exit');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Kills a node, whose directory is gone with it. */
  async lose(i: number): Promise<void> {
    await this.kill(i);
    rmSync(join(this.root, `${i}`), { recursive: true });
  }

  async end(): Promise<void> {
    for (const i of everywhere) await this.kill(i);
    for (const proxy of this.proxies) await proxy.close();
  }
}

/** Something that takes long on the leader. */
export interface BusyCase {
  readonly name: string;
  /** Between all nodes; undefined: as fast as it goes. */
  readonly bytesPerSecond?: number;
  /** Once, before the first try. */
  prepare?(leader: RespClient): Promise<void>;
  act(leader: RespClient): Promise<unknown>;
}

const megabyte = 1e6;

async function pushMany(client: RespClient, count: number, command: (i: number) => string[]): Promise<void> {
  const batch = 200;
  for (let i = 0; i < count; i += batch) {
    const calls: Promise<unknown>[] = [];
    for (let j = i; j < Math.min(count, i + batch); j++) calls.push(client.call(...command(j)));
    await Promise.all(calls);
  }
}

const sleep = (seconds: string): BusyCase => ({
  name: `DEBUG SLEEP ${seconds}`,
  act: (leader) => leader.call('DEBUG', 'SLEEP', seconds),
});

const set = (bytes: number, bytesPerSecond?: number): BusyCase => ({
  name: `SET of ${bytes / megabyte} MB${bytesPerSecond ? ` over ${bytesPerSecond / megabyte} MB/s` : ''}`,
  bytesPerSecond,
  // As bytes: to encode a long string would hold up the proxies, which live in this process.
  act: (leader) => leader.call('SET', 'big', Buffer.alloc(bytes, 'x')),
});

/** SORT STORE of a list of so many numbers. */
export const sortStore = (count: number): BusyCase => ({
  name: `SORT STORE of ${count / 1000}k`,
  prepare: (leader) =>
    pushMany(leader, count / 1000, (i) => [
      'RPUSH',
      'list',
      ...Array.from({ length: 1000 }, (_, j) => `${((i * 1000 + j) * 7919) % 1_000_003}`),
    ]),
  act: (leader) => leader.call('SORT', 'list', 'STORE', 'sorted'),
});

/** KEYS over so many keys. */
export const keys = (count: number): BusyCase => ({
  name: `KEYS over ${count / megabyte}M keys`,
  prepare: (leader) =>
    pushMany(leader, count / 1000, (i) => [
      'MSET',
      ...Array.from({ length: 2000 }, (_, j) => (j % 2 === 0 ? `key:${i * 1000 + j / 2}` : 'v')),
    ]),
  act: (leader) => leader.call('KEYS', '*'),
});

export const busyCases: readonly BusyCase[] = [
  sleep('0.8'),
  sleep('2'),
  sleep('5'),
  sortStore(400_000),
  set(128 * megabyte),
  set(300 * megabyte),
  set(30 * megabyte, 10 * megabyte),
  keys(3_000_000),
];

export interface BusyOutcome {
  readonly termsLost: number;
  readonly tookMs: number;
  /** The reply, if it was an error. */
  readonly error: string | undefined;
}

/** Has the leader do it, and tells whether that cost it the lead. */
export async function tryBusy(cluster: BusyCluster, { act }: BusyCase): Promise<BusyOutcome> {
  await cluster.even();
  const before = await cluster.term();
  const leader = await cluster.connect(await cluster.leader());
  const beganAt = performance.now();
  const reply = await act(leader).catch((error: Error) => error);
  const tookMs = performance.now() - beganAt;
  await leader.close();
  await cluster.even();
  const termsLost = (await cluster.term()) - before;
  const error =
    reply instanceof Error ? reply.message : reply instanceof ErrorReply ? String(plain(reply)) : undefined;
  return { termsLost, tookMs, error };
}

export function slowLinks(cluster: BusyCluster, bytesPerSecond: number): () => void {
  const links = everywhere.flatMap((a) => everywhere.filter((b) => b !== a).map((b) => `n${a}>n${b}`));
  return cluster.links.slowDown(links, { delayMs: 0, jitterMs: 0, bytesPerSecond });
}

/** A way in which a leader is lost. */
export interface Loss {
  readonly name: string;
  /** Within which another must take writes. */
  readonly maxMs: number;
  strike(cluster: BusyCluster, leader: number): Promise<void>;
  mend(cluster: BusyCluster, leader: number): Promise<void>;
}

export const losses: readonly Loss[] = [
  {
    name: 'kill -9',
    maxMs: 1500,
    strike: (cluster, leader) => cluster.kill(leader),
    mend: (cluster, leader) => cluster.spawn(leader),
  },
  {
    name: 'SIGSTOP',
    maxMs: 1500,
    strike: async (cluster, leader) => cluster.signal(leader, 'SIGSTOP'),
    mend: async (cluster, leader) => cluster.signal(leader, 'SIGCONT'),
  },
  {
    // Stands for a loop that never ends.
    name: 'DEBUG SLEEP 20',
    maxMs: 12_500,
    strike: async (cluster, leader) => {
      const client = await cluster.connect(leader);
      void client
        .call('DEBUG', 'SLEEP', '20')
        .catch(() => {})
        .then(() => client.close());
      await delay(20);
    },
    mend: async () => {},
  },
];

/** Milliseconds from the loss of the leader to the next write that is accepted. */
export async function tryLoss(cluster: BusyCluster, { strike, mend }: Loss): Promise<number> {
  await cluster.even();
  const leader = await cluster.leader();
  const others = everywhere.filter((i) => i !== leader);
  const beganAt = performance.now();
  await strike(cluster, leader);
  await cluster.leader(others);
  const tookMs = performance.now() - beganAt;
  await mend(cluster, leader);
  await cluster.even();
  return tookMs;
}

/**
 * A leader at consistency medium that was stopped while another took over, and is asked the moment it goes
 * on: its replies to reads that were sent while it stood still.
 *
 * @returns how many of them were stale
 */
export async function tryStaleRead(cluster: BusyCluster): Promise<number> {
  await cluster.even();
  const old = await cluster.leader();
  await cluster.ask(old, 'SET', 'fresh', 'no');
  const reader = await cluster.connect(old);
  await reader.call('GET', 'fresh');
  cluster.signal(old, 'SIGSTOP');
  const next = await cluster.leader(everywhere.filter((i) => i !== old));
  await cluster.ask(next, 'SET', 'fresh', 'yes');
  const replies = Promise.all(Array.from({ length: 5 }, () => reader.call('GET', 'fresh')));
  await delay(20);
  cluster.signal(old, 'SIGCONT');
  const stale = (await replies).filter((reply) => plain(reply) === 'no').length;
  await reader.close();
  return stale;
}

/** How a member that lost its directory comes back while others write. */
export interface Rejoin {
  readonly stateBytes: number;
  readonly bytesPerSecond: number;
  readonly writtenPerSecond: number;
  readonly maxMs: number;
}

export interface RejoinOutcome {
  /** From its start to its vote; undefined if it had none in time. */
  readonly tookMs: number | undefined;
  readonly writes: number;
  readonly termsLost: number;
}

const valueBytes = 1e6;

/** A follower loses all it had, over a link of its own width, while the leader is written to. */
export async function tryRejoin(cluster: BusyCluster, rejoin: Rejoin): Promise<RejoinOutcome> {
  const { stateBytes, bytesPerSecond, writtenPerSecond, maxMs } = rejoin;
  const keys = Math.ceil(stateBytes / valueBytes);
  const at = await cluster.leader();
  let leader = await cluster.connect(at);
  const value = Buffer.alloc(valueBytes, 'x');
  for (let i = 0; i < keys; i++) await leader.call('SET', `state:${i}`, value);
  await cluster.even();
  const before = await cluster.term();
  // The founder's flags found a cluster: it is not the one that comes back.
  const lost = everywhere.find((i) => i !== at && i !== 0)!;
  const others = everywhere.filter((i) => i !== lost);
  await cluster.lose(lost);
  slowLinks(cluster, bytesPerSecond);
  let writes = 0;
  let isOver = false;
  const write = async (): Promise<void> => {
    const beganAt = performance.now();
    while (!isOver) {
      if (plain(await leader.call('SET', `state:${writes % keys}`, value)) === 'OK') {
        writes++;
      } else {
        await leader.close();
        leader = await cluster.connect(await cluster.leader(others));
      }
      const dueMs = (writes * valueBytes * 1000) / writtenPerSecond;
      await delay(Math.max(0, dueMs - (performance.now() - beganAt)));
    }
  };
  const writing = write();
  const beganAt = performance.now();
  const late = delay(maxMs).then(() => undefined);
  const tookMs = await Promise.race([
    cluster.spawn(lost).then(() => performance.now() - beganAt),
    writing.then(() => undefined),
    late,
  ]);
  isOver = true;
  await writing;
  await leader.close();
  if (tookMs !== undefined) await cluster.even();
  return { tookMs, writes, termsLost: (await cluster.term()) - before };
}
