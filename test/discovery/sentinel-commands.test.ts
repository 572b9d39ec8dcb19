/**
 * Each subcommand of SENTINEL on three nodes, and what a node that has lost the others says: late, and never
 * that somebody leads who may have been replaced.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plain, TestCluster, type TestNode, until } from '../cluster/nodes.js';

const fields = (flat: unknown): Map<string, unknown> => {
  const items = flat as unknown[];
  return new Map(items.flatMap((name, i) => (i % 2 === 0 ? [[`${name}`, items[i + 1]] as const] : [])));
};

const refused = /^-ERR each node watches its own cluster and nothing else: there is nothing to set$/;

test('SENTINEL answers or refuses with the reason', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const leader = await cluster.leader();
  const nodes = [leader, ...(await cluster.followers())];
  for (const node of nodes) {
    const ask = (...args: string[]): Promise<unknown> => node.ask('SENTINEL', ...args);
    for (const command of ['MASTER', 'REPLICAS', 'SLAVES', 'SENTINELS', 'CKQUORUM', 'FAILOVER'])
      assert.equal(await ask(command, 'other'), '-ERR No such master with that name', command);
    for (const command of [
      'MONITOR other 127.0.0.1 1 1',
      'REMOVE mymaster',
      'SET mymaster quorum 1',
      'RESET *',
      'CONFIG SET resolve-hostnames yes',
      'DEBUG info-period 1',
    ])
      assert.match(`${await ask(...command.split(' '))}`, refused, command);
    assert.match(
      `${await ask('SIMULATE-FAILURE', 'crash-after-election')}`,
      /^-ERR no failure can be simulated/,
    );
    assert.equal(await ask('FLUSHCONFIG'), 'OK');
    assert.deepEqual(await ask('PENDING-SCRIPTS'), []);
    assert.match(`${await ask('NOPE')}`, /^-ERR unknown subcommand 'NOPE'\. Try SENTINEL HELP\.$/);
    assert.match(`${await ask('MASTER')}`, /^-ERR wrong number of arguments for 'sentinel\|master' command$/);
    assert.match(`${await ask('HELP')}`, /CKQUORUM/);
    // Of itself it knows what INFO says, of others nothing.
    const [name, entries] = (await ask('INFO-CACHE', 'other', 'mymaster')) as [string, [number, unknown][]];
    assert.equal(name, 'mymaster');
    assert.equal(entries.length, 3);
    const known = entries.filter(([, text]) => text !== null);
    assert.equal(known.length, 1);
    assert.match(`${known[0][1]}`, new RegExp(`role:${node === leader ? 'master' : 'slave'}\r\n`));
    assert.deepEqual(await ask('INFO-CACHE', 'other'), []);
    for (const { port } of nodes)
      assert.deepEqual(await ask('IS-MASTER-DOWN-BY-ADDR', '127.0.0.1', `${port}`, '0', '*'), [0, '*', 0]);
    assert.match(
      `${await ask('IS-MASTER-DOWN-BY-ADDR', '127.0.0.1', 'x', '0', '*')}`,
      /^-ERR value is not an/,
    );
    assert.equal(await ask('MYID'), await node.ask('CLUSTER', 'MYID'));
  }
  assert.equal(new Set(await Promise.all(nodes.map((node) => node.ask('SENTINEL', 'MYID')))).size, 3);
});

/** On a connection of its own: what comes late holds up nothing else. */
async function askAlone(node: TestNode, ...args: string[]): Promise<unknown> {
  const client = await node.connect();
  try {
    return plain(await client.call(...args));
  } finally {
    await client.close();
  }
}

/** What only who knows the leader may say, asked at once of a node that has just lost the others. */
async function isLost(node: TestNode, leader: TestNode): Promise<void> {
  const { port } = leader;
  const asked = [
    ['CLUSTER', 'SLOTS'],
    ['CLUSTER', 'SHARDS'],
    ['CLUSTER', 'NODES'],
    ['CLUSTER', 'REPLICAS', `${await askAlone(node, 'CLUSTER', 'MYID')}`],
  ].map((command) => askAlone(node, ...command));
  const address = askAlone(node, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster');
  const master = askAlone(node, 'SENTINEL', 'MASTER', 'mymaster');
  const quorum = askAlone(node, 'SENTINEL', 'CKQUORUM', 'mymaster');
  for (const answer of await Promise.all(asked)) assert.match(`${answer}`, /^-CLUSTERDOWN /);
  assert.equal(await address, null);
  assert.equal(fields(await master).get('flags'), 'master,s_down,o_down');
  assert.match(`${await quorum}`, /^-NOQUORUM 1 usable Sentinels\./);
  assert.match(`${await askAlone(node, 'CLUSTER', 'INFO')}`, /^cluster_state:fail\r\n/);
  assert.deepEqual(
    await askAlone(node, 'SENTINEL', 'IS-MASTER-DOWN-BY-ADDR', '127.0.0.1', `${port}`, '0', '*'),
    [1, '*', 0],
  );
}

for (const who of ['leader', 'follower'] as const)
  test(`a ${who} that has lost the others names nobody`, async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'moved' });
    const leader = await cluster.leader();
    const followers = await cluster.followers();
    const left = who === 'leader' ? leader : followers[0];
    await until('it knows its leader', async () => Array.isArray(await askAlone(left, 'CLUSTER', 'SLOTS')));
    await Promise.all(cluster.running.filter((node) => node !== left).map((node) => node.stop()));
    // A leader may not have noticed yet that its lease has run out.
    if (who === 'leader') await until('it does not lead any more', () => !left.isLeader);
    await isLost(left, leader);
  });
