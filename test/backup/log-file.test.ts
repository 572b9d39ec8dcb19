import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Entry } from '../../raft/index.js';
import { BackupError, LogFileReader, LogFileWriter } from '../../src/backup/log-file.js';

const HEAD = { clusterId: 'c'.repeat(32), after: 6 };

function pathIn(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'backup-log-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'entries.log');
}

const entry = (index: number): Entry => ({
  index,
  term: 3,
  kind: 0,
  payload: Buffer.alloc(index * 7, index),
});

/** What a file gives, and how many bytes at its end are no whole block. */
async function read(path: string): Promise<{ indexes: number[]; torn: number }> {
  const reader = await LogFileReader.open(path);
  try {
    const indexes: number[] = [];
    for (let found = await reader.next(); found !== undefined; found = await reader.next())
      for (const { index, term, kind, payload } of found) {
        assert.deepEqual(
          { term, kind, payload: Buffer.from(payload) },
          {
            term: 3,
            kind: 0,
            payload: entry(index).payload,
          },
        );
        indexes.push(index);
      }
    return { indexes, torn: reader.tornBytes };
  } finally {
    await reader.close();
  }
}

async function written(path: string): Promise<Buffer> {
  const writer = await LogFileWriter.create(path, HEAD);
  await writer.append([entry(7), entry(8)]);
  await writer.append([entry(9)]);
  await writer.append([]);
  await writer.append([entry(10)]);
  await writer.close();
  return readFileSync(path);
}

test('cut anywhere, a file gives whole blocks alone, and goes on behind them', async (t) => {
  const path = pathIn(t);
  const whole = await written(path);
  assert.deepEqual(await read(path), { indexes: [7, 8, 9, 10], torn: 0 });
  const seen = new Set<string>();
  for (let length = whole.length; length > 0; length -= 3) {
    writeFileSync(path, whole.subarray(0, length));
    let found: number[];
    try {
      found = (await read(path)).indexes;
    } catch (error) {
      assert.ok(error instanceof BackupError, `${error}`);
      continue;
    }
    assert.deepEqual(found, [7, 8, 9, 10].slice(0, found.length));
    assert.notEqual(found.length, 1, 'a block is one');
    seen.add(`${found}`);
    const writer = await LogFileWriter.reopen(path);
    const next = (found.at(-1) ?? HEAD.after) + 1;
    assert.equal(writer.last, next - 1);
    await writer.append([entry(next)]);
    await writer.close();
    assert.deepEqual(await read(path), { indexes: [...found, next], torn: 0 });
  }
  assert.equal(seen.size, 4);
});

test('a byte that is wrong never becomes an entry', async (t) => {
  const path = pathIn(t);
  const whole = await written(path);
  let refused = 0;
  for (let at = 0; at < whole.length; at += 5) {
    const damaged = Buffer.from(whole);
    damaged[at] ^= 0x10;
    writeFileSync(path, damaged);
    try {
      const { indexes, torn } = await read(path);
      assert.ok(torn > 0, `byte ${at} is seen`);
      assert.deepEqual(indexes, [7, 8, 9, 10].slice(0, indexes.length));
    } catch (error) {
      assert.ok(error instanceof BackupError, `byte ${at}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 20);
});
