/** Mistakes and mishaps of operators: none does harm, each is named with the way out. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { createLog, type Log } from '../../src/index.js';
import { freePort } from '../durability/spawned.js';
import { TestCluster, until } from './nodes.js';

function collecting(): { readonly lines: string[]; readonly log: Log } {
  const lines: string[] = [];
  return { lines, log: createLog('notice', (line) => lines.push(line.trimEnd())) };
}

test("a founder's disk is lost and all are started as documented: the members go on, the founder steps aside", async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [founder, ...members] = cluster.nodes;
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '1'), 'OK');
  await cluster.assertEqual();
  for (const node of cluster.nodes) await node.stop();
  rmSync(founder.options.dir!, { recursive: true });
  await founder.start();
  const { lines, log } = collecting();
  for (const member of members) await member.start({ log });
  await until('the founder stops', () => founder.failure !== undefined && !founder.isRunning);
  const leader = await cluster.leader();
  assert.ok(members.includes(leader));
  assert.equal(await leader.ask('GET', 'a'), '1');
  assert.match(founder.failure!.message, /this address belongs to cluster [0-9a-f]{32}.* it serves no more/);
  await until('it is told', () => lines.some((line) => /goes on with the members that it knows/.test(line)));
  for (const line of lines) assert.doesNotMatch(line, /empty/);
  assert.deepEqual(
    members.map(({ failure }) => failure),
    [undefined, undefined],
  );
  // As it says: an empty directory, and --join.
  rmSync(founder.options.dir!, { recursive: true });
  await founder.start({ join: leader.address });
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '2'), 'OK');
  await cluster.assertEqual();
});

test('a wrong --advertise is named, and no member stands where nobody answers', async (t) => {
  const { lines, log } = collecting();
  const cluster = await TestCluster.start(t, 2, { log });
  const nowhere = `127.0.0.1:${await freePort()}`;
  await assert.rejects(
    cluster.add({ advertise: nowhere }),
    new RegExp(`the leader, at .*, does not reach node \\d+ at ${nowhere} .*--advertise`),
  );
  // Asked by way of a follower, too.
  const [asked] = await cluster.followers();
  await assert.rejects(cluster.add({ advertise: nowhere, join: asked.address }), /--advertise/);
  // Another cluster's node is there.
  const stranger = await TestCluster.start(t, 1);
  await assert.rejects(cluster.add({ advertise: stranger.nodes[0].address }), /--advertise/);
  const leader = await cluster.leader();
  assert.equal(((await leader.ask('RAFTPEERS')) as string[]).length, 2);
  assert.ok(lines.some((line) => line.includes(`is not let in yet`) && line.includes(nowhere)));
  // A member that moves to where it cannot be reached stays where it was known.
  const follower = asked;
  const { address } = follower;
  await follower.stop();
  await follower.start({ advertise: nowhere });
  await until('it is told', () => lines.filter((line) => line.includes(nowhere)).length > 1);
  assert.ok(((await leader.ask('RAFTPEERS')) as string[]).includes(address));
  // The two may have to elect again, as one of them was away.
  await until('writes go on', async () => (await (await cluster.leader()).ask('SET', 'a', '1')) === 'OK');
});

test('an address that nobody answers at for a while is tried on: a cut of the network may heal', async (t) => {
  const { lines, log } = collecting();
  const cluster = await TestCluster.start(t, 1);
  const port = await freePort();
  let isCut = true;
  const sockets = new Set<Socket>();
  const proxy = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    if (isCut) return;
    const behind = connect(port, '127.0.0.1').on('error', () => socket.destroy());
    sockets.add(behind);
    socket.pipe(behind).pipe(socket);
  }).listen(0, '127.0.0.1');
  t.after(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(proxy, 'listening');
  const advertise = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const joining = cluster.add({ port, advertise, log });
  await until('it says why it waits', () =>
    lines.some((line) => line.includes('joining: the leader') && line.includes(`does not reach`)),
  );
  assert.equal(((await cluster.nodes[0].ask('RAFTPEERS')) as string[]).length, 1);
  isCut = false;
  await joining;
  const peers = (await cluster.nodes[0].ask('RAFTPEERS')) as string[];
  assert.deepEqual(peers.sort(), [cluster.nodes[0].address, advertise].sort());
});

test('all members on new addresses at once find each other by --join', { timeout: 60_000 }, async (t) => {
  const cluster = await TestCluster.start(t, 3);
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '1'), 'OK');
  await cluster.assertEqual();
  const old = cluster.nodes.map(({ address }) => address);
  for (const node of cluster.nodes) await node.stop();
  const ports = [await freePort(), await freePort(), await freePort()];
  const join = ports.map((port) => `127.0.0.1:${port}`);
  for (const [i, node] of cluster.nodes.entries()) {
    await node.start({ port: ports[i], join: join.filter((_, other) => other !== i) });
  }
  const leader = await cluster.leader();
  assert.equal(await leader.ask('GET', 'a'), '1');
  await until('all know the new addresses', async () =>
    cluster.nodes.every((node) =>
      node.redraft.server.consensus.members.every(({ address }) => join.includes(address)),
    ),
  );
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '2'), 'OK');
  assert.ok(old.every((address) => !join.includes(address)));
  await cluster.assertEqual();
});

test('CLUSTERDOWN says how many members are reached', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  for (const follower of await cluster.followers()) await follower.stop();
  await until('it says so', async () => {
    const reply = String(await leader.ask('SET', 'a', '1'));
    return reply === '-CLUSTERDOWN no leader is known: 1 of 3 members reachable';
  });
});

test('one line at notice for elections, leadership, members, transfers, snapshots', async (t) => {
  const { lines, log } = collecting();
  const cluster = await TestCluster.start(t, 1, { log });
  const [one] = cluster.nodes;
  const quiet = createLog('quiet', () => {});
  const two = await cluster.add({ log: quiet });
  const three = await cluster.add({ log: quiet });
  const id = two.redraft.node.id;
  assert.equal(await one.ask('RAFTSNAPSHOT'), 'OK');
  assert.equal(await one.ask('RAFTTRANSFER', two.address), 'OK');
  await until('the other leads', async () => (await cluster.leader()) === two);
  assert.equal(await two.ask('RAFTREMOVEPEER', three.address), 'OK');
  await two.stop();
  await until('it stands', () => lines.some((line) => /no leader is known any more/.test(line)));
  await two.start();
  await cluster.leader();
  const expected = [
    /this node leads in term \d+/,
    new RegExp(`node ${id} at ${two.address} joins: it catches up before it votes`),
    new RegExp(`node ${id} at ${two.address} has caught up and votes, one of 2 voters`),
    /a snapshot at index \d+ was cut in \d+ ms/,
    new RegExp(`leadership is handed over to node ${id} at ${two.address}`),
    /this node leads no more, as of term \d+/,
    new RegExp(`node ${id} at ${two.address} leads in term \\d+`),
    new RegExp(`node \\d+ at ${three.address} is removed: 2 voters`),
    new RegExp(`no leader is known any more: node ${id} at ${two.address}, which led in term \\d+`),
  ];
  for (const pattern of expected.slice(0, -1)) {
    const found = lines.filter((line) => pattern.test(line)).length;
    assert.ok(found >= 1, `${pattern} in\n${lines.join('\n')}`);
  }
  for (const pattern of [expected[1], expected[2], expected[3], expected[4], expected[7]])
    assert.equal(lines.filter((line) => pattern.test(line)).length, 1, `${pattern} in\n${lines.join('\n')}`);
  for (const line of lines) assert.match(line, / (notice|warning) /);
});

test('RAFTSTATS names the cluster as the log does', async (t) => {
  const { lines, log } = collecting();
  const cluster = await TestCluster.start(t, 1);
  await cluster.add({ log });
  const stats = (await cluster.nodes[0].ask('RAFTSTATS')) as string[];
  const id = stats[stats.indexOf('cluster_id') + 1];
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.ok(lines.some((line) => line.includes(`joining the cluster ${id}`)));
});

test('a member that starts with another durability than the cluster has knows which is in force', async (t) => {
  const cluster = await TestCluster.start(t, 1, { durability: 'low' });
  const joiner = await cluster.add({ durability: 'high' });
  await until('it knows', () => joiner.redraft.durability === 'low');
});

test('an option of an unknown name is refused', async () => {
  const { Redraft } = await import('../../src/index.js');
  const options = { consistancy: 'low' } as object;
  await assert.rejects(Redraft.start(options), /^TypeError: Redraft.start\(\) has no option 'consistancy'$/);
});
