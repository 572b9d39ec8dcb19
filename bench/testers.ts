/**
 * `npm run bench:testers -- FOLDER`: what stands in for Redis in tests, side by side. FOLDER has ioredis
 * installed and, where they shall be measured, ioredis-mock and redis-memory-server (`npm install
 * --ignore-scripts`); a redis-server on the path stands for the one that the latter would download or
 * compile. Python's fakeredis is measured where the system's Python has it. Medians of fresh processes: time
 * until the first reply, sequential SETs a second; then, of Redraft alone, further nodes and engines.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './statistics.js';

const root = join(import.meta.dirname, '../..');
const folder = process.argv[2];
if (folder === undefined) throw new Error('name a folder that has ioredis installed');
const modules = join(folder, 'node_modules');
mkdirSync(modules, { recursive: true });
if (!readdirSync(modules).includes('redraft')) symlinkSync(root, join(modules, 'redraft'));

const RUNS = 5;
const CALLS = 1000;

/** Prints import, first reply (each in ms since the process's script began), and calls a second. */
const measured = (load: string, begin: string, call: string): string => `
  const began = performance.now();
  (async () => {
    ${load}
    const imported = performance.now() - began;
    ${begin}
    await ${call};
    const first = performance.now() - began;
    for (let i = 0; i < 500; i++) await ${call};
    const from = performance.now();
    for (let i = 0; i < ${CALLS}; i++) await ${call};
    console.log(JSON.stringify([imported, first, ${CALLS} / (performance.now() - from) * 1000]));
    process.exit(0);
  })();`;

const set = "redis.set('k', 'v')";
const cases: Record<string, readonly [command: string, ...args: string[]]> = {
  'redraft, over a socket': [
    'node',
    '-e',
    measured(
      "const { Redraft } = require('redraft'); const Redis = require('ioredis');",
      "const redraft = await Redraft.start(); const redis = new Redis(redraft.options('ioredis'));",
      set,
    ),
  ],
  'redraft/ioredis, in memory': [
    'node',
    '-e',
    measured("const Redis = require('redraft/ioredis');", 'const redis = new Redis();', set),
  ],
  'redraft/engine': [
    'node',
    '-e',
    measured(
      "const { Engine } = require('redraft/engine');",
      'const engine = new Engine({ seed: 1 });',
      "engine.call('SET', 'k', 'v')",
    ),
  ],
  'ioredis-mock': [
    'node',
    '-e',
    measured("const Redis = require('ioredis-mock');", 'const redis = new Redis();', set),
  ],
  "redis-memory-server, with the system's redis-server": [
    'node',
    '-e',
    measured(
      "const { RedisMemoryServer } = require('redis-memory-server'); const Redis = require('ioredis');",
      `const server = new RedisMemoryServer({ binary: { systemBinary: require('node:child_process').execSync('which redis-server').toString().trim() } });
       const redis = new Redis(await server.getPort(), await server.getHost());
       process.on('exit', () => process.kill(server.getInstanceInfo().childProcess.pid));`,
      set,
    ),
  ],
  'fakeredis (Python)': [
    '/usr/bin/python3',
    '-c',
    `import time, json
began = time.perf_counter()
import fakeredis
imported = time.perf_counter() - began
redis = fakeredis.FakeStrictRedis()
redis.set('k', 'v')
first = time.perf_counter() - began
for i in range(500): redis.set('k', 'v')
start = time.perf_counter()
for i in range(${CALLS}): redis.set('k', 'v')
print(json.dumps([imported * 1000, first * 1000, ${CALLS} / (time.perf_counter() - start)]))`,
  ],
};

for (const [name, [command, ...args]] of Object.entries(cases)) {
  const results: number[][] = [];
  // One more: the first leaves compiled code for the others.
  for (let run = 0; run <= RUNS; run++) {
    const { status, stdout } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
    if (status === 0 && run > 0) results.push(JSON.parse(stdout) as number[]);
  }
  const figures = [0, 1, 2].map((at) => Math.round(median(results.map((result) => result[at]))));
  console.log(
    results.length === 0
      ? `${name}: not installed`
      : `${name}: imported after ${figures[0]} ms, first reply after ${figures[1]} ms, ${figures[2]} SET a second`,
  );
}

const nodes = spawnSync(
  process.execPath,
  [
    '--expose-gc',
    '-e',
    `const { Redraft } = require('redraft'); const { Engine } = require('redraft/engine');
    (async () => {
      const time = async (work) => { const from = performance.now(); await work(); return (performance.now() - from).toFixed(1); };
      const started = [];
      const start = async () => started.push(await Redraft.start());
      console.log('first node after import', await time(start), 'ms, second', await time(start), 'ms');
      await Promise.all(started.map((node) => node.stop()));
      console.log('a node started and stopped, mean of 100:', await time(async () => {
        for (let i = 0; i < 100; i++) await (await Redraft.start()).stop();
      }) / 100, 'ms');
      globalThis.gc();
      const before = process.memoryUsage().rss;
      const engines = Array.from({ length: 1000 }, (_, seed) => {
        const engine = new Engine({ seed });
        engine.call('SET', 'k', 'v');
        return engine;
      });
      console.log('an engine, of', engines.length + ':', Math.round((process.memoryUsage().rss - before) / 1024 / engines.length), 'KB');
    })();`,
  ],
  { cwd: folder, encoding: 'utf8' },
);
console.log(nodes.stdout.trim());
