/**
 * Scripts as a part of the state: entries, snapshots, bounds, faults. What they answer is in
 * conformance/transcripts/scripting.txt.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WriteCommand } from '../../engine/command/command.js';
import {
  type ApplyListener,
  Engine,
  EntryBuilder,
  type ErrorReply,
  type Reply,
  ReplyError,
  restoreEngine,
  silentListener,
  viewOf,
} from '../../engine/index.js';
import type { CompiledScript } from '../../engine/lua/index.js';
import { CompiledScripts } from '../../engine/scripting/compiled-scripts.js';
import { ScriptStore } from '../../engine/scripting/script-store.js';
import { sha1 } from '../../engine/scripting/sha1.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 1 };

function entry(...commands: string[][]): Buffer {
  const builder = new EntryBuilder(1, 1);
  for (const args of commands) {
    const bytes = encodeRequest(args);
    builder.command(session, 0, bytes, 0, bytes.length);
  }
  return builder.finish(1_000_000, 7, 9);
}

function apply(engine: Engine, ...commands: string[][]): Reply[] {
  const replies: Reply[] = [];
  const listener: ApplyListener = { ...silentListener, reply: (_ordinal, reply) => replies.push(reply) };
  engine.apply(engine.appliedIndex + 1, entry(...commands), listener);
  return replies;
}

const fails = (engine: Engine, source: string, pattern: RegExp): void => {
  assert.throws(
    () => engine.call('EVAL', source, 0),
    (error) => error instanceof ReplyError && pattern.test(error.message),
  );
};

test('SHA-1 is that of the standard', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const expected = createHash('sha1').update(bytes).digest('hex');
      assert.equal(sha1(viewOf(Buffer.from(bytes).toString('latin1'))), expected);
    }),
  );
});

test('engines that applied the same scripts are equal, chance and time included', () => {
  const commands = [
    [
      'EVAL',
      "for i=1,50 do redis.call('zadd','z',math.random(),i) end return redis.call('zrange','z',0,-1)",
      '0',
    ],
    [
      'EVAL',
      "redis.call('set','t',redis.call('time')[1]) return redis.call('spop',KEYS[1]) == false",
      '1',
      'none',
    ],
    [
      'EVAL',
      "local t={} t[{}]=1 t[print]=2 for k in pairs(t) do redis.call('rpush','o',tostring(k)) end",
      '0',
    ],
    ['SCRIPT', 'LOAD', 'return 7'],
    ['EVAL', "redis.call('sadd','s',1,2,3,4,5) return redis.call('srandmember','s')", '0'],
  ];
  const one = new Engine({ hashSeed: { low: 1, high: 2 } });
  const other = new Engine({ hashSeed: { low: 3, high: 4 } });
  // What ran before on the read path is one node's own affair.
  other.call('EVAL_RO', 'local t = {} return tostring(t)', 0);
  other.call('EVAL_RO', 'return math.random()', 0);
  assert.deepEqual(apply(one, ...commands), apply(other, ...commands));
  assert.equal(one.digest(), other.digest());
  assert.equal(one.call('GET', 't'), '1000');
});

test('what one node alone knows does not reach a script', () => {
  const engine = new Engine();
  const source = "return redis.call('publish','c','m')";
  const replies: Reply[] = [];
  const listener = {
    ...silentListener,
    publish: () => 3,
    reply: (_ordinal: number, reply: Reply) => replies.push(reply),
  };
  engine.apply(1, entry(['EVAL', source, '0'], ['PUBLISH', 'c', 'm']), listener);
  assert.deepEqual(replies, [0, 3]);
  engine.call('SET', 'a', '1');
  fails(engine, "return redis.call('object','idletime','a')", /not allowed from script/);
});

test('the cache travels in snapshots and counts in the digest', () => {
  const engine = new Engine();
  const before = engine.digest();
  const [sha] = apply(engine, ['SCRIPT', 'LOAD', "return redis.call('incr','n')"]);
  assert.notEqual(engine.digest(), before);
  const restored = restoreEngine(engine.snapshot());
  assert.equal(restored.digest(), engine.digest());
  assert.deepEqual(apply(restored, ['EVALSHA', String(sha), '0']), [1]);
  apply(restored, ['SCRIPT', 'FLUSH']);
  const [reply] = apply(restored, ['EVALSHA', String(sha), '0']);
  assert.match((reply as ErrorReply).text, /^NOSCRIPT/);
});

test('the script that has not run for longest falls out', () => {
  const store = new ScriptStore();
  for (let i = 0; i < 4096; i++) store.add(`${i}`, 'return 1');
  store.touch('0', 'return 1');
  store.add('4096', 'return 1');
  assert.deepEqual(
    [store.size, store.has('0'), store.has('1'), store.has('4096')],
    [4096, true, false, true],
  );
  const million = 'x'.repeat(1_000_000);
  for (let i = 0; i < 20; i++) store.add(`long${i}`, million);
  assert.equal(store.sourceBytes <= 16 * 1024 * 1024, true);
  assert.equal(store.has('long0'), false);
  const engine = new Engine();
  fails(engine, `--${'x'.repeat(1024 * 1024)}`, /^ERR a script is at most 1048576 bytes long/);
});

test('what is compiled is kept within a bound, the last to run', () => {
  const compiled = new CompiledScripts();
  const script = (generatedLength: number): { script: CompiledScript } => ({
    script: { generatedLength } as CompiledScript,
  });
  for (let i = 0; i < 600; i++) compiled.add(`${i}`, script(10));
  assert.equal(compiled.get('99'), undefined);
  assert.notEqual(compiled.get('100'), undefined);
  compiled.add('long', script(2 * 1024 * 1024 - 15));
  assert.notEqual(compiled.get('100'), undefined, 'it has run just before');
  assert.equal(compiled.get('599'), undefined);
  compiled.add('longer', script(4 * 1024 * 1024));
  assert.equal(compiled.get('long'), undefined);
  assert.notEqual(compiled.get('longer'), undefined, 'the one that runs is kept whatever its length');
  compiled.delete('longer');
  compiled.add('small', script(10));
  assert.notEqual(compiled.get('small'), undefined);
});

test('a script past its bounds ends, keeps what it wrote, and the engine goes on', () => {
  const engine = new Engine();
  fails(
    engine,
    "redis.call('set','a',1) while true do end",
    /^ERR script exceeded its limit of steps script: \w{40}\./,
  );
  fails(engine, "while true do pcall(redis.call,'incr','n') end", /limit of steps/);
  fails(engine, "local t={} while true do t[#t+1]=string.rep('x',1e6) end", /limit of allocated bytes/);
  fails(engine, 'local function f() return f() + 1 end return f()', /stack overflow/);
  assert.equal(engine.call('GET', 'a'), '1');
  assert.equal(engine.call('EVAL', 'return 1', 0), 1);
});

test('a fault of the engine within a script that has changed something ends the node', () => {
  const engine = new Engine();
  const row = engine.table.byText.get('incr') as { handler: WriteCommand['handler'] };
  row.handler = (request, database) => {
    database.changed(request.view(1), undefined);
    throw new RangeError('half done');
  };
  assert.throws(() => apply(engine, ['EVAL', "pcall(redis.call,'incr','n') return 1", '0']), /half done/);
  row.handler = () => {
    throw new RangeError('not begun');
  };
  const [reply] = apply(new Engine(), ['EVAL', 'return 1', '0']);
  assert.equal(reply, 1);
  fails(engine, "redis.call('incr','n')", /^ERR internal error/);
});

test('read-only scripts change nothing, their own cache included', () => {
  const engine = new Engine();
  apply(engine, ['SET', 'a', '1']);
  const before = engine.digest();
  assert.equal(engine.call('EVAL_RO', "return redis.call('get','a')", 0), '1');
  assert.throws(
    () => engine.call('EVAL_RO', "return redis.call('set','a','2')", 0),
    /Write commands are not allowed/,
  );
  assert.equal(engine.digest(), before);
});
