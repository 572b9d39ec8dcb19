/**
 * Redraft and redis-server side by side: `npm run bench -- [flags]`. Without flags it measures everything but
 * what takes long, in some minutes. docs/PERFORMANCE.md has what came of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  besideRedis,
  type Cell,
  type Comparison,
  compare,
  comparisonHead,
  comparisonRow,
} from './compare.js';
import { machine, putIntoPage } from './documents.js';
import { embeddedTable, runEmbedded } from './embedded.js';
import { firstSecondTable, measureFirstSecond } from './first-second.js';
import { growthTable, measureGrowth } from './growth.js';
import {
  measureMemory,
  measureRecovery,
  measureStart,
  memoryTable,
  recoveryTable,
  startTable,
} from './lifecycle.js';
import { latencyCurves, recordLatencies, throughputBars } from './plots.js';
import { hasRedis, type Mode, startServer } from './servers.js';
import { measureSnapshotPause, snapshotPauseTable } from './snapshot-pause.js';
import { table } from './statistics.js';
import { workloads } from './workloads.js';

const SECTIONS = [
  'memory',
  'durable',
  'embedded',
  'start',
  'recovery',
  'snapshot',
  'bytes',
  'growth',
] as const;

const { values: flags } = parseArgs({
  options: {
    /** Sections to run, with commas between. */
    only: { type: 'string', default: SECTIONS.join(',') },
    /** Part of a workload's name, in any case. */
    workload: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.7' },
    clients: { type: 'string' },
    pipeline: { type: 'string' },
    /** Every workload with every number of clients and depth of pipeline, and 10M keys. */
    full: { type: 'boolean', default: false },
    /** Another program that starts and speaks as redis-server does, to be measured in its place. */
    'redis-server': { type: 'string' },
    'first-second': { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'boolean', default: false },
    /** Tables into docs/PERFORMANCE.md. */
    docs: { type: 'boolean', default: false },
    /** Where ioredis-mock was installed. */
    'ioredis-mock': { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  console.log(`npm run bench -- [flags]
  --only ${SECTIONS.join(',')}
  --workload WORD      workloads with this in their name
  --rounds N           rounds A B for each figure (5)
  --seconds S          length of a round (0.7)
  --clients 1,50,200 --pipeline 1,16,100   instead of the usual choice
  --full               all workloads with all of these, and 10M keys
  --redis-server PATH  beside this program, such as a valkey-server
  --first-second       only: the first 100,000 requests of a process, the next 400,000, and later ones
  --json FILE          everything measured
  --svg                plots into docs/
  --docs               the tables into docs/PERFORMANCE.md
  --ioredis-mock DIR   a folder in which "npm install ioredis-mock ioredis@5" was run`);
  process.exit(0);
}

const sections = new Set(flags['first-second'] ? [] : flags.only.split(','));
for (const section of sections) {
  if (!(SECTIONS as readonly string[]).includes(section))
    throw new Error(`--only ${section}: one or more of ${SECTIONS.join(',')}`);
}
const rounds = Number(flags.rounds);
const chosen = workloads.filter(({ name }) => name.toLowerCase().includes(flags.workload.toLowerCase()));
const numbers = (text: string): number[] => text.split(',').map(Number);

/**
 * What is measured without flags: everything at 50 clients and a pipeline of 16, the simplest commands in
 * every way.
 */
function cellsFor(mode: Mode): Cell[] {
  const simple = new Set(['SET', 'GET', 'INCR']);
  const cells: Cell[] = [];
  for (const workload of chosen) {
    const isSimple = simple.has(workload.name);
    if (mode === 'durable' && !isSimple && !flags.full && flags.workload === '') continue;
    const listed = flags.clients !== undefined || flags.pipeline !== undefined || flags.full;
    if (listed) {
      for (const clients of numbers(flags.clients ?? '1,50,200'))
        for (const pipeline of numbers(flags.pipeline ?? '1,16,100'))
          cells.push({ workload, clients, pipeline });
      continue;
    }
    cells.push({ workload, clients: 50, pipeline: 1 }, { workload, clients: 50, pipeline: 16 });
    if (!isSimple) continue;
    cells.push({ workload, clients: 50, pipeline: 100 }, { workload, clients: 1, pipeline: 1 });
    cells.push({ workload, clients: 200, pipeline: 1 });
  }
  return cells;
}

