/**
 * The big list against an array: every operation, every index, a cut under way, and not a byte of the slab
 * left behind.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Denque from 'denque';
import fc from 'fast-check';
import { View } from '../../engine/protocol/view.js';
import { Slab } from '../../engine/storage/slab.js';
import type { ValueWalk } from '../../engine/values/big-value.js';
import { ListCursor } from '../../engine/values/list-cursor.js';
import { Quicklist } from '../../engine/values/quicklist.js';
import { CHUNK_BYTES } from '../../engine/values/quicklist-chunks.js';

const cursor = new ListCursor();

function elements(list: Quicklist): string[] {
  const found: string[] = [];
  if (list.length === 0) return found;
  list.seek(0, cursor);
  for (; cursor.at >= 0; cursor.next()) found.push(cursor.kept().toString('latin1'));
  return found;
}

function chunks(list: Quicklist): string[] {
  const view = new View();
  return Array.from({ length: list.chunkCount }, (_, i) => list.chunk(i, view).latin1());
}

const push = (list: Quicklist, atHead: boolean, text: string): void => {
  list.push(atHead, Buffer.from(text, 'latin1'), 0, text.length);
};

const text = fc.oneof(
  fc.constantFrom('', '0', '1', '-5', '300', '70000', '9223372036854775807', 'a', 'b'),
  fc.nat(300).map((length) => 'x'.repeat(length)),
  fc.nat(3000).map((length) => 'y'.repeat(length)),
  fc.nat(9000).map((length) => 'z'.repeat(length)),
);
const operation = fc.oneof(
  fc.record({
    kind: fc.constant('push' as const),
    head: fc.boolean(),
    texts: fc.array(text, { minLength: 1 }),
  }),
  fc.record({ kind: fc.constant('many' as const), head: fc.boolean(), count: fc.nat(2000) }),
  fc.record({ kind: fc.constant('remove' as const), head: fc.boolean(), count: fc.nat(300) }),
  fc.record({ kind: fc.constant('set' as const), at: fc.nat(), text }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), behind: fc.boolean(), text }),
  fc.record({
    kind: fc.constant('removeEqual' as const),
    at: fc.nat(),
    head: fc.boolean(),
    limit: fc.integer({ min: 1, max: 600 }),
  }),
  fc.record({ kind: fc.constant('walk' as const) }),
  fc.record({ kind: fc.constant('step' as const), pieces: fc.integer({ min: 1, max: 10 }) }),
  fc.record({ kind: fc.constant('stop' as const) }),
);

test('a list does what an array does, frozen or not, and reads as it was at the cut', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
      const slab = new Slab();
      const list = new Quicklist(slab);
      // The same operations without any cut: chunks must not depend on one.
      const untouched = new Quicklist(slab);
      let model: string[] = [];
      let walk: ValueWalk | undefined;
      let pieces = new Map<number, Buffer>();
      let cut = { model, chunks: [] as string[] };
      const finishWalk = (): void => {
        const restorer = Quicklist.restorer(slab, walk!.size);
        for (const [at, bytes] of pieces) restorer.piece(at, bytes, Buffer.alloc(0));
        const restored = restorer.finish() as Quicklist;
        assert.deepEqual(elements(restored), cut.model);
        assert.deepEqual(chunks(restored), cut.chunks);
        restored.dispose(Number.POSITIVE_INFINITY);
        walk = undefined;
      };
      for (const step of operations) {
        switch (step.kind) {
          case 'push':
            for (const item of step.texts) {
              push(list, step.head, item);
              push(untouched, step.head, item);
            }
            model = step.head ? [...step.texts.toReversed(), ...model] : [...model, ...step.texts];
            break;
          case 'many': {
            const added = Array.from({ length: step.count }, (_, i) => `${i % 7}`);
            for (const item of added) {
              push(list, step.head, item);
              push(untouched, step.head, item);
            }
            model = step.head ? [...added.reverse(), ...model] : [...model, ...added];
            break;
          }
          case 'remove': {
            const count = Math.min(step.count, model.length);
            list.removeFromEnd(step.head, count);
            untouched.removeFromEnd(step.head, count);
            model = step.head ? model.slice(count) : model.slice(0, model.length - count);
            break;
          }
          case 'set': {
            if (model.length === 0) break;
            const index = step.at % model.length;
            const bytes = Buffer.from(step.text, 'latin1');
            list.set(index, bytes, 0, bytes.length);
            untouched.set(index, bytes, 0, bytes.length);
            model = model.with(index, step.text);
            break;
          }
          case 'insert': {
            if (model.length === 0) break;
            const index = step.at % model.length;
            const bytes = Buffer.from(step.text, 'latin1');
            for (const target of [list, untouched]) {
              target.seek(index, cursor);
              target.insert(cursor, step.behind, bytes, 0, bytes.length);
            }
            model = model.toSpliced(index + (step.behind ? 1 : 0), 0, step.text);
            break;
          }
          case 'removeEqual': {
            if (model.length === 0) break;
            const value = model[step.at % model.length];
            const bytes = Buffer.from(value, 'latin1');
            const before = model.length;
            let left = step.limit;
            const keep = (item: string): boolean => item !== value || left-- <= 0;
            model = step.head ? model.filter(keep) : model.toReversed().filter(keep).reverse();
            assert.equal(
              list.removeEqual(step.head, step.limit, bytes, 0, bytes.length),
              before - model.length,
            );
            untouched.removeEqual(step.head, step.limit, bytes, 0, bytes.length);
            break;
          }
          case 'walk':
            if (walk !== undefined) break;
            cut = { model, chunks: chunks(list) };
            pieces = new Map();
            walk = list.walk((at, bytes) => {
              assert.ok(!pieces.has(at), 'a chunk is given once');
              pieces.set(at, Buffer.from(bytes));
            });
            break;
          case 'step': {
            let left = step.pieces;
            if (walk?.step(() => --left > 0)) finishWalk();
            break;
          }
          case 'stop':
            walk?.stop();
            walk = undefined;
            break;
        }
        assert.equal(list.length, model.length);
        for (const index of [0, 1, model.length >>> 1, model.length - 2, model.length - 1]) {
          if (index < 0 || index >= model.length) continue;
          list.seek(index, cursor);
          assert.equal(cursor.kept().toString('latin1'), model[index]);
        }
      }
      assert.deepEqual(elements(list), model);
      assert.deepEqual(chunks(list), chunks(untouched));
      if (walk?.step(() => true)) finishWalk();
      assert.equal(list.isWalked, false);
      untouched.dispose(Number.POSITIVE_INFINITY);
      while (!list.dispose(100));
      assert.equal(slab.usedBytes, 0);
    }),
    { numRuns: 150 },
  );
});

test('an element larger than a chunk has one to itself, and a chunk that outgrows its room is split', () => {
  const list = new Quicklist(new Slab());
  for (let i = 0; i < 600; i++) push(list, false, `element ${i}`);
  const before = list.chunkCount;
  const large = Buffer.alloc(CHUNK_BYTES + 1, 'l');
  list.set(100, large, 0, large.length);
  assert.equal(list.chunkCount, before + 2);
  list.seek(100, cursor);
  assert.equal(cursor.kept().length, large.length);
  list.seek(101, cursor);
  assert.equal(cursor.kept(), 'element 101');
});

test('removals join what became small', () => {
  const slab = new Slab();
  const list = new Quicklist(slab);
  for (let i = 0; i < 20_000; i++) push(list, false, i % 50 === 0 ? 'kept' : 'dropped');
  const removed = list.removeEqual(true, Number.POSITIVE_INFINITY, Buffer.from('dropped'), 0, 7);
  assert.equal(removed, 19_600);
  assert.deepEqual(new Set(elements(list)), new Set(['kept']));
  assert.ok(list.chunkCount <= 3, `${list.chunkCount} chunks`);
  assert.ok(list.memoryBytes < 4096, `${list.memoryBytes} bytes`);
});

test('a list of a million takes little more than its elements, and any index is found at once', () => {
  const slab = new Slab();
  const list = new Quicklist(slab);
  const bytes = Buffer.from('element-0000000');
  for (let i = 0; i < 1_000_000; i++) {
    bytes.latin1Write(`${i}`.padStart(7, '0'), 8, 7);
    list.push(i % 2 === 0, bytes, 0, bytes.length);
  }
  // Each element is its 15 bytes and the listpack's two.
  assert.ok(list.memoryBytes < 1.05 * 17_000_000, `${list.memoryBytes} bytes`);
  for (const index of [0, 1, 499_999, 500_000, 500_001, 999_999]) {
    list.seek(index, cursor);
    const number = index < 500_000 ? 999_998 - 2 * index : 2 * (index - 500_000) + 1;
    assert.equal(cursor.kept(), `element-${`${number}`.padStart(7, '0')}`);
  }
});

test('the calls of denque that the list rests on are sound past a wrapped and a shrunken ring', () => {
  let random = 1;
  const next = (below: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return (random >>> 8) % below;
  };
  const queue = new Denque<number>();
  const model: number[] = [];
  for (const [rounds, growth] of [
    [60_000, 6],
    [120_000, 2],
    [30_000, 4],
  ]) {
    for (let i = 0; i < rounds; i++) {
      const grows = next(8) < growth;
      const atHead = next(2) === 0;
      if (grows && atHead) {
        queue.unshift(i);
        model.unshift(i);
      } else if (grows) {
        queue.push(i);
        model.push(i);
      } else if (atHead) assert.equal(queue.shift(), model.shift());
      else assert.equal(queue.pop(), model.pop());
      const index = next(model.length + 1);
      assert.equal(queue.peekAt(index), model[index]);
      assert.equal(queue.length, model.length);
    }
    assert.deepEqual(queue.toArray(), model);
  }
});
