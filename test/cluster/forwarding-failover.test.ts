/**
 * What clients of a forwarding follower get while leadership changes hands: always an answer, and in a
 * hand-over never an error.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from './nodes.js';
import { ProcessCluster } from './processes.js';

/** Fails unless it is answered in a time that is far above the bounds of a sound run. */
async function within(what: string, timeoutMs: number, answer: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

test(
  'a leader that freezes: all that waits at a forwarding follower is answered',
  { timeout: 60_000 },
  async (t) => {
    const cluster = await ProcessCluster.start(t, 3, ['--follower', 'forward']);
    const leader = await cluster.leader();
    const [follower, other] = [0, 1, 2].filter((i) => i !== leader);
    assert.equal(await cluster.ask(follower, 'SET', 'k', 'v'), 'OK');
    const clients = await Promise.all(Array.from({ length: 6 }, () => cluster.connect(follower, 60_000)));
    // Their ways to the leader stand before it freezes, but for that of the last.
    for (const client of clients.slice(0, 5)) assert.equal(plain(await client.call('GET', 'k')), 'v');
    const transaction = clients[4];
    for (const args of [['MULTI'], ['INCR', 'n']]) await transaction.call(...args);
    await cluster.freeze(leader);
    const ask = async (client: RespClient, ...args: string[]): Promise<unknown> =>
      plain((await within(args.join(' '), 15_000, client.call(...args))) as never);
    const [set, get, pop, mixed, exec, fresh] = await Promise.all([
      ask(clients[0], 'SET', 'a', '1'),
      ask(clients[1], 'GET', 'k'),
      ask(clients[2], 'BLPOP', 'none', '1'),
      // A read in front of a write cannot come after it.
      Promise.all([ask(clients[3], 'GET', 'k'), ask(clients[3], 'INCR', 'm'), ask(clients[3], 'GET', 'k')]),
      ask(transaction, 'EXEC'),
      ask(clients[5], 'SET', 'b', '1'),
    ]);
    assert.match(String(set), /^-UNKNOWN /);
    assert.equal(get, 'v');
    assert.match(String(pop), /^-UNKNOWN /);
    assert.match(String(mixed[0]), /^-CLUSTERDOWN /);
    assert.match(String(mixed[1]), /^-UNKNOWN /);
    assert.equal(mixed[2], 'v');
    assert.match(String(exec), /^-UNKNOWN /);
    // It was never sent to the frozen leader: the next one has taken it.
    assert.equal(fresh, 'OK');
    assert.equal(await ask(clients[0], 'INCR', 'n'), 1);
    for (const client of clients) await client.close();
    // The frozen one wakes up: its clients are answered, too.
    const held = await cluster.connect(leader, 60_000);
    const write = held.call('SET', 'c', '1');
    cluster.thaw(leader);
    assert.equal(plain((await within('SET c', 15_000, write)) as never), 'OK');
    await held.close();

    // Nobody leads any more.
    const lonely = await cluster.connect(follower, 60_000);
    assert.equal(plain(await lonely.call('SET', 'd', '1')), 'OK');
    for (const i of [leader, other]) await cluster.freeze(i);
    const answers = ['SET', 'GET', 'INCR'].map((name) =>
      ask(lonely, name, 'e', ...(name === 'SET' ? ['1'] : [])),
    );
    for (const answer of await Promise.all(answers)) assert.match(String(answer), /^-(UNKNOWN|CLUSTERDOWN) /);
    const began = performance.now();
    assert.match(String(await ask(lonely, 'SET', 'e', '1')), /^-CLUSTERDOWN /);
    assert.match(String(await ask(lonely, 'SET', 'e', '1')), /^-CLUSTERDOWN /);
    assert.ok(performance.now() - began < 9000, 'it is not waited anew for each');
    await lonely.close();
    for (const i of [leader, other]) cluster.thaw(i);
  },
);

/** A transfer that is given up, as on a busy machine, is begun again. */
async function handOver(cluster: TestCluster, to: TestNode): Promise<void> {
  await until('leadership is handed over', async () => {
    const leader = await cluster.leader();
    if (leader === to) return true;
    await leader.ask('RAFTTRANSFER', to.address);
    return false;
  });
}

test(
  'hand-overs: clients of forwarding nodes get no error, and all that they sent is in order',
  { timeout: 60_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
    const [one, two, three] = cluster.nodes;
    await handOver(cluster, one);
    let isDone = false;
    let rounds = 0;
    const running = [0, 1, 2, 3].map(async (id) => {
      const client = await three.connect();
      const expected: string[] = [];
      for (let n = 0; !isDone; n++) {
        // A pipeline in one piece: its requests straddle the hand-over.
        const replies = await Promise.all([
          client.call('RPUSH', `l${id}`, `${n}`),
          client.call('LINDEX', `l${id}`, '-1'),
          client.call('ECHO', `${n}`),
          client.call('MULTI'),
          client.call('SELECT', '1'),
          client.call('INCR', `n${id}`),
          client.call('SELECT', '0'),
          client.call('EXEC'),
          client.call('GET', `n${id}`),
        ]);
        expected.push(`${n}`);
        assert.deepEqual(replies.map(plain), [
          n + 1,
          `${n}`,
          `${n}`,
          'OK',
          'QUEUED',
          'QUEUED',
          'QUEUED',
          ['OK', n + 1, 'OK'],
          null,
        ]);
        rounds++;
      }
      assert.deepEqual(plain(await client.call('LRANGE', `l${id}`, '0', '-1')), expected);
      await client.close();
    });
    const watched = Promise.all(running).catch((error: unknown) => {
      isDone = true;
      throw error;
    });
    watched.catch(() => {});
    for (let i = 0; i < 12 && !isDone; i++) {
      const before = rounds;
      await until('they write', () => isDone || rounds > before + 8);
      await handOver(cluster, i % 2 === 0 ? two : one);
    }
    isDone = true;
    await watched;
    await cluster.assertEqual();
  },
);

const hasBenchmark = spawnSync('redis-benchmark', ['--version']).status === 0;

test(
  'redis-benchmark against a forwarding follower survives hand-overs',
  { skip: !hasBenchmark, timeout: 60_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
    const [one, two, three] = cluster.nodes;
    await handOver(cluster, one);
    const args = [
      '-h',
      '127.0.0.1',
      '-p',
      `${three.port}`,
      '-t',
      'set,get,incr',
      '-n',
      '20000',
      '-c',
      '20',
      '-P',
      '4',
    ];
    const child = spawn('redis-benchmark', [...args, '--csv'], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.after(() => child.kill());
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const ended = once(child, 'exit');
    let handOvers = 0;
    const { statistics } = three.redraft.server;
    while (child.exitCode === null) {
      const before = statistics.commands.total;
      await until('it goes on', () => child.exitCode !== null || statistics.commands.total > before + 3000);
      await handOver(cluster, ++handOvers % 2 === 0 ? one : two);
    }
    assert.equal((await ended)[0], 0, output);
    assert.doesNotMatch(output, /error from server/i);
    assert.match(output, /"INCR"/);
    assert.ok(handOvers > 1, `${handOvers} hand-overs`);
  },
);
