/**
 * Power cuts below durability high: what a majority has acknowledged may be gone with it. The members that
 * still have it have applied what their cluster has not: they stop and name the entry. Nobody diverges in
 * silence, and no leader falls over what such a member says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Durability } from '../../raft/node/wal/options.js';
import { Cluster } from './cluster-harness.js';

interface Course {
  readonly durability: Durability;
  /** Words that are acknowledged before two of three lose their power. */
  readonly before: number;
  /** Words that the two take afterwards, while the third is away. */
  readonly after: number;
  /** The third has taken a snapshot and let its log go. */
  readonly isCompacted: boolean;
}

/** Two of three lose their unsynced writes. Resolves with the cluster when all can talk again. */
async function powerCut({ durability, before, after, isCompacted }: Course): Promise<Cluster> {
  const cluster = new Cluster([1, 2, 3], { durability, segmentBytes: 4_000, logTailBytes: 0 });
  await cluster.startAll();
  await cluster.propose('synced');
  await cluster.converge();
  // The syncs of a new term and of what came with it are over.
  await cluster.loop.run(50);
  for (let i = 0; i < before; i++) await cluster.propose(`before ${i}`);
  await cluster.converge();
  const odd = (await cluster.elect()).id;
  if (isCompacted) await cluster.loop.settle(cluster.nodes.get(odd)!.takeSnapshot());
  cluster.isolate(odd);
  const others = cluster.ids.filter((id) => id !== odd);
  for (const id of others) cluster.kill(id);
  for (const id of others) cluster.disks.get(id)!.crash(() => 0, 0);
  for (const id of others) await cluster.start(id);
  assert.ok(await cluster.loop.until(() => others.some((id) => isLeader(cluster, id))), 'no leader of two');
  const leader = cluster.nodes.get(others.find((id) => isLeader(cluster, id))!)!;
  for (let i = 0; i < after; i++) {
    const { index } = leader.propose(Buffer.from(`after ${i}`))!;
    await cluster.loop.settle(leader.whenApplied(index));
  }
  cluster.heal();
  await cluster.loop.run(5000);
  return cluster;
}

function isLeader(cluster: Cluster, id: number): boolean {
  const status = cluster.nodes.get(id)?.status();
  return status?.role === 'leader' && status.ownTermCommitted;
}

for (const durability of ['low', 'medium'] as const) {
  for (const [before, after] of [
    [20, 3],
    [20, 19],
    [20, 20],
    [20, 60],
    [2, 60],
    [1, 0],
  ] as const) {
    for (const isCompacted of [false, true]) {
      const name = `${before} words before, ${after} after${isCompacted ? ', compacted' : ''}`;
      test(`durability ${durability}, two of three lose power: ${name}`, async () => {
        const cluster = await powerCut({ durability, before, after, isCompacted });
        const { failures } = cluster;
        const running = [...cluster.nodes.values()].filter((node) => node.isRunning);
        // Of a single word, the two may have synced the whole.
        if (durability === 'low' && before === 20) assert.equal(failures.length, 1, 'nobody noticed');
        if (failures.length > 0) {
          assert.equal(failures.length, 1, failures.join('\n'));
          assert.match(
            failures[0]!,
            /entry \d+ is committed here with term \d+, but node \d+, which leads term \d+, has it with term \d+|lost entries that it had acknowledged/,
          );
          assert.equal(running.length, 2);
        }
        await cluster.propose('and on');
        await cluster.loop.run(1000);
        const words = running.map((node) => cluster.words(node.id).join());
        assert.deepEqual(new Set(words).size, 1, 'the nodes that run are not even');
        await cluster.stopAll();
      });
    }
  }
}

test('at durability high the same costs nothing', async () => {
  const cluster = await powerCut({ durability: 'high', before: 20, after: 20, isCompacted: false });
  assert.deepEqual(cluster.failures, []);
  await cluster.converge();
  for (const id of cluster.ids) assert.equal(cluster.words(id).length, 41);
  await cluster.stopAll();
});
