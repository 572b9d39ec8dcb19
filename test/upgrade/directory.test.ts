/** What the release before has left in a directory, this one goes on with: the same state, to its order. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataDirectory, openStoppedNode } from '../../raft/node/index.js';
import { EngineStateMachine } from '../../src/replication/state-machine.js';
import { root } from '../program-path.js';

/**
 * Made by a node of commit 01ae4fa that was killed behind a snapshot and some more writes: values of all
 * types, packed and not, with deadlines, a group, a user, a setting. RAFTDIGEST said this of it.
 */
const DIRECTORY = 'test/upgrade/directory-01ae4fa';
const INDEX = 23;
const DIGEST = '5737a4fb09957cfa';

test('a snapshot and a log of the release before', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'upgrade-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(root, DIRECTORY), folder, { recursive: true });
  const directory = await DataDirectory.open(folder);
  t.after(() => directory.close());
  const notices: string[] = [];
  const node = await openStoppedNode(directory, (text) => notices.push(text));
  const machine = new EngineStateMachine({});
  assert.equal(node.snapshot?.metadata.index, 16);
  await machine.install(node.snapshot);
  for (const entries of node.entries()) machine.apply(entries);
  await node.close();
  assert.deepEqual(notices, []);
  const { engine } = machine;
  assert.equal(engine.appliedIndex, INDEX);
  assert.equal(engine.digest(), DIGEST);
  assert.equal(engine.call('SCARD', 'bigset'), 590);
  assert.equal(engine.keyspace.settings['hash-max-listpack-entries'], 7);
});
