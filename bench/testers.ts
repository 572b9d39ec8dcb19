/**
 * `npm run bench:testers`: what stands in for Redis in tests, side by side. It packs Redraft and installs
 * it, ioredis-mock and redis-memory-server, each with ioredis, into folders of their own (without install
 * scripts: a redis-server on the path stands for the one that redis-memory-server would download and
 * compile); Python's fakeredis is measured where the system's Python has it. Minima of fresh processes, since
 * all that disturbs makes them longer: time and processor time until the library is loaded, until the first
 * reply, and of SETs that come one after the other. Of a server in a process of its own the processor time is
 * not counted. Bare Node and ioredis alone stand beside, by which another machine can be judged. Then, of
 * Redraft alone, further nodes, engines, and snapshots. `--folder PATH` keeps what it installs for a next
 * time.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: { folder: { type: 'string' }, runs: { type: 'string', default: '9' } },
});
const folder = resolve(values.folder ?? mkdtempSync(join(tmpdir(), 'redraft-testers-')));
const runs = Number(values.runs);
/** So many to warm up, and so many measured. */
const CALLS = 3000;

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Installs packages into a folder of their own, and gives what they take on disk in MB. */
function install(name: string, ...packages: readonly string[]): number {
  const project = join(folder, name);
  if (!existsSync(join(project, 'node_modules'))) {
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
    run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], project);
  }
  return Number(run('du', ['-sm', 'node_modules'], project).split('\t')[0]);
}

/**
 * Prints, since the script began: import and first reply in ms and in ms of CPU; then what a call takes, in
 * microseconds and in those of CPU.
 */
const measured = (load: string, begin: string, call: string): string => `
  const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  const [began, cpuBegan] = [performance.now(), cpu()];
  (async () => {
    ${load}
    const imported = [performance.now() - began, cpu() - cpuBegan];
    ${begin}
    await ${call};
    const first = [performance.now() - began, cpu() - cpuBegan];
    for (let i = 0; i < ${CALLS}; i++) await ${call};
    const [from, cpuFrom] = [performance.now(), cpu()];
    for (let i = 0; i < ${CALLS}; i++) await ${call};
    const [took, cpuTook] = [performance.now() - from, cpu() - cpuFrom];
    console.log(JSON.stringify([...imported, ...first, took / ${CALLS} * 1000, cpuTook / ${CALLS} * 1000]));
    process.exit(0);
  })();`;

/** The same in Python. */
const measuredInPython = `import time, json
began, cpu = time.perf_counter(), time.process_time()
import fakeredis
imported = [time.perf_counter() - began, time.process_time() - cpu]
redis = fakeredis.FakeStrictRedis()
redis.set('k', 'v')
first = [time.perf_counter() - began, time.process_time() - cpu]
for i in range(${CALLS}): redis.set('k', 'v')
start, cpu = time.perf_counter(), time.process_time()
for i in range(${CALLS}): redis.set('k', 'v')
call = [time.perf_counter() - start, time.process_time() - cpu]
print(json.dumps([x * 1000 for x in imported + first] + [x * 1e6 / ${CALLS} for x in call]))`;

const set = "redis.set('k', 'v')";
const nothing = 'undefined';
type Case = readonly [name: string, project: string, script: string];
const cases: readonly Case[] = [
  ['ioredis alone, which asks nobody', 'redraft', measured("require('ioredis');", '', nothing)],
  [
    'redraft alone: its import, a node that has started',
    'redraft',
    measured("const { Redraft } = require('redraft');", 'const redraft = await Redraft.start();', nothing),
  ],
  [
    'redraft, over a socket',
    'redraft',
    measured(
      "const { Redraft } = require('redraft'); const Redis = require('ioredis');",
      "const redraft = await Redraft.start(); const redis = new Redis(redraft.options('ioredis'));",
      set,
    ),
  ],
  [
    'redraft/ioredis, in memory',
    'redraft',
    measured("const Redis = require('redraft/ioredis');", 'const redis = new Redis();', set),
  ],
  [
    'redraft/engine',
    'redraft',
    measured(
      "const { Engine } = require('redraft/engine');",
      'const engine = new Engine({ seed: 1 });',
      "engine.call('SET', 'k', 'v')",
    ),
  ],
  [
    'ioredis-mock',
    'ioredis-mock',
    measured("const Redis = require('ioredis-mock');", 'const redis = new Redis();', set),
  ],
  [
    "redis-memory-server, with the system's redis-server",
    'redis-memory-server',
    measured(
      "const { RedisMemoryServer } = require('redis-memory-server'); const Redis = require('ioredis');",
      `const systemBinary = require('node:child_process').execSync('which redis-server').toString().trim();
       const server = new RedisMemoryServer({ binary: { systemBinary } });
       const redis = new Redis(await server.getPort(), await server.getHost());
       process.on('exit', () => process.kill(server.getInstanceInfo().childProcess.pid));`,
      set,
    ),
  ],
  ['fakeredis (Python)', '', measuredInPython],
];

