import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { type CommandCall, Redraft } from 'redraft';
import { Quota } from './quota';

let redraft: Redraft;
let redis: Redis;

beforeAll(async () => {
  redraft = await Redraft.start({ recordCommands: true });
  redis = new Redis(redraft.options('ioredis'));
});

afterEach(() => redraft.flush());

afterAll(async () => {
  redis.disconnect();
  await redraft.stop();
});

test('the third call of two is refused, until a minute has passed', async () => {
  const quota = new Quota(redis, 2);
  const verdicts = [await quota.take('ann'), await quota.take('ann'), await quota.take('ann')];
  expect(verdicts.map(({ allowed }) => allowed)).toEqual([true, true, false]);
  await redraft.clock.advance(60_001);
  expect(await quota.take('ann')).toEqual({ allowed: true, left: 1 });
});

test('it counts within a transaction', async () => {
  redraft.commands.clear();
  await new Quota(redis, 1).take('bob');
  const sent: string[] = redraft.commands.all().map(({ name }: CommandCall) => name);
  expect(sent).toEqual(['multi', 'incr', 'expire', 'exec']);
});
