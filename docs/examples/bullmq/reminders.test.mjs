import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Redraft } from 'redraft';
import { reminders } from './reminders.mjs';

test('a reminder comes after an hour, and not before', async () => {
  const redraft = await Redraft.start();
  const sent = [];
  const { remind, ready, close } = reminders(redraft.options('ioredis'), async (to) => sent.push(to));
  await ready();
  await remind('ann');
  // BullMQ asks the clock of its own process, and waits in Redis: time passes for both.
  let passedMs = 0;
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const pass = async (milliseconds) => {
    passedMs += milliseconds;
    mock.timers.setTime(Date.now() + milliseconds);
    await redraft.clock.advance(milliseconds);
    await delay(5);
  };
  await pass(3_500_000);
  assert.deepEqual(sent, []);
  // In steps: the worker may be about to wait when time is moved.
  while (sent.length === 0 && passedMs < 4_000_000) await pass(5_000);
  assert.deepEqual(sent, ['ann']);
  assert.ok(passedMs >= 3_600_000);
  mock.timers.reset();
  await close();
  await redraft.stop();
});
