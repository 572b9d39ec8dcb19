/**
 * Consumer groups as client libraries use them, on three nodes, while the leader goes: a producer, two
 * consumers of which one dies with entries in hand, and claims. Nothing that was acknowledged comes again,
 * nothing is lost, each consumer sees ids rise.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { TestCluster, until } from '../cluster/nodes.js';

const ENTRIES = 300;

/** Asks until there is an answer that is none of leadership's: each asker here may ask twice. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 30_000; ; ) {
    try {
      return await ask();
    } catch (error) {
      const text = (error as Error).message;
      if (!/UNKNOWN|CLUSTERDOWN|TRY|UNBLOCKED|closed|ECONN/.test(text) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** What the consumers saw, all together. */
class Ledger {
  /** Ids that XADD acknowledged. */
  readonly added: string[] = [];
  readonly acknowledged = new Set<string>();
  /** Ids given by `>`, by consumer. */
  private readonly lastGiven = new Map<string, string>();
  readonly processed = new Set<string>();

  given(consumer: string, id: string): void {
    const last = this.lastGiven.get(consumer) ?? '0-0';
    assert.ok(compare(last, id) < 0, `${consumer} was given ${id} behind ${last}`);
    this.lastGiven.set(consumer, id);
    this.taken(id);
  }

  taken(id: string): void {
    assert.ok(!this.acknowledged.has(id), `${id} was acknowledged, and comes again`);
    this.processed.add(id);
  }
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((id) => id.split('-').map(Number));
  return left[0] - right[0] || left[1] - right[1];
}

test(
  'consumer groups of ioredis and node-redis survive the leader and a consumer',
  { timeout: 120_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'forward', durability: 'high' });
    const leader = await cluster.leader();
    const [near, far] = await cluster.followers();
    const ledger = new Ledger();
    const producer = new Redis({ port: near.port, host: '127.0.0.1' });
    const dying = new Redis({ port: near.port, host: '127.0.0.1' });
    const surviving = createClient({ url: `redis://127.0.0.1:${far.port}`, RESP: 2 });
    for (const client of [producer, dying]) client.on('error', () => {});
    surviving.on('error', () => {});
    await surviving.connect();
    t.after(() => {
      producer.disconnect();
      dying.disconnect();
      surviving.destroy();
    });
    await producer.xgroup('CREATE', 'jobs', 'workers', '0', 'MKSTREAM');

    const produce = async (): Promise<void> => {
      for (let n = 0; n < ENTRIES; n++) {
        // Whether an entry with an unknown outcome is there shows in the stream itself.
        const id = await insist(async () => {
          const newest = (await producer.xrevrange('jobs', '+', '-', 'COUNT', 1))[0];
          if (newest !== undefined && newest[1][1] === `${n}`) return newest[0];
          return producer.xadd('jobs', '*', 'n', `${n}`);
        });
        ledger.added.push(id!);
        if (n === ENTRIES / 3) await leader.stop();
      }
    };

    /** Reads and acknowledges the first half of what it is given; then it dies with the rest. */
    const die = async (): Promise<void> => {
      for (let rounds = 0; rounds < 20; rounds++) {
        const reply = (await insist(() =>
          dying.xreadgroup('GROUP', 'workers', 'dying', 'COUNT', 5, 'BLOCK', 500, 'STREAMS', 'jobs', '>'),
        )) as [string, [string, string[]][]][] | null;
        const ids = (reply?.[0][1] ?? []).map(([id]) => id);
        for (const id of ids) ledger.given('dying', id);
        const done = ids.slice(0, Math.ceil(ids.length / 2));
        if (done.length === 0) continue;
        await insist(() => dying.xack('jobs', 'workers', ...done));
        for (const id of done) ledger.acknowledged.add(id);
      }
      dying.disconnect();
    };

    const survive = async (): Promise<void> => {
      while (ledger.added.length < ENTRIES || ledger.acknowledged.size < ENTRIES) {
        const fresh = await insist(() =>
          surviving.xReadGroup('workers', 'surviving', { key: 'jobs', id: '>' }, { COUNT: 10, BLOCK: 200 }),
        );
        const messages = (fresh as { messages: { id: string }[] }[] | null)?.[0].messages ?? [];
        for (const { id } of messages) ledger.given('surviving', id);
        // What was given for a second without an acknowledgement is somebody's who is gone, or whose reply
        // was lost.
        const claimed = await insist(() => surviving.xAutoClaim('jobs', 'workers', 'surviving', 1000, '0'));
        const others = claimed.messages.flatMap((message) => (message === null ? [] : [message.id]));
        for (const id of others) ledger.taken(id);
        const ids = [...new Set([...messages.map(({ id }) => id), ...others])];
        if (ids.length === 0) continue;
        await insist(() => surviving.xAck('jobs', 'workers', ids));
        for (const id of ids) ledger.acknowledged.add(id);
      }
    };

    await Promise.all([produce(), die(), survive()]);
    assert.deepEqual(
      ledger.added,
      [...new Set(ledger.added)].sort(compare),
      'ids rise across the change of leader',
    );
    assert.deepEqual(
      [...ledger.processed].sort(compare),
      ledger.added,
      'nothing is lost, nothing is there that was not added',
    );
    const pending = (await producer.xpending('jobs', 'workers')) as [number];
    assert.equal(pending[0], 0);
    await leader.start();
    await until('all nodes hold the same', async () => cluster.running.length === 3);
    await cluster.assertEqual();
  },
);

