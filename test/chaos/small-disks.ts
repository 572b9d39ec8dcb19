/** Disks that can be filled: file systems in memory, as small as need be. Only root may mount them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';
import type { Cleanup } from './cleanup.js';

const diskBytes = 1024 * 1024 * 1024;

export class SmallDisks {
  private readonly mounted = new Set<string>();

  constructor(private readonly cleanup: Cleanup) {}

  /** Gives a directory a disk of its own. @returns whether that could be done */
  mount(directory: string): boolean {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
    mkdirSync(directory, { recursive: true });
    const { status } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${diskBytes}`,
      'redraft-chaos',
      directory,
    ]);
    if (status !== 0) return false;
    this.mounted.add(directory);
    this.cleanup.add(() => this.unmount(directory));
    return true;
  }

  has(directory: string): boolean {
    return this.mounted.has(directory);
  }

  /** Leaves `freeBytes` on it. */
  shrink(directory: string, freeBytes: number): void {
    // What is written meanwhile may leave less room than there is: then the system refuses, and it is tried
    // again.
    for (let attempt = 0; attempt < 20; attempt++) {
      const { blocks, bfree, bsize } = statfsSync(directory);
      if (this.resize(directory, (blocks - bfree) * bsize + freeBytes + attempt * 65_536)) return;
    }
    throw new Error(`cannot shrink the disk at ${directory}`);
  }

  restore(directory: string): void {
    if (!this.resize(directory, diskBytes)) throw new Error(`cannot resize the disk at ${directory}`);
  }

  private resize(directory: string, bytes: number): boolean {
    return spawnSync('mount', ['-o', `remount,size=${bytes}`, directory]).status === 0;
  }

  unmountAll(): void {
    for (const directory of [...this.mounted]) this.unmount(directory);
  }

  unmount(directory: string): void {
    if (!this.mounted.delete(directory)) return;
    // Lazily: a process that is only just dead may still hold a file.
    if (spawnSync('umount', ['-l', directory]).status !== 0) throw new Error(`cannot unmount ${directory}`);
  }
}
