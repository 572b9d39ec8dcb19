/** Some of the schedules that `npm run sim -- --core 100000` runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { searchSchedules } from './core-search.js';

test('safety over 3,000 short schedules of the core', () => {
  const { schedules, counts, failure } = searchSchedules(1, 3000);
  assert.equal(failure, undefined);
  assert.equal(schedules, 3000);
  for (const event of ['elected', 'crash', 'lost', 'partition', 'era', 'transfer', 'remove', 'add-learner'])
    assert.ok((counts.get(event) ?? 0) > 0, `no ${event}`);
  assert.ok(counts.get('elected')! > 3000, 'leaders change');
  assert.ok(counts.get('read answered')! > 300);
});
