/**
 * What clients of Redis Cluster and of Sentinel are told by three nodes, before and after leadership moves.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { slotOf } from '../../src/discovery/slots.js';
import type { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from '../cluster/nodes.js';

type Entry = [host: string, port: number, id: string, rest: unknown[]];

/** A map of RESP2 as an object. */
function fields(flat: unknown): Record<string, unknown> {
  const items = flat as unknown[];
  const found: Record<string, unknown> = Object.create(null);
  for (let i = 0; i < items.length; i += 2) found[items[i] as string] = items[i + 1];
  return found;
}

const call = async (client: RespClient, ...args: string[]): Promise<unknown> =>
  plain(await client.call(...args));

async function withLeader(cluster: TestCluster): Promise<{ leader: TestNode; followers: TestNode[] }> {
  const leader = await cluster.leader();
  return { leader, followers: cluster.running.filter((node) => node !== leader) };
}

test('CLUSTER: one shard, the leader its master, from every node', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'moved' });
  const { leader, followers } = await withLeader(cluster);
  const leaderId = await leader.ask('CLUSTER', 'MYID');
  for (const node of cluster.nodes) {
    const id = (await node.ask('CLUSTER', 'MYID')) as string;
    assert.match(id, /^[0-9a-f]{40}$/);
    const [[from, to, master, ...replicas]] = (await node.ask('CLUSTER', 'SLOTS')) as [
      [number, number, Entry, ...Entry[]],
    ];
    assert.deepEqual([from, to], [0, 16383]);
    assert.deepEqual(master, ['127.0.0.1', leader.port, leaderId, []]);
    assert.deepEqual(replicas.map(([, port]) => port).sort(), followers.map(({ port }) => port).sort());
    const lines = ((await node.ask('CLUSTER', 'NODES')) as string).trimEnd().split('\n');
    assert.equal(lines.length, 3);
    const myself = lines.find((line) => line.includes('myself'))!;
    const role =
      node === leader ? 'master - 0 0 \\d+ connected 0-16383' : `slave ${leaderId} 0 0 \\d+ connected`;
    const { port } = node;
    assert.match(myself, new RegExp(`^${id} 127\\.0\\.0\\.1:${port}@${port} myself,${role}$`));
    const [shard] = (await node.ask('CLUSTER', 'SHARDS')) as unknown[];
    const { slots, nodes } = fields(shard);
    assert.deepEqual(slots, [0, 16383]);
    const roles = (nodes as unknown[]).map((one) => fields(one).role);
    assert.deepEqual(roles.sort(), ['master', 'replica', 'replica']);
    assert.match(
      (await node.ask('CLUSTER', 'INFO')) as string,
      /^cluster_state:ok\r\ncluster_slots_assigned:16384\r\n/,
    );
    assert.match((await node.ask('INFO')) as string, /redis_mode:cluster\r\n[\s\S]*cluster_enabled:1\r\n/);
    assert.equal(((await node.ask('CLUSTER', 'REPLICAS', leaderId as string)) as string[]).length, 2);
    assert.equal(await node.ask('CLUSTER', 'COUNT-FAILURE-REPORTS', leaderId as string), 0);
    assert.equal(((await node.ask('CLUSTER', 'LINKS')) as unknown[]).length, 2);
    assert.equal(await node.ask('CLUSTER', 'MYSHARDID'), await leader.ask('CLUSTER', 'MYSHARDID'));
  }
  assert.equal(await leader.ask('CLUSTER', 'KEYSLOT', '{user}x'), 5474);
  await leader.ask('MSET', '{t}a', '1', '{t}b', '2', 'elsewhere', '3');
  const slot = `${slotOf(Buffer.from('t'))}`;
  assert.equal(await leader.ask('CLUSTER', 'COUNTKEYSINSLOT', slot), 2);
  assert.deepEqual(((await leader.ask('CLUSTER', 'GETKEYSINSLOT', slot, '10')) as string[]).sort(), [
    '{t}a',
    '{t}b',
  ]);
  assert.equal(((await leader.ask('CLUSTER', 'GETKEYSINSLOT', slot, '1')) as string[]).length, 1);
  // As redis-server has it, or with the reason.
  const errors: readonly (readonly [command: string, error: RegExp])[] = [
    ['CLUSTER COUNTKEYSINSLOT 16384', /^-ERR Invalid slot$/],
    ['CLUSTER COUNTKEYSINSLOT x', /^-ERR value is not an integer or out of range$/],
    ['CLUSTER GETKEYSINSLOT 0 -1', /^-ERR Invalid slot or number of keys$/],
    ['CLUSTER REPLICAS abc', /^-ERR Unknown node abc$/],
    ['CLUSTER FAILOVER', /^-ERR You should send CLUSTER FAILOVER to a replica$/],
    ['CLUSTER FAILOVER FOO', /^-ERR syntax error$/],
    ['CLUSTER FOO', /^-ERR unknown subcommand 'FOO'\. Try CLUSTER HELP\.$/],
    ['CLUSTER ADDSLOTS 1', /^-ERR one shard owns all slots/],
    ['CLUSTER SETSLOT 1 STABLE', /^-ERR one shard owns all slots/],
    ['CLUSTER MEET 127.0.0.1 1', /^-ERR nodes join by themselves/],
    ['CLUSTER RESET', /^-ERR nodes join by themselves/],
    ['REPLICAOF NO ONE', /^-ERR REPLICAOF has no use here/],
    ['FAILOVER', /^-ERR FAILOVER has no use here/],
  ];
  for (const [command, error] of errors) assert.match(String(await leader.ask(...command.split(' '))), error);
});

