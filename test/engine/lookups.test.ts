/**
 * What commands look up, by the hits and misses that redis-server 7.0.15 counts for them: keymiss events
 * follow the misses. Random commands are compared by `npm run conformance:live -- --events`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine } from '../../engine/index.js';

const setUp = [
  ['RPUSH', 'l', '1', '2', '3'],
  ['SET', 'w_1', 'x'],
  ['SET', 'str', 'y'],
  ['XADD', 's', '9-1', 'a', 'b'],
  ['XGROUP', 'CREATE', 's', 'g', '0'],
];

const cases: readonly [command: string, hits: number, misses: number][] = [
  // All elements, though the first has no score; and then nothing for GET.
  ['SORT l BY w_* GET g_*', 2, 2],
  ['SORT l BY w_* STORE d', 2, 2],
  ['SORT_RO l BY w_*', 2, 2],
  ['LCS l no', 1, 1],
  ['LCS str no', 1, 1],
  // As far as the first source that is no string.
  ['BITOP OR d no l str', 1, 1],
  ['BITOP OR d l no str', 1, 0],
  ['BITOP AND d str no no2', 1, 2],
  // Before the arguments are looked at.
  ['XAUTOCLAIM s g c x 0', 1, 0],
  ['XAUTOCLAIM no g c 0 0 COUNT 0', 0, 1],
  ['XAUTOCLAIM l g c 0 zz', 1, 0],
  // Once for the group, once for the entries.
  ['XREADGROUP GROUP g c STREAMS s >', 2, 0],
  ['XREADGROUP GROUP g c STREAMS s s 0 0', 4, 0],
  ['XREADGROUP GROUP no c STREAMS s >', 1, 0],
];

for (const [text, hits, misses] of cases)
  test(`${text} counts ${hits} hits and ${misses} misses`, () => {
    const engine = new Engine();
    for (const [name, ...args] of setUp) engine.call(name, ...args);
    const { statistics } = engine.keyspace;
    const { keyspaceHits, keyspaceMisses } = statistics;
    const [name, ...args] = text.split(' ');
    try {
      engine.call(name, ...args);
    } catch {
      // Some are refused.
    }
    assert.deepEqual(
      [statistics.keyspaceHits - keyspaceHits, statistics.keyspaceMisses - keyspaceMisses],
      [hits, misses],
    );
  });