/** Packages that a project gets with redraft, with what each takes on disk. */
function dependencies(modules: string): string[] {
  const lines: string[] = [];
  const visit = (name: string, depth: number): void => {
    const path = join(modules, name);
    if (!existsSync(path)) return;
    const kilobytes = run('du', ['-sk', path], modules).split('\t')[0];
    lines.push(`${'  '.repeat(depth)}${name} ${kilobytes} KB`);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(path, 'package.json'), 'utf8'),
    ) as Record<string, Record<string, string> | undefined>;
    // npm states optional ones among both.
    for (const next of new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies)]))
      visit(next, depth + 1);
  };
  visit('redraft', 0);
  return lines;
}

/** Of Redraft alone. */
const further = `const { Redraft } = require('redraft'); const { Engine } = require('redraft/engine');
  const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  const time = async (work, count = 1) => {
    const [from, cpuFrom] = [performance.now(), cpu()];
    for (let i = 0; i < count; i++) await work();
    return ((performance.now() - from) / count).toFixed(3) + ' ms (' + ((cpu() - cpuFrom) / count).toFixed(3) + ' of CPU)';
  };
  (async () => {
    const started = [];
    const start = async () => started.push(await Redraft.start());
    console.log('first node after import', await time(start), 'second', await time(start), 'third', await time(start));
    await Promise.all(started.map((node) => node.stop()));
    console.log('a node started and stopped, mean of 100:', await time(async () => (await Redraft.start()).stop(), 100));
    await using(10); await using(1000);
    async function using(keys) {
      const redraft = await Redraft.start({ listen: false });
      await redraft.load(Object.fromEntries(Array.from({ length: keys }, (_, i) => ['user:' + i, { name: 'Ann', age: i }])));
      const fixture = redraft.snapshot();
      const change = () => redraft.load({ changed: '1' });
      const work = async () => { await change(); await redraft.restore(fixture); };
      console.log(keys, 'hashes: first restore behind a change', await time(work));
      await time(work, 500);
      const count = 300;
      console.log('  once warm, a snapshot', await time(() => redraft.snapshot(), count), 'one change', await time(change, count),
        'one change and a restore', await time(work, count), 'a restore where nothing was changed', await time(() => redraft.restore(fixture), count));
      await redraft.stop();
    }
    globalThis.gc();
    const before = process.memoryUsage().rss;
    const engines = Array.from({ length: 1000 }, (_, seed) => {
      const engine = new Engine({ seed });
      engine.call('SET', 'k', 'v');
      return engine;
    });
    console.log('an engine, of', engines.length + ':', Math.round((process.memoryUsage().rss - before) / 1024 / engines.length), 'KB');
  })();`;

const minimum = (results: readonly (readonly number[])[], at: number): number =>
  Math.min(...results.map((result) => result[at]));

const tarball = run('npm', ['pack', '--ignore-scripts', '--pack-destination', tmpdir()], root).trim();
try {
  const sizes = new Map([
    ['redraft', install('redraft', join(tmpdir(), tarball), 'ioredis@5')],
    ['ioredis-mock', install('ioredis-mock', 'ioredis-mock', 'ioredis@5')],
    ['redis-memory-server', install('redis-memory-server', 'redis-memory-server', 'ioredis@5')],
  ]);
  const bare = Array.from({ length: runs }, () => {
    const began = performance.now();
    const cpu = run(process.execPath, ['-p', 'Object.values(process.cpuUsage()).join()'], root).split(',');
    return [performance.now() - began, (Number(cpu[0]) + Number(cpu[1])) / 1000];
  });
  console.log(
    `bare Node, start to end: ${minimum(bare, 0).toFixed(0)} ms, ${minimum(bare, 1).toFixed(0)} ms of CPU\n`,
  );
  console.log('| | loaded: ms (of CPU) | first reply: ms (of CPU) | a SET: us (of CPU) | MB on disk |');
  console.log('|---|---|---|---|---|');
  for (const [name, project, script] of cases) {
    const [command, flag] = project === '' ? ['/usr/bin/python3', '-c'] : [process.execPath, '-e'];
    const results: number[][] = [];
    // One more: the first leaves compiled code for the others.
    for (let i = 0; i <= runs; i++) {
      const cwd = project === '' ? root : join(folder, project);
      const { status, stdout } = spawnSync(command, [flag, script], { cwd, encoding: 'utf8' });
      if (status === 0 && i > 0) results.push(JSON.parse(stdout) as number[]);
    }
    if (results.length === 0) {
      console.log(`| ${name} | not installed | | | |`);
      continue;
    }
    const pair = (at: number): string =>
      `${minimum(results, at).toFixed(0)} (${minimum(results, at + 1).toFixed(0)})`;
    const calls = script.includes(`await ${nothing}`) ? '' : pair(4);
    console.log(`| ${name} | ${pair(0)} | ${pair(2)} | ${calls} | ${sizes.get(project) ?? ''} |`);
  }
  console.log(
    `\nruntime dependencies of redraft:\n${dependencies(join(folder, 'redraft/node_modules')).join('\n')}\n`,
  );
  console.log(run(process.execPath, ['--expose-gc', '-e', further], join(folder, 'redraft')).trim());
} finally {
  rmSync(join(tmpdir(), tarball), { force: true });
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
