/**
 * Pub/sub, client-side caching and MONITOR as client libraries use them: on one node, and on three of which
 * the leader ends.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { TestCluster, type TestNode, until } from '../cluster/nodes.js';

const url = (node: TestNode): string => `redis://127.0.0.1:${node.port}`;

/** Subscribers of both libraries at every node get every message, in one order. */
async function checkMessages(nodes: readonly TestNode[], publishAt: TestNode): Promise<void> {
  const got: string[][] = [];
  const closes: (() => unknown)[] = [];
  for (const node of nodes) {
    const ours: string[] = [];
    got.push(ours);
    const subscriber = new Redis(node.port, '127.0.0.1', { lazyConnect: true });
    closes.push(() => subscriber.disconnect());
    await subscriber.connect();
    subscriber.on('message', (_channel, text) => ours.push(text));
    await subscriber.subscribe('news');
    for (const RESP of [2, 3] as const) {
      const theirs: string[] = [];
      got.push(theirs);
      const client = createClient({ url: url(node), RESP });
      closes.push(() => client.destroy());
      client.on('error', () => {});
      await client.connect();
      await client.pSubscribe('new?', (text) => theirs.push(text));
    }
  }
  const publishers = await Promise.all(
    [1, 2].map(async () => {
      const client = createClient({ url: url(publishAt) });
      client.on('error', () => {});
      closes.push(() => client.destroy());
      return client.connect();
    }),
  );
  const expected = 100;
  await Promise.all(
    publishers.map(async (publisher, p) => {
      for (let i = 0; i < expected / 2; i++) await publisher.publish('news', `${p}-${i}`);
    }),
  );
  await until('everybody has every message', () => got.every((texts) => texts.length >= expected));
  for (const texts of got) assert.deepEqual(texts, got[0]);
  for (const close of closes) close();
}

/** node-redis's own cache never gives what was overwritten. */
async function checkCache(readAt: TestNode, writeAt: TestNode): Promise<void> {
  const reader = createClient({
    url: url(readAt),
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
  });
  const writer = createClient({ url: url(writeAt) });
  for (const client of [reader, writer]) client.on('error', () => {});
  await Promise.all([reader.connect(), writer.connect()]);
  for (let i = 0; i < 20; i++) {
    await writer.set('cached', String(i));
    await until(`the cache gives ${i}`, async () => (await reader.get('cached')) === String(i));
    // From the cache, or not: it stays what it is.
    assert.equal(await reader.get('cached'), String(i));
  }
  await writer.flushAll();
  await until('the cache is void', async () => (await reader.get('cached')) === null);
  reader.destroy();
  writer.destroy();
}

test('one node', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 1);
  const [node] = cluster.nodes;
  await checkMessages(cluster.nodes, node);
  await checkCache(node, node);
});

test('three nodes, before and after the leader ends', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  await checkMessages(cluster.nodes, follower);
  await checkCache(follower, leader);
  await leader.stop();
  const next = await cluster.leader();
  const left = cluster.nodes.filter((node) => node !== leader);
  await checkMessages(left, next);
  await checkCache(left.find((node) => node !== next)!, next);
});

test('ioredis monitors', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 1);
  const client = new Redis(cluster.nodes[0].port, '127.0.0.1');
  t.after(() => client.disconnect());
  const monitor = await client.monitor();
  t.after(() => monitor.disconnect());
  const seen: string[][] = [];
  monitor.on('monitor', (_time: string, args: string[]) => seen.push(args));
  await client.set('k', 'v');
  await until('it has seen the command', () => seen.some((args) => args.includes('k')));
  assert.deepEqual(
    seen.find((args) => args.includes('k')),
    ['set', 'k', 'v'],
  );
});
