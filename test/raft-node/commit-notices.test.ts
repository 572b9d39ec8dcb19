import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../raft/index.js';
import { CommitNotices } from '../../raft/node/commit-notices.js';
import { ManualClock } from './wal-harness.js';

const news = (to: number, commit: number): Message[] => [{ type: 'commit', from: 1, to, term: 3, commit }];
const heartbeat = (to: number, commit: number): Message[] => [
  { type: 'heartbeat', from: 1, to, term: 3, commit, round: 1, sentTick: 1 },
];

function setUp() {
  const clock = new ManualClock();
  const sent: string[] = [];
  const notices = new CommitNotices(clock, (to, messages) => {
    sent.push(
      `${to}: ${messages.map((message) => (message.type === 'commit' ? message.commit : '?')).join()}`,
    );
  });
  return { clock, sent, notices };
}

test('news of a commit waits for a millisecond, and the newest goes out', () => {
  const { clock, sent, notices } = setUp();
  assert.equal(notices.holds(2, news(2, 7)), true);
  clock.advance(0.5);
  assert.equal(notices.holds(2, news(2, 8)), true);
  assert.equal(notices.holds(3, news(3, 8)), true);
  assert.deepEqual(sent, []);
  clock.advance(0.5);
  assert.deepEqual(sent, ['2: 8']);
  clock.advance(1);
  assert.deepEqual(sent, ['2: 8', '3: 8']);
  clock.advance(10);
  assert.equal(sent.length, 2);
});

test('what says more takes its place, for that peer only', () => {
  const { clock, sent, notices } = setUp();
  notices.holds(2, news(2, 7));
  notices.holds(3, news(3, 7));
  assert.equal(notices.holds(2, heartbeat(2, 7)), false);
  clock.advance(1);
  assert.deepEqual(sent, ['3: 7']);
});

test('a message that does not speak of the commit index leaves it waiting', () => {
  const { clock, sent, notices } = setUp();
  notices.holds(2, news(2, 7));
  assert.equal(notices.holds(2, [{ type: 'timeoutNow', from: 1, to: 2, term: 3, round: 0 }]), false);
  clock.advance(1);
  assert.deepEqual(sent, ['2: 7']);
});

test('a node that stops says what it held; one that failed does not', () => {
  const stopped = setUp();
  stopped.notices.holds(2, news(2, 7));
  stopped.notices.close();
  stopped.clock.advance(5);
  assert.deepEqual(stopped.sent, ['2: 7']);
  const failed = setUp();
  failed.notices.holds(2, news(2, 7));
  failed.notices.drop();
  failed.clock.advance(5);
  assert.deepEqual(failed.sent, []);
});
