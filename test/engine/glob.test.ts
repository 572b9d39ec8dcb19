/** Redis's glob: each line was asked of redis-server 7.0.15 (HSCAN key 0 MATCH pattern). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { globMatches } from '../../engine/glob.js';
import { viewOf } from '../../engine/view.js';

const matches = (pattern: string, text: string, ignoreCase = false): boolean =>
  globMatches(viewOf(pattern), viewOf(text), ignoreCase);

test('what matches what', () => {
  const yes = [
    ['h?llo', 'hello'],
    ['h*llo', 'hllo'],
    ['h*llo', 'heeeello'],
    ['h[ae]llo', 'hallo'],
    ['h[^e]llo', 'hallo'],
    ['h[a-c]llo', 'hbllo'],
    ['h[c-a]llo', 'hbllo'],
    ['a\\*', 'a*'],
    ['a\\', 'a\\'],
    ['[\\]]', ']'],
    ['a**', 'a'],
    ['[^', 'x'],
    ['[a', 'a'],
    ['[a-', '-'],
    ['[\x80-a]', '\x90'],
    ['*a*b', 'xaxbxaxb'],
    ['', ''],
  ];
  for (const [pattern, text] of yes) assert.equal(matches(pattern, text), true, pattern);
  const no = [
    ['h?llo', 'hllo'],
    ['h[^e]llo', 'hello'],
    ['*', ''],
    ['[]', ''],
    ['[]a]', ']a'],
    ['[', 'x'],
    ['[a-z', '-'],
    ['[\x80-a]', '\x7f'],
    ['hello', 'HELLO'],
    ['a', 'ab'],
  ];
  for (const [pattern, text] of no) assert.equal(matches(pattern, text), false, pattern);
});

test('ignoring case', () => {
  assert.ok(matches('HeL*', 'hello', true));
  assert.ok(matches('[A-C]x', 'bX', true));
  assert.ok(!matches('[Z-a]', 'z', true));
  assert.ok(!matches('[\\A]', 'a', true), 'an escaped byte in a class stands for itself alone');
});

test('stars cost at most pattern times text', () => {
  const pattern = `${'a*'.repeat(2000)}b`;
  assert.equal(matches(pattern, 'a'.repeat(20_000)), false);
});

test('a pattern of stars and literals agrees with a regular expression', () => {
  const piece = fc.constantFrom('a', 'b', '*', '?');
  fc.assert(
    fc.property(
      fc.array(piece),
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1 }),
      (parts, text) => {
        const source = parts.map((part) => (part === '*' ? '.*' : part === '?' ? '.' : part)).join('');
        assert.equal(matches(parts.join(''), text), new RegExp(`^${source}$`).test(text));
      },
    ),
  );
});
