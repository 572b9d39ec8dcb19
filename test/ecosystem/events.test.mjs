/**
 * Libraries that stand on publish and subscribe, doing what their READMEs show, on one node that starts again and on three that lose their
 * leader: whoever subscribed before hears what is said afterwards. All of them at the same time: each in channels and keys of its own.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { createClient as createClient4 } from 'redis4';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { Redraft } from '../../dist/src/index.js';

const host = '127.0.0.1';
const configuration = { 'notify-keyspace-events': 'KEA' };

/** What is said while a leader goes may fail; it is said again. */
const quietly = (promise) => void promise.catch(() => {});

/** Calls `say` again and again until `heard` comes: who has just connected, or connects anew, may miss what is said. */
async function sayUntil(heard, say) {
  const again = setInterval(say, 50);
  try {
    return await heard;
  } finally {
    clearInterval(again);
  }
}

/** Ends what a test has begun, the last first: clients before their nodes. */
function scope(t) {
  const ends = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return { after: (end) => ends.push(end) };
}

/** One node; its end, and the start of another one in its place. */
async function oneNode(t) {
  let node = await Redraft.start({ configuration });
  const { port } = node;
  t.after(() => node.stop());
  return {
    ports: [port, port],
    fail: async () => {
      await node.stop();
      node = await Redraft.start({ port, configuration });
    },
  };
}

/** The ports of two followers, and the end of their leader. */
async function threeNodes(t) {
  const root = mkdtempSync(join(tmpdir(), 'redraft-events-'));
  const nodes = [];
  for (let i = 0; i < 3; i++) {
    const joined = nodes[0] === undefined ? {} : { join: nodes[0].address };
    nodes.push(
      await Redraft.start({ dir: join(root, `${i}`), follower: 'forward', configuration, ...joined }),
    );
  }
  t.after(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    rmSync(root, { recursive: true, force: true });
  });
  return { ports: [nodes[1].port, nodes[2].port], fail: () => nodes.shift().stop({ handOver: false }) };
}

/** Clients of each library, of which errors are expected while their node is away. */
const libraries = {
  async 'ioredis 5'(t, port) {
    const redis = new Redis({ host, port, maxRetriesPerRequest: null });
    redis.on('error', () => {});
    t.after(() => redis.disconnect());
    await once(redis, 'ready');
    return redis;
  },
  async 'node-redis 6'(t, port) {
    const client = createClient({ url: `redis://${host}:${port}` });
    client.on('error', () => {});
    t.after(() => client.destroy());
    return client.connect();
  },
  async 'node-redis 4'(t, port) {
    const client = createClient4({ url: `redis://${host}:${port}` });
    client.on('error', () => {});
    t.after(() => client.disconnect());
    await client.connect();
    return client;
  },
};

/** Two Socket.IO servers, each with its own node, and a client of the second one. */
async function socketServers(t, ports, connect, create) {
  const servers = [];
  for (const port of ports) {
    const [pub, sub] = [await connect(t, port), await connect(t, port)];
    const http = createServer();
    const server = new Server(http, { adapter: create(pub, sub) });
    server.on('connection', (socket) => socket.join('room'));
    http.listen(0, host);
    await once(http, 'listening');
    t.after(async () => {
      await server.close();
      // The adapter does not wait for the end of its subscriptions.
      await Promise.all([pub.ping(), sub.ping()]);
    });
    servers.push({ server, pub, url: `http://${host}:${http.address().port}` });
  }
  const [first, second] = servers;
  const client = io(second.url);
  t.after(() => client.close());
  await once(client, 'connect');
  return async (round) => {
    await sayUntil(once(client, `all ${round}`), () => first.server.emit(`all ${round}`));
    await sayUntil(once(client, round), () => first.server.to('room').emit(round));
    await sayUntil(once(second.server, `servers ${round}`), () =>
      first.server.serverSideEmit(`servers ${round}`),
    );
    // All that was said has been answered: the adapter takes no error.
    await Promise.all(servers.map(({ pub }) => pub.ping()));
  };
}

/** Publishes again and again until all of `texts` are in `heard`. */
async function sayUntilHeard(heard, texts, say) {
  await sayUntil(
    (async () => {
      while (!texts.every((text) => heard.has(text))) await new Promise((resolve) => setTimeout(resolve, 10));
    })(),
    () => say().forEach(quietly),
  );
}

const adapters = {
  plain: (key) => (pub, sub) => createAdapter(pub, sub, { key }),
  sharded: (channelPrefix) => (pub, sub) => createShardedAdapter(pub, sub, { channelPrefix }),
};

/** Each connects to a node of its own, subscribes, and returns a check of who hears whom. */
const cases = {};
for (const kind of Object.keys(adapters))
  for (const [library, connect] of Object.entries(libraries)) {
    const name = `@socket.io/redis-adapter, ${kind}, ${library}`;
    cases[name] = (t, ports) => socketServers(t, ports, connect, adapters[kind](name));
  }

