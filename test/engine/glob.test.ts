import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { globMatches, matchesEverything } from '../../engine/glob.js';
import { View } from '../../engine/protocol/view.js';

/** The text in the middle of other bytes, as keys lie in memory. */
function view(text: string): View {
  const bytes = Buffer.from(`*${text}*`, 'latin1');
  return new View(bytes, 1, bytes.length - 1);
}

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  return globMatches(view(pattern), view(text), ignoreCase);
}

/** Pattern, key, and whether KEYS of redis-server 7.0.15 finds it. */
const recorded: [string, string, boolean][] = [
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h*llo', 'heeello', true],
  ['h*llo', 'hllo', true],
  ['h[ae]llo', 'hallo', true],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['h[a-b]llo', 'hbllo', true],
  ['h[b-a]llo', 'hallo', true],
  ['h[a-', 'h-', true],
  ['h[a-', 'ha', true],
  ['h[ab', 'hb', true],
  ['h[', 'h[', false],
  ['h[', 'hx', false],
  ['h[^', 'hx', true],
  ['[]a]', 'a', false],
  ['[]a]', ']a]', false],
  ['[^]a]', 'xa]', true],
  ['[\\]]', ']', true],
  ['[\\-a]', '-', true],
  ['[a\\-z]', 'm', false],
  ['[a\\-z]', '-', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a\\', 'a\\', true],
  ['\\', '\\', true],
  ['[\\', '\\', true],
  ['a*b*c', 'aXbXbXc', true],
  ['a*b*c', 'aXbXbX', false],
  ['**', 'a', true],
  ['a**', 'a', true],
  ['*a', 'ba', true],
  ['*a', 'ab', false],
  ['?', '', false],
  ['', '', true],
  ['*', '', true],
  ['**', '', false],
  ['a', '', false],
  ['', 'a', false],
  ['[\x80-\x90]', '\x85', true],
  ['[a-\xff]', 'b', false],
  ['[a-\xff]', '\x01', true],
  ['[\xff-a]', '\x01', true],
  ['[^a-c]', 'd', true],
  ['[^a-c]', 'b', false],
  ['[a-c-e]', '-', true],
  ['[a-c-e]', 'd', false],
  ['[a-]', '-', false],
  ['[a-]x', '-x', false],
  ['[*]', '*', true],
  ['[?]', 'a', false],
  ['a[^\\', 'ab', true],
  ['*[', 'a[', false],
  ['*[', 'ab', false],
  ['A', 'a', false],
  ['[A-C]', 'b', false],
  ['\x00', '\x00', true],
  ['a?c', 'a\x00c', true],
  ['*\\', 'x\\', true],
  ['?*?', 'a', false],
  ['?*?', 'ab', true],
];

test('patterns match what KEYS of redis-server finds', () => {
  for (const [pattern, key, found] of recorded) {
    const label = `${JSON.stringify(pattern)} ${JSON.stringify(key)}`;
    assert.equal(matchesEverything(view(pattern)) || matches(pattern, key), found, label);
  }
});

test('letters match regardless of case when told so', () => {
  assert.ok(matches('GeT*', 'getrange', true));
  assert.ok(matches('[A-C]x', 'bX', true));
  assert.ok(matches('[xyz]', 'Y', true));
  assert.ok(!matches('\\[A]', 'a', true));
  // An escaped character within brackets keeps its case.
  assert.ok(!matches('[\\A]', 'a', true));
});

test('a literal text, escaped, matches itself alone', () => {
  const text = fc.string({
    unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const escaped = a.replace(/[*?[\]\\^-]/g, '\\$&');
      assert.ok(matches(escaped, a));
      assert.equal(matches(escaped, b), a === b);
      assert.ok(matches(`*${escaped}*`, b + a + b));
      assert.equal(matches('?'.repeat(a.length), b), a.length === b.length);
    }),
  );
});

test('asterisks equal a regular expression over a small alphabet', () => {
  const pattern = fc.string({ unit: fc.constantFrom('*', '?', 'a', 'b'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(pattern, text, (glob, subject) => {
      const expression = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
      assert.equal(matches(glob, subject), expression.test(subject));
    }),
    { numRuns: 3000 },
  );
});

test('a pattern made to explode costs no more than pattern times text', () => {
  const text = 'a'.repeat(20_000);
  const begun = process.hrtime.bigint();
  assert.ok(!matches(`${'a*'.repeat(200)}b`, text));
  assert.ok(!matches(`${'*a'.repeat(2_000)}b`, text));
  assert.ok(Number(process.hrtime.bigint() - begun) < 5e9);
});
