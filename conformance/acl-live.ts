/**
 * `npm run conformance:acl -- [--pairs N] [--seed N]`: random rules and random commands; redis-server's ACL
 * DRYRUN and Redraft's must say the same of each pair, byte by byte, and ACL SETUSER and GETUSER of each
 * user. Prints what differs.
 */
import { parseArgs } from 'node:util';
import { commonCommands, randomCommand, randomRule, timeoutMs, wordsOf } from './acl-random.js';
import { Random } from './live/random.js';
import { printCommand } from './notation.js';
import { equalReplies, type Reply, textOf } from './reply.js';
import { startRedis, startRedraft } from './servers.js';

const pairsPerUser = 400;
const differencesShown = 20;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '200000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const wanted = Number(values.pairs);
const seed = Number(values.seed);

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
  const names = await commonCommands(clients);
  for (let at = 0; pairs < wanted && differences < differencesShown; at++) {
    const random = new Random(seed + at);
    const rules = random.many(1, 8, () => randomRule(random, names));
    const asked: string[][] = [
      // Rules come one by one, as a refused one would take the others along.
      ...rules.map((one) => ['ACL', 'SETUSER', 'u', ...wordsOf(one)]),
      ['ACL', 'GETUSER', 'u'],
    ];
    const commands = Array.from({ length: Math.min(pairsPerUser, wanted - pairs) }, () =>
      randomCommand(random, names),
    );
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
