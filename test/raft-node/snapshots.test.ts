/**
 * Snapshots under adversity: files that rot, peers that are slow to get them, entries that are heavy to
 * apply.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snapshotter } from '../../raft/node/snapshot/snapshotter.js';
import { MemorySnapshotStore } from '../../raft/node/snapshot/store.js';
import { MemoryLog } from '../../raft/node/wal/memory-log.js';
import { Cluster } from './cluster-harness.js';
import { emptySnapshot, entry, ManualClock } from './wal-harness.js';

const filler = 'x'.repeat(100);

function snapshotsOf(cluster: Cluster, id: number): string[] {
  return cluster.disks
    .get(id)!
    .paths()
    .filter((path) => path.endsWith('.snap'));
}

/** A bit of a file goes over, where the file's own check tells. */
function rot(cluster: Cluster, id: number, path: string, at: number): void {
  const disk = cluster.disks.get(id)!;
  const bytes = Buffer.from(disk.contents(path));
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  disk.put(path, bytes);
}

for (const [part, at] of [
  ['its data', -40],
  ['its header', 30],
  ['its first bytes', 2],
] as const) {
  test(`a newest snapshot of which ${part} rots is distrusted, and a peer gets another`, async () => {
    const cluster = new Cluster([1, 2, 3], { segmentBytes: 4_000, logTailBytes: 0 });
    await cluster.startAll();
    const leader = await cluster.elect();
    const away = cluster.ids.find((id) => id !== leader.id)!;
    cluster.isolate(away);
    await cluster.loop.run(1_000);
    for (let i = 0; i < 100; i++) await cluster.propose(`${i} ${filler}`);
    await cluster.loop.settle(leader.takeSnapshot());
    rot(cluster, leader.id, snapshotsOf(cluster, leader.id).at(-1)!, at);
    cluster.heal();
    await cluster.converge();
    assert.equal((await cluster.elect()).id, leader.id);
    assert.deepEqual(cluster.words(away), cluster.words(leader.id));
    const said = cluster.notices.filter((text) => text.includes('.snap is damaged at offset'));
    assert.equal(said.length, 1, cluster.notices.join('\n'));
    assert.match(said[0]!, /another snapshot is taken in its place/);
    assert.match(
      cluster.notices.join('\n'),
      /the snapshot of entry \d+ has taken the place of the damaged one/,
    );
    assert.equal(leader.isSnapshotFailing(away), false);
    await cluster.stopAll();
    assert.deepEqual(cluster.failures, []);
  });
}

test('a peer that can never be sent its snapshot is not tried again and again', async () => {
  const cluster = new Cluster([1, 2, 3], { segmentBytes: 4_000, logTailBytes: 0 });
  await cluster.startAll();
  const leader = await cluster.elect();
  const away = cluster.ids.find((id) => id !== leader.id)!;
  cluster.isolate(away);
  await cluster.loop.run(1_000);
  for (let i = 0; i < 100; i++) await cluster.propose(`${i} ${filler}`);
  await cluster.loop.settle(leader.takeSnapshot());
  cluster.faults.set(away, (operation, path) =>
    operation === 'write' && path.includes('.snap')
      ? Object.assign(new Error('EIO: simulated'), { code: 'EIO' })
      : undefined,
  );
  cluster.heal();
  await cluster.loop.run(20_000);
  const tries = cluster.notices.filter((text) => text.includes('.snap.tmp failed')).length;
  assert.ok(tries >= 3 && tries <= 8, `${tries} tries in 20 s`);
  assert.equal(leader.isSnapshotFailing(away), true);
  cluster.faults.clear();
  await cluster.converge();
  assert.equal(leader.isSnapshotFailing(away), false);
  await cluster.stopAll();
});

