/**
 * `npm run conformance:acl-real -- [--pairs N] [--seed N]`: random rules and random commands, which are run:
 * alone, in MULTI with the rules that hold or with others behind it, by a script. What redis-server and
 * Redraft refuse a user must be the same, in the same words, and so must their ACL LOG. Prints what differs.
 */
import { parseArgs } from 'node:util';
import { commonCommands, facts, randomCommand, randomRule, timeoutMs, wordsOf } from './acl-random.js';
import type { ReplyClient } from './client.js';
import { Random } from './live/random.js';
import { printCommand } from './notation.js';
import { type Reply, textOf } from './reply.js';
import { startRedis, startRedraft } from './servers.js';

const pairsPerUser = 200;
const differencesShown = 20;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const wanted = Number(values.pairs);
const seed = Number(values.seed);

/** What ends or changes the connection, the server or its users, waits, or reaches out: not to be run. */
const notRun = new RegExp(
  `^(${[
    ...[
      'shutdown',
      'debug',
      'monitor',
      'quit',
      'reset',
      'auth',
      'hello',
      'client\\|(kill|reply|pause|tracking)',
    ],
    ...['replicaof', 'slaveof', 'failover', 'p?sync', 'replconf', 'config\\|(set|rewrite)', 'module\\|.*'],
    ...[
      'acl\\|(setuser|deluser|load|save|log)',
      'bgsave',
      'save',
      'bgrewriteaof',
      'migrate',
      'pfselftest',
      'wait',
    ],
    ...[
      'multi',
      'exec',
      'discard',
      'watch',
      'select',
      'swapdb',
      'script\\|debug',
      'p?s?(un)?subscribe',
      'cluster\\|.*',
    ],
  ].join('|')})$`,
);
/** What waits where nothing keeps it from that. */
const blocks = /^(b[lz]|brpop|xread)/;

const fill = [
  ['FLUSHALL'],
  ...[
    ['SET', 'a', '1'],
    ['RPUSH', 'a:1', '2', '1'],
    ['ZADD', 'a:2', '1', 'x'],
    ['GEOADD', 'b:1', '1', '1', 'x'],
  ],
  ...[
    ['HSET', 'b:1x', '1', 'x'],
    ['SADD', 'c', 'a', 'b'],
    ['XADD', '{a}:1', '1-1', 'a', '1'],
    ['PFADD', 'A:1', 'x'],
  ],
];

/** How a command is run, and which of the replies is its own. */
type Way = 'alone' | 'in a transaction' | 'in a transaction, with other rights' | 'by a script';

interface Step {
  readonly client: 'user' | 'admin';
  readonly words: readonly string[];
  readonly asked: readonly string[];
  readonly way: Way;
}

/** What is said about rights, wherever it stands in a reply. */
function refusals(reply: Reply): string[] {
  if ('items' in reply) return reply.items.flatMap(refusals);
  if (reply.type !== 'error') return [];
  const { text } = reply;
  return /NOPERM|insufficient ACL|The user executing the script/.test(text) ? [text] : [];
}

/** How often ACL LOG has noted each refusal. */
function logged(reply: Reply): string {
  if (!('items' in reply)) return JSON.stringify(reply);
  const counts = new Map<string, number>();
  for (const entry of reply.items) {
    const [, count, ...texts] = 'items' in entry ? entry.items.map((item) => textOf(item) ?? '') : [];
    // Reason, context, object and user; not when, and by which connection.
    const what = texts.slice(0, 8).join(' ');
    counts.set(what, (counts.get(what) ?? 0) + Number(count));
  }
  // What scripts are refused is noted when they run, what stands behind them when it is read.
  const lines = [...counts].map(([what, count]) => `${what}: ${count}`);
  return lines.sort().join('\n');
}

const started = performance.now();
const servers = [await startRedis(), await startRedraft()];
let pairs = 0;
let refused = 0;
let users = 0;
let differences = 0;

function show(what: string, theirs: string, ours: string, rules: readonly string[]): void {
  differences++;
  if (differences > differencesShown) return;
  console.log(`\nrules:   ${printCommand(rules)}\ncommand: ${what}\nredis:   ${theirs}\nredraft: ${ours}`);
}

/** The commands that scripts may call here: of the others that is said before rights are asked for. */
async function commandsOfScripts(admin: ReplyClient, names: readonly string[]): Promise<Set<string>> {
  await admin.call(['ACL', 'SETUSER', 'nobody', 'on', 'nopass', '+eval']);
  const client = await servers[1]!.connect();
  client.trustOwnParser();
  await client.call(['AUTH', 'nobody', 'x']);
  const replies = await client.pipeline(
    names.map((name) => {
      const words = name.split('|');
      while (words.length < Math.abs(facts.get(name)!.arity)) words.push('x');
      return ['EVAL', 'return redis.call(unpack(ARGV))', '0', ...words];
    }),
    timeoutMs,
  );
  client.close();
  await admin.call(['ACL', 'DELUSER', 'nobody']);
  return new Set(names.filter((_, i) => refusals(replies[i]!).length > 0));
}

