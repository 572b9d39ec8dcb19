/** A sync vouches for what was written before it began: the log never calls more than that durable. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogSync } from '../../raft/node/wal/log-sync.js';
import type { WalSegments } from '../../raft/node/wal/segments.js';

/** A log whose syncs end when the test says so. */
function makeLog() {
  const ends: ((error: Error | null) => void)[] = [];
  let hasFailed = false;
  const file = { sync: (end: (error: Error | null) => void) => void ends.push(end) };
  const segments = { position: 0, active: { file, path: 'log' } };
  const sync = new LogSync({ monotonicMs: () => 0 } as never, segments as unknown as WalSegments, {
    hasFailed: () => hasFailed,
    failed: () => {
      hasFailed = true;
    },
    ended: () => {},
  });
  return { sync, segments, ends, end: (error: Error | null = null) => ends.shift()!(error) };
}

test('who asks while a sync runs is told when the next one has ended', () => {
  const { sync, segments, ends, end } = makeLog();
  const told: string[] = [];
  segments.position = 10;
  sync.start(() => told.push('first'));
  segments.position = 20;
  sync.start(() => told.push('second'));
  assert.equal(ends.length, 1);
  end();
  assert.deepEqual(told, ['first']);
  assert.equal(sync.position, 10);
  end();
  assert.deepEqual(told, ['first', 'second']);
  assert.equal(sync.position, 20);
  assert.equal(sync.isUnderWay, false);
});

test('a sync that fails tells nobody, and vouches for nothing', () => {
  const { sync, segments, ends, end } = makeLog();
  segments.position = 10;
  sync.start(() => assert.fail('told of a sync that failed'));
  sync.start(() => assert.fail('told of a sync that failed'));
  end(new Error('EIO'));
  assert.equal(sync.position, 0);
  assert.equal(ends.length, 0);
});

type Step = 'write' | 'ask' | 'end';

test('in any order of writes and requests nobody is told before what he wrote is durable', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<Step>('write', 'ask', 'end'), { maxLength: 60 }), (steps) => {
      const { sync, segments, ends, end } = makeLog();
      let [asked, told, begunAt, durable] = [0, 0, 0, 0];
      /** Notes where the log stood when a sync began. */
      const watch = (before: number): void => {
        if (ends.length > before) begunAt = segments.position;
      };
      const finish = (): void => {
        durable = begunAt;
        const before = ends.length - 1;
        end();
        watch(before);
        assert.ok(sync.position <= durable, `${sync.position} is called durable, ${durable} is`);
      };
      for (const step of steps) {
        if (step === 'write') segments.position++;
        else if (step === 'ask') {
          const written = segments.position;
          const before = ends.length;
          asked++;
          sync.start(() => {
            told++;
            assert.ok(durable >= written, `told of ${written}, and ${durable} is durable`);
          });
          watch(before);
        } else if (ends.length > 0) finish();
        assert.ok(ends.length <= 1, 'two syncs at a time');
      }
      while (ends.length > 0) finish();
      assert.equal(told, asked);
    }),
  );
});
