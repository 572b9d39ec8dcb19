/** Output leaves when all input of the turn was read, in one write a client; a crowd is told apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backgroundClock } from '../../raft/node/index.js';
import type { ScheduledClient } from '../../src/client/client-host.js';
import { TurnEnd } from '../../src/client/turn-end.js';

function turnEnd(): { turn: TurnEnd; endTurn: () => void } {
  const behindInput: (() => void)[] = [];
  const clock = { ...backgroundClock, afterInput: (step: () => void) => void behindInput.push(step) };
  return {
    turn: new TurnEnd(clock),
    endTurn: () => {
      for (const step of behindInput.splice(0)) step();
    },
  };
}

test('clients are flushed once, when the turn ends, in the order of their first output', () => {
  const { turn, endTurn } = turnEnd();
  const flushed: string[] = [];
  const client = (name: string): ScheduledClient => ({
    flush: () => void flushed.push(name),
    resume: () => void flushed.push(`${name} goes on`),
  });
  turn.hasOutput(client('a'));
  turn.hasOutput(client('b'));
  turn.resumeSoon(client('c'));
  assert.deepEqual(flushed, []);
  endTurn();
  assert.deepEqual(flushed, ['a', 'b', 'c goes on']);
  endTurn();
  turn.hasOutput(client('a'));
  turn.flush();
  endTurn();
  assert.deepEqual(flushed, ['a', 'b', 'c goes on', 'a']);
});

test('behind 1024 clients with output, others need not wait for the end of the turn', () => {
  const { turn, endTurn } = turnEnd();
  const client: ScheduledClient = { flush: () => {}, resume: () => {} };
  for (let i = 0; i < 1023; i++) turn.hasOutput(client);
  assert.equal(turn.isCrowded, false);
  turn.hasOutput(client);
  assert.equal(turn.isCrowded, true);
  endTurn();
  assert.equal(turn.isCrowded, false);
});
