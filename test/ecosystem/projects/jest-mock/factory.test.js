jest.mock('ioredis', () => require('redraft/ioredis'));

const Redis = require('ioredis');

test('a mock by a factory is the real client, on a node in memory', async () => {
  const redis = new Redis({ data: { k: 'v' } });
  expect(await redis.get('k')).toBe('v');
  expect(redis).toBeInstanceOf(Redis);
  expect(Redis).toBe(require('redraft/ioredis'));
  await expect(redis.lpush('k', 'x')).rejects.toThrow(/^WRONGTYPE/);
});
