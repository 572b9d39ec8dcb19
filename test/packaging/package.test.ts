/** What `npm pack` puts into the package, installed in an empty folder beside its dependencies alone. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RespClient } from '../../src/resp/client.js';
import { root } from '../program-path.js';

const folder = mkdtempSync(join(tmpdir(), 'redraft-package-'));
let running: ChildProcess | undefined;
after(async () => {
  if (running !== undefined && running.exitCode === null && running.signalCode === null) {
    running.kill('SIGKILL');
    await once(running, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
  cwd: root,
  encoding: 'utf8',
});
const [{ files }] = JSON.parse(packed.stdout) as [{ files: readonly { path: string }[] }];
const paths = files.map(({ path }) => path);

const modules = join(folder, 'node_modules');
const installed = join(modules, 'redraft');
const program = join(installed, 'dist/program');
const command = join(modules, '.bin/redraft');
for (const path of paths) {
  mkdirSync(dirname(join(installed, path)), { recursive: true });
  copyFileSync(join(root, path), join(installed, path));
}
const { dependencies, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  bin: { redraft: string };
};
for (const name of Object.keys(dependencies))
  symlinkSync(join(root, 'node_modules', name), join(modules, name));
mkdirSync(dirname(command));
symlinkSync(join(installed, bin.redraft), command);

const caches = (): string[] => readdirSync(program).filter((file) => file.endsWith('.cache'));

/** Starts the command as a shell would, asks it something, and calls `use` before its end. */
async function serve(use: () => void | Promise<void> = () => {}): Promise<string> {
  const child = spawn(command, ['--port', '0', '--backend', 'memory'], { cwd: folder });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = once(child, 'exit');
  let port: string | undefined;
  while (port === undefined) {
    const ended = await Promise.race([once(child.stdout, 'data').then(() => false), exited.then(() => true)]);
    if (ended) assert.fail(output);
    port = / serves \S+:(\d+),/.exec(output)?.[1];
  }
  const client = await RespClient.connect({ host: '127.0.0.1', port: Number(port) });
  assert.deepEqual(await client.call('PFADD', 'k', 'a'), 1);
  assert.deepEqual(await client.call('PFCOUNT', 'k'), 1);
  await client.close();
  await use();
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null], output);
  return output;
}

const run = (...args: string[]) => spawnSync(command, args, { cwd: folder, encoding: 'utf8' });

test('it has what its command needs, and nothing of one machine', () => {
  assert.ok(paths.includes(bin.redraft));
  assert.deepEqual(caches(), []);
  assert.deepEqual(
    paths.filter((path) => /^dist\/(test|bench|conformance|packaging)\//.test(path)),
    [],
  );
});

test('every subcommand runs', () => {
  assert.match(run('--version').stdout, /^redraft \d+\.\d+\.\d+\n$/);
  assert.match(run('--help').stdout, /^Usage: redraft/m);
  const wrong = run('--prot', '1');
  assert.deepEqual([wrong.status, wrong.stderr], [2, 'redraft: unknown flag --prot: did you mean --port?\n']);
  assert.match(run('check', folder).stdout, /holds no identity/);
  assert.match(run('recover', '--dir', folder, '--yes').stderr, /^redraft: /);
  assert.match(run('status', '--address', '127.0.0.1:1').stderr, /^redraft: /);
});

test('it serves, keeps what V8 compiled for later starts, and does without what V8 refuses', async () => {
  await serve(async () => {
    while (caches().length < 2) await delay(20);
  });
  const made = caches();
  await serve();
  for (const cache of made) writeFileSync(join(program, cache), 'damaged');
  await serve();
  assert.deepEqual(caches(), made);
});

test('V8 takes what an earlier start compiled', async () => {
  for (const cache of caches()) rmSync(join(program, cache));
  await serve(async () => {
    while (caches().length < 2) await delay(20);
  });
  const loader = join(program, 'loader.js');
  const text = readFileSync(loader, 'utf8');
  // It says so by itself to nobody.
  const telling = text.replace(
    /^ *if \(cachedData ===/m,
    "console.error('refused: ' + script.cachedDataRejected);\n$&",
  );
  assert.notEqual(telling, text);
  writeFileSync(loader, telling);
  const output = await serve();
  writeFileSync(loader, text);
  assert.deepEqual(output.match(/refused: \w+/g), ['refused: false', 'refused: false']);
});

test('a stack trace names source files', () => {
  const { stderr } = spawnSync(
    process.execPath,
    ['-e', `require('${program}/command-line.js').parseCommandLine(['--prot'], {})`],
    { encoding: 'utf8' },
  );
  assert.match(stderr, /^ {4}at readFlags \(src\/cli\/command-line\.ts:\d+:\d+\)$/m);
});
