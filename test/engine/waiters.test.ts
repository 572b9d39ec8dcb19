/** When the waiting clients want to be woken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Waiter, Waiters } from '../../engine/waiters.js';

const waiter = (counter: number, deadlineMs: number): Waiter => ({
  session: { nodeId: 1, startId: 1, counter },
  database: 0,
  keys: ['q'],
  type: 'list',
  deadlineMs,
  user: '',
  request: Buffer.alloc(0),
});

test('nobody waits, so there is no deadline: a leader would propose ticks for ever', () => {
  const waiters = new Waiters();
  const first = waiter(1, 100);
  waiters.add(first);
  waiters.add(waiter(2, 0));
  assert.equal(waiters.nextDeadline, 100);
  waiters.remove(first);
  assert.deepEqual(waiters.due(200), []);
  assert.equal(waiters.nextDeadline, undefined);
  waiters.add(waiter(3, 300));
  for (const one of [...waiters.all()]) waiters.remove(one);
  assert.equal(waiters.nextDeadline, undefined);
});
