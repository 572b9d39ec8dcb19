/**
 * `npm run conformance:acl -- [--pairs N] [--seed N]`: random rules and random commands; redis-server's ACL
 * DRYRUN and Redraft's must say the same of each pair, byte by byte, and ACL SETUSER and GETUSER of each
 * user. Prints what differs.
 */
import { parseArgs } from 'node:util';
import { recordedCommandFacts } from './command-facts.js';
import { Random } from './live/random.js';
import { printCommand } from './notation.js';
import { equalReplies, type Reply, textOf } from './reply.js';
import { startRedis, startRedraft } from './servers.js';

const pairsPerUser = 400;
const differencesShown = 20;
const timeoutMs = 60_000;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const wanted = Number(values.pairs);
const seed = Number(values.seed);

const facts = recordedCommandFacts();
/** Of commands that both have. */
let names = [...facts.keys()];
const categories = [...new Set([...facts.values()].flatMap(({ categories: of }) => of))].map((name) =>
  name.replace('@', ''),
);
const keys = ['a', 'a:1', 'a:2', 'b:1', 'b:1x', 'c', '', '{a}:1', 'A:1'];
const patterns = ['*', 'a*', 'a:*', 'b:?', 'b:[0-9]', 'c', '{a}*', '\\*', ''];
const words = [
  ...[
    'STORE',
    'STOREDIST',
    'BY',
    'GET',
    'KEYS',
    'STREAMS',
    'AUTH',
    'AUTH2',
    'COUNT',
    'WEIGHTS',
    'LIMIT',
    'ALPHA',
  ],
  ...['GROUP', 'NOSCORES', '#', '*', 'x', 'nosort', 'w_*', 'a:*->f', 'EX', 'NX', 'CH', 'SET', 'u8'],
];
const numbers = ['0', '1', '2', '3', '-1', '10', '1.5'];

function rule(random: Random, isSelector: boolean): string {
  const name = (): string => random.pick(names);
  switch (random.below(isSelector ? 14 : 20)) {
    case 0:
    case 1:
      return `+${name()}`;
    case 2:
      return `-${name()}`;
    case 3:
    case 4:
      return `${random.pick(['+', '-'])}@${random.pick(categories)}`;
    case 5:
      return random.pick(['+@all', '-@all', 'allcommands', 'nocommands']);
    case 6:
    case 7:
      return `~${random.pick(patterns)}`;
    case 8:
    case 9:
      return `%${random.pick(['R', 'W', 'RW', 'r', 'w', 'wr', '', 'X'])}~${random.pick(patterns)}`;
    case 10:
      return `&${random.pick(patterns)}`;
    case 11:
      return random.pick(['allkeys', 'resetkeys', 'allchannels', 'resetchannels']);
    case 12:
      return `+${name()}|${random.pick(['get', '0', 'a', 'x'])}`;
    case 13:
      return random.pick(['+nosuch', '+@nosuch', '-get|x', 'nosense', '+config|nosuch']);
    case 14:
    case 15:
      return `(${random.many(0, 4, () => rule(random, true)).join(' ')})`;
    case 16:
      return random.pick(['on', 'off', 'nopass', 'resetpass', 'sanitize-payload', 'skip-sanitize-payload']);
    case 17:
      return random.pick(['>secret', '<secret', `#${'0'.repeat(64)}`, '#bad']);
    default:
      return random.pick(['reset', 'clearselectors', '+@all', '+@read', '+@write', '~*']);
  }
}

function command(random: Random): string[] {
  const name = random.pick(names);
  const { arity } = facts.get(name)!;
  const given = name.split('|');
  const least = Math.abs(arity);
  const count = arity > 0 && !random.oneIn(10) ? least : least + random.below(5);
  while (given.length < count) {
    const kind = random.below(10);
    given.push(random.pick(kind < 6 ? keys : kind < 8 ? numbers : words));
  }
  return given;
}

const started = performance.now();
const servers = [await startRedis(), await startRedraft()];
let pairs = 0;
let denied = 0;
let users = 0;
let differences = 0;

/**
 * GETUSER sums up a user's commands by categories, whose members differ where Redraft lacks a command, in the
 * order of a hash table whose seed is new at each start: that text is not compared. What it amounts to,
 * DRYRUN tells.
 */
function withoutCommands(reply: Reply): Reply {
  if ('items' in reply) return { ...reply, items: reply.items.map(withoutCommands) } as Reply;
  return /^[-+]@/.test(textOf(reply) ?? '') ? ({ ...reply, text: '' } as Reply) : reply;
}

function compare(asked: readonly string[], theirs: Reply, ours: Reply, rules: readonly string[]): void {
  if (equalReplies(withoutCommands(theirs), withoutCommands(ours))) return;
  differences++;
  if (differences > differencesShown) return;
  console.log(`\nrules:   ${printCommand(rules)}\ncommand: ${printCommand(asked)}`);
  console.log(`redis:   ${JSON.stringify(theirs)}\nredraft: ${JSON.stringify(ours)}`);
}

try {
  const clients = await Promise.all(servers.map((server) => server.connect()));
  for (const client of clients) client.trustOwnParser();
  const both = (commands: readonly (readonly string[])[]): Promise<Reply[][]> =>
    Promise.all(clients.map((client) => client.pipeline(commands, timeoutMs)));
  const [, known] = await both(names.map((name) => ['ACL', 'SETUSER', 'u', `+${name}`]));
  names = names.filter((_, i) => known![i]!.type === 'simple');
  await both([['ACL', 'DELUSER', 'u']]);
  for (let at = 0; pairs < wanted && differences < differencesShown; at++) {
    const random = new Random(seed + at);
    const rules = random.many(1, 8, () => rule(random, false));
    const asked: string[][] = [
      // Rules come one by one, as a refused one would take the others along.
      ...rules.map((one) => ['ACL', 'SETUSER', 'u', ...one.split(/(?<=^\([^)]*) /)]),
      ['ACL', 'GETUSER', 'u'],
    ];
    const commands = Array.from({ length: Math.min(pairsPerUser, wanted - pairs) }, () => command(random));
    asked.push(...commands.map((words) => ['ACL', 'DRYRUN', 'u', ...words]), ['ACL', 'DELUSER', 'u']);
    const [theirs, ours] = await both(asked);
    users++;
    for (const [i, words] of asked.entries()) {
      if (words[1] === 'DRYRUN') {
        pairs++;
        if (theirs![i]!.type === 'bulk') denied++;
      }
      compare(words, theirs![i]!, ours![i]!, rules);
    }
  }
} finally {
  for (const server of servers) await server.stop();
}
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${pairs} pairs of ${users} users, ${denied} denied, ${differences} differences, seed ${seed}, ${seconds} s`,
);
process.exitCode = differences === 0 ? 0 : 1;
