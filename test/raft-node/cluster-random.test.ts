/**
 * Whole nodes under random kills, power cuts, partitions and snapshots: what one of them applied, all apply,
 * once, in one order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from './cluster-harness.js';
import { seeded } from './wal-harness.js';

const seeds = Number(process.env.REDRAFT_SEEDS ?? 25);

async function play(seed: number): Promise<void> {
  const random = seeded(seed * 7919 + 13);
  const ids = random() < 0.3 ? [1, 2, 3, 4, 5] : [1, 2, 3];
  const pick = (list: readonly number[]): number => list[Math.floor(random() * list.length)]!;
  const cluster = new Cluster(
    ids,
    {
      segmentBytes: 2_000 + Math.floor(random() * 6_000),
      snapshotLogBytes: random() < 0.5 ? 6_000 : 60_000,
      logTailBytes: random() < 0.5 ? 0 : 3_000,
    },
    seed,
  );
  await cluster.startAll();
  /** Every word that any state machine took in, in its order: the one history. */
  const history: string[] = [];
  const note = (): void => {
    for (const { words } of cluster.machines.values()) {
      const shared = Math.min(words.length, history.length);
      assert.deepEqual(words.slice(0, shared), history.slice(0, shared), `seed ${seed}: two histories`);
      history.push(...words.slice(history.length));
    }
  };
  let counter = 0;
  for (let step = 0; step < 60; step++) {
    const up = [...cluster.nodes.keys()];
    const down = ids.filter((id) => !up.includes(id));
    const dice = random();
    if (dice < 0.45) {
      for (const node of cluster.nodes.values()) {
        for (let i = 0; i < 3; i++)
          node.propose(Buffer.from(`${counter++} ${'x'.repeat(Math.floor(random() * 200))}`));
      }
    } else if (dice < 0.55 && up.length > 0) {
      cluster.kill(pick(up), random() < 0.6);
    } else if (dice < 0.57) {
      for (const id of up) cluster.kill(id, random() < 0.5);
    } else if (dice < 0.75 && down.length > 0) {
      await cluster.start(pick(down));
    } else if (dice < 0.8) {
      cluster.isolate(pick(ids));
    } else if (dice < 0.84) {
      cluster.cut.add(`${pick(ids)}-${pick(ids)}`);
    } else if (dice < 0.92) {
      cluster.heal();
    } else if (dice < 0.96 && up.length > 0) {
      cluster.nodes
        .get(pick(up))!
        .takeSnapshot()
        .catch(() => {});
    } else {
      cluster.leader()?.transferLeadership(pick(ids));
    }
    await cluster.loop.run(random() < 0.3 ? random() * 5 : random() * 600);
    note();
  }
  cluster.heal();
  for (const id of ids) if (!cluster.nodes.has(id)) await cluster.start(id);
  await cluster.loop.run(3000);
  await cluster.propose('the end');
  await cluster.converge();
  note();
  assert.equal(history.at(-1), 'the end');
  assert.equal(new Set(history).size, history.length, `seed ${seed}: a word twice`);
  for (const id of ids) assert.deepEqual(cluster.words(id), history, `seed ${seed}: node ${id}`);
  assert.deepEqual(cluster.failures, [], `seed ${seed}`);
  await cluster.stopAll();
}

test(`one history through whatever happens, in ${seeds} runs`, async () => {
  const only = process.env.REDRAFT_SEED;
  if (only !== undefined) await play(Number(only));
  else for (let seed = 1; seed <= seeds; seed++) await play(seed);
});