test('readers that wait are all told, wherever they are connected', { timeout: 60_000 }, async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const readers = cluster.nodes.flatMap((node) =>
    Array.from({ length: 70 }, () => new Redis({ port: node.port, host: '127.0.0.1' })),
  );
  t.after(() => {
    for (const reader of readers) reader.disconnect();
  });
  for (const reader of readers) reader.on('error', () => {});
  const replies = readers.map((reader) => reader.xread('BLOCK', 20_000, 'STREAMS', 'news', '$'));
  const leader = await cluster.leader();
  await until('all of them wait', () => leader.redraft.server.engine.waiters.size === readers.length);
  await (await cluster.followers())[0].ask('XADD', 'news', '7-1', 'title', 'x');
  for (const reply of await Promise.all(replies))
    assert.deepEqual(reply, [['news', [['7-1', ['title', 'x']]]]]);
});

const python = '/usr/bin/python3';
const script = `
import redis, sys
r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
r.xgroup_create('jobs', 'py', id='0', mkstream=True)
ids = [r.xadd('jobs', {'n': n}, maxlen=1000) for n in range(10)]
got = r.xreadgroup('py', 'one', {'jobs': '>'}, count=4)
assert [i for i, _ in got[0][1]] == ids[:4], got
assert r.xack('jobs', 'py', *ids[:2]) == 2
assert r.xpending('jobs', 'py')['pending'] == 2
claimed = r.xautoclaim('jobs', 'py', 'two', min_idle_time=0)
assert [i for i, _ in claimed[1]] == ids[2:4], claimed
assert r.xpending_range('jobs', 'py', '-', '+', 10)[0]['consumer'] == 'two'
assert r.xinfo_groups('jobs')[0]['lag'] == 6
assert r.xinfo_stream('jobs', full=True)['groups'][0]['name'] == 'py'
assert r.xread({'jobs': ids[8]}, block=1000)[0][1][0][0] == ids[9]
assert r.xlen('jobs') == 10 and r.xtrim('jobs', maxlen=3, approximate=False) == 7
from rq.job import Job
from rq.results import Result
r = redis.Redis(port=int(sys.argv[1]))
job = Job.create('builtins.print', connection=r, id='job')
Result.create(job, Result.Type.SUCCESSFUL, return_value=42, ttl=500)
Result.create(job, Result.Type.FAILED, exc_string='oh', ttl=500)
assert Result.fetch_latest(job).exc_string == 'oh'
assert [x.return_value for x in Result.all(job)] == [None, 42]
print('done')
`;

test('redis-py and the results of rq, where Python has them', { timeout: 60_000 }, async (t) => {
  const run = promisify(execFile);
  const isThere =
    existsSync(python) &&
    (await run(python, ['-c', 'import redis, rq']).then(
      () => true,
      () => false,
    ));
  if (!isThere) {
    t.diagnostic('no redis-py and rq: apt-get install python3-redis python3-rq');
    return;
  }
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const [follower] = await cluster.followers();
  const { stdout } = await run(python, ['-c', script, `${follower.port}`]);
  assert.equal(stdout.trim(), 'done');
});
