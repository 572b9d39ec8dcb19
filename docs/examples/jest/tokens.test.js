const Redis = require('ioredis');
const { issue, redeem } = require('./tokens');

afterEach(() => new Redis().flushall());

test('a token is good once', async () => {
  await issue('ann', 't1');
  expect(await redeem('t1')).toBe('ann');
  expect(await redeem('t1')).toBeNull();
});

test('it has ten minutes', async () => {
  await issue('ann', 't2');
  expect(await new Redis().ttl('token:t2')).toBeGreaterThan(590);
});

test("errors and shapes are ioredis's own", async () => {
  const redis = new Redis({ data: { list: ['a', 'b'] } });
  await expect(redis.get('list')).rejects.toThrow(/^WRONGTYPE/);
  await expect(redis.get('list')).rejects.toBeInstanceOf(Error);
  await redis.hset('h', 'a', '1');
  expect(await redis.hgetall('h')).toStrictEqual({ a: '1' });
  expect(await redis.lrange('list', 0, -1)).toStrictEqual(['a', 'b']);
  expect(redis).toBeInstanceOf(Redis);
});

test('under fake timers', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  try {
    const redis = new Redis();
    const later = jest.fn();
    setTimeout(later, 1000);
    await redis.set('k', 'v');
    jest.advanceTimersByTime(1000);
    expect(later).toHaveBeenCalled();
    expect(await redis.get('k')).toBe('v');
  } finally {
    jest.useRealTimers();
  }
});