test('the protocol can be turned off for the whole cluster', async (t) => {
  const cluster = await TestCluster.start(t, 2, { follower: 'moved' });
  const { leader, followers } = await withLeader(cluster);
  assert.equal(await leader.ask('CONFIG', 'SET', 'cluster-enabled', 'no'), 'OK');
  for (const node of [leader, followers[0]]) {
    await until('it is off', async () =>
      /ERR This instance has cluster support disabled/.test(String(await node.ask('CLUSTER', 'SLOTS'))),
    );
    assert.match(String(await node.ask('READONLY')), /cluster support disabled/);
    assert.equal(fields(await node.ask('HELLO')).mode, 'standalone');
    assert.match((await node.ask('INFO', 'cluster')) as string, /cluster_enabled:0/);
    assert.deepEqual(await node.ask('CONFIG', 'GET', 'cluster-enabled'), ['cluster-enabled', 'no']);
  }
});

test('a follower says MOVED with the slot of the key, and the leader follows a transfer', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'moved' });
  const { leader, followers } = await withLeader(cluster);
  const [first] = followers;
  const to = `127.0.0.1:${leader.port}`;
  assert.equal(await first.ask('SET', 'foo', 'x'), `-MOVED 12182 ${to}`);
  assert.equal(await first.ask('GET', '{user}x'), `-MOVED 5474 ${to}`);
  assert.equal(await first.ask('DBSIZE'), `-MOVED 0 ${to}`);
  assert.equal(await first.ask('WATCH', 'foo'), `-MOVED 12182 ${to}`);
  assert.equal(await first.ask('MULTI'), 'OK');
  assert.equal(await first.ask('SET', 'foo', 'x'), `-MOVED 12182 ${to}`);
  assert.match(String(await first.ask('EXEC')), /^-EXECABORT/);
  // Reads here are to be linearizable: READONLY does not lower that.
  assert.equal(await first.ask('READONLY'), 'OK');
  assert.equal(await first.ask('GET', 'foo'), `-MOVED 12182 ${to}`);
  assert.equal(await first.ask('ASKING'), 'OK');
  assert.equal(await leader.ask('SELECT', '1'), 'OK');
  assert.equal(await leader.ask('MSET', 'a', '1', 'b', '2'), 'OK');
  assert.equal(await first.ask('CLUSTER', 'FAILOVER'), 'OK');
  await until('it leads', () => first.isLeader);
  assert.equal(await first.ask('SET', 'foo', 'x'), 'OK');
});

test('with consistency low a replica answers reads', async (t) => {
  const cluster = await TestCluster.start(t, 2, { follower: 'moved', consistency: 'low' });
  const { leader, followers } = await withLeader(cluster);
  const reader = await followers[0].connect();
  assert.equal(await call(reader, 'READONLY'), 'OK');
  await leader.ask('SET', 'k', 'v');
  await until('it has it', async () => (await call(reader, 'GET', 'k')) === 'v');
  assert.match(String(await call(reader, 'SET', 'k', 'w')), /^-MOVED /);
  await reader.close();
});

test('commands wait while leadership moves, then are answered; the old leader closes its clients', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'moved' });
  const { leader } = await withLeader(cluster);
  const writer = await leader.connect();
  const replies: unknown[] = [];
  let transfers = leader.ask('RAFTTRANSFER');
  // Enough to meet the hand-over, whenever it comes.
  while (leader.isLeader) replies.push(await call(writer, 'INCR', 'n'));
  assert.equal(await transfers, 'OK');
  for (const reply of replies)
    assert.ok(typeof reply === 'number' || /^-MOVED \d+ /.test(String(reply)), String(reply));
  await until('it is closed', () => writer.closed);
  // Nobody leads, so that nobody can be named.
  const next = await cluster.leader();
  const last = cluster.running.find((node) => node !== next)!;
  const client = await last.connect();
  transfers = next.stop().then(() => undefined);
  await until('the leader is gone', () => last.redraft.server.topology.leaderId !== next.redraft.node.id);
  const reply = String(await call(client, 'SET', 'k', 'v'));
  assert.ok(reply === 'OK' || (/^-MOVED /.test(reply) && !reply.endsWith(`:${next.port}`)), reply);
  await transfers;
  await client.close();
});

