/** Out of a node: a file that an import puts back as it was, and that redis-server loads. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installedRedisVersion } from '../../conformance/servers.js';
import { runExport } from '../../src/cli/export.js';
import { runImport } from '../../src/cli/import.js';
import { Redraft } from '../../src/index.js';
import { DatasetDigest } from '../../src/observability/dataset-digest.js';
import { RespClient } from '../../src/resp/client.js';
import { folder, nodeOf, runCommand } from './command.js';

const run = (...args: string[]): ReturnType<typeof runCommand> =>
  runCommand(args, (command, print, said) => {
    if (command.kind === 'export') return runExport(command.path, command.options, print, said);
    assert.equal(command.kind, 'import');
    const { source, options } = command as Extract<typeof command, { kind: 'import' }>;
    return runImport(source, options, print, said);
  });

/** Keys of all types, packed and not, in two databases. */
async function fill(redraft: Redraft): Promise<void> {
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  const call = (...args: string[]): void => void client.call(...args);
  for (const [type, args] of [
    ['RPUSH', (i: number) => [`element ${i}`]],
    ['SADD', (i: number) => [`member ${i}`]],
    ['HSET', (i: number) => [`field ${i}`, 'v'.repeat(i % 90)]],
    ['ZADD', (i: number) => [`${i / 3}`, `member ${i}`]],
    ['XADD', (i: number) => [`${i + 1}-1`, 'field', `value ${i}`]],
  ] as const)
    for (const [key, size] of [
      ['small', 5],
      ['large', 700],
    ] as const)
      for (let i = 0; i < size; i++) call(type, `${type}:${key}`, ...args(i));
  call('SADD', 'ints', '1', '2', '70000');
  call('SET', 'number', '12345');
  call('SET', 'text', 'abc'.repeat(50));
  call('SETRANGE', 'huge', '300000', 'end');
  call('SET', 'deadline', 'v', 'PXAT', '4102444800000');
  call('PFADD', 'hll', 'a', 'b', 'c');
  call('XGROUP', 'CREATE', 'XADD:large', 'g', '0');
  call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '10', 'STREAMS', 'XADD:large', '>');
  call('FUNCTION', 'LOAD', "#!lua name=l\nredis.register_function('f', function() return 7 end)");
  call('SELECT', '3');
  call('SET', 'other', 'database');
  await client.call('SELECT', '0');
  await client.close();
}

const digestOf = (redraft: Redraft): string => new DatasetDigest(redraft.server.engine).ofAll();
const KEYS = 17;

test('what is exported and imported again is the same', async (t) => {
  const [source, target] = [await nodeOf(t), await nodeOf(t)];
  await fill(source);
  const path = join(folder(t), 'dump.rdb');
  const { code, out } = await run('export', path, '--from', source.address, '--json');
  assert.equal(code, 0);
  assert.deepEqual(
    { ...JSON.parse(out), seconds: 0 },
    {
      keys: KEYS,
      leftOut: 0,
      libraries: 1,
      bytes: statSync(path).size,
      seconds: 0,
    },
  );
  assert.equal((await run('import', path, '--to', target.address)).code, 0);
  assert.equal(digestOf(target), digestOf(source));
  const { engine } = target.server;
  assert.equal(engine.call('FCALL', 'f', '0'), 7);
  assert.ok(Array.isArray(engine.call('XPENDING', 'XADD:large', 'g')));
});

test('some keys; and from the directory of a node that has stopped', async (t) => {
  const dir = join(folder(t), 'data');
  const node = await Redraft.start({ port: 0, dir });
  await fill(node);
  const address = node.address;
  const path = join(folder(t), 'some.rdb');
  const { out } = await run('export', path, '--from', address, '--match', '*:large', '--json');
  assert.equal(JSON.parse(out).keys, 5);
  assert.equal(JSON.parse(out).leftOut, KEYS - 5);
  const inUse = await run('export', path, '--data-dir', dir);
  assert.equal(inUse.code, 1);
  assert.match(inUse.said, /in use/);
  await node.stop();

  const all = join(folder(t), 'all.rdb');
  const stopped = await run('export', all, '--data-dir', dir, '--json');
  assert.equal(JSON.parse(stopped.out).keys, KEYS);
  const target = await nodeOf(t);
  await run('import', all, '--to', target.address);
  assert.equal(digestOf(target), digestOf(node));
  const db3 = await run('export', all, '--data-dir', dir, '--json', '--db', '3');
  assert.equal(JSON.parse(db3.out).keys, 1);
});

test('idle times and frequencies are in the file where eviction goes by them', async (t) => {
  for (const [policy, opcode] of [
    ['allkeys-lru', 0xf8],
    ['allkeys-lfu', 0xf9],
  ] as const) {
    const node = await nodeOf(t, undefined, { 'maxmemory-policy': policy });
    const client = await RespClient.connect({ host: '127.0.0.1', port: node.port });
    await client.call('SET', 'k', 'v');
    await client.close();
    const path = join(folder(t), 'dump.rdb');
    await run('export', path, '--from', node.address);
    const at = readFileSync(path).lastIndexOf(Buffer.from('\x00\x01k\x01v'));
    assert.equal(readFileSync(path)[at - 2], opcode, policy);
  }
});

test('a node that cannot be reached, a file that cannot be written, a right that is missing', async (t) => {
  const dir = folder(t);
  const path = join(dir, 'dump.rdb');
  assert.equal((await run('export', path, '--from', '127.0.0.1:1')).code, 1);
  const node = await nodeOf(t, undefined, { requirepass: 'secret' });
  const refused = await run('export', path, '--from', node.address);
  assert.equal(refused.code, 1);
  assert.match(refused.said, /NOAUTH/);
  assert.equal((await run('export', join(dir, 'no/such/folder'), '--from', node.address)).code, 1);
  assert.deepEqual(readdirSync(dir), [], 'nothing is left behind');
  assert.equal((await run('export', path, '--from', node.address, '--requirepass', 'secret')).code, 0);
});

test(
  'redis-server loads the file, and has the same digest',
  { skip: installedRedisVersion() === undefined },
  async (t) => {
    const source = await nodeOf(t);
    await fill(source);
    const dir = folder(t);
    await run('export', join(dir, 'dump.rdb'), '--from', source.address);
    const check = spawnSync('redis-check-rdb', [join(dir, 'dump.rdb')], { encoding: 'utf8' });
    if (check.error === undefined) assert.match(check.stdout, /RDB looks OK/);
    const socket = join(dir, 's');
    const options = [
      '--port',
      '0',
      '--unixsocket',
      socket,
      '--dir',
      dir,
      '--save',
      '',
      '--enable-debug-command',
      'yes',
    ];
    const redis = spawn('redis-server', options, { stdio: 'ignore' });
    t.after(() => redis.kill('SIGKILL'));
    const ask = (...args: string[]): string =>
      spawnSync('redis-cli', ['-s', socket, ...args], { encoding: 'utf8' }).stdout.trim();
    const until = Date.now() + 10_000;
    while (ask('PING') !== 'PONG') {
      assert.ok(Date.now() < until, 'redis-server answers within 10 s');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(ask('DEBUG', 'DIGEST'), digestOf(source));
    assert.equal(ask('FCALL', 'f', '0'), '7');
  },
);
