/** What a data directory holds besides the log: lock, identity, snapshots, and the report on all of it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkDirectory, formatReport } from '../../raft/node/directory/check.js';
import { DataDirectory } from '../../raft/node/directory/data-directory.js';
import { nodeDisk } from '../../raft/node/directory/disk.js';
import { drawIdentity, readIdentity, writeIdentity } from '../../raft/node/directory/identity.js';
import { lockDirectory } from '../../raft/node/directory/lock.js';
import { lockByFile } from '../../raft/node/directory/windows-lock.js';
import { StorageError } from '../../raft/node/errors.js';
import { FileSnapshotStore, type SnapshotReader } from '../../raft/node/snapshot/store.js';
import type { SnapshotMetadata } from '../../raft/types.js';
import { diskError, SimulatedDisk } from '../sim/disk.js';
import { Cluster, clusterId } from './cluster-harness.js';
import { seeded } from './wal-harness.js';

function temporaryDirectory(t: TestContext, suffix = ''): string {
  const root = fs.mkdtempSync(join(os.tmpdir(), 'redraft-directory-'));
  t.after(() => fs.rmSync(root, { recursive: true, force: true }));
  const directory = join(root, suffix);
  fs.mkdirSync(directory, { recursive: true });
  return directory;
}

const membership = { members: [{ id: 7, address: 'host:7', learner: false }], removed: [3] };

/** Another process that holds the lock of `directory` until it is killed. */
async function holder(directory: string): Promise<ChildProcess> {
  const script = `
    const { lockDirectory } = await import(process.argv[1]);
    await lockDirectory(process.argv[2]);
    console.log('held');
    setInterval(() => {}, 1000);`;
  const lock = new URL('../../raft/node/directory/lock.js', import.meta.url).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, lock, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

test('a directory is held by one process, which the refusal names, and free again after kill -9', async (t) => {
  for (const suffix of ['short', 'long/'.repeat(30)]) {
    const directory = temporaryDirectory(t, suffix);
    const child = await holder(directory);
    await assert.rejects(lockDirectory(directory), (error: StorageError) => {
      assert.equal(error.code, 'locked');
      assert.match(error.message, new RegExp(`in use by process ${child.pid};`));
      return true;
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockDirectory(directory);
    await assert.rejects(lockDirectory(directory), new RegExp(`in use by process ${process.pid};`));
    await lock.release();
    const again = await lockDirectory(directory);
    await again.release();
    assert.deepEqual(fs.readdirSync(directory), []);
  }
});

test('the lock of Windows names its holder, and says what else went wrong', async (t) => {
  const directory = temporaryDirectory(t);
  // Elsewhere the flag that excludes others means nothing: npm run test:windows has the rest.
  await (await lockByFile(directory)).release();
  for (const [code, message] of [
    ['EBUSY', new RegExp(`is in use by process ${process.pid};`)],
    ['EPERM', /cannot be locked: no luck/],
  ] as const) {
    const refusal = t.mock.method(fs.promises, 'open', () =>
      Promise.reject(Object.assign(new Error('no luck'), { code })),
    );
    await assert.rejects(lockByFile(directory), message);
    refusal.mock.restore();
  }
});

test('of many who want a dead lock at once, one gets it', async (t) => {
  const directory = temporaryDirectory(t);
  const child = await holder(directory);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)));
  const held = results.filter((result) => result.status === 'fulfilled');
  assert.equal(held.length, 1);
  await held[0]!.value.release();
});

test('a directory that cannot be written is one clear line', async (t) => {
  const directory = temporaryDirectory(t);
  fs.writeFileSync(join(directory, 'file'), '');
  await assert.rejects(DataDirectory.open(join(directory, 'file')), (error: StorageError) => {
    assert.ok(error instanceof StorageError);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
});

test('an identity is drawn once and counted up with each start', async (t) => {
  const path = temporaryDirectory(t);
  const directory = await DataDirectory.open(path);
  assert.equal(directory.identity, undefined);
  const identity = drawIdentity(clusterId, 7, membership);
  await directory.establish(identity);
  assert.equal((await directory.countStart()).starts, 1);
  await directory.close();
  const again = await DataDirectory.open(path);
  assert.deepEqual(again.identity, { ...identity, starts: 1 });
  assert.equal((await again.countStart()).starts, 2);
  await again.close();
});

test('an identity survives a power cut at any moment of its replacement, as the old or the new one', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    let calls = 0;
    const limit = Math.floor(random() * 8);
    const disk = new SimulatedDisk({
      fault: () => (armed && calls++ >= limit ? diskError('EIO') : undefined),
    });
    let armed = false;
    const before = drawIdentity(clusterId, 7, membership);
    await writeIdentity(disk, '/data', before);
    armed = true;
    const after = { ...before, starts: 1 };
    const isWritten = await writeIdentity(disk, '/data', after).then(
      () => true,
      () => false,
    );
    armed = false;
    disk.crash(random);
    const found = await readIdentity(disk, '/data');
    if (isWritten) assert.deepEqual(found, after);
    else assert.ok(found?.starts === 0 || found?.starts === 1, `seed ${seed}: ${JSON.stringify(found)}`);
  }
});

