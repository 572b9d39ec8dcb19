/**
 * A snapshot that is taken while clients write: the loop goes on, and what was written during it is there
 * after a restart.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { Redraft } from '../../src/index.js';

test('a snapshot under writes is whole, and a start from it has them all', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-'));
  let redraft = await Redraft.start({ dir });
  let isWriting = true;
  try {
    const client = new Redis(redraft.port);
    client.on('error', () => {});
    await client.mset(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key:${i}`, `first ${i}`])));
    let written = 0;
    const writes: Promise<void> = (async () => {
      while (isWriting) await client.set(`key:${written++ % 5000}`, `later ${written}`);
    })();
    while (written < 10) await client.ping();
    for (let snapshot = 0; snapshot < 3; snapshot++) await redraft.server.takeSnapshot();
    isWriting = false;
    await writes;
    const before = await client.mget(Array.from({ length: 5000 }, (_, i) => `key:${i}`));
    client.disconnect();
    await redraft.stop();
    redraft = await Redraft.start({ dir });
    assert.ok(redraft.recovery.snapshotIndex > 10, `snapshot at ${redraft.recovery.snapshotIndex}`);
    const again = new Redis(redraft.port);
    assert.deepEqual(await again.mget(Array.from({ length: 5000 }, (_, i) => `key:${i}`)), before);
    again.disconnect();
  } finally {
    isWriting = false;
    await redraft.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});
