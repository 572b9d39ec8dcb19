import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster, until } from './nodes.js';

test('three nodes by one flag each; what one acknowledges all hold; a follower names the leader', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  assert.equal(await leader.ask('SET', 'a', '1'), 'OK');
  for (const follower of await cluster.followers()) {
    assert.equal(await follower.ask('GET', 'a'), `-TRY ${leader.address}`);
    assert.equal(await follower.ask('SET', 'a', '2'), `-TRY ${leader.address}`);
    assert.equal(await follower.ask('RAFTLEADER'), leader.address);
    assert.equal(await follower.ask('RAFTSTATE'), 'Follower');
    assert.deepEqual(
      new Set((await follower.ask('RAFTPEERS')) as string[]),
      new Set(cluster.nodes.map(({ address }) => address)),
    );
  }
  assert.equal(await leader.ask('RAFTSTATE'), 'Leader');
  await cluster.assertEqual();
});

test('RAFTTRANSFER hands over to the node named, asked of any node', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const [first, second] = await cluster.followers();
  assert.equal(await second.ask('RAFTTRANSFER', first.address), 'OK');
  assert.equal(await cluster.leader(), first);
  assert.equal(await first.ask('RAFTTRANSFER'), 'OK');
  assert.notEqual(await cluster.leader(), first);
  assert.match(String(await first.ask('RAFTTRANSFER', '127.0.0.1:1')), /^-ERR no member has the address/);
  assert.match(String(await first.ask('RAFTTRANSFER', 'nonsense')), /^-ERR 'nonsense' is no address/);
});

test('RAFTREMOVEPEER: a dead node, and the leader itself, which hands over first and then serves no more', async (t) => {
  const cluster = await TestCluster.start(t, 4);
  const leader = await cluster.leader();
  const [dead, asked] = await cluster.followers();
  await dead.stop();
  assert.equal(await asked.ask('RAFTREMOVEPEER', dead.address), 'OK');
  assert.equal(((await asked.ask('RAFTPEERS')) as string[]).includes(dead.address), false);
  assert.equal(await asked.ask('RAFTREMOVEPEER', leader.address), 'OK');
  await until('the removed leader stops', () => leader.failure !== undefined);
  assert.match(leader.failure!.message, /was removed from its cluster/);
  assert.notEqual(await cluster.leader(), leader);
  assert.equal(await (await cluster.leader()).ask('SET', 'a', '1'), 'OK');
  // Its id is never used again, and its directory says so.
  await assert.rejects(leader.start({ join: asked.address }), /was removed from this cluster/);
});

test('growing from 1 to 3 to 5 and back while writes go on', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  let acknowledged = 0;
  let isDone = false;
  const load = (async () => {
    while (!isDone) {
      const leader = cluster.running.find((node) => node.isLeader);
      const reply = await leader?.ask('INCR', 'n').catch(() => undefined);
      if (typeof reply === 'number') acknowledged++;
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  for (let i = 0; i < 4; i++) await cluster.add();
  assert.equal(cluster.running.length, 5);
  for (let i = 0; i < 4; i++) {
    const leader = await cluster.leader();
    const gone = i % 2 === 0 ? leader : (await cluster.followers())[0];
    const asked = cluster.running.find((node) => node !== gone)!;
    assert.equal(await asked.ask('RAFTREMOVEPEER', gone.address), 'OK');
    await until('it has stopped', () => gone.failure !== undefined);
  }
  isDone = true;
  await load;
  const count = Number(await (await cluster.leader()).ask('GET', 'n'));
  assert.ok(acknowledged > 20, `${acknowledged} writes got through`);
  assert.ok(count >= acknowledged, `${acknowledged} were acknowledged, ${count} are there`);
});

test('RAFTCONSISTENCY raises and never lowers', async (t) => {
  const cluster = await TestCluster.start(t, 1, { consistency: 'medium' });
  const node = cluster.nodes[0];
  assert.equal(await node.ask('RAFTCONSISTENCY'), 'medium');
  assert.equal(await node.ask('RAFTCONSISTENCY', 'HIGH'), 'OK');
  assert.equal(await node.ask('RAFTCONSISTENCY'), 'high');
  assert.equal(await node.ask('RAFTCONSISTENCY', 'medium'), 'OK');
  assert.match(
    String(await node.ask('RAFTCONSISTENCY', 'low')),
    /^-ERR reads of this node are medium at least/,
  );
  assert.equal(await node.ask('RAFTCONSISTENCY'), 'medium');
  assert.match(String(await node.ask('RAFTCONSISTENCY', 'most')), /^-ERR the level must be/);
});

test('RAFTSTATS names term, indexes and every peer, as a field-value list', async (t) => {
  const cluster = await TestCluster.start(t, 2);
  const leader = await cluster.leader();
  const items = (await leader.ask('RAFTSTATS')) as string[];
  const fields = new Map(items.flatMap((item, i) => (i % 2 === 0 ? [[item, items[i + 1]] as const] : [])));
  for (const name of ['term', 'commit_index', 'applied_index', 'last_log_index', 'snapshot_index'])
    assert.match(fields.get(name)!, /^\d+$/, name);
  assert.equal(fields.get('state'), 'Leader');
  const peers = [fields.get('peer0')!, fields.get('peer1')!];
  assert.ok(
    peers.some((peer) => /match=\d+,next=\d+,state=replicate,inflight_bytes=\d+,health=ok/.test(peer)),
  );
});
