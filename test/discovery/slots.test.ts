/** Hash slots, as redis-server 7.0.15 with --cluster-enabled yes tells them (CLUSTER KEYSLOT). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slotOf } from '../../src/discovery/slots.js';

const recorded: readonly (readonly [key: string, slot: number])[] = [
  ['', 0],
  ['a', 15495],
  ['foo', 12182],
  ['bar', 5061],
  ['123456789', 12739],
  ['{user}1000.following', 5474],
  ['{user1000}.followers', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['{}', 15257],
  ['{', 4092],
  ['}', 12090],
  ['}{a}', 15495],
  ['{a', 10276],
  ['a}b{c}d', 7365],
  ['{{}}', 4092],
  ['{a}}', 15495],
  ['key:000000000042', 7803],
  ['x'.repeat(300), 11216],
  [Buffer.from('ключ').toString('latin1'), 10303],
];

test('slots are those of Redis', () => {
  for (const [key, slot] of recorded) assert.equal(slotOf(Buffer.from(key, 'latin1')), slot, key);
});

test('only the bytes asked for count', () => {
  const bytes = Buffer.from('xx{user}yy}');
  assert.equal(slotOf(bytes, 2, 8), slotOf(Buffer.from('{user}')));
  assert.equal(slotOf(bytes, 3, 7), slotOf(Buffer.from('user')));
});
