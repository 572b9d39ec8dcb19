import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from '../../src/observability/log.js';
import { show, withNode } from './commands/test-node.js';

test('the first start settles the cluster, later starts keep what it settled on and say so', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'redraft-settings-'));
  try {
    await withNode(
      async ({ connect, redraft }) => {
        const client = await connect();
        assert.match(show(await client.call('SELECT', '4')), /out of range/);
        assert.equal(redraft.server.engine.keyspace.settings.durability, 0);
        await client.call('CONFIG', 'SET', 'hash-max-listpack-entries', '7', 'durability', 'medium');
        assert.equal(redraft.server.engine.keyspace.settings.durability, 1);
      },
      { dir, durability: 'low', settings: { databases: 4 } },
    );
    const lines: string[] = [];
    const log = createLog('notice', (line) => lines.push(line));
    await withNode(
      async ({ connect }) => {
        const client = await connect();
        const replies = await Promise.all([
          client.call('CONFIG', 'GET', 'databases'),
          client.call('CONFIG', 'GET', 'hash-max-listpack-entries'),
          client.call('CONFIG', 'GET', 'durability'),
          client.call('SELECT', '4'),
        ]);
        assert.deepEqual(replies.map(show), [
          '[databases 4]',
          '[hash-max-listpack-entries 7]',
          '[durability medium]',
          '-ERR DB index is out of range',
        ]);
      },
      { dir, log },
    );
    const said = lines.filter((line) => line.includes('the cluster keeps its own settings'));
    assert.equal(said.length, 1);
    assert.match(said[0], /databases 4 \(not 16\)/);
    assert.match(said[0], /durability medium \(not high\)/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
