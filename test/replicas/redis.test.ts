/** redis-server as the replica: connections are lost on both sides, and the digests are equal at the end. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { installedRedisVersion, type RunningServer, startRedis } from '../../conformance/servers.js';
import { Redraft } from '../../src/index.js';
import { DatasetDigest } from '../../src/observability/dataset-digest.js';
import { RespClient } from '../../src/resp/client.js';

const FAMILIES = 'geo hashes keys lists scripts sets streams strings zsets'.split(' ');
/** They wait, or are about the connection. */
const LEFT_OUT = new Set(['select', 'swapdb', 'debug', 'config']);

async function clientOf(t: TestContext, port: number): Promise<RespClient> {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  t.after(() => client.close());
  return client;
}

async function load(client: RespClient, seed: number): Promise<void> {
  for (const family of await loadFamilies(FAMILIES)) {
    const replies: Promise<unknown>[] = [];
    for (const { commands = [] } of generateUnits(family, new Random(seed), 120))
      for (const { words } of commands) {
        if (words.length === 0 || words[0] === '' || LEFT_OUT.has(words[0].toLowerCase())) continue;
        replies.push(client.call(...words));
      }
    await Promise.all(replies);
  }
}

async function attached(
  t: TestContext,
  redraft: Redraft,
): Promise<{ redis: RunningServer; client: RespClient }> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const client = await clientOf(t, redis.port);
  await client.call('REPLICAOF', '127.0.0.1', `${redraft.port}`);
  return { redis, client };
}

/** Resolves when the replica has everything. */
async function caughtUp(redraft: Redraft, client: RespClient): Promise<string> {
  const until = Date.now() + 15_000;
  for (;;) {
    const info = `${(await client.call('INFO', 'replication')) as Buffer}`;
    const { stream } = redraft.server.replicas;
    if (info.includes('master_link_status:up') && info.includes(`slave_repl_offset:${stream?.offset}\r`))
      return info;
    assert.ok(Date.now() < until, `not within 15 s at ${stream?.offset}: ${info}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function assertSame(redraft: Redraft, client: RespClient): Promise<void> {
  await caughtUp(redraft, client);
  const digest = String(await client.call('DEBUG', 'DIGEST'));
  assert.equal(digest, new DatasetDigest(redraft.server.engine).ofAll());
}

test(
  'the same digest, whatever is lost meanwhile',
  { skip: installedRedisVersion() === undefined },
  async (t) => {
    const redraft = await Redraft.start({ port: 0 });
    t.after(() => redraft.stop());
    const writer = await clientOf(t, redraft.port);
    await load(writer, 1);
    const { redis, client } = await attached(t, redraft);
    // A whole file, while the writes go on.
    await load(writer, 2);
    await assertSame(redraft, client);

    // Its connection is lost: it goes on where it was.
    const { id } = redraft.server.replicas.stream!;
    const whole = redraft.server.snapshots.count;
    await writer.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await load(writer, 3);
    await assertSame(redraft, client);
    assert.equal(redraft.server.snapshots.count, whole, 'no other file was made');
    assert.equal(redraft.server.replicas.stream!.id, id);

    // It dies, and another one takes a whole file.
    await redis.stop();
    await load(writer, 4);
    const second = await attached(t, redraft);
    await load(writer, 5);
    await assertSame(redraft, second.client);
  },
);