const measured: Record<string, unknown> = {
  node: process.version,
  cpus: cpus().map((cpu) => cpu.model),
  rounds,
};

function heading(text: string): void {
  console.log(`\n## ${text}\n`);
}

/** Prints a section's table, and puts it into the page where it belongs. */
function show(name: string, text: string): void {
  console.log(text);
  if (flags.docs) putIntoPage('PERFORMANCE.md', name, text);
}

async function compareServers(mode: Mode): Promise<void> {
  const loadedMachine = machine();
  heading(
    mode === 'memory' ? 'Memory: no log against no persistence' : 'Durable: fsync before each reply, both',
  );
  const pair = besideRedis(flags['redis-server']);
  const results = await compare(mode, pair, cellsFor(mode), rounds, Number(flags.seconds), (result) =>
    process.stderr.write(`${comparisonRow(result).join('  ')}\n`),
  );
  show(mode, table([comparisonHead(), ...results.map(comparisonRow)]));
  if (flags.docs) putIntoPage('PERFORMANCE.md', `${mode}-machine`, loadedMachine);
  measured[mode] = results;
  if (flags.svg) await plot(mode, results);
}

async function plot(mode: Mode, results: readonly Comparison[]): Promise<void> {
  const folder = join(import.meta.dirname, '../../docs/plots');
  mkdirSync(folder, { recursive: true });
  const shown = results.filter(({ clients, pipeline }) => clients === 50 && pipeline <= 16);
  for (const pipeline of [1, 16]) {
    const bars = shown.filter((result) => result.pipeline === pipeline);
    if (bars.length === 0) continue;
    const title = `Requests a second, ${mode} mode, P=${pipeline}`;
    writeFileSync(join(folder, `throughput-${mode}-p${pipeline}.svg`), throughputBars(title, bars));
  }
  const histograms = [];
  for (const name of ['redraft', 'redis'] as const) {
    const server = await startServer(name, mode);
    await recordLatencies(server.port, 50, 50_000);
    histograms.push(await recordLatencies(server.port, 50, 200_000));
    await server.stop();
  }
  writeFileSync(
    join(folder, `latency-${mode}.svg`),
    latencyCurves(`Latency of SET, ${mode} mode, 50 clients`, histograms[0], histograms[1]),
  );
}

for (const mode of ['memory', 'durable'] as const) {
  if (!sections.has(mode)) continue;
  if (hasRedis()) await compareServers(mode);
  else console.log(`${mode}: redis-server and redis-benchmark are not installed, nothing to compare with`);
}
if (flags['first-second'] && hasRedis()) {
  heading('The first second of a process: SET and GET of 50 clients');
  const results = await measureFirstSecond(besideRedis(flags['redis-server']), rounds);
  show('first-second', firstSecondTable(results));
  measured.firstSecond = results;
}
if (sections.has('embedded')) {
  heading('The engine in process');
  const results = await runEmbedded(flags['ioredis-mock'], rounds);
  show('embedded', embeddedTable(results));
  measured.embedded = results;
}
if (sections.has('start')) {
  heading('Start');
  const times = await measureStart(Math.max(rounds, 5));
  show('start', startTable(times));
  measured.start = times;
}
if (sections.has('recovery')) {
  heading('Recovery after kill -9');
  const results = [];
  for (const keys of flags.full ? [100_000, 1_000_000, 4_000_000] : [100_000, 1_000_000])
    results.push(await measureRecovery(keys));
  show('recovery', recoveryTable(results));
  measured.recovery = results;
}
if (sections.has('snapshot') && hasRedis()) {
  heading('Snapshot under load');
  const result = await measureSnapshotPause(1_000_000);
  show('snapshot', snapshotPauseTable(result));
  measured.snapshot = result;
}
if (sections.has('bytes')) {
  heading('Memory: 1M keys of 16 bytes with values of 16 bytes');
  const results = await measureMemory(1_000_000);
  show('bytes', memoryTable(results));
  measured.bytes = results;
}
if (sections.has('growth')) {
  heading('Cost against size');
  // Code that was never run before is slow, however little is stored.
  measureGrowth(50_000, 50_000);
  const results = (flags.full ? [1e4, 1e5, 1e6, 1e7] : [1e4, 1e5, 1e6]).map((size) =>
    measureGrowth(size, 1e6),
  );
  show('growth', growthTable(results));
  measured.growth = results;
}
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(measured, undefined, 2)}\n`);
process.exit(0);