test('a snapshot that is asked for is taken, also where nothing has changed since the last', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  await cluster.propose('a', 'b');
  const node = cluster.nodes.get(1)!;
  const { index } = await cluster.loop.settle(node.takeSnapshot());
  const path = snapshotsOf(cluster, 1)[0]!;
  const sound = cluster.disks.get(1)!.contents(path);
  rot(cluster, 1, path, -20);
  const again = await cluster.loop.settle(node.takeSnapshot());
  assert.equal(again.index, index);
  assert.deepEqual(snapshotsOf(cluster, 1), [path]);
  assert.ok(cluster.disks.get(1)!.contents(path).equals(sound));
  await cluster.stopAll();
});

test('the log is kept for a peer that is being sent a snapshot as long as the disk has room', async () => {
  const cluster = new Cluster([1, 2, 3], { segmentBytes: 4_000, logTailBytes: 0, snapshotLogBytes: 5_000 });
  await cluster.startAll();
  const leader = await cluster.elect();
  const away = cluster.ids.find((id) => id !== leader.id)!;
  cluster.isolate(away);
  await cluster.loop.run(1_000);
  for (let i = 0; i < 100; i++) await cluster.propose(`${i} ${filler}`);
  cluster.transferMs = 3_000;
  cluster.heal();
  await cluster.loop.run(1_000);
  // The state is under way for three seconds; meanwhile forty snapshots' worth of log is written.
  for (let i = 0; i < 1_000; i++) await cluster.propose(`meanwhile ${i} ${filler}`);
  await cluster.converge();
  assert.equal(cluster.machines.get(away)!.installs, 1, 'the log it needed was let go');
  await cluster.propose(...Array.from({ length: 200 }, (_, i) => `and on ${i} ${filler}`));
  await cluster.loop.run(1_000);
  assert.ok(leader.storageStatus().logBytes < 40_000, 'the log is kept for nobody');
  await cluster.stopAll();

  // On a small disk it is let go before it fills it.
  const small = new Cluster([1, 2, 3], { segmentBytes: 4_000, logTailBytes: 0, snapshotLogBytes: 5_000 });
  await small.startAll();
  const head = await small.elect();
  const slow = small.ids.find((id) => id !== head.id)!;
  small.isolate(slow);
  await small.loop.run(1_000);
  for (let i = 0; i < 100; i++) await small.propose(`${i} ${filler}`);
  small.transferMs = 60_000;
  small.heal();
  const disk = small.disks.get(head.id)!;
  (disk.options as { capacityBytes?: number }).capacityBytes = 400_000;
  await small.loop.run(1_000);
  for (let i = 0; i < 1_200; i++) await small.propose(`meanwhile ${i}`);
  assert.deepEqual(small.failures, []);
  assert.ok(head.storageStatus().logBytes < 200_000, `${head.storageStatus().logBytes} bytes of log`);
});

test('entries that are few and heavy to apply make a snapshot due: a recovery is bounded', async () => {
  const clock = new ManualClock();
  let taken = 0;
  const snapshotter = new Snapshotter({
    clock,
    log: new MemoryLog(emptySnapshot),
    snapshots: new MemorySnapshotStore(),
    cut: async function* () {
      taken++;
      clock.now += 3_000;
      yield Buffer.from('state');
    },
    position: () => emptySnapshot,
    logBytes: 1 << 30,
    tailBytes: 0,
    intervalMs: undefined,
    isVolatile: false,
    neededFrom: () => Number.POSITIVE_INFINITY,
    freeBytes: async () => 1 << 30,
    onNotice: assert.fail,
  });
  const apply = async (tookMs: number): Promise<void> => {
    snapshotter.applied([entry(1)], tookMs);
    for (let i = 0; i < 20; i++) await null;
  };
  await apply(4_000);
  snapshotter.start();
  await apply(900);
  assert.equal(taken, 0);
  await apply(200);
  assert.equal(taken, 1);
  // A snapshot took three seconds: the next one is due after four times as much.
  await apply(11_000);
  assert.equal(taken, 1);
  await apply(1_000);
  assert.equal(taken, 2);
});
