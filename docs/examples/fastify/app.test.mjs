import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Redraft } from 'redraft';
import { makeApp } from './app.mjs';

let redraft;
let app;

before(async () => {
  redraft = await Redraft.start();
  app = await makeApp(redraft.options('ioredis'));
});

after(async () => {
  await app.close();
  await redraft.stop();
});

test('the third visit within a minute is refused', async () => {
  const visit = async () => (await app.inject('/visits')).statusCode;
  assert.deepEqual([await visit(), await visit(), await visit()], [200, 200, 429]);
  await redraft.clock.advance(60_001);
  assert.equal(await visit(), 200);
  assert.equal(await redraft.get('visits'), '3');
});

test('without Redis it says so, and goes on afterwards', async () => {
  await redraft.flush();
  redraft.faults.fail('OOM', 'incr', { times: 1 });
  assert.equal((await app.inject('/visits')).statusCode, 500);
  assert.equal((await app.inject('/visits')).statusCode, 200);
});
