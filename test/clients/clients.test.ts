/**
 * The two client libraries that Node programs use, against an embedded and a spawned Redraft, as their
 * READMEs show.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Redraft } from '../../src/index.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';

type Serve = (t: TestContext) => Promise<number>;

const embedded: Serve = async (t) => {
  const redraft = await Redraft.start();
  t.after(() => redraft.stop());
  return redraft.port;
};

const spawned: Serve = async (t) => {
  const server = await SpawnedRedraft.start(await freePort(), '--backend', 'memory');
  t.after(() => server.end('SIGTERM'));
  return server.port;
};

for (const [name, serve] of [
  ['embedded', embedded],
  ['spawned', spawned],
] as const) {
  test(`ioredis, ${name}`, async (t) => {
    const redis = new Redis({ port: await serve(t), host: '127.0.0.1' });
    t.after(() => redis.disconnect());
    assert.equal(await redis.set('mykey', 'value'), 'OK');
    assert.equal(await redis.get('mykey'), 'value');
    assert.equal(await redis.set('key', '100', 'EX', 10), 'OK');
    assert.equal(await redis.ttl('key'), 10);
    assert.equal(await redis.zadd('sortedSet', '1', 'one', '2', 'dos', '4', 'quatro', '3', 'three'), 4);
    assert.deepEqual(await redis.zrange('sortedSet', '0', '2', 'WITHSCORES'), [
      'one',
      '1',
      'dos',
      '2',
      'three',
      '3',
    ]);
    assert.equal(await redis.hset('hash', { field: 'value', other: 'x' }), 2);
    assert.deepEqual(await redis.hgetall('hash'), { field: 'value', other: 'x' });
    assert.equal(
      await redis.mset(
        new Map([
          ['k1', 'v1'],
          ['k2', 'v2'],
        ]),
      ),
      'OK',
    );
    const pipeline = await redis.pipeline().set('foo', 'bar').get('foo').del('foo').exec();
    assert.deepEqual(pipeline, [
      [null, 'OK'],
      [null, 'bar'],
      [null, 1],
    ]);
    const transaction = await redis.multi().set('foo', 'bar').get('foo').exec();
    assert.deepEqual(transaction, [
      [null, 'OK'],
      [null, 'bar'],
    ]);
    await assert.rejects(redis.lpush('mykey', 'x'), /WRONGTYPE/);
    const bytes = Buffer.from([0, 255, 13, 10]);
    await redis.set('bytes', bytes);
    assert.deepEqual(await redis.getBuffer('bytes'), bytes);
    const found: string[] = [];
    for await (const keys of redis.scanStream({ match: 'k*' })) found.push(...(keys as string[]));
    assert.deepEqual(found.sort(), ['k1', 'k2', 'key']);
    const waiting = redis.duplicate();
    const popped = waiting.blpop('queue', 0);
    await redis.rpush('queue', 'job');
    assert.deepEqual(await popped, ['queue', 'job']);
    waiting.disconnect();
  });

  test(`node-redis, ${name}`, async (t) => {
    const port = await serve(t);
    const client = createClient({ url: `redis://127.0.0.1:${port}` });
    await client.connect();
    // The server goes first at the end of the test.
    client.on('error', () => {});
    t.after(() => client.destroy());
    assert.equal(await client.set('key', 'value'), 'OK');
    assert.equal(await client.get('key'), 'value');
    await client.set('key', 'value', { expiration: { type: 'EX', value: 10 }, condition: 'XX' });
    assert.equal(await client.ttl('key'), 10);
    await client.hSet('user', { name: 'ada', age: 36 });
    assert.deepEqual({ ...(await client.hGetAll('user')) }, { name: 'ada', age: '36' });
    await client.sAdd('set', ['a', 'b']);
    assert.deepEqual([...(await client.sMembers('set'))].sort(), ['a', 'b']);
    await client.zAdd('z', [
      { score: 1, value: 'one' },
      { score: 2.5, value: 'two' },
    ]);
    assert.deepEqual(
      (await client.zRangeWithScores('z', 0, -1)).map(({ score, value }) => [score, value]),
      [
        [1, 'one'],
        [2.5, 'two'],
      ],
    );
    const [set, got] = await client.multi().set('another', 'x').get('another').exec();
    assert.deepEqual([String(set), String(got)], ['OK', 'x']);
    const keys: string[] = [];
    for await (const batch of client.scanIterator({ MATCH: '*e*' })) keys.push(...[batch].flat().map(String));
    assert.ok(keys.includes('key') && keys.includes('user'));
    await assert.rejects(client.lPush('key', 'x'), /WRONGTYPE/);
  });
}
