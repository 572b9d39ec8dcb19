/** From a backup to a new cluster: of one node, which others then join. */
import { readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EntryReader } from '../../engine/index.js';
import { EntryKind } from '../../raft/index.js';
import {
  DataDirectory,
  drawClusterId,
  drawIdentity,
  drawNodeId,
  foundFromSnapshot,
  type StandaloneSnapshot,
} from '../../raft/node/index.js';
import { syncDirectory, temporaryBeside } from '../migration/output-file.js';
import { EngineStateMachine } from '../replication/state-machine.js';
import { openBackup } from './backup-file.js';
import { BackupChain } from './chain.js';
import { BackupError, LogFileReader } from './log-file.js';

/** Up to where: an entry of the log, or a time of it in milliseconds since 1970. */
export type RestorePoint = { readonly index: number } | { readonly timeMs: number };

export interface Restored {
  readonly machine: EngineStateMachine;
  /** Of the cluster that was backed up. */
  readonly clusterId: string;
  readonly index: number;
  readonly term: number;
  /** The log's time there. */
  readonly timeMs: number;
  readonly keys: number;
}

type Progress = (what: string, done: number, total: number | undefined) => void;

/**
 * The state that a backup holds, at a point.
 *
 * @param source a file, or a folder of continuous backup
 * @param to undefined: the newest
 * @throws BackupError, StorageError, SnapshotError for what is damaged, or does not reach so far
 */
export async function readBackup(
  source: string,
  to: RestorePoint | undefined,
  progress: Progress,
  say: (text: string) => void,
): Promise<Restored> {
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) throw new BackupError(`${source}: there is no such file`);
  if (found.isFile()) return readFile(source, to, progress);
  const chain = await BackupChain.read(source);
  const bases = chain.bases.filter((index) => to === undefined || !('index' in to) || index <= to.index);
  for (const base of bases.reverse()) {
    const state = await readBase(chain.basePath(base), progress);
    // A base that is younger than the time that is asked for: an older one may do.
    if (to !== undefined && 'timeMs' in to && state.timeMs > to.timeMs) continue;
    return followLogs(chain, state, to, progress, say);
  }
  throw new BackupError(
    chain.bases.length === 0
      ? `${source} holds no backup`
      : `${source} begins at entry ${chain.bases[0]}, behind what is asked for`,
  );
}

async function readFile(source: string, to: RestorePoint | undefined, progress: Progress): Promise<Restored> {
  const state = await readBase(source, progress);
  const isThere = to === undefined || ('index' in to ? to.index === state.index : to.timeMs >= state.timeMs);
  if (!isThere)
    throw new BackupError(
      `${source} is the state of entry ${state.index} at ${new Date(state.timeMs).toISOString()} alone: another point takes a continuous backup`,
    );
  return state;
}

async function readBase(path: string, progress: Progress): Promise<Restored> {
  const reader = await openBackup(path);
  try {
    const machine = new EngineStateMachine({});
    let bytes = 0;
    const counted: StandaloneSnapshot = {
      ...reader,
      metadata: reader.metadata,
      next: async () => {
        const piece = await reader.next();
        bytes += piece?.length ?? 0;
        progress(`reads ${path}`, bytes, reader.dataBytes);
        return piece;
      },
      close: () => reader.close(),
    };
    await machine.install(counted);
    const { index, term } = reader.metadata;
    return standing(machine, reader.stated.clusterId, index, term);
  } finally {
    await reader.close();
  }
}

function standing(machine: EngineStateMachine, clusterId: string, index: number, term: number): Restored {
  let keys = 0;
  for (const { size } of machine.engine.keyspace.used()) keys += size;
  return { machine, clusterId, index, term, timeMs: machine.engine.keyspace.now, keys };
}

async function followLogs(
  chain: BackupChain,
  base: Restored,
  to: RestorePoint | undefined,
  progress: Progress,
  say: (text: string) => void,
): Promise<Restored> {
  const { machine, clusterId } = base;
  let { index, term } = base;
  const goal = to !== undefined && 'index' in to ? to.index : Number.POSITIVE_INFINITY;
  const untilMs = to !== undefined && 'timeMs' in to ? to.timeMs : Number.POSITIVE_INFINITY;
  let hasReached = false;
  for (const after of chain.logs) {
    if (hasReached || index >= goal) break;
    const reader = await LogFileReader.open(chain.logPath(after));
    try {
      if (reader.head.clusterId !== clusterId)
        throw new BackupError(
          `${chain.logPath(after)} is of cluster ${reader.head.clusterId}, the base of ${clusterId}`,
        );
      for (
        let entries = await reader.next();
        entries !== undefined && !hasReached;
        entries = await reader.next()
      ) {
        for (const entry of entries) {
          if (entry.index <= index) continue;
          if (entry.index !== index + 1) {
            say(
              `entries ${index + 1} to ${entry.index - 1} are missing: nothing behind them can be restored`,
            );
            hasReached = true;
            break;
          }
          if (index >= goal || (entry.kind === EntryKind.command && stampOf(entry.payload) > untilMs)) {
            hasReached = true;
            break;
          }
          machine.apply([entry]);
          ({ index, term } = entry);
        }
        progress('replays the log to entry', index, Number.isFinite(goal) ? goal : undefined);
      }
      if (reader.tornBytes > 0)
        say(`${chain.logPath(after)} ends with ${reader.tornBytes} bytes that are no whole entry`);
    } finally {
      await reader.close();
    }
  }
  if (Number.isFinite(goal) && index < goal)
    throw new BackupError(`${chain.directory} ends at entry ${index}, before ${goal}`);
  return standing(machine, clusterId, index, term);
}

function stampOf(payload: Uint8Array): number {
  return new EntryReader(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)).nowMs;
}

/** @throws BackupError where a directory is used */
export async function refuseUsed(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length > 0)
    throw new BackupError(`${directory} is not empty: a restore founds a cluster in a new directory`);
}

/**
 * Founds a cluster of one node with a state, in a directory that is empty or not there. It appears as a
 * whole.
 *
 * @returns the new cluster's id
 */
export async function foundCluster(directory: string, state: Restored, address: string): Promise<string> {
  const path = resolve(directory);
  await refuseUsed(path);
  const temporary = temporaryBeside(path);
  const clusterId = drawClusterId();
  const nodeId = drawNodeId();
  const membership = { members: [{ id: nodeId, address, learner: false }], removed: [] };
  const data = await DataDirectory.open(temporary);
  try {
    await data.establish(drawIdentity(clusterId, nodeId, membership));
    const { machine, index, term } = state;
    const cut = machine.engine.cut();
    await foundFromSnapshot(data, { index, term, membership }, () => cut.next(() => true));
    await data.close();
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await data.close();
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  return clusterId;
}
