/**
 * No command reaches a key, a channel or a command that its user may not, whatever way it takes: random
 * rights and random commands, judged by a table of our own of what each command touches.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from './nodes.js';

/**
 * What a command touches: `R:a` reads key a, `W:a` writes it, `RW:a` both, `?:a` asks whether it is there;
 * `C:a` is a channel.
 */
type Case = readonly [command: string, touches: string, special?: 'allKeys' | 'pattern'];

const cases: readonly Case[] = [
  ['SET s v', 'W:s'],
  ['SET s v GET', 'RW:s'],
  ['GET s', 'R:s'],
  ['GETEX s', 'RW:s'],
  ['GETDEL s', 'RW:s'],
  ['APPEND s x', 'W:s'],
  ['STRLEN s', '?:s'],
  ['EXISTS s h', '?:s ?:h'],
  ['TYPE l', '?:l'],
  ['MGET s n', 'R:s R:n'],
  ['MSET s 1 n 2', 'W:s W:n'],
  ['INCR n', 'RW:n'],
  ['DEL s h', 'W:s W:h'],
  ['UNLINK l z', 'W:l W:z'],
  ['COPY s c REPLACE', 'R:s W:c'],
  ['RENAME s c', 'RW:s W:c'],
  ['BITOP OR c s n', 'W:c R:s R:n'],
  ['SETRANGE s 1 x', 'W:s'],
  ['GETRANGE s 0 -1', 'R:s'],
  ['LCS s n', 'R:s R:n'],
  ['LMOVE l c LEFT LEFT', 'RW:l W:c'],
  ['BLMOVE l c LEFT LEFT 0', 'RW:l W:c'],
  ['BLPOP l c 0', 'RW:l RW:c'],
  ['LMPOP 2 c l LEFT', 'RW:c RW:l'],
  ['BLMPOP 0 2 c l LEFT', 'RW:c RW:l'],
  ['LRANGE l 0 -1', 'R:l'],
  ['RPUSH l x', 'W:l'],
  ['SORT l ALPHA', 'R:l'],
  ['SORT l ALPHA STORE c', 'R:l W:c'],
  ['SORT_RO l ALPHA LIMIT 0 1', 'R:l'],
  ['SORT l BY w_* GET v_* STORE c', 'R:l W:c', 'allKeys'],
  ['SORT l GET #', 'R:l', 'allKeys'],
  ['SORT_RO l BY w_*', 'R:l', 'allKeys'],
  ['SORT l BY nosort', 'R:l'],
  ['HGETALL h', 'R:h'],
  ['HSET h f v', 'W:h'],
  ['SADD t x', 'W:t'],
  ['SUNIONSTORE c t', 'W:c R:t'],
  ['SINTERCARD 2 t u', 'R:t R:u'],
  ['SMOVE t u m', 'RW:t W:u'],
  ['SDIFF t u', 'R:t R:u'],
  ['ZRANGE z 0 -1', 'R:z'],
  ['ZRANGESTORE c z 0 -1', 'W:c R:z'],
  ['ZUNIONSTORE c 2 z g', 'W:c R:z R:g'],
  ['ZUNION 2 z g', 'R:z R:g'],
  ['ZMPOP 2 z g MIN', 'RW:z RW:g'],
  ['BZPOPMIN z g 0', 'RW:z RW:g'],
  ['BZMPOP 0 1 z MIN', 'RW:z'],
  ['GEORADIUS g 0 0 9000 km', 'R:g'],
  ['GEORADIUS g 0 0 9000 km STORE c', 'R:g W:c'],
  ['GEORADIUS g 0 0 9000 km STORE c STOREDIST s', 'R:g W:c W:s'],
  ['GEORADIUSBYMEMBER g here 9000 km STORE c', 'R:g W:c'],
  ['GEOSEARCHSTORE c g FROMLONLAT 0 0 BYRADIUS 9000 km', 'W:c R:g'],
  ['PFADD p x', 'W:p'],
  ['PFMERGE c p', 'RW:c R:p'],
  ['PFCOUNT p c', 'R:p R:c'],
  ['XADD x * f v', 'W:x'],
  ['XRANGE x - +', 'R:x'],
  ['XREAD STREAMS x c 0 0', 'R:x R:c'],
  ['XREADGROUP GROUP gr me STREAMS x >', 'R:x'],
  ['XGROUP SETID x gr 0', 'W:x'],
  ['XLEN x', '?:x'],
  ['DUMP s', 'R:s'],
  ['TOUCH s', '?:s'],
  ['OBJECT ENCODING s', '?:s'],
  ['MEMORY USAGE s', '?:s'],
  ['EXPIRE s 1000', 'W:s'],
  ['MIGRATE 127.0.0.1 1 s 0 10', 'RW:s'],
  ['MIGRATE 127.0.0.1 1 "" 0 10 KEYS s h', 'RW:s RW:h'],
  ['PUBLISH ch m', 'C:ch'],
  ['SPUBLISH sh m', 'C:sh'],
];

