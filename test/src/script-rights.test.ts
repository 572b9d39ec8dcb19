/**
 * Scripts of users who may not do everything: judged in apply, alike on every node; who was denied what is
 * noted where the client is.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { Redraft } from '../../src/index.js';
import { TestCluster, until } from '../cluster/nodes.js';

const writes = "return redis.pcall('set', KEYS[1], 1)";
const readsElsewhere = "return redis.pcall('get', 'other')";
const denied = /The user executing the script can't/;

async function checkRights(port: number, doorPort: number): Promise<void> {
  const admin = new Redis({ port, retryStrategy: null });
  await admin.call('ACL', 'SETUSER', 'limited', 'on', '>pw', '~mine:*', '+@all', '-set');
  await admin.del('mine:a', 'mine:n');
  const user = new Redis({ port: doorPort, username: 'limited', password: 'pw', retryStrategy: null });
  try {
    await assert.rejects(user.eval(writes, 1, 'mine:a'), denied);
    await assert.rejects(user.eval(readsElsewhere, 0), denied);
    await assert.rejects(user.call('EVAL_RO', readsElsewhere, 0), denied);
    assert.equal(await user.eval("return redis.call('incr', KEYS[1])", 1, 'mine:n'), 1);
    // Within a transaction, beside commands that are none of a script.
    const results = await user
      .multi()
      .eval(writes, 1, 'mine:a')
      .incr('mine:n')
      .eval(readsElsewhere, 0)
      .exec();
    assert.match(String(results![0][0]), denied);
    assert.equal(results![1][1], 2);
    assert.match(String(results![2][0]), denied);
    assert.equal(await admin.get('mine:a'), null);
    const log = (await admin.call('ACL', 'LOG')) as string[][];
    const noted = log.map((entry) => [entry[5], entry[7], entry[9]].join(' '));
    assert.ok(noted.includes('lua set limited'), noted.join());
    assert.ok(noted.includes('lua other limited'), noted.join());
    // What a user may do is decided when the script runs.
    await admin.call('ACL', 'SETUSER', 'limited', '+set');
    await until(
      'the door knows',
      async () => (await user.eval(writes, 1, 'mine:a').catch(() => '')) === 'OK',
    );
  } finally {
    await admin.call('ACL', 'DELUSER', 'limited');
    admin.disconnect();
    user.disconnect();
  }
}

test('in memory', async () => {
  const redraft = await Redraft.start();
  try {
    await checkRights(redraft.port, redraft.port);
  } finally {
    await redraft.stop();
  }
});

test('three nodes that forward: by the leader, and by a follower', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  await checkRights(leader.port, leader.port);
  await checkRights(leader.port, follower.port);
  await until('all nodes are equal', () => {
    const [first, ...rest] = cluster.nodes.map((node) => node.redraft.server.engine.digest());
    return rest.every((digest) => digest === first);
  });
});
