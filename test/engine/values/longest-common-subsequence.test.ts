import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  commonSubsequenceLength,
  longestCommonSubsequence,
  tableSizeBytes,
} from '../../../engine/values/longest-common-subsequence.js';

function solve(a: string, b: string) {
  const { bytes, matches } = longestCommonSubsequence(Buffer.from(a), Buffer.from(b));
  return {
    text: bytes.toString(),
    ranges: matches.map(({ aStart, aEnd, bStart, bEnd, length }) => [aStart, aEnd, bStart, bEnd, length]),
  };
}

test('the example of the Redis documentation', () => {
  assert.deepEqual(solve('ohmytext', 'mynewtext'), {
    text: 'mytext',
    ranges: [
      [4, 7, 5, 8, 4],
      [2, 3, 0, 1, 2],
    ],
  });
});

test('among equals the one of redis-server 7.0.15', () => {
  assert.deepEqual(solve('abcabba', 'cbabac'), {
    text: 'cbba',
    ranges: [
      [5, 6, 3, 4, 2],
      [4, 4, 1, 1, 1],
      [2, 2, 0, 0, 1],
    ],
  });
  assert.deepEqual(solve('', 'abc'), { text: '', ranges: [] });
  assert.deepEqual(solve('abc', 'xyz'), { text: '', ranges: [] });
  assert.deepEqual(solve('abc', 'abc'), { text: 'abc', ranges: [[0, 2, 0, 2, 3]] });
});

function isSubsequence(part: string, whole: string): boolean {
  let at = 0;
  for (const character of whole) if (character === part[at]) at++;
  return at === part.length;
}

test('it is common, as long as any, and its matches spell it', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 9 });
  const best = (a: string, b: string): number => {
    let longest = 0;
    for (let mask = 0; mask < 1 << a.length; mask++) {
      const part = [...a].filter((_, i) => (mask >> i) & 1).join('');
      if (part.length > longest && isSubsequence(part, b)) longest = part.length;
    }
    return longest;
  };
  fc.assert(
    fc.property(text, text, (a, b) => {
      const solved = solve(a, b);
      assert.ok(isSubsequence(solved.text, a) && isSubsequence(solved.text, b));
      assert.equal(solved.text.length, best(a, b));
      assert.equal(commonSubsequenceLength(Buffer.from(a), Buffer.from(b)), solved.text.length);
      const spelled = solved.ranges.toReversed().map(([aStart, aEnd, bStart, bEnd]) => {
        assert.equal(a.slice(aStart, aEnd! + 1), b.slice(bStart, bEnd! + 1));
        return a.slice(aStart, aEnd! + 1);
      });
      assert.equal(spelled.join(''), solved.text);
    }),
    { numRuns: 300 },
  );
  assert.equal(tableSizeBytes(9, 99), 4000);
});
