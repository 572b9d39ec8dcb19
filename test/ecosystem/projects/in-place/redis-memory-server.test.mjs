/**
 * What redis-memory-server's documentation and its own tests do with a server, on a node in its place: one
 * server, several, given ports, a password, its end, and a start that fails.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Redis from 'ioredis';
import { Redraft } from 'redraft';

async function ping(redraft, options = {}) {
  const redis = new Redis({ host: redraft.host, port: redraft.port, ...options });
  try {
    return await redis.ping();
  } finally {
    redis.disconnect();
  }
}

test('one server: a client connects by host and port', async () => {
  const redraft = await Redraft.start();
  assert.equal(redraft.host, '127.0.0.1');
  assert.ok(redraft.port > 0);
  assert.equal(await ping(redraft), 'PONG');
  await redraft.stop();
});

test('several servers have ports and data of their own', async () => {
  const servers = await Promise.all([Redraft.start(), Redraft.start()]);
  assert.notEqual(servers[0].port, servers[1].port);
  assert.deepEqual(await Promise.all(servers.map((server) => ping(server))), ['PONG', 'PONG']);
  await servers[0].load({ k: 'v' });
  assert.deepEqual(await servers[1].keys(), []);
  await Promise.all(servers.map((server) => server.stop()));
});

test('a given port, which nobody else can have, and arguments of a redis-server', async () => {
  const free = await Redraft.start();
  const { port } = free;
  await free.stop();
  const configuration = { 'maxmemory-policy': 'allkeys-lru' };
  const redraft = await Redraft.start({ port, password: 'secret', configuration });
  assert.equal(redraft.port, port);
  await assert.rejects(Redraft.start({ port }), { code: 'EADDRINUSE' });
  assert.equal(await ping(redraft, { password: 'secret' }), 'PONG');
  const redis = new Redis(redraft.options('ioredis'));
  assert.deepEqual(await redis.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'allkeys-lru']);
  redis.disconnect();
  await redraft.stop();
});

test('whether it runs, and that it does no longer once it was stopped', async () => {
  const redraft = await Redraft.start();
  assert.equal(redraft.isStopped, false);
  await redraft.stop();
  assert.equal(redraft.isStopped, true);
  await redraft.stop();
  const redis = new Redis({ port: redraft.port, lazyConnect: true, retryStrategy: null });
  redis.on('error', () => {});
  await assert.rejects(redis.connect());
});
