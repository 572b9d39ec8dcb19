import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '../../raft/node/errors.js';
import { crc32, crc32ByTable } from '../../raft/node/wal/crc32.js';
import { diskError, SimulatedDisk } from '../sim/disk.js';
import {
  append,
  directory,
  emptySnapshot,
  entry,
  listing,
  ManualClock,
  openWal,
  run,
} from './wal-harness.js';

const segment1 = `${directory}/0000000000000001.wal`;

test('crc32 is the one of zlib, natively and by table', () => {
  const check = Buffer.from('123456789');
  assert.equal(crc32(check, 0, 9, 0), 0xcbf43926);
  assert.equal(crc32ByTable(check, 0, 9, 0), 0xcbf43926);
  const long = Buffer.alloc(1003, 'redraft');
  for (const [start, end] of [
    [0, 1003],
    [1, 1000],
    [700, 702],
  ] as const) {
    assert.equal(crc32(long, start, end, 42), crc32ByTable(long, start, end, 42));
  }
});

test('what was appended is there after a restart, with the hard state', async () => {
  const disk = new SimulatedDisk();
  const wal = await openWal(disk);
  assert.equal(wal.firstIndex(), 1);
  assert.equal(wal.lastIndex(), 0);
  assert.equal(wal.term(0), 0);
  await append(wal, run(1, 3), { term: 1, vote: 7, commit: 0 });
  await append(wal, [entry(4, 2, Buffer.alloc(100_000, 1)), entry(5, 2, '')], {
    term: 2,
    vote: 9,
    commit: 3,
  });
  assert.equal(wal.term(4), 2);
  const before = listing(wal);
  await wal.close();
  const again = await openWal(disk, { mustExist: true });
  assert.deepEqual(listing(again), before);
  assert.deepEqual(again.hardState, { term: 2, vote: 9, commit: 3 });
  assert.equal(again.term(3), 1);
  assert.equal(again.term(6), undefined);
  assert.deepEqual(
    again.entries(2, 4, 1).map((one) => one.index),
    [2],
  );
  await again.close();
});

test('all that one turn appends goes out with one sync, and what arrives meanwhile with the next', async () => {
  const disk = new SimulatedDisk({ schedule: (_operation, callback) => setImmediate(callback) });
  const wal = await openWal(disk);
  const before = disk.counts.sync;
  const done: Promise<void>[] = [];
  for (let index = 1; index <= 100; index++) done.push(append(wal, [entry(index)]));
  await Promise.resolve();
  for (let index = 101; index <= 150; index++) done.push(append(wal, [entry(index)]));
  await Promise.all(done);
  assert.equal(disk.counts.sync - before, 2);
  await wal.close();
});

test('acknowledgements keep the order of the appends, and none comes before the sync', async () => {
  let answer: (() => void) | undefined;
  const disk = new SimulatedDisk({
    schedule: (operation, callback) => {
      if (operation === 'sync' && armed) answer = callback;
      else queueMicrotask(callback);
    },
  });
  let armed = false;
  const wal = await openWal(disk);
  armed = true;
  const order: string[] = [];
  wal.append({ term: 1, vote: 0, commit: 0 }, [], () => order.push('hard state'));
  wal.append(undefined, run(1, 2), () => order.push('entries'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, []);
  assert.equal(wal.lastIndex(), 2);
  armed = false;
  answer!();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ['hard state', 'entries']);
  await wal.close();
});

test('a change of the commit index alone costs no write, and is noted in a quiet moment', async () => {
  const disk = new SimulatedDisk();
  const clock = new ManualClock();
  const wal = await openWal(disk, { clock });
  await append(wal, run(1, 3), { term: 1, vote: 7, commit: 0 });
  const { write, sync } = { ...disk.counts };
  await append(wal, [], { term: 1, vote: 7, commit: 3 });
  assert.equal(disk.counts.write, write);
  clock.advance(1000);
  assert.equal(disk.counts.write, write + 1);
  assert.equal(disk.counts.sync, sync);
  clock.advance(10_000);
  assert.equal(disk.counts.write, write + 1);
  disk.kill();
  const again = await openWal(disk);
  assert.equal(again.hardState.commit, 3);
  await again.close();
});

