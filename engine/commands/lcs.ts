/** LCS: the longest common subsequence of two strings. */
import { type ReadContext, read } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { MapReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import {
  commonSubsequenceLength,
  longestCommonSubsequence,
  type Match,
  tableSizeBytes,
} from '../values/longest-common-subsequence.js';

const value = new View();

/** Bytes of the string at `key`, none when it is absent; valid while the command runs. */
function bytesAt(database: ReadableDatabase, key: View): Buffer {
  const slot = database.find(key);
  if (slot !== ABSENT && database.type(slot) !== 'string') throw errors.lcsNotStrings;
  const { buffer, start, end } =
    slot === ABSENT ? value.on(key.buffer, 0, 0) : database.stringAt(slot, value);
  return buffer.subarray(start, end);
}

function matchReply({ aStart, aEnd, bStart, bEnd, length }: Match, withLength: boolean): Reply {
  const ranges: Reply[] = [
    [aStart, aEnd],
    [bStart, bEnd],
  ];
  if (withLength) ranges.push(length);
  return ranges;
}

function lcs(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  // Both are looked up, whatever the first one holds.
  for (const i of [1, 2]) database.lookup(request.view(i));
  const a = bytesAt(database, request.view(1));
  const b = bytesAt(database, request.view(2));
  let wantsLength = false;
  let wantsMatches = false;
  let withMatchLength = false;
  let minMatchLength = 0;
  for (let i = 3; i < request.count; i++) {
    const word = request.option(i);
    if (word === 'IDX') wantsMatches = true;
    else if (word === 'LEN') wantsLength = true;
    else if (word === 'WITHMATCHLEN') withMatchLength = true;
    else if (word === 'MINMATCHLEN' && i + 1 < request.count) minMatchLength = request.integer(++i);
    else throw errors.syntax;
  }
  if (wantsMatches && wantsLength) throw errors.lcsLengthAndIndexes;
  if (tableSizeBytes(a.length, b.length) > context.keyspace.settings['proto-max-bulk-len'])
    throw errors.lcsTableTooLarge;
  if (wantsLength) return commonSubsequenceLength(a, b);
  const { bytes, matches } = longestCommonSubsequence(a, b);
  if (!wantsMatches) return bytes;
  const long = matches.filter(({ length }) => length >= minMatchLength);
  return new MapReply([
    'matches',
    long.map((match) => matchReply(match, withMatchLength)),
    'len',
    bytes.length,
  ]);
}

export const longestCommonSubsequences = [
  read(
    {
      name: 'lcs',
      arity: -3,
      keys: '1..+1 RO access',
      group: 'string',
      since: '7.0.0',
      complexity: 'O(N*M), N and M the lengths of the strings',
      summary: 'Finds the longest common subsequence of two strings.',
      syntax: 'key1:key key2:key [LEN] [IDX] [MINMATCHLEN len:integer] [WITHMATCHLEN]',
    },
    lcs,
  ),
];
