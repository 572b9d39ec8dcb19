/** redis-server as the replica: connections are lost on both sides, and the digests are equal at the end. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SecureContextOptions } from 'node:tls';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { installedRedisVersion, type RunningServer, startRedis } from '../../conformance/servers.js';
import { createLog, Redraft } from '../../src/index.js';
import { DatasetDigest } from '../../src/observability/dataset-digest.js';
import { RespClient } from '../../src/resp/client.js';
import { Authority, withoutOpenssl } from '../tls/certificates.js';

const FAMILIES = 'geo hashes keys lists scripts sets streams strings zsets'.split(' ');
/** They wait, or are about the connection. */
const LEFT_OUT = new Set(['select', 'swapdb', 'debug', 'config']);

async function clientOf(t: TestContext, port: number, tls?: SecureContextOptions): Promise<RespClient> {
  const client = await RespClient.connect({ host: '127.0.0.1', port, tls });
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
  flags: readonly string[] = [],
): Promise<{ redis: RunningServer; client: RespClient }> {
  const redis = await startRedis(false, flags);
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

const withoutRedis = installedRedisVersion() === undefined && 'there is no redis-server';

test('the same digest, whatever is lost meanwhile', { skip: withoutRedis }, async (t) => {
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
});

/** Why no redis-server can speak TLS here; false if one can. */
async function withoutTls(t: TestContext): Promise<string | false> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const found = (await (await clientOf(t, redis.port)).call('CONFIG', 'GET', 'tls-replication')) as unknown[];
  return found.length === 0 && 'redis-server is built without TLS';
}

test(
  'over TLS: whose certificate is good gets a whole file, then the writes, and goes on after a loss',
  { skip: withoutRedis || withoutOpenssl },
  async (t) => {
    const why = await withoutTls(t);
    if (why !== false) return t.skip(why);
    const authority = new Authority(t);
    const own = authority.issue('replica');
    const stranger = new Authority(t, 'stranger').issue('replica');
    const lines: string[] = [];
    const log = createLog('notice', (line) => lines.push(line));
    const redraft = await Redraft.start({ tls: authority.issue('node').files, log });
    t.after(() => redraft.stop());
    const writer = await clientOf(t, redraft.port, authority.issue('client').context);
    await load(writer, 1);

    // It trusts the node, which does not trust it.
    const files = { ...stranger.files, caCertFile: own.caCertFile };
    const { client } = await attached(t, redraft, [
      ...['--tls-replication', 'yes', '--tls-cert-file', files.certFile, '--tls-key-file', files.keyFile],
      ...['--tls-ca-cert-file', files.caCertFile],
    ]);
    const until = Date.now() + 15_000;
    while (!lines.some((line) => /certificate is refused/.test(line))) {
      assert.ok(Date.now() < until, `nobody was refused within 15 s: ${lines.join('')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(redraft.server.replicas.stream, undefined);

    // It is given another certificate, and tries again by itself.
    const renewed = ['tls-cert-file', own.certFile, 'tls-key-file', own.keyFile];
    assert.equal(`${await client.call('CONFIG', 'SET', ...renewed)}`, 'OK');
    await load(writer, 2);
    await assertSame(redraft, client);
    const { id } = redraft.server.replicas.stream!;
    const whole = redraft.server.snapshots.count;
    await load(writer, 3);
    await assertSame(redraft, client);
    await writer.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await load(writer, 4);
    await assertSame(redraft, client);
    assert.equal(redraft.server.snapshots.count, whole, 'no other file was made');
    assert.equal(redraft.server.replicas.stream!.id, id);
  },
);
