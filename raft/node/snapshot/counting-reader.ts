/** A snapshot that is read while somebody counts its bytes. */
import type { SnapshotReader } from './store.js';

/** Tells `onBytes` after each chunk how many bytes were read so far. */
export function counting(reader: SnapshotReader, onBytes: (bytes: number) => void): SnapshotReader {
  let bytes = 0;
  return {
    metadata: reader.metadata,
    dataBytes: reader.dataBytes,
    isOwn: reader.isOwn,
    next: async () => {
      const chunk = await reader.next();
      bytes += chunk?.length ?? 0;
      onBytes(bytes);
      return chunk;
    },
    close: () => reader.close(),
  };
}
