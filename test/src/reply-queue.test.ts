/** Replies leave in the order of the requests, whatever completes first; messages go between them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorReply, type Reply } from '../../engine/index.js';
import { ReplyQueue, type Slot } from '../../src/client/reply-queue.js';

const place = { isProposed: false };

/** A queue whose output is a list. */
function makeQueue() {
  const written: string[] = [];
  const state = { mayRead: true, musts: 0, moved: 0 };
  const anew: string[][] = [];
  const text = (reply: Reply): string => (reply instanceof ErrorReply ? reply.text : String(reply));
  const queue = new ReplyQueue(
    {
      encode: (reply) => written.push(text(reply)),
      writeRaw: (bytes) => written.push(bytes.toString()),
      mayRead: () => state.mayRead,
      mustRead: () => {
        state.musts++;
      },
      moved: () => {
        state.moved++;
      },
      runAnew: (requests) =>
        anew.push(requests.map((one) => ('reply' in one ? text(one.reply) : String(one.raw)))),
    },
    () => new ErrorReply('refused'),
  );
  return { queue, written, state, anew };
}

type Step =
  | { readonly add: 'reply' | 'item' | 'read' | 'behind' | 'forwarded' }
  | { readonly complete: true }
  | { readonly push: true }
  | { readonly drain: boolean };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ add: fc.constantFrom('reply', 'item', 'read', 'behind', 'forwarded') }),
    },
    { weight: 4, arbitrary: fc.record({ complete: fc.constant(true as const) }) },
    { weight: 1, arbitrary: fc.record({ push: fc.constant(true as const) }) },
    { weight: 1, arbitrary: fc.record({ drain: fc.boolean() }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 60 },
);

test('replies leave in the order of the requests, pushes shift none, and in the end none is owed', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const { queue, written, state } = makeQueue();
      /** What a client and its log would still complete, in order. */
      const items: number[] = [];
      const reads: { readonly slot: Slot; readonly number: number }[] = [];
      const forwarded: number[] = [];
      let asked = 0;
      let pushed = 0;
      const completeOne = (): void => {
        // A client's writes wait for its reads, and what is forwarded for both: what is outstanding is of one
        // of the kinds.
        if (items.length > 0) queue.itemDone(`${items.shift()}`, true);
        else if (forwarded.length > 0) {
          const number = forwarded.shift()!;
          queue.relay(Buffer.from('<'), false);
          queue.push(Buffer.from('push'));
          pushed++;
          assert.equal(written.at(-1), '<');
          queue.relay(Buffer.from(`${number}`), true);
        } else if (reads.length > 0) queue.readReady(reads.shift()!.slot);
      };
      for (const step of list) {
        if ('complete' in step) completeOne();
        else if ('push' in step) {
          queue.push(Buffer.from('push'));
          pushed++;
        } else if ('drain' in step) {
          state.mayRead = step.drain;
          if (step.drain) queue.advance();
        } else {
          const { add } = step;
          if ((add === 'item' || add === 'behind') && (queue.hasReads || queue.hasForwarded)) continue;
          if (add === 'forwarded' && (queue.hasReads || queue.hasItems)) continue;
          if (add === 'read' && (queue.hasItems || queue.hasForwarded)) continue;
          if (add === 'behind' && !queue.hasItems) continue;
          const number = asked++;
          if (add === 'item') {
            items.push(number);
            queue.addItem(place);
          } else if (add === 'forwarded') {
            forwarded.push(number);
            queue.addForwarded();
          } else if (add === 'read') {
            const slot = queue.addRead((refusal) => written.push(refusal?.text ?? `${number}`));
            reads.push({ slot, number });
          } else if (add === 'behind') {
            queue.addReadBehindItem(() => written.push(`${number}`));
          } else if (queue.isEmpty) {
            written.push(`${number}`);
          } else {
            queue.addReply(`${number}`);
          }
        }
      }
      state.mayRead = true;
      queue.advance();
      while (items.length + reads.length + forwarded.length > 0) completeOne();
      assert.ok(queue.isEmpty);
      assert.ok(!queue.hasItems && !queue.hasReads && !queue.hasForwarded && !queue.isHeld);
      const numbers = written.filter((text) => text !== 'push' && text !== '<');
      assert.deepEqual(
        numbers,
        Array.from({ length: asked }, (_, i) => `${i}`),
      );
      assert.equal(written.filter((text) => text === 'push').length, pushed);
    }),
    { numRuns: 2000 },
  );
});

test('a message never stands within a forwarded reply', () => {
  const { queue, written } = makeQueue();
  queue.addForwarded();
  queue.addForwarded();
  queue.relay(Buffer.from('*1\r\n'), false);
  queue.push(Buffer.from('message'));
  queue.relay(Buffer.from(':1\r\n'), true);
  queue.relay(Buffer.from(':2\r\n'), true);
  assert.deepEqual(written, ['*1\r\n', ':1\r\n', 'message', ':2\r\n']);
});

