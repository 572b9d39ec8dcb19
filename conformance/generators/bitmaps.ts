/** Bits within strings. */
import type { Random } from '../live/random.js';
import type { Family } from '../live/unit.js';
import { index, integer, key, spoil, value } from '../live/words.js';

function offset(random: Random): string {
  if (random.oneIn(30)) return random.pick(['-1', 'x', '4294967296', '4294967295999', '1.5', '']);
  return String(random.oneIn(10) ? random.below(4000) : random.below(70));
}

function bitType(random: Random): string {
  if (random.oneIn(25)) return random.pick(['u64', 'i65', 'u0', 'i0', 'x8', 'u', '8', 'i-1', 'U8']);
  return (
    random.pick(['u', 'i']) +
    random.pick(['1', '2', '4', '5', '7', '8', '9', '13', '16', '31', '32', '33', '63'])
  );
}

function fieldOffset(random: Random): string {
  if (random.oneIn(30)) return random.pick(['#', '#x', '-1', '#-1', 'x', '']);
  return (random.oneIn(3) ? '#' : '') + String(random.below(random.oneIn(5) ? 40 : 12));
}

function bitfieldValue(random: Random): string {
  return random.oneIn(3)
    ? integer(random)
    : String(
        random.pick([-1, 0, 1, 2, 7, 15, 100, 127, 128, 255, 256, -128, -129, 32767, 65535, 2147483647]),
      );
}

function operation(random: Random, readOnly: boolean): string[] {
  const kind = readOnly && !random.oneIn(15) ? 0 : random.below(4);
  if (kind === 0) return [random.case('GET'), bitType(random), fieldOffset(random)];
  if (kind === 1) return [random.case('SET'), bitType(random), fieldOffset(random), bitfieldValue(random)];
  if (kind === 2) return [random.case('INCRBY'), bitType(random), fieldOffset(random), bitfieldValue(random)];
  return [
    random.case('OVERFLOW'),
    random.oneIn(25) ? 'NOPE' : random.case(random.pick(['WRAP', 'SAT', 'FAIL'])),
  ];
}

function range(random: Random): string[] {
  return [
    index(random),
    index(random),
    ...random.maybe(() => [random.case(random.pick(['BYTE', 'BIT', 'BIT']))]),
  ];
}

export const family: Family = {
  name: 'bitmaps',
  generators: [
    [
      8,
      (random) =>
        spoil(random, [
          'SETBIT',
          key(random),
          offset(random),
          random.oneIn(25) ? '2' : random.pick(['0', '1']),
        ]),
    ],
    [4, (random) => spoil(random, ['GETBIT', key(random), offset(random)])],
    [6, (random) => spoil(random, ['BITCOUNT', key(random), ...random.maybe(() => range(random), 1)])],
    [2, (random) => spoil(random, ['BITCOUNT', key(random)])],
    [
      8,
      (random) =>
        spoil(random, [
          ...['BITPOS', key(random), random.oneIn(25) ? '2' : random.pick(['0', '1'])],
          ...(random.oneIn(3) ? [] : random.oneIn(3) ? [index(random)] : range(random)),
        ]),
    ],
    [
      6,
      (random) =>
        spoil(random, [
          ...[
            'BITOP',
            random.oneIn(30) ? 'NAND' : random.case(random.pick(['AND', 'OR', 'XOR', 'NOT'])),
            key(random),
          ],
          ...random.many(1, 3, () => key(random)),
        ]),
    ],
    [
      14,
      (random) =>
        spoil(random, ['BITFIELD', key(random), ...random.many(0, 4, () => operation(random, false)).flat()]),
    ],
    [
      5,
      (random) =>
        spoil(random, [
          'BITFIELD_RO',
          key(random),
          ...random.many(0, 3, () => operation(random, true)).flat(),
        ]),
    ],
    [4, (random) => ['SET', key(random), value(random)]],
    [
      1,
      (random) => [
        'SET',
        key(random),
        random.pick(['\xff\xff\xff', '\x00\x00', '\x00\xff\x0f', '\xff'.repeat(40)]),
      ],
    ],
    [2, (random) => ['GET', key(random)]],
    [1, (random) => ['APPEND', key(random), value(random)]],
    [1, (random) => [random.oneIn(3) ? 'RPUSH' : 'DEL', key(random), 'x']],
    [2, (random) => ['DEL', key(random)]],
    [1, (random) => ['OBJECT', 'ENCODING', key(random)]],
  ],
};
