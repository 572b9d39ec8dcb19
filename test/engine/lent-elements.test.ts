/**
 * Long elements go out by reference: a reply shares the element's bytes, and keeps them as they were whatever
 * changes afterwards.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { ReplyWriter } from '../../src/resp/reply-writer.js';

type Command = readonly (string | number)[];

const LONG_BYTES = 20_000;
/** Stands for a long element, so that a command that fails can be read. */
const long = (seed: number, length = LONG_BYTES): string => `${seed} times ${length}`;

function spellOut(command: Command): (string | number | Buffer)[] {
  return command.map((word) => {
    const [seed, length] = `${word}`.split(' times ');
    return length === undefined ? word : Buffer.alloc(Number(length), `${seed};`);
  });
}

const filled: readonly Command[] = [
  ['RPUSH', 'l', long(1), 'short', long(2)],
  ['HSET', 'h', 'f', long(3), 'g', long(4), long(5), 'v'],
  ['SADD', 's', long(6), long(7), 'm'],
  ['ZADD', 'z', 1, long(8), 2, long(9), 3, 'm'],
  ['XADD', 'x', '1-1', 'f', long(10)],
  ['XADD', 'x', '1-2', 'f', long(11), long(12), 'v'],
];

const reads: readonly Command[] = [
  ['LINDEX', 'l', 0],
  ['LRANGE', 'l', 0, -1],
  ['HGET', 'h', 'f'],
  ['HMGET', 'h', 'f', 'g'],
  ['HGETALL', 'h'],
  ['HKEYS', 'h'],
  ['HVALS', 'h'],
  ['SMEMBERS', 's'],
  ['ZRANGE', 'z', 0, -1],
  ['ZRANGE', 'z', 0, -1, 'WITHSCORES'],
  ['XRANGE', 'x', '-', '+'],
  ['XREVRANGE', 'x', '+', '-'],
  ['XREAD', 'STREAMS', 'x', '0'],
];

function engineWith(commands: readonly Command[]): Engine {
  const engine = new Engine();
  for (const command of commands) engine.call(...spellOut(command));
  return engine;
}

function encode(engine: Engine, command: Command): Buffer[] {
  const writer = new ReplyWriter(2);
  writer.write(engine.callRaw(0, spellOut(command)));
  return writer.take();
}

/** Where the long parts of a reply lie. */
const longParts = (parts: readonly Buffer[]): string[] =>
  parts
    .filter(({ length }) => length >= LONG_BYTES)
    .map(({ byteOffset, length }) => `${byteOffset}+${length}`);
const memories = (parts: readonly Buffer[]): Set<ArrayBufferLike> =>
  new Set(parts.filter(({ length }) => length >= LONG_BYTES).map(({ buffer }) => buffer));

for (const command of reads) {
  test(`${command.join(' ')} copies no long element`, () => {
    const engine = engineWith(filled);
    const first = encode(engine, command);
    const second = encode(engine, command);
    assert.ok(longParts(first).length > 0);
    assert.deepEqual(longParts(second), longParts(first));
    assert.deepEqual(memories(second), memories(first));
  });
}

const element = fc.oneof(
  fc
    .record({ seed: fc.nat(12), length: fc.constantFrom(LONG_BYTES, LONG_BYTES + 50, 60_000) })
    .map(({ seed, length }) => long(seed, length)),
  fc.constantFrom('short', 'f', 'g', 'm', '17'),
);
const index = fc.integer({ min: -3, max: 3 });
const side = fc.constantFrom('LEFT', 'RIGHT');
const changes: fc.Arbitrary<Command> = fc.oneof(
  fc.tuple(fc.constantFrom('RPUSH', 'LPUSH'), fc.constant('l'), element),
  fc.tuple(fc.constant('LSET'), fc.constant('l'), index, element),
  fc.tuple(fc.constant('LREM'), fc.constant('l'), index, element),
  fc.tuple(fc.constant('LINSERT'), fc.constant('l'), fc.constantFrom('BEFORE', 'AFTER'), element, element),
  fc.tuple(fc.constant('LTRIM'), fc.constant('l'), index, index),
  fc.tuple(fc.constantFrom('LPOP', 'RPOP'), fc.constant('l')),
  fc.tuple(fc.constant('LMOVE'), fc.constant('l'), fc.constantFrom('l', 'l2'), side, side),
  fc.tuple(fc.constant('HSET'), fc.constant('h'), element, element),
  fc.tuple(fc.constant('HINCRBY'), fc.constant('h'), element, fc.constant(3)),
  fc.tuple(fc.constant('HDEL'), fc.constant('h'), element),
  fc.tuple(fc.constantFrom('SADD', 'SREM'), fc.constant('s'), element),
  fc.tuple(fc.constant('SPOP'), fc.constant('s')),
  fc.tuple(fc.constant('ZADD'), fc.constant('z'), fc.nat(5), element),
  fc.tuple(fc.constant('ZINCRBY'), fc.constant('z'), fc.constant(2.5), element),
  fc.tuple(fc.constant('ZREM'), fc.constant('z'), element),
  fc.tuple(fc.constantFrom('ZPOPMIN', 'ZPOPMAX'), fc.constant('z')),
  fc.tuple(fc.constant('XADD'), fc.constant('x'), fc.constant('*'), element, element),
  fc.tuple(fc.constant('XDEL'), fc.constant('x'), fc.constantFrom('1-1', '1-2')),
  fc.tuple(fc.constant('XTRIM'), fc.constant('x'), fc.constant('MAXLEN'), fc.nat(3)),
  fc.tuple(fc.constant('DEL'), fc.constantFrom('l', 'h', 's', 'z', 'x')),
);
const steps = fc.array(fc.oneof(changes, fc.constantFrom(...reads)), { minLength: 5, maxLength: 40 });

test('what a reply holds stays as it was, whatever changes afterwards', () => {
  fc.assert(
    fc.property(steps, (commands) => {
      const engine = engineWith(filled);
      const held: { readonly parts: Buffer[]; readonly were: Buffer }[] = [];
      for (const command of commands) {
        const parts = encode(engine, command);
        held.push({ parts, were: Buffer.concat(parts) });
      }
      for (const { parts, were } of held) assert.ok(Buffer.concat(parts).equals(were));
    }),
    { numRuns: 150 },
  );
});
