/**
 * Libraries that stand on Lua scripts, doing what their READMEs show, against a Redraft whose port is in REDRAFT_PORT: queues, rate limiters
 * and locks.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import fastifyRateLimit from '@fastify/rate-limit';
import BeeQueue from 'bee-queue';
import Bull from 'bull';
import { Queue, Worker } from 'bullmq';
import { rateLimit } from 'express-rate-limit';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { Queue as ResqueQueue, Worker as ResqueWorker } from 'node-resque';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import semaphore from 'redis-semaphore';
import Redlock, { ExecutionError, ResourceLockedError } from 'redlock';
import Redlock4 from 'redlock4';

const { LostLockError, MultiSemaphore, Mutex, RedlockMutex, Semaphore } = semaphore;
const port = Number(process.env.REDRAFT_PORT);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const timeout = 60_000;

/** Names of one run: the same server is used twice. */
const named = (name) => `${name}-${process.pid}`;

function client(t) {
  const redis = new Redis(connection);
  t.after(() => redis.disconnect());
  return redis;
}

test('bullmq: jobs run, fail and are tried again, wait, and come by priority', { timeout }, async (t) => {
  const name = named('paint');
  const queue = new Queue(name, { connection });
  t.after(() => queue.close());
  const seen = [];
  const worker = new Worker(
    name,
    async (job) => {
      seen.push(job.name);
      if (job.name === 'failing' && job.attemptsMade === 0) throw new Error('once');
      return job.data.color;
    },
    { connection, autorun: false },
  );
  t.after(() => worker.close());
  const done = new Map();
  worker.on('completed', (job, value) => done.set(job.name, value));
  await queue.addBulk([
    { name: 'low', data: { color: 'grey' }, opts: { priority: 10 } },
    { name: 'high', data: { color: 'red' }, opts: { priority: 1 } },
  ]);
  await queue.add('failing', { color: 'blue' }, { attempts: 2, backoff: { type: 'fixed', delay: 20 } });
  await queue.add('late', { color: 'green' }, { delay: 200 });
  void worker.run();
  while (done.size < 4) await once(worker, 'completed');
  assert.deepEqual(Object.fromEntries(done), { low: 'grey', high: 'red', failing: 'blue', late: 'green' });
  assert.ok(seen.indexOf('high') < seen.indexOf('low'), seen.join());
  assert.equal(seen.filter((job) => job === 'failing').length, 2);
  const counts = await queue.getJobCounts('completed', 'failed', 'wait', 'delayed', 'active');
  assert.deepEqual(counts, { completed: 4, failed: 0, wait: 0, delayed: 0, active: 0 });
  await queue.obliterate({ force: true });
});

test('bullmq: many workers, no job lost and none run twice', { timeout }, async (t) => {
  const name = named('many');
  const queue = new Queue(name, { connection });
  t.after(() => queue.close());
  const runs = new Map();
  const workers = [1, 2, 3].map(
    () =>
      new Worker(
        name,
        async (job) => {
          runs.set(job.data.i, (runs.get(job.data.i) ?? 0) + 1);
        },
        { connection, concurrency: 5 },
      ),
  );
  t.after(() => Promise.all(workers.map((worker) => worker.close())));
  const count = 200;
  await queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: 'job', data: { i } })));
  while ((await queue.getCompletedCount()) < count) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(runs.size, count);
  assert.deepEqual([...new Set(runs.values())], [1]);
});

test('bull: a processor, a result, a delay', { timeout }, async (t) => {
  const queue = new Bull(named('video'), { redis: { host: '127.0.0.1', port } });
  t.after(() => queue.close());
  queue.process(async (job) => ({ twice: job.data.n * 2 }));
  const [now, late] = [await queue.add({ n: 1 }), await queue.add({ n: 2 }, { delay: 100 })];
  assert.deepEqual(await now.finished(), { twice: 2 });
  assert.deepEqual(await late.finished(), { twice: 4 });
  assert.equal((await queue.getJobCounts()).completed, 2);
});

test('bee-queue: jobs are saved, processed and retried', { timeout }, async (t) => {
  const queue = new BeeQueue(named('addition'), { redis: { host: '127.0.0.1', port } });
  t.after(() => queue.close());
  let failures = 1;
  queue.process(async ({ data }) => {
    if (failures-- > 0) throw new Error('once');
    return data.x + data.y;
  });
  const job = await queue.createJob({ x: 2, y: 3 }).retries(2).save();
  const [result] = await once(job, 'succeeded');
  assert.equal(result, 5);
  assert.equal((await queue.checkHealth()).succeeded, 1);
});

test('node-resque: a worker takes jobs of a queue', { timeout }, async (t) => {
  const namespace = named('resque');
  const details = { pkg: 'ioredis', host: '127.0.0.1', port, database: 0, namespace };
  const jobs = { add: { perform: async (a, b) => a + b } };
  const queue = new ResqueQueue({ connection: details }, jobs);
  queue.on('error', (error) => assert.fail(error));
  await queue.connect();
  t.after(() => queue.end());
  await queue.enqueue('math', 'add', [1, 2]);
  assert.equal(await queue.length('math'), 1);
  const worker = new ResqueWorker({ connection: details, queues: ['math'], timeout: 50 }, jobs);
  worker.on('error', (error) => assert.fail(error));
  await worker.connect();
  t.after(() => worker.end());
  const done = once(worker, 'success');
  await worker.start();
  const [, , result] = await done;
  assert.equal(result, 3);
  assert.equal(await queue.length('math'), 0);
});