test('durability medium syncs each second, low never, and a vote always', async () => {
  for (const durability of ['medium', 'low'] as const) {
    const disk = new SimulatedDisk();
    const clock = new ManualClock();
    const wal = await openWal(disk, { clock, durability });
    let { sync } = disk.counts;
    await append(wal, run(1, 10));
    assert.equal(disk.counts.sync, sync);
    clock.advance(1000);
    await Promise.resolve();
    if (durability === 'medium') sync++;
    assert.equal(disk.counts.sync, sync, durability);
    await append(wal, [], { term: 3, vote: 2, commit: 0 });
    assert.equal(disk.counts.sync, sync + 1);
    await append(wal, run(11, 12));
    assert.equal(disk.counts.sync, sync + 1);
    wal.setDurability('high');
    await append(wal, run(13, 13));
    assert.ok(disk.counts.sync > sync + 1);
    await wal.close();
  }
});

test('a vote that is cast while a large batch is being written waits for a sync of its own', async () => {
  const writes: (() => void)[] = [];
  const disk = new SimulatedDisk({
    schedule: (operation, callback) => {
      if (operation === 'write' && isHeld) writes.push(callback);
      else queueMicrotask(callback);
    },
  });
  let isHeld = false;
  const wal = await openWal(disk, { durability: 'low' });
  isHeld = true;
  const large = append(wal, [entry(1, 1, Buffer.alloc(400_000))], { term: 1, vote: 2, commit: 0 });
  await Promise.resolve();
  const vote = append(wal, [], { term: 2, vote: 3, commit: 0 });
  isHeld = false;
  writes[0]!();
  await Promise.all([large, vote]);
  disk.crash(() => 0, 0);
  const again = await openWal(disk);
  assert.deepEqual(again.hardState, { term: 2, vote: 3, commit: 0 });
  await again.close();
});

test('a conflicting suffix is replaced, also across restarts, segments and reads of old entries', async () => {
  const disk = new SimulatedDisk();
  const changes = { segmentBytes: 600, cacheBytes: 0 };
  const wal = await openWal(disk, changes);
  for (let index = 1; index <= 20; index++) await append(wal, [entry(index, 1)]);
  await append(wal, run(15, 17, 2));
  await append(wal, [entry(18, 3)]);
  await append(wal, run(9, 10, 4));
  const expected = [...run(1, 8, 1), ...run(9, 10, 4)].map(
    (one) => `${one.index}@${one.term}=${one.index}@${one.term}`,
  );
  assert.deepEqual(listing(wal), expected);
  assert.equal(wal.term(9), 4);
  assert.equal(wal.term(11), undefined);
  await append(wal, run(11, 30, 5));
  expected.push(...run(11, 30, 5).map((one) => `${one.index}@5=${one.index}@5`));
  assert.deepEqual(listing(wal), expected);
  await wal.close();
  const again = await openWal(disk, changes);
  assert.deepEqual(listing(again), expected);
  await again.close();
});

test('an append that leaves a hole is refused', async () => {
  const wal = await openWal(new SimulatedDisk());
  await append(wal, run(1, 3));
  assert.throws(() => wal.append(undefined, [entry(5)]), /do not continue/);
  await wal.close();
});

test('compaction removes whole segments behind the snapshot and keeps a tail', async () => {
  const disk = new SimulatedDisk();
  const changes = { segmentBytes: 1000, cacheBytes: 0 };
  const wal = await openWal(disk, changes);
  for (let index = 1; index <= 100; index++) await append(wal, [entry(index, index < 50 ? 1 : 2)]);
  const files = disk.paths().length;
  const snapshot = { ...emptySnapshot, index: 80, term: 2 };
  wal.setSnapshot(snapshot);
  wal.compact(80, 1e9);
  assert.equal(wal.firstIndex(), 1);
  wal.compact(80, 0);
  const first = wal.firstIndex();
  assert.ok(first > 60 && first <= 81, `first index ${first}`);
  assert.equal(wal.term(first - 1), 2);
  assert.equal(wal.term(first - 2), undefined);
  assert.equal(wal.entries(first, 101, 1)[0]!.index, first);
  assert.throws(() => wal.entries(first - 1, 101, 1), RangeError);
  await wal.close();
  assert.ok(disk.paths().length < files);
  const again = await openWal(disk, { ...changes, snapshot });
  assert.equal(again.firstIndex(), first);
  assert.equal(again.lastIndex(), 100);
  assert.equal(again.term(first - 1), 2);
  await again.close();
  await assert.rejects(
    openWal(disk, changes),
    /the log begins at entry \d+, but the newest good snapshot ends at 0/,
  );
});

