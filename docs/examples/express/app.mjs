import { RedisStore as SessionStore } from 'connect-redis';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import { RedisStore as RateStore } from 'rate-limit-redis';

/** @param client of node-redis, connected */
export function app(client) {
  const server = express();
  server.use(
    rateLimit({
      windowMs: 60_000,
      limit: 5,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      store: new RateStore({ sendCommand: (...args) => client.sendCommand(args) }),
    }),
  );
  server.use(
    session({
      store: new SessionStore({ client, ttl: 3600 }),
      secret: 'of the example',
      resave: false,
      saveUninitialized: false,
    }),
  );
  server.post('/login/:name', (request, response) => {
    request.session.name = request.params.name;
    response.send('welcome');
  });
  server.get('/me', (request, response) => {
    response.send(request.session.name ?? 'nobody');
  });
  return server;
}
