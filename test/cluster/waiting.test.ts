/** WAIT and WAITAOF, and who counts as waiting: what they count is true. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, until } from './nodes.js';

test('WAIT and WAITAOF count the followers that have the write, and the disks that do', async (t) => {
  const cluster = await TestCluster.start(t, 3, { durability: 'high' });
  const leader = await cluster.leader();
  const ask = (...args: string[]): Promise<unknown> => leader.ask(...args);
  await ask('SET', 'k', 'v');
  assert.equal(await ask('WAIT', '2', '0'), 2);
  assert.deepEqual(await ask('WAITAOF', '1', '2', '0'), [1, 2]);
  const [gone] = await cluster.followers();
  await gone!.stop();
  await ask('SET', 'k', 'w');
  assert.equal(await ask('WAIT', '2', '50'), 1);
  assert.deepEqual(await ask('WAITAOF', '1', '2', '50'), [1, 1]);
  assert.deepEqual(await ask('WAITAOF', '1', '1', '0'), [1, 1]);
  await ask('CONFIG', 'SET', 'durability', 'medium');
  assert.match(`${await ask('WAITAOF', '1', '1', '0')}`, /cannot be used for replicas at durability medium/);
  assert.deepEqual(await ask('WAITAOF', '1', '0', '0'), [1, 0]);
});

test('only the leader knows how far the others are', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'moved', durability: 'high' });
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  assert.match(
    `${await follower.ask('WAIT', '1', '0')}`,
    /^-ERR WAIT cannot be used with replica instances\./,
  );
  assert.match(
    `${await follower.ask('WAITAOF', '1', '1', '0')}`,
    /^-ERR WAITAOF cannot be used with replica instances\./,
  );
  // More followers than there are, for ever: until this node leads no more.
  const waiting = [
    ['WAIT', '5', '0'],
    ['WAITAOF', '0', '5', '0'],
  ].map(async (command) => plain(await (await leader.connect()).call(...command)));
  await leader.ask('PING');
  assert.equal(await leader.ask('RAFTTRANSFER'), 'OK');
  const told =
    '-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';
  assert.deepEqual(await Promise.all(waiting), [told, told]);
});

test('WAITAOF refuses what makes no sense, and a node without a disk says so', async () => {
  const redraft = await Redraft.start({ port: 0 });
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  const ask = async (...args: string[]): Promise<unknown> => plain(await client.call(...args));
  try {
    for (const [args, message] of [
      [['2', '0', '0'], /value must between 0 and 1/],
      [['x', '0', '0'], /value must between 0 and 1/],
      [['0', '-1', '0'], /must be positive/],
      [['0', '0', '-1'], /timeout is negative/],
      [['0', '0', 'x'], /timeout is not an integer/],
      [['1', '0', '0'], /keeps nothing on disk/],
    ] as const) {
      assert.match(`${await ask('WAITAOF', ...args)}`, message);
    }
    assert.deepEqual(await ask('WAITAOF', '0', '0', '0'), [0, 0]);
    await ask('MULTI');
    await ask('WAITAOF', '0', '0', '0');
    assert.deepEqual(await ask('EXEC'), [[0, 0]]);
  } finally {
    await client.close();
    await redraft.stop();
  }
});

test('a client is blocked once its command waits, not while the log may still answer it at once', async () => {
  const redraft = await Redraft.start({ port: 0 });
  const clients = [0, 1].map(() => RespClient.connect({ host: '127.0.0.1', port: redraft.port }));
  const [waiter, other] = await Promise.all(clients as [Promise<RespClient>, Promise<RespClient>]);
  const blocked = async (): Promise<string | undefined> =>
    /blocked_clients:(\d+)/.exec(`${plain(await other.call('INFO', 'clients'))}`)?.[1];
  try {
    await other.call('RPUSH', 'k', 'a');
    const served = waiter.call('BLPOP', 'k', '0');
    // Both requests come in one turn, and INFO does not wait for the entry.
    assert.equal(await blocked(), '0');
    assert.deepEqual(plain(await served), ['k', 'a']);
    const waits = waiter.call('BLPOP', 'k', '0');
    await until('the client waits', async () => (await blocked()) === '1');
    await other.call('RPUSH', 'k', 'b');
    assert.deepEqual(plain(await waits), ['k', 'b']);
  } finally {
    await Promise.all([waiter.close(), other.close()]);
    await redraft.stop();
  }
});
