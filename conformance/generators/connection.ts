/**
 * Connection and server commands where two servers can be equal: replies whose values are of the moment are
 * compared by shape.
 */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { shape, spoil, unordered, unorderedPairs, value } from '../live/words.js';
import { type Reply, textOf } from '../reply.js';

/** Commands whose introspection must be equal. */
const names = [
  ...[
    'get',
    'set',
    'append',
    'mget',
    'mset',
    'lpush',
    'lmpop',
    'blpop',
    'blmove',
    'sort',
    'sort_ro',
    'zadd',
    'zunion',
  ],
  ...[
    'zunionstore',
    'zrangestore',
    'georadius',
    'geosearchstore',
    'migrate',
    'restore',
    'object',
    'hset',
    'eval',
    'scan',
  ],
  ...[
    'bitfield',
    'bitop',
    'pfcount',
    'pfmerge',
    'multi',
    'exec',
    'watch',
    'select',
    'auth',
    'hello',
    'copy',
    'move',
    'lcs',
  ],
  ...[
    'expire',
    'object|encoding',
    'config|get',
    'client|kill',
    'memory|usage',
    'sintercard',
    'smove',
    'nosuch',
    'GETEX',
    'xx|y',
  ],
];

function name(random: Random): string {
  return random.pick(names);
}

/** Flags, categories and tips are sets; RESP2 gives arrays. Subcommands come in the order of a dictionary. */
function commandRow(reply: Reply): Reply {
  return sortDeep(reply);
}

function sortDeep(reply: Reply): Reply {
  if ('items' in reply) return unordered({ ...reply, items: reply.items.map(sortDeep) });
  if ('entries' in reply)
    return unordered({ ...reply, entries: reply.entries.map(([k, v]) => [k, sortDeep(v)]) });
  return reply;
}

/** A command line for COMMAND GETKEYS. */
function someCommand(random: Random): string[] {
  return random.pick([
    ['GET', 'k'],
    ['MSET', 'a', '1', 'b', '2'],
    ['ZUNIONSTORE', 'd', '2', 'a', 'b'],
    ['ZUNIONSTORE', 'd', random.pick(['0', '3', 'x', '-1']), 'a', 'b'],
    ['SORT', 'l', 'BY', 'w_*', 'GET', 'o_*', 'STORE', 'd'],
    ['SORT', 'l'],
    ['GEORADIUS', 'g', '1', '2', '3', 'km', 'STORE', 'd'],
    ['GEOSEARCHSTORE', 'd', 's', 'FROMMEMBER', 'm', 'BYRADIUS', '1', 'm'],
    ['BLPOP', 'a', 'b', '0'],
    ['BLMPOP', '0', '2', 'a', 'b', 'LEFT'],
    ['LMPOP', '1', 'a', 'LEFT'],
    ['SINTERCARD', '2', 'a', 'b'],
    ['MIGRATE', 'h', '1', '', '0', '1', 'KEYS', 'a', 'b'],
    ['MIGRATE', 'h', '1', 'k', '0', '1'],
    ['BITOP', 'AND', 'd', 'a', 'b'],
    ['OBJECT', 'ENCODING', 'k'],
    ['SET', 'k', 'v', 'GET'],
    ['COPY', 'a', 'b'],
    ['LCS', 'a', 'b'],
    ['EXEC'],
    ['PING'],
    ['NOSUCH', 'x'],
    ['GET'],
    ['PFMERGE', 'd', 'a', 'b'],
    ['ZDIFF', '2', 'a', 'b', 'WITHSCORES'],
    ['RESTORE', 'k', '0', 'x'],
    ['MEMORY', 'USAGE', 'k'],
    ['EVAL', 'x', '1', 'k'],
    ['XREAD', 'STREAMS', 'a', '0'],
  ]);
}

function authentication(random: Random): string[] {
  if (random.oneIn(2)) return spoil(random, ['AUTH', random.pick(['pw', 'default'])]);
  return ['AUTH', random.pick(['default', 'nobody']), random.pick(['x', ''])];
}

/** Settings that both servers have and that a run may change without harm. */
function settings(random: Random): Unit {
  const setting = random.pick([
    ['hash-max-listpack-entries', '128', '64', 'x', '-1'],
    ['hash-max-ziplist-entries', '128', '64'],
    ['set-max-intset-entries', '512', '100', ''],
    ['zset-max-listpack-value', '64', '32', '1e3'],
    ['list-max-listpack-size', '-2', '-1', '128', 'x'],
    ['maxmemory-policy', 'noeviction', 'allkeys-lru', 'nope'],
    ['lfu-log-factor', '10', '5', '-1'],
    ['timeout', '0', '1000', 'x'],
    ['slowlog-log-slower-than', '10000', '-1', 'x'],
    ['nosuch-setting', '1'],
  ]);
  const words = random.oneIn(2)
    ? ['CONFIG', 'SET', setting[0]!, random.pick(setting.slice(1))]
    : ['CONFIG', 'GET', setting[0]!];
  return command(spoil(random, words), { normalise: unorderedPairs });
}

