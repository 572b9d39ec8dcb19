import { createServer } from 'node:http';
import { createClient } from 'redis';

// A process of its own, as in production: it knows Redis by REDIS_URL.
const redis = createClient({ url: process.env.REDIS_URL });
redis.on('error', () => {});
await redis.connect();

const server = createServer(async ({ method, url }, response) => {
  const [, item] = /^\/stock\/(\w+)$/.exec(url) ?? [];
  try {
    if (item === undefined) response.statusCode = 404;
    else if (method === 'POST') {
      const left = await redis.decr(`stock:${item}`);
      if (left < 0) await redis.incr(`stock:${item}`);
      response.statusCode = left < 0 ? 409 : 200;
    } else response.write((await redis.get(`stock:${item}`)) ?? '0');
  } catch {
    response.statusCode = 503;
  }
  response.end();
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
