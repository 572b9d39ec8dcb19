/** What streams promise, as laws, and how they lie in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, restoreEngine } from '../../engine/index.js';
import { viewOf } from '../../engine/protocol/view.js';
import { Slab } from '../../engine/storage/slab.js';
import {
  BLOCK_HEADER_BYTES,
  ID_OFFSET,
  IdOrder,
  OrderPosition,
} from '../../engine/values/stream/id-order.js';
import type { Stream } from '../../engine/values/stream/stream.js';
import {
  addUint64,
  compareIds,
  formatId,
  maxId,
  nextId,
  parseId,
  previousId,
  type StreamId,
  uint64,
  writeId,
} from '../../engine/values/stream/stream-id.js';

const half = fc.oneof(
  fc.nat({ max: 5 }).map(BigInt),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom((1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n),
);
const anyId: fc.Arbitrary<StreamId> = fc
  .tuple(half.map(uint64), half.map(uint64))
  .map(([ms, seq]) => ({ ms, seq }));
const number = ({ ms, seq }: StreamId): bigint => (BigInt(ms) << 64n) | BigInt(seq);

test('ids compare, follow each other and are read as integers of 128 bits', () => {
  fc.assert(
    fc.property(anyId, anyId, (a, b) => {
      assert.equal(Math.sign(compareIds(a, b)), number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : 0);
      const next = nextId(a);
      assert.equal(
        next === undefined ? undefined : number(next),
        number(a) === number(maxId) ? undefined : number(a) + 1n,
      );
      const previous = previousId(a);
      assert.equal(
        previous === undefined ? undefined : number(previous),
        number(a) === 0n ? undefined : number(a) - 1n,
      );
      assert.deepEqual(parseId(formatId(a)), a);
      assert.equal(addUint64(a.ms, -1), uint64(BigInt(a.ms) - 1n));
    }),
  );
});

test('an order of ids is a sorted array, whatever is added and removed', () => {
  const slab = new Slab();
  const block = (id: StreamId): number => {
    const address = slab.allocate(BLOCK_HEADER_BYTES);
    writeId(slab.buffer(address), slab.offset(address) + ID_OFFSET, id);
    return address;
  };
  const id = fc.nat({ max: 3000 }).map((ms) => ({ ms, seq: 0 }));
  const operation = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        add: fc.integer({ min: 1, max: 400 }),
        from: id,
        step: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        remove: fc.integer({ min: 1, max: 400 }),
        from: id,
        step: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ shift: fc.nat({ max: 50 }) }) },
  );
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 25 }),
      fc.array(id, { maxLength: 20 }),
      (operations, probes) => {
        const order = new IdOrder(slab);
        const model = new Set<number>();
        for (const one of operations) {
          if ('shift' in one) {
            for (let i = 0; i < one.shift && order.size > 0; i++) {
              const least = Math.min(...model);
              const address = order.shift();
              assert.equal(order.idOf(address).ms, least);
              model.delete(least);
            }
            continue;
          }
          const count = 'add' in one ? one.add : one.remove;
          for (let i = 0, ms = Number(one.from.ms); i < count; i++, ms += one.step) {
            if ('add' in one) {
              if (!model.has(ms)) order.add(block({ ms, seq: 0 }));
              model.add(ms);
            } else assert.equal(order.remove({ ms, seq: 0 }) !== undefined, model.delete(ms));
          }
        }
        const sorted = [...model].sort((a, b) => a - b);
        assert.equal(order.size, sorted.length);
        const walked: number[] = [];
        const place = new OrderPosition();
        for (let more = order.toFirst(place); more; more = order.next(place))
          walked.push(Number(order.idOf(order.at(place)).ms));
        assert.deepEqual(walked, sorted);
        for (const probe of probes) {
          const atLeast = sorted.find((ms) => ms >= Number(probe.ms));
          assert.equal(order.seekAtLeast(probe, place) ? order.idOf(order.at(place)).ms : undefined, atLeast);
          const atMost = sorted.findLast((ms) => ms <= Number(probe.ms));
          assert.equal(order.seekAtMost(probe, place) ? order.idOf(order.at(place)).ms : undefined, atMost);
          assert.equal(order.find(probe) !== undefined, model.has(Number(probe.ms)));
        }
      },
    ),
    { numRuns: 100 },
  );
});

type Entry = [string, string[]];
type GroupReply = [string, Entry[]][] | null;

const consumer = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      consumer,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('ack' as const),
      consumer,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('claim' as const),
      consumer,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), consumer }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

test('every entry goes to one consumer of a group, in order, until it is acknowledged or claimed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let engine = new Engine();
      engine.setTime(1_000_000);
      engine.call('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM');
      const added: string[] = [];
      const delivered: string[] = [];
      const acknowledged = new Set<string>();
      const held = new Map<string, Set<string>>();
      const heldBy = (name: string): Set<string> => {
        if (!held.has(name)) held.set(name, new Set());
        return held.get(name)!;
      };
      for (const one of steps) {
        engine.fastForward(3);
        switch (one.kind) {
          case 'add':
            for (let i = 0; i < one.count; i++)
              added.push(engine.call('XADD', 's', '*', 'n', added.length) as string);
            break;
          case 'read': {
            const reply = engine.call(
              'XREADGROUP',
              'GROUP',
              'g',
              one.consumer,
              'COUNT',
              one.count,
              'STREAMS',
              's',
              '>',
            ) as GroupReply;
            for (const [id, [, n]] of reply?.[0][1] ?? []) {
              assert.equal(added[Number(n)], id, 'the entry is the one that was added');
              delivered.push(id);
              heldBy(one.consumer).add(id);
            }
            break;
          }
          case 'ack': {
            const ids = [...heldBy(one.consumer)].slice(0, one.count);
            if (ids.length === 0) break;
            assert.equal(engine.call('XACK', 's', 'g', ...ids), ids.length);
            for (const id of ids) {
              acknowledged.add(id);
              heldBy(one.consumer).delete(id);
            }
            break;
          }
          case 'claim': {
            const [, claimed] = engine.call(
              'XAUTOCLAIM',
              's',
              'g',
              one.consumer,
              5,
              '0',
              'COUNT',
              one.count,
            ) as [string, Entry[]];
            for (const [id] of claimed) {
              assert.ok(!acknowledged.has(id), 'nothing acknowledged is given again');
              for (const ids of held.values()) ids.delete(id);
              heldBy(one.consumer).add(id);
            }
            break;
          }
          case 'die':
            assert.equal(
              engine.call('XGROUP', 'DELCONSUMER', 's', 'g', one.consumer),
              heldBy(one.consumer).size,
            );
            // What it held is nobody's now: it was delivered once, and is lost to the group as Redis has it.
            for (const id of heldBy(one.consumer)) acknowledged.add(id);
            held.delete(one.consumer);
            break;
          case 'restart':
            engine = restoreEngine(engine.snapshot());
        }
      }
      assert.deepEqual(
        added,
        [...added].sort((a, b) => compareIds(parseId(a)!, parseId(b)!)),
        'ids rise',
      );
      assert.deepEqual(delivered, added.slice(0, delivered.length), 'each once, in order');
      for (const [name, ids] of held) {
        const history = engine.call('XREADGROUP', 'GROUP', 'g', name, 'STREAMS', 's', '0') as [
          string,
          Entry[],
        ][];
        assert.deepEqual(
          history[0][1].map(([id]) => id),
          [...ids].sort((a, b) => compareIds(parseId(a)!, parseId(b)!)),
        );
      }
      const [total] = engine.call('XPENDING', 's', 'g') as [number];
      assert.equal(
        total,
        [...held.values()].reduce((sum, ids) => sum + ids.size, 0),
      );
    }),
    { numRuns: 150 },
  );
});

test('ids go on where they were when the clock is behind', () => {
  const engine = new Engine();
  engine.setTime(5_000);
  assert.equal(engine.call('XADD', 's', '*', 'a', 1), '5000-0');
  assert.equal(engine.call('XADD', 's', '9000-7', 'a', 1), '9000-7');
  assert.equal(engine.call('XADD', 's', '*', 'a', 1), '9000-8');
  engine.fastForward(10_000);
  assert.equal(engine.call('XADD', 's', '*', 'a', 1), '15000-0');
});

function streamAt(engine: Engine, key: string): Stream {
  const database = engine.keyspace.database(0);
  return database.object(database.find(viewOf(key))) as unknown as Stream;
}

test('all memory of a stream comes back, in bounded steps', () => {
  const engine = new Engine();
  const { slab } = engine.keyspace;
  engine.call('SET', 'other', 'x');
  const used = slab.usedBytes;
  const tracked = slab.trackedBytes;
  for (let i = 0; i < 3000; i++) engine.call('XADD', 's', `${i}-1`, 'field', `value ${i}`);
  engine.call('XGROUP', 'CREATE', 's', 'g', '0');
  for (const name of ['a', 'b'])
    engine.call('XREADGROUP', 'GROUP', 'g', name, 'COUNT', 1000, 'STREAMS', 's', '>');
  engine.call('XGROUP', 'CREATE', 's', 'h', '0');
  engine.call('XREADGROUP', 'GROUP', 'h', 'a', 'STREAMS', 's', '>');
  engine.call('XGROUP', 'DESTROY', 's', 'h');
  engine.call('DEL', 's');
  let steps = 0;
  for (; engine.keyspace.hasDiscarded; steps++) {
    const before = slab.usedBytes;
    engine.keyspace.freeDiscarded(100);
    assert.ok(before - slab.usedBytes < 40_000, 'a step is bounded');
  }
  assert.ok(steps > 30);
  assert.equal(slab.usedBytes, used);
  assert.equal(slab.trackedBytes, tracked);
});

test('what a stream is reckoned to take is what it takes of the slab', () => {
  const engine = new Engine();
  for (let i = 0; i < 1000; i++) engine.call('XADD', 's', `${i}-1`, 'field', 'x'.repeat(i % 50));
  const before = engine.keyspace.slab.usedBytes;
  engine.call('XGROUP', 'CREATE', 's', 'g', '0');
  engine.call('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '>');
  assert.equal(engine.keyspace.slab.usedBytes - before, 1000 * 40);
  assert.ok(streamAt(engine, 's').memoryBytes > before);
});
