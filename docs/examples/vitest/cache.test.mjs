import { Redis } from 'ioredis';
import { Redraft } from 'redraft';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { cached } from './cache.mjs';

let redraft;
let redis;
const load = vi.fn(async (key) => ({ name: key.toUpperCase() }));

beforeAll(async () => {
  redraft = await Redraft.start();
  redis = new Redis(redraft.options('ioredis'));
});
beforeEach(async () => {
  load.mockClear();
  await redraft.faults.clear();
  await redraft.flush();
});
afterAll(async () => {
  redis.disconnect();
  await redraft.stop();
});

test('a value is loaded once a minute', async () => {
  const get = cached(redis, load);
  expect(await get('ann')).toEqual({ name: 'ANN' });
  expect(await get('ann')).toEqual({ name: 'ANN' });
  expect(load).toHaveBeenCalledTimes(1);
  await redraft.clock.advance(60_001);
  await get('ann');
  expect(load).toHaveBeenCalledTimes(2);
});

test('it does without a Redis that is slow, out of memory or gone', async () => {
  const get = cached(redis, load);
  redraft.faults.delay(200, 'get', { times: 1 });
  expect(await get('slow')).toEqual({ name: 'SLOW' });
  redraft.faults.fail('OOM', 'set', { times: 1 });
  expect(await get('full')).toEqual({ name: 'FULL' });
  redraft.faults.dropReply('get', { times: 1 });
  expect(await get('gone')).toEqual({ name: 'GONE' });
});

test('it says how long to keep a value', async () => {
  redraft.commands.record();
  await cached(redis, load)('bob');
  expect(redraft.commands.args({ command: 'set', key: 'cache:bob' })).toEqual([
    ['set', 'cache:bob', '{"name":"BOB"}', 'EX', '60'],
  ]);
  redraft.commands.stop();
});

test('under fake timers', async () => {
  vi.useFakeTimers();
  try {
    const get = cached(redis, load);
    expect(await get('ann')).toEqual({ name: 'ANN' });
    vi.advanceTimersByTime(60_001);
    await redraft.clock.advance(60_001);
    await get('ann');
    expect(load).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});
