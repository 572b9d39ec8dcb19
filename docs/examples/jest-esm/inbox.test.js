import { afterEach, expect, test } from '@jest/globals';
import Redis from 'ioredis';
import { deliver, next } from './inbox.js';

afterEach(() => new Redis().flushall());

test('messages come in the order of their arrival', async () => {
  await deliver('ann', 'first');
  await deliver('ann', 'second');
  expect([await next('ann', 1), await next('ann', 1)]).toEqual(['first', 'second']);
});

test('who waits is woken by a message', async () => {
  const waiting = next('bob', 0);
  await deliver('bob', 'hello');
  expect(await waiting).toBe('hello');
});

test('nobody waits for longer than was asked for', async () => {
  expect(await next('eve', 0.05)).toBeNull();
});
