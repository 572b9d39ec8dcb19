/** Snapshots: what was cut is what comes back, whatever happened while it was written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cut, Engine, Restore, restoreEngine, SnapshotError } from '../../engine/index.js';

function written(cut: Cut, between: () => void): Buffer {
  const chunks: Buffer[] = [];
  for (;;) {
    let steps = 0;
    const bytes = cut.next(() => ++steps < 3);
    if (bytes === undefined) return Buffer.concat(chunks);
    chunks.push(bytes);
    between();
  }
}

function restored(bytes: Buffer, pieceBytes = 777): Engine {
  const restore = new Restore();
  for (let at = 0; at < bytes.length; at += pieceBytes) restore.feed(bytes.subarray(at, at + pieceBytes));
  return restore.finish();
}

type Command = (string | number)[];

const key = fc.integer({ min: 0, max: 40 }).map((n) => `key:${n}`);
const text = fc.nat({ max: 20 }).map((n) => `text ${n}`);
/** Past the thresholds at which hashes and sets become tables. */
const longText = fc.constantFrom('short', 'z'.repeat(70));
const score = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom('-0', 'inf', '-inf', '0.1'));
/** Few, so that streams and their groups grow. */
const streamKey = fc.constantFrom('key:s', 'key:t');
const group = fc.constantFrom('g', 'h');
/** Ids are those of logged time, which goes on by 7 ms a command. */
const streamId = fc.nat({ max: 100 }).map((n) => `${1_000_000 + 7 * n}-0`);
/**
 * Commands of every family, so that all encodings, deadlines, moves of slots and whole-database changes
 * occur.
 */
export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constant('SET'), key, fc.string({ maxLength: 60 })),
  fc.tuple(fc.constant('SETEX'), key, fc.integer({ min: 1, max: 50 }), fc.constant('x')),
  fc.tuple(fc.constant('SETRANGE'), key, fc.integer({ min: 0, max: 200_000 }), fc.constant('patch')),
  fc.tuple(fc.constant('APPEND'), key, fc.constant('y'.repeat(5000))),
  fc.tuple(fc.constant('GETDEL'), key),
  fc.tuple(fc.constant('GETEX'), key, fc.constant('PX'), fc.integer({ min: 1, max: 3000 })),
  fc.tuple(fc.constant('INCRBY'), key, fc.integer()),
  fc.tuple(fc.constant('SETBIT'), key, fc.integer({ min: 0, max: 1_000_000 }), fc.nat({ max: 1 })),
  fc.tuple(
    fc.constant('BITFIELD'),
    key,
    fc.constant('INCRBY'),
    fc.constant('u7'),
    fc.nat({ max: 99 }),
    fc.nat(),
  ),
  fc.tuple(fc.constant('BITOP'), fc.constantFrom('XOR', 'OR'), key, key, key),
  fc.tuple(fc.constant('PFADD'), key, text, text),
  fc.tuple(fc.constantFrom('PFMERGE', 'PFDEBUG'), fc.oneof(key, fc.constant('TODENSE')), key),
  fc.tuple(
    fc.constant('GEOADD'),
    key,
    fc.integer({ min: -180, max: 180 }),
    fc.integer({ min: -85, max: 85 }),
    text,
  ),
  fc.tuple(
    fc.constant('GEORADIUS'),
    ...[
      key,
      fc.constant(0),
      fc.constant(0),
      fc.constant(9000),
      fc.constant('km'),
      fc.constant('STOREDIST'),
      key,
    ],
  ),
  fc.tuple(fc.constant('SORT'), key, fc.constant('ALPHA'), fc.constant('STORE'), key),
  fc.tuple(fc.constant('HSET'), key, text, text, text, longText),
  fc.tuple(fc.constant('HDEL'), key, text, text),
  fc.tuple(fc.constant('SADD'), key, fc.nat(), text, longText),
  fc.tuple(fc.constant('SADD'), key, fc.nat(), fc.nat({ max: 9 })),
  fc.tuple(fc.constant('SPOP'), key, fc.nat({ max: 5 })),
  fc.tuple(fc.constant('SUNIONSTORE'), key, key, key),
  fc.tuple(fc.constant('SMOVE'), key, key, text),
  fc.tuple(
    fc.constantFrom('LPUSH', 'RPUSH'),
    key,
    fc.constantFrom('a', '1', 'z'.repeat(900), 'w'.repeat(5000)),
  ),
  fc.tuple(fc.constant('RPUSH'), key, ...Array.from({ length: 40 }, () => fc.string({ maxLength: 100 }))),
  fc.tuple(fc.constantFrom('LPOP', 'RPOP'), key, fc.integer({ min: 1, max: 30 })),
  fc.tuple(fc.constant('LSET'), key, fc.integer({ min: -20, max: 20 }), fc.string({ maxLength: 3000 })),
  fc.tuple(fc.constant('LREM'), key, fc.integer({ min: -3, max: 3 }), fc.constantFrom('a', '1')),
  fc.tuple(fc.constant('LMOVE'), key, key, fc.constant('LEFT'), fc.constant('RIGHT')),
  fc.tuple(fc.constant('ZADD'), key, score, text, score, longText),
  fc.tuple(
    fc.constant('ZADD'),
    key,
    ...Array.from({ length: 70 }, (_, i) => [score, fc.constant(`m${i}`)]).flat(),
  ),
  fc.tuple(fc.constant('ZREM'), key, text, text),
  fc.tuple(fc.constant('ZINCRBY'), key, score, text),
  fc.tuple(fc.constantFrom('ZPOPMIN', 'ZPOPMAX'), key, fc.nat({ max: 5 })),
  fc.tuple(fc.constant('ZREMRANGEBYLEX'), key, fc.constant('[text 1'), fc.constant('(text 15')),
  fc.tuple(fc.constant('ZUNIONSTORE'), key, fc.constant(2), key, key),
  fc.tuple(fc.constant('XADD'), streamKey, fc.constantFrom('*', '7-*'), text, longText),
  fc.tuple(fc.constant('XADD'), streamKey, fc.constant('*'), ...Array.from({ length: 30 }, () => text)),
  fc.tuple(fc.constant('XDEL'), streamKey, streamId, streamId),
  fc.tuple(fc.constant('XTRIM'), streamKey, fc.constant('MAXLEN'), fc.nat({ max: 30 })),
  fc.tuple(
    fc.constant('XGROUP'),
    fc.constant('CREATE'),
    streamKey,
    group,
    fc.constant('0'),
    fc.constant('MKSTREAM'),
  ),
  fc.tuple(fc.constant('XGROUP'), fc.constant('DESTROY'), streamKey, group),
  fc.tuple(fc.constant('XGROUP'), fc.constant('DELCONSUMER'), streamKey, group, fc.constantFrom('a', 'b')),
  fc.tuple(
    ...[fc.constant('XREADGROUP'), fc.constant('GROUP'), group, fc.constantFrom('a', 'b')],
    ...[
      fc.constant('COUNT'),
      fc.nat({ max: 9 }),
      fc.constant('STREAMS'),
      streamKey,
      fc.constantFrom('>', '0'),
    ],
  ),
  fc.tuple(fc.constant('XACK'), streamKey, group, streamId, streamId),
  fc.tuple(
    fc.constant('XCLAIM'),
    streamKey,
    group,
    fc.constantFrom('a', 'c'),
    fc.constant(0),
    streamId,
    streamId,
  ),
  fc.tuple(fc.constant('ZRANGESTORE'), key, key, fc.nat({ max: 5 }), fc.constant(-1)),
);

