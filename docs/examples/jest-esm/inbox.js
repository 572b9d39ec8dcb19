import Redis from 'ioredis';

const redis = new Redis();

export const deliver = (user, text) => redis.lpush(`inbox:${user}`, text);

/** The next message, once there is one; null after so many seconds without any. */
export async function next(user, seconds) {
  // What waits, waits on a connection of its own.
  const waiting = redis.duplicate();
  try {
    const found = await waiting.brpop(`inbox:${user}`, seconds);
    return found === null ? null : found[1];
  } finally {
    waiting.disconnect();
  }
}
