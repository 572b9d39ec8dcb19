/**
 * A member whose state is not the others' is found in the background, and INFO, RAFTSTATS, status and the log
 * say so.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '../../src/cli/status.js';
import { createLog } from '../../src/observability/log.js';
import { TestCluster, type TestNode, until } from './nodes.js';

/** RAFTSTATS as an object. */
async function statsOf(node: TestNode): Promise<Map<string, string>> {
  const items = (await node.ask('RAFTSTATS')) as string[];
  return new Map(items.flatMap((item, i) => (i % 2 === 0 ? [[item, items[i + 1]!] as const] : [])));
}

/** A key of this node's state goes over to something else, as in memory that forgets. */
function spoil(node: TestNode): void {
  const database = node.redraft.server.engine.keyspace.database(0);
  database.delete(0);
}

for (const size of [2, 3] as const) {
  test(`of ${size} members, one whose state differs is named; before that all is well, and idle costs nothing`, async (t) => {
    const lines: string[] = [];
    const log = createLog('warning', (line) => lines.push(line));
    const cluster = await TestCluster.start(t, size, { digestIntervalMs: 50, log });
    const leader = await cluster.leader();
    const follower = (await cluster.followers())[0]!;
    for (let i = 0; i < 100; i++) await leader.ask('SET', `key${i}`, 'value');
    await until('digests were compared', async () => (await statsOf(leader)).get('digest') === 'ok');
    const settled = async (): Promise<number> => {
      let before = -1;
      await until('nothing is proposed any more', async () => {
        const { applied } = leader.redraft.node;
        const isQuiet = applied === before;
        before = applied;
        await new Promise((resolve) => setTimeout(resolve, 700));
        return isQuiet;
      });
      return before;
    };
    await settled();
    spoil(follower);
    await leader.ask('SET', 'one', 'more');
    await until('it is found', async () => (await statsOf(leader)).get('digest') === 'differs');
    const stats = await statsOf(leader);
    const peer = [...stats].find(
      ([name, text]) => name.startsWith('peer') && text.includes(follower.address),
    );
    assert.match(peer![1], /health=diverged/);
    assert.match(`${await leader.ask('INFO', 'raft')}`, /raft_digest_index:[1-9]\d*\r\nraft_digest:differs/);
    assert.match(
      lines.join(''),
      new RegExp(`the state of node \\d+ at ${follower.address} is not that of the others at index \\d+`),
    );
    let shown = '';
    const code = await status(
      {
        kind: 'status',
        address: { host: '127.0.0.1', port: leader.port },
        watch: false,
        json: false,
      } as unknown as Parameters<typeof status>[0],
      (text) => {
        shown += text;
      },
      assert.fail,
    );
    assert.equal(code, 1);
    assert.match(shown, /diverged/);
  });
}

test('RAFTSNAPSHOT covers all members, whoever is asked', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  await leader.ask('SET', 'a', '1');
  for (const node of [leader, (await cluster.followers())[0]!]) {
    const { applied } = leader.redraft.node;
    assert.equal(await node.ask('RAFTSNAPSHOT'), 'OK');
    for (const member of cluster.nodes) {
      const { snapshot } = member.redraft.node.storageStatus();
      assert.ok(snapshot.index > 0 && snapshot.index <= applied + 1, `${member.address}: ${snapshot.index}`);
    }
    await leader.ask('SET', 'b', '1');
  }
});
