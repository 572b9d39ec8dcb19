import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, test } from 'node:test';
import { createClient } from 'redis';
import { Redraft } from 'redraft';
import { app } from './app.mjs';

let redraft;
let client;
let server;
let url;

before(async () => {
  redraft = await Redraft.start();
  client = createClient(redraft.options('redis'));
  await client.connect();
  server = app(client).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}`;
});
beforeEach(() => redraft.flush());
after(async () => {
  server.closeAllConnections();
  server.close();
  client.destroy();
  await redraft.stop();
});

test('a session lasts an hour', async () => {
  const login = await fetch(`${url}/login/ann`, { method: 'POST' });
  const cookie = login.headers.get('set-cookie').split(';')[0];
  const me = async () => (await fetch(`${url}/me`, { headers: { cookie } })).text();
  assert.equal(await me(), 'ann');
  const [key] = await redraft.keys({ match: 'sess:*' });
  assert.equal(JSON.parse(await redraft.get(key)).name, 'ann');
  await redraft.clock.advance(3_600_001);
  assert.equal(await me(), 'nobody');
});

test('five requests a minute', async () => {
  const status = async () => (await fetch(`${url}/me`)).status;
  const statuses = [];
  for (let i = 0; i < 6; i++) statuses.push(await status());
  assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429]);
  await redraft.clock.advance(60_001);
  assert.equal(await status(), 200);
});