cases['graphql-redis-subscriptions'] = async (t, ports) => {
  const [publisher, subscriber] = await Promise.all(ports.map((port) => libraries['ioredis 5'](t, port)));
  const pubsub = new RedisPubSub({ publisher, subscriber });
  const heard = new Set();
  await pubsub.subscribe('post*', ({ id }) => heard.add(`pattern ${id}`), { pattern: true });
  const posts = pubsub.asyncIterator('posted');
  const reads = (async () => {
    for await (const { id } of posts) heard.add(id);
  })();
  t.after(async () => {
    await posts.return();
    await reads;
    await subscriber.ping();
  });
  return (id) => sayUntilHeard(heard, [id, `pattern ${id}`], () => [pubsub.publish('posted', { id })]);
};

cases['ioredis 5'] = async (t, ports) => {
  const [publisher, subscriber, reader, listener] = await Promise.all(
    [...ports, ports[1], ports[1]].map((port) => libraries['ioredis 5'](t, port)),
  );
  const heard = new Set();
  subscriber.on('message', (channel, text) => heard.add(`${channel} ${text}`));
  subscriber.on('pmessage', (pattern, channel, text) => heard.add(`${pattern} ${channel} ${text}`));
  subscriber.on('smessage', (channel, text) => heard.add(`shard ${channel} ${text}`));
  await subscriber.subscribe('io news');
  await subscriber.psubscribe('io n?ws');
  await subscriber.ssubscribe('io shard');
  await listener.subscribe('__redis__:invalidate');
  return async (round) => {
    const texts = [`io news ${round}`, `io n?ws io news ${round}`, `shard io shard ${round}`];
    await sayUntilHeard(heard, texts, () => [
      publisher.publish('io news', round),
      publisher.spublish('io shard', round),
    ]);
    if (round === 'after') return;
    // RESP2: one connection is told what another one must forget.
    const [, id] = /^id=(\d+) .*cmd=subscribe/m.exec(
      await reader.client('LIST', 'TYPE', 'pubsub').then((list) =>
        list
          .split('\n')
          .filter((line) => line.includes(`:${listener.stream.localPort} `))
          .join('\n'),
      ),
    );
    assert.equal(await reader.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id), 'OK');
    await reader.get('io cached');
    const forgotten = once(listener, 'message');
    await publisher.set('io cached', 'new');
    assert.deepEqual((await forgotten).map(String), ['__redis__:invalidate', 'io cached']);
  };
};

cases['node-redis 4'] = async (t, ports) => {
  const publisher = await libraries['node-redis 4'](t, ports[0]);
  const subscriber = await libraries['node-redis 4'](t, ports[1]);
  const heard = new Set();
  await subscriber.subscribe('v4 news', (text) => heard.add(`news ${text}`));
  await subscriber.pSubscribe('__keyevent@0__:*', (key, channel) => heard.add(`${channel.slice(15)} ${key}`));
  await subscriber.sSubscribe('v4 shard', (text) => heard.add(`shard ${text}`));
  return (round) =>
    sayUntilHeard(heard, [`news ${round}`, `shard ${round}`, `set v4 ${round}`, `expire v4 ${round}`], () => [
      publisher.publish('v4 news', round),
      publisher.sPublish('v4 shard', round),
      publisher.set(`v4 ${round}`, 'x', { EX: 100 }),
    ]);
};

cases['node-redis 6 with clientSideCache'] = async (t, ports) => {
  const reader = createClient({
    url: `redis://${host}:${ports[1]}`,
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' },
  });
  reader.on('error', () => {});
  t.after(() => reader.destroy());
  await reader.connect();
  const writer = await libraries['node-redis 6'](t, ports[0]);
  return async (round) => {
    for (let i = 0; i < 20; i++) {
      await writer.set('v6 cached', `${round} ${i}`);
      while ((await reader.get('v6 cached')) !== `${round} ${i}`)
        await new Promise((resolve) => setImmediate(resolve));
      assert.equal(await reader.get('v6 cached'), `${round} ${i}`);
    }
  };
};

for (const [where, start] of Object.entries({ 'one node': oneNode, 'three nodes': threeNodes }))
  test(
    `publish and subscribe, keyspace events, client-side caching: ${where}`,
    { timeout: 60_000 },
    async (context) => {
      const t = scope(context);
      const { ports, fail } = await start(t);
      const checks = await Promise.all(
        Object.entries(cases).map(async ([name, begin]) => ({ name, check: await begin(t, ports) })),
      );
      const all = (round) =>
        Promise.all(
          checks.map(({ name, check }) =>
            check(round).catch((error) => {
              throw new Error(`${name}, ${round} the failure`, { cause: error });
            }),
          ),
        );
      await all('before');
      await fail();
      await all('after');
    },
  );
