/**
 * Runs the examples of docs/examples, and the suites of other stand-ins for Redis (projects), as projects
 * that have installed the package: with the libraries of this folder, ioredis 5 among them.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '../../..');
const installed = join(root, 'test/ecosystem/node_modules');

const jest = join(installed, 'jest/bin/jest.js');

/** By folder: what a project's test script runs. Long ones first. */
const runs: ReadonlyMap<string, readonly string[]> = new Map([
  ['nestjs', [jest, '--rootDir', '.']],
  ['jest-typescript', [jest, '--rootDir', '.']],
  ['jest-esm', ['--experimental-vm-modules', '--no-warnings', jest, '--rootDir', '.']],
  ['node-test', ['--test', 'leaderboard.test.mjs']],
  ['vitest', [join(installed, 'vitest/vitest.mjs'), 'run', '--root', '.']],
  ['jest', [jest, '--rootDir', '.']],
  ['types', ['--test', 'resolve.test.mjs']],
  ['jest-bare', [jest, '--rootDir', '.']],
  ['jest-mock', [jest, '--rootDir', '.']],
  ['vitest-alias', [join(installed, 'vitest/vitest.mjs'), 'run', '--root', '.']],
  ['mocha', [join(installed, 'mocha/bin/mocha.js')]],
  ['express', ['--test', 'app.test.mjs']],
  ['fastify', ['--test', 'app.test.mjs']],
  ['bullmq', ['--test', 'reminders.test.mjs', 'shop.test.mjs', 'paint.test.mjs']],
  [
    'in-place',
    [
      '--test',
      '--test-force-exit',
      'ioredis-mock.test.mjs',
      'redis-memory-server.test.mjs',
      'sinon.test.mjs',
    ],
  ],
  ['redlock', ['--test', 'turns.test.mjs']],
  ['end-to-end', ['--test', 'shop.test.mjs']],
]);

function link(target: string, folder: string): void {
  for (const name of readdirSync(target)) {
    if (name.startsWith('.')) continue;
    try {
      symlinkSync(join(target, name), join(folder, name));
    } catch (error) {
      // What this folder has installed itself stands before the package's own.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Of the package: what projects load, and what older resolvers of types look for. */
const packed = [
  'package.json',
  ...['dist/library', 'dist/src', 'dist/engine', 'dist/raft'],
  ...['engine/package.json', 'raft/package.json'],
];

/** How many run at a time. */
const AT_A_TIME = 2;

async function passes(project: string, name: string, args: readonly string[]): Promise<boolean> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: join(project, name), timeout: 120_000 });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await new Promise((resolve) => child.once('close', resolve));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (code !== 0) console.log((await output).join(''));
  console.log(`example ${name}: ${code === 0 ? 'passed' : 'FAILED'}, ${seconds} s`);
  return code === 0;
}

/**
 * Whether all of them pass.
 *
 * @param only their names; all, where there are none
 */
export async function runExamples(only: readonly string[] = []): Promise<boolean> {
  const project = mkdtempSync(join(tmpdir(), 'redraft-examples-'));
  try {
    const modules = join(project, 'node_modules');
    mkdirSync(modules);
    link(installed, modules);
    link(join(root, 'node_modules'), modules);
    // A copy, not a link: what it requires is looked for in the project.
    for (const file of packed) cpSync(join(root, file), join(modules, 'redraft', file), { recursive: true });
    for (const folder of ['docs/examples', 'test/ecosystem/projects'])
      cpSync(join(root, folder), project, { recursive: true });
    const left = [...runs].filter(([name]) => only.length === 0 || only.includes(name));
    let passed = left.length > 0;
    const work = async (): Promise<void> => {
      for (let run = left.shift(); run !== undefined; run = left.shift())
        passed = (await passes(project, ...run)) && passed;
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return passed;
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename)
  process.exit((await runExamples(process.argv.slice(2))) ? 0 : 1);
