/**
 * `npm run bench:cluster`: three nodes and redis-benchmark on one machine, fsync on, 50 clients, keys random
 * over 100,000 (medians of three runs); how long it takes from kill -9 of the leader to the next accepted
 * write; and what a write takes with one, three and five nodes.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RespClient } from '../src/resp/client.js';
import { machine, putIntoPage } from './documents.js';
import { median, short, table } from './statistics.js';

const main = join(import.meta.dirname, '../program/main.js');
const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '9' },
    /** set, get, failover, sizes, with commas between. */
    only: { type: 'string' },
    /** Tables into docs/PERFORMANCE.md. */
    docs: { type: 'boolean', default: false },
  },
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Cluster {
  private readonly root = mkdtempSync(join(tmpdir(), 'redraft-bench-'));
  readonly processes: (ChildProcess | undefined)[] = [];

  private constructor(readonly ports: readonly number[]) {}

  static async start(size: number): Promise<Cluster> {
    const ports: number[] = [];
    while (ports.length < size) ports.push(await freePort());
    const cluster = new Cluster(ports);
    for (let i = 0; i < size; i++) await cluster.spawn(i);
    return cluster;
  }

  /** Resolves once the node serves as a voter. */
  async spawn(i: number): Promise<void> {
    const flags = ['--port', `${this.ports[i]}`, '--dir', join(this.root, `${i}`)];
    if (i > 0) flags.push('--join', `${this.ports[0]}`);
    const child = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.processes[i] = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (text: Buffer) => {
        if (text.includes(' serves ')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`node ${i} ended with ${code}`)));
    });
  }

  async ask(i: number, ...args: string[]): Promise<string> {
    if (this.processes[i] === undefined) return '';
    try {
      const client = await RespClient.connect({
        host: '127.0.0.1',
        port: this.ports[i],
        replyTimeoutMs: 3000,
      });
      try {
        return String(await client.call(...args));
      } finally {
        await client.close();
      }
    } catch {
      return '';
    }
  }

  /** The node that takes a write. */
  async leader(): Promise<number> {
    for (let i = 0; ; i = (i + 1) % this.ports.length) {
      if ((await this.ask(i, 'SET', 'probe', '1')) === 'OK') return i;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async kill(i: number): Promise<void> {
    const child = this.processes[i]!;
    this.processes[i] = undefined;
    child.removeAllListeners('exit');
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    for (let i = 0; i < this.ports.length; i++) if (this.processes[i] !== undefined) await this.kill(i);
    rmSync(this.root, { recursive: true, force: true });
  }
}

interface Throughput {
  readonly test: string;
  readonly clients: number;
  readonly pipeline: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

function benchmark(port: number, test: string, clients: number, pipeline: number): Throughput {
  const requests = Math.ceil((Number(options.requests) * (pipeline > 1 ? 3 : 1)) / (clients === 1 ? 10 : 1));
  const settings = { p: port, r: 100_000, c: clients, n: requests, t: test, P: pipeline };
  const args = Object.entries(settings).flatMap(([flag, value]) => [`-${flag}`, `${value}`]);
  const run = spawnSync('redis-benchmark', [...args, '--csv'], { encoding: 'utf8' });
  if (run.error !== undefined) throw new Error(`redis-benchmark cannot be run: ${run.error.message}`);
  const row = run.stdout.trim().split('\n').at(-1)!.split(',');
  const [, perSecond, , , p50Ms, , p99Ms] = row.map((cell) => Number(cell.replaceAll('"', '')));
  return { test: test.toUpperCase(), clients, pipeline, perSecond, p50Ms, p99Ms };
}

/** The median of each figure over some runs. */
function medianOf(runs: readonly Throughput[]): Throughput {
  const by = (figure: (run: Throughput) => number): number => median(runs.map(figure));
  return {
    ...runs[0],
    perSecond: by((run) => run.perSecond),
    p50Ms: by((run) => run.p50Ms),
    p99Ms: by((run) => run.p99Ms),
  };
}

async function measureThroughput(cluster: Cluster, tests: readonly string[]): Promise<string> {
  const port = cluster.ports[await cluster.leader()];
  benchmark(port, 'set', 50, 16);
  const rows = [['three nodes', 'c', 'P', 'a second', 'p50 ms', 'p99 ms']];
  for (const test of tests) {
    for (const pipeline of [1, 16]) {
      const runs = [1, 2, 3].map(() => benchmark(port, test, 50, pipeline));
      rows.push(cells(test.toUpperCase(), medianOf(runs)));
    }
  }
  return table(rows);
}

const cells = (name: string, { clients, pipeline, perSecond, p50Ms, p99Ms }: Throughput): string[] => [
  name,
  `${clients}`,
  `${pipeline}`,
  short(perSecond),
  p50Ms.toFixed(2),
  p99Ms.toFixed(2),
];

async function measureFailover(cluster: Cluster, rounds: number): Promise<string> {
  const timesMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const lost = await cluster.leader();
    // Followers hear of the last commit before it dies.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    await cluster.kill(lost);
    await cluster.leader();
    timesMs.push(performance.now() - began);
    await cluster.spawn(lost);
  }
  const sorted = timesMs.map(Math.round).sort((a, b) => a - b);
  return `From kill -9 of the leader to the next accepted write: median ${Math.round(median(timesMs))} ms of ${rounds} (${sorted.join(', ')}).`;
}

/** What a write takes in clusters of several sizes. */
async function measureSizes(sizes: readonly number[]): Promise<string> {
  const rows = [['SET, nodes', 'c', 'P', 'a second', 'p50 ms', 'p99 ms']];
  for (const size of sizes) {
    const cluster = await Cluster.start(size);
    try {
      const port = cluster.ports[await cluster.leader()];
      benchmark(port, 'set', 50, 16);
      for (const clients of [1, 50]) rows.push(cells(`${size}`, benchmark(port, 'set', clients, 1)));
    } finally {
      await cluster.end();
    }
  }
  return table(rows);
}

function show(name: string, text: string): void {
  console.log(`${text}\n`);
  if (options.docs) putIntoPage('PERFORMANCE.md', `cluster-${name}`, text);
}

const wanted = (part: string): boolean =>
  options.only === undefined || options.only.split(',').includes(part);
if (options.docs) putIntoPage('PERFORMANCE.md', 'cluster-machine', machine());
const tests = ['set', 'get'].filter(wanted);
if (tests.length > 0 || wanted('failover')) {
  const cluster = await Cluster.start(3);
  try {
    if (tests.length > 0) show('throughput', await measureThroughput(cluster, tests));
    if (wanted('failover')) show('failover', await measureFailover(cluster, Number(options.rounds)));
  } finally {
    await cluster.end();
  }
}
if (wanted('sizes')) show('sizes', await measureSizes([1, 3, 5]));