test('SENTINEL: every node is one, and tells subscribers of a switch', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'readonly' });
  const { leader, followers } = await withLeader(cluster);
  for (const node of cluster.nodes) {
    assert.deepEqual(await node.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'), [
      '127.0.0.1',
      `${leader.port}`,
    ]);
    assert.equal(((await node.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'other')) ?? null) as unknown, null);
    const [master] = (await node.ask('SENTINEL', 'MASTERS')) as unknown[];
    assert.deepEqual(fields(master), fields(await node.ask('SENTINEL', 'MASTER', 'mymaster')));
    const { name, ip, port, flags, quorum, ...rest } = fields(master);
    assert.deepEqual(
      [name, ip, port, flags, quorum],
      ['mymaster', '127.0.0.1', `${leader.port}`, 'master', '2'],
    );
    assert.equal(rest['num-other-sentinels'], '2');
    for (const kind of ['REPLICAS', 'SLAVES', 'SENTINELS']) {
      const entries = ((await node.ask('SENTINEL', kind, 'mymaster')) as unknown[]).map(fields);
      const expected = cluster.nodes.filter((one) => one !== (kind === 'SENTINELS' ? node : leader));
      assert.deepEqual(entries.map((one) => one.port).sort(), expected.map((one) => `${one.port}`).sort());
      for (const one of entries) assert.equal(one.flags, kind === 'SENTINELS' ? 'sentinel' : 'slave');
    }
    assert.match(String(await node.ask('SENTINEL', 'CKQUORUM', 'mymaster')), /^OK 3 usable Sentinels\./);
    assert.deepEqual(
      await node.ask('SENTINEL', 'IS-MASTER-DOWN-BY-ADDR', '127.0.0.1', `${leader.port}`, '0', '*'),
      [0, '*', 0],
    );
    assert.match(String(await node.ask('SENTINEL', 'MYID')), /^[0-9a-f]{40}$/);
    assert.equal(await node.ask('SENTINEL', 'MASTER', 'other'), '-ERR No such master with that name');
    assert.match(
      String(await node.ask('SENTINEL', 'MONITOR', 'a', 'b', '1', '1')),
      /^-ERR each node watches/,
    );
  }
  assert.match(String(await followers[0].ask('SET', 'k', 'v')), /^-READONLY You can't write/);
  assert.match(String(await followers[0].ask('GET', 'k')), /^-READONLY /);
  assert.match(
    (await followers[0].ask('INFO', 'replication')) as string,
    new RegExp(
      `role:slave\\r\\nmaster_host:127\\.0\\.0\\.1\\r\\nmaster_port:${leader.port}\\r\\nmaster_link_status:up`,
    ),
  );
  assert.match(
    (await leader.ask('INFO', 'replication')) as string,
    /role:master\r\nconnected_slaves:2\r\nslave0:ip=127/,
  );
  assert.deepEqual(((await followers[0].ask('ROLE')) as unknown[]).slice(0, 4), [
    'slave',
    '127.0.0.1',
    leader.port,
    'connected',
  ]);

  const heard: unknown[] = [];
  const subscriber = new Redis({ port: followers[0].port });
  t.after(() => subscriber.disconnect());
  subscriber.on('pmessage', (_pattern, channel, message) => heard.push(`${channel} ${message}`));
  await subscriber.psubscribe('*');
  assert.equal(await leader.ask('SENTINEL', 'FAILOVER', 'mymaster'), 'OK');
  const next = await cluster.leader();
  const moved = `mymaster 127.0.0.1 ${leader.port} 127.0.0.1 ${next.port}`;
  for (const channel of ['+switch-master', 'switch-master'])
    await until(`${channel} is heard`, () => heard.includes(`${channel} ${moved}`));
});

test('clients are shown other addresses than peers', async (t) => {
  const cluster = await TestCluster.start(t, 1, {
    follower: 'moved',
    configuration: { 'client-advertise': 'one.example.org:6379' },
  });
  await cluster.add({ configuration: { 'client-advertise': 'two.example.org:6380' } });
  const { leader, followers } = await withLeader(cluster);
  await until('both know', async () => {
    for (const node of cluster.nodes) {
      const [[, , master, replica]] = (await node.ask('CLUSTER', 'SLOTS')) as [
        [number, number, Entry, Entry],
      ];
      if (
        `${master[0]}:${master[1]} ${replica[0]}:${replica[1]}` !==
        'one.example.org:6379 two.example.org:6380'
      )
        return false;
    }
    return true;
  });
  assert.equal(await followers[0].ask('SET', 'foo', 'x'), '-MOVED 12182 one.example.org:6379');
  const third = await cluster.add({ follower: 'try' });
  await until('it knows', async () => (await third.ask('GET', 'foo')) === '-TRY one.example.org:6379');
  // Redis's own names go before it.
  await leader.ask('CONFIG', 'SET', 'cluster-announce-ip', '10.1.2.3');
  assert.deepEqual(await leader.ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'), ['10.1.2.3', '6379']);
});
