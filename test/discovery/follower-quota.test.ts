/** min-replicas-to-write on three nodes: how many followers answer decides, on whichever node leads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster, until } from '../cluster/nodes.js';

test('writes are refused while fewer followers answer than are asked for', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  const [first, second] = cluster.nodes.filter((node) => node !== leader);
  assert.doesNotMatch((await leader.ask('INFO', 'replication')) as string, /min_slaves_good_slaves/);
  // A setting of the cluster: whoever leads asks for it.
  assert.equal(
    await leader.ask('CONFIG', 'SET', 'min-replicas-to-write', '2', 'min-replicas-max-lag', '1'),
    'OK',
  );
  assert.equal(await leader.ask('SET', 'k', 'v'), 'OK');
  assert.match((await leader.ask('INFO', 'replication')) as string, /\r\nmin_slaves_good_slaves:2\r\n/);
  await until('the other has the setting', async () => {
    const [, value] = (await first.ask('CONFIG', 'GET', 'min-replicas-to-write')) as string[];
    return value === '2';
  });
  await second.stop();
  const refusal = '-NOREPLICAS Not enough good replicas to write.';
  await until('it is missed', async () => (await leader.ask('SET', 'k', 'w')) === refusal);
  assert.match((await leader.ask('INFO', 'replication')) as string, /\r\nmin_slaves_good_slaves:1\r\n/);
  assert.equal(await leader.ask('GET', 'k'), 'w');
  assert.equal(await leader.ask('EVAL', "return redis.call('set', 'k', 'w')", '0'), refusal);
  assert.equal(await leader.ask('RAFTTRANSFER', first.address), 'OK');
  await until('it leads', () => first.isLeader);
  await until('the new leader misses it, too', async () => (await first.ask('SET', 'k', 'w')) === refusal);
  await second.start();
  await until('it is back', async () => (await first.ask('SET', 'k', 'w')) === 'OK');
});
