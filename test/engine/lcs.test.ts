/** LCS in process. */
import { test } from 'node:test';
import { script } from './script.js';

test('LCS', () => {
  script([
    ['MSET a ohmytext b mynewtext', 'OK'],
    ['LCS a b', 'mytext'],
    ['LCS a b LEN', 6],
    ['LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN', ['matches', [[[4, 7], [5, 8], 4]], 'len', 6]],
    ['LCS a none', ''],
    ['LCS a b IDX LEN', '!ERR If you want both the length and indexes, please just use IDX.'],
    ['LCS a b MINMATCHLEN', '!ERR syntax error'],
    ['RPUSH l x', 1],
    ['LCS a l NOPE', '!ERR The specified keys must contain string values'],
    ['SETRANGE big 199999 x', 200000],
    ['LCS big big LEN', '!ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len'],
  ]);
});