test('a snapshot ahead of the log takes its place, also when the node dies in between', async () => {
  const disk = new SimulatedDisk();
  const wal = await openWal(disk);
  await append(wal, run(1, 10), { term: 1, vote: 0, commit: 2 });
  const snapshot = { ...emptySnapshot, index: 500, term: 6 };
  await new Promise<void>((resolve) => wal.reset(snapshot, () => resolve()));
  assert.equal(wal.firstIndex(), 501);
  assert.equal(wal.lastIndex(), 500);
  assert.equal(wal.term(500), 6);
  await append(wal, run(501, 502, 6));
  await wal.close();
  let again = await openWal(disk, { snapshot });
  assert.deepEqual(listing(again), ['501@6=501@6', '502@6=502@6']);
  assert.deepEqual(again.hardState, { term: 6, vote: 0, commit: 500 });
  await again.close();
  // The snapshot file was renamed into place, and then the power went, before the log was reset.
  const later = { ...emptySnapshot, index: 900, term: 8 };
  again = await openWal(disk, { snapshot: later });
  assert.equal(again.lastIndex(), 900);
  assert.equal(again.hardState.term, 8);
  await again.close();
});

test('after a failed sync nothing is acknowledged, and the restart trusts only the disk', async () => {
  let broken = false;
  const disk = new SimulatedDisk({
    fault: (operation, path) => (broken && operation === 'sync' ? diskError('EIO', path) : undefined),
  });
  const failures: StorageError[] = [];
  const wal = await openWal(disk, { onFailure: (error) => failures.push(error) });
  await append(wal, run(1, 2));
  broken = true;
  const results = await Promise.allSettled([append(wal, run(3, 3)), append(wal, run(4, 4))]);
  assert.ok(results.every((result) => result.status === 'rejected' && result.reason instanceof StorageError));
  broken = false;
  await assert.rejects(append(wal, run(5, 5)), /sync of .*0000000000000001\.wal failed/);
  assert.equal(failures.length, 1);
  await wal.close();
  // The process restarts: entries 3 and 4 still read back from the cache, are rewritten, and are durable
  // then.
  disk.kill();
  const again = await openWal(disk);
  const last = again.lastIndex();
  disk.crash(() => 0.5, 0);
  const final = await openWal(disk);
  assert.equal(final.lastIndex(), last);
  await final.close();
});

test('a full disk is named as such, and the log stays readable', async () => {
  const disk = new SimulatedDisk({ capacityBytes: 200_000 });
  let failure: StorageError | undefined;
  const wal = await openWal(disk, {
    onFailure: (error) => {
      failure = error;
    },
  });
  await append(wal, run(1, 5));
  await assert.rejects(append(wal, [entry(6, 1, Buffer.alloc(300_000, 7))]), /no space left on the disk/);
  assert.equal(failure?.code, 'full');
  assert.equal(failure?.file, segment1);
  await wal.close();
  disk.options.capacityBytes = 10_000_000;
  const notices: string[] = [];
  const again = await openWal(disk, { onNotice: (text) => notices.push(text) });
  assert.equal(again.lastIndex(), 5);
  assert.match(notices[0]!, /cut a torn tail/);
  await again.close();
});

test('a disk that is nearly full is announced', async () => {
  const notices: string[] = [];
  const disk = new SimulatedDisk({ capacityBytes: 3 * 1048576 });
  const wal = await openWal(disk, { segmentBytes: 1048576, onNotice: (text) => notices.push(text) });
  assert.match(notices.join(), /^2 MiB are left on the disk of .*: the node stops when it is full$/);
  await wal.close();
});

test('the log of another node is refused', async () => {
  const disk = new SimulatedDisk();
  await (await openWal(disk)).close();
  await assert.rejects(openWal(disk, { nodeId: 8 }), /belongs to node 7/);
});

test('a log that vanished is refused', async () => {
  await assert.rejects(openWal(new SimulatedDisk(), { mustExist: true }), /was in use but holds no log/);
});

test('a missing segment is refused', async () => {
  const disk = new SimulatedDisk();
  const wal = await openWal(disk, { segmentBytes: 500 });
  for (let index = 1; index <= 30; index++) await append(wal, [entry(index)]);
  await wal.close();
  disk.drop(`${directory}/0000000000000002.wal`);
  await assert.rejects(openWal(disk), /the log begins at entry \d+/);
});
