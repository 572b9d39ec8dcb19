/**
 * What BullMQ's README begins with, on one node: jobs and their events, then delayed and repeated ones and a
 * flow of three levels. Eleven days pass in less than a second.
 */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq';
import { Redraft } from 'redraft';

const DAY_MS = 24 * 3_600_000;

async function paint() {
  const redraft = await Redraft.start();
  const connection = redraft.options('ioredis');
  const open = [];
  const opened = (each) => {
    open.push(each);
    return each;
  };
  // BullMQ asks the clock of its own process, and waits in Redis, ten seconds at a time: time passes for
  // both. First for Redis: who wakes meanwhile finds nothing due, and holds no lock that the rest of a day
  // ends.
  const pass = async (milliseconds) => {
    await redraft.clock.advance(milliseconds);
    mock.timers.setTime(Date.now() + milliseconds);
    for (let i = 0; i < 20; i++) await turn();
  };
  const settle = async (isDone) => {
    while (!isDone()) await pass(1000);
  };
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const began = Date.now();
  const day = () => Math.floor((Date.now() - began) / DAY_MS);
  try {
    const painted = [];
    const told = [];
    const cars = opened(new Queue('Paint', { connection }));
    const painter = opened(
      new Worker(
        'Paint',
        async ({ name, data }) => {
          if (data.color === 'invisible') throw new Error('no such color');
          return `${name} ${data.color} on day ${day()}`;
        },
        { connection },
      ),
    );
    painter.on('completed', (_, line) => painted.push(line));
    const events = opened(new QueueEvents('Paint', { connection }));
    events.on('completed', () => told.push('done'));
    events.on('failed', ({ failedReason }) => told.push(failedReason));
    await Promise.all([painter.waitUntilReady(), events.waitUntilReady()]);

    await cars.add('cars', { color: 'blue' });
    await cars.add('cars', { color: 'invisible' });
    await settle(() => told.length === 2);
    assert.deepEqual(told.sort(), ['done', 'no such color']);

    // Delayed: in a week, and not before.
    await cars.add('cars', { color: 'red' }, { delay: 7 * DAY_MS });
    await pass(6 * DAY_MS);
    assert.equal(painted.length, 1);
    await pass(DAY_MS);
    await settle(() => painted.length === 2);
    assert.deepEqual(painted, ['cars blue on day 0', 'cars red on day 7']);

    // Repeated: each day, three times.
    const daily = { every: DAY_MS, limit: 3 };
    await cars.upsertJobScheduler('daily', daily, { name: 'bikes', data: { color: 'green' } });
    for (let count = 3; count <= 5; count++) {
      await settle(() => painted.length === count);
      await pass(DAY_MS);
    }
    await pass(DAY_MS);
    const bikes = painted.slice(2).map((line) => Number(/^bikes green on day (\d+)$/.exec(line)[1]));
    assert.equal(bikes.length, 3);
    assert.deepEqual([bikes[1] - bikes[0], bikes[2] - bikes[0]], [1, 2]);

    // A flow: the root is done when its children are, and they when theirs are, one of which takes a day.
    const order = [];
    for (const queue of ['grandChildren', 'children', 'top'])
      opened(new Worker(queue, async () => {}, { connection })).on('completed', ({ data }) =>
        order.push(data.idx),
      );
    const child = (idx, queueName, rest) => ({ name: queueName, queueName, data: { idx }, ...rest });
    await opened(new FlowProducer({ connection })).add(
      child(0, 'top', {
        children: [
          child(1, 'children', {
            children: [child(2, 'grandChildren'), child(3, 'grandChildren', { opts: { delay: DAY_MS } })],
          }),
          child(4, 'children'),
        ],
      }),
    );
    await settle(() => order.length === 2);
    assert.deepEqual(order.toSorted(), [2, 4]);
    await pass(DAY_MS);
    await settle(() => order.length === 5);
    assert.deepEqual(order.slice(2), [3, 1, 0]);
    assert.ok(day() >= 11);
  } finally {
    await Promise.all(open.map((each) => each.close(true)));
    mock.timers.reset();
    await redraft.stop();
  }
}

test('delayed, repeated, in flows: days of jobs take less than a second', async (t) => {
  // Of the process's own: what it computes and what it waits for, not what others take of the machine.
  const ownMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000 + performance.eventLoopUtilization().idle;
  };
  const tries = [];
  while (tries.length < 5 && !tries.some((milliseconds) => milliseconds < 1000)) {
    const [beganMs, began] = [performance.now(), ownMs()];
    await paint();
    tries.push(ownMs() - began);
    t.diagnostic(
      `${tries.at(-1).toFixed(0)} ms, ${(performance.now() - beganMs).toFixed(0)} ms by the clock`,
    );
  }
  assert.ok(Math.min(...tries) < 1000, `${tries}`);
});
