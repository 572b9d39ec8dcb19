/** A stream of many nodes: what goes by whole pages, and what is counted by them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, restoreEngine } from '../../engine/index.js';
import { viewOf } from '../../engine/protocol/view.js';
import { liveOf } from '../../engine/values/stream/gone-pages.js';
import type { Stream } from '../../engine/values/stream/stream.js';
import { compareIds, formatId, minId, type StreamId, writeId } from '../../engine/values/stream/stream-id.js';

function streamAt(engine: Engine, key: string): Stream | undefined {
  const database = engine.keyspace.database(0);
  const slot = database.find(viewOf(key));
  return slot < 0 ? undefined : (database.object(slot) as unknown as Stream);
}

/** Nodes of a trie with runs of single children, reckoned from above. */
function trieNodes(ids: readonly StreamId[]): number {
  const count = (set: readonly string[], depth: number): number => {
    if (set.length === 1) return (set[0].length > depth ? 1 : 0) + 1;
    let shared = depth;
    while (set.every((key) => key[shared] === set[0][shared])) shared++;
    const children = new Map<string, string[]>();
    for (const key of set) {
      const siblings = children.get(key[shared]);
      if (siblings === undefined) children.set(key[shared], [key]);
      else siblings.push(key);
    }
    let nodes = (shared > depth ? 1 : 0) + 1;
    for (const child of children.values()) nodes += count(child, shared + 1);
    return nodes;
  };
  const keys = ids.map((id) => {
    const bytes = Buffer.alloc(16);
    writeId(bytes, 0, id);
    return bytes.toString('latin1');
  });
  return keys.length === 0 ? 1 : count(keys, 0);
}

const oneEach = { 'stream-node-max-entries': 1 };

test('radix tree nodes are those of a trie with runs', () => {
  const word = fc.constantFrom(0, 1, 2, 255, 256, 257, 65_536, 2 ** 32);
  fc.assert(
    fc.property(fc.array(fc.record({ ms: word, seq: word }), { maxLength: 40 }), (ids) => {
      const engine = new Engine({ settings: oneEach });
      const distinct = [...new Map(ids.map((id) => [formatId(id), id])).values()]
        .filter((id) => compareIds(id, minId) > 0)
        .sort(compareIds);
      for (const id of distinct) {
        engine.call('XADD', 's', formatId(id), 'a', 1);
        assert.ok(streamAt(engine, 's')!.radixTreeNodes > 0, 'asked while it grows');
      }
      if (distinct.length > 0) assert.equal(streamAt(engine, 's')!.radixTreeNodes, trieNodes(distinct));
    }),
    { numRuns: 200 },
  );
});

