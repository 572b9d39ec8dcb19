import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { Redraft } from 'redraft';
import { Leaderboard } from './leaderboard.mjs';

let redraft;
let redis;
let fixture;

before(async () => {
  redraft = await Redraft.start();
  redis = new Redis(redraft.options('ioredis'));
  await redraft.load({
    board: new Map([
      ['ann', 10],
      ['bob', 7],
    ]),
  });
  fixture = redraft.snapshot();
});
beforeEach(() => redraft.restore(fixture));
after(async () => {
  redis.disconnect();
  await redraft.stop();
});

test('points add up', async () => {
  await new Leaderboard(redis).score('bob', 5);
  assert.deepEqual(
    await redraft.get('board'),
    new Map([
      ['ann', 10],
      ['bob', 12],
    ]),
  );
});

test('the best come first', async () => {
  assert.deepEqual(await new Leaderboard(redis).top(1), [['ann', 10]]);
});