const allKeys = ['s', 'n', 'h', 'l', 't', 'u', 'z', 'g', 'p', 'x', 'c'];
const fill = [
  ['FLUSHALL'],
  ['MSET', 's', 'secret', 'n', '1', 'w_a', '1', 'v_a', 'secret'],
  ['HSET', 'h', 'f', 'secret'],
  ['RPUSH', 'l', 'a', 'b'],
  ['SADD', 't', 'm'],
  ['SADD', 'u', 'o'],
  ['ZADD', 'z', '1', 'a'],
  ['GEOADD', 'g', '1', '1', 'here'],
  ['PFADD', 'p', 'a'],
  ['XADD', 'x', '1-1', 'f', 'v'],
  ['XGROUP', 'CREATE', 'x', 'gr', '0'],
];

interface Rights {
  /** Names of commands; undefined: all of them. */
  readonly commands: readonly string[] | undefined;
  /** R, W or RW by key; undefined: all keys. */
  readonly keys: Readonly<Record<string, string>> | undefined;
  readonly channels: readonly string[];
}

const nameOf = ([command]: Case): string => {
  const [name, sub] = command.toLowerCase().split(' ');
  return ['xgroup', 'object', 'memory'].includes(name) ? `${name}|${sub}` : name;
};

/** What a selector of these rights is written as. */
function rulesOf({ commands, keys, channels }: Rights): string[] {
  return [
    ...(commands === undefined ? ['+@all'] : ['-@all', ...commands.map((name) => `+${name}`)]),
    ...(keys === undefined ? ['~*'] : Object.entries(keys).map(([key, how]) => `%${how}~${key}`)),
    ...channels.map((name) => `&${name}`),
  ];
}

const always = ['multi', 'exec', 'eval', 'fcall', 'acl|setuser', 'acl|whoami', 'ping', 'discard'];

function allows({ commands, keys, channels }: Rights, one: Case): boolean {
  const [, touches, special] = one;
  if (commands !== undefined && !commands.includes(nameOf(one))) return false;
  return touches.split(' ').every((touch) => {
    const [how, name] = touch.split(':');
    if (how === 'C') return channels.includes(name);
    if (keys === undefined) return true;
    const granted = keys[name];
    return (
      special !== 'allKeys' &&
      granted !== undefined &&
      (how === '?' || [...how].every((h) => granted.includes(h)))
    );
  });
}

const ways = [
  ...['direct', 'forwarded', 'queued', 'queued, then limited', 'limited within', 'unlimited within'],
  ...['script', 'function', 'script within', 'forwarded within'],
] as const;

const rights: fc.Arbitrary<Rights> = fc.record({
  commands: fc.option(fc.subarray([...new Set(cases.map(nameOf))], { minLength: 20 }), {
    nil: undefined,
    freq: 2,
  }),
  keys: fc.option(
    fc
      .array(fc.tuple(fc.constantFrom(...allKeys), fc.constantFrom('R', 'W', 'RW', 'RW')), { maxLength: 11 })
      .map((pairs) => Object.fromEntries(pairs)),
    { nil: undefined, freq: 6 },
  ),
  channels: fc.subarray(['ch', 'sh']),
});

const ask = async (client: RespClient, ...words: string[]): Promise<unknown> =>
  plain(await client.call(...words));
const split = (command: string): string[] => command.split(' ').map((word) => (word === '""' ? '' : word));
const refusal =
  /NOPERM|denied due to insufficient ACL|can't run this command|can't access at least one|can't publish/;

/** The scripts that nothing else bounds: each runs the command that it is given. */
const library = "#!lua name=l\nredis.register_function('f', function(k, a) return redis.call(unpack(a)) end)";

