/** What a data directory holds and whether it is sound, without changing anything: `redraft check`. */
import { join } from 'node:path';
import type { HardState, SnapshotMetadata } from '../../types.js';
import { lostBehindSnapshot, lostEnd } from '../errors.js';
import { type SnapshotOwner, snapshotNames, verifySnapshot } from '../snapshot/store.js';
import { recordKind } from '../wal/record.js';
import { type LogProblem, type LogScan, scanLog } from '../wal/scan.js';
import { TermRuns } from '../wal/term-runs.js';
import { orphanError } from './data-directory.js';
import type { Disk } from './disk.js';
import { type Identity, readIdentity } from './identity.js';
import { findData, logDirectory, snapshotDirectory, strangeFiles } from './layout.js';

export interface SegmentReport {
  readonly file: string;
  readonly bytes: number;
  readonly records: number;
  readonly entries: number;
  /** Of the entries in this segment; 0 where there are none. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly firstTerm: number;
  readonly lastTerm: number;
}

export interface SnapshotReport {
  readonly file: string;
  readonly metadata: SnapshotMetadata | undefined;
  readonly dataBytes: number;
  /** Whether this node cut it. */
  readonly isOwn: boolean;
  /** Why it is no good. */
  readonly problem: string | undefined;
}

export interface DirectoryReport {
  readonly directory: string;
  readonly identity: Identity | undefined;
  readonly segments: readonly SegmentReport[];
  readonly snapshots: readonly SnapshotReport[];
  /** Of the log as a whole; `last < first` when it is empty. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly hardState: HardState | undefined;
  /** A torn tail, or the first damage, of the log. */
  readonly logProblem: LogProblem | undefined;
  /** Everything that keeps a node from starting, each in one line. */
  readonly damages: readonly string[];
  /** What a start would mend by itself, each in one line. */
  readonly notices: readonly string[];
}

/** Reads all of `directory`. Never throws for what it finds there: that goes into the report. */
export async function checkDirectory(disk: Disk, directory: string): Promise<DirectoryReport> {
  const damages: string[] = [];
  const notices: string[] = [];
  let identity: Identity | undefined;
  try {
    identity = await readIdentity(disk, directory);
    if (identity === undefined) {
      const data = await findData(disk, directory);
      damages.push(
        data === undefined
          ? `${directory} holds no identity: it is not a data directory`
          : orphanError(directory, data).message,
      );
    }
    for (const file of await strangeFiles(disk, directory))
      notices.push(`${file} is no file of a node: it is not read`);
  } catch (error) {
    damages.push((error as Error).message);
  }
  const snapshots = await checkSnapshots(disk, snapshotDirectory(directory), identity, notices);
  const log =
    identity === undefined ? undefined : await checkLog(disk, directory, identity, damages, notices);
  const good = snapshots.find((snapshot) => snapshot.problem === undefined);
  const newest = good?.metadata?.index ?? 0;
  const firstIndex = log?.terms.first ?? 1;
  if (log !== undefined && log.segments.length > 0 && firstIndex > newest + 1) {
    damages.push(
      `the log begins at entry ${firstIndex}, but the newest good snapshot ends at ${newest}: entries are missing`,
    );
  }
  if (log !== undefined && log.segments.length > 0 && damages.length === 0) {
    const { file, bytes } = log.segments.at(-1)!;
    const position = log.scan.segments.at(-1)!.header!.base + bytes;
    if (position < identity!.logReach) {
      damages.push(`${file} is damaged at offset ${bytes}: ${lostEnd(position, identity!.logReach)}`);
    } else if (good?.isOwn === true && log.terms.term(newest) !== good.metadata!.term) {
      damages.push(`${file} is damaged at offset ${bytes}: ${lostBehindSnapshot(newest)}`);
    }
  }
  return {
    directory,
    identity,
    segments: log?.segments ?? [],
    snapshots,
    firstIndex,
    lastIndex: log?.terms.last ?? 0,
    hardState: log?.hardState,
    logProblem: log?.scan.problem,
    damages,
    notices,
  };
}

interface LogCheck {
  segments: SegmentReport[];
  terms: TermRuns;
  hardState: HardState | undefined;
  scan: LogScan;
}

