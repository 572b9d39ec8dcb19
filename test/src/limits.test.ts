/** Limits of a container or a unit, and how systemd is told of the node. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cgroupLimits } from '../../src/cli/cgroup.js';
import { until } from '../cluster/nodes.js';
import { folder, serving, start } from './program-runner.js';

let trees = 0;
/** A file system with these files. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = join(folder, `tree${trees++}`);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const none = { memoryBytes: undefined, cpus: undefined };

test('of groups within each other the narrowest counts', () => {
  const root = tree({
    'proc/self/cgroup': '0::/system.slice/redraft.service\n',
    'sys/fs/cgroup/system.slice/redraft.service/memory.max': '4294967296\n',
    'sys/fs/cgroup/system.slice/redraft.service/memory.high': 'max\n',
    'sys/fs/cgroup/system.slice/redraft.service/cpu.max': 'max 100000\n',
    'sys/fs/cgroup/system.slice/memory.max': '1073741824\n',
    'sys/fs/cgroup/system.slice/cpu.max': '50000 100000\n',
  });
  assert.deepEqual(cgroupLimits(root), { memoryBytes: 2 ** 30, cpus: 0.5 });
});

test('in a container its group is the root', () => {
  const root = tree({
    'proc/self/cgroup': '0::/\n',
    'sys/fs/cgroup/memory.max': '536870912\n',
    'sys/fs/cgroup/memory.high': '402653184\n',
    'sys/fs/cgroup/cpu.max': '250000 100000\n',
  });
  assert.deepEqual(cgroupLimits(root), { memoryBytes: 402653184, cpus: 2.5 });
});

test('where nobody limits it, or the files say what they should not, there is no limit', () => {
  assert.deepEqual(cgroupLimits(tree({})), none);
  assert.deepEqual(cgroupLimits(tree({ 'proc/self/cgroup': '12:memory:/a\n11:cpu,cpuacct:/a\n' })), none);
  const odd = tree({
    'proc/self/cgroup': '1:name=systemd:/b\n0::/a\n',
    'sys/fs/cgroup/a/memory.max': 'max\n',
    'sys/fs/cgroup/a/cpu.max': '100000 0\n',
  });
  assert.deepEqual(cgroupLimits(odd), none);
});

test('systemd is told when the node is ready, what it does, and that it ends', async () => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${join(folder, 'told')}\n`);
  chmodSync(join(bin, 'systemd-notify'), 0o755);
  const environment = { PATH: `${bin}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/none' };
  const program = start(['--port', '0', '--backend', 'memory'], environment);
  const port = await serving(program);
  const told = (): string =>
    existsSync(join(folder, 'told')) ? readFileSync(join(folder, 'told'), 'utf8') : '';
  await until('it is ready', () => told().includes('--ready'));
  assert.match(told(), new RegExp(`--ready --status=redraft 127\\.0\\.0\\.1:${port} leader\n`));
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0);
  await until('it is told of the end', () => told().endsWith('STOPPING=1 STATUS=stopping\n'));
});

test('without systemd-notify it serves all the same', async () => {
  const program = start(['--port', '0', '--backend', 'memory'], { PATH: folder, NOTIFY_SOCKET: '/run/none' });
  await serving(program);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0, program.stderr);
});