/** What each page says that it holds is what lies in it. */
function assertPagesAreTrue(stream: Stream): void {
  const { nodes, slab } = stream;
  let blockBytes = 0;
  let weight = 0;
  for (const page of nodes.pages) {
    const addresses = [...page.addresses.subarray(0, page.count)];
    assert.equal(
      page.weight,
      addresses.reduce((sum, address) => sum + liveOf(slab, address), 0),
    );
    assert.equal(
      page.blockBytes,
      addresses.reduce((sum, address) => sum + slab.capacity(address), 0),
    );
    blockBytes += page.blockBytes;
    weight += page.weight;
  }
  assert.equal(nodes.blockBytes, blockBytes);
  assert.equal(stream.length, weight);
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const change = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      count: fc.integer({ min: 1, max: 600 }),
      gap: fc.constantFrom(1, 3, 300, 70_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('length' as const),
      keep: fc.nat({ max: 900 }),
      limit: fc.constantFrom(0, 100, 700),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('least' as const), at: share }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      at: share,
      count: fc.integer({ min: 1, max: 80 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

test('a stream of many pages keeps what it should, and counts it', () => {
  const changes = fc.array(change, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(changes, fc.constantFrom(1, 3), (steps, perNode) => {
      let engine = new Engine({ settings: { 'stream-node-max-entries': perNode } });
      let model: number[] = [];
      let last = 0;
      const trim = (count: number, ...words: (string | number)[]): void => {
        assert.equal(engine.call('XTRIM', 's', ...words), count);
        model = model.slice(count);
      };
      for (const one of steps) {
        if (one.kind === 'add') {
          for (let i = 0; i < one.count; i++) {
            last += one.gap;
            engine.call('XADD', 's', `${last}-0`, 'a', i);
            model.push(last);
          }
        } else if (one.kind === 'restart') {
          engine = restoreEngine(engine.snapshot());
        } else if (model.length === 0) {
          // There is nothing to take away from.
        } else if (one.kind === 'length') {
          const beyond = Math.max(0, model.length - one.keep);
          if (one.limit === 0) trim(beyond, 'MAXLEN', one.keep);
          // An entry a node: no node has a part that is to be kept.
          else if (perNode === 1)
            trim(Math.min(beyond, one.limit), 'MAXLEN', '~', one.keep, 'LIMIT', one.limit);
        } else if (one.kind === 'least') {
          const count = Math.floor(one.at * model.length);
          trim(count, 'MINID', `${model[count] ?? last + 1}-0`);
        } else {
          const from = Math.floor(one.at * model.length);
          const gone = model.splice(from, one.count);
          if (gone.length > 0)
            assert.equal(engine.call('XDEL', 's', ...gone.map((ms) => `${ms}-0`)), gone.length);
        }
        const stream = streamAt(engine, 's');
        if (stream === undefined) continue;
        assertPagesAreTrue(stream);
        assert.equal(stream.lastLiveId.ms, model.at(-1) ?? 0);
        const entries = engine.call('XRANGE', 's', '-', '+') as [string][];
        assert.deepEqual(
          entries.map(([id]) => Number(id.split('-')[0])),
          model,
        );
        const firsts: StreamId[] = [];
        for (const { addresses, count } of stream.nodes.pages)
          for (const address of addresses.subarray(0, count)) firsts.push(stream.nodes.idOf(address));
        assert.equal(stream.radixTreeNodes, trieNodes(firsts));
      }
    }),
    { numRuns: 40 },
  );
});

test('a snapshot has the pages that are trimmed away while it is written', () => {
  for (const stepsBefore of [0, 1, 20, 200]) {
    const engine = new Engine({ settings: oneEach });
    const { slab } = engine.keyspace;
    for (let i = 1; i <= 2000; i++) engine.call('XADD', 's', `${i}-0`, 'a', i);
    const digest = engine.digest();
    const cut = engine.cut();
    const parts: Buffer[] = [];
    for (let i = 0; i < stepsBefore; i++) parts.push(cut.next(() => false)!);
    assert.equal(engine.call('XTRIM', 's', 'MAXLEN', 300), 1700);
    const held = slab.usedBytes;
    engine.keyspace.freeDiscarded(100_000);
    assert.equal(slab.usedBytes, held, 'what the snapshot has not yet is kept');
    for (let next = cut.next(() => true); next !== undefined; next = cut.next(() => true)) parts.push(next);
    const restored = restoreEngine(Buffer.concat(parts));
    assert.equal(restored.digest(), digest);
    assert.equal(restored.call('XLEN', 's'), 2000);
    while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(100);
    assert.ok(slab.usedBytes < held / 3, 'then it comes back');
    assert.equal(engine.call('XLEN', 's'), 300);
  }
});

test('a trim of many nodes frees them later, in bounded steps', () => {
  const engine = new Engine({ settings: oneEach });
  const { slab } = engine.keyspace;
  engine.call('SET', 'other', 'x');
  const used = slab.usedBytes;
  const tracked = slab.trackedBytes;
  for (let i = 0; i < 5000; i++) engine.call('XADD', 's', '*', 'a', i);
  const full = slab.usedBytes;
  assert.equal(engine.call('XTRIM', 's', 'MAXLEN', 10), 4990);
  assert.ok(full - slab.usedBytes < full / 10, 'little goes at once');
  assert.ok(streamAt(engine, 's')!.memoryBytes < full / 10, 'and none of the rest is counted for the stream');
  for (let steps = 0; engine.keyspace.hasDiscarded; steps++) {
    const before = slab.usedBytes;
    engine.keyspace.freeDiscarded(100);
    assert.ok(before - slab.usedBytes < full / 20, 'a step is bounded');
    assert.ok(steps < 200, 'it ends');
  }
  engine.call('DEL', 's');
  while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(100);
  assert.equal(slab.usedBytes, used);
  assert.equal(slab.trackedBytes, tracked);
});
