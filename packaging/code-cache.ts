/**
 * Code that V8 compiled for an earlier process. The cache lies beside the bundle, one for each release of V8:
 * what runs first makes it, if it may write there. A bundle's name holds a hash of its contents, so that no
 * cache outlives what it was made of. V8 itself passes over a cache that was made with other flags.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Script } from 'node:vm';

export const cacheSuffix = `.${process.versions.v8}-${process.arch}.cache`;

/** Undefined if there is none. */
export function readCache(path: string, suffix = cacheSuffix): Buffer | undefined {
  try {
    return readFileSync(path + suffix);
  } catch {
    return undefined;
  }
}

/** Several processes may do so at once; a reader finds a whole cache or none. */
export function writeCache(path: string, script: Script, suffix = cacheSuffix): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, script.createCachedData());
    renameSync(temporary, path + suffix);
  } catch {
    // Installed where this user cannot write, or removed meanwhile. Later starts will do without, too.
    rmSync(temporary, { force: true });
  }
}
