/**
 * `npm run test:ecosystem`: the tests of this folder, whose libraries are installed here (`npm ci --prefix test/ecosystem`), against a
 * follower of three nodes; then once more after the leader has gone.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redraft } from '../../src/index.js';

const folder = join(import.meta.dirname, '../../../test/ecosystem');

function runTests(port: number): Promise<number> {
  const child = spawn(process.execPath, ['--test', 'streams.test.mjs'], {
    cwd: folder,
    env: { ...process.env, REDRAFT_PORT: `${port}` },
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
}

const root = mkdtempSync(join(tmpdir(), 'redraft-ecosystem-'));
const nodes: Redraft[] = [];
for (let i = 0; i < 3; i++) {
  const joined = nodes[0] === undefined ? {} : { join: nodes[0].address };
  nodes.push(await Redraft.start({ dir: join(root, `${i}`), follower: 'forward', ...joined }));
}
const follower = nodes[2];
let code = await runTests(follower.port);
await nodes[0].stop();
if (code === 0) code = await runTests(follower.port);
await Promise.all(nodes.slice(1).map((node) => node.stop()));
rmSync(root, { recursive: true, force: true });
process.exit(code);