test('a malformed identity is refused, and that of a later release', async () => {
  const disk = new SimulatedDisk();
  for (const [text, message] of [
    ['', /not JSON/],
    ['[]', /format undefined/],
    ['{"format":2}', /has format 2; this release reads format 1/],
    ['{"format":1,"clusterId":"x"}', /clusterId is wrong/],
    [`{"format":1,"clusterId":"${clusterId}","nodeId":0}`, /nodeId is wrong/],
  ] as const) {
    disk.put('/data/identity.json', Buffer.from(text));
    await assert.rejects(readIdentity(disk, '/data'), message);
  }
});

const owner = { clusterId, nodeId: 7 };
const metadata = (index: number): SnapshotMetadata => ({ index, term: 2, membership });

async function save(store: FileSnapshotStore, index: number, chunks: readonly Uint8Array[]): Promise<void> {
  const writer = await store.begin(metadata(index), true);
  for (const chunk of chunks) await writer.write(chunk);
  await writer.commit();
}

async function readAll(reader: SnapshotReader | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await reader!.next(); chunk !== undefined; chunk = await reader!.next())
    chunks.push(chunk);
  await reader!.close();
  return Buffer.concat(chunks);
}

test('snapshots: the newest good one counts, two are kept, unfinished ones are removed', async () => {
  const disk = new SimulatedDisk();
  const store = await FileSnapshotStore.open(disk, '/data', owner);
  assert.equal(store.latest(), undefined);
  assert.equal(await store.openLatest(), undefined);
  const big = Buffer.alloc(3_000_000, 'snapshot');
  await save(store, 10, [Buffer.from('ten')]);
  const oldReader = await store.openLatest();
  await save(store, 20, []);
  await save(store, 30, [Buffer.from('a'), big, Buffer.from('z')]);
  assert.equal((await readAll(oldReader)).toString(), 'ten');
  const expected = Buffer.concat([Buffer.from('a'), big, Buffer.from('z')]);
  assert.ok((await readAll(await store.openLatest())).equals(expected));
  assert.equal(disk.paths().length, 2);
  const unfinished = await store.begin(metadata(40), true);
  await unfinished.write(Buffer.from('half'));
  assert.equal(disk.paths().length, 3);
  disk.crash(() => 0.9);
  const again = await FileSnapshotStore.open(disk, '/data', owner);
  assert.deepEqual(again.latest(), { metadata: metadata(30), dataBytes: expected.length, isOwn: true });
  assert.deepEqual(
    disk.paths().map((path) => path.slice(6)),
    ['snapshot-0000000000000020-0000000000000002.snap', 'snapshot-0000000000000030-0000000000000002.snap'],
  );
  const aborted = await again.begin(metadata(50), true);
  await aborted.abort();
  assert.equal(disk.paths().length, 2);
});

test('a snapshot of the first releases, which states no cluster, counts; one of another cluster does not', async () => {
  for (const [written, isGood] of [
    [undefined, true],
    ['0'.repeat(32), false],
  ] as const) {
    const disk = new SimulatedDisk();
    const writer = await FileSnapshotStore.open(disk, '/data', { clusterId: written!, nodeId: 7 });
    await save(writer, 10, [Buffer.from('ten')]);
    const store = await FileSnapshotStore.open(disk, '/data', owner);
    assert.equal(store.latest()?.metadata.index, isGood ? 10 : undefined);
  }
});

test('a snapshot with any byte flipped or cut is passed over, with file and offset', async () => {
  const disk = new SimulatedDisk();
  const store = await FileSnapshotStore.open(disk, '/data', owner);
  await save(store, 10, [Buffer.from('older')]);
  await save(store, 20, [Buffer.from('first block'), Buffer.from('second block')]);
  const path = '/data/snapshot-0000000000000020-0000000000000002.snap';
  const whole = disk.contents(path);
  for (let at = 0; at < whole.length; at++) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1 << (at % 8);
    for (const bytes of [flipped, whole.subarray(0, at)]) {
      const broken = disk.copy();
      broken.put(path, bytes);
      const notices: string[] = [];
      const opened = await FileSnapshotStore.open(broken, '/data', owner, (text) => notices.push(text));
      assert.equal(opened.latest()?.metadata.index, 10, `byte ${at}`);
      assert.match(notices.join(), /snapshot-0+20-0+2\.snap is damaged at offset \d+: /);
    }
  }
});