class Trial {
  constructor(
    readonly admin: RespClient,
    readonly leader: TestNode,
    readonly follower: TestNode,
  ) {}

  /** All that is stored, but for what time changes. */
  async state(): Promise<string> {
    const dumps = await Promise.all(
      [...allKeys, 'w_a', 'v_a'].map(async (key) => ask(this.admin, 'DUMP', key)),
    );
    return JSON.stringify(dumps);
  }

  async run(one: Case, selectors: readonly Rights[], way: (typeof ways)[number]): Promise<void> {
    const { admin } = this;
    const [own, ...others] = selectors;
    const limits = [
      ...['reset', 'on', 'nopass', ...rulesOf(own), ...always.map((name) => `+${name}`)],
      ...others.flatMap((other) => [`(${rulesOf(other).join(' ')})`]),
    ];
    const everything = ['reset', 'on', 'nopass', '+@all', '~*', '&*'];
    const isLimitedLater = way === 'queued, then limited' || way === 'limited within';
    const first = ['ACL', 'SETUSER', 'ann', ...(isLimitedLater ? everything : limits)];
    await Promise.all([...fill, first].map((words) => admin.call(...words)));
    const node = way.startsWith('forwarded') ? this.follower : this.leader;
    await until('the user is known', async () => {
      const users = node.redraft.server.engine.users.version;
      return users === this.leader.redraft.server.engine.users.version;
    });
    const before = await this.state();
    const client = await node.connect();
    try {
      assert.equal(await ask(client, 'AUTH', 'ann', 'x'), 'OK');
      const words = split(one[0]);
      // What SORT's options need is judged when it runs: rights that its transaction gave count by then.
      const judged: Case = way === 'unlimited within' && one[2] === 'allKeys' ? [one[0], one[1]] : one;
      const isAllowed = selectors.some((selector) => allows(selector, judged));
      const { reply, within } = await this.send(client, words, way, limits);
      const told = `${one[0]} by ${JSON.stringify(selectors)}, ${way}: ${JSON.stringify(reply)}`;
      if (!isAllowed) {
        assert.match(String(reply), refusal, told);
        assert.doesNotMatch(String(reply), /secret/, told);
        assert.equal(await this.state(), before, told);
      } else if (way !== 'unlimited within' || !within) assert.doesNotMatch(String(reply), refusal, told);
    } finally {
      await client.close();
    }
  }

  private async send(
    client: RespClient,
    words: readonly string[],
    way: (typeof ways)[number],
    limits: readonly string[],
  ): Promise<{ readonly reply: unknown; readonly within: boolean }> {
    const last = async (...requests: (readonly string[])[]): Promise<unknown> => {
      const replies = await Promise.all(requests.map((request) => ask(client, ...request)));
      const exec = replies.at(-1);
      // What was refused when it came is the reason why EXEC runs nothing.
      if (!Array.isArray(exec)) return [...replies, exec];
      return exec.at(-1);
    };
    const script = ['EVAL', 'return redis.call(unpack(ARGV))', '0', ...words];
    const result = (reply: unknown): { reply: unknown; within: boolean } => ({ reply, within: false });
    switch (way) {
      case 'direct':
      case 'forwarded':
        return result(await ask(client, ...words));
      case 'queued':
      case 'forwarded within':
        return result(await last(['MULTI'], words, ['EXEC']));
      case 'queued, then limited':
        await last(['MULTI'], words, ['PING']);
        await this.admin.call('ACL', 'SETUSER', 'ann', ...limits);
        return result(await ask(client, 'EXEC'));
      case 'limited within':
        return result(await last(['MULTI'], ['ACL', 'SETUSER', 'ann', ...limits], words, ['EXEC']));
      case 'unlimited within': {
        // Rights that a transaction gives come too late for what it queues.
        const more = ['ACL', 'SETUSER', 'ann', '+@all', 'allkeys', 'allchannels'];
        return { reply: await last(['MULTI'], more, words, ['EXEC']), within: true };
      }
      case 'script':
        return result(await ask(client, ...script));
      case 'function':
        return result(await ask(client, 'FCALL', 'f', '0', ...words));
      case 'script within':
        return result(await last(['MULTI'], script, ['EXEC']));
    }
  }
}

