/**
 * Real clients of Redis Cluster and Sentinel follow the leader by themselves (`npm run clients:failover`
 * measures them).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify, stripVTControlCharacters } from 'node:util';
import { ProcessCluster } from '../cluster/processes.js';
import { ownKinds } from './failover-clients.js';
import { briefEvents } from './failover-events.js';
import { type Measured, measureFailover } from './failover-run.js';

/** The machine may be busy with other tests. */
const PACE_MS = 50;

for (const follower of ['moved', 'forward'] as const)
  test(`--follower ${follower}: clients go on after a transfer and a killed leader`, async (t) => {
    const cluster = await ProcessCluster.start(t, 3, ['--follower', follower, '--durability', 'low']);
    const kinds = ownKinds.filter((kind) => kind.follower === follower);
    const results: Measured[] = [];
    await measureFailover(cluster, kinds, briefEvents, (result) => results.push(result), PACE_MS);
    assert.equal(results.length, kinds.length * briefEvents.length);
    for (const { client, event, gapMs, errors, isLost } of results) {
      assert.ok(!isLost, `${client} would need a restart after ${event}`);
      assert.ok(gapMs < 15_000, `${client} is lost after ${event}: ${errors[0]}`);
      // node-redis ends its connection to a node that is no master any more with what is in flight on it.
      const own = errors.filter((text) => text !== 'Disconnects client');
      if (event === 'transfer') assert.deepEqual(own, [], client);
    }
  });

test('redis-cli finds a sound cluster at every node, and follows the leader', async (t) => {
  const run = promisify(execFile);
  try {
    await run('redis-cli', ['--version']);
  } catch {
    t.skip('redis-cli is not installed');
    return;
  }
  const cluster = await ProcessCluster.start(t, 3, ['--follower', 'moved', '--durability', 'low']);
  const leader = await cluster.leader();
  const follower = cluster.ports[(leader + 1) % 3];
  const set = await run('redis-cli', ['-c', '-p', `${follower}`, 'SET', 'foo', 'bar']);
  assert.equal(set.stdout.trim(), 'OK');
  // Another one was written to find the leader.
  const master = `127\\.0\\.0\\.1:${cluster.ports[leader]}`;
  for (const port of cluster.ports) {
    const about = async (command: string): Promise<string> =>
      stripVTControlCharacters((await run('redis-cli', ['--cluster', command, `127.0.0.1:${port}`])).stdout);
    const summary = new RegExp(
      `^${master} \\([0-9a-f]{8}\\.\\.\\.\\) -> 2 keys \\| 16384 slots \\| 2 slaves\\.\\n\\[OK\\] 2 keys in 1 masters\\.`,
      'm',
    );
    assert.match(await about('info'), summary);
    const check = await about('check');
    assert.match(check, summary);
    assert.match(check, /\[OK\] All nodes agree about slots configuration\./);
    assert.match(check, /\[OK\] All 16384 slots covered\./);
    assert.equal(check.match(/^M: /gm)?.length, 1);
    assert.equal(check.match(/^S: /gm)?.length, 2);
    assert.doesNotMatch(check, /\[ERR\]|\[WARNING\]/);
  }
  // What would move slots is refused, with the reason.
  const { stdout } = await run('redis-cli', ['-p', `${cluster.ports[leader]}`, 'CLUSTER', 'DELSLOTS', '1']);
  assert.match(stdout, /one shard owns all slots/);
});
