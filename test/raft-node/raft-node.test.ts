import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawIdentity } from '../../raft/node/directory/identity.js';
import { noTransport } from '../../raft/node/peer/transport.js';
import { RaftNode } from '../../raft/node/raft-node.js';
import { diskError } from '../sim/disk.js';
import { EventLoop } from '../sim/event-loop.js';
import { Cluster, clusterId, WordList } from './cluster-harness.js';

test('a single node in memory commits and applies within the call', async () => {
  const machine = new WordList();
  const clock = new EventLoop();
  const members = [{ id: 5, address: 'host:5', learner: false }];
  const node = await clock.settle(
    RaftNode.start({
      identity: drawIdentity(clusterId, 5, { members, removed: [] }),
      clock,
      transport: noTransport,
      random: () => 0.5,
      stateMachine: machine,
      durability: 'high',
      onFailure: (error) => assert.fail(error),
    }),
  );
  assert.equal(node.status().role, 'leader');
  const proposed = node.propose(Buffer.from('hello'));
  node.flush();
  assert.deepEqual(machine.words, ['hello']);
  assert.equal(node.applied, proposed!.index);
  await clock.settle(node.stop());
  assert.equal(node.propose(Buffer.from('late')), undefined);
});

test('a log in memory stays small without snapshots', async () => {
  const cluster = new Cluster([1], { isVolatile: true, snapshotLogBytes: 10_000, logTailBytes: 2_000 });
  await cluster.startAll();
  for (let i = 0; i < 500; i++) await cluster.propose(`word ${i}`);
  const { logBytes, snapshot } = cluster.nodes.get(1)!.storageStatus();
  assert.ok(logBytes < 30_000, `${logBytes} bytes of log`);
  assert.ok(snapshot.index > 0);
  await cluster.stopAll();
});

test('a single node over files is there again after stop, kill and power cut', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  const expected: string[] = [];
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 20; i++) expected.push(`${round}.${i}`);
    await cluster.propose(...expected.slice(-20));
    if (round % 3 === 0) await cluster.stopAll();
    else cluster.kill(1, round % 3 === 1);
    const node = await cluster.start(1);
    assert.equal(node.status().role, 'leader');
    assert.deepEqual(cluster.words(1), expected);
    assert.ok(node.recoveredCommit <= node.applied);
  }
  await cluster.stopAll();
  assert.deepEqual(cluster.failures, []);
});

test('a first start that died before the log was founded is no lost log; a log that vanishes later is', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  await cluster.propose('a');
  cluster.kill(1);
  const disk = cluster.disks.get(1)!;
  for (const path of disk.paths()) if (path.endsWith('.wal')) disk.drop(path);
  await assert.rejects(cluster.start(1), /was in use but holds no log/);

  const young = new Cluster([1]);
  young.faults.set(1, (operation, path) =>
    operation === 'write' && path.endsWith('.wal') ? diskError('EIO', path) : undefined,
  );
  await assert.rejects(young.start(1), /write of .* failed/);
  young.faults.clear();
  young.disks.get(1)!.crash(() => 0.5);
  await young.start(1);
  await young.propose('b');
  assert.deepEqual(young.words(1), ['b']);
  await young.stopAll();
});

test('what is proposed in one turn costs one sync', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  const node = await cluster.elect();
  await cluster.loop.run(2000);
  const disk = cluster.disks.get(1)!;
  const { sync } = { ...disk.counts };
  let index = 0;
  for (let i = 0; i < 50; i++) index = node.propose(Buffer.from(`${i}`))!.index;
  await cluster.loop.settle(node.whenApplied(index));
  assert.equal(disk.counts.sync - sync, 1);
  await cluster.stopAll();
});

