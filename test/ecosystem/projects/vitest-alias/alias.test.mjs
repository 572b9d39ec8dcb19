import Redis, { Cluster } from 'ioredis';
import InMemory from 'redraft/ioredis';
import { expect, test, vi } from 'vitest';

test('an alias gives the client on a node in memory, under fake timers, too', async () => {
  expect(Redis).toBe(InMemory);
  vi.useFakeTimers();
  try {
    const redis = new Redis({ data: { k: 'v' } });
    expect(await redis.get('k')).toBe('v');
    const cluster = new Cluster([{ host: 'localhost', port: 6379 }]);
    expect(await cluster.get('k')).toBe('v');
    const late = vi.fn();
    setTimeout(late, 1000);
    vi.advanceTimersByTime(1000);
    expect(late).toHaveBeenCalled();
  } finally {
    vi.useRealTimers();
  }
});
