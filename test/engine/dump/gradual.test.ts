/** DUMP of a large stream in slices: the stream as it was at the beginning, whatever happens meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dumpGradually, Engine, type GradualReply, restoreEngine } from '../../../engine/index.js';
import { viewOf } from '../../../engine/protocol/view.js';

const oneByOne = (): boolean => false;

function begin(engine: Engine, key: string): GradualReply {
  const database = engine.keyspace.database(0);
  return dumpGradually(database, database.find(viewOf(key)))!;
}

/** A stream of some 1.5 MB, in 1,500 nodes. */
function filled(): Engine {
  const engine = new Engine({ settings: { 'stream-node-max-entries': 2 } });
  for (let i = 1; i <= 3000; i++) engine.call('XADD', 's', `${i}-0`, 'field', `${i} ${'x'.repeat(500)}`);
  engine.call('XGROUP', 'CREATE', 's', 'g', '0');
  engine.call('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', 100, 'STREAMS', 's', '>');
  return engine;
}

const at = fc.integer({ min: 1, max: 3000 });
const change = fc.oneof(
  fc.record({ kind: fc.constant('slices' as const), count: fc.integer({ min: 1, max: 900 }) }),
  fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('delete' as const), at, count: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('least' as const), at }),
  fc.record({ kind: fc.constant('acknowledge' as const), at }),
  fc.record({ kind: fc.constantFrom('snapshot' as const, 'drop' as const, 'another' as const) }),
);

test('slices give what one go would have given', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 14 }), (changes) => {
      const engine = filled();
      const expected = engine.callRaw(0, ['DUMP', 's']) as Buffer;
      const started = [{ gradual: begin(engine, 's'), expected, reply: undefined as Buffer | undefined }];
      let last = 3000;
      const slices = (count: number): void => {
        for (const dump of started)
          for (let i = 0; i < count && dump.reply === undefined; i++)
            dump.reply = dump.gradual.step(oneByOne) as Buffer | undefined;
      };
      let cut: { readonly digest: string; readonly cut: ReturnType<Engine['cut']> } | undefined;
      for (const one of changes) {
        if (one.kind === 'slices') slices(one.count);
        else if (one.kind === 'add')
          for (let i = 0; i < one.count; i++) engine.call('XADD', 's', `${++last}-0`, 'other', i);
        else if (one.kind === 'delete')
          engine.call('XDEL', 's', ...Array.from({ length: one.count }, (_, i) => `${one.at + i}-0`));
        else if (one.kind === 'least') engine.call('XTRIM', 's', 'MINID', `${one.at}-0`);
        else if (one.kind === 'acknowledge') engine.call('XACK', 's', 'g', `${one.at % 100}-0`);
        else if (one.kind === 'drop') engine.call('DEL', 's');
        else if (one.kind === 'snapshot') cut ??= { digest: engine.digest(), cut: engine.cut() };
        else if (engine.call('EXISTS', 's') === 1) {
          const gradual = begin(engine, 's');
          if (gradual !== undefined)
            started.push({ gradual, expected: engine.callRaw(0, ['DUMP', 's']) as Buffer, reply: undefined });
        }
        // What a walk does not have yet must not be freed.
        engine.keyspace.freeDiscarded(100);
      }
      slices(4000);
      for (const dump of started) assert.ok(dump.expected.equals(dump.reply!));
      if (cut !== undefined) {
        const parts: Buffer[] = [];
        for (let next = cut.cut.next(() => true); next !== undefined; next = cut.cut.next(() => true))
          parts.push(next);
        assert.equal(restoreEngine(Buffer.concat(parts)).digest(), cut.digest);
      }
      engine.call('FLUSHALL');
      for (let i = 0; i < 1000 && engine.keyspace.hasDiscarded; i++) engine.keyspace.freeDiscarded(1000);
      assert.equal(engine.keyspace.slab.usedBytes, new Engine().keyspace.slab.usedBytes, 'nothing is kept');
    }),
    { numRuns: 25 },
  );
});

test('a dump that is given up holds on to nothing', () => {
  const engine = filled();
  const gradual = begin(engine, 's');
  gradual.step(oneByOne);
  engine.call('XTRIM', 's', 'MAXLEN', 1);
  engine.call('DEL', 's');
  engine.keyspace.freeDiscarded(100_000);
  assert.ok(engine.keyspace.slab.usedBytes > 1_000_000, 'kept as long as it goes on');
  gradual.stop();
  for (let i = 0; i < 100 && engine.keyspace.hasDiscarded; i++) engine.keyspace.freeDiscarded(1000);
  assert.equal(engine.keyspace.slab.usedBytes, new Engine().keyspace.slab.usedBytes);
});

test('what is small, and what scripts and transactions ask for, is dumped at once', () => {
  const engine = new Engine();
  engine.call('XADD', 's', '1-0', 'a', 'b');
  assert.equal(begin(engine, 's'), undefined);
  engine.call('SET', 'text', 'x'.repeat(2_000_000));
  assert.equal(begin(engine, 'text'), undefined);
  const large = filled();
  assert.equal(
    large.call('EVAL', "return #redis.call('DUMP', 's')", 0),
    (large.callRaw(0, ['DUMP', 's']) as Buffer).length,
  );
});
