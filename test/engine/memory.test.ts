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

const longText = (i: number, length: number): string => `${i}:`.padEnd(length, 'x');
const pairs = (count: number, words: (n: number) => (string | number)[]): (string | number)[] =>
  Array.from({ length: count }, (_, n) => words(n)).flat();

/**
 * What a key of each shape takes at most, everything counted. Redis 7.0.15 takes 336, 294 and 1042 bytes for
 * the first three.
 */
const shapes: readonly [string, (i: number) => (string | number)[], most: number][] = [
  ['a hash of one value of 100 B', (i) => ['HSET', `key:${i}`, 'f', longText(i, 100)], 200],
  ['a set of one member of 70 B', (i) => ['SADD', `key:${i}`, longText(i, 70)], 160],
  ['a sorted set of one member of 70 B', (i) => ['ZADD', `key:${i}`, '1.5', longText(i, 70)], 160],
  ['a hash of 64 values', (i) => ['HSET', `key:${i}`, ...pairs(64, (n) => [n, longText(n, 70)])], 6200],
  ['a hash of 65 values', (i) => ['HSET', `key:${i}`, ...pairs(65, (n) => [n, longText(n, 70)])], 8000],
  ['a set of 200 members', (i) => ['SADD', `key:${i}`, ...pairs(200, (n) => [`m${n}`])], 7500],
  ['a sorted set of 200 members', (i) => ['ZADD', `key:${i}`, ...pairs(200, (n) => [n, `m${n}`])], 13_000],
  ['a list of 200 items', (i) => ['RPUSH', `key:${i}`, ...pairs(200, (n) => [longText(n, 100)])], 27_000],
  ['a string of 10 kB', (i) => ['SET', `key:${i}`, longText(i, 10_000)], 10_400],
];

for (const [name, command, most] of shapes) {
  test(`${name}: MEMORY USAGE and used_memory agree`, () => {
    const engine = new Engine();
    const empty = accounted(engine);
    for (let i = 0; i < 1000; i++) engine.call(...command(i));
    const grown = accounted(engine) - empty;
    const database = engine.keyspace.database(0);
    let told = 0;
    for (let slot = 0; slot < database.size; slot++) told += database.slotBytes(slot);
    assert.ok(told / 1000 <= most, `${told / 1000} bytes a key`);
    assert.ok(
      Math.abs(told - grown) <= grown * 0.1,
      `${told} bytes by MEMORY USAGE, ${grown} by used_memory`,
    );
    engine.call('RENAME', 'key:1', 'other');
    engine.call('COPY', 'key:2', 'key:3', 'REPLACE');
    assert.ok(Math.abs(accounted(engine) - empty - grown) <= 40_000);
    engine.call('FLUSHALL');
    while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(1000);
    assert.ok(
      Math.abs(accounted(engine) - empty) <= 1000,
      `${accounted(engine) - empty} bytes after FLUSHALL`,
    );
  });
}