test('rate-limiter-flexible: points are consumed until none are left', { timeout }, async (t) => {
  const limiter = new RateLimiterRedis({
    storeClient: client(t),
    keyPrefix: named('flexible'),
    points: 5,
    duration: 60,
  });
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume('user')));
  assert.equal(all.filter(({ status }) => status === 'fulfilled').length, 5);
  const refused = all.find(({ status }) => status === 'rejected').reason;
  assert.equal(refused.remainingPoints, 0);
  assert.ok(refused.msBeforeNext > 0 && refused.msBeforeNext <= 60_000);
  await limiter.delete('user');
  assert.equal((await limiter.consume('user', 2)).remainingPoints, 3);
});

test('rate-limit-redis: hits are counted in a window', { timeout }, async (t) => {
  const redis = client(t);
  const prefix = named('express');
  const store = new RedisStore({ sendCommand: (name, ...args) => redis.call(name, ...args), prefix });
  const limiter = rateLimit({ windowMs: 60_000, limit: 2, store, validate: false });
  const request = async () => {
    const headers = {};
    let status = 200;
    const response = {
      setHeader: (name, value) => {
        headers[name] = value;
      },
      append() {},
      status(code) {
        status = code;
        return response;
      },
      send() {},
    };
    await limiter({ ip: '10.0.0.1', headers: {}, app: { get: () => undefined } }, response, () => {});
    return status;
  };
  assert.deepEqual([await request(), await request(), await request()], [200, 200, 429]);
  await store.resetKey('10.0.0.1');
  assert.equal(await request(), 200);
});

test('redlock 5: one holder at a time, extended and released', { timeout }, async (t) => {
  const redlock = new Redlock([client(t)], { retryCount: 0 });
  redlock.on('error', (error) => {
    if (!(error instanceof ResourceLockedError)) assert.fail(error);
  });
  const resource = named('resource');
  let lock = await redlock.acquire([resource], 5_000);
  await assert.rejects(redlock.acquire([resource], 5_000), ExecutionError);
  lock = await lock.extend(5_000);
  await lock.release();
  await (await redlock.acquire([resource], 1_000)).release();
  const result = await redlock.using([resource, `${resource}-b`], 5_000, async (signal) => {
    assert.equal(signal.aborted, false);
    return 'done';
  });
  assert.equal(result, 'done');
});

test('redlock 5: many who want one lock never hold it together', { timeout }, async (t) => {
  const redlock = new Redlock([client(t)], { retryCount: -1, retryDelay: 5, retryJitter: 5 });
  const resource = named('contended');
  let inside = 0;
  let worst = 0;
  await Promise.all(
    Array.from({ length: 10 }, () =>
      redlock.using([resource], 10_000, async () => {
        worst = Math.max(worst, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 2));
        inside--;
      }),
    ),
  );
  assert.equal(worst, 1);
});

test('redlock 4: a lock is taken, refused, extended and released', { timeout }, async (t) => {
  const redlock = new Redlock4([client(t)], { retryCount: 0 });
  const resource = named('locks:account');
  const lock = await redlock.lock(resource, 5_000);
  await assert.rejects(redlock.lock(resource, 5_000), Redlock4.LockError);
  await (await lock.extend(5_000)).unlock();
  const both = await redlock.lock([resource, `${resource}-b`], 5_000);
  await assert.rejects(redlock.lock(`${resource}-b`, 1_000), Redlock4.LockError);
  await both.unlock();
  await (await redlock.lock(resource, 1_000)).unlock();
});

test('@fastify/rate-limit: requests are counted in a window', { timeout }, async (t) => {
  const server = fastify();
  t.after(() => server.close());
  await server.register(fastifyRateLimit, {
    max: 2,
    timeWindow: '1 minute',
    redis: client(t),
    nameSpace: named('fastify-'),
  });
  server.get('/', () => ({ hello: 'world' }));
  const request = async () => {
    const { statusCode, headers } = await server.inject('/');
    return [statusCode, headers['x-ratelimit-remaining']];
  };
  assert.deepEqual(
    [await request(), await request(), await request()],
    [
      [200, '1'],
      [200, '0'],
      [429, '0'],
    ],
  );
});

test('redis-semaphore: mutex, semaphores and a mutex of several servers', { timeout }, async (t) => {
  const redis = client(t);
  const options = { acquireTimeout: 100, retryInterval: 10 };
  const first = new Mutex(redis, named('mutex'), options);
  const second = new Mutex(redis, named('mutex'), options);
  await first.acquire();
  assert.equal(await second.tryAcquire(), false);
  await first.release();
  assert.equal(await second.tryAcquire(), true);
  await second.release();
  const holders = [1, 2, 3].map(() => new Semaphore(redis, named('semaphore'), 2, options));
  assert.deepEqual(await Promise.all(holders.map((holder) => holder.tryAcquire())), [true, true, false]);
  await Promise.all(holders.slice(0, 2).map((holder) => holder.release()));
  const multi = new MultiSemaphore(redis, named('multi'), 3, 2, options);
  await multi.acquire();
  assert.equal(await new MultiSemaphore(redis, named('multi'), 3, 2, options).tryAcquire(), false);
  await multi.release();
  const told = new Promise((resolve) => {
    const watched = new Mutex(redis, named('watched'), {
      ...options,
      lockTimeout: 200,
      refreshInterval: 20,
      onLockLost: resolve,
    });
    void watched.acquire().then(() => redis.del(`mutex:${named('watched')}`));
  });
  assert.ok((await told) instanceof LostLockError);
  const red = new RedlockMutex([redis], named('red'), options);
  await red.acquire();
  await red.release();
});
