/**
 * Caches of clients on every node agree with the keys once nothing is under way: no stale read, whichever
 * node answered.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Reply } from '../../conformance/reply.js';
import { ReplyParser } from '../../conformance/reply-parser.js';
import { TestCluster, until } from '../cluster/nodes.js';

const KEYS = Array.from({ length: 8 }, (_, i) => `key${i}`);

const textOf = (reply: Reply | undefined): string | undefined =>
  reply !== undefined && 'text' in reply ? reply.text : undefined;

/** A client that keeps what it reads until it is told otherwise. */
class CachingClient {
  readonly cache = new Map<string, string | undefined>();
  readonly errors: string[] = [];
  /** What each reply that is owed answers: the key of a GET. */
  private readonly owed: (string | undefined)[] = [];
  private readonly parser = new ReplyParser();

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      for (const reply of this.parser.feed(chunk)) this.take(reply);
    });
  }

  static async connect(port: number, mode: string): Promise<CachingClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    const client = new CachingClient(socket);
    client.ask('HELLO 3');
    client.ask(`CLIENT TRACKING ON ${mode}`);
    await until('it tracks', () => client.isIdle);
    return client;
  }

  get isIdle(): boolean {
    return this.owed.length === 0;
  }

  ask(line: string, key?: string): void {
    this.owed.push(key);
    this.socket.write(`${line}\r\n`);
  }

  get(key: string): void {
    this.ask(`GET ${key}`, key);
  }

  /** The same by a script that the server must take for a write. */
  getByScript(key: string): void {
    this.ask(`EVAL "return redis.call('GET', KEYS[1])" 1 ${key}`, key);
  }

  close(): void {
    this.socket.destroy();
  }

  private take(reply: Reply): void {
    if (reply.type === 'push') {
      const keys = reply.items[1];
      if (keys.type === 'array') for (const key of keys.items) this.cache.delete(textOf(key)!);
      else this.cache.clear();
      return;
    }
    const key = this.owed.shift();
    if (reply.type === 'error') this.errors.push(reply.text);
    else if (key !== undefined) this.cache.set(key, textOf(reply));
  }
}

async function check(cluster: TestCluster, modes: readonly string[], rounds: number): Promise<void> {
  const leader = await cluster.leader();
  const clients: CachingClient[] = [];
  for (const node of cluster.nodes)
    for (const mode of modes) clients.push(await CachingClient.connect(node.port, mode));
  let version = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [i, client] of clients.entries()) {
      const key = KEYS[(round * 7 + i * 3) % KEYS.length];
      if ((round + i) % 5 === 0) client.getByScript(key);
      else client.get(key);
      // Every client writes as well as it reads.
      if ((round + i) % 3 === 0) client.ask(`SET ${KEYS[(round + i) % KEYS.length]} ${++version}`);
      if ((round + i) % 17 === 0) client.ask(`DEL ${key}`);
    }
    if (round % 10 === 0) await until('all is answered', () => clients.every((client) => client.isIdle));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  await until('all is answered', () => clients.every((client) => client.isIdle));
  for (const client of clients) assert.deepEqual(client.errors, []);
  const truth = new Map<string, unknown>();
  for (const key of KEYS) truth.set(key, await leader.ask('GET', key));
  let seen = '';
  await until(
    'every cache agrees with the keys',
    () => {
      const stale = clients.flatMap((client, i) =>
        [...client.cache]
          .filter(([key, held]) => (held ?? null) !== truth.get(key))
          .map(([key, held]) => `client ${i}: ${key} is ${held}, not ${truth.get(key)}`),
      );
      seen = stale.join('; ');
      return stale.length === 0;
    },
    10_000,
  ).catch(() => assert.fail(seen));
  for (const client of clients) client.close();
}

test('one node', async (t: TestContext) => {
  await check(await TestCluster.start(t, 1), ['', 'OPTOUT', 'BCAST'], 200);
});

test('three nodes, of which two pass everything on to the leader', async (t: TestContext) => {
  await check(await TestCluster.start(t, 3, { follower: 'forward' }), ['', '', 'BCAST'], 200);
});

test('three nodes that answer reads from their own state', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward', consistency: 'low' });
  await check(cluster, ['', 'OPTOUT', 'BCAST'], 200);
});
