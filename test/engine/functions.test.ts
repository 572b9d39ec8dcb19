/**
 * Libraries of functions as a part of the state. What commands answer is in
 * conformance/transcripts/functions.txt.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, ReplyError, restoreEngine } from '../../engine/index.js';

const counter = `#!lua name=counter
local calls = 0
redis.register_function('count', function(keys)
  calls = calls + 1
  redis.call('incr', keys[1])
  return calls
end)
redis.register_function{function_name = 'peek', flags = {'no-writes'}, callback = function(keys)
  return redis.call('get', keys[1])
end}`;

const fails = (engine: Engine, args: readonly string[], pattern: RegExp): void => {
  assert.throws(
    () => engine.call(...args),
    (error) => error instanceof ReplyError && pattern.test(error.message),
  );
};

test('libraries travel in snapshots, count in the digest, and keep their order', () => {
  const engine = new Engine();
  const empty = engine.digest();
  engine.call('FUNCTION', 'LOAD', counter);
  engine.call('FUNCTION', 'LOAD', "#!lua name=a\nredis.register_function('a', function() return 1 end)");
  assert.notEqual(engine.digest(), empty);
  const restored = restoreEngine(engine.snapshot());
  assert.equal(restored.digest(), engine.digest());
  assert.deepEqual(restored.call('FUNCTION', 'LIST'), engine.call('FUNCTION', 'LIST'));
  assert.equal(restored.call('FCALL', 'A', 0), 1);
  engine.call('FUNCTION', 'LOAD', 'REPLACE', counter);
  assert.notEqual(restored.digest(), engine.digest());
});

test('what a function leaves in variables is gone with the call, as after a restart', () => {
  const engine = new Engine();
  engine.call('FUNCTION', 'LOAD', counter);
  assert.deepEqual([engine.call('FCALL', 'count', 1, 'n'), engine.call('FCALL', 'count', 1, 'n')], [1, 1]);
  const restored = restoreEngine(engine.snapshot());
  assert.equal(restored.call('FCALL', 'count', 1, 'n'), engine.call('FCALL', 'count', 1, 'n'));
  assert.equal(restored.digest(), engine.digest());
  assert.equal(engine.call('FCALL_RO', 'peek', 1, 'n'), '3');
});

test('payloads restore all or nothing', () => {
  const engine = new Engine();
  engine.call('FUNCTION', 'LOAD', counter);
  engine.call('FUNCTION', 'LOAD', "#!lua name=a\nredis.register_function('a', function() return 1 end)");
  const payload = engine.callRaw(0, ['FUNCTION', 'DUMP']) as Buffer;
  const bytes = Buffer.from(payload);
  const other = new Engine();
  assert.equal(other.call('FUNCTION', 'RESTORE', bytes), 'OK');
  assert.equal(other.digest(), restoreEngine(other.snapshot()).digest());
  assert.deepEqual(other.call('FUNCTION', 'LIST', 'WITHCODE'), engine.call('FUNCTION', 'LIST', 'WITHCODE'));
  const taken = new Engine();
  taken.call('FUNCTION', 'LOAD', "#!lua name=b\nredis.register_function('A', function() return 2 end)");
  const before = taken.call('FUNCTION', 'LIST', 'WITHCODE');
  for (const policy of [[], ['APPEND'], ['REPLACE']])
    assert.throws(() => taken.call('FUNCTION', 'RESTORE', bytes, ...policy), /Function a already exists/);
  assert.deepEqual(taken.call('FUNCTION', 'LIST', 'WITHCODE'), before);
  taken.call('FUNCTION', 'RESTORE', bytes, 'FLUSH');
  assert.deepEqual(taken.call('FUNCTION', 'LIST', 'WITHCODE'), other.call('FUNCTION', 'LIST', 'WITHCODE'));
  // Damaged bytes are told by the checksum.
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] ^= 1;
    assert.throws(() => new Engine().call('FUNCTION', 'RESTORE', damaged), /checksum|version/);
  }
});

test('a library that loads for ever, or a function that runs for ever, ends', () => {
  const engine = new Engine();
  fails(engine, ['FUNCTION', 'LOAD', '#!lua name=a\nwhile true do end'], /FUNCTION LOAD timeout/);
  engine.call(
    'FUNCTION',
    'LOAD',
    "#!lua name=a\nredis.register_function('f', function() while true do end end)",
  );
  fails(engine, ['FCALL', 'f', '0'], /^ERR script exceeded its limit of steps script: f\.$/);
  // A limit that was lowered does not keep a snapshot from being restored.
  engine.keyspace.settings['lua-step-limit'] = 1;
  assert.equal(restoreEngine(engine.snapshot()).digest(), engine.digest());
});

test('bounds of libraries: one, and all together', () => {
  const engine = new Engine();
  const library = (name: string, bytes: number): string =>
    `#!lua name=${name}\n--${'x'.repeat(bytes)}\nredis.register_function('${name}', function() return 1 end)`;
  fails(
    engine,
    ['FUNCTION', 'LOAD', library('a', 1024 * 1024)],
    /^ERR a script is at most 1048576 bytes long/,
  );
  for (let i = 0; i < 16; i++) engine.call('FUNCTION', 'LOAD', library(`l${i}`, 1_000_000));
  fails(
    engine,
    ['FUNCTION', 'LOAD', library('last', 1_000_000)],
    /^ERR libraries take at most 16777216 bytes/,
  );
  assert.equal(engine.call('FUNCTION', 'LOAD', 'REPLACE', library('l3', 1_000_000)), 'l3');
});
