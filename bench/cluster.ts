/**
 * `npm run bench:cluster`: three nodes and redis-benchmark on one machine, fsync on, 50 clients, keys random over 100,000; then how long it
 * takes from kill -9 of the leader to the next accepted write.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RespClient } from '../src/resp/client.js';

const main = join(import.meta.dirname, '../program/main.js');
const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '9' },
    only: { type: 'string' },
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

  static async start(): Promise<Cluster> {
    const cluster = new Cluster([await freePort(), await freePort(), await freePort()]);
    for (let i = 0; i < 3; i++) await cluster.spawn(i);
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
    for (let i = 0; ; i = (i + 1) % 3) {
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
    for (let i = 0; i < 3; i++) if (this.processes[i] !== undefined) await this.kill(i);
    rmSync(this.root, { recursive: true, force: true });
  }
}

function benchmark(port: number, test: string, pipeline: number): string {
  const requests = Number(options.requests) * (pipeline > 1 ? 3 : 1);
  const args = [
    '-p',
    `${port}`,
    '-r',
    '100000',
    '-c',
    '50',
    '-n',
    `${requests}`,
    '-t',
    test,
    '-P',
    `${pipeline}`,
  ];
  const run = spawnSync('redis-benchmark', [...args, '--csv'], { encoding: 'utf8' });
  if (run.error !== undefined) throw new Error(`redis-benchmark cannot be run: ${run.error.message}`);
  const row = run.stdout
    .trim()
    .split('\n')
    .at(-1)!
    .split(',')
    .map((cell) => cell.replaceAll('"', ''));
  const [, perSecond, , , p50, , p99] = row;
  return `${test.toUpperCase().padEnd(4)} -P ${`${pipeline}`.padEnd(3)} ${Number(perSecond).toFixed(0).padStart(8)} a second   p50 ${p50} ms   p99 ${p99} ms`;
}

const cluster = await Cluster.start();
try {
  const port = cluster.ports[await cluster.leader()];
  for (const test of ['set', 'get'] as const) {
    if (options.only !== undefined && options.only !== test) continue;
    for (const pipeline of [1, 16]) console.log(benchmark(port, test, pipeline));
  }
  if (options.only === undefined || options.only === 'failover') {
    const times: number[] = [];
    for (let round = 0; round < Number(options.rounds); round++) {
      const lost = await cluster.leader();
      // Followers hear of the last commit before it dies.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const began = performance.now();
      await cluster.kill(lost);
      await cluster.leader();
      times.push(performance.now() - began);
      await cluster.spawn(lost);
    }
    times.sort((a, b) => a - b);
    const shown = times.map((time) => time.toFixed(0)).join(', ');
    console.log(`failover: median ${times[times.length >> 1].toFixed(0)} ms of ${times.length} (${shown})`);
  }
} finally {
  await cluster.end();
}
