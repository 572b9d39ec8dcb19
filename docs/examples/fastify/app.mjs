import rateLimit from '@fastify/rate-limit';
import redisPlugin from '@fastify/redis';
import Fastify from 'fastify';

/** Counts visits; twice a minute for each guest. */
export async function makeApp(redisOptions) {
  const app = Fastify();
  await app.register(redisPlugin, redisOptions);
  await app.register(rateLimit, { max: 2, timeWindow: '1 minute', redis: app.redis });
  app.get('/visits', async () => ({ visits: await app.redis.incr('visits') }));
  return app;
}
