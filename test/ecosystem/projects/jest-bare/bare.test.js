const Redis = require('ioredis');

test('a mapping by a bare name, and all timers faked', async () => {
  jest.useFakeTimers();
  const redis = new Redis({ data: { k: 'v' } });
  expect(await redis.get('k')).toBe('v');
  await expect(redis.lpush('k', 'x')).rejects.toThrow(/^WRONGTYPE/);
  const sub = new Redis();
  await sub.subscribe('c');
  expect(await redis.publish('c', 'm')).toBe(1);
});
