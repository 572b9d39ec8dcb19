/** How much memory V8 may use for the server. */
import { totalmem } from 'node:os';

const MiB = 1024 * 1024;

export interface HeapLimits {
  readonly maxOldGenerationSizeMb: number;
  readonly maxYoungGenerationSizeMb: number;
}

/** Bytes of memory that this process may use: the machine's, or the container's where that is less. */
export function availableMemoryBytes(): number {
  const machine = totalmem();
  // 0, or more than there is, where nothing limits the process.
  const container = process.constrainedMemory() ?? 0;
  return container > 0 && container < machine ? container : machine;
}

/**
 * Limits that fit a machine. Most of what is stored lies outside V8's heap, in Buffers; what big lists, hashes, sets and sorted sets need
 * within may grow to three quarters of memory instead of V8's 4 GB at most. The limit reserves nothing.
 *
 * The young generation (three semi-spaces; V8 has 48 MB) grows with the machine up to 192 MB: replies and requests in flight then die there
 * and are not copied into the old one, whose collections are what stops the loop.
 */
export function heapLimits(memoryBytes: number): HeapLimits {
  const memoryMb = memoryBytes / MiB;
  return {
    maxOldGenerationSizeMb: Math.max(128, Math.floor(memoryMb * 0.75)),
    maxYoungGenerationSizeMb: memoryMb >= 4096 ? 192 : memoryMb >= 2048 ? 96 : memoryMb >= 512 ? 48 : 24,
  };
}

/** What `maxmemory 0` means: room for the keyspace that leaves some for the log, clients, snapshots and the system. */
export function defaultMaxMemoryBytes(memoryBytes: number): number {
  return Math.floor((memoryBytes * 0.6) / MiB) * MiB;
}