test('snapshots bound the log, and a restart takes the newest one and the log behind it', async () => {
  const cluster = new Cluster([1], { snapshotLogBytes: 20_000, logTailBytes: 0, segmentBytes: 8_000 });
  await cluster.startAll();
  for (let i = 0; i < 60; i++) await cluster.propose(...Array.from({ length: 10 }, (_, j) => `${i}.${j}`));
  const node = cluster.nodes.get(1)!;
  await cluster.loop.run(100);
  const expected = [...cluster.words(1)];
  assert.equal(expected.length, 600);
  const { snapshot, logBytes } = node.storageStatus();
  assert.ok(snapshot.index > 300, `snapshot ${snapshot.index}`);
  assert.ok(logBytes < 60_000, `${logBytes} bytes of log`);
  cluster.kill(1);
  const again = await cluster.start(1);
  assert.deepEqual(cluster.words(1), expected);
  assert.equal(cluster.machines.get(1)!.installs, 1);
  assert.equal(again.recovered.snapshotIndex, snapshot.index);
  const metadata = await cluster.loop.settle(again.takeSnapshot());
  assert.equal(metadata.index, again.applied);
  await cluster.stopAll();
});

test('a damaged newest snapshot: an older one serves if the log behind it is whole, else the node refuses', async () => {
  const cluster = new Cluster([1], { segmentBytes: 4_000, logTailBytes: 0 });
  await cluster.startAll();
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) await cluster.propose(`${i} ${'x'.repeat(100)}`);
  };
  await fill();
  await cluster.loop.settle(cluster.nodes.get(1)!.takeSnapshot());
  await fill();
  const keepsLog = cluster.disks.get(1)!.copy();
  await cluster.loop.settle(cluster.nodes.get(1)!.takeSnapshot());
  await cluster.loop.run(100);
  const expected = [...cluster.words(1)];
  cluster.kill(1);
  const disk = cluster.disks.get(1)!;
  const snapshots = disk.paths().filter((path) => path.endsWith('.snap'));
  assert.equal(snapshots.length, 2);
  const bytes = disk.contents(snapshots[1]!);
  bytes[bytes.length - 30]! ^= 1;
  disk.put(snapshots[1]!, bytes);
  await assert.rejects(
    cluster.start(1),
    /the log begins at entry \d+, but the newest good snapshot ends at \d+/,
  );
  assert.match(cluster.notices.join('\n'), /snapshot-\d+-\d+\.snap is damaged at offset \d+/);
  keepsLog.put(snapshots[1]!, bytes);
  cluster.disks.set(1, keepsLog);
  await cluster.start(1);
  assert.deepEqual(cluster.words(1), expected);
  await cluster.stopAll();
});

test('a disk that fails ends the node: nothing is acknowledged afterwards', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  await cluster.propose('before');
  cluster.faults.set(1, (operation) => (operation === 'sync' ? diskError('EIO') : undefined));
  const node = cluster.nodes.get(1)!;
  const { index } = node.propose(Buffer.from('after'))!;
  await cluster.loop.run(1000);
  assert.ok(node.applied < index);
  assert.deepEqual(cluster.words(1), ['before']);
  assert.equal(cluster.failures.length, 1);
  assert.match(cluster.failures[0]!, /sync of .* failed/);
  await cluster.loop.settle(node.stop());
});

test('three nodes elect, replicate and survive the loss of any one of them', async () => {
  for (const power of [false, true]) {
    const cluster = new Cluster([1, 2, 3], {}, power ? 3 : 2);
    await cluster.startAll();
    const expected: string[] = [];
    for (let round = 0; round < 6; round++) {
      expected.push(`${round}a`, `${round}b`);
      await cluster.propose(`${round}a`, `${round}b`);
      const victim = (await cluster.elect()).id;
      cluster.kill(victim, power);
      expected.push(`${round}c`);
      await cluster.propose(`${round}c`);
      await cluster.start(victim);
      await cluster.converge();
      for (const id of cluster.ids) assert.deepEqual(cluster.words(id), expected);
    }
    await cluster.stopAll();
    assert.deepEqual(cluster.failures, []);
  }
});

test('all nodes stop and come back: the log is the cluster', async () => {
  const cluster = new Cluster([1, 2, 3]);
  await cluster.startAll();
  await cluster.propose('a', 'b', 'c');
  await cluster.converge();
  await cluster.stopAll();
  cluster.nodes.clear();
  await cluster.startAll();
  await cluster.converge();
  for (const id of cluster.ids) assert.deepEqual(cluster.words(id), ['a', 'b', 'c']);
  await cluster.stopAll();
});

