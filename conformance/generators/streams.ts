/**
 * Streams and their groups. Ids are written out, so that both servers have the same: `*` only where the last
 * id lies in the future. Idle times are either a moment or half a century, so that a minimum of some days
 * tells them apart on both.
 */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { count, shape, spoil, wrongTypeOrGone } from '../live/words.js';
import type { Reply } from '../reply.js';

const MINUTES = '600000';

function key(random: Random): string {
  return random.pick(['s', 's', 's', 't', 't', 'a']);
}

/** Its ids lie in the future: {@link futureId}. */
const FUTURE = 'future';

function id(random: Random): string {
  if (random.oneIn(40)) {
    return random.pick([
      ...['0-0', '0', '-', '+', '', 'x', '1-', '-1', '1-x', '1--1', '01-02', ' 1-1', '+1-1', '1-1-1', '(1-1'],
      ...[
        '18446744073709551615-18446744073709551615',
        '18446744073709551616-0',
        '9007199254740993-1',
        '$',
        '>',
      ],
    ]);
  }
  return random.oneIn(6) ? String(random.below(12)) : `${random.below(12)}-${random.below(6)}`;
}

const futureId = (random: Random): string => `${33177117420000 + random.below(50)}-${random.below(4)}`;

/** An id for XADD: now and then far behind all others, so that the stream goes on. */
function newId(random: Random): string {
  if (random.oneIn(30)) return random.pick(['18446744073709551615-*', '9007199254740992-5', '4294967296-0']);
  if (random.oneIn(4)) return `${random.below(300)}-*`;
  return random.oneIn(3) ? id(random) : `${random.below(300)}-${random.below(20)}`;
}

function bound(random: Random): string {
  if (random.oneIn(3)) return random.pick(['-', '+']);
  return `${random.oneIn(4) ? '(' : ''}${id(random)}`;
}

const group = (random: Random): string => random.pick(['g', 'g', 'g', 'h', 'h', 'none']);
const consumer = (random: Random): string => random.pick(['alice', 'bob', 'carol', '']);

function fields(random: Random): string[] {
  const pair = (): string[] => [
    random.pick(['f', 'g', '1', '']),
    random.pick(['1', 'x', '', '-5', '123456789012']),
  ];
  if (random.oneIn(2)) return ['f', String(random.below(1000)), 'g', random.pick(['x', '1'])];
  if (random.oneIn(20)) return ['f', 'y'.repeat(random.pick([63, 64, 200, 4095, 5000]))];
  return random.many(1, 4, pair).flat();
}

function trim(random: Random): string[] {
  const isLength = random.oneIn(2);
  return [
    random.case(isLength ? 'MAXLEN' : 'MINID'),
    ...random.maybe(() => [random.pick(['~', '='])]),
    isLength ? (random.oneIn(12) ? count(random) : String(random.below(40))) : id(random),
    ...random.maybe(() => ['LIMIT', count(random)], 6),
  ];
}

function xadd(random: Random): string[] {
  if (random.oneIn(6))
    return [
      'XADD',
      FUTURE,
      ...(random.oneIn(2) ? ['NOMKSTREAM', '*'] : [futureId(random)]),
      ...fields(random),
    ];
  return spoil(random, [
    ...['XADD', key(random)],
    ...random.maybe(() => ['NOMKSTREAM'], 12),
    ...random.maybe(() => trim(random), 8),
    newId(random),
    ...fields(random),
  ]);
}

const limited = (random: Random): string[] => random.maybe(() => [random.case('COUNT'), count(random)]);

const streamsOf = (random: Random, ids: () => string): string[] => {
  const keys = random.many(1, 2, () => key(random));
  return ['STREAMS', ...keys, ...keys.map(ids)];
};

function xread(random: Random): string[] {
  return spoil(random, [
    'XREAD',
    ...limited(random),
    ...streamsOf(random, () => (random.oneIn(8) ? '$' : id(random))),
  ]);
}

function xreadgroup(random: Random): string[] {
  return spoil(random, [
    ...['XREADGROUP', 'GROUP', group(random), consumer(random)],
    ...limited(random),
    ...random.maybe(() => ['NOACK'], 6),
    ...streamsOf(random, () => (random.oneIn(3) ? id(random) : '>')),
  ]);
}

function xgroup(random: Random): string[] {
  const start = random.oneIn(3) ? random.pick(['$', '0']) : id(random);
  const read = random.maybe(() => ['ENTRIESREAD', random.pick(['0', '1', '5', '100', '-1', '-2', 'x'])], 4);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return [
        'XGROUP',
        'CREATE',
        key(random),
        group(random),
        start,
        ...random.maybe(() => ['MKSTREAM'], 3),
        ...read,
      ];
    case 3:
    case 4:
      return ['XGROUP', 'SETID', key(random), group(random), start, ...read];
    case 5:
      return ['XGROUP', 'CREATECONSUMER', key(random), group(random), consumer(random)];
    case 6:
      return ['XGROUP', 'DELCONSUMER', key(random), group(random), consumer(random)];
    default:
      return random.oneIn(4)
        ? ['XGROUP', 'DESTROY', key(random), group(random)]
        : ['XGROUP', 'CREATE', key(random), 'g', '0'];
  }
}

const minIdle = (random: Random): string => random.pick(['0', '0', MINUTES, '-1']);

