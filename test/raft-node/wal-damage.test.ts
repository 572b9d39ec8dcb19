/** Where a torn tail ends and damage begins: every byte of a log is cut and flipped once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StorageError } from '../../raft/node/errors.js';
import { SimulatedDisk } from '../sim/disk.js';
import { append, directory, entry, listing, openWal, run } from './wal-harness.js';

const path = `${directory}/0000000000000001.wal`;

/**
 * A log of entries 1 to 6 in five batches; the last batch (entries 5 and 6) is not known to be durable by any
 * record.
 */
async function makeLog(): Promise<{ disk: SimulatedDisk; ends: number[] }> {
  const disk = new SimulatedDisk();
  const wal = await openWal(disk, { segmentBytes: 4096 });
  const ends = [endOf(disk)];
  for (const batch of [run(1, 1), run(2, 2), run(3, 3), run(4, 4), run(5, 6)]) {
    await append(wal, batch);
    ends.push(endOf(disk));
  }
  disk.kill();
  return { disk, ends };
}

function endOf(disk: SimulatedDisk): number {
  const bytes = disk.contents(path);
  let end = bytes.length;
  while (bytes[end - 1] === 0) end--;
  return (end + 7) & ~7;
}

test('a tail torn at any byte is cut, with a notice, and the log goes on', async () => {
  const { disk, ends } = await makeLog();
  const whole = disk.contents(path);
  const lastBatch = ends.at(-2)!;
  for (let cut = lastBatch; cut < ends.at(-1)!; cut++) {
    for (const rest of ['short', 'zeros', 'garbage'] as const) {
      const torn = disk.copy();
      const bytes = Buffer.from(whole);
      if (rest === 'garbage') bytes.fill(0xa5, cut, ends.at(-1)!);
      else bytes.fill(0, cut);
      const isWhole = bytes.subarray(lastBatch).equals(whole.subarray(lastBatch));
      torn.put(path, rest === 'short' ? bytes.subarray(0, cut) : bytes);
      const notices: string[] = [];
      const wal = await openWal(torn, { onNotice: (text) => notices.push(text) });
      const survivesWhole = wal.lastIndex() === 6;
      if (!survivesWhole) {
        assert.equal(wal.lastIndex(), 4, `cut at ${cut}, ${rest}`);
        const nothingLeft = bytes
          .subarray(lastBatch, rest === 'short' ? cut : undefined)
          .every((byte) => byte === 0);
        assert.equal(notices.length, nothingLeft ? 0 : 1, `cut at ${cut}, ${rest}`);
      } else {
        // Only padding was hit, or zeros took the place of zeros.
        assert.ok(isWhole || cut > ends.at(-1)! - 8, `cut at ${cut}, ${rest}`);
      }
      await append(wal, [entry(wal.lastIndex() + 1, 2)]);
      const expected = listing(wal);
      torn.crash(() => 0, 0);
      const again = await openWal(torn);
      assert.deepEqual(listing(again), expected);
      await again.close();
    }
  }
});

