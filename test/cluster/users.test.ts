/** Users on three nodes: what one node is told holds on all, and no way around one leads over another. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { createLog } from '../../src/observability/log.js';
import type { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from './nodes.js';

const asks = async (client: RespClient, ...args: string[]): Promise<unknown> =>
  plain(await client.call(...args));

async function three(
  t: TestContext,
): Promise<{ leader: TestNode; follower: TestNode; cluster: TestCluster }> {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward', clusterSecret: 'of nodes' });
  return { cluster, leader: await cluster.leader(), follower: (await cluster.followers())[0] };
}

const knows = (node: TestNode, name: string): boolean =>
  node.redraft.server.engine.users.get(name) !== undefined;

test('a user made on a follower is known to all, and limited on each of them, alone and in MULTI', async (t) => {
  const { cluster, leader, follower } = await three(t);
  assert.equal(
    await follower.ask(
      'ACL',
      'SETUSER',
      'ann',
      'on',
      '>pw',
      '~a*',
      '+get',
      '+set',
      '+multi',
      '+exec',
      '+select',
    ),
    'OK',
  );
  for (const node of [leader, follower]) {
    await until('the user is known', () => knows(node, 'ann'));
    const client = await node.connect();
    assert.match(String(await asks(client, 'AUTH', 'ann', 'no')), /^-WRONGPASS/);
    assert.equal(await asks(client, 'AUTH', 'ann', 'pw'), 'OK');
    assert.equal(await asks(client, 'SELECT', '3'), 'OK');
    assert.equal(await asks(client, 'SET', 'a', '1'), 'OK');
    assert.equal(await asks(client, 'GET', 'a'), '1');
    assert.match(String(await asks(client, 'GET', 'b')), /^-NOPERM .* keys/);
    assert.match(String(await asks(client, 'DEL', 'a')), /^-NOPERM .* 'del' command/);
    await asks(client, 'MULTI');
    assert.equal(await asks(client, 'SET', 'a', '2'), 'QUEUED');
    assert.deepEqual(await asks(client, 'EXEC'), ['OK']);
    await client.close();
  }
  const client = await leader.connect();
  await asks(client, 'SELECT', '3');
  assert.equal(await asks(client, 'GET', 'a'), '2');
  await client.close();
  await cluster.assertEqual();
});

test('the leader judges what is forwarded by its own state', async (t) => {
  const { leader, follower } = await three(t);
  await leader.ask('ACL', 'SETUSER', 'ann', 'on', 'nopass', '~*', '+@all');
  await until('the user is known', () => knows(follower, 'ann'));
  const client = await follower.connect();
  await asks(client, 'AUTH', 'ann', 'x');
  assert.equal(await asks(client, 'SET', 'k', '1'), 'OK');
  // The follower has not heard of it: its connection goes by what it knew.
  const { access } = follower.redraft.server;
  const before = access.permissions('ann');
  await leader.ask('ACL', 'SETUSER', 'ann', '-set');
  for (const connection of follower.redraft.server.connections.values())
    if (connection.userName === 'ann') connection.permissions = before;
  assert.match(String(await asks(client, 'SET', 'k', '2')), /^-NOPERM/);
  assert.equal(await asks(client, 'GET', 'k'), '1');
  await client.close();
});

test('who gave no password is not forwarded where one is asked for', async (t) => {
  const { leader, follower } = await three(t);
  const early = await follower.connect();
  assert.equal(await asks(early, 'SET', 'k', '1'), 'OK');
  assert.equal(await leader.ask('CONFIG', 'SET', 'requirepass', 'secret'), 'OK');
  await until('the follower asks, too', () => follower.redraft.server.access.isRequired);
  const late = await follower.connect();
  assert.equal(await asks(late, 'SET', 'k', '2'), '-NOAUTH Authentication required.');
  assert.equal(await asks(late, 'AUTH', 'secret'), 'OK');
  assert.equal(await asks(late, 'SET', 'k', '3'), 'OK');
  assert.deepEqual(await asks(late, 'CONFIG', 'GET', 'requirepass'), ['requirepass', '']);
  await early.close();
  await late.close();
});

test('connections end with their user, and those that listen to what they may not any more', async (t) => {
  const { leader, follower } = await three(t);
  await leader.ask('ACL', 'SETUSER', 'ann', 'on', 'nopass', '+@all', '~*', '&a', '&b');
  await until('the user is known', () => knows(follower, 'ann'));
  const [listener, idle, blocked] = [
    await follower.connect(),
    await follower.connect(),
    await leader.connect(),
  ];
  for (const client of [listener, idle, blocked]) assert.equal(await asks(client, 'AUTH', 'ann', 'x'), 'OK');
  await asks(listener, 'SUBSCRIBE', 'a');
  const waiting = blocked.call('BLPOP', 'q', '0').catch(() => 'closed');
  await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
  await leader.ask('ACL', 'SETUSER', 'ann', 'resetchannels', '&b');
  await until('the listener is cut', () => listener.closed);
  assert.equal(await asks(idle, 'PING'), 'PONG');
  assert.equal(await leader.ask('ACL', 'DELUSER', 'ann'), 1);
  await until('the others are cut', () => idle.closed && blocked.closed);
  assert.equal(await waiting, 'closed');
  await until('nobody waits', () => leader.redraft.server.engine.waiters.size === 0);
});

test('without a secret clients of a cluster, or of a node beyond loopback, are not limited', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const leader = await cluster.leader();
  for (const command of [
    ['CONFIG', 'SET', 'requirepass', 'x'],
    ['ACL', 'SETUSER', 'default', 'resetpass'],
    ['ACL', 'SETUSER', 'default', 'off'],
    ['ACL', 'SETUSER', 'default', '-flushall'],
  ])
    assert.match(String(await leader.ask(...command)), /^-ERR .* --cluster-secret first/);
  assert.equal(await leader.ask('ACL', 'LIST').then((lines) => (lines as string[]).length), 1);
});

test('a founder seeds users and password; a later start says where it differs', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-users-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'users.acl');
  writeFileSync(file, '# ours\nuser ann on >pw ~a:* &* +@all\n');
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const start = (password: string): Promise<Redraft> =>
    Redraft.start({ dir: join(dir, 'data'), password, configuration: { aclfile: file }, log });
  const first = await start('one');
  assert.equal(first.server.access.accepts('default', 'one'), true);
  assert.equal(first.server.access.accepts('ann', 'pw'), true);
  await first.stop();
  writeFileSync(file, 'user ann on >other ~a:* &* +@all\nuser bob on\n');
  const second = await start('two');
  t.after(() => second.stop());
  const { access } = second.server;
  assert.equal(access.accepts('default', 'two'), false);
  assert.equal(access.accepts('default', 'one'), true);
  assert.equal(access.user('bob'), undefined);
  assert.ok(lines.some((line) => line.includes('keeps its own password')));
  assert.ok(lines.some((line) => line.includes('keeps its own users') && line.includes('ann, bob')));
  const node = new (await import('./nodes.js')).TestNode(undefined as never, {});
  node.redraft = second;
  await node.ask('AUTH', 'one');
  assert.equal(await node.ask('ACL', 'LOAD'), 'OK');
  assert.equal(access.accepts('ann', 'other'), true);
  assert.equal(access.isOpen, true);
  await node.ask('ACL', 'SETUSER', 'cid', 'on', '>clear text', '+@all');
  assert.equal(await node.ask('ACL', 'SAVE'), 'OK');
  const saved = readFileSync(file, 'utf8');
  assert.match(saved, /^user ann on #[0-9a-f]{64} ~a:\* &\* \+@all\n/);
  assert.ok(!saved.includes('clear text'));
  writeFileSync(file, 'user ann +nope\n');
  assert.match(String(await node.ask('ACL', 'LOAD')), /^-ERR .*users.acl:1: Unknown command .* no change/);
  assert.equal(access.accepts('ann', 'other'), true);
});
