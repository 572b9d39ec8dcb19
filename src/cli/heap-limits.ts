/** How much memory V8 may use for the server. */
import { totalmem } from 'node:os';
import { cgroupLimits } from './cgroup.js';

const MiB = 1024 * 1024;

/** Bytes of memory that this process may use: the machine's, or the container's where that is less. */
export function availableMemoryBytes(): number {
  const machine = totalmem();
  // 0, or more than there is, where nothing limits the process.
  const container = process.constrainedMemory() ?? 0;
  // Node knows the innermost limit alone; of version 1 of control groups, too.
  const within = cgroupLimits().memoryBytes ?? machine;
  return Math.min(machine, within, container > 0 ? container : machine);
}

/**
 * The old generation's limit, in MB: three quarters of memory, where V8 stops at 4 GB. Most of what is stored
 * lies outside V8's heap, in Buffers, which this does not count; big lists, hashes, sets and sorted sets need
 * it. It reserves nothing.
 */
export function oldGenerationLimitMb(memoryBytes: number): number {
  return Math.max(128, Math.floor((memoryBytes * 0.75) / MiB));
}

/**
 * What `maxmemory 0` means: room for the keyspace that leaves some for the log, clients, snapshots and the
 * system.
 */
export function defaultMaxMemoryBytes(memoryBytes: number): number {
  return Math.floor((memoryBytes * 0.6) / MiB) * MiB;
}
