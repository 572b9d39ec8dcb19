/** Backups of a running node, and clusters that are founded with them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ContinuousBackup } from '../../src/backup/continuous.js';
import { NodeSource } from '../../src/backup/node-source.js';
import { readBackup } from '../../src/backup/restore.js';
import { parseCommandLine, UsageError } from '../../src/cli/command-line.js';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { folder, nodeOf, runCommand, runDataOrCheck } from '../migration/command.js';
import { programPath } from '../program-path.js';

async function clientOf(t: TestContext, redraft: Redraft): Promise<RespClient> {
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  t.after(() => client.close());
  return client;
}

const run = (...args: string[]): ReturnType<typeof runCommand> => runCommand(args, runDataOrCheck);

async function fill(client: RespClient, from: number, to: number): Promise<void> {
  const replies: Promise<unknown>[] = [];
  for (let i = from; i < to; i++) {
    replies.push(client.call('SET', `k${i}`, `${i}`, ...(i % 3 === 0 ? ['EX', '1000'] : [])));
    replies.push(client.call('SADD', 'set', `member ${i}`), client.call('RPUSH', 'list', `element ${i}`));
  }
  await Promise.all(replies);
}

const nothing = (): void => {};

test('a file: the same digest in a new cluster, which others join', async (t) => {
  const dir = folder(t);
  const source = await nodeOf(t);
  const client = await clientOf(t, source);
  await fill(client, 0, 400);
  await client.call('ACL', 'SETUSER', 'alice', 'on', '>pw', '~*', '+@all');
  const sha = `${await client.call('SCRIPT', 'LOAD', 'return 7')}`;
  const file = join(dir, 'a.backup');
  const made = await run('backup', file, '--from', source.address, '--json');
  assert.equal(made.code, 0, made.said);
  const { index } = JSON.parse(made.out);
  const digest = source.server.engine.digest();
  assert.equal(index, source.server.engine.appliedIndex);
  const checked = await run('check', file);
  assert.equal(checked.code, 0, checked.out);
  assert.match(checked.out, new RegExp(`entry ${index}, .*, 402 keys\\ndigest ${digest}`));

  const data = join(dir, 'data');
  const restored = await run('restore', file, '--dir', data, '--json');
  assert.equal(restored.code, 0, restored.said);
  assert.notEqual(JSON.parse(restored.out).cluster, JSON.parse(made.out).cluster);
  const again = await run('restore', file, '--dir', data);
  assert.equal(again.code, 1);
  assert.match(again.said, /is not empty/);
  assert.deepEqual(readdirSync(dir).sort(), ['a.backup', 'data'], 'nothing else is left');

  const node = await nodeOf(t, data);
  const user = await clientOf(t, node);
  assert.equal(`${await user.call('AUTH', 'alice', 'pw')}`, 'OK');
  assert.equal(await user.call('LLEN', 'list'), 400);
  assert.equal(await user.call('EVALSHA', sha, '0'), 7);
  assert.equal(`${await user.call('SET', 'new', '1')}`, 'OK');
  await node.stop();
  const restarted = await nodeOf(t, data);
  assert.equal(await (await clientOf(t, restarted)).call('DBSIZE'), 403);
  const joiner = await Redraft.start({ port: 0, join: restarted.address });
  t.after(() => joiner.stop());
  await until('the joiner has all', () => joiner.server.engine.digest() === restarted.server.engine.digest());
  assert.equal(joiner.server.engine.call('DBSIZE'), 403);
});

test('what is damaged is refused, and says where', async (t) => {
  const dir = folder(t);
  const source = await nodeOf(t);
  await fill(await clientOf(t, source), 0, 300);
  const file = join(dir, 'a.backup');
  await run('backup', file, '--from', source.address);
  const whole = readFileSync(file);
  for (let at = 0; at < whole.length; at += Math.floor(whole.length / 25)) {
    const damaged = Buffer.from(whole);
    damaged[at] ^= 1;
    writeFileSync(file, damaged);
    const { code, out } = await run('check', file);
    assert.equal(code, 1, `byte ${at}: ${out}`);
    assert.equal((await run('restore', file, '--dir', join(dir, 'data'))).code, 1, `byte ${at}`);
  }
  writeFileSync(file, whole.subarray(0, whole.length - 20));
  assert.equal((await run('check', file)).code, 1);
  writeFileSync(file, whole);
  assert.equal((await run('check', file)).code, 0);
  assert.deepEqual(readdirSync(dir), ['a.backup']);
});

test('retention: the newest of this cluster stay, whatever else lies there', async (t) => {
  const dir = folder(t);
  const [source, other] = [await nodeOf(t), await nodeOf(t)];
  const client = await clientOf(t, source);
  await run('backup', join(dir, 'other.backup'), '--from', other.address);
  writeFileSync(join(dir, 'notes.txt'), 'no backup');
  for (const name of ['1', '2', '3', '4']) {
    await client.call('INCR', 'n');
    const { code } = await run(
      'backup',
      join(dir, `${name}.backup`),
      '--from',
      source.address,
      '--keep',
      '2',
    );
    assert.equal(code, 0);
  }
  assert.deepEqual(readdirSync(dir).sort(), ['3.backup', '4.backup', 'notes.txt', 'other.backup']);
});

test('a connection that asks for many snapshots keeps none but the last', async (t) => {
  const client = await clientOf(t, await nodeOf(t));
  const warnings: string[] = [];
  const warned = ({ name }: Error): void => void warnings.push(name);
  process.on('warning', warned);
  for (let i = 0; i < 15; i++) await client.call('RAFTBACKUP', 'SNAPSHOT');
  process.off('warning', warned);
  assert.ok(!warnings.includes('MaxListenersExceededWarning'), warnings.join());
});

test('the command line asks for a file or a folder', () => {
  for (const args of [[], ['a.backup', '--continuous', 'dir']])
    assert.throws(() => parseCommandLine(['backup', ...args], {}), UsageError);
  for (const point of ['x', '2026-11-28', '@', '-1'])
    assert.throws(() => parseCommandLine(['restore', 'a', `--to=${point}`], {}), UsageError, point);
});

interface Follower {
  readonly at: () => number;
  readonly stop: () => Promise<void>;
  readonly said: string[];
}

async function follow(redraft: Redraft, directory: string, everyMs: number, keep = 2): Promise<Follower> {
  let isStopped = false;
  let at = 0;
  const said: string[] = [];
  const backup = await ContinuousBackup.open({
    directory,
    everyMs,
    keep,
    say: (text) => said.push(text),
    progress: nothing,
    followed: (index) => {
      at = index;
    },
    isStopped: () => isStopped,
  });
  const source = new NodeSource(await RespClient.connect({ host: '127.0.0.1', port: redraft.port }));
  const running = backup.run(source);
  return {
    at: () => at,
    said,
    stop: async () => {
      isStopped = true;
      try {
        await running;
      } finally {
        await backup.close();
        await source.close();
      }
    },
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 15_000;
  while (!holds()) {
    assert.ok(Date.now() < end, `not within 15 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('a folder: any entry and any time can be named, across bases and interruptions', async (t) => {
  const dir = folder(t);
  const chain = join(dir, 'chain');
  const source = await nodeOf(t);
  const client = await clientOf(t, source);
  const { engine } = source.server;
  await fill(client, 0, 50);
  /** Index, digest and time at moments of the writing. */
  const moments: { index: number; digest: string; timeMs: number }[] = [];
  const note = async (value: string): Promise<void> => {
    await client.call('SET', 'moment', value);
    moments.push({ index: engine.appliedIndex, digest: engine.digest(), timeMs: engine.keyspace.now });
    const past = engine.keyspace.now;
    await until('the clock moves', () => Date.now() > past + 1);
  };
  const first = await follow(source, chain, 60_000, 100);
  await until('a base', () => first.at() > 0);
  await fill(client, 50, 100);
  await note('first');
  await until('the entries', () => first.at() >= engine.appliedIndex);
  await first.stop();
  await fill(client, 100, 150);
  await note('while away');
  const second = await follow(source, chain, 300, 100);
  await until('another base', () => second.said.filter((text) => text.startsWith('a base')).length > 0);
  await fill(client, 150, 200);
  await note('last');
  await until('the entries', () => second.at() >= engine.appliedIndex);
  await second.stop();
  assert.match(second.said[0], /goes on behind entry/);

  for (const { index, digest, timeMs } of moments) {
    for (const to of [{ index }, { timeMs }]) {
      const state = await readBackup(chain, to, nothing, (text) => assert.fail(text));
      assert.equal(state.index, index);
      assert.equal(state.machine.engine.digest(), digest, JSON.stringify(to));
    }
  }
  const [, middle] = moments;
  const data = join(dir, 'data');
  const point = new Date(middle.timeMs).toISOString();
  assert.equal((await run('restore', chain, '--dir', data, '--to', point)).code, 0);
  const node = await nodeOf(t, data);
  assert.equal(`${await (await clientOf(t, node)).call('GET', 'moment')}`, 'while away');
  const beyond = await run('restore', chain, '--dir', join(dir, 'x'), '--to', `${engine.appliedIndex + 9}`);
  assert.equal(beyond.code, 1);
  assert.match(beyond.said, /ends at entry/);
  assert.equal((await run('check', chain)).code, 0);
  const stranger = await follow(await nodeOf(t), chain, 60_000);
  await assert.rejects(stranger.stop(), /is of cluster/);
});

