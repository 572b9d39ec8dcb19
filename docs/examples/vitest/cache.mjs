/** Keeps what `load` gives for a minute. Without Redis, or when that is slow, it asks `load` each time. */
export function cached(redis, load, { timeoutMs = 50 } = {}) {
  const inTime = (promise) =>
    Promise.race([
      promise,
      new Promise((_, reject) => setTimeout(() => reject(new Error('Redis is late')), timeoutMs)),
    ]);
  return async (key) => {
    const kept = await inTime(redis.get(`cache:${key}`)).catch(() => null);
    if (kept !== null) return JSON.parse(kept);
    const value = await load(key);
    await inTime(redis.set(`cache:${key}`, JSON.stringify(value), 'EX', 60)).catch(() => {});
    return value;
  };
}
