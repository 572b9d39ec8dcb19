/**
 * Real clients of Redis Cluster and Sentinel follow the leader by themselves (`npm run clients:failover`
 * measures them).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ProcessCluster } from '../cluster/processes.js';
import { clientKinds } from './failover-clients.js';
import { clusterEvents, type Measured, measureFailover } from './failover-run.js';

for (const follower of ['moved', 'forward'] as const)
  test(`--follower ${follower}: clients go on after a transfer and a killed leader`, async (t) => {
    const cluster = await ProcessCluster.start(t, 3, ['--follower', follower, '--durability', 'low']);
    const kinds = clientKinds.filter((kind) => kind.follower === follower);
    const results: Measured[] = [];
    const events = clusterEvents.filter(({ name }) => name === 'transfer' || name === 'kill -9');
    await measureFailover(cluster, kinds, events, (result) => results.push(result));
    assert.equal(results.length, kinds.length * events.length);
    for (const { client, event, gapMs, errors } of results) {
      assert.ok(gapMs < 15_000, `${client} is lost after ${event}: ${errors[0]}`);
      if (event === 'transfer' && follower === 'moved') assert.deepEqual(errors, [], client);
    }
  });

test('redis-cli finds a sound cluster, and follows the leader', async (t) => {
  const run = promisify(execFile);
  try {
    await run('redis-cli', ['--version']);
  } catch {
    t.skip('redis-cli is not installed');
    return;
  }
  const cluster = await ProcessCluster.start(t, 3, ['--follower', 'moved', '--durability', 'low']);
  const leader = await cluster.leader();
  const { stdout } = await run('redis-cli', ['--cluster', 'check', `127.0.0.1:${cluster.ports[leader]}`]);
  assert.match(stdout, /\[OK\] All nodes agree about slots configuration\./);
  assert.match(stdout, /\[OK\] All 16384 slots covered\./);
  const follower = cluster.ports[(leader + 1) % 3];
  const set = await run('redis-cli', ['-c', '-p', `${follower}`, 'SET', 'foo', 'bar']);
  assert.equal(set.stdout.trim(), 'OK');
});
