/**
 * What ioredis-mock's README and example show, and what its own tests do beyond single commands, with
 * `redraft/ioredis` in its place. Where it answers otherwise than Redis, Redis's answer stands here and the
 * difference in docs/TESTING.md.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, test } from 'node:test';
import Redis from 'redraft/ioredis';

const clients = [];
const client = (...args) => {
  const redis = new Redis(...args);
  clients.push(redis);
  return redis;
};

afterEach(async () => {
  const cleaning = [new Redis(), new Redis(6380), new Redis({ db: 1 })];
  await Promise.all(cleaning.map((redis) => redis.flushall()));
  for (const redis of [...cleaning, ...clients.splice(0)]) redis.disconnect();
});

// Nodes in memory keep no process alive.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

const heroes = () => ({
  user_next: '3',
  emails: { 'clark@daily.planet': '1', 'bruce@wayne.enterprises': '2' },
  'user:1': { id: '1', username: 'superman', email: 'clark@daily.planet' },
  'user:2': { id: '2', username: 'batman', email: 'bruce@wayne.enterprises' },
});

test('the example: data to begin with, a counter, a hash from a Map', async () => {
  const redis = client({ data: heroes() });
  const next = await redis.incr('user_next');
  assert.equal(next, 4);
  const hero = new Map([
    ['id', next],
    ['username', 'wonderwoman'],
    ['email', 'diana@amazon.gr'],
  ]);
  await redis.hmset(`user:${next}`, hero);
  assert.deepEqual(await redis.hgetall(`user:${next}`), {
    id: '4',
    username: 'wonderwoman',
    email: 'diana@amazon.gr',
  });
  assert.deepEqual((await redis.keys('*')).sort(), ['emails', 'user:1', 'user:2', 'user:4', 'user_next']);
});

test('instances of one host and port share their data, another port has its own', async () => {
  const [first, second, other] = [client(), client(), client(6380)];
  await first.set('foo', 'bar');
  assert.deepEqual(await Promise.all([first, second, other].map((redis) => redis.get('foo'))), [
    'bar',
    'bar',
    null,
  ]);
});

test('a flushall between suites', async () => {
  const redis = client({ data: { foo: 'bar' } });
  assert.equal(await redis.get('foo'), 'bar');
  await client().flushall();
  assert.equal(await redis.get('foo'), null);
});

test('publish and subscribe, by channel and by pattern, and no longer', async () => {
  const [pub, sub] = [client(), client()];
  const heard = [];
  sub.on('message', (channel, message) => heard.push([channel, message]));
  sub.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
  assert.equal(await sub.subscribe('emails'), 1);
  assert.equal(await pub.publish('emails', 'clark@daily.planet'), 1);
  assert.equal(await sub.psubscribe('em*'), 2);
  await sub.unsubscribe('emails');
  assert.equal(await pub.publish('emails', 'bruce@wayne.enterprises'), 1);
  while (heard.length < 2) await pub.ping();
  assert.deepEqual(heard, [
    ['emails', 'clark@daily.planet'],
    ['em*', 'emails', 'bruce@wayne.enterprises'],
  ]);
});

test('custom commands in Lua; dynamic numbers of keys and Buffers, which the mock lacks', async () => {
  const redis = client({ data: { k1: 5 } });
  redis.defineCommand('multiply', { numberOfKeys: 1, lua: 'return redis.call("GET", KEYS[1]) * ARGV[1]' });
  assert.equal(await redis.multiply('k1', 10), 50);
  redis.defineCommand('both', { lua: 'return redis.call("MGET", unpack(KEYS))' });
  await redis.set('k2', 'x');
  assert.deepEqual(await redis.both(2, 'k1', 'k2'), ['5', 'x']);
  redis.defineCommand('bytes', { numberOfKeys: 1, lua: 'return redis.call("GET", KEYS[1])' });
  assert.deepEqual(await redis.bytesBuffer('k2'), Buffer.from('x'));
  assert.deepEqual(await redis.pipeline().multiply('k1', 2).multiply('k1', 3).exec(), [
    [null, 10],
    [null, 15],
  ]);
});

test('eval, evalsha and script; a number of keys has to be said, as to Redis', async () => {
  const redis = client({ data: { k1: 5 } });
  const script = 'return redis.call("GET", "k1") * 10';
  assert.equal(await redis.eval(script, 0), 50);
  const sha = await redis.script('LOAD', script);
  assert.equal(await redis.evalsha(sha, 0), 50);
  await assert.rejects(redis.evalsha('0'.repeat(40), 0), /^ReplyError: NOSCRIPT/);
  await assert.rejects(redis.eval(script), /wrong number of arguments for 'eval'/);
});

test('a cluster', async () => {
  const cluster = new Redis.Cluster(['redis://localhost:7001']);
  clients.push(cluster);
  await once(cluster, 'ready');
  assert.equal(cluster.nodes().length, 1);
  assert.ok(cluster instanceof Redis.Cluster);
  assert.equal(await cluster.set('k', 'v'), 'OK');
  assert.equal(await cluster.get('k'), 'v');
  const [node] = cluster.nodes('master');
  assert.equal(await node.get('k'), 'v');
});

test('duplicates, connected clients, lazy ones, their events and their end', async () => {
  const redis = client();
  await redis.set('k', 'v');
  assert.equal(await redis.duplicate().get('k'), 'v');
  assert.equal(await redis.createConnectedClient().get('k'), 'v');
  const lazy = client({ lazyConnect: true });
  const ready = once(lazy, 'ready');
  await lazy.connect();
  await ready;
  await assert.rejects(lazy.connect(), /already connecting\/connected/);
  const ended = once(lazy, 'end');
  assert.equal(await lazy.quit(), 'OK');
  await ended;
  await assert.rejects(lazy.get('k'), /Connection is closed/);
});

test('pipelines, transactions and callbacks', async () => {
  const redis = client();
  assert.deepEqual(await redis.pipeline().set('n', 1).incr('n').lpush('n', 'x').exec().then(flat), [
    'OK',
    2,
    'WRONGTYPE Operation against a key holding the wrong kind of value',
  ]);
  assert.deepEqual(
    await redis
      .multi([
        ['incr', 'n'],
        ['get', 'n'],
      ])
      .exec(),
    [
      [null, 3],
      [null, '3'],
    ],
  );
  await redis.multi({ pipeline: false });
  assert.equal(await redis.set('n', '7'), 'QUEUED');
  assert.equal(await redis.discard(), 'OK');
  await redis.watch('n');
  await client().set('n', '8');
  assert.equal(await redis.multi().set('n', '9').exec(), null);
  const [error, value] = await new Promise((resolve) => redis.get('n', (...answer) => resolve(answer)));
  assert.deepEqual([error, value], [null, '8']);
});

const flat = (results) => results.map(([error, value]) => error?.message ?? value);

test('streams of keys, buffers, and what transformers make of arguments and replies', async () => {
  const redis = client({ keyPrefix: 'app:' });
  await redis.mset({ 'a:1': '1', 'a:2': '2', b: '3' });
  const found = [];
  for await (const keys of redis.scanStream({ match: 'app:a:*', count: 1 })) found.push(...keys);
  assert.deepEqual(found.sort(), ['app:a:1', 'app:a:2']);
  assert.deepEqual(await redis.getBuffer('b'), Buffer.from('3'));
  await redis.hset('h', { f: 'v', g: 'w' });
  const fields = [];
  for await (const pairs of redis.hscanStream('h')) fields.push(...pairs);
  assert.deepEqual(fields.sort(), ['f', 'g', 'v', 'w']);
  const { hgetall } = Redis.Command._transformer.reply;
  Redis.Command.setReplyTransformer('hgetall', (reply) => reply.length);
  try {
    assert.equal(await redis.hgetall('h'), 4);
  } finally {
    Redis.Command.setReplyTransformer('hgetall', hgetall);
  }
});

test('keyspace events, by the option of the mock', async () => {
  const redis = client({ notifyKeyspaceEvents: 'gKE$' });
  const sub = client();
  const heard = [];
  sub.on('pmessage', (_, channel, message) => heard.push(`${channel} ${message}`));
  await sub.psubscribe('__key*__:*');
  await redis.set('k', 'v');
  await redis.del('k');
  while (heard.length < 4) await redis.ping();
  assert.deepEqual(heard, [
    '__keyspace@0__:k set',
    '__keyevent@0__:set k',
    '__keyspace@0__:k del',
    '__keyevent@0__:del k',
  ]);
  const wrong = client({ port: 6391, notifyKeyspaceEvents: '?', retryStrategy: null });
  const [error] = await once(wrong, 'error');
  assert.match(error.message, /notify-keyspace-events|Invalid event class/);
});
