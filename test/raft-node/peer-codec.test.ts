import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Entry, Message } from '../../raft/index.js';
import {
  decodeMessages,
  decodeValue,
  encodeMessages,
  encodeValue,
  MalformedMessage,
} from '../../raft/node/peer/peer-codec.js';

const count = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.maxSafeNat());
const flag = fc.boolean();
const base = { from: fc.constant(1), to: fc.constant(2), term: count };
const echo = { round: count, sentTick: count };
const payload = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 8000, max: 30_000 }).map((length) => new Uint8Array(length).fill(length & 255)),
);

const message = fc.oneof(
  fc.record({ type: fc.constant('preVote'), ...base, lastIndex: count, lastTerm: count }),
  fc.record({ type: fc.constant('preVoteResponse'), ...base, granted: flag }),
  fc.record({ type: fc.constant('vote'), ...base, lastIndex: count, lastTerm: count, transfer: flag }),
  fc.record({ type: fc.constant('voteResponse'), ...base, granted: flag }),
  fc
    .record({
      type: fc.constant('append'),
      ...base,
      ...echo,
      previousIndex: fc.nat(),
      previousTerm: count,
      commit: count,
      entries: fc.array(fc.record({ term: count, kind: fc.constantFrom(0, 1, 2), payload }), {
        maxLength: 5,
      }),
    })
    .map((made) => ({
      ...made,
      entries: made.entries.map((one, i) => ({ index: made.previousIndex + 1 + i, ...one }) as Entry),
    })),
  fc.record({
    type: fc.constant('appendResponse'),
    ...base,
    ...echo,
    index: count,
    rejected: flag,
    hintIndex: count,
    hintTerm: count,
  }),
  fc.record({ type: fc.constant('heartbeat'), ...base, ...echo, commit: count }),
  fc.record({ type: fc.constant('heartbeatResponse'), ...base, ...echo }),
  fc.record({ type: fc.constant('commit'), ...base, commit: count }),
  fc.record({
    type: fc.constant('snapshot'),
    ...base,
    ...echo,
    snapshot: fc.record({
      index: count,
      term: count,
      membership: fc.record({
        members: fc.array(fc.record({ id: fc.integer({ min: 1 }), address: fc.string(), learner: flag }), {
          maxLength: 3,
        }),
        removed: fc.array(fc.integer({ min: 1 }), { maxLength: 3 }),
      }),
    }),
  }),
  fc.record({ type: fc.constant('timeoutNow'), ...base, round: count }),
  fc.record({ type: fc.constant('readIndex'), ...base, context: count }),
  fc.record({ type: fc.constant('readIndexResponse'), ...base, context: count, index: count }),
) as unknown as fc.Arbitrary<Message>;

function plain(messages: readonly Message[]): unknown[] {
  return messages.map((one) =>
    one.type === 'append'
      ? {
          ...one,
          entries: one.entries.map((item) => ({
            ...item,
            payload: Buffer.from(item.payload).toString('base64'),
          })),
        }
      : structuredClone(one),
  );
}

test('messages arrive as they were sent', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
      const body = Buffer.concat(encodeMessages(messages));
      assert.deepEqual(plain(decodeMessages(body, 1, 2)), plain(messages));
    }),
    { numRuns: 300 },
  );
});

test('mutilated frames are refused as malformed or are messages of right shape; nothing else is thrown', () => {
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 0, max: 20 }),
      (messages, changes, cut) => {
        const body = Buffer.concat(encodeMessages(messages));
        for (const [at, byte] of changes) body[at % body.length] = byte;
        try {
          for (const one of decodeMessages(body.subarray(0, Math.max(0, body.length - cut)), 1, 2)) {
            assert.equal(one.from, 1);
            assert.equal(one.to, 2);
            assert.ok(Number.isSafeInteger(one.term) && one.term >= 0);
            if (one.type === 'append')
              for (const { payload: bytes } of one.entries) assert.ok(bytes instanceof Uint8Array);
          }
        } catch (error) {
          assert.ok(error instanceof MalformedMessage, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('other values pass as they are', () => {
  const value = { kind: 'join', id: 2 ** 47, address: 'host:1', list: [1, null, true, 'é'] };
  assert.deepEqual(decodeValue(encodeValue(value)), value);
  assert.throws(() => decodeValue(Uint8Array.of(0x9b, 0xff)), MalformedMessage);
});
