/** Random rules and random commands: what users are compared by. */

import type { ReplyClient } from './client.js';
import { recordedCommandFacts } from './command-facts.js';
import type { Random } from './live/random.js';

/** Of one pipeline. */
export const timeoutMs = 60_000;

export const facts = recordedCommandFacts();
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

/** A rule for users: good, senseless, or refused. */
export function randomRule(random: Random, names: readonly string[], isSelector = false): string {
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
      return `(${random.many(0, 4, () => randomRule(random, names, true)).join(' ')})`;
    case 16:
      return random.pick(['on', 'off', 'nopass', 'resetpass', 'sanitize-payload', 'skip-sanitize-payload']);
    case 17:
      return random.pick(['>secret', '<secret', `#${'0'.repeat(64)}`, '#bad']);
    default:
      return random.pick(['reset', 'clearselectors', '+@all', '+@read', '+@write', '~*']);
  }
}

/** A command with as many arguments as it takes, or some more: keys, numbers, words of options. */
export function randomCommand(random: Random, names: readonly string[]): string[] {
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

/** A rule's words: those of a selector come one by one. */
export const wordsOf = (rule: string): string[] => rule.split(/(?<=^\([^)]*) /);

/** The commands that all servers know. */
export async function commonCommands(clients: readonly ReplyClient[]): Promise<string[]> {
  const names = [...facts.keys()];
  const known = await Promise.all(
    clients.map((client) =>
      client.pipeline(
        names.map((name) => ['ACL', 'SETUSER', 'u', `+${name}`]),
        timeoutMs,
      ),
    ),
  );
  for (const client of clients) await client.call(['ACL', 'DELUSER', 'u']);
  return names.filter((_, i) => known.every((replies) => replies[i]!.type === 'simple'));
}
