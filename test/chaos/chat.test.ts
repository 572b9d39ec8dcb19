/** The judge of a chat finds what is wrong, and a small chat outlives its leader. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, runChat } from './chat.js';

/** What some subscribers heard, a string for each connection, a letter for each message. */
const heard = (...subscribers: string[][]): string | undefined =>
  judge(
    subscribers.map((connections, i) => ({
      name: `s${i}`,
      connections: connections.map((text) => [...text]),
    })),
  );

test('one order, of which a connection may hear any stretch', () => {
  assert.equal(heard(['abcdef'], ['bcd'], ['ab', 'ef'], ['', 'f']), undefined);
});

test('another order, a gap, a repeat and a step back are found', () => {
  assert.match(heard(['abc'], ['acb'])!, /s1 heard c behind a; others heard b there/);
  assert.match(heard(['abc'], ['ac'])!, /s1 heard c behind a; others heard b there/);
  assert.match(heard(['abca'])!, /circle/);
  assert.match(heard(['abc', 'bcd'])!, /s0 heard b twice/);
  assert.match(heard(['abcd'], ['cd', 'ab'])!, /s1 heard a behind a later one/);
});

test('a chat at three processes, of which the leader is killed', { timeout: 180_000 }, async () => {
  const options = { subscribers: 30, talkers: 3, kills: 1, messagesBetween: 30, say: () => {} };
  const { violation, counts } = await runChat(options);
  assert.equal(violation, undefined);
  assert.ok(counts.heard > 30 * 60 * 0.5 && counts.connections > 30, JSON.stringify(counts));
});
