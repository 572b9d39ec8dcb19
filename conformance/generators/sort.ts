/** SORT and SORT_RO. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { float, index, spoil } from '../live/words.js';

function element(random: Random): string {
  return random.oneIn(12)
    ? random.pick(['x', '', '1.5', '-1', 'abc', '1e3', 'inf', 'nan', ' 1', '0x1'])
    : String(random.below(9));
}

/**
 * A number that fits a double: after one that does not (in any command), Redis's next SORTs fail as well,
 * since it looks at an errno that nobody has reset.
 */
function weight(random: Random): string {
  const text = float(random);
  return ['1e400', '1e-400', '4.9e-324'].includes(text) ? '1e300' : text;
}

function source(random: Random): string {
  return random.pick(['list', 'list', 'list2', 'set', 'zset', 'string', 'none']);
}

function patternWord(random: Random): string {
  return random.pick([
    'w_*',
    'w_*',
    'h_*->f',
    'h_*->none',
    'nosort',
    'w_*_x',
    '*',
    'none_*',
    'h_*->',
    '#',
    'w_',
    '->',
    '*->f',
  ]);
}

function options(random: Random): string[] {
  return random
    .shuffle([
      random.maybe(() => [random.case('BY'), patternWord(random)], 3),
      random.maybe(() => [random.case('LIMIT'), index(random), index(random)], 3),
      random.maybe(() => [random.case('GET'), patternWord(random)], 3),
      random.maybe(() => [random.case('GET'), '#'], 6),
      random.maybe(() => [random.case(random.pick(['ASC', 'DESC']))]),
      random.maybe(() => [random.case('ALPHA')]),
    ])
    .flat();
}

/**
 * A set has no order until it is sorted, and elements that sort equal (BY a pattern, nosort) keep what order
 * there is; a sorted set is read in its dictionary's order unless BY nosort asks for its own. Such replies
 * are compared with lists as sources only.
 */
function sort(random: Random): Unit {
  const from = source(random);
  const chosen = options(random);
  const vague = (from === 'set' || from === 'zset') && chosen.some((word) => /^(by|limit)$/i.test(word));
  const words = ['SORT', vague ? 'list' : from, ...chosen];
  if (random.oneIn(4))
    return command(spoil(random, [...words, 'STORE', random.pick(['target', 'list2', 'list'])]));
  if (random.oneIn(4)) words[0] = 'SORT_RO';
  return command(spoil(random, words));
}

/** BY nosort on a sorted set follows its order. */
function sortZset(random: Random): string[] {
  return [
    ...['SORT', 'zset', 'BY', 'nosort'],
    ...random.maybe(() => [random.pick(['ASC', 'DESC'])]),
    ...random.maybe(() => ['LIMIT', index(random), index(random)]),
    ...random.maybe(() => ['GET', 'w_*', 'GET', '#'], 3),
  ];
}

export const family: Family = {
  name: 'sort',
  // Redis turns the sorted set that it sorts into a skiplist for good; Redraft sorts the listpack.
  settings: { 'zset-max-listpack-entries': '0' },
  generators: [
    [8, (random) => ['RPUSH', random.pick(['list', 'list2']), ...random.many(1, 5, () => element(random))]],
    [4, (random) => ['SADD', 'set', ...random.many(1, 3, () => String(random.below(20)))]],
    [4, (random) => ['ZADD', 'zset', weight(random), String(random.below(9))]],
    [1, () => ['SET', 'string', 'x']],
    [8, (random) => ['SET', `w_${random.below(9)}`, random.oneIn(3) ? weight(random) : element(random)]],
    [6, (random) => ['HSET', `h_${random.below(9)}`, 'f', element(random)]],
    [2, (random) => ['DEL', random.pick(['list', 'list2', 'set', 'zset', 'target', `w_${random.below(9)}`])]],
    [2, (random) => ['LTRIM', random.pick(['list', 'list2']), '-6', '-1']],
    [30, sort],
    [3, sortZset],
    [2, () => ['LRANGE', 'target', '0', '-1']],
    [1, (random) => ['RPUSH', `w_${random.below(9)}`, 'wrong-type']],
  ],
};