async function cluster(t: TestContext): Promise<Trial> {
  const nodes = await TestCluster.start(t, 3, { follower: 'forward', clusterSecret: 'of nodes' });
  const leader = await nodes.leader();
  const [follower] = await nodes.followers();
  const admin = await leader.connect();
  t.after(() => admin.close());
  assert.equal(await ask(admin, 'FUNCTION', 'LOAD', library), 'l');
  return new Trial(admin, leader, follower);
}

test('no command reaches what its user may not, by any way; what it may it reaches', async (t) => {
  const trial = await cluster(t);
  /** What scripts may not call, whoever runs them. */
  const notInScripts = /^(MIGRATE|MEMORY|B[LZ]|SPUBLISH)/;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...cases),
      fc.array(rights, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...ways),
      async (one, selectors, way) => {
        fc.pre(!(/script|function/.test(way) && notInScripts.test(one[0])));
        // MULTI takes no MIGRATE.
        fc.pre(!(/queued|within/.test(way) && one[0].startsWith('MIGRATE')));
        await trial.run(one, selectors, way);
      },
    ),
    { numRuns: Number(process.env.RIGHTS_RUNS ?? 120) },
  );
});

const blocking: readonly (readonly [command: string, key: string, push: string, length: string])[] = [
  ['BLPOP l 0', 'l', 'RPUSH l one', 'LLEN l'],
  ['BLMOVE l c LEFT RIGHT 0', 'l', 'RPUSH l one', 'LLEN l'],
  ['BLMOVE l c LEFT RIGHT 0', 'c', 'RPUSH l one', 'LLEN l'],
  ['BLMPOP 0 2 l c LEFT', 'l', 'RPUSH l one', 'LLEN l'],
  ['BRPOPLPUSH l c 0', 'c', 'RPUSH l one', 'LLEN l'],
  ['BZPOPMIN z 0', 'z', 'ZADD z 1 one', 'ZCARD z'],
  ['BZMPOP 0 1 z MIN', 'z', 'ZADD z 1 one', 'ZCARD z'],
  ['XREAD BLOCK 0 STREAMS x $', 'x', 'XADD x 1-1 f one', 'XLEN x'],
  ['XREADGROUP GROUP gr me BLOCK 0 STREAMS x >', 'x', 'XADD x 1-1 f one', 'XLEN x'],
];

test('who has waited is judged by the rights that hold when it is served', async (t) => {
  const { admin, leader, follower } = await cluster(t);
  for (const [i, [command, key, push, length]] of blocking.entries()) {
    await Promise.all(
      [['FLUSHALL'], ['XGROUP', 'CREATE', 'x', 'gr', '0', 'MKSTREAM']].map((w) => admin.call(...w)),
    );
    await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
    const node = i % 2 === 0 ? leader : follower;
    const version = (): number => node.redraft.server.engine.users.version;
    await until('the user is known', () => version() === leader.redraft.server.engine.users.version);
    const [client, other] = [await node.connect(), await leader.connect()];
    const name = command.split(' ')[0].toLowerCase();
    assert.equal(await ask(client, 'AUTH', 'ann', 'x'), 'OK');
    const waiting = ask(client, ...command.split(' '));
    const { waiters } = leader.redraft.server.engine;
    await until('it waits', () => waiters.size === 1);
    const next = ask(other, ...command.split(' '));
    await until('both wait', () => waiters.size === 2);
    const commandGoes = i % 4 < 2;
    const limits = commandGoes
      ? [`-${name}`]
      : ['resetkeys', ...['l', 'c', 'z', 'x'].filter((k) => k !== key).map((k) => `~${k}`)];
    assert.equal(await ask(admin, 'ACL', 'SETUSER', 'ann', ...limits), 'OK');
    await admin.call(...push.split(' '));
    assert.equal(
      await waiting,
      commandGoes
        ? `-NOPERM this user has no permissions to run the '${name}' command`
        : '-NOPERM this user has no permissions to access one of the keys used as arguments',
      command,
    );
    // What it would have taken goes to who waits behind it.
    assert.match(JSON.stringify(await next), /one/, command);
    assert.equal(await ask(admin, ...length.split(' ')), name.startsWith('x') ? 1 : 0);
    await Promise.all([client.close(), other.close()]);
  }
});

