import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import Redis from 'ioredis';
import { Redraft } from 'redraft';
import { Turns } from './turns.mjs';

let nodes;
let clients;

before(async () => {
  nodes = await Promise.all([1, 2, 3].map(() => Redraft.start()));
  clients = nodes.map((node) => new Redis(node.options('ioredis')));
});

afterEach(() => Promise.all(nodes.map((node) => node.flush())));

after(async () => {
  for (const client of clients) client.disconnect();
  await Promise.all(nodes.map((node) => node.stop()));
});

test('only one has the lock, and the next one once it is given back', async () => {
  const turns = new Turns(clients);
  const first = await turns.take('a', 10_000);
  await assert.rejects(turns.take('a', 10_000));
  await first.release();
  await (await turns.take('a', 10_000)).release();
});

test('a lock whose holder died is free when its time is over', async () => {
  const turns = new Turns(clients);
  await turns.take('a', 10_000);
  for (const node of nodes) await node.clock.advance(10_001);
  await (await turns.take('a', 10_000)).release();
});

test('one node of three may fail, two may not', async () => {
  const turns = new Turns(clients);
  nodes[0].faults.fail('LOADING');
  await (await turns.take('a', 10_000)).release();
  nodes[1].faults.fail('LOADING');
  await assert.rejects(turns.take('a', 10_000));
  await Promise.all(nodes.map((node) => node.faults.clear()));
});
