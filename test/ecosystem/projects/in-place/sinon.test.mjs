/** Under sinon's fake timers, a node of a port and one in memory. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import Redis from 'ioredis';
import { createClient } from 'redis';
import { Redraft } from 'redraft';
import sinon from 'sinon';

let clock;
beforeEach(() => {
  clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'Date'] });
});
afterEach(() => clock.restore());

test('ioredis and node-redis are served, and each clock moves its own', async () => {
  const redraft = await Redraft.start();
  const redis = new Redis(redraft.options('ioredis'));
  const other = createClient(redraft.options('redis')).on('error', () => {});
  await other.connect();
  await redis.set('k', 'v', 'PX', 1000);
  const late = sinon.fake();
  setTimeout(late, 60_000);
  clock.tick(60_000);
  assert.equal(late.callCount, 1);
  assert.equal(await other.get('k'), 'v');
  await redraft.clock.advance(1001);
  assert.equal(await other.get('k'), null);
  const popped = redis.blpop('queue', 0);
  await other.rPush('queue', 'job');
  assert.deepEqual(await popped, ['queue', 'job']);
  await redraft.restart({ downMs: 1 });
  await redraft.load({ k: 'again' });
  assert.equal(await redraft.get('k'), 'again');
  redis.disconnect();
  other.destroy();
  await redraft.stop();
});

test('a node without a port starts, serves and stops', async () => {
  const redraft = await Redraft.start({ listen: false });
  const redis = new Redis({ Connector: redraft.ioredisConnector });
  const waiting = redis.blpop('queue', 5);
  while (redraft.server.engine.waiters.size === 0) await turn();
  await redraft.clock.advance(5001);
  assert.equal(await waiting, null);
  redis.disconnect();
  await redraft.stop();
});
