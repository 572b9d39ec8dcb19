/**
 * `npm run test:ecosystem [FILE...]`: the tests of this folder, whose libraries it installs here unless they
 * are, against one node; against a follower of three; then once more after the leader has gone. Without a
 * FILE also the tests that fail nodes in the middle, the examples of docs/examples, and other runtimes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redraft } from '../../src/index.js';
import { runRuntimes } from '../runtimes/main.js';
import { runExamples } from './examples.js';

const folder = join(import.meta.dirname, '../../../test/ecosystem');

/** npm's own record of what it has installed. */
const installedMs = statSync(join(folder, 'node_modules/.package-lock.json'), {
  throwIfNoEntry: false,
})?.mtimeMs;
if (installedMs === undefined || installedMs < statSync(join(folder, 'package-lock.json')).mtimeMs) {
  const install = ['ci', '--no-audit', '--no-fund', '--prefix', folder];
  const { status } = spawnSync('npm', install, { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

const named = process.argv.slice(2);
const files = named.length > 0 ? named : ['streams.test.mjs', 'scripts.test.mjs'];

function runTests(port: number, tests = files): Promise<number> {
  const child = spawn(process.execPath, ['--test', '--test-force-exit', ...tests], {
    cwd: folder,
    env: { ...process.env, REDRAFT_PORT: `${port}` },
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

const single = await Redraft.start();
let code = await runTests(single.port);
await single.stop();

const root = mkdtempSync(join(tmpdir(), 'redraft-ecosystem-'));
const nodes: Redraft[] = [];
for (let i = 0; i < 3; i++) {
  const joined = nodes[0] === undefined ? {} : { join: nodes[0].address };
  nodes.push(await Redraft.start({ dir: join(root, `${i}`), follower: 'forward', ...joined }));
}
const follower = nodes[2];
if (code === 0) code = await runTests(follower.port);
await nodes[0].stop();
if (code === 0) code = await runTests(follower.port);
await Promise.all(nodes.slice(1).map((node) => node.stop()));
rmSync(root, { recursive: true, force: true });
// These start nodes of their own, which fail in the middle.
if (code === 0 && named.length === 0) code = await runTests(0, ['events.test.mjs', 'failover.test.mjs']);
if (code === 0 && named.length === 0 && !((await runExamples()) && (await runRuntimes()))) code = 1;
process.exit(code);