test('a follower that is too far behind is sent a snapshot, in files and in memory', async () => {
  for (const isVolatile of [false, true]) {
    const transfers: string[] = [];
    const cluster = new Cluster([1, 2, 3], {
      isVolatile,
      snapshotLogBytes: 5_000,
      logTailBytes: 0,
      segmentBytes: 2_000,
      onTransfer: ({ direction, bytes, bytesTotal }) => {
        if (bytes === bytesTotal) transfers.push(direction);
      },
    });
    await cluster.startAll();
    const leader = await cluster.elect();
    const behind = cluster.ids.find((id) => id !== leader.id)!;
    cluster.isolate(behind);
    // For a peer that answered a moment ago the log would be kept.
    await cluster.loop.run(1_000);
    for (let i = 0; i < 100; i++) await cluster.propose(`word ${i}`);
    cluster.heal();
    await cluster.propose('last');
    await cluster.converge();
    assert.deepEqual(cluster.words(behind), cluster.words(leader.id));
    assert.equal(cluster.machines.get(behind)!.installs, 1);
    assert.deepEqual(transfers.sort(), ['in', 'out']);
    if (!isVolatile) {
      cluster.kill(behind, true);
      await cluster.start(behind);
      await cluster.converge();
      assert.deepEqual(cluster.words(behind), cluster.words(leader.id));
    }
    await cluster.stopAll();
    assert.deepEqual(cluster.failures, []);
  }
});

test('a node joins as a learner, is promoted, and leadership moves to it', async () => {
  const cluster = new Cluster([1]);
  await cluster.start(1);
  await cluster.propose('a', 'b');
  await cluster.start(2, []);
  const leader = cluster.nodes.get(1)!;
  assert.ok('index' in leader.proposeMembership({ kind: 'add-learner', id: 2, address: 'host:2' }));
  await cluster.converge();
  let promoted = leader.proposeMembership({ kind: 'promote', id: 2 });
  await cluster.loop.until(() => {
    promoted = leader.proposeMembership({ kind: 'promote', id: 2 });
    return 'index' in promoted;
  });
  await cluster.converge();
  assert.ok(leader.transferLeadership(2));
  await cluster.loop.until(() => cluster.nodes.get(2)!.status().role === 'leader');
  await cluster.propose('c');
  await cluster.converge();
  assert.deepEqual(cluster.words(1), ['a', 'b', 'c']);
  assert.deepEqual(cluster.words(2), ['a', 'b', 'c']);
  await cluster.stopAll();
});

test('reads are answered on leader and follower, one answer for all of a turn, and dropped when nobody can tell', async () => {
  const answered: number[] = [];
  const dropped: number[] = [];
  const cluster = new Cluster([1, 2, 3], {
    onReadStates: (states) => answered.push(...states.map((state) => state.context)),
    onReadsDropped: (contexts) => dropped.push(...contexts),
  });
  await cluster.startAll();
  await cluster.propose('a');
  await cluster.converge();
  const leader = await cluster.elect();
  const follower = cluster.nodes.get(cluster.ids.find((id) => id !== leader.id)!)!;
  const contexts = [leader.readIndex()!, follower.readIndex()!];
  assert.ok(await cluster.loop.until(() => contexts.every((context) => answered.includes(context))));
  cluster.isolate(leader.id);
  const lost = leader.readIndex()!;
  assert.ok(await cluster.loop.until(() => dropped.includes(lost)));
  assert.ok(!answered.includes(lost));
  assert.equal(leader.leaseValid, false);
  await cluster.stopAll();
});

