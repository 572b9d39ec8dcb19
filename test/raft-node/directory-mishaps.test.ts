/**
 * What people and tools do to a data directory while no node runs on it: every file of it gone, renamed,
 * emptied, cut, doubled, swapped. Each is refused, by a start and by `redraft check` alike, or harmless:
 * nothing that was acknowledged is missing afterwards.
 */
import assert from 'node:assert/strict';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkDirectory } from '../../raft/node/directory/check.js';
import { DataDirectory } from '../../raft/node/directory/data-directory.js';
import { StorageError } from '../../raft/node/errors.js';
import type { SimulatedDisk } from '../sim/disk.js';
import { Cluster } from './cluster-harness.js';

const options = { segmentBytes: 4_000, logTailBytes: 9_000 };

/** A node with two snapshots, and segments before, between and behind them. */
async function directoryWithAll(isStopped: boolean): Promise<{ disk: SimulatedDisk; words: string[] }> {
  const cluster = new Cluster([1], options);
  await cluster.startAll();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 60; i++) await cluster.propose(`${round}.${i} ${'x'.repeat(100)}`);
    if (round < 2) await cluster.loop.settle(cluster.nodes.get(1)!.takeSnapshot());
  }
  await cluster.loop.run(2000);
  const words = [...cluster.words(1)];
  if (isStopped) await cluster.stopAll();
  else cluster.kill(1);
  const disk = cluster.disks.get(1)!.copy();
  delete (disk.options as { schedule?: unknown; fault?: unknown }).schedule;
  delete (disk.options as { schedule?: unknown; fault?: unknown }).fault;
  return { disk, words };
}

type Mishap = (disk: SimulatedDisk, path: string, next: string | undefined) => void;

/** The name that the node itself would give the file after this one. */
function followingName(path: string): string {
  const name = basename(path).replace(/\d{16}(?=\.wal|-)/, (digits) =>
    String(Number(digits) + 1).padStart(16, '0'),
  );
  return join(dirname(path), name === basename(path) ? `${name}.copy` : name);
}

const mishaps: Record<string, Mishap> = {
  gone: (disk, path) => disk.drop(path),
  renamed: (disk, path) => {
    disk.put(`${path}.old`, disk.contents(path));
    disk.drop(path);
  },
  'renamed as the one after it': (disk, path) => {
    disk.put(followingName(path), disk.contents(path));
    disk.drop(path);
  },
  emptied: (disk, path) => disk.put(path, Buffer.alloc(0)),
  'cut in half': (disk, path) => {
    const bytes = disk.contents(path);
    disk.put(path, bytes.subarray(0, bytes.length >> 1));
  },
  zeroed: (disk, path) => disk.put(path, Buffer.alloc(disk.contents(path).length)),
  doubled: (disk, path) => disk.put(`${path}.copy`, disk.contents(path)),
  'doubled as the one after it': (disk, path) => disk.put(followingName(path), disk.contents(path)),
  'twice as long': (disk, path) => {
    const bytes = disk.contents(path);
    disk.put(path, Buffer.concat([bytes, bytes]));
  },
  'swapped with the next': (disk, path, next) => {
    if (next === undefined) return;
    const bytes = disk.contents(path);
    disk.put(path, disk.contents(next));
    disk.put(next, bytes);
  },
  'overwritten by the next': (disk, path, next) => {
    if (next !== undefined) disk.put(path, disk.contents(next));
  },
  'gone with all before it': (disk, path) => {
    for (const other of disk.paths()) {
      if (dirname(other) === dirname(path) && other <= path) disk.drop(other);
    }
  },
  'gone with all behind it': (disk, path) => {
    for (const other of disk.paths()) {
      if (dirname(other) === dirname(path) && other >= path) disk.drop(other);
    }
  },
};

/** Starts a node on the directory. Resolves with what it holds, or why it refused. */
async function startOn(disk: SimulatedDisk): Promise<readonly string[] | StorageError> {
  const cluster = new Cluster([1], options);
  cluster.disks.set(1, disk);
  try {
    // The harness would give a directory without an identity a new one, as a founder's start does.
    await cluster.startAll();
  } catch (error) {
    assert.ok(error instanceof StorageError, `${error}`);
    return error;
  }
  const words = [...cluster.words(1)];
  // It goes on, and the end is as sound as the beginning.
  await cluster.propose('after');
  await cluster.stopAll();
  assert.deepEqual(cluster.failures, []);
  return words;
}

for (const isStopped of [true, false]) {
  test(`every file of a ${isStopped ? 'stopped' : 'killed'} node's directory, each mishap: refused or harmless`, async () => {
    const { disk: sound, words } = await directoryWithAll(isStopped);
    const paths = sound.paths();
    assert.ok(paths.filter((path) => path.endsWith('.wal')).length >= 4, `${paths}`);
    assert.equal(paths.filter((path) => path.endsWith('.snap')).length, 2);
    assert.deepEqual((await checkDirectory(sound, '/data')).damages, []);
    const newest = paths.filter((path) => path.endsWith('.wal')).at(-1);
    let refused = 0;
    let harmless = 0;
    for (const [i, path] of paths.entries()) {
      const next = dirname(paths[i + 1] ?? '') === dirname(path) ? paths[i + 1] : undefined;
      for (const [name, strike] of Object.entries(mishaps)) {
        const disk = sound.copy();
        strike(disk, path, next);
        const what = `${path} ${name}`;
        const { damages } = await checkDirectory(disk, '/data');
        const outcome = await startOn(disk);
        if (outcome instanceof StorageError) {
          refused++;
          assert.notDeepEqual(
            damages,
            [],
            `${what}: check calls sound what a start refuses: ${outcome.message}`,
          );
          assert.match(outcome.message, /restore|remove|run `redraft check`/, `${what}: no advice`);
        } else {
          harmless++;
          assert.deepEqual(damages, [], `${what}: check refuses what starts`);
          // Of records that came since its segment was begun, only the records behind them say that they were
          // durable.
          const isTail = !isStopped && name === 'cut in half' && path === newest;
          assert.deepEqual(
            outcome,
            isTail ? words.slice(0, outcome.length) : words,
            `${what}: something is missing`,
          );
        }
      }
    }
    assert.ok(refused > 20 && harmless > 20, `${refused} refused, ${harmless} harmless`);
  });
}

test('a directory with data and without identity gets no new one', async () => {
  const { disk } = await directoryWithAll(true);
  disk.drop('/data/identity.json');
  const before = disk.paths();
  await assert.rejects(
    DataDirectory.open('/data', disk),
    /^StorageError: \/data\/identity\.json is missing, but \/data\/log\/\d+\.wal is there: restore the identity/,
  );
  assert.deepEqual(disk.paths(), before);
  // The same with snapshots alone.
  for (const path of before) if (path.endsWith('.wal')) disk.drop(path);
  await assert.rejects(DataDirectory.open('/data', disk), /\.snap is there: restore the identity/);
});

test('a snapshot of another cluster is passed over', async () => {
  const { disk, words } = await directoryWithAll(true);
  const other = disk.copy();
  const identity = JSON.parse(other.contents('/data/identity.json').toString());
  other.put('/data/identity.json', Buffer.from(JSON.stringify({ ...identity, clusterId: 'f'.repeat(32) })));
  const { snapshots, notices } = await checkDirectory(other, '/data');
  assert.match(snapshots[0]!.problem ?? '', /belongs to cluster 0011\w+, the directory to cluster ffff/);
  assert.ok(notices.length > 0);
  assert.deepEqual(await startOn(disk), words);
});
