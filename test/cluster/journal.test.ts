/** What the log says of leadership, turn by turn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SoftState } from '../../raft/index.js';
import { Journal } from '../../src/cluster/journal.js';
import { createLog } from '../../src/observability/log.js';
import { ManualClock } from '../raft-node/wal-harness.js';

const members = [1, 2].map((id) => ({ id, address: `127.0.0.1:700${id}`, learner: false }));

/** The lines that node 1 writes as it sees `states`. */
function linesOf(states: readonly SoftState[]): string[] {
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line.replace(/^.* notice /, '').trimEnd()));
  const journal = new Journal(1, log, new ManualClock());
  journal.begin({ role: 'follower', leader: 0, term: 0 }, members);
  for (const state of states) journal.noteState(state);
  return lines;
}

test('a slow sync and a refusal are a line each, and not again within a minute', () => {
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line.replace(/^.* notice /, '').trimEnd()));
  const clock = new ManualClock();
  const journal = new Journal(1, log, clock);
  const all = (): void => {
    journal.noteSync(499);
    journal.noteSync(1234.4);
    journal.refused('node 3 is not let in');
  };
  const expected = ['the disk is slow: a sync took 1234 ms', 'node 3 is not let in'];
  all();
  all();
  assert.deepEqual(lines, expected);
  clock.now += 60_001;
  all();
  assert.deepEqual(lines, [...expected, ...expected]);
});

test('a leader says that it leads no more, whether or not it knows its successor at once', () => {
  const leads: SoftState = { role: 'leader', leader: 1, term: 1 };
  const lost: SoftState = { role: 'follower', leader: 0, term: 2 };
  const follows: SoftState = { role: 'follower', leader: 2, term: 2 };
  const expected = [
    'this node leads in term 1',
    'this node leads no more, as of term 2',
    'node 2 at 127.0.0.1:7002 leads in term 2',
  ];
  assert.deepEqual(linesOf([leads, lost, follows]), expected);
  assert.deepEqual(linesOf([leads, follows]), expected);
});
