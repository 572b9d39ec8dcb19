import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createLog } from '../../src/index.js';
import { freePort } from '../durability/spawned.js';
import { TestCluster, until } from './nodes.js';

test('a second start with the same flags just rejoins, also while its peers are away', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [leader, ...followers] = [await cluster.leader(), ...(await cluster.followers())];
  await leader.ask('SET', 'a', '1');
  const term = leader.redraft.node.status().term;
  await followers[0].stop();
  await followers[0].start();
  assert.equal(followers[0].redraft.node.id, leader.redraft.node.status().peers[0].id);
  for (const node of cluster.nodes) await node.stop();
  // Its peers are away: it serves, and says so.
  await followers[0].start();
  assert.match(String(await followers[0].ask('SET', 'a', '2')), /^-CLUSTERDOWN no leader is known/);
  await followers[1].start();
  assert.equal(await (await cluster.leader()).ask('GET', 'a'), '1');
  await leader.start();
  await cluster.assertEqual();
  assert.ok((await cluster.leader()).redraft.node.status().term > term);
});

test('a join to itself, with a wrong secret, to what is no node: a clear error, the cluster undisturbed', async (t) => {
  const cluster = await TestCluster.start(t, 1, { clusterSecret: 'right' });
  const { address } = cluster.nodes[0];
  const term = cluster.nodes[0].redraft.node.status().term;
  const port = await freePort();
  await assert.rejects(cluster.add({ port, join: `127.0.0.1:${port}` }), /is this node itself/);
  await assert.rejects(
    cluster.add({ port, join: address, clusterSecret: 'wrong' }),
    /another cluster secret/,
  );
  await assert.rejects(cluster.add({ port, join: address, clusterSecret: '' }), /another cluster secret/);
  const stranger = (await import('node:net')).createServer((socket) => {
    socket.once('data', () => socket.end("-ERR unknown command 'RAFTPEER'\r\n"));
  });
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const { port: strange } = stranger.address() as { port: number };
  await assert.rejects(cluster.add({ port, join: `127.0.0.1:${strange}` }), /is no Redraft node/);
  stranger.close();
  assert.deepEqual(await cluster.nodes[0].ask('RAFTPEERS'), [address]);
  assert.equal(cluster.nodes[0].redraft.node.status().term, term);
  assert.equal(await cluster.nodes[0].ask('SET', 'a', '1'), 'OK');
});

test('a join to nowhere keeps trying quietly, and clients are told; RAFTADDPEER invites it', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  const port = await freePort();
  const nowhere = await freePort();
  const lines: string[] = [];
  const joining = cluster.add({
    port,
    join: `127.0.0.1:${nowhere}`,
    log: createLog('notice', (line) => lines.push(line)),
  });
  await until('it says so', () => lines.length > 0);
  const socket = connect(port, '127.0.0.1');
  socket.write('PING\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^-LOADING/);
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(lines.length, 1, lines.join(''));
  assert.match(lines[0], /no node to join answers yet/);
  assert.equal(await cluster.nodes[0].ask('RAFTADDPEER', `127.0.0.1:${port}`), 'OK');
  await joining;
  assert.equal(((await cluster.nodes[0].ask('RAFTPEERS')) as string[]).length, 2);
  const [first, second] = await Promise.all([TestCluster.start(t, 1), TestCluster.start(t, 1)]);
  assert.match(
    String(await first.nodes[0].ask('RAFTADDPEER', second.nodes[0].address)),
    /^-ERR .*it belongs to another cluster/,
  );
});

test('the address of a living member is not given away: an error, and the member stays', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const taken = cluster.nodes[1].address;
  await assert.rejects(cluster.add({ advertise: taken }), /a living member of the cluster/);
  assert.equal(((await (await cluster.leader()).ask('RAFTPEERS')) as string[]).length, 2);
  await cluster.assertEqual();
});

test("a member's address taken over by a new node: the old id is replaced before the new one votes", async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [lost] = await cluster.followers();
  const oldId = lost.redraft.node.id;
  await lost.stop();
  rmSync(lost.options.dir!, { recursive: true });
  const leader = await cluster.leader();
  await leader.ask('SET', 'a', '1');
  await lost.start({ join: leader.address });
  assert.notEqual(lost.redraft.node.id, oldId);
  const { membership } = leader.redraft.node.status();
  assert.equal(membership.members.length, 3);
  assert.ok(membership.removed.includes(oldId));
  await cluster.assertEqual();
});

