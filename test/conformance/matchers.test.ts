import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, parseExceptions } from '../../conformance/exceptions.js';
import { parseMatcher } from '../../conformance/matchers.js';
import { parseReply } from '../../conformance/notation.js';
import type { Reply } from '../../conformance/reply.js';

function reply(text: string): Reply {
  return parseReply(text.split('|'));
}

function check(directive: string, recorded: string, actual: string): boolean {
  return parseMatcher(directive).matches(reply(recorded), reply(actual));
}

test('unordered', () => {
  assert.ok(check('unordered', '*2|  $"a"|  $"b"', '*2|  $"b"|  $"a"'));
  assert.ok(!check('unordered', '*2|  $"a"|  $"b"', '*2|  $"b"|  $"b"'));
  assert.ok(!check('unordered', '*2|  $"a"|  $"b"', '~2|  $"a"|  $"b"'));
  assert.ok(check('unordered', '%2|  $"a": :1|  $"b": :2', '%2|  $"b": :2|  $"a": :1'));
  assert.ok(!check('unordered', '%2|  $"a": :1|  $"b": :2', '%2|  $"b": :1|  $"a": :2'));
});

test('unordered-pairs keeps pairs together', () => {
  const recorded = '*4|  $"a"|  $"1"|  $"b"|  $"2"';
  assert.ok(check('unordered-pairs', recorded, '*4|  $"b"|  $"2"|  $"a"|  $"1"'));
  assert.ok(!check('unordered-pairs', recorded, '*4|  $"b"|  $"1"|  $"a"|  $"2"'));
});

test('unordered-at orders one element only', () => {
  const recorded = '*2|  $"0"|  *2|    $"a"|    $"b"';
  assert.ok(check('unordered-at 1', recorded, '*2|  $"0"|  *2|    $"b"|    $"a"'));
  assert.ok(!check('unordered-at 1', recorded, '*2|  $"1"|  *2|    $"b"|    $"a"'));
});

test('within, regexp, one-of, subset-of, shape, any', () => {
  assert.ok(check('within 2', ':100', ':98'));
  assert.ok(!check('within 2', ':100', ':97'));
  assert.ok(!check('within 2', ':100', '$"100"'));
  assert.ok(check('within 2', '*2|  :1|  $"a"', '*2|  :3|  $"a"'));
  assert.ok(!check('within 2', '*2|  :1|  $"a"', '*2|  :3|  $"b"'));
  assert.ok(check('~^a\\d$', '$"a1"', '$"a2"'));
  assert.ok(!check('~^a\\d$', '$"a1"', '-a2'));
  assert.ok(check('one-of a b', '$"a"', '$"b"'));
  assert.ok(!check('one-of a b', '$"a"', '$"c"'));
  assert.ok(check('subset-of a b c', '*2|  $"a"|  $"b"', '*2|  $"c"|  $"c"'));
  assert.ok(!check('subset-of a b c', '*2|  $"a"|  $"b"', '*1|  $"c"'));
  assert.ok(check('shape', '*2|  :1|  $nil', '*2|  :9|  $nil'));
  assert.ok(!check('shape', '*2|  :1|  $nil', '*2|  :9|  *nil'));
  assert.ok(check('any', ':1', '-ERR'));
});

test('a wrong directive says what is allowed', () => {
  assert.throws(() => parseMatcher('sorted'), /allowed are unordered/);
  assert.throws(() => parseMatcher('within'), /takes a number/);
});

test('known differences need a reason and match all three', () => {
  const known = parseExceptions(
    '# comment\ncommand: ^INFO\nredis: .*\nredraft: raft\nreason: ours has a section more\n',
  );
  assert.equal(explain(known, 'INFO', '$"x"', '$"# raft"')?.reason, 'ours has a section more');
  assert.equal(explain(known, 'INFO', '$"x"', '$"y"'), undefined);
  assert.equal(explain(known, 'GET k', '$"x"', '$"# raft"'), undefined);
  assert.throws(() => parseExceptions('command: x\nredis: y\nredraft: z\n'), /without reason/);
  assert.throws(() => parseExceptions('nonsense\n'), /expected command/);
});
