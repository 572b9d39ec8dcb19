/**
 * `npm run bench:gate -- COMMIT`: this tree beside another commit, ten workloads in alternation. Prints a
 * table; ends with 1 if one of them has become slower than 0.97 of what it was, by throughput and by the
 * processor time of a request both: on a busy machine either of them alone says little.
 *
 * Further: --rounds N (5), --seconds S (0.7), --workload WORD (part of a name), --durable (with a log that is
 * synced).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Cell, type Comparison, compare, comparisonHead, comparisonRow } from './compare.js';
import { type Mode, startServer } from './servers.js';
import { median, table } from './statistics.js';
import { workloads } from './workloads.js';

const SLOWEST = 0.97;
const names: readonly (readonly [name: string, pipeline: number])[] = [
  ['SET', 1],
  ['SET', 16],
  ['GET', 1],
  ['GET', 16],
  ['INCR', 16],
  ['MSET of 10', 16],
  ['LPUSH', 16],
  ['HSET of 5 fields', 16],
  ['ZADD, 1M members', 16],
  ['GET of 10 KB', 16],
];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.7' },
    workload: { type: 'string', default: '' },
    durable: { type: 'boolean', default: false },
  },
});
const [commit] = positionals;
if (commit === undefined || positionals.length > 1) {
  console.error('which commit is it to be compared with? npm run bench:gate -- COMMIT');
  process.exit(2);
}

function run(folder: string, command: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

/** What a request costs, as a share of what it cost. */
function processorRatio({ rounds }: Comparison): number {
  return median(
    rounds.map(({ ours, theirs }) => (ours.userUs + ours.systemUs) / (theirs.userUs + theirs.systemUs)),
  );
}

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'redraft-gate-'));
const archive = join(folder, 'tree.tar');
let slower: string[] = [];
try {
  run(root, 'git', 'archive', '--format=tar', '-o', archive, commit);
  run(folder, 'tar', '-xf', archive);
  run(folder, 'npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
  run(folder, 'npm', 'run', 'build');
  const mode: Mode = flags.durable ? 'durable' : 'memory';
  const cells = names
    .filter(([name]) => name.toLowerCase().includes(flags.workload.toLowerCase()))
    .map(([name, pipeline]): Cell => {
      const workload = workloads.find((one) => one.name === name)!;
      return { workload, clients: 50, pipeline };
    });
  const program = join(folder, 'dist/program/main.js');
  const results = await compare(
    mode,
    [() => startServer('redraft', mode), () => startServer('redraft', mode, { program })],
    cells,
    Number(flags.rounds),
    Number(flags.seconds),
    (result) => process.stderr.write(`${comparisonRow(result).join('  ')}\n`),
  );
  const rows = results.map((result) => [...comparisonRow(result), processorRatio(result).toFixed(2)]);
  console.log(table([[...comparisonHead(commit), 'CPU ratio'], ...rows]));
  slower = results
    .filter((result) => result.ratio < SLOWEST && 1 / processorRatio(result) < SLOWEST)
    .map(({ workload, pipeline }) => `${workload} at P=${pipeline}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (slower.length > 0) {
  console.error(`slower than ${SLOWEST} of ${commit}: ${slower.join(', ')}`);
  process.exitCode = 1;
}
