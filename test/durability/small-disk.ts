/** File systems of their own, small enough to fill (Linux, root). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A mounted file system; undefined where that is not allowed, and the test says so. */
export function smallDisk(t: TestContext, mebibytes = 24): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'redraft-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    rmSync(directory, { recursive: true, force: true });
    t.diagnostic('no file system can be mounted here');
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Gives a file system another size. */
export function resizeDisk(directory: string, mebibytes: number): void {
  execFileSync('mount', ['-o', `remount,size=${mebibytes}m`, directory]);
}

/** Leaves not a byte. */
export function fillUp(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 4096, 1]) {
    const bytes = Buffer.alloc(size, 1);
    try {
      while (writeSync(file, bytes) > 0);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  closeSync(file);
}
