/** The engine's own account of its memory, which maxmemory goes by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine } from '../../engine/index.js';

/** Bytes accounted for: in the slab, and beside it. */
function accounted(engine: Engine): number {
  const { slab } = engine.keyspace;
  return slab.usedBytes + slab.trackedBytes;
}

const numbers = Array.from({ length: 10_000 }, (_, i) => i);
const each = (words: (i: number) => (string | number)[]): (string | number)[][] => numbers.map(words);

/** What 10,000 items take at least and at most, and the commands that store them. */
const cases: readonly [string, (string | number)[][], least: number, most: number][] = [
  ['strings', each((i) => ['SET', `key:${i}`, `value:${i}`]), 40, 90],
  ['strings with deadlines', each((i) => ['SET', `key:${i}`, `value:${i}`, 'PX', 1000 + i]), 56, 106],
  ['a hash', each((i) => ['HSET', 'hash', `field:${i}`, `value:${i}`]), 40, 80],
  ['a set', each((i) => ['SADD', 'set', `member:${i}`]), 25, 60],
  ['a sorted set', each((i) => ['ZADD', 'zset', i / 8, `member:${i}`]), 45, 90],
  ['a list', each((i) => ['RPUSH', 'list', `item:${i}`]), 10, 20],
  ['big strings', each((i) => ['SETRANGE', `key:${i % 100}`, 20_000, 'x']), 200, 420],
];

for (const [name, commands, least, most] of cases) {
  test(`${name}: accounted for, and given back by deletion and by FLUSHALL`, () => {
    const engine = new Engine();
    const empty = accounted(engine);
    const fill = (): void => {
      for (const command of commands) engine.call(...command);
    };
    const free = (): void => {
      while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(1000);
    };
    fill();
    const perItem = (accounted(engine) - empty) / numbers.length;
    assert.ok(perItem >= least && perItem <= most, `${perItem} bytes an item`);
    for (const key of engine.call('KEYS', '*') as string[]) engine.call('DEL', key);
    free();
    // Some pages are kept spare.
    assert.ok(accounted(engine) - empty <= 200_000, `${accounted(engine) - empty} bytes after DEL`);
    fill();
    engine.call('FLUSHALL');
    free();
    assert.ok(
      Math.abs(accounted(engine) - empty) <= 1000,
      `${accounted(engine) - empty} bytes after FLUSHALL`,
    );
  });
}
