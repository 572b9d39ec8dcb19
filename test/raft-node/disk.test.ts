import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DiskFile, nodeDisk, replaceFile } from '../../raft/node/directory/disk.js';

/** Whether the callback came before `sync` returned. */
function syncsInline(file: DiskFile): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let returned = false;
    file.sync((error) => (error === null ? resolve(!returned) : reject(error)));
    returned = true;
  });
}

test('a sync of much never holds up the loop; one of little may, and either makes all durable', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'redraft-disk-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'file');
  const file = await nodeDisk.open(path, 'create');
  file.writeSync([Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)], 0);
  assert.equal(await syncsInline(file), false);
  for (let i = 0; i < 20; i++) {
    file.writeSync([Buffer.from([i])], 200_000 + i);
    await syncsInline(file);
  }
  await file.close();
  const content = readFileSync(path);
  assert.equal(content.length, 200_020);
  assert.deepEqual([content[0], content[199_999], content[200_019]], [1, 2, 19]);
});

test('a sync that fails says so by the callback', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'redraft-disk-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = await nodeDisk.open(join(directory, 'file'), 'create');
  await file.close();
  await assert.rejects(syncsInline(file), { code: 'EBADF' });
});

test('a temporary file is not written through a link that somebody put in its place', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'redraft-disk-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, join(directory, 'identity.json.tmp'));
  await replaceFile(nodeDisk, directory, 'identity.json', Buffer.from('new'));
  assert.equal(readFileSync(victim, 'utf8'), 'untouched');
  assert.equal(readFileSync(join(directory, 'identity.json'), 'utf8'), 'new');
  assert.ok(lstatSync(join(directory, 'identity.json')).isFile());
  // Nor is a file in the node's own folders.
  symlinkSync(victim, join(directory, 'segment'));
  const file = await nodeDisk.open(join(directory, 'segment'), 'create');
  file.writeSync([Buffer.from('log')], 0);
  await file.close();
  assert.equal(readFileSync(victim, 'utf8'), 'untouched');
});