test('nothing is taken from a key for a user that is gone', async (t) => {
  const { admin, leader } = await cluster(t);
  await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
  const client = await leader.connect();
  assert.equal(await ask(client, 'AUTH', 'ann', 'x'), 'OK');
  const waiting = ask(client, 'BLPOP', 'l', '0').catch(() => 'closed');
  await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
  // In one entry: the user goes, and the push comes before anybody is told that the client is gone.
  const replies = await Promise.all(
    [['MULTI'], ['ACL', 'DELUSER', 'ann'], ['RPUSH', 'l', 'one'], ['EXEC']].map((words) =>
      ask(admin, ...words),
    ),
  );
  assert.deepEqual(replies.at(-1), [1, 1]);
  assert.equal(await waiting, 'closed');
  assert.deepEqual(await ask(admin, 'LRANGE', 'l', '0', '-1'), ['one']);
});

test('once a change of rights is acknowledged, nothing goes by those before it', async (t) => {
  const { admin, leader, follower } = await cluster(t);
  for (const node of [leader, follower, leader, follower]) {
    await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
    await admin.call('MSET', 'n', '0', 's', 'old');
    const version = (): number => node.redraft.server.engine.users.version;
    await until('the user is known', () => version() === leader.redraft.server.engine.users.version);
    const client = await node.connect();
    assert.equal(await ask(client, 'AUTH', 'ann', 'x'), 'OK');
    const replies: unknown[] = [];
    let asked = 0;
    let limited = false;
    const flood = async (words: readonly string[]): Promise<void> => {
      for (let behind = 0; behind < 3; behind += limited ? 1 : 0) {
        asked++;
        replies.push(await ask(client, ...words));
      }
    };
    const script = ['EVAL', "return redis.call('incr', 'n')", '1', 'n'];
    const transaction = [['MULTI'], ['INCR', 'n'], ['EXEC']];
    const floods = [
      ...Array.from({ length: 8 }, () => flood(['INCR', 'n'])),
      ...Array.from({ length: 4 }, () => flood(script)),
      ...Array.from({ length: 8 }, () => flood(['GET', 's'])),
    ];
    const own = await node.connect();
    assert.equal(await ask(own, 'AUTH', 'ann', 'x'), 'OK');
    const queued = (async () => {
      for (let behind = 0; behind < 3; behind += limited ? 1 : 0)
        await Promise.all(transaction.map((words) => ask(own, ...words)));
    })();
    await until('it is under way', () => replies.length > 100);
    const change = [
      ['MULTI'],
      ['ACL', 'SETUSER', 'ann', '-@all', '+multi'],
      ['GET', 'n'],
      ['SET', 's', 'new'],
      ['EXEC'],
    ];
    const [done, n] = (await Promise.all(change.map((words) => ask(admin, ...words)))).at(-1) as unknown[];
    assert.equal(done, 'OK');
    limited = true;
    await Promise.all([...floods, queued]);
    assert.equal(replies.length, asked);
    assert.equal(await ask(admin, 'GET', 'n'), n);
    assert.ok(!replies.includes('new'), 'a read went by rights that were gone');
    assert.match(String(replies.at(-1)), /NOPERM/);
    await Promise.all([client.close(), own.close()]);
  }
});

test('who deletes itself in a transaction gets its reply, and nothing runs for it behind that', async (t) => {
  const { admin, leader, follower } = await cluster(t);
  for (const node of [leader, follower]) {
    await admin.call('ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*', '&*');
    const version = (): number => node.redraft.server.engine.users.version;
    await until('the user is known', () => version() === leader.redraft.server.engine.users.version);
    const client = await node.connect();
    assert.equal(await ask(client, 'AUTH', 'ann', 'x'), 'OK');
    const words = [['MULTI'], ['SET', 'k', '1'], ['ACL', 'DELUSER', 'ann'], ['SET', 'k', '2']];
    words.push(['EVAL', "return redis.call('set', 'k', '3')", '0'], ['EXEC']);
    const replies = await Promise.all(words.map((one) => ask(client, ...one)));
    const [set, deleted, ...refused] = replies.at(-1) as unknown[];
    assert.deepEqual([set, deleted], ['OK', 1]);
    assert.equal(refused.length, 2);
    for (const one of refused) assert.match(String(one), /^-NOPERM ACLs rules changed/);
    await until('it is cut off', () => client.closed);
    assert.equal(await ask(admin, 'GET', 'k'), '1');
  }
});
