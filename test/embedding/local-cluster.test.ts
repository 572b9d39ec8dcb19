/**
 * Clusters of one process: who leads, who dies, who is parted from whom, and what client libraries make of
 * it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Redis } from 'ioredis';
import { createCluster, createSentinel } from 'redis';
import { type LocalCluster, Redraft } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'redraft-local-cluster-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Nodes = LocalCluster<Redraft>;

const numberOf = (cluster: Nodes, node: Redraft): number => cluster.nodes.indexOf(node);
const others = (cluster: Nodes, node: Redraft): number[] =>
  cluster.nodes.map((_, i) => i).filter((i) => cluster.nodes[i] !== node);

/** Tries again until a write succeeds: that of a client that follows its leader. */
async function eventually<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (const deadline = performance.now() + 20_000; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('three nodes hold what the leader is given; it hands over, to whom it is told', async () => {
  await using cluster = await Redraft.cluster(3);
  const leader = await cluster.leader();
  assert.equal(numberOf(cluster, leader), 0);
  await cluster.load({ k: 'v' }, { ttlMs: 60_000 });
  await cluster.caughtUp();
  for (const node of cluster.nodes) assert.equal(await node.get('k'), 'v');
  await cluster.transfer(2);
  assert.equal(numberOf(cluster, await cluster.leader()), 2);
  await cluster.transfer();
  assert.notEqual(numberOf(cluster, await cluster.leader()), 2);
  await cluster.clock.advance(60_001);
  await cluster.caughtUp();
  assert.deepEqual(await cluster.dump(), {});
  for (const node of cluster.nodes) assert.ok(Math.abs(node.clock.now - cluster.clock.now) < 1000);
  await assert.rejects(Redraft.cluster(0), RangeError);
  await assert.rejects(cluster.kill(3), /no node 3: they have the numbers 0 to 2/);
});

test('a killed leader is replaced; it comes back with a directory and without', async () => {
  for (const dir of [undefined, join(folder, 'kill')]) {
    await using cluster = await Redraft.cluster(3, { dir });
    await cluster.load({ k: 'v' });
    const leader = await cluster.leader();
    const killed = numberOf(cluster, leader);
    await cluster.kill(killed);
    assert.equal(await cluster.get('k'), 'v');
    await cluster.load({ more: '1' });
    await assert.rejects(cluster.start(others(cluster, leader)[0]), /runs$/);
    await cluster.start(killed);
    await cluster.caughtUp();
    assert.deepEqual(await cluster.nodes[killed].keys(), ['k', 'more']);
  }
});

test('in a partition the majority goes on, and the rest takes nothing; healed, all are alike', async () => {
  await using cluster = await Redraft.cluster(3);
  await cluster.load({ k: '0' });
  const old = await cluster.leader();
  const [first, second] = others(cluster, old);
  cluster.partition([[numberOf(cluster, old)], [first, second]]);
  // Its lease ends before anybody else may lead.
  const leader = await eventually(async () => {
    const found = await cluster.leader();
    assert.ok(found !== old);
    return found;
  });
  await leader.load({ k: '1' });
  await assert.rejects(
    (async () => {
      const lost = new Redis({ ...old.options('ioredis'), maxRetriesPerRequest: 0, commandTimeout: 500 });
      try {
        await lost.set('k', 'lost');
      } finally {
        lost.disconnect();
      }
    })(),
  );
  cluster.heal();
  await cluster.caughtUp();
  assert.equal(await old.get('k'), '1');
  assert.throws(() => cluster.partition([[0, 1], [1]]), /node 1 cannot be in two groups/);
});

test('a leader that stands still is replaced, and follows when it goes on', async () => {
  await using cluster = await Redraft.cluster(3);
  await cluster.load({ k: '0' });
  const old = await cluster.leader();
  cluster.pause(numberOf(cluster, old));
  const leader = await cluster.leader();
  assert.ok(leader !== old);
  await leader.load({ k: '1' });
  cluster.resume(numberOf(cluster, old));
  await cluster.caughtUp();
  assert.equal(await old.get('k'), '1');
});

test('ioredis follows the leader, as a client of Cluster and of Sentinel', async () => {
  for (const way of ['cluster', 'sentinel'] as const) {
    await using cluster = await Redraft.cluster(3);
    const client =
      way === 'cluster'
        ? new Redis.Cluster(...cluster.options('ioredis', 'cluster'))
        : new Redis(cluster.options('ioredis', 'sentinel'));
    client.on('error', () => {});
    try {
      await client.set('k', '1');
      await cluster.kill(numberOf(cluster, await cluster.leader()));
      assert.equal(await eventually(() => client.incr('k')), 2);
      await cluster.transfer();
      assert.ok((await eventually(() => client.incr('k'))) > 2);
    } finally {
      client.disconnect();
    }
  }
});

test('node-redis follows the leader, as a client of Cluster and of Sentinel', async () => {
  for (const way of ['cluster', 'sentinel'] as const) {
    await using cluster = await Redraft.cluster(3);
    const client =
      way === 'cluster'
        ? createCluster(cluster.options('redis', 'cluster'))
        : createSentinel(cluster.options('redis', 'sentinel'));
    client.on('error', () => {});
    await client.connect();
    try {
      await client.set('k', '1');
      await cluster.transfer();
      assert.ok((await eventually(() => client.incr('k'))) > 1);
    } finally {
      client.destroy();
    }
  }
});