test('a snapshot that does not fit on the disk fails and leaves the old one', async () => {
  const disk = new SimulatedDisk({ capacityBytes: 100_000 });
  const store = await FileSnapshotStore.open(disk, '/data', owner);
  await save(store, 10, [Buffer.alloc(1000)]);
  const writer = await store.begin(metadata(20), true);
  await assert.rejects(writer.write(Buffer.alloc(200_000)), /no space left on the disk/);
  await writer.abort();
  assert.equal(disk.paths().length, 1);
  assert.equal(store.latest()?.metadata.index, 10);
});

test('the report names segments, terms, snapshots and the first damage, and changes nothing', async () => {
  const cluster = new Cluster([1], { segmentBytes: 4_000, logTailBytes: 1e9 });
  await cluster.startAll();
  for (let i = 0; i < 60; i++) await cluster.propose(`word ${i}`);
  await cluster.loop.settle(cluster.nodes.get(1)!.takeSnapshot());
  await cluster.propose('after');
  cluster.kill(1);
  const disk = cluster.disks.get(1)!.copy();
  delete (disk.options as { schedule?: unknown }).schedule;
  const before = disk.paths().map((path) => disk.contents(path).toString('base64'));
  const report = await checkDirectory(disk, '/data');
  assert.deepEqual(report.damages, []);
  assert.equal(report.lastIndex, 62);
  assert.equal(
    report.segments.reduce((sum, segment) => sum + segment.entries, 0),
    62,
  );
  assert.equal(report.snapshots.length, 1);
  assert.equal(report.snapshots[0]!.metadata?.index, 61);
  assert.equal(report.hardState?.term, 1);
  const text = formatReport(report).join('\n');
  assert.match(text, /log: entries 1 to 62/);
  assert.match(text, /\nsound$/);
  assert.deepEqual(
    disk.paths().map((path) => disk.contents(path).toString('base64')),
    before,
  );

  const segment = '/data/log/0000000000000002.wal';
  const bytes = disk.contents(segment);
  bytes[1000]! ^= 8;
  disk.put(segment, bytes);
  const damaged = await checkDirectory(disk, '/data');
  assert.equal(damaged.logProblem?.file, segment);
  assert.match(
    damaged.damages[0]!,
    /0000000000000002\.wal is damaged at offset \d+: a record whose checksum/,
  );
  assert.match(formatReport(damaged).at(-1)!, /^not sound: 1 damages$/);

  const empty = await checkDirectory(new SimulatedDisk(), '/nowhere');
  assert.match(empty.damages[0]!, /holds no identity/);
});

test('the report tells a torn tail from damage', async () => {
  const cluster = new Cluster([1]);
  await cluster.startAll();
  await cluster.propose('a');
  cluster.kill(1);
  const disk = cluster.disks.get(1)!.copy();
  delete (disk.options as { schedule?: unknown }).schedule;
  const path = '/data/log/0000000000000001.wal';
  const bytes = disk.contents(path);
  let end = bytes.length;
  while (bytes[end - 1] === 0) end--;
  bytes[end - 1]! ^= 1;
  disk.put(path, bytes);
  const report = await checkDirectory(disk, '/data');
  assert.deepEqual(report.damages, []);
  assert.equal(report.logProblem?.kind, 'torn');
  assert.match(report.notices[0]!, /ends in a torn tail at offset \d+ .*: a start will cut it/);
});

test('the real disk does what the simulated one does', async (t) => {
  const path = temporaryDirectory(t);
  const file = await nodeDisk.open(join(path, 'file'), 'create');
  file.writeSync([Buffer.from('abc'), Buffer.from('def')], 2);
  const large = [Buffer.alloc(70_000, 1), Buffer.alloc(70_000, 2)];
  await new Promise<void>((resolve, reject) => {
    file.write(large, 8, (error) => (error === null ? resolve() : reject(error)));
  });
  await new Promise<void>((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });
  assert.equal(await file.size(), 140_008);
  const head = Buffer.alloc(10);
  assert.equal(file.readSync(head, 0), 10);
  assert.equal(head.toString('latin1'), '\0\0abcdef\x01\x01');
  const tail = Buffer.alloc(10);
  assert.equal(await file.read(tail, 140_005), 3);
  await file.truncate(4);
  assert.equal(await file.size(), 4);
  await file.close();
  await nodeDisk.rename(join(path, 'file'), join(path, 'renamed'));
  await nodeDisk.makeDirectory(join(path, 'folder'));
  await nodeDisk.syncDirectory(path);
  assert.deepEqual(await nodeDisk.list(path), ['renamed']);
  assert.ok((await nodeDisk.freeBytes(path)) > 0);
  await nodeDisk.unlink(join(path, 'renamed'));
  await assert.rejects(nodeDisk.open(join(path, 'renamed'), 'update'), { code: 'ENOENT' });
});