function run(engine: Engine, command: Command): void {
  try {
    engine.call(...command);
  } catch {
    // Wrong types and the like are part of the life that a snapshot must survive.
  }
}

test('a snapshot written while commands go on restores the state at the cut', () => {
  fc.assert(
    fc.property(
      fc.array(anyCommand, { maxLength: 120 }),
      fc.array(anyCommand, { maxLength: 200 }),
      (before, during) => {
        const engine = new Engine();
        engine.setTime(1_000_000);
        for (const command of before) {
          run(engine, command);
          engine.fastForward(7);
        }
        const digest = engine.digest();
        const cut = engine.cut();
        let next = 0;
        const bytes = written(cut, () => {
          for (let i = 0; i < 5 && next < during.length; i++) run(engine, during[next++]);
          engine.fastForward(100);
        });
        assert.equal(cut.digest, digest);
        const copy = restored(bytes);
        assert.equal(copy.digest(), digest);
        // Equal states stay equal: the order of slots decides what later commands do.
        const again = restored(bytes, 1 << 20);
        for (const command of during) {
          run(copy, command);
          run(again, command);
        }
        assert.equal(copy.digest(), again.digest());
      },
    ),
    { numRuns: 60 },
  );
});

test('a snapshot at once is taken and restored by an embedder', () => {
  const engine = new Engine();
  engine.call('RPUSH', 'l', 1, 2, 3);
  engine.call('SET', 'k', 'v', 'PX', 100);
  const copy = restoreEngine(engine.snapshot(), { seed: 7 });
  assert.deepEqual(copy.call('LRANGE', 'l', 0, -1), ['1', '2', '3']);
  assert.equal(copy.digest(), engine.digest());
  copy.fastForward(100);
  assert.equal(copy.call('GET', 'k'), null);
});

test('a damaged or short snapshot is refused', () => {
  const engine = new Engine();
  for (let i = 0; i < 50; i++) engine.call('SET', `k${i}`, `value ${i}`);
  const whole = written(engine.cut(), () => {});
  for (let length = 0; length < whole.length; length += 37) {
    assert.throws(() => restored(whole.subarray(0, length)), SnapshotError, `cut at ${length}`);
  }
  for (let at = 0; at < whole.length; at += 11) {
    const damaged = Buffer.from(whole);
    damaged[at] ^= 0x10;
    assert.throws(() => restored(damaged), `flipped at ${at}`);
  }
});

test('a long element is put together by reading it a few times, however small the pieces that it comes in', () => {
  const engine = new Engine();
  engine.call('RPUSH', 'l', Buffer.alloc(24 << 20, 'e'));
  engine.call('HSET', 'h', 'f', Buffer.alloc(24 << 20, 'v'));
  const bytes = engine.snapshot();
  const restore = new Restore();
  let copied = 0;
  const { concat } = Buffer;
  Buffer.concat = (list, length) => {
    copied += length ?? 0;
    return concat(list, length);
  };
  try {
    for (let at = 0; at < bytes.length; at += 16_384) restore.feed(bytes.subarray(at, at + 16_384));
    assert.equal(restore.finish().digest(), engine.digest());
  } finally {
    Buffer.concat = concat;
  }
  assert.ok(copied < 8 * bytes.length, `${copied} bytes copied for ${bytes.length}`);
});