test('a flipped bit below the durable position is refused with file and offset; above it is a torn tail', async () => {
  const { disk, ends } = await makeLog();
  const whole = disk.contents(path);
  // The last batch says that the log was durable up to its own start.
  const synced = ends.at(-2)!;
  for (let at = 0; at < ends.at(-1)!; at++) {
    const bytes = Buffer.from(whole);
    bytes[at] = bytes[at]! ^ (1 << (at % 8));
    const flipped = disk.copy();
    flipped.put(path, bytes);
    if (at >= synced) {
      const wal = await openWal(flipped);
      assert.ok(
        wal.lastIndex() === 4 || (wal.lastIndex() === 6 && at >= ends.at(-1)! - 8),
        `flipped at ${at}`,
      );
      await wal.close();
      continue;
    }
    const isPadding = await isIgnored(flipped, at);
    if (isPadding) continue;
    const recordStart = at < ends[0]! ? 0 : ends.filter((end) => end <= at).at(-1)!;
    await assert.rejects(
      openWal(flipped),
      (error: StorageError) => {
        assert.ok(error instanceof StorageError, String(error));
        assert.equal(error.code, 'damaged');
        assert.equal(error.file, path);
        assert.equal(error.offset, recordStart, `flipped at ${at}`);
        assert.match(error.message, /redraft check/);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
      `flipped at ${at}`,
    );
    assert.deepEqual(flipped.contents(path), bytes, 'a refused log is left alone');
  }
});

/** Bytes that no reader looks at: the reserved end of the prelude, and the zeros that pad a record. */
async function isIgnored(disk: SimulatedDisk, at: number): Promise<boolean> {
  if (at >= 12 && at < 16) return true;
  const bytes = disk.contents(path);
  for (let start = 16; start < bytes.length; ) {
    const end = start + 24 + bytes.readUInt32LE(start);
    const next = (end + 7) & ~7;
    if (at < start + 4) return false;
    if (at < next) return at >= end;
    start = next;
  }
  return false;
}

test('a hole of zeros below the durable position is damage, not the end', async () => {
  const { disk, ends } = await makeLog();
  const bytes = disk.contents(path);
  bytes.fill(0, ends[1], ends[3]);
  disk.put(path, bytes);
  await assert.rejects(openWal(disk), new RegExp(`offset ${ends[1]}`));
});

test('a whole record in the place of another one is damage: a write that went astray', async () => {
  const { disk, ends } = await makeLog();
  const whole = disk.contents(path);
  assert.equal(ends[2]! - ends[1]!, ends[3]! - ends[2]!);
  for (const [from, to] of [
    [1, 2],
    [2, 1],
    [3, 1],
  ] as const) {
    const bytes = Buffer.from(whole);
    whole.copy(bytes, ends[to], ends[from], ends[from + 1]);
    disk.put(path, bytes);
    await assert.rejects(
      openWal(disk),
      new RegExp(`offset ${ends[to]}`),
      `record ${from} in the place of ${to}`,
    );
  }
});

test('a value that holds the image of a log record proves nothing', async () => {
  const { disk, ends } = await makeLog();
  const image = disk.contents(path).subarray(ends[3], ends[5]);
  // The same bytes, made by somebody who does not know this directory's salt.
  const other = new SimulatedDisk();
  const wal = await openWal(other, { salt: 99 });
  await append(wal, run(1, 1));
  const before = endOf(other);
  await append(wal, [entry(2, 1, Buffer.concat([Buffer.alloc(7), image, image]))]);
  other.kill();
  const bytes = other.contents(path);
  bytes[before + 100]! ^= 1;
  other.put(path, bytes);
  const again = await openWal(other, { salt: 99 });
  assert.equal(again.lastIndex(), 1);
  await again.close();
});

test('damage in an older segment is refused, and a new segment that was never finished is put aside', async () => {
  const disk = new SimulatedDisk();
  const wal = await openWal(disk, { segmentBytes: 500 });
  for (let index = 1; index <= 20; index++) await append(wal, [entry(index)]);
  disk.kill();
  const paths = disk.paths();
  assert.ok(paths.length > 3);
  for (const damaged of paths.slice(0, -1)) {
    const broken = disk.copy();
    const bytes = broken.contents(damaged);
    bytes[bytes.length - 20]! ^= 4;
    broken.put(damaged, bytes);
    await assert.rejects(
      openWal(broken),
      (error: StorageError) => error.code === 'damaged' && error.file === damaged,
    );
  }
  const next = `${directory}/${String(paths.length + 1).padStart(16, '0')}.wal`;
  for (const content of [Buffer.alloc(0), Buffer.alloc(300), Buffer.from('RDRFTWAL\x01\0\0')]) {
    const unborn = disk.copy();
    unborn.put(next, content);
    const again = await openWal(unborn, { segmentBytes: 500 });
    assert.equal(again.lastIndex(), 20);
    await append(again, run(21, 24));
    await again.close();
  }
});
