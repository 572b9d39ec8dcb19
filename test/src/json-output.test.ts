/** `--json` of the subcommands that work on a directory. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { newDirectory, run } from './program-runner.js';

async function asked(...args: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> {
  const { code, stdout, stderr } = await run([...args, '--json']);
  assert.equal(stderr, '');
  assert.equal(stdout.split('\n').length, 2, stdout);
  return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
}

test('check and recover of a node that was one of three', async () => {
  const dir = newDirectory();
  const cluster = await Redraft.cluster(3, { dir });
  await cluster.load({ k: 'v' });
  const own = join(dir, 'node0');
  await cluster.stop();

  const checked = await asked('check', own);
  assert.equal(checked.code, 0);
  assert.deepEqual(checked.answer.damages, []);
  assert.ok((checked.answer.lastIndex as number) > 3);
  const identity = checked.answer.identity as Record<string, unknown>;
  assert.match(`${identity.clusterId}`, /^[0-9a-f]{32}$/);
  assert.equal('salt' in identity, false);

  // Without --yes it says what it would do, and nobody is asked.
  const planned = await asked('recover', '--dir', own);
  assert.deepEqual([planned.code, planned.answer.changed], [1, false]);
  assert.equal((planned.answer.removed as unknown[]).length, 2);
  const done = await asked('recover', '--dir', own, '--yes');
  assert.deepEqual([done.code, done.answer.changed], [0, true]);
  assert.deepEqual(done.answer.removed, planned.answer.removed);
  const again = await asked('recover', '--dir', own);
  assert.deepEqual([again.code, again.answer.changed, again.answer.removed], [0, false, []]);
});

test('check of what is no data directory', async () => {
  const { code, answer } = await asked('check', newDirectory());
  assert.deepEqual([code, answer.damages], [1, ['no directory']]);
});
