/**
 * export, backup, restore and import that are killed, or find no room: what they leave under the name that
 * was asked for is whole or not there, and another try does it. REDRAFT_KILLS says how often each is killed.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Random } from '../../conformance/live/random.js';
import { installedRedisVersion, startRedis } from '../../conformance/servers.js';
import { Redraft } from '../../src/index.js';
import { MARKER } from '../../src/migration/follow.js';
import { DatasetDigest } from '../../src/observability/dataset-digest.js';
import { RespClient } from '../../src/resp/client.js';
import { until } from '../cluster/nodes.js';
import { folder, nodeOf, runCommand, runDataOrCheck } from '../migration/command.js';
import { programPath } from '../program-path.js';
import { fillUp, resizeDisk, smallDisk } from './small-disk.js';

const kills = Number(process.env.REDRAFT_KILLS ?? 1);
const random = new Random(Number(process.env.REDRAFT_SEED ?? 1));

const KEYS = kills > 1 ? 400 : 100;
/** So that all are some 2 or 8 MB, which nothing compresses. */
const VALUE_BYTES = 15_000;

const clientOf = (port: number): Promise<RespClient> => RespClient.connect({ host: '127.0.0.1', port });

let source: Redraft;
let digest: string;
before(async () => {
  source = await Redraft.start({ port: 0 });
  const client = await clientOf(source.port);
  await Promise.all(
    Array.from({ length: KEYS - 2 }, (_, i) =>
      client.call('SET', `k${i}`, randomBytes(VALUE_BYTES).toString('base64')),
    ),
  );
  await client.call('RPUSH', 'list', '1', '2');
  await client.call('HSET', 'hash', 'f', 'v');
  await client.close();
  digest = digestOf(source);
});
after(() => source.stop());

const digestOf = (node: Redraft): string => new DatasetDigest(node.server.engine).ofAll();

const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(args, runDataOrCheck);

async function succeeds(...args: string[]): Promise<string> {
  const { code, out, said } = await run(...args);
  assert.equal(code, 0, `${args.join(' ')}: ${out}${said}`);
  return out;
}

/** Starts the program, and kills it a little after `hasBegun`. @returns whether it was killed, or done */
async function killed(args: string[], hasBegun: () => boolean, withinMs: number): Promise<boolean> {
  // Without the variables of this test, which the program would take for its own.
  const env = { PATH: process.env.PATH };
  const child = spawn(process.execPath, [programPath, ...args], { stdio: 'ignore', env });
  const ended = once(child, 'close');
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  while (!hasBegun() && !isOver()) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, random.below(withinMs)));
  child.kill('SIGKILL');
  const [code, signal] = (await ended) as [number | null, string | null];
  if (signal !== 'SIGKILL') assert.equal(code, 0, args.join(' '));
  return signal === 'SIGKILL';
}

const begun = (dir: string, name: string) => (): boolean =>
  readdirSync(dir).some((file) => file.startsWith(name));

const hasRdbCheck = spawnSync('redis-check-rdb', ['--version']).error === undefined;

