/**
 * ioredis without sockets: the connector, and `redraft/ioredis` with ioredis-mock's habits and the examples
 * of its README.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, test } from 'node:test';
import { Redis as RealRedis } from 'ioredis';
import { Redraft } from '../../src/index.js';
import Redis, { Cluster, stopAll } from '../../src/ioredis/index.js';
import { MemorySocket } from '../../src/net/memory-socket.js';

type Client = InstanceType<typeof Redis>;

const clients: { disconnect(): void }[] = [];
function opened<Opened extends { disconnect(): void }>(client: Opened): Opened {
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await stopAll();
});

// Without a port nothing keeps this process alive while it waits.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

// ---- the connector ----

test('a client of ioredis talks to a node without a port', async () => {
  await using redraft = await Redraft.start({ listen: false });
  const redis = opened(new RealRedis({ Connector: redraft.ioredisConnector as never }));
  assert.equal(await redis.set('k', 'v'), 'OK');
  assert.equal(await redraft.get('k'), 'v');
  const big = Buffer.alloc(3_000_000, 0xfe);
  await redis.set('big', big);
  assert.ok((await redis.getBuffer('big'))!.equals(big));
  const replies = await redis
    .pipeline(Array.from({ length: 2000 }, (_, i) => ['set', `k${i}`, `${i}`]))
    .exec();
  assert.equal(replies!.length, 2000);
  assert.equal(await redis.get('k1999'), '1999');
  assert.match(await redis.client('INFO'), /addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:6379/);
});

test('it reconnects as over a socket: behind a fault, a restart, a refusal', async () => {
  await using redraft = await Redraft.start({ listen: false });
  const redis = opened(
    new RealRedis({ Connector: redraft.ioredisConnector as never, retryStrategy: () => 5 }),
  );
  redis.on('error', () => {});
  await redis.set('k', 'v');
  redraft.faults.drop('get', { times: 1 });
  assert.equal(await redis.get('k'), 'v');
  redraft.faults.refuseConnections();
  redraft.faults.disconnect();
  await once(redis, 'reconnecting');
  await once(redis, 'error');
  await redraft.faults.acceptConnections();
  assert.equal(await redis.get('k'), 'v');
  await redraft.restart();
  assert.equal(await redis.get('k'), 'v');
  await redis.quit();
  await redraft.stop();
  const late = opened(
    new RealRedis({ Connector: redraft.ioredisConnector as never, retryStrategy: null as never }),
  );
  const [error] = await once(late, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
});

test('ends in memory behave as those of a socket', async () => {
  const { client, server } = MemorySocket.pair(1);
  const heard: Buffer[] = [];
  server.on('data', (chunk: Buffer) => heard.push(chunk));
  const bytes = Buffer.from('first');
  client.write(bytes);
  bytes.fill(0);
  client.cork();
  client.write('second');
  client.write('third');
  client.uncork();
  client.end();
  await once(server, 'end');
  assert.equal(Buffer.concat(heard).toString(), 'firstsecondthird');
  // The server may still answer who has ended its side.
  server.write('answer');
  assert.equal(String((await once(client, 'data'))[0]), 'answer');
  server.end();
  await Promise.all([once(client, 'close'), once(server, 'close')]);
  const broken = MemorySocket.pair(1);
  broken.client.destroy();
  await once(broken.server, 'close');
  const slow = MemorySocket.pair(1);
  let drained = 0;
  slow.server.on('drain', () => drained++);
  while (slow.server.write(Buffer.alloc(65_536)));
  assert.ok(slow.server.writableLength > 0);
  slow.client.resume();
  await once(slow.server, 'drain');
  const idle = MemorySocket.pair(1);
  idle.client.setTimeout(5);
  await once(idle.client, 'timeout');
});

// ---- ioredis-mock's habits ----

test('data to begin with', async () => {
  const redis = opened(
    new Redis({
      data: {
        user_next: '3',
        emails: { 'clark@daily.planet': '1', 'bruce@wayne.enterprises': '2' },
        'user:1': { id: '1', username: 'superman', email: 'clark@daily.planet' },
        'user:2': { id: '2', username: 'batman', email: 'bruce@wayne.enterprises' },
      },
    }),
  );
  assert.equal(await redis.get('user_next'), '3');
  assert.deepEqual(await redis.hgetall('user:1'), {
    id: '1',
    username: 'superman',
    email: 'clark@daily.planet',
  });
  assert.equal(await redis.hget('emails', 'clark@daily.planet'), '1');
  await redis.flushall();
  const again = opened(redis.duplicate());
  assert.equal(await again.get('user_next'), null);
});

test('each client seeds once, with the same data too; a duplicate of it does not', async () => {
  const data = new Map([['k', 'seed']]);
  const first = opened(new Redis({ data }));
  await first.set('k', 'changed');
  const copy = opened(first.duplicate());
  assert.equal(await copy.get('k'), 'changed');
  first.disconnect(true);
  await once(first, 'ready');
  assert.equal(await first.get('k'), 'changed');
  const second = opened(new Redis({ data }));
  assert.equal(await second.get('k'), 'seed');
});

test('clients of one host, port and database share their data, others do not', async () => {
  const [first, second] = [opened(new Redis()), opened(new Redis())];
  await first.set('foo', 'bar');
  assert.deepEqual([await first.get('foo'), await second.get('foo')], ['bar', 'bar']);
  for (const other of [
    new Redis({ db: 1 }),
    new Redis(6380),
    new Redis({ host: 'example.com' }),
    new Redis('redis://example.org:7000/2'),
    new Redis(6379, 'elsewhere', { db: 0 }),
  ])
    assert.equal(await opened(other).get('foo'), null);
  const url = opened(new Redis('redis://localhost:6379/0'));
  assert.equal(await url.get('foo'), 'bar');
  await opened(new Redis()).flushall();
  assert.equal(await first.get('foo'), null);
});

test('createConnectedClient, keyPrefix, lazyConnect', async () => {
  const first = opened(new Redis({ keyPrefix: 'app:', data: { seeded: 'yes' } }));
  await first.set('k', 'v');
  assert.equal(await first.get('seeded'), 'yes');
  const second = opened(first.createConnectedClient({ keyPrefix: '' }));
  assert.deepEqual((await second.keys('*')).sort(), ['app:k', 'app:seeded']);
  const lazy = opened(new Redis({ lazyConnect: true }));
  assert.equal(lazy.status, 'wait');
  await lazy.connect();
  assert.equal(lazy.status, 'ready');
  assert.equal(await lazy.get('app:k'), 'v');
  const eager = opened(new Redis());
  await once(eager, 'ready');
});

test('publish and subscribe, within one host and port', async () => {
  const [pub, sub, far] = [new Redis(), new Redis(), new Redis(6390)].map(opened) as Client[];
  const heard: string[] = [];
  sub.on('message', (channel: string, message: string) => heard.push(`${channel} ${message}`));
  sub.on('pmessage', (pattern: string, channel: string, message: string) =>
    heard.push(`${pattern} ${channel} ${message}`),
  );
  await sub.subscribe('emails');
  await sub.psubscribe('em*');
  assert.equal(await far.publish('emails', 'nobody'), 0);
  assert.equal(await pub.publish('emails', 'clark@daily.planet'), 2);
  while (heard.length < 2) await pub.ping();
  assert.deepEqual(heard, ['emails clark@daily.planet', 'em* emails clark@daily.planet']);
});

test('Redis.Cluster', async () => {
  assert.equal(Redis.Cluster, Cluster);
  const cluster = opened(
    new Redis.Cluster([
      { host: 'redis-a', port: 7001 },
      { host: 'redis-b', port: 7002 },
    ]),
  );
  await cluster.set('foo', 'bar');
  assert.equal(await cluster.get('foo'), 'bar');
  assert.equal(cluster.nodes().length, 1);
  for (const node of ['redis://redis-a:7001', { host: 'redis-a', port: 7001 }]) {
    const other = opened(new Redis.Cluster([node], { data: { seed: '1' } }));
    assert.deepEqual([await other.get('foo'), await other.get('seed')], ['bar', '1']);
  }
  const plain = opened(new Redis(7001, 'redis-a'));
  assert.equal(await plain.get('foo'), 'bar');
});

test('what a mock lacks is there: blocking commands, streams, transactions, errors as they are', async () => {
  const [redis, blocked] = [opened(new Redis()), opened(new Redis())];
  const popped = blocked.blpop('queue', 0);
  await redis.rpush('queue', 'job');
  assert.deepEqual(await popped, ['queue', 'job']);
  await redis.xadd('s', '1-1', 'f', 'v');
  assert.deepEqual(await redis.xrange('s', '-', '+'), [['1-1', ['f', 'v']]]);
  await redis.watch('k');
  await blocked.set('k', 'changed');
  assert.equal(await redis.multi().set('k', 'mine').exec(), null);
  await assert.rejects(redis.lpush('k', 'x'), { name: 'ReplyError', message: /^WRONGTYPE/ });
});

test('nothing of it keeps a process alive', () => {
  const module = JSON.stringify(new URL('../../src/ioredis/index.js', import.meta.url).href);
  const script = `import Redis from ${module};
    const redis = new Redis();
    await redis.set('k', 'v');
    new Redis().blpop('nothing', 0);
    console.log(await redis.get('k'));`;
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script],
    {
      timeout: 20_000,
      encoding: 'utf8',
    },
  );
  assert.deepEqual(
    { stdout, stderr, status, signal },
    { stdout: 'v\n', stderr: '', status: 0, signal: null },
  );
});