async function checkLog(
  disk: Disk,
  directory: string,
  identity: Identity,
  damages: string[],
  notices: string[],
): Promise<LogCheck | undefined> {
  const terms = new TermRuns();
  const ranges = new Map<
    number,
    { firstIndex: number; lastIndex: number; firstTerm: number; lastTerm: number }
  >();
  let hardState: HardState | undefined;
  let scan: LogScan;
  try {
    scan = await scanLog(disk, logDirectory(directory), identity.salt, {
      record(reader, header) {
        const isFirst = hardState === undefined;
        hardState = { term: reader.term, vote: reader.vote, commit: reader.commit };
        if (reader.kind === recordKind.header) {
          if (isFirst || header.reset) terms.reset(reader.firstIndex, reader.previousTerm);
          if (header.nodeId !== identity.nodeId || header.clusterId !== identity.clusterId) {
            damages.push(
              `log segment ${header.sequence} belongs to node ${header.nodeId} of cluster ${header.clusterId}`,
            );
          }
          return;
        }
        if (reader.count === 0) return;
        if (reader.firstIndex < terms.first) terms.reset(reader.firstIndex, reader.previousTerm);
        if (reader.firstIndex > terms.last + 1) {
          damages.push(
            `log segment ${header.sequence}, offset ${reader.offset}: entry ${terms.last + 1} is missing`,
          );
          terms.reset(reader.firstIndex, reader.previousTerm);
        }
        terms.append(reader.firstIndex, reader.count, reader.entriesTerm);
        const { firstIndex, entriesTerm } = reader;
        const range = ranges.get(header.sequence);
        const lastIndex = firstIndex + reader.count - 1;
        if (range === undefined) {
          ranges.set(header.sequence, {
            firstIndex,
            lastIndex,
            firstTerm: entriesTerm,
            lastTerm: entriesTerm,
          });
        } else {
          range.firstIndex = Math.min(range.firstIndex, firstIndex);
          range.lastIndex = lastIndex;
          range.lastTerm = entriesTerm;
        }
      },
    });
  } catch (error) {
    damages.push((error as Error).message);
    return undefined;
  }
  const { problem, unborn, strays } = scan;
  if (problem?.kind === 'damaged') {
    damages.push(`${problem.file} is damaged at offset ${problem.offset}: ${problem.what}`);
  }
  if (problem?.kind === 'torn') {
    notices.push(
      `${problem.file} ends in a torn tail at offset ${problem.offset} (${problem.what}): a start will cut it`,
    );
  }
  if (unborn !== undefined) notices.push(`${unborn} was never finished: a start will remove it`);
  if (strays.length > 0)
    notices.push(`${strays.length} segments are left from a compaction: a start will remove them`);
  if (scan.segments.length === 0 && problem === undefined && identity.logFounded)
    damages.push('the log is gone');
  const none = { firstIndex: 0, lastIndex: 0, firstTerm: 0, lastTerm: 0 };
  const segments = scan.segments.map((segment) => ({
    file: segment.path,
    bytes: segment.end,
    records: segment.batches,
    entries: segment.entries,
    ...(ranges.get(segment.sequence) ?? none),
  }));
  return { segments, terms, hardState, scan };
}

async function checkSnapshots(
  disk: Disk,
  directory: string,
  owner: SnapshotOwner | undefined,
  notices: string[],
): Promise<SnapshotReport[]> {
  const reports: SnapshotReport[] = [];
  let names: string[] = [];
  try {
    names = await disk.list(directory);
  } catch {
    // A node that never took a snapshot may lack the folder.
    return reports;
  }
  for (const name of names) {
    if (name.endsWith('.tmp'))
      notices.push(`${join(directory, name)} was never finished: a start will remove it`);
  }
  for (const name of snapshotNames(names)) {
    const file = join(directory, name);
    try {
      reports.push({ file, ...(await verifySnapshot(disk, file, owner)), problem: undefined });
    } catch (error) {
      reports.push({
        file,
        metadata: undefined,
        dataBytes: 0,
        isOwn: false,
        problem: (error as Error).message,
      });
      notices.push(`${(error as Error).message}`);
    }
  }
  return reports;
}

/** The report as lines of text, the verdict last. */
export function formatReport(report: DirectoryReport): string[] {
  const lines: string[] = [report.directory];
  const { identity, hardState } = report;
  if (identity !== undefined) {
    lines.push(
      `  node ${identity.nodeId} of cluster ${identity.clusterId}, started ${identity.starts} times`,
    );
  }
  if (hardState !== undefined) {
    lines.push(`  term ${hardState.term}, vote ${hardState.vote}, commit ${hardState.commit}`);
    lines.push(
      report.lastIndex < report.firstIndex
        ? `  log: empty, next entry ${report.firstIndex}`
        : `  log: entries ${report.firstIndex} to ${report.lastIndex}`,
    );
  }
  for (const segment of report.segments) {
    const range =
      segment.entries === 0
        ? 'no entries'
        : `${segment.entries} entries, ${segment.firstIndex} to ${segment.lastIndex}, terms ${segment.firstTerm} to ${segment.lastTerm}`;
    lines.push(`  ${segment.file}: ${segment.bytes} bytes, ${segment.records} records, ${range}`);
  }
  for (const { file, metadata, dataBytes, problem } of report.snapshots) {
    lines.push(
      problem === undefined
        ? `  ${file}: good, ${dataBytes} bytes, up to entry ${metadata!.index} of term ${metadata!.term}, ${metadata!.membership.members.length} members`
        : `  ${file}: no good`,
    );
  }
  for (const notice of report.notices) lines.push(`notice: ${notice}`);
  for (const damage of report.damages) lines.push(`damage: ${damage}`);
  lines.push(report.damages.length === 0 ? 'sound' : `not sound: ${report.damages.length} damages`);
  return lines;
}