test('a read waits while the client does not take what was written, but not behind a write of its own that follows', () => {
  const { queue, written, state } = makeQueue();
  state.mayRead = false;
  queue.addItem(place);
  queue.addReadBehindItem((isApplied) => written.push(`first ${isApplied}`));
  queue.addItem(place);
  queue.addReadBehindItem((isApplied) => written.push(`second ${isApplied}`));
  queue.itemDone('1', true);
  assert.deepEqual(written, ['1', 'first true']);
  assert.equal(state.musts, 1);
  queue.itemDone('2', false);
  assert.deepEqual(written.slice(2), ['2']);
  // It counts as a read now: a write of this client would wait for it.
  assert.ok(queue.hasReads);
  state.mayRead = true;
  assert.ok(queue.advance());
  assert.deepEqual(written.slice(3), ['second false']);
  assert.ok(queue.isEmpty);
});

test('a blocking item and a promise hold up requests until they are done', () => {
  const { queue, written } = makeQueue();
  queue.addItem(place);
  queue.addItem(place, true, true);
  assert.ok(queue.isHeld && queue.blockedBy === 'log');
  queue.itemDone('1', true);
  assert.equal(queue.blockedBy, 'log');
  queue.itemDone('2', true);
  assert.ok(!queue.isHeld && queue.blockedBy === undefined);
  queue.addItem(place);
  const slot = queue.addPromised();
  assert.equal(queue.blockedBy, 'promised');
  queue.kept(slot, 'kept');
  assert.ok(queue.isHeld);
  queue.itemDone('3', true);
  assert.ok(!queue.isHeld);
  assert.deepEqual(written, ['1', '2', '3', 'kept']);
});

test('a read that is refused says so in its turn', () => {
  const { queue, written } = makeQueue();
  const answer = (name: string) => (refusal: ErrorReply | undefined) =>
    written.push(`${name} ${refusal?.text ?? 'ran'}`);
  const first = queue.addRead(answer('first'));
  const second = queue.addRead(answer('second'));
  queue.addReply('third');
  queue.readRefused(second, new ErrorReply('TRY elsewhere'));
  assert.deepEqual(written, []);
  queue.readReady(first);
  assert.deepEqual(written, ['first ran', 'second TRY elsewhere', 'third']);
});

const asked = fc.array(fc.constantFrom('item', 'behind', 'reply'), { minLength: 1, maxLength: 20 });

test('what was refused before anything happened is put back with all behind it, in order', () => {
  fc.assert(
    fc.property(asked, fc.nat(20), fc.boolean(), (kinds, applied, isLast) => {
      const { queue, written, anew } = makeQueue();
      const items: string[] = [];
      for (const [i, kind] of ['item', ...kinds].entries()) {
        const raw = Buffer.from(`${i}`);
        if (kind === 'item') {
          items.push(`${i}`);
          queue.addItem(place);
        } else if (kind === 'reply') queue.addReply(`${i}`);
        else
          queue.addReadBehindItem((isApplied, refusal) => {
            if (isApplied && refusal === undefined) written.push(`${i}`);
            else queue.putBack({ raw, writes: false });
          });
      }
      const all = ['item', ...kinds].map((_, i) => `${i}`);
      const refusedFrom = Math.min(applied, items.length);
      for (const item of items.slice(0, refusedFrom)) queue.itemDone(item, true);
      const refused = items.slice(refusedFrom);
      // One more behind them that went into the log: then nothing runs anew.
      if (!isLast && refused.length > 0) queue.addItem(place);
      for (const item of refused) queue.itemReturned({ raw: Buffer.from(item), writes: true });
      const back = anew.flat();
      if (refused.length === 0 || isLast) {
        assert.deepEqual([...written, ...back], all);
        assert.ok(queue.isEmpty && !queue.isHeld);
        return;
      }
      assert.ok(queue.isHeld);
      queue.itemDone('later', true);
      assert.deepEqual(back, []);
      const answers = all.map((one, i) =>
        i < Number(refused[0]) || kinds[i - 1] === 'reply' ? one : 'refused',
      );
      assert.deepEqual(written, [...answers, 'later']);
      assert.ok(queue.isEmpty && !queue.isHeld);
    }),
  );
});

test('what comes back unanswered takes along the replies that stand between', () => {
  const { queue, written } = makeQueue();
  const requests = ['a', 'b', 'c', 'd'].map((name) => ({ raw: Buffer.from(name), writes: false }));
  const text = (one: ReturnType<typeof queue.takenBack>[number]): string =>
    'reply' in one ? String(one.reply) : String(one.raw);
  queue.addReply('before');
  queue.advance();
  queue.addForwarded();
  queue.addForwarded();
  queue.addReply('refused 1');
  queue.addReply('refused 2');
  queue.addForwarded();
  queue.addForwarded();
  queue.addReply('refused 3');
  // The first was answered; of the others nothing has happened.
  queue.relay(Buffer.from('a'), true);
  const back = queue.takenBack(requests.slice(1));
  assert.deepEqual(back.map(text), ['b', 'refused 1', 'refused 2', 'c', 'd', 'refused 3']);
  assert.deepEqual(written, ['before', 'a']);
  assert.ok(queue.isEmpty && !queue.hasForwarded);
  queue.addReply('after');
  queue.advance();
  assert.deepEqual(written, ['before', 'a', 'after']);
});
