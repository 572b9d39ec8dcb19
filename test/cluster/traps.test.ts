/** What the nearest systems get wrong, and what the design says of stalls, leases and durability. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { plain, TestCluster, until } from './nodes.js';

test('a leader that has lost its quorum refuses medium and high reads and writes; low ones go on', async (t) => {
  const cluster = await TestCluster.start(t, 3, { consistency: 'low' });
  const leader = await cluster.leader();
  await leader.ask('SET', 'a', '1');
  for (const follower of await cluster.followers()) await follower.stop();
  await until('it steps down', () => !leader.isLeader);
  assert.equal(await leader.ask('GET', 'a'), '1');
  assert.match(String(await leader.ask('SET', 'a', '2')), /^-CLUSTERDOWN /);
  for (const level of ['medium', 'high']) {
    assert.equal(await leader.ask('RAFTCONSISTENCY', level), 'OK');
    assert.match(String(await leader.ask('GET', 'a')), /^-CLUSTERDOWN /);
  }
});

test('linearizable reads do not grow the log', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  await leader.ask('SET', 'a', '1');
  const { lastIndex } = leader.redraft.node.status();
  for (let i = 0; i < 50; i++) assert.equal(await leader.ask('GET', 'a'), '1');
  assert.equal(leader.redraft.node.status().lastIndex, lastIndex);
});

test('SPOP, SORT ... STORE and expiry leave the same state on all nodes, after failover, snapshot and restart', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const fill = async (round: number): Promise<void> => {
    const leader = await cluster.leader();
    const members = Array.from({ length: 300 }, (_, i) => `${round}:${i}`);
    assert.equal(await leader.ask('SADD', 's', ...members), 300);
    await leader.ask('SPOP', 's', '50');
    await leader.ask('SORT', 's', 'ALPHA', 'STORE', 'sorted');
    await leader.ask('SET', `ttl${round}`, 'x', 'PX', '20');
    await leader.ask('ZADD', 'z', ...members.flatMap((member, i) => [`${i % 7}`, member]));
    await leader.ask('ZPOPMIN', 'z', '10');
  };
  await fill(0);
  await cluster.assertEqual();
  await (await cluster.leader()).ask('RAFTTRANSFER');
  await fill(1);
  await cluster.assertEqual();
  const [restarted, other] = await cluster.followers();
  assert.equal(await restarted.ask('RAFTSNAPSHOT'), 'OK');
  await restarted.stop();
  await fill(2);
  await restarted.start();
  await cluster.assertEqual();
  // A node that is started from a snapshot of a peer.
  for (const node of [other, await cluster.leader()]) await node.ask('RAFTSNAPSHOT');
  await cluster.add();
  await fill(3);
  await cluster.assertEqual();
});

test('a snapshot under load applies no entry twice', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  const client = await leader.connect();
  const replies: Promise<unknown>[] = [];
  for (let i = 0; i < 2000; i++) {
    replies.push(client.call('RPUSH', 'list', `${i}`));
    if (i % 400 === 0) for (const node of cluster.nodes) void node.ask('RAFTSNAPSHOT').catch(() => {});
    if (i % 50 === 0) await replies.at(-1);
  }
  await Promise.all(replies);
  await client.close();
  const expected = Array.from({ length: 2000 }, (_, i) => `${i}`);
  assert.deepEqual(await leader.ask('LRANGE', 'list', '0', '-1'), expected);
  await cluster.assertEqual();
  for (const node of cluster.nodes) {
    await node.stop();
    await node.start();
  }
  assert.deepEqual(await (await cluster.leader()).ask('LRANGE', 'list', '0', '-1'), expected);
  await cluster.assertEqual();
});

test('a restarted node serves no read before it has replayed', async (t) => {
  const cluster = await TestCluster.start(t, 3, { consistency: 'low', durability: 'high' });
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  for (let i = 1; i <= 50; i++) await leader.ask('SET', 'a', `${i}`);
  await until('it has heard', async () => (await follower.ask('GET', 'a')) === '50');
  for (const node of cluster.nodes) await node.stop();
  await follower.start();
  // Its peers are away: what it answers is what it knew to be committed.
  assert.ok(Number(await follower.ask('GET', 'a')) >= 49);
});

test('mixed durability: the stricter node does not make the laxer one lie', async (t) => {
  const cluster = await TestCluster.start(t, 1, { durability: 'high' });
  await cluster.add({ durability: 'low' });
  await cluster.add({ durability: 'medium' });
  // Durability is the cluster's: what the founder set holds on every node.
  await until('all sync before they acknowledge', () =>
    cluster.nodes.every(({ redraft }) => redraft.server.engine.keyspace.settings.durability === 2),
  );
  for (let round = 0; round < 3; round++) {
    const leader = await cluster.leader();
    assert.equal(await leader.ask('SET', `k${round}`, 'v'), 'OK');
    await leader.ask('RAFTTRANSFER');
  }
  await cluster.assertEqual();
});

test('a blocked client of a leader that hands over is told, and its push is not lost', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  const client = await leader.connect();
  const pop = client.call('BLPOP', 'q', '0');
  await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
  await leader.ask('RAFTTRANSFER');
  assert.match(String(plain(await pop)), /^-UNBLOCKED /);
  await client.close();
  const next = await cluster.leader();
  assert.equal(await next.ask('RPUSH', 'q', 'v'), 1);
  assert.equal(await next.ask('LLEN', 'q'), 1);
  await cluster.assertEqual();
});

test('maxclients, requirepass and CLIENT PAUSE are not for peers', async (t) => {
  const cluster = await TestCluster.start(t, 3, {
    maxClients: 1,
    password: 'secret',
    clusterSecret: 'of nodes',
  });
  const leader = await cluster.leader();
  const client = await leader.connect();
  assert.equal(plain(await client.call('AUTH', 'secret')), 'OK');
  const turnedAway = await leader.connect();
  assert.match(String(plain(await turnedAway.call('PING'))), /^-ERR max number of clients reached/);
  await turnedAway.close();
  await cluster.add();
  assert.equal(plain(await client.call('CLIENT', 'PAUSE', '2000', 'ALL')), 'OK');
  const { term } = leader.redraft.node.status();
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(leader.redraft.node.status().term, term);
  await client.close();
});

test(
  'a leader that stands still for 3 s: another one leads, no stale read, no second leader when it wakes',
  { timeout: 60_000 },
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'redraft-stall-'));
    const ports = [await freePort(), await freePort(), await freePort()];
    const nodes: SpawnedRedraft[] = [];
    t.after(async () => {
      for (const node of nodes) {
        process.kill(node.pid, 'SIGCONT');
        await node.end('SIGKILL');
      }
      rmSync(root, { recursive: true, force: true });
    });
    for (const [i, port] of ports.entries()) {
      const flags = ['--dir', join(root, `${i}`), ...(i > 0 ? ['--join', `${ports[0]}`] : [])];
      nodes.push(await SpawnedRedraft.start(port, ...flags));
    }
    const connect = (i: number): Promise<RespClient> =>
      RespClient.connect({ host: '127.0.0.1', port: ports[i], replyTimeoutMs: 20_000 });
    const old = await connect(0);
    assert.equal(plain(await old.call('SET', 'a', 'old')), 'OK');
    process.kill(nodes[0].pid, 'SIGSTOP');
    const stoppedAt = Date.now();
    // Asked while it stands still, answered when it wakes.
    const stale = old.call('GET', 'a');
    const lateWrite = old.call('SET', 'b', 'late');
    const others = [await connect(1), await connect(2)];
    let next: RespClient | undefined;
    await until('another takes the write', async () => {
      for (const other of others) {
        if (plain(await other.call('SET', 'a', 'new')) === 'OK') next = other;
      }
      return next !== undefined;
    });
    await until('3 s have passed', () => Date.now() - stoppedAt >= 3000);
    process.kill(nodes[0].pid, 'SIGCONT');
    // Refused, or answered by what the new leader says; never by what the old one remembers.
    assert.match(String(plain(await stale)), /^(-(TRY|CLUSTERDOWN) |new$)/);
    const late = String(plain(await lateWrite));
    assert.match(late, /^(-(TRY|CLUSTERDOWN|UNKNOWN) |OK$)/);
    assert.equal(plain(await next!.call('GET', 'a')), 'new');
    const written = plain(await next!.call('GET', 'b'));
    if (late === 'OK') assert.equal(written, 'late');
    else if (!late.startsWith('-UNKNOWN')) assert.equal(written, null);
    await until('the old leader follows', async () => plain(await old.call('RAFTSTATE')) === 'Follower');
    for (const client of [old, ...others]) await client.close();
  },
);
