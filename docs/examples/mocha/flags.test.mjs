import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'redis';
import { Flags } from './flags.mjs';

describe('flags', () => {
  let client;

  before(async () => {
    client = createClient({ url: process.env.REDIS_URL });
    await client.connect();
  });

  afterEach(() => client.flushAll());

  after(() => client.destroy());

  it('are off until they are turned on', async () => {
    const flags = new Flags(client);
    await flags.open();
    assert.equal(flags.has('dark'), false);
    await flags.turn('dark', true);
    await flags.read();
    assert.equal(flags.has('dark'), true);
    flags.close();
  });

  it('reach every process', async () => {
    const [mine, other] = [new Flags(client), new Flags(client)];
    await Promise.all([mine.open(), other.open()]);
    await mine.turn('dark', true);
    while (!other.has('dark')) await delay(1);
    mine.close();
    other.close();
  });
});
