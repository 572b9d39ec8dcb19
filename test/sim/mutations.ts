/**
 * `npm run sim:mutations -- [--seeds N] [--core N] [--only WORDS,...] [--skip N] [--no-tests]`: proves the
 * proof. Each fault of the list is put into a copy of the tree; then the tests that know the code and the
 * simulator must find it: schedules of the core first, if it lies there, then seeds. Prints a table; a
 * fault that nothing finds is a hole.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Mutation, mutations } from './mutation-list.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const copied = [
  'engine',
  'raft',
  'src',
  'test',
  'conformance',
  'bench',
  'packaging',
  'dist',
  'package.json',
  'tsconfig.json',
  'tsconfig.base.json',
];
const testsMs = 180_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '400' },
    core: { type: 'string', default: '20000' },
    only: { type: 'string' },
    skip: { type: 'string', default: '0' },
    'no-tests': { type: 'boolean', default: false },
  },
});

interface Outcome {
  readonly code: number;
  readonly text: string;
}

function run(cwd: string, args: readonly string[], limitMs = Number.POSITIVE_INFINITY): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const timer =
      limitMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => child.kill('SIGKILL'), limitMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, text });
    });
  });
}

const compile = (tree: string): Promise<Outcome> =>
  run(tree, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);

/** Which tests fail, or none. */
async function runTests(tree: string, folders: readonly string[]): Promise<string> {
  const files = folders.flatMap((folder) =>
    (readdirSync(join(tree, 'dist/test', folder), { recursive: true }) as string[])
      .filter((file) => file.endsWith('.test.js'))
      .map((file) => join('dist/test', folder, file)),
  );
  const { code, text } = await run(tree, ['--test', '--test-reporter=tap', ...files], testsMs);
  if (code === 0) return '-';
  const failed = [...text.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name]) => name!);
  return failed.length === 0
    ? `${folders.join(', ')}: no end`
    : `${folders.join(', ')}: ${failed.length} tests`;
}

interface Row {
  readonly name: string;
  readonly tests: string;
  readonly check: string;
  readonly seeds: string;
  readonly isCaught: boolean;
}

/** The core alone: which property breaks, after how many schedules. */
async function searchCore(tree: string): Promise<Pick<Row, 'check' | 'seeds'> | undefined> {
  const { text } = await run(tree, ['dist/test/sim/main.js', '--core', values.core]);
  const failure = /^schedule (\d+): (.*)$/m.exec(text);
  if (failure === null) return undefined;
  return { check: `core: ${failure[2]}`, seeds: `${failure[1]} schedules` };
}

/** Whole nodes: which check fails, after how many seeds. */
async function searchSeeds(tree: string): Promise<Pick<Row, 'check' | 'seeds'> | { readonly done: number }> {
  const { text } = await run(tree, ['dist/test/sim/main.js', '--first', '--seeds', values.seeds]);
  const last = text.trim().split('\n').at(-1)!;
  const { done, failure } = JSON.parse(last) as {
    done: number;
    failure?: { violation: { check: string } };
  };
  return failure === undefined ? { done } : { check: failure.violation.check, seeds: `${done}` };
}

async function tryMutation(tree: string, mutation: Mutation): Promise<Row> {
  const { name, file, from, to } = mutation;
  const path = join(tree, file);
  const original = readFileSync(path, 'utf8');
  const places = original.split(from).length - 1;
  if (places !== 1) throw new Error(`${name}: its text stands ${places} times in ${file}`);
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  try {
    const compiled = await compile(tree);
    if (compiled.code !== 0) throw new Error(`${name}: the compiler refuses it:\n${compiled.text}`);
    // Tests that start the program want it as it ships.
    if (mutation.tests.includes('src')) await run(tree, ['dist/packaging/bundle.js']);
    const tests = values['no-tests'] ? 'not run' : await runTests(tree, mutation.tests);
    const isOfCore = /^raft\/\w+\.ts$/.test(file);
    const found = (isOfCore ? await searchCore(tree) : undefined) ?? (await searchSeeds(tree));
    if ('check' in found) return { name, tests, ...found, isCaught: true };
    const schedules = isOfCore ? `, of ${values.core} schedules` : '';
    const isCaught = tests !== '-' && tests !== 'not run';
    return { name, tests, check: '-', seeds: `none of ${found.done}${schedules}`, isCaught };
  } finally {
    writeFileSync(path, original);
  }
}

const tree = mkdtempSync(join(tmpdir(), 'redraft-mutations-'));
const rows: Row[] = [];
try {
  for (const name of copied)
    cpSync(join(root, name), join(tree, name), { recursive: true, preserveTimestamps: true });
  // What a mutation leaves unused is no reason to refuse it.
  const base = join(tree, 'tsconfig.base.json');
  writeFileSync(base, readFileSync(base, 'utf8').replace(/("noUnused\w+"): true/g, '$1: false'));
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  const chosen = mutations
    .slice(Number(values.skip))
    .filter(({ name }) => values.only?.split(',').some((word) => name.includes(word)) ?? true);
  console.log('| fault | found by tests | found by the simulator: check | seeds |');
  console.log('| --- | --- | --- | --- |');
  for (const mutation of chosen) {
    const row = await tryMutation(tree, mutation);
    rows.push(row);
    console.log(
      `| ${row.name} | ${row.tests} | ${row.check} | ${row.seeds}${row.isCaught ? '' : ' **SURVIVES**'} |`,
    );
  }
} finally {
  rmSync(tree, { recursive: true, force: true });
}
const survivors = rows.filter((row) => !row.isCaught);
console.log(`\n${rows.length} faults, ${rows.length - survivors.length} found`);
if (survivors.length > 0) {
  console.log(`not found: ${survivors.map((row) => row.name).join('; ')}`);
  process.exit(1);
}
