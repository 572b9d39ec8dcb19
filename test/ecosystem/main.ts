/**
 * `npm run test:ecosystem [FILE...]`: the tests of this folder, whose libraries are installed here (`npm ci
 * --prefix test/ecosystem`), against one node; against a follower of three; then once more after the leader
 * has gone. Without a FILE also the tests that fail nodes in the middle, and the examples of docs/examples.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redraft } from '../../src/index.js';
import { runExamples } from './examples.js';

const folder = join(import.meta.dirname, '../../../test/ecosystem');

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
if (code === 0 && named.length === 0) code = await runTests(0, ['events.test.mjs']);
if (code === 0 && named.length === 0 && !(await runExamples())) code = 1;
process.exit(code);
