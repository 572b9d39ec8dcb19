/** Jobs of the kinds that BullMQ's guide begins with: delayed, repeated, and flows of parents and children. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FlowProducer, Queue, Worker } from 'bullmq';
import { Redraft } from 'redraft';

let redraft;
let open;

beforeEach(async () => {
  redraft = await Redraft.start();
  open = [];
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
});

afterEach(async () => {
  await Promise.all(open.map((each) => each.close(true)));
  mock.timers.reset();
  await redraft.stop();
});

const opened = (each) => {
  open.push(each);
  return each;
};
const connection = () => redraft.options('ioredis');
const queueOf = (name) => opened(new Queue(name, { connection: connection() }));
const workerOf = async (name, work) => {
  const worker = opened(new Worker(name, work, { connection: connection() }));
  await worker.waitUntilReady();
  return worker;
};

/** BullMQ asks the clock of its own process, and waits in Redis: time passes for both. */
async function pass(milliseconds) {
  mock.timers.setTime(Date.now() + milliseconds);
  await redraft.clock.advance(milliseconds);
  for (let i = 0; i < 10; i++) await turn();
}

/** In steps: the worker may be about to wait when time is moved. */
async function passUntil(isDone, stepMs) {
  while (!isDone()) await pass(stepMs);
}

test('delayed: an invoice is due after a month', async () => {
  const began = Date.now();
  const paid = [];
  const queue = queueOf('invoices');
  await workerOf('invoices', async ({ data }) => paid.push([data.invoice, Date.now() - began]));
  const month = 30 * 24 * 3_600_000;
  await queue.add('collect', { invoice: 7 }, { delay: month });
  await pass(month - 60_000);
  assert.deepEqual(paid, []);
  await passUntil(() => paid.length > 0, 20_000);
  assert.equal(paid[0][0], 7);
  assert.ok(paid[0][1] >= month && paid[0][1] < month + 3_600_000, `${paid[0][1]}`);
});

test('repeated: a report each hour, five times', async () => {
  const began = Date.now();
  const hours = [];
  const queue = queueOf('reports');
  await workerOf('reports', async () => hours.push((Date.now() - began) / 3_600_000));
  await queue.upsertJobScheduler('hourly', { every: 3_600_000, limit: 5 }, { name: 'report' });
  await passUntil(() => hours.length === 5, 600_000);
  await pass(3 * 3_600_000);
  assert.equal(hours.length, 5);
  for (let i = 1; i < 5; i++) {
    const apart = hours[i] - hours[i - 1];
    assert.ok(apart > 0.5 && apart < 2, `${hours}`);
  }
  assert.equal((await queue.getJobSchedulersCount()) <= 1, true);
});

test('flow: the house is done when its walls are', async () => {
  const done = [];
  await workerOf('steps', async ({ name, data }) => {
    done.push(name);
    return data.place;
  });
  const house = opened(
    new Worker('house', async (job) => Object.values(await job.getChildrenValues()).sort(), {
      connection: connection(),
    }),
  );
  const finished = new Promise((resolve) => house.once('completed', (_, result) => resolve(result)));
  await opened(new FlowProducer({ connection: connection() })).add({
    name: 'renovate',
    queueName: 'house',
    children: [
      { name: 'paint', queueName: 'steps', data: { place: 'ceiling' } },
      { name: 'paint', queueName: 'steps', data: { place: 'walls' }, opts: { delay: 86_400_000 } },
      { name: 'fix', queueName: 'steps', data: { place: 'floor' } },
    ],
  });
  await passUntil(() => done.length === 2, 10);
  await pass(80_000_000);
  assert.equal(done.length, 2);
  let result;
  void finished.then((found) => {
    result = found;
  });
  await passUntil(() => result !== undefined, 1_600_000);
  assert.deepEqual(result, ['ceiling', 'floor', 'walls']);
});

test('attempts: what failed is tried again after its backoff', async () => {
  let attempts = 0;
  const queue = queueOf('mails');
  const worker = await workerOf('mails', async () => {
    if (++attempts < 3) throw new Error('no luck');
  });
  let isDone = false;
  worker.once('completed', () => {
    isDone = true;
  });
  await queue.add('send', {}, { attempts: 3, backoff: { type: 'exponential', delay: 600_000 } });
  await passUntil(() => isDone, 200_000);
  assert.equal(attempts, 3);
});
