/** HyperLogLog: estimates, the string form byte by byte, corrupt values. */
import { withoutCachedCardinality } from '../cached-cardinality.js';
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { spoil, value } from '../live/words.js';

function key(random: Random): string {
  return random.pick(['h1', 'h2', 'h3', 'h4', 'h5']);
}

/** Elements from small and large worlds: sparse and dense registers. */
function elements(random: Random): string[] {
  if (random.oneIn(10)) {
    const start = random.below(1_000_000);
    return Array.from({ length: random.between(50, 400) }, (_, index) => `element-${start + index}`);
  }
  return random.many(0, 6, () => (random.oneIn(3) ? value(random) : `e${random.below(2000)}`));
}

/**
 * Bytes that damage a HYLL string (but for the estimate in it, which Redraft never caches), or that are none.
 */
function corrupt(random: Random): Unit {
  const name = key(random);
  const words = random.pick([
    [
      'SETRANGE',
      name,
      String(random.oneIn(2) ? random.below(8) : random.between(16, 40)),
      random.pick(['\x00', '\xff', 'x', 'HYLL', '\x01']),
    ],
    [
      'SET',
      name,
      random.pick(['HYLL', 'abc', '', `HYLL\x02${'\x00'.repeat(11)}`, `HYLL\x00${'\x00'.repeat(20)}`]),
    ],
    ['APPEND', name, random.pick(['\x00', '\xff\xff', 'x'])],
    ['RPUSH', `${name}-list`, 'x'],
  ]);
  return {
    commands: [
      { words },
      { words: ['SETRANGE', name, '15', '\x80'] },
      { words: ['PFCOUNT', name] },
      { words: ['PFADD', name, 'x'] },
      { words: ['DEL', name] },
    ],
  };
}

export const family: Family = {
  name: 'hyperloglog',
  generators: [
    [12, (random) => spoil(random, ['PFADD', key(random), ...elements(random)])],
    [8, (random) => spoil(random, ['PFCOUNT', key(random)])],
    [4, (random) => spoil(random, ['PFCOUNT', ...random.many(1, 4, () => key(random))])],
    [4, (random) => spoil(random, ['PFMERGE', key(random), ...random.many(0, 3, () => key(random))])],
    [2, (random) => command(['GET', key(random)], { normalise: withoutCachedCardinality })],
    [2, (random) => ['STRLEN', key(random)]],
    [
      1,
      (random) =>
        spoil(random, ['PFDEBUG', random.pick(['ENCODING', 'DECODE', 'TODENSE', 'NOPE']), key(random)]),
    ],
    [
      1,
      (random) => (random.oneIn(20) ? command(['PFDEBUG', 'GETREG', key(random)]) : ['EXISTS', key(random)]),
    ],
    [1, corrupt],
    [2, (random) => ['DEL', key(random)]],
    [1, (random) => ['OBJECT', 'ENCODING', key(random)]],
  ],
};