/** The names of INFO's fields: every field that Redis has must be there, whatever it says. */
function infoFields(random: Random): Unit {
  const section = random.pick(['server', 'clients', 'memory', 'persistence', 'stats', 'replication', 'cpu']);
  return {
    crossScript: {
      name: `the fields of INFO ${section}`,
      async run(reference, target) {
        const names = (reply: Reply): string[] =>
          [...(textOf(reply) ?? '').matchAll(/^([a-z_0-9]+):/gm)].map((match) => match[1]!);
        const there = new Set(names(await target(['INFO', section])));
        const missing = names(await reference(['INFO', section])).filter((name) => !there.has(name));
        return missing.length === 0 ? undefined : `missing: ${missing.join(', ')}`;
      },
    },
  };
}

export const family: Family = {
  name: 'connection',
  settings: { 'maxmemory-policy': 'noeviction' },
  generators: [
    [6, (random) => spoil(random, ['PING', ...random.maybe(() => [value(random)])])],
    [4, (random) => spoil(random, ['ECHO', value(random)])],
    [2, (random) => spoil(random, ['SELECT', random.pick(['0', '1', '15', '16', '-1', 'x'])])],
    [2, (random) => spoil(random, ['CLIENT', 'SETNAME', random.pick(['me', '', 'a b', 'x\ny', 'name'])])],
    [2, () => ['CLIENT', 'GETNAME']],
    [1, () => command(['CLIENT', 'ID'], { normalise: shape })],
    [1, (random) => spoil(random, ['CLIENT', 'NO-EVICT', random.pick(['ON', 'OFF', 'maybe'])])],
    [
      1,
      (random) => ['CLIENT', 'UNBLOCK', random.pick(['999999', 'x', '-1']), ...random.maybe(() => ['ERROR'])],
    ],
    [
      1,
      (random) => [
        'CLIENT',
        'KILL',
        ...random.pick([['ID', '999999'], ['1.2.3.4:5'], ['ID', 'x'], ['TYPE', 'nope'], ['ADDR', 'x']]),
      ],
    ],
    [1, () => ['CLIENT', 'UNPAUSE']],
    [1, (random) => ['CLIENT', random.pick(['NOPE', 'REPLY', 'TRACKINGINFO', 'GETREDIR', 'CACHING'])]],
    [1, () => command(['COMMAND', 'COUNT'], { normalise: shape })],
    [
      6,
      (random) =>
        command(['COMMAND', 'INFO', ...random.many(1, 2, () => name(random))], { normalise: commandRow }),
    ],
    [6, (random) => command(['COMMAND', 'DOCS', name(random)], { normalise: commandRow })],
    [
      6,
      (random) => ['COMMAND', random.pick(['GETKEYS', 'GETKEYS', 'GETKEYSANDFLAGS']), ...someCommand(random)],
    ],
    [1, () => ['COMMAND', 'NOPE']],
    [1, () => ['COMMAND', 'COUNT', 'x']],
    [5, settings],
    [1, infoFields],
    [1, () => ['CONFIG', 'RESETSTAT']],
    [1, (random) => command(['CLIENT', random.pick(['INFO', 'LIST'])], { normalise: shape })],
    [
      2,
      (random) => {
        const pattern = random.pick(['get*', 'z*', 'nosuch', '*store', 'bit???', '[sg]et']);
        return command(['COMMAND', 'LIST', 'FILTERBY', 'PATTERN', pattern], { normalise: unordered });
      },
    ],
    [1, () => command(['TIME'], { normalise: shape })],
    [1, () => command(['LASTSAVE'], { normalise: shape })],
    [1, () => command(['MEMORY', 'USAGE', 'nosuchkey'])],
    [1, (random) => spoil(random, ['OBJECT', 'HELP'])],
    // Rare: a node slows whoever fails at it.
    [1, (random) => (random.oneIn(12) ? authentication(random) : ['ACL', 'WHOAMI'])],
    [1, (random) => ['HELLO', random.pick(['1', '4', 'x', '-1', '2.0'])]],
    [1, () => ['RESET', 'x']],
    [
      1,
      (random) =>
        spoil(random, [random.pick(['NOSUCHCOMMAND', 'get ', '', 'a\r\nb', 'x'.repeat(200)]), value(random)]),
    ],
    [1, (random) => ['NOSUCH', ...random.many(0, 12, () => value(random))]],
    [
      1,
      (random) => [
        random.pick(['DEBUG', 'MEMORY', 'CONFIG', 'CLIENT', 'COMMAND', 'OBJECT', 'LATENCY']),
        'NOSUCH',
      ],
    ],
    [1, (random) => ['WAIT', '0', random.pick(['0', '-1', 'x'])]],
    [1, () => ['READONLY']],
  ],
};
