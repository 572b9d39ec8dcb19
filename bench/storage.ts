/**
 * The storage spike: three layouts side by side, and redis-server. `npm run bench:storage -- [--keys 1000000]
 * [--rounds 5] [--docs]`. docs/STORAGE.md has what came of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine, putIntoPage } from './documents.js';
import { drive } from './drive.js';
import type { LayoutFigures } from './layouts/measure.js';
import { load, PipelinedClient, padded } from './pipelined-client.js';
import { hasRedis, type RunningServer, startServer } from './servers.js';
import { median, short, table } from './statistics.js';
import type { Workload } from './workloads.js';

const { values: flags } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    /** The table into docs/STORAGE.md. */
    docs: { type: 'boolean', default: false },
  },
});
const keys = Number(flags.keys);
const rounds = Number(flags.rounds);
const REQUESTS = 400_000;

interface Measured {
  readonly figures: LayoutFigures;
  readonly port: number;
  readonly child: ChildProcess;
}

function measureLayout(which: string): Promise<Measured> {
  const program = join(import.meta.dirname, 'layouts/measure.js');
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--max-old-space-size=12000', program, which, `${keys}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`layout ${which} ended with ${code}`)));
    child.stdout.once('data', (line: Buffer) => resolve({ ...JSON.parse(line.toString()), child }));
  });
}

async function usedByRedis(redis: RunningServer): Promise<number> {
  const client = await PipelinedClient.connect(redis.port);
  const text = await client.send(['INFO', 'memory']);
  client.close();
  return Number(/used_memory:(\d+)/.exec(text)![1]);
}

async function startRedis(): Promise<{ redis: RunningServer; bytesPerKey: number }> {
  const redis = await startServer('redis', 'memory');
  const before = await usedByRedis(redis);
  await load(redis.port, keys, (i) => ['SET', `key:${padded(i)}`, 'v'.repeat(16)]);
  return { redis, bytesPerKey: ((await usedByRedis(redis)) - before) / keys };
}

const commands: readonly Workload[] = ['set', 'get'].map((test) => ({
  name: test,
  test,
  keys,
  valueBytes: 16,
}));
const rows: string[][] = [];
const measuredOn = machine();
const compared = hasRedis() ? await startRedis() : undefined;
for (const which of ['a', 'b', 'c']) {
  const { figures, port, child } = await measureLayout(which);
  const ratios: string[] = [];
  for (const command of commands) {
    if (compared === undefined) {
      ratios.push('-');
      continue;
    }
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push((await drive(port, command, 50, 16, REQUESTS)).requestsPerSecond);
      theirs.push((await drive(compared.redis.port, command, 50, 16, REQUESTS)).requestsPerSecond);
    }
    ratios.push(`${median(ours.map((rate, i) => rate / theirs[i])).toFixed(2)} (${short(median(ours))})`);
  }
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
  rows.push([
    figures.name,
    figures.bytesPerKey.toFixed(1),
    ...[figures.setNewNs, figures.setNs, figures.getNs].map((ns) => ns.toFixed(0)),
    ...ratios,
    figures.longestCallMs.toFixed(1),
    figures.longestGcMs.toFixed(1),
    figures.totalGcMs.toFixed(0),
  ]);
}
if (compared !== undefined) {
  rows.push(['redis-server', compared.bytesPerKey.toFixed(1), '-', '-', '-', '1', '1', '-', '-', '-']);
  await compared.redis.stop();
}
const text = `${short(keys)} keys of 16 bytes with values of 16 bytes. ${measuredOn}\n\n${table([
  [
    'layout',
    'bytes a key',
    'SET new ns',
    'SET ns',
    'GET ns',
    'SET -P 16 / Redis',
    'GET -P 16 / Redis',
    'longest call ms',
    'longest GC ms',
    'GC ms in all',
  ],
  ...rows,
])}`;
console.log(text);
if (flags.docs) putIntoPage('STORAGE.md', `${keys}`, text);
