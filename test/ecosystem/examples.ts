/**
 * Runs the examples of docs/examples as projects that have installed the package: with the libraries of this
 * folder, ioredis 5 among them.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const installed = join(root, 'test/ecosystem/node_modules');

/** By folder: what a project's test script runs. */
const runs: ReadonlyMap<string, readonly string[]> = new Map([
  ['node-test', ['--test', 'leaderboard.test.mjs']],
  ['vitest', [join(installed, 'vitest/vitest.mjs'), 'run', '--root', '.']],
  ['jest', [join(installed, 'jest/bin/jest.js'), '--rootDir', '.']],
  ['jest-bare', [join(installed, 'jest/bin/jest.js'), '--rootDir', '.']],
  ['express', ['--test', 'app.test.mjs']],
  ['bullmq', ['--test', 'reminders.test.mjs']],
]);

/**
 * ioredis-mock's own documentation maps a bare name, which matches each path through ioredis as well; and
 * fakes all timers.
 */
const bareMapping = {
  'jest.config.js': "module.exports = { moduleNameMapper: { ioredis: 'redraft/ioredis' } };\n",
  'bare.test.js': `const Redis = require('ioredis');
    test('a mapping by a bare name, and all timers faked', async () => {
      jest.useFakeTimers();
      const redis = new Redis({ data: { k: 'v' } });
      expect(await redis.get('k')).toBe('v');
      await expect(redis.lpush('k', 'x')).rejects.toThrow(/^WRONGTYPE/);
      const sub = new Redis();
      await sub.subscribe('c');
      expect(await redis.publish('c', 'm')).toBe(1);
    });\n`,
};

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

/** Whether all of them pass. */
export function runExamples(): boolean {
  const project = mkdtempSync(join(tmpdir(), 'redraft-examples-'));
  try {
    const modules = join(project, 'node_modules');
    mkdirSync(modules);
    link(installed, modules);
    link(join(root, 'node_modules'), modules);
    // A copy, not a link: what it requires is looked for in the project.
    for (const file of ['package.json', 'dist/library', 'dist/src', 'dist/engine', 'dist/raft'])
      cpSync(join(root, file), join(modules, 'redraft', file), { recursive: true });
    cpSync(join(root, 'docs/examples'), project, { recursive: true });
    mkdirSync(join(project, 'jest-bare'));
    for (const [name, text] of Object.entries(bareMapping))
      writeFileSync(join(project, 'jest-bare', name), text);
    let passed = true;
    for (const [name, args] of runs) {
      const { status } = spawnSync(process.execPath, args, {
        cwd: join(project, name),
        stdio: 'inherit',
        timeout: 120_000,
      });
      console.log(`example ${name}: ${status === 0 ? 'passed' : 'FAILED'}`);
      passed &&= status === 0;
    }
    return passed;
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) process.exit(runExamples() ? 0 : 1);