test('a lease is judged by the clock when it is asked about, not by the last tick', async () => {
  const cluster = new Cluster([1, 2, 3]);
  await cluster.startAll();
  await cluster.propose('a');
  const leader = await cluster.elect();
  await cluster.loop.run(200);
  assert.equal(leader.leaseValid, true);
  // As after SIGSTOP and SIGCONT: time has passed, and no timer has fired yet.
  cluster.loop.nowMs += 600;
  assert.equal(leader.leaseValid, false);
  assert.equal(leader.quorumHeld, false);
  await cluster.loop.run(300);
  assert.equal(leader.leaseValid, true);
  await cluster.stopAll();
});

test('a leader whose disk hangs hands over, and does not lead again before it answers', async () => {
  const cluster = new Cluster([1, 2, 3]);
  await cluster.startAll();
  await cluster.propose('a');
  const hung = await cluster.elect();
  cluster.hang(hung.id);
  assert.ok(hung.propose(Buffer.from('b')));
  const isReplaced = (): boolean => {
    const status = cluster.leader()?.status();
    return status !== undefined && status.id !== hung.id && status.ownTermCommitted;
  };
  const beganMs = cluster.loop.nowMs;
  assert.ok(await cluster.loop.until(isReplaced, 2000), 'nobody took over');
  const tookMs = cluster.loop.nowMs - beganMs;
  // Two election timeouts, and the hand-over.
  assert.ok(tookMs > 1000 && tookMs < 1200, `${tookMs} ms`);
  await cluster.propose('c');
  await cluster.loop.run(5000);
  assert.equal(hung.status().role, 'follower');
  assert.deepEqual(cluster.words(cluster.leader()!.id), ['a', 'b', 'c']);
  cluster.unhang(hung.id);
  await cluster.converge();
  assert.deepEqual(cluster.words(hung.id), ['a', 'b', 'c']);
  await cluster.loop.run(100);
  assert.match(cluster.notices.join(), /has not answered for \d+ ms.*answers again/);
  await cluster.stopAll();
  assert.deepEqual(cluster.failures, []);
});

test('a disk that is busy with much is not taken for a hung one', async () => {
  const cluster = new Cluster([1, 2, 3]);
  await cluster.startAll();
  await cluster.propose('a');
  const leader = await cluster.elect();
  cluster.hang(leader.id);
  // 64 MiB at a slow disk's pace are 4 s, two election timeouts are one.
  assert.ok(leader.propose(Buffer.alloc(64 << 20)));
  await cluster.loop.run(4500);
  assert.equal(leader.status().role, 'leader');
  await cluster.loop.run(1500);
  assert.equal(leader.status().role, 'follower');
  cluster.unhang(leader.id);
  await cluster.converge();
  await cluster.stopAll();
});

test('an uncommitted removal shuts nobody out: its node may come to lead', async () => {
  const cluster = new Cluster([1, 2, 3]);
  await cluster.startAll();
  await cluster.propose('a');
  const leader = (await cluster.elect()).id;
  const [removed, third] = [1, 2, 3].filter((id) => id !== leader) as [number, number];
  cluster.isolate(leader);
  cluster.nodes.get(leader)!.proposeMembership({ kind: 'remove', id: removed });
  await cluster.loop.run(5);
  const told = (): { members: number[]; removed: readonly number[] } => {
    const { members, removed: gone } = cluster.ports.get(leader)!.membership!;
    return { members: members.map(({ id }) => id).sort(), removed: gone };
  };
  assert.deepEqual(cluster.nodes.get(leader)!.status().membership.removed, [removed]);
  assert.deepEqual(told(), { members: [1, 2, 3], removed: [] });
  // The others elect the removed node, or elect with its vote; the removal is rolled back.
  assert.ok(await cluster.loop.until(() => (cluster.leader()?.id ?? leader) !== leader));
  cluster.heal();
  await cluster.propose('b');
  await cluster.converge();
  assert.deepEqual(told(), { members: [1, 2, 3], removed: [] });
  // One that is committed does.
  const now = await cluster.elect();
  const target = [removed, third].find((id) => id !== now.id)!;
  now.proposeMembership({ kind: 'remove', id: target });
  assert.ok(await cluster.loop.until(() => cluster.ports.get(now.id)!.membership!.removed.includes(target)));
  await cluster.stopAll();
  assert.deepEqual(cluster.failures, []);
});
