/** SAVE and BGSAVE with `rdb-on-save`: a file that redis-server loads, whole or not there. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { installedRedisVersion, startRedis } from '../../conformance/servers.js';
import type { Redraft } from '../../src/index.js';
import { DatasetDigest } from '../../src/observability/dataset-digest.js';
import { RespClient } from '../../src/resp/client.js';
import { folder, nodeOf } from '../migration/command.js';

const FAMILIES = 'hashes lists sets streams strings zsets'.split(' ');

async function nodeWith(
  t: TestContext,
  configuration: Record<string, string>,
  dir?: string,
): Promise<{ redraft: Redraft; client: RespClient }> {
  const redraft = await nodeOf(t, dir, configuration);
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  t.after(() => client.close());
  return { redraft, client };
}

async function infoOf(client: RespClient, field: string): Promise<string> {
  const info = `${(await client.call('INFO', 'persistence')) as Buffer}`;
  return new RegExp(`${field}:(\\S+)`).exec(info)?.[1] ?? assert.fail(field);
}

const textOf = (reply: unknown): string =>
  typeof reply === 'string' ? reply : Buffer.isBuffer(reply) ? `${reply}` : (reply as { text: string }).text;

test(
  'BGSAVE leaves a file that redis-server loads',
  { skip: installedRedisVersion() === undefined },
  async (t) => {
    const dir = folder(t);
    const { redraft, client } = await nodeWith(t, { 'rdb-on-save': 'yes', dbfilename: 'moved.rdb' }, dir);
    for (const family of await loadFamilies(FAMILIES))
      for (const { commands = [] } of generateUnits(family, new Random(7), 100))
        for (const { words } of commands)
          if (words.length > 0 && words[0] !== '') await client.call(...words);
    const path = join(dir, 'moved.rdb');
    const before = await client.call('LASTSAVE');
    assert.equal(textOf(await client.call('BGSAVE')), 'Background saving started');
    const until = Date.now() + 20_000;
    while ((await infoOf(client, 'rdb_bgsave_in_progress')) !== '0') {
      assert.ok(Date.now() < until, 'it takes too long');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(existsSync(path));
    assert.ok(Number(await client.call('LASTSAVE')) >= Number(before));
    assert.equal(await infoOf(client, 'rdb_last_bgsave_status'), 'ok');
    assert.deepEqual(
      readdirSync(dir).filter((name) => /tmp/.test(name)),
      [],
    );

    const redis = await startRedis();
    t.after(() => redis.stop());
    const other = await RespClient.connect({ host: '127.0.0.1', port: redis.port });
    t.after(() => other.close());
    const [, home] = (await other.call('CONFIG', 'GET', 'dir')) as Buffer[];
    copyFileSync(path, join(`${home}`, 'dump.rdb'));
    assert.equal(textOf(await other.call('DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE')), 'OK');
    assert.equal(
      textOf(await other.call('DEBUG', 'DIGEST')),
      new DatasetDigest(redraft.server.engine).ofAll(),
    );
  },
);

test('SAVE: a file only where it is asked for; a second one takes its place', async (t) => {
  const dir = folder(t);
  const { client } = await nodeWith(t, {}, dir);
  const path = join(dir, 'dump.rdb');
  await client.call('SET', 'k', 'first');
  assert.equal(textOf(await client.call('SAVE')), 'OK');
  assert.ok(!existsSync(path));
  await client.call('CONFIG', 'SET', 'rdb-on-save', 'yes');
  assert.equal(textOf(await client.call('SAVE')), 'OK');
  assert.ok(readFileSync(path).includes('first'));
  await client.call('SET', 'k', 'later');
  const both = await Promise.all([client.call('SAVE'), client.call('SAVE')]);
  assert.deepEqual(both.map(textOf), ['OK', 'OK']);
  assert.ok(readFileSync(path).includes('later'));
});

test('what cannot be written is said, and nothing of the node is replaced', async (t) => {
  const dir = folder(t);
  const { client } = await nodeWith(t, { 'rdb-on-save': 'yes', dbfilename: 'identity.json' }, dir);
  await client.call('SET', 'k', 'v');
  const identity = readFileSync(join(dir, 'identity.json'));
  const lastSave = await client.call('LASTSAVE');
  assert.match(
    textOf(await client.call('SAVE')),
    /^ERR no RDB file was written: .* is there, and is no RDB file$/,
  );
  assert.deepEqual(readFileSync(join(dir, 'identity.json')), identity);
  assert.equal(await infoOf(client, 'rdb_last_bgsave_status'), 'err');
  assert.equal(await client.call('LASTSAVE'), lastSave);

  const memory = await nodeWith(t, { 'rdb-on-save': 'yes' });
  assert.match(
    textOf(await memory.client.call('SAVE')),
    /^ERR no RDB file was written: .*no data directory$/,
  );

  for (const name of ['../dump.rdb', 'a/b', 'a\\b'])
    await assert.rejects(nodeOf(t, folder(t), { dbfilename: name }), /parameter 'dbfilename' cannot be/);
  const folders = folder(t);
  writeFileSync(join(folders, 'empty.rdb'), '');
  const empty = await nodeWith(t, { 'rdb-on-save': 'yes', dbfilename: 'empty.rdb' }, folders);
  assert.equal(textOf(await empty.client.call('SAVE')), 'OK');
  const named = await nodeWith(t, { 'rdb-on-save': 'yes', dbfilename: 'log' }, folder(t));
  assert.match(textOf(await named.client.call('SAVE')), /^ERR no RDB file was written: /);
});

test('SAVE follows no link that stands where its file is made', async (t) => {
  const dir = folder(t);
  const { client } = await nodeWith(t, { 'rdb-on-save': 'yes' }, dir);
  const other = join(folder(t), 'other');
  writeFileSync(other, 'mine');
  symlinkSync(other, join(dir, `temp-${process.pid}.rdb.tmp`));
  assert.equal(textOf(await client.call('SAVE')), 'OK');
  assert.equal(readFileSync(other, 'utf8'), 'mine');
  assert.equal(readFileSync(join(dir, 'dump.rdb'), 'latin1').slice(0, 5), 'REDIS');
});
