/**
 * What `engine.call` does beside the engine's own commands: connection, transaction, subscription; and its
 * other forms.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, ReplyError } from '../../engine/index.js';

test('commands of a connection answer as Redis does', () => {
  const engine = new Engine();
  engine.setTime(1_700_000_000_123);
  for (const [args, expected] of [
    [['PING'], 'PONG'],
    [['ping', 'grüße'], 'grüße'],
    [['ECHO', 'hello'], 'hello'],
    [['TIME'], ['1700000000', '123000']],
    [['CLIENT', 'ID'], 1],
    [['CLIENT', 'GETNAME'], null],
    [['CLIENT', 'SETNAME', 'me'], 'OK'],
    [['client', 'getname'], 'me'],
    [['QUIT'], 'OK'],
    [['RESET'], 'RESET'],
    [['CLIENT', 'GETNAME'], null],
  ] as const)
    assert.deepEqual(engine.call(...args), expected, args.join(' '));
  assert.ok((engine.call('COMMAND', 'COUNT') as number) > 150);
  assert.equal((engine.call('COMMAND', 'INFO', 'get') as unknown[][])[0][0], 'get');
  assert.deepEqual(engine.call('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'zrevrank'), ['zrevrank']);
  for (const [args, message] of [
    [['PING', 'a', 'b'], "ERR wrong number of arguments for 'ping' command"],
    [['ECHO'], "ERR wrong number of arguments for 'echo' command"],
    [['CLIENT', 'NONSENSE'], "ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP."],
    [
      ['SUBSCRIBE', 'c'],
      'ERR SUBSCRIBE has no connection to push to: engine.subscribe() and psubscribe() take a callback',
    ],
    [['NONSENSE', 'a'], "ERR unknown command 'NONSENSE', with args beginning with: 'a' "],
  ] as const)
    assert.throws(() => engine.call(...args), { name: 'ReplyError', message });
});

test('SELECT holds for what follows', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 'zero');
  assert.equal(engine.call('SELECT', 2), 'OK');
  assert.equal(engine.call('GET', 'k'), null);
  engine.call('SET', 'k', 'two');
  assert.throws(() => engine.call('SELECT', 99), /DB index is out of range/);
  assert.equal(engine.call('GET', 'k'), 'two');
  engine.call('SELECT', 0);
  assert.equal(engine.call('GET', 'k'), 'zero');
  const info = engine.call('INFO');
  assert.match(info, /# Keyspace\r\ndb0:keys=1\r\ndb2:keys=1\r\n$/);
  assert.match(engine.call('INFO', 'server'), /^# Server\r\nredis_version:7/);
  assert.doesNotMatch(engine.call('INFO', 'server'), /Keyspace/);
});

test('MULTI queues, EXEC runs, DISCARD forgets', () => {
  const engine = new Engine();
  assert.throws(() => engine.call('EXEC'), { message: 'ERR EXEC without MULTI' });
  assert.throws(() => engine.call('DISCARD'), { message: 'ERR DISCARD without MULTI' });
  assert.equal(engine.call('MULTI'), 'OK');
  assert.throws(() => engine.call('MULTI'), { message: 'ERR MULTI calls can not be nested' });
  assert.throws(() => engine.call('WATCH', 'k'), { message: 'ERR WATCH inside MULTI is not allowed' });
  const bytes = Buffer.from('v');
  for (const args of [
    ['SET', 'k', bytes],
    ['INCR', 'k'],
    ['SELECT', 1],
    ['SET', 'other', 1],
    ['PING'],
    ['GET', 'other'],
  ] as const)
    assert.equal(engine.call(...args), 'QUEUED');
  bytes[0] = 0x78;
  assert.deepEqual(engine.call('EXEC'), [
    'OK',
    'ERR value is not an integer or out of range',
    'OK',
    'OK',
    'PONG',
    '1',
  ]);
  assert.deepEqual(engine.call('KEYS', '*'), ['other']);
  engine.call('SELECT', 0);
  assert.equal(engine.call('GET', 'k'), 'v');
  engine.call('MULTI');
  engine.call('DEL', 'k');
  engine.call('DISCARD');
  assert.equal(engine.call('EXISTS', 'k'), 1);
  engine.call('MULTI');
  assert.throws(() => engine.call('SET', 'k'), /wrong number of arguments/);
  assert.throws(() => engine.call('EXEC'), {
    message: 'EXECABORT Transaction discarded because of previous errors.',
  });
});

test('WATCH sees changes, expiry and creation', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 1);
  const attempt = (change: () => void): unknown => {
    engine.call('WATCH', 'k', 'absent');
    change();
    engine.call('MULTI');
    engine.call('PING');
    return engine.call('EXEC');
  };
  assert.deepEqual(
    attempt(() => engine.call('GET', 'k')),
    ['PONG'],
  );
  assert.equal(
    attempt(() => engine.call('INCR', 'k')),
    null,
  );
  assert.equal(
    attempt(() => engine.call('SET', 'absent', 1)),
    null,
  );
  assert.deepEqual(
    attempt(() => {
      engine.call('INCR', 'k');
      engine.call('UNWATCH');
    }),
    ['PONG'],
  );
  engine.call('PEXPIRE', 'k', 100);
  assert.equal(
    attempt(() => engine.fastForward(101)),
    null,
  );
});

test('messages reach callbacks once the command is done, in their order', () => {
  const engine = new Engine();
  const heard: string[] = [];
  const end = engine.subscribe('news', (message, channel) => {
    heard.push(`${channel}: ${message}`);
    // A callback may call.
    if (message === 'first') engine.call('PUBLISH', 'other', 'echo');
  });
  engine.psubscribe('*', (message, channel, raw) => heard.push(`* ${channel}: ${message} ${raw.length}`));
  assert.equal(engine.call('PUBLISH', 'news', 'first'), 2);
  assert.deepEqual(heard, ['news: first', '* other: echo 4', '* news: first 5']);
  assert.deepEqual(engine.call('PUBSUB', 'CHANNELS'), ['news']);
  assert.deepEqual(engine.call('PUBSUB', 'NUMSUB', 'news', 'none'), ['news', 1, 'none', 0]);
  assert.equal(engine.call('PUBSUB', 'NUMPAT'), 1);
  end();
  heard.length = 0;
  assert.equal(engine.call('PUBLISH', 'news', 'late'), 1);
  assert.deepEqual(heard, ['* news: late 4']);
  assert.equal(new Engine().call('PUBLISH', 'news', 'x'), 0);
});

test('callBuffer answers bytes', () => {
  const engine = new Engine();
  const bytes = Buffer.from([0xff, 0, 0x80]);
  engine.call('SET', 'b', bytes);
  engine.call('ZADD', 'z', 1.5, bytes);
  engine.call('RPUSH', 'l', 'a', bytes);
  const reply = engine.callBuffer('GET', 'b');
  assert.deepEqual(reply, bytes);
  engine.call('SETRANGE', 'b', 0, 'x');
  assert.deepEqual(reply, bytes);
  assert.deepEqual(engine.callBuffer('ZRANGE', 'z', 0, -1, 'WITHSCORES'), [bytes, 1.5]);
  assert.deepEqual(engine.callBuffer('LRANGE', 'l', 0, -1), [Buffer.from('a'), bytes]);
  assert.equal(engine.callBuffer('SET', 'b', 1), 'OK');
  assert.equal(engine.callBuffer('GET', 'none'), null);
  assert.throws(() => engine.callBuffer('LPUSH', 'b', 1), { name: 'ReplyError', code: 'WRONGTYPE' });
});

test('exec runs a pipeline and has errors in their places', () => {
  const engine = new Engine();
  const [set, error, get] = engine.exec([
    ['SET', 'k', 'v'],
    ['INCR', 'k'],
    ['GET', 'k'],
  ]);
  assert.deepEqual([set, get], ['OK', 'v']);
  assert.ok(error instanceof ReplyError);
  assert.equal(error.message, 'ERR value is not an integer or out of range');
  assert.throws(
    () =>
      engine.exec([
        ['SET', 'x', '1'],
        ['SET', 'k', undefined as never],
      ]),
    {
      name: 'TypeError',
      message:
        'command 1: argument 2 is undefined: an argument is a string, a number, a bigint or a Uint8Array',
    },
  );
  assert.equal(engine.call('EXISTS', 'x'), 0);
  assert.deepEqual(engine.exec([]), []);
});

test('common commands have their types', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 'v');
  const text: string | null = engine.call('GET', 'k');
  const count: number = engine.call('RPUSH', 'l', 'a');
  const items: string[] = engine.call('LRANGE', 'l', 0, -1);
  const sum: number | bigint = engine.call('INCR', 'n');
  assert.deepEqual([text, count, items, sum], ['v', 1, ['a'], 1]);
  // @ts-expect-error: it may be null
  const never: string = engine.call('GET', 'none');
  assert.equal(never, null);
});
