/**
 * Libraries that stand on streams, against a Redraft whose port is in REDRAFT_PORT: the events of bullmq and the Socket.IO adapter. They are
 * heavy, hence a folder with dependencies of its own.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { QueueEvents, QueueEventsProducer } from 'bullmq';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const port = Number(process.env.REDRAFT_PORT);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };

test('bullmq: queue events come by a stream that is waited for', { timeout: 30_000 }, async (t) => {
  const events = new QueueEvents('jobs', { connection });
  t.after(() => events.close());
  await events.waitUntilReady();
  const producer = new QueueEventsProducer('jobs', { connection });
  t.after(() => producer.close());
  const completed = once(events, 'completed');
  const redis = new Redis(connection);
  t.after(() => redis.disconnect());
  // QueueEvents reads from `$`: what comes before it waits is not seen.
  const again = setInterval(() => {
    void redis.xadd(
      'bull:jobs:events',
      'MAXLEN',
      '~',
      1000,
      '*',
      'event',
      'completed',
      'jobId',
      '7',
      'returnvalue',
      '42',
    );
  }, 50);
  try {
    const [{ jobId, returnvalue }, id] = await completed;
    assert.equal(jobId, '7');
    assert.equal(returnvalue, 42);
    assert.match(id, /^\d+-\d+$/);
  } finally {
    clearInterval(again);
  }
  const custom = once(events, 'paid');
  await producer.publishEvent({ eventName: 'paid', amount: '9' });
  assert.equal((await custom)[0].amount, '9');
});

test('@socket.io/redis-streams-adapter: two servers are one', { timeout: 30_000 }, async (t) => {
  const servers = [];
  for (let i = 0; i < 2; i++) {
    const redis = new Redis(connection);
    const http = createServer();
    const server = new Server(http, { adapter: createAdapter(redis) });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    servers.push({ server, url: `http://127.0.0.1:${http.address().port}` });
    t.after(async () => {
      await server.close();
      redis.disconnect();
    });
  }
  const client = io(servers[1].url);
  t.after(() => client.close());
  await once(client, 'connect');
  // The second server may not have begun to read: until it has, what the first sends is not for it.
  const heard = once(client, 'hello');
  const again = setInterval(() => servers[0].server.emit('hello', { from: 'the first' }), 50);
  try {
    assert.deepEqual(await heard, [{ from: 'the first' }]);
  } finally {
    clearInterval(again);
  }
  assert.equal((await servers[0].server.fetchSockets()).length, 1);
});
