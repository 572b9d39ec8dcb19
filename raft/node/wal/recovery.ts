/**
 * From the files of a log to its state in memory: what is whole is taken over, a torn tail is cut, damage is
 * refused.
 */
import { join } from 'node:path';
import type { HardState } from '../../types.js';
import { syncFile, writeFile } from '../directory/disk.js';
import { damageError, ioError, logDamageAdvice, lostEnd, StorageError } from '../errors.js';
import type { WalOptions } from './options.js';
import { type RecordReader, recordKind, type SegmentHeader } from './record.js';
import { type LogScan, type SegmentScan, scanLog, segmentFile } from './scan.js';
import type { WalSegments } from './segments.js';
import type { TermRuns } from './term-runs.js';

export interface RecoveredLog {
  readonly hardState: HardState;
  /** Of the last record: the chain goes on from it. */
  readonly checksum: number;
  /** Bytes of the last file; what lies behind its records is zeros. */
  readonly fileBytes: number;
}

/**
 * Fills `terms` and `segments` (whose files are open then) from the directory.
 *
 * @returns undefined if there is no log yet
 * @throws StorageError for damage, a gap, a log of another node, or a disk that refuses
 */
export async function recoverLog(
  options: WalOptions,
  terms: TermRuns,
  segments: WalSegments,
): Promise<RecoveredLog | undefined> {
  const { disk, directory, salt, snapshot } = options;
  let hardState: HardState = { term: 0, vote: 0, commit: 0 };
  let entries = 0;
  let isFirst = true;
  const resetIndex = (reader: RecordReader): void => {
    terms.reset(reader.firstIndex, reader.previousTerm);
    segments.reset(reader.firstIndex);
  };
  const scan = await scanLog(disk, directory, salt, {
    record: (reader, header) => {
      hardState = { term: reader.term, vote: reader.vote, commit: reader.commit };
      if (reader.kind === recordKind.header) {
        checkOwner(options, header);
        if (isFirst || header.reset) resetIndex(reader);
        isFirst = false;
        return;
      }
      if (reader.count === 0) return;
      // After a compaction, the first segment may replace entries that were in segments before it.
      if (reader.firstIndex < terms.first) resetIndex(reader);
      if (reader.firstIndex > terms.last + 1) {
        const file = join(directory, segmentFile(header.sequence));
        throw damageError(file, reader.offset, `entry ${terms.last + 1} is missing`, logDamageAdvice);
      }
      segments.note(header.sequence, reader.offset, reader.firstIndex, reader.count);
      terms.append(reader.firstIndex, reader.count, reader.entriesTerm);
      entries += reader.count;
    },
    progress: (bytes, bytesTotal) => options.onProgress?.(bytes, bytesTotal, entries),
  });
  if (scan.problem?.kind === 'damaged') {
    throw damageError(scan.problem.file, scan.problem.offset, scan.problem.what, logDamageAdvice);
  }
  const last = scan.segments.at(-1);
  if (last === undefined) {
    if (!options.mustExist) {
      await removeLeftovers(options, scan);
      return undefined;
    }
    const message = `${directory} was in use but holds no log; restore it, or remove the directory and let this node join anew`;
    throw new StorageError('damaged', message, directory);
  }
  const position = last.header!.base + last.end;
  if (options.reach !== undefined && position < options.reach) {
    throw damageError(last.path, last.end, lostEnd(position, options.reach), logDamageAdvice);
  }
  if (terms.first > snapshot.index + 1) {
    const what = `the log begins at entry ${terms.first}, but the newest good snapshot ends at ${snapshot.index}`;
    throw damageError(scan.segments[0]!.path, 0, what, logDamageAdvice);
  }
  await removeLeftovers(options, scan);
  for (const { path, sequence, header, end } of scan.segments) {
    try {
      const file = await disk.open(path, sequence === last.sequence ? 'update' : 'read');
      segments.segments.push({
        sequence,
        path,
        file,
        base: header!.base,
        firstIndex: header!.firstIndex,
        end,
      });
    } catch (error) {
      throw ioError('open', path, error);
    }
  }
  return { hardState, checksum: last.checksum, fileBytes: await mendTail(options, scan, last, segments) };
}

function checkOwner({ clusterId, nodeId, directory }: WalOptions, header: SegmentHeader): void {
  if (header.clusterId === clusterId && header.nodeId === nodeId) return;
  const file = join(directory, segmentFile(header.sequence));
  const message = `${file} belongs to node ${header.nodeId} of cluster ${header.clusterId}, the directory to node ${nodeId} of cluster ${clusterId}`;
  throw new StorageError('identity', message, file);
}

/** Removes what a start or a compaction that was interrupted left behind. */
async function removeLeftovers(
  { disk, directory, onNotice }: WalOptions,
  { unborn, strays }: LogScan,
): Promise<void> {
  if (strays.length > 0)
    onNotice?.(
      `${strays.join(', ')} in ${directory}: removed, as a snapshot covers them and what lay behind`,
    );
  try {
    if (unborn !== undefined) {
      await disk.unlink(unborn);
      await disk.syncDirectory(directory);
    }
    for (const name of strays) await disk.unlink(join(directory, name));
    // The process may have died, or the disk failed, between a segment's creation and the sync of its name.
    await disk.syncDirectory(directory);
  } catch (error) {
    throw ioError('write', directory, error);
  }
}

/** Cuts a torn tail and makes durable what is not known to be. Returns how long the file is then. */
async function mendTail(
  { onNotice }: WalOptions,
  { problem, unsyncedTail }: LogScan,
  last: SegmentScan,
  segments: WalSegments,
): Promise<number> {
  const { file, path } = segments.active;
  try {
    if (problem !== undefined) {
      await file.truncate(last.end);
      onNotice?.(
        `cut a torn tail of ${last.size - last.end} bytes at offset ${last.end} of ${path}: ${problem.what}, not known to be durable`,
      );
    }
    // Bytes that read back are not therefore on the disk: the cache may hold what a failed sync left behind.
    if (unsyncedTail.length > 0) await writeFile(file, [unsyncedTail], last.end - unsyncedTail.length);
    if (unsyncedTail.length > 0 || problem !== undefined) await syncFile(file);
  } catch (error) {
    throw ioError('write', path, error);
  }
  return problem === undefined ? last.size : last.end;
}
