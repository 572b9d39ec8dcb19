import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { createClient, WatchError } from 'redis';
import { Redraft } from '../../src/index.js';
import { newDirectory, serving, start } from './program-runner.js';

/** What the README of ioredis shows, as far as it concerns strings, keys, pipelines and transactions. */
async function useIoredis(port: number): Promise<void> {
  const redis = new Redis(port, '127.0.0.1');
  await redis.flushall();
  assert.equal(await redis.set('mykey', 'value'), 'OK');
  assert.equal(await redis.get('mykey'), 'value');
  assert.equal(await redis.set('mykey', 'hello', 'EX', 10), 'OK');
  assert.equal(await redis.ttl('mykey'), 10);
  assert.equal(await redis.del('mykey'), 1);
  assert.equal(await redis.get('mykey'), null);

  assert.deepEqual(await redis.pipeline().set('foo', '1').incr('foo').get('foo').exec(), [
    [null, 'OK'],
    [null, 2],
    [null, '2'],
  ]);
  assert.deepEqual(await redis.multi().set('foo', 'bar').get('foo').exec(), [
    [null, 'OK'],
    [null, 'bar'],
  ]);
  await assert.rejects(redis.incr('foo'), /ERR value is not an integer or out of range/);

  const bytes = Buffer.from([0, 255, 128, 13, 10]);
  await redis.set('bytes', bytes);
  assert.deepEqual(await redis.getBuffer('bytes'), bytes);

  const names = Array.from({ length: 50 }, (_, i) => `key:${i}`);
  await redis.mset(...names.flatMap((name) => [name, name]));
  const found: string[] = [];
  for await (const keys of redis.scanStream({ match: 'key:*', count: 7 })) found.push(...(keys as string[]));
  assert.deepEqual([...new Set(found)].sort(), [...names].sort());
  assert.equal(await redis.dbsize(), 52);
  await redis.select(1);
  assert.equal(await redis.dbsize(), 0);
  assert.equal(await redis.quit(), 'OK');
}

/** What the README of node-redis shows, likewise. */
async function useNodeRedis(port: number, RESP: 2 | 3): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP });
  await client.connect();
  await client.flushAll();
  await client.set('key', 'value');
  assert.equal(await client.get('key'), 'value');
  assert.equal(await client.set('key', 'other', { condition: 'NX' }), null);
  assert.equal(
    await client.set('key', 'bar', { expiration: { type: 'EX', value: 10 }, condition: 'XX' }),
    'OK',
  );
  assert.equal(await client.sendCommand(['GET', 'key']), 'bar');
  assert.deepEqual(await client.multi().set('another', 'v').get('key').exec(), ['OK', 'bar']);
  assert.deepEqual(
    await Promise.all([client.exists('key'), client.incr('n'), client.incrBy('n', 41)]),
    [1, 1, 42],
  );

  const watcher = client.duplicate();
  await watcher.connect();
  await watcher.watch('n');
  await client.set('n', 'changed');
  await assert.rejects(watcher.multi().set('n', 'mine').exec(), WatchError);
  watcher.destroy();

  const found: string[] = [];
  for await (const keys of client.scanIterator({ COUNT: 1 })) found.push(...keys);
  assert.deepEqual(found.sort(), ['another', 'key', 'n']);
  assert.equal(await client.ping(), 'PONG');
  await client.close();
}

test('ioredis and node-redis do with an embedded node what their READMEs show', async () => {
  const redraft = await Redraft.start();
  await useIoredis(redraft.port);
  await useNodeRedis(redraft.port, 2);
  await useNodeRedis(redraft.port, 3);
  await redraft.stop();
});

test('ioredis and node-redis do with a process of its own what their READMEs show', async () => {
  const program = start(['--port', '0', '--dir', newDirectory()]);
  const port = await serving(program);
  await useIoredis(port);
  await useNodeRedis(port, 2);
  await useNodeRedis(port, 3);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0);
});
