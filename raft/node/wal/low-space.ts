/** The operator is warned before the disk is full. */
import type { WalOptions } from './options.js';

/** When there is room for fewer segments than this. */
const lowSpaceSegments = 4;

/** Gives notice where the disk has little room left for a log with segments of so many bytes. */
export async function warnOfFullDisk(
  { disk, directory, onNotice }: WalOptions,
  segmentBytes: number,
): Promise<void> {
  const free = await disk.freeBytes(directory);
  if (free >= lowSpaceSegments * segmentBytes) return;
  onNotice?.(
    `${Math.floor(free / 1048576)} MiB are left on the disk of ${directory}: the node stops when it is full`,
  );
}