test('--backend memory: each start is a new node', async (t) => {
  const cluster = await TestCluster.start(t, 3, { dir: undefined });
  const node = await cluster.add({ dir: undefined });
  const id = node.redraft.node.id;
  await node.stop();
  await node.start();
  assert.notEqual(node.redraft.node.id, id);
  const { membership } = (await cluster.leader()).redraft.node.status();
  assert.equal(membership.members.length, 4);
  await cluster.assertEqual();
});

test('a wiped first node that is started again without --join stops serving and says so', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [founder] = cluster.nodes;
  await founder.stop();
  rmSync(founder.options.dir!, { recursive: true });
  await founder.start();
  await until('it stops', () => founder.failure !== undefined);
  assert.match(founder.failure!.message, /this address belongs to cluster [0-9a-f]{32}/);
  await assert.rejects(founder.connect());
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '1'), 'OK');
});

test('a directory of another cluster is not joined to this one', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  const other = await TestCluster.start(t, 1);
  const node = other.nodes[0];
  await node.stop();
  const lines: string[] = [];
  await node.start({ join: cluster.nodes[0].address, log: createLog('notice', (line) => lines.push(line)) });
  assert.ok(lines.some((line) => /belongs to cluster .* goes on with the members that it knows/.test(line)));
  assert.deepEqual(await node.ask('RAFTPEERS'), [node.address]);
  assert.deepEqual(await cluster.nodes[0].ask('RAFTPEERS'), [cluster.nodes[0].address]);
});

test('a member that has moved to another port is found there', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  for (const moved of [(await cluster.followers())[0], await cluster.leader()]) {
    await moved.stop();
    await moved.start({ port: 0 });
    Object.assign(moved.options, { port: moved.port });
    await until('its new address is known', async () =>
      cluster.running.every((node) =>
        node.redraft.server.consensus.members.some(({ address }) => address === moved.address),
      ),
    );
    assert.equal(((await moved.ask('RAFTPEERS')) as string[]).length, 3);
  }
  await cluster.assertEqual();
});

test('a stray client, a node of another cluster and a removed one have no influence', async (t) => {
  const cluster = await TestCluster.start(t, 3, { clusterSecret: 'secret' });
  const leader = await cluster.leader();
  const { term } = leader.redraft.node.status();
  const socket = connect(leader.port, '127.0.0.1');
  const words = ['RAFTPEER', '1', 'f'.repeat(32), '5', '0', 'messages', '0'.repeat(32)];
  socket.write(`*7\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
  assert.match(String(await once(socket, 'data')), /^\+PEERCHALLENGE/);
  socket.write(`${'0'.repeat(64)}\r\n`);
  assert.match(String(await once(socket, 'data')), /^-PEERREFUSED secret/);
  await once(socket, 'close');
  assert.equal(leader.redraft.node.status().term, term);
  assert.equal(await leader.ask('SET', 'a', '1'), 'OK');
});

test('who joins does not take its own defaults for the settings of the cluster', async (t) => {
  const cluster = await TestCluster.start(t, 1, { durability: 'medium' });
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const joiner = await cluster.add({ log });
  assert.deepEqual(
    lines.filter((line) => line.includes('keeps its own settings')),
    [],
  );
  await until('the cluster tells it', async () => {
    const [, durability] = (await joiner.ask('CONFIG', 'GET', 'durability')) as string[];
    return durability === 'medium';
  });
  await joiner.stop();
  await joiner.start({ durability: 'low' });
  assert.ok(lines.some((line) => line.includes('keeps its own settings: durability medium (not low)')));
});

test('a node that waits to join itself is in the way of nobody: a member that names it starts again, a joiner gets in', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const founder = cluster.nodes[0];
  const member = cluster.nodes[1];
  const [port, nowhere] = [await freePort(), await freePort()];
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const waiting = cluster.add({ port, join: `127.0.0.1:${nowhere}`, log });
  await until('it waits', () => lines.some((line) => line.includes('no node to join answers yet')));
  const join = [`127.0.0.1:${port}`, founder.address];
  await member.stop();
  await member.start({ join });
  const joiner = await cluster.add({ join });
  assert.equal(((await joiner.ask('RAFTPEERS')) as string[]).length, 3);
  assert.equal(await founder.ask('RAFTADDPEER', `127.0.0.1:${port}`), 'OK');
  await waiting;
  assert.equal(((await founder.ask('RAFTPEERS')) as string[]).length, 4);
});
