/**
 * The small worlds from which generators draw: few keys and few values, so that collisions, wrong types and
 * boundaries are the rule.
 */
import { sorted, within } from '../matchers.js';
import type { Reply } from '../reply.js';
import type { Random } from './random.js';
import type { Compare, Normalise } from './unit.js';

/** A key: mostly one of few. */
export function key(random: Random): string {
  return random.pick(['a', 'a', 'a', 'b', 'b', 'c', 'd', 'key:1']);
}

/**
 * A key loses its value, or now and then gets one of another type: seldom, for most commands on it then only
 * fail.
 */
export function wrongTypeOrGone(random: Random): string[] {
  return random.oneIn(6) ? ['SET', key(random), value(random)] : ['DEL', key(random)];
}

/** A value, a member or a field: numbers, text, bytes, the empty string, sizes around thresholds. */
export function value(random: Random): string {
  switch (random.below(16)) {
    case 0:
      return '';
    case 1:
      return integer(random);
    case 2:
      return 'x'.repeat(random.pick([20, 31, 32, 33, 44, 45, 63, 64, 65]));
    case 3:
      return random.pick(['\x00', '\xff\xfe', 'a\r\nb', '"q"', "it's", '\x00\x01\x02']);
    case 4:
      return float(random);
    case 5:
    case 6:
    case 7:
      return String(random.between(-3, 12));
    default:
      return random.pick(['foo', 'bar', 'baz', 'm1', 'm2', 'm3', 'm4', 'm5', 'Hello', 'hello']);
  }
}

/** A short member from a small world. */
export function member(random: Random): string {
  return random.oneIn(8)
    ? value(random)
    : random.pick(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', '1', '2', '3']);
}

/** An integer as text, boundary values and malformed ones among them. */
export function integer(random: Random): string {
  if (random.oneIn(6)) {
    return random.pick([
      ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-9223372036854775809'],
      ...[
        '4294967296',
        '2147483647',
        '2147483648',
        '-2147483649',
        '99999999999999999999',
        '1.5',
        'x',
        '',
        ' 1',
      ],
      ...[
        '1 ',
        '+1',
        '-0',
        '01',
        '0x1',
        '1e2',
        '127',
        '128',
        '-128',
        '-129',
        '32767',
        '32768',
        '4095',
        '4096',
      ],
    ]);
  }
  return String(random.oneIn(4) ? random.between(-1000, 100000) : random.between(-5, 20));
}

/** A small index or count, seldom malformed. */
export function index(random: Random): string {
  return random.oneIn(25) ? integer(random) : String(random.between(-7, 9));
}

/** A count from 0 up, seldom malformed or negative. */
export function count(random: Random): string {
  return random.oneIn(20) ? integer(random) : String(random.between(0, 6));
}

/** A floating-point number as text. */
export function float(random: Random): string {
  if (random.oneIn(8)) {
    return random.pick([
      ...['inf', '-inf', '+inf', 'nan', '1e308', '-1e308', '1e400', '1e-400', '4.9e-324', '-0', '0', '-0.0'],
      ...['abc', '', ' 1', '1 ', '0x10', '1e5', '.5', '5.', '+2', 'infinity', '17179869184', '1e17', '1e21'],
      ...['0.1', '0.2', '3.0000000000000004', '9007199254740993', '123456789012345680', '1e-7', '0.000001'],
    ]);
  }
  if (random.oneIn(3)) return String(random.between(-1000000, 1000000) / random.pick([10, 100, 1000, 7, 3]));
  return String(random.between(-10, 10) / random.pick([1, 1, 2, 4]));
}

/** A score for sorted sets: few values, so that ties are common. */
export function score(random: Random): string {
  return random.oneIn(12) ? float(random) : String(random.between(-3, 6));
}

/**
 * A time to live of seconds that no run outlives, or one that is past, or nonsense. From a wide range: with
 * GT and LT it must not matter whether two servers set two equal ones in the same millisecond.
 */
export function seconds(random: Random): string {
  return random.oneIn(12) ? integerOfExpiry(random) : String(random.between(10_000, 900_000_000));
}

function integerOfExpiry(random: Random): string {
  return random.pick([
    '0',
    '-1',
    'x',
    '',
    '9223372036854775807',
    '9223372036854775',
    '1.5',
    '-9223372036854775808',
  ]);
}

/** The same in milliseconds. */
export function milliseconds(random: Random): string {
  return random.oneIn(12)
    ? integerOfExpiry(random)
    : String(random.between(10_000, 900_000_000) * 1000 + random.below(1000));
}

/** A Unix time in seconds: far off, or past. */
export function unixSeconds(random: Random): string {
  if (random.oneIn(8)) return random.pick(['1', '0', '-1', 'x', '9223372036854775807', '9223372036854775']);
  return String(33177117420 + random.below(5));
}

/** A Unix time in milliseconds. */
export function unixMilliseconds(random: Random): string {
  if (random.oneIn(8)) return random.pick(['1', '0', '-1', 'x', '9223372036854775807']);
  return String(33177117420000 + random.below(5));
}

/** A glob pattern. */
export function pattern(random: Random): string {
  return random.pick([
    ...[
      '*',
      'm*',
      '?',
      '??',
      '[ab]',
      '[^a]',
      '[a-c]',
      'm[1-3]',
      'key:*',
      '*1',
      '',
      'foo',
      '\\a',
      '[',
      'a[',
      '[]a]',
    ],
    ...['*o*', '[c-a]', '[^', 'm\\', '**1', '?*?', '[\\a]', 'h?llo', 'nothing'],
  ]);
}

/** Replaces words at random by something wrong: a missing word, one too many, a wrong option. */
export function spoil(random: Random, words: string[]): string[] {
  if (!random.oneIn(30)) return words;
  const spoilt = [...words];
  // A small number where a time to live stands would let the key die while two servers are compared.
  const small = words.some((word) => /^p?(set|get)?ex(pire)?$|^px$/i.test(word)) ? '0' : '2';
  // A key that must stay absent, because chance would choose from it, keeps its name.
  const first = words[1] === 'none' ? 2 : 1;
  switch (random.below(4)) {
    case 0:
      spoilt.pop();
      return spoilt.length > 0 ? spoilt : words;
    case 1:
      spoilt.push(random.pick(['x', '1', 'NOPE', '', 'COUNT']));
      return spoilt;
    case 2:
      if (spoilt.length > first) {
        spoilt[random.between(first, spoilt.length - 1)] = random.pick(['x', '', '-1', 'NOPE', small]);
      }
      return spoilt;
    default:
      if (spoilt.length > 2) spoilt.splice(random.between(first, spoilt.length - 1), 1);
      return spoilt;
  }
}

/** Elements have no order. */
export const unordered: Normalise = (reply) => sorted(reply);

/** Pairs in RESP2, a map in RESP3. */
export const unorderedPairs: Normalise = (reply) => sorted(reply, true);

/** Only type and count matter. */
export const shape: Normalise = (reply): Reply => {
  if ('items' in reply) return { ...reply, items: reply.items.map(shape) };
  if ('entries' in reply) return { ...reply, entries: reply.entries.map(([k, v]) => [k, shape(v)]) };
  return 'text' in reply && reply.type !== 'error' ? { ...reply, text: '' } : reply;
};

/** Numbers may differ by so much: for what depends on the moment. */
export function tolerance(by: number): Compare {
  return (reference, target) => within(by, reference, target);
}
