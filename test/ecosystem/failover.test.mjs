/**
 * A leader that is killed while libraries are at work on three nodes: no job is lost, none runs twice unless its lock expired, no lock has
 * two holders, no limit is passed. Starts its own nodes, as processes.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import Redlock from 'redlock';

const program = join(import.meta.dirname, '../../dist/program/main.js');
const timeout = 120_000;
const jobs = 40;
const lockMs = 3_000;
const points = 25;

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function until(what, holds) {
  for (const deadline = Date.now() + 60_000; !(await holds()); ) {
    assert.ok(Date.now() < deadline, `it takes too long until ${what}`);
    await sleep(20);
  }
}

/** Ends what a test has opened, the last first; what does not end, because the test has failed, is left behind. */
function closers(t) {
  const list = [];
  t.after(async () => {
    for (const close of list.reverse())
      await Promise.race([close(), sleep(5_000, undefined, { ref: false })]);
  });
  return (close) => list.push(close);
}

/** Three nodes; the first founds the cluster. */
async function startCluster(atEnd) {
  const root = mkdtempSync(join(tmpdir(), 'redraft-failover-'));
  const ports = [await freePort(), await freePort(), await freePort()];
  const nodes = [];
  atEnd(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    rmSync(root, { recursive: true, force: true });
  });
  for (const port of ports) {
    const args = ['--port', `${port}`, '--dir', join(root, `${port}`), '--election-timeout', '500ms'];
    if (nodes.length > 0) args.push('--join', `127.0.0.1:${ports[0]}`);
    const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const redis = new Redis({ port, lazyConnect: true, retryStrategy: () => 50 });
    redis.on('error', () => {});
    const kill = () => {
      redis.disconnect();
      child.kill('SIGKILL');
      return ended;
    };
    nodes.push({ port, redis, kill });
    await until(
      `node ${nodes.length} serves`,
      async () =>
        (await redis.call('RAFTSTATE').catch(() => '')) === (nodes.length === 1 ? 'Leader' : 'Follower'),
    );
  }
  return nodes;
}

test('bullmq, redlock and a rate limiter while the leader is killed', { timeout }, async (t) => {
  const atEnd = closers(t);
  const nodes = await startCluster(atEnd);
  const sentinels = nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const connection = {
    sentinels,
    name: 'mymaster',
    maxRetriesPerRequest: null,
    sentinelRetryStrategy: () => 50,
  };
  const client = () => {
    const redis = new Redis(connection);
    redis.on('error', () => {});
    atEnd(async () => redis.disconnect());
    return redis;
  };
  const quiet = (each) => {
    each.on('error', () => {});
    atEnd(() => each.close());
    return each;
  };

  // Jobs, one of which lasts until another node leads.
  const queue = quiet(new Queue('work', { connection }));
  const events = quiet(new QueueEvents('work', { connection }));
  await events.waitUntilReady();
  const stalled = new Set();
  events.on('stalled', ({ jobId }) => stalled.add(jobId));
  const runs = new Map();
  let isOver = false;
  const worker = () =>
    quiet(
      new Worker(
        'work',
        async (job) => {
          runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
          if (job.name === 'long') while (!isOver) await sleep(20);
          else await sleep(30);
        },
        { connection, concurrency: 4, lockDuration: lockMs, stalledInterval: 1_000, maxStalledCount: 10 },
      ),
    );
  await queue.addBulk([
    { name: 'long', data: {}, opts: { jobId: 'long' } },
    ...Array.from({ length: jobs }, (_, i) => ({ name: 'short', data: { i }, opts: { jobId: `job${i}` } })),
  ]);
  worker();
  worker();

  // Two that want one lock all the time.
  const holders = [];
  let overlaps = 0;
  let held = 0;
  const contend = async () => {
    const redlock = new Redlock([client()], { retryCount: 0 });
    redlock.on('error', () => {});
    while (!isOver || held < 10) {
      const lock = await redlock.acquire(['the-lock'], 2_000).catch(() => undefined);
      if (lock === undefined) {
        await sleep(20);
        continue;
      }
      if (holders.some((other) => other.expiration > Date.now())) overlaps++;
      held++;
      holders.push(lock);
      await sleep(20);
      holders.splice(holders.indexOf(lock), 1);
      await lock.release().catch(() => {});
    }
  };

  // Requests that a limiter lets through.
  const limited = client();
  const limiter = new RateLimiterRedis({ storeClient: limited, points, duration: 600, keyPrefix: 'limit' });
  let passed = 0;
  const request = async () => {
    for (let refused = 0; !isOver || refused < 3; await sleep(40)) {
      await limiter.consume('user').then(
        () => passed++,
        (reason) => {
          if (!(reason instanceof Error)) refused++;
        },
      );
    }
  };

  const others = [contend(), contend(), request()];
  atEnd(async () => {
    isOver = true;
  });
  await until('work is under way', () => runs.has('long') && runs.size > 8 && held > 2 && passed > 2);
  await nodes[0].kill();
  await until('another node leads', async () => {
    const states = await Promise.all(nodes.slice(1).map(({ redis }) => redis.call('RAFTSTATE')));
    return states.some((state) => state === 'Leader');
  });
  await sleep(lockMs / 2);
  isOver = true;
  await until('all jobs are done', async () => (await queue.getCompletedCount()) === jobs + 1);
  await Promise.all(others);

  assert.equal(runs.size, jobs + 1, 'every job has run');
  for (const [id, count] of runs) assert.ok(count === 1 || stalled.has(id), `${id} ran ${count} times`);
  const counts = await queue.getJobCounts('failed', 'wait', 'active', 'delayed');
  assert.deepEqual(counts, { failed: 0, wait: 0, active: 0, delayed: 0 });
  assert.equal(overlaps, 0, 'no lock is held by two');
  const { consumedPoints } = await limiter.get('user');
  assert.ok(passed <= points, `${passed} of ${points} let through`);
  assert.ok(consumedPoints >= passed, 'what was let through is counted');
  t.diagnostic(`${stalled.size} jobs stalled, ${held} locks held, ${passed} requests let through`);
});
