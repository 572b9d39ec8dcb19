import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { Redraft } from 'redraft';

let redraft;
let shop;
let url;

before(async () => {
  redraft = await Redraft.start();
  shop = fork('shop.mjs', { env: { ...process.env, REDIS_URL: redraft.url } });
  const [port] = await once(shop, 'message');
  url = `http://127.0.0.1:${port}/stock/book`;
});

after(async () => {
  shop.kill();
  await once(shop, 'exit');
  await redraft.stop();
});

const buy = async () => (await fetch(url, { method: 'POST' })).status;

test('the last book is sold once', async () => {
  await redraft.load({ 'stock:book': '1' });
  const statuses = await Promise.all([buy(), buy(), buy()]);
  assert.deepEqual(statuses.sort(), [200, 409, 409]);
  assert.equal(await redraft.get('stock:book'), '0');
});

test('the shop outlives a restart of Redis', async () => {
  await redraft.load({ 'stock:book': '5' });
  await redraft.restart();
  let status = await buy();
  while (status === 503) status = await buy();
  assert.equal(status, 200);
  assert.equal(await (await fetch(url)).text(), '4');
});

test('the shop says so when Redis has no memory left', async () => {
  redraft.faults.fail('OOM', 'decr', { times: 1 });
  assert.equal(await buy(), 503);
  assert.equal(await buy(), 200);
});
