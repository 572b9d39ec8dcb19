/** What the runbook says of a member whose disk is lost, whose files are damaged, or whose state differs. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { check } from '../../src/cli/check.js';
import { TestCluster, type TestNode, until } from './nodes.js';

/** Three members with some data, and one of them that does not lead. */
async function threeAndOne(
  t: TestContext,
  more: { digestIntervalMs?: number } = {},
): Promise<{ cluster: TestCluster; member: TestNode }> {
  const cluster = await TestCluster.start(t, 3, more);
  const leader = await cluster.leader();
  for (let i = 0; i < 50; i++) await leader.ask('SET', `key${i}`, 'value');
  await cluster.assertEqual();
  const [member] = await cluster.followers();
  return { cluster, member };
}

/** Starts it with an empty directory and the same address, and sees that it is one of three again. */
async function joinsAnew(cluster: TestCluster, member: TestNode): Promise<void> {
  rmSync(member.options.dir!, { recursive: true, force: true });
  await member.start({ join: (await cluster.leader()).address });
  await until('all three are members', async () => {
    const peers = (await (await cluster.leader()).ask('RAFTPEERS')) as string[];
    return cluster.nodes.every(
      ({ address }) => peers.filter((word) => String(word).includes(address)).length === 1,
    );
  });
  await cluster.assertEqual();
  assert.equal(cluster.running.length, 3);
}

test('a member whose disk is lost: with an empty directory and --join it takes its place again', async (t) => {
  const { cluster, member } = await threeAndOne(t);
  await member.stop();
  await joinsAnew(cluster, member);
});

test('a member whose files are damaged: its start is refused, redraft check says why, and it joins anew', async (t) => {
  const { cluster, member } = await threeAndOne(t);
  await member.stop();
  const { dir } = member.options;
  const [log] = (readdirSync(dir!, { recursive: true }) as string[])
    .map((name) => join(dir!, name))
    .filter((path) => path.includes('log') && /\d/.test(path.slice(dir!.length)));
  const bytes = readFileSync(log);
  bytes[Math.floor(bytes.indexOf('key9') / 2)] ^= 1;
  writeFileSync(log, bytes);
  await assert.rejects(member.start(), /is damaged at offset \d+/);
  let said = '';
  const code = await check(dir!, { json: false } as Parameters<typeof check>[1], (text) => {
    said += text;
  });
  assert.equal(code, 1);
  assert.match(said, /is damaged at offset \d+/);
  await joinsAnew(cluster, member);
});

test('a member whose state differs: it is removed, emptied, and joins anew', async (t) => {
  const { cluster, member } = await threeAndOne(t, { digestIntervalMs: 50 });
  member.redraft.server.engine.keyspace.database(0).delete(0);
  const ask = async (...args: string[]): Promise<unknown> => (await cluster.leader()).ask(...args);
  const stats = async (): Promise<string> => ((await ask('RAFTSTATS')) as string[]).join(' ');
  await until('it is found', async () => {
    await ask('INCR', 'n');
    return (await stats()).includes('health=diverged');
  });
  assert.equal(await ask('RAFTREMOVEPEER', member.address), 'OK');
  await until('it stops', () => member.failure !== undefined && !member.isRunning);
  await joinsAnew(cluster, member);
  await until('all states are the same', async () => {
    await ask('INCR', 'n');
    return /digest ok/.test(await stats());
  });
});
