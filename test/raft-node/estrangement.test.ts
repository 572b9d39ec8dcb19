/** A node that is parted from its cluster stops, and says so; one that may be says that it waits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../raft/index.js';
import { Estrangement } from '../../raft/node/estrangement.js';

/** Judges a status as often as it takes. Returns what the operator was told. */
function judge(estrangement: Estrangement, status: Partial<Status>): string[] {
  const told: string[] = [];
  const whole = { logLost: false, logLostTerm: 0, parting: undefined, leader: 0, ...status } as Status;
  for (let i = 0; i < 80; i++) {
    estrangement.tick({ status: () => whole }, (text) => told.push(text));
  }
  return told;
}

test('a claim that this node lost entries is told once the leader that made it is gone, once for each', () => {
  const estrangement = new Estrangement();
  assert.deepEqual(judge(estrangement, {}), []);
  assert.deepEqual(judge(estrangement, { logLostTerm: 3, leader: 2 }), []);
  const [text, ...more] = judge(estrangement, { logLostTerm: 3 });
  assert.match(text ?? '', /^the leader of term 3, which is gone, said that this node lost entries/);
  assert.match(text ?? '', /see `redraft recover`$/);
  assert.deepEqual(more, []);
  assert.deepEqual(judge(estrangement, { logLostTerm: 3 }), []);
  assert.equal(judge(estrangement, { logLostTerm: 5 }).length, 1);
});

test('a claim that is certain ends the node', () => {
  assert.throws(
    () => judge(new Estrangement(), { logLost: true, logLostTerm: 3 }),
    /lost entries that it had acknowledged/,
  );
});