function xclaim(random: Random): string[] {
  return spoil(random, [
    ...['XCLAIM', key(random), group(random), consumer(random), minIdle(random)],
    ...random.many(1, 4, () => id(random)),
    ...random
      .shuffle([
        random.maybe(() =>
          random.pick([
            ['IDLE', '2000000000'],
            ['TIME', '5'],
            ['TIME', '99999999999999'],
            ['IDLE', '-1'],
          ]),
        ),
        random.maybe(() => ['RETRYCOUNT', random.pick(['0', '7', '-1', '9223372036854775807', 'x'])], 4),
        random.maybe(() => ['FORCE'], 3),
        random.maybe(() => ['JUSTID'], 3),
        random.maybe(() => ['LASTID', id(random)], 6),
      ])
      .flat(),
  ]);
}

function xautoclaim(random: Random): string[] {
  return spoil(random, [
    ...['XAUTOCLAIM', key(random), group(random), consumer(random), minIdle(random), bound(random)],
    ...limited(random),
    ...random.maybe(() => ['JUSTID'], 3),
  ]);
}

/** [id, consumer, idle, count]: idle is a moment, or long. */
function idleHidden(reply: Reply): Reply {
  if (!('items' in reply)) return reply;
  if (reply.items.length !== 4 || reply.items[2]?.type !== 'integer')
    return { ...reply, items: reply.items.map(idleHidden) };
  const [entry, owner, idle, deliveries] = reply.items;
  const long = Number((idle as { text?: string }).text) > 100_000_000 ? '1' : '0';
  return { ...reply, items: [entry!, owner!, { ...idle!, text: long } as Reply, deliveries!] };
}

function xpending(random: Random): Unit {
  const range = [
    ...random.maybe(() => ['IDLE', random.pick(['0', MINUTES, 'x'])], 3),
    ...[bound(random), bound(random), count(random)],
    ...random.maybe(() => [consumer(random)]),
  ];
  const words = ['XPENDING', key(random), group(random), ...(random.oneIn(3) ? [] : range)];
  return command(spoil(random, words), { normalise: idleHidden });
}

/** Times of the clock are long integers; nothing else here is. */
export function timesHidden(reply: Reply): Reply {
  if ('items' in reply) return { ...reply, items: reply.items.map(timesHidden) };
  if ('entries' in reply)
    return { ...reply, entries: reply.entries.map(([name, value]) => [name, timesHidden(value)]) };
  return reply.type === 'integer' && reply.text.length >= 12 ? { ...reply, text: '0' } : reply;
}

function xinfo(random: Random): Unit {
  switch (random.below(4)) {
    case 0:
      return command(spoil(random, ['XINFO', 'GROUPS', key(random)]), { normalise: timesHidden });
    case 1:
      return command(['XINFO', 'CONSUMERS', key(random), group(random)], { normalise: shape });
    case 2:
      return command(spoil(random, ['XINFO', 'STREAM', key(random)]), { normalise: timesHidden });
    default:
      return command(['XINFO', 'STREAM', key(random), 'FULL', ...limited(random)], {
        normalise: timesHidden,
      });
  }
}

export const family: Family = {
  name: 'streams',
  settings: { 'stream-node-max-entries': '5' },
  generators: [
    [40, xadd],
    [6, (random) => spoil(random, ['XDEL', key(random), ...random.many(1, 5, () => id(random))])],
    [3, (random) => spoil(random, ['XTRIM', key(random), ...trim(random)])],
    [2, (random) => ['XLEN', key(random)]],
    [
      8,
      (random) =>
        spoil(random, [
          random.pick(['XRANGE', 'XREVRANGE']),
          key(random),
          bound(random),
          bound(random),
          ...limited(random),
        ]),
    ],
    [
      2,
      (random) =>
        spoil(random, [
          ...['XSETID', key(random), id(random)],
          ...random.maybe(() => ['ENTRIESADDED', count(random)], 3),
          ...random.maybe(() => ['MAXDELETEDID', id(random)], 3),
        ]),
    ],
    [6, xread],
    [20, xreadgroup],
    [12, xgroup],
    [
      8,
      (random) => spoil(random, ['XACK', key(random), group(random), ...random.many(1, 4, () => id(random))]),
    ],
    [8, xpending],
    [10, xclaim],
    [6, xautoclaim],
    [6, xinfo],
    [1, (random) => [random.pick(['XINFO', 'XGROUP']), 'HELP']],
    [1, wrongTypeOrGone],
    [1, (random) => ['DEL', key(random)]],
    [1, (random) => ['COPY', key(random), key(random), ...random.maybe(() => ['REPLACE'])]],
    [1, (random) => ['RENAME', key(random), key(random)]],
    [1, exchange],
  ],
};

/** Restores on each server what the other dumped; the state comparison that follows judges the contents. */
function exchange(random: Random): Unit {
  const name = key(random);
  return {
    crossScript: {
      name: `DUMP ${name} on one server, RESTORE on the other, both ways`,
      async run(reference, target) {
        const [here, there] = [await reference(['DUMP', name]), await target(['DUMP', name])];
        if (here.type !== there.type) return `DUMP gives ${there.type}, Redis gives ${here.type}`;
        if (here.type !== 'bulk' || there.type !== 'bulk') return undefined;
        const replies = [
          await target(['RESTORE', name, '0', here.text, 'REPLACE']),
          await reference(['RESTORE', name, '0', there.text, 'REPLACE']),
        ];
        const refused = replies.find((reply) => reply.type !== 'simple');
        return refused === undefined ? undefined : `a payload is refused: ${JSON.stringify(replies)}`;
      },
    },
  };
}
