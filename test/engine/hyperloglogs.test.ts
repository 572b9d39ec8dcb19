/** HyperLogLogs in process: estimates of Redis 7.0.15, what is stored, what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, hyperLogLogSelfTest } from '../../engine/index.js';
import { answer, encodingOf, script } from './script.js';

const NOT_ONE = '!WRONGTYPE Key is not a valid HyperLogLog string value.';
const CORRUPT = '!INVALIDOBJ Corrupted HLL object detected';

function addMany(engine: Engine, key: string, prefix: string, from: number, to: number): void {
  for (let i = from; i < to; i++) engine.call('PFADD', key, `${prefix}${i}`);
}

test('estimates are those of Redis, sparse and dense', () => {
  const engine = new Engine();
  addMany(engine, 'h', 'element-', 1, 1001);
  assert.equal(engine.call('PFCOUNT', 'h'), 994);
  assert.equal(engine.call('PFDEBUG', 'ENCODING', 'h'), 'sparse');
  assert.equal(engine.call('STRLEN', 'h'), 1870);
  addMany(engine, 'h', 'other-', 1, 4001);
  assert.equal(engine.call('PFCOUNT', 'h'), 5034);
  assert.equal(engine.call('PFDEBUG', 'ENCODING', 'h'), 'dense');
  engine.call('PFADD', 'small', '1', '2', '3');
  assert.equal(engine.call('PFMERGE', 'both', 'h', 'small'), 'OK');
  assert.equal(engine.call('PFCOUNT', 'both'), engine.call('PFCOUNT', 'h', 'small'));
  assert.equal(engine.call('STRLEN', 'both'), 12304);
});

test('replies', () => {
  const engine = script([
    ['PFADD h', 1],
    ['PFADD h', 0],
    ['PFADD h a b c', 1],
    ['PFADD h c', 0],
    ['PFCOUNT h none', 3],
    ['PFCOUNT none', 0],
    ['PFMERGE new', 'OK'],
    ['PFCOUNT new', 0],
    ['PFDEBUG DECODE new', 'Z:16384'],
    ['PFDEBUG TODENSE new', 1],
    ['PFDEBUG TODENSE new', 0],
    ['PFDEBUG DECODE new', '!ERR HLL encoding is not sparse'],
    ['PFDEBUG NOPE new', "!ERR Unknown PFDEBUG subcommand 'NOPE'"],
    ['PFDEBUG NOPE none', '!ERR The specified key does not exist'],
    ['SET s HYLL', 'OK'],
    ['PFADD s a', NOT_ONE],
    ['PFCOUNT h s', NOT_ONE],
    ['PFMERGE s h', NOT_ONE],
    ['PFADD t a', 1],
    ['EXPIRE t 100', 1],
    ['PFMERGE t h', 'OK'],
    ['TTL t', 100],
  ]);
  assert.equal(encodingOf(engine, 'h'), 'raw');
  assert.equal((engine.call('PFDEBUG', 'GETREG', 'h') as number[]).length, 16384);
});

test('counting changes nothing', () => {
  const engine = new Engine();
  engine.call('PFADD', 'h', 'a', 'b');
  const digest = engine.digest();
  assert.equal(engine.call('PFCOUNT', 'h'), 2);
  assert.equal(engine.digest(), digest);
});

test('an estimate that is stored in the value is taken as it is', () => {
  const engine = new Engine();
  engine.call('PFADD', 'h', 'a', 'b');
  engine.call('SETRANGE', 'h', 8, Buffer.from([42, 0, 0, 0, 0, 0, 0, 0]));
  assert.equal(engine.call('PFCOUNT', 'h'), 42);
  engine.call('PFADD', 'h', 'c');
  assert.equal(engine.call('PFCOUNT', 'h'), 3);
});

test('corrupt runs are refused', () => {
  const engine = new Engine();
  engine.call('PFADD', 'h', 'a', 'b', 'c');
  engine.call('SETRANGE', 'h', 16, Buffer.alloc(8, 0xff));
  for (const command of [
    ['PFCOUNT', 'h'],
    ['PFADD', 'h', 'd'],
    ['PFMERGE', 'd', 'h'],
    ['PFDEBUG', 'TODENSE', 'h'],
  ])
    assert.equal(answer(engine, command), CORRUPT, command.join(' '));
});

test('the self test passes', () => {
  assert.equal(hyperLogLogSelfTest(), undefined);
});