function steps(
  random: Random,
  asked: readonly string[],
  rules: readonly string[],
  scripted: ReadonlySet<string>,
): Step[] {
  const waits = blocks.test(asked[0]!);
  const way: Way = waits
    ? 'in a transaction'
    : random.pick(['alone', 'in a transaction', 'in a transaction, with other rights', 'by a script']);
  const step = (words: readonly string[], client: Step['client'] = 'user'): Step => ({
    client,
    words,
    asked,
    way,
  });
  if (way === 'alone') return [step(asked)];
  if (way === 'by a script') {
    const [name, subcommand] = asked;
    if (!scripted.has(name!) && !scripted.has(`${name}|${subcommand}`)) return [step(asked)];
    return [step(['EVAL', `return redis.${random.pick(['call', 'pcall'])}(unpack(ARGV))`, '0', ...asked])];
  }
  const queued = [step(['MULTI']), step(asked)];
  if (way === 'in a transaction') return [...queued, step(['EXEC'])];
  const more = ['on', 'nopass', '+eval', '+multi', '+exec'];
  const everything = ['ACL', 'SETUSER', 'u', 'reset', '+@all', '~*', '&*', ...more];
  const limited = ['ACL', 'SETUSER', 'u', 'reset', ...rules.flatMap(wordsOf), ...more];
  return [step(everything, 'admin'), ...queued, step(limited, 'admin'), step(['EXEC'])];
}

try {
  const admins = await Promise.all(servers.map((server) => server.connect()));
  for (const admin of admins) admin.trustOwnParser();
  const known = await commonCommands(admins);
  const run = known.filter((name) => !notRun.test(name));
  const scripted = await commandsOfScripts(admins[1]!, run);
  await Promise.all(admins.map((admin) => admin.call(['CONFIG', 'SET', 'acllog-max-len', '10000'])));
  for (let at = 0; pairs < wanted && differences < differencesShown; at++) {
    const random = new Random(seed + at);
    const rules: string[] = [];
    for (const one of random.many(1, 8, () => randomRule(random, known))) {
      const replies = await Promise.all(
        admins.map((admin) => admin.call(['ACL', 'SETUSER', 'u', ...wordsOf(one)], timeoutMs)),
      );
      // One that is refused would take the others along.
      if (replies[0]!.type === 'simple') rules.push(one);
    }
    const asked = Array.from({ length: Math.min(pairsPerUser, wanted - pairs) }, () =>
      randomCommand(random, run),
    );
    const all = asked.flatMap((words) => steps(random, words, rules, scripted));
    const play = async (
      admin: ReplyClient,
      client: ReplyClient,
    ): Promise<{ replies: Reply[]; log: string }> => {
      client.trustOwnParser();
      await admin.pipeline(
        [
          ...fill,
          ['ACL', 'LOG', 'RESET'],
          ['ACL', 'SETUSER', 'u', 'on', 'nopass', '+eval', '+multi', '+exec'],
        ],
        timeoutMs,
      );
      await client.call(['AUTH', 'u', 'x']);
      const replies: Reply[] = [];
      for (let i = 0; i < all.length; ) {
        const first = i;
        while (i < all.length && all[i]!.client === all[first]!.client) i++;
        const words = all.slice(first, i).map((step) => step.words);
        replies.push(...(await (all[first]!.client === 'admin' ? admin : client).pipeline(words, timeoutMs)));
      }
      const log = logged(await admin.call(['ACL', 'LOG', '1000'], timeoutMs));
      await admin.call(['ACL', 'DELUSER', 'u']);
      client.close();
      return { replies, log };
    };
    const [theirs, ours] = await Promise.all(
      servers.map(async (server, i) => play(admins[i]!, await server.connect())),
    );
    users++;
    pairs += asked.length;
    let different = false;
    for (const [i, step] of all.entries()) {
      const [said, says] = [theirs!, ours!].map(({ replies }) => refusals(replies[i]!));
      if (said!.length > 0 && step.client === 'user') refused++;
      if (said!.join('\n') === says!.join('\n')) continue;
      different = true;
      show(
        `${printCommand(step.asked)} (${step.way})`,
        JSON.stringify(theirs!.replies[i]),
        JSON.stringify(ours!.replies[i]),
        rules,
      );
    }
    if (!different && theirs!.log !== ours!.log) {
      const [said, says] = [theirs!.log.split('\n'), ours!.log.split('\n')];
      const [missing, more] = [
        said.filter((one) => !says.includes(one)),
        says.filter((one) => !said.includes(one)),
      ];
      show('ACL LOG', JSON.stringify(missing.slice(0, 3)), JSON.stringify(more.slice(0, 3)), rules);
    }
  }
} finally {
  for (const server of servers) await server.stop();
}
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${pairs} commands of ${users} users run, ${refused} replies refuse, ${differences} differences, seed ${seed}, ${seconds} s`,
);
process.exitCode = differences === 0 ? 0 : 1;