async function assertWholeRdb(path: string): Promise<void> {
  if (hasRdbCheck) {
    const { status, stdout } = spawnSync('redis-check-rdb', [path], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
  }
  const held = JSON.parse(await succeeds('import', path, '--dry-run', '--json'));
  assert.equal(held.databases[0].string.keys, KEYS - 2);
}

async function assertWholeBackup(path: string): Promise<void> {
  assert.match(await succeeds('check', path), new RegExp(`${KEYS} keys\n`));
}

async function assertSameData(node: Redraft): Promise<void> {
  assert.equal(node.server.engine.call('DBSIZE'), KEYS);
  assert.equal(digestOf(node), digest);
}

for (const [command, assertWhole] of [
  ['export', assertWholeRdb],
  ['backup', assertWholeBackup],
] as const) {
  test(`kill -9 of ${command}: the file is whole or not there`, async (t) => {
    const dir = folder(t);
    const file = join(dir, 'file');
    const args = [command, file, '--from', source.address];
    for (let i = 0; i < kills; i++) {
      await killed(args, begun(dir, 'file.'), 60);
      if (!existsSync(file)) continue;
      await assertWhole(file);
      // The next one may find a file there, or not.
      if (i % 2 === 0) rmSync(file);
    }
    await succeeds(...args);
    await assertWhole(file);
    for (const name of readdirSync(dir)) if (name !== 'file') assert.match(name, /^file\..+\.tmp$/);
  });
}

test('kill -9 of restore: the directory is whole or not there', async (t) => {
  const dir = folder(t);
  const [file, data] = [join(dir, 'file'), join(dir, 'data')];
  await succeeds('backup', file, '--from', source.address);
  for (let i = 0; i < kills; i++) {
    await killed(['restore', file, '--dir', data], begun(dir, 'data.'), 150);
    if (!existsSync(data)) continue;
    const whole = await nodeOf(t, data);
    await assertSameData(whole);
    await whole.stop();
    rmSync(data, { recursive: true });
  }
  await succeeds('restore', file, '--dir', data);
  await assertSameData(await nodeOf(t, data));
});

test('kill -9 of import: done again with --replace, it comes to the same', async (t) => {
  const file = join(folder(t), 'file');
  await succeeds('export', file, '--from', source.address);
  const target = await nodeOf(t);
  const { engine } = target.server;
  const client = await clientOf(target.port);
  t.after(() => client.close());
  // The second way in the long run alone.
  for (const from of [file, `redis://${source.address}`].slice(0, kills)) {
    await client.call('FLUSHALL');
    const args = ['import', from, '--to', target.address, '--replace'].concat(from === file ? [] : '--once');
    for (let i = 0; i < kills; i++) {
      const goal = random.below(KEYS);
      await killed(args, () => (engine.call('DBSIZE') as number) > goal, 5);
    }
    await succeeds(...args);
    await assertSameData(target);
  }
});

test(
  'kill -9 of an import that follows: it goes on, and each write is there once',
  { skip: installedRedisVersion() === undefined && 'there is no redis-server' },
  async (t) => {
    // Writes go on while nobody follows.
    const redis = await startRedis(false, ['--repl-backlog-size', '64mb']);
    t.after(() => redis.stop());
    const client = await clientOf(redis.port);
    t.after(() => client.close());
    await client.call('SET', 'k', 'v');
    const target = await nodeOf(t);
    const { engine } = target.server;
    const args = ['import', `redis://127.0.0.1:${redis.port}`, '--to', target.address];
    let writes = 0;
    let isOver = false;
    const writing = (async () => {
      for (; !isOver; writes += 50)
        await Promise.all(Array.from({ length: 50 }, () => client.call('INCR', 'n')));
    })();
    for (let i = 0; i < kills; i++) {
      const goal = Number(engine.call('GET', 'n') ?? 0) + 1 + random.below(500);
      const follows = (): boolean =>
        engine.call('GET', MARKER) !== null && Number(engine.call('GET', 'n')) >= goal;
      assert.ok(await killed(args, follows, 20));
    }
    isOver = true;
    await writing;
    const { said } = await run(...args, '--cutover', '--pause', '1s');
    assert.match(said, /goes on where an import stopped/);
    assert.equal(engine.call('GET', 'n'), `${writes}`);
    assert.equal(engine.call('DBSIZE'), 2);
  },
);

test('a full disk: no file, no directory, an error that says so; with room it is done', async (t) => {
  const disk = smallDisk(t, 1);
  if (disk === undefined) return;
  const backup = join(folder(t), 'file');
  await succeeds('backup', backup, '--from', source.address);
  const ways = [
    ['export', join(disk, 'file'), '--from', source.address],
    ['backup', join(disk, 'file'), '--from', source.address],
    ['restore', backup, '--dir', join(disk, 'data')],
  ];
  for (const args of ways) {
    const { code, out, said } = await run(...args);
    assert.deepEqual([code, out], [1, ''], args[0]);
    assert.match(
      said,
      new RegExp(`^redraft: .* of ${disk}/.* failed: no space left on the disk`, 'm'),
      args[0],
    );
    assert.deepEqual(readdirSync(disk), [], args[0]);
  }
  resizeDisk(disk, 200);
  for (const args of ways) {
    await succeeds(...args);
    const [name] = readdirSync(disk);
    if (args[0] === 'export') await assertWholeRdb(join(disk, name));
    if (args[0] === 'backup') await assertWholeBackup(join(disk, name));
    if (args[0] === 'restore') {
      const node = await nodeOf(t, join(disk, name));
      await assertSameData(node);
      await node.stop();
    }
    rmSync(join(disk, name), { recursive: true });
  }
});

test('a full disk under the node: an import ends and says so; with room it is done again', async (t) => {
  const disk = smallDisk(t);
  if (disk === undefined) return;
  const file = join(folder(t), 'file');
  await succeeds('export', file, '--from', source.address);
  const target = await nodeOf(t, join(disk, 'data'));
  fillUp(join(disk, 'ballast'));
  // It looks ten times a second: a write that comes before would fail, and end the node.
  await until('the node knows', () => target.server.diskSpace?.isFull === true);
  const args = ['import', file, '--to', target.address, '--replace'];
  const { code, said } = await run(...args);
  assert.equal(code, 1);
  assert.match(said, /^redraft: .*MISCONF No space left/m);
  resizeDisk(disk, 200);
  await until('the node takes writes', async () => (await run(...args)).code === 0);
  await assertSameData(target);
});

test('what an earlier process left is in no way', async (t) => {
  const dir = folder(t);
  const file = join(dir, 'file');
  for (const name of ['file', 'data'])
    for (const left of [`${name}.tmp`, `${name}.${process.pid}.tmp`]) writeFileSync(join(dir, left), 'left');
  await succeeds('export', file, '--from', source.address);
  renameSync(file, `${file}.rdb`);
  await succeeds('backup', file, '--from', source.address);
  await succeeds('restore', file, '--dir', join(dir, 'data'));
});

test('two backups to one file at a time: it is whole', async (t) => {
  const dir = folder(t);
  const file = join(dir, 'file');
  const args = ['backup', file, '--from', source.address];
  await Promise.all([succeeds(...args), succeeds(...args)]);
  await assertWholeBackup(file);
  assert.deepEqual(readdirSync(dir), ['file']);
});