test('a gap between two files is seen', async (t) => {
  const chain = folder(t);
  const source = await nodeOf(t);
  const client = await clientOf(t, source);
  for (const everyMs of [60_000, 1]) {
    await client.call('INCR', 'n');
    const backup = await follow(source, chain, everyMs);
    await until('a base', () => backup.said.some((text) => text.startsWith('a base')));
    await client.call('INCR', 'n');
    await until('the entries', () => backup.at() >= source.server.engine.appliedIndex);
    await backup.stop();
  }
  assert.equal((await run('check', chain)).code, 0);
  const files = readdirSync(chain).sort();
  const bases = files.filter((name) => name.endsWith('.backup'));
  for (const name of bases.slice(1)) rmSync(join(chain, name));
  const [log] = files.filter((name) => name.endsWith('.log'));
  const bytes = readFileSync(join(chain, log));
  writeFileSync(join(chain, log), bytes.subarray(0, bytes.length - 1));
  const { code, out } = await run('check', chain);
  assert.equal(code, 1);
  assert.match(out, /are missing|no whole entry/);
});

test('kill -9 of the node and of the backup: what was said to be there is there', async (t) => {
  const dir = folder(t);
  const port = await freePort();
  const node = await SpawnedRedraft.start(port, '--dir', join(dir, 'data'));
  t.after(() => node.end('SIGKILL'));
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  await fill(client, 0, 200);
  const chain = join(dir, 'chain');
  const args = ['backup', '--continuous', chain, '--from', `127.0.0.1:${port}`];
  const tool = spawn(process.execPath, [programPath, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => tool.kill('SIGKILL'));
  let said = '';
  tool.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('a base', () => said.includes('a base'));
  await fill(client, 200, 400);
  const [index, digest] = (await client.call('RAFTDIGEST')) as [number, Buffer];
  const lastOf = (text: string): number =>
    Number([...text.matchAll(/entry (\d+) is there/g)].at(-1)?.[1] ?? 0);
  await until('the entries', () => lastOf(said) >= index);
  await Promise.all([fill(client, 400, 600).catch(nothing), node.end('SIGKILL')]);
  tool.kill('SIGKILL');
  await client.close();
  const state = await readBackup(chain, { index }, nothing, (text) => assert.fail(text));
  assert.equal(state.machine.engine.digest(), `${digest}`);
  // And whatever else came is whole, too.
  assert.ok((await readBackup(chain, undefined, nothing, nothing)).index >= index);
});

test('old bases go, with what only they need', async (t) => {
  const chain = folder(t);
  const source = await nodeOf(t);
  const client = await clientOf(t, source);
  await client.call('SET', 'a', '1');
  const backup = await follow(source, chain, 1, 2);
  for (let i = 0; i < 4; i++) {
    await client.call('INCR', 'n');
    const bases = backup.said.length;
    await until('another base', () => backup.said.length > bases + 1);
  }
  await backup.stop();
  const bases = readdirSync(chain).filter((name) => name.endsWith('.backup'));
  assert.ok(bases.length <= 2, bases.join());
  assert.equal((await readBackup(chain, undefined, nothing, nothing)).machine.engine.call('GET', 'n'), '4');
});
