/** Strings in process: one line a case. What each reply looks like on the wire is conformance's matter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, type JavaScriptReply, ReplyError } from '../../engine/index.js';

/** Runs `SET k v` style lines and compares; an expectation that starts with `!` is an error text. */
function script(lines: readonly (readonly [command: string, expected: JavaScriptReply])[]): void {
  const engine = new Engine();
  for (const [line, expected] of lines) {
    let got: JavaScriptReply;
    try {
      got = engine.call(...line.split(' '));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      got = `!${error.message}`;
    }
    assert.deepEqual(got, expected, line);
  }
}

test('SET options', () => {
  script([
    ['SET k v', 'OK'],
    ['SET k w NX', null],
    ['SET k w XX GET', 'v'],
    ['SET k x NX GET', 'w'],
    ['SET k v EX 0', "!ERR invalid expire time in 'set' command"],
    ['SET k v NX XX', '!ERR syntax error'],
    ['SET k v EX 10 KEEPTTL', '!ERR syntax error'],
    ['SET k v EX 9223372036854775807', "!ERR invalid expire time in 'set' command"],
  ]);
});

test('integers are exact to 64 bits', () => {
  script([
    ['INCRBY n 9223372036854775806', 9223372036854775806n],
    ['INCR n', 9223372036854775807n],
    ['INCR n', '!ERR increment or decrement would overflow'],
    ['DECRBY n -9223372036854775808', '!ERR decrement would overflow'],
  ]);
});

test('a string past 8 KiB is edited in place and reads the same', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 'x'.repeat(8000));
  engine.call('APPEND', 'k', 'y'.repeat(1000));
  engine.call('SETRANGE', 'k', 20_000, 'z');
  assert.equal(engine.call('STRLEN', 'k'), 20_001);
  assert.equal(engine.call('GETRANGE', 'k', 7999, 8000), 'xy');
  assert.equal(engine.call('GETRANGE', 'k', 8999, 9001), 'y\0\0');
  assert.equal(engine.call('GETRANGE', 'k', -2, -1), '\0z');
});

test('a deadline passes in logged time', () => {
  const engine = new Engine();
  engine.setTime(1_000_000);
  engine.call('SET', 'k', 'v', 'PX', 100);
  engine.fastForward(99);
  assert.equal(engine.call('GET', 'k'), 'v');
  engine.fastForward(1);
  assert.equal(engine.call('GET', 'k'), null);
});
