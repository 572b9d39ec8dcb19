/**
 * `npm run test:runtimes`: the library in Bun and in Deno, as far as they are installed (`npm ci --prefix
 * test/runtimes`): in memory, with a directory that outlives a kill, and as a cluster of three.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '../../..');
const installed = join(root, 'test/runtimes/node_modules');

const runtimes: ReadonlyMap<string, readonly [file: string, ...args: string[]]> = new Map([
  ['bun', [join(installed, '@oven/bun-linux-x64/bin/bun')]],
  ['deno', [join(installed, '@deno/linux-x64-glibc/deno'), 'run', '-A']],
]);

async function rounds([file, ...args]: readonly [string, ...string[]], folder: string): Promise<void> {
  const start = (round: string, directory: string) =>
    spawn(file, [...args, join(root, 'test/runtimes/rounds.cjs'), round, join(folder, directory)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
  const passes = async (round: string, directory = ''): Promise<void> => {
    const child = start(round, directory);
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    assert.match(output, /^ok$/m, `${round}: ${output}${errors}`);
  };
  await passes('memory');
  const holder = start('hold', 'data');
  const ended = once(holder, 'close');
  const [first] = (await Promise.race([once(holder.stdout, 'data'), ended])) as [Buffer | number | null];
  assert.match(`${first}`, /^holds/);
  await passes('locked', 'data');
  holder.kill('SIGKILL');
  await ended;
  await passes('recovered', 'data');
  await passes('cluster', 'cluster');
}

/** Whether all that are installed pass. */
export async function runRuntimes(): Promise<boolean> {
  let passed = true;
  for (const [name, command] of runtimes) {
    if (!existsSync(command[0])) {
      console.log(`${name}: left out, it is not installed`);
      continue;
    }
    const began = performance.now();
    const folder = mkdtempSync(join(tmpdir(), `redraft-${name}-`));
    try {
      await rounds(command, folder);
      console.log(`${name}: passed, ${((performance.now() - began) / 1000).toFixed(1)} s`);
    } catch (error) {
      passed = false;
      console.log(`${name}: FAILED\n${(error as Error).stack}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return passed;
}

if (process.argv[1] === import.meta.filename) process.exit((await runRuntimes()) ? 0 : 1);
