/**
 * The way out when an entry ends every node that applies it: takes the entry's content out of the log of a
 * node that does not run.
 *
 * The entry keeps its index and term, so the logs of all members still match; it is of the kind that changes
 * nothing, and its payload says what stood there. Whoever has not skipped it ends at it as before, and does
 * so alone: nodes that went past it and nodes that skipped it would be in different states. Therefore a node
 * that has the entry in its snapshot is refused, and so is an entry that changes the membership.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Entry, EntryKind } from '../../types.js';
import { nodeClock } from '../clock.js';
import { StorageError } from '../errors.js';
import { openStorage } from '../node-storage.js';
import type { DataDirectory } from './data-directory.js';
import { type Disk, syncFile, writeFile } from './disk.js';
import type { Identity } from './identity.js';
import { logDirectory } from './layout.js';

export interface SkipPlan {
  readonly identity: Identity;
  /** Of the entry. */
  readonly index: number;
  readonly term: number;
  /** Of the entry's payload: the same on all members. */
  readonly sha1: string;
  readonly byteLength: number;
  /** What the entry's payload says already, if it was skipped before. */
  readonly skippedBefore: string | undefined;
  /** Where a copy of the log as it was will be. */
  readonly copy: string;
  /** Makes the change durable. */
  apply(): Promise<void>;
  close(): Promise<void>;
}

const copyChunkBytes = 1 << 20;

/**
 * Opens the log of a directory that no process uses, and says what skipping the entry at `index` would
 * change.
 *
 * @throws StorageError if there is no node in the directory, its log is damaged, or the entry cannot be
 * skipped
 */
export async function planSkip(
  directory: DataDirectory,
  index: number,
  onNotice: (text: string) => void,
): Promise<SkipPlan> {
  const { identity, disk, path } = directory;
  if (identity === undefined) throw new StorageError('identity', `${path} holds no node`, path);
  let failure: Error | undefined;
  const { log } = await openStorage(
    { identity, directory, clock: nodeClock, durability: 'high', onNotice },
    (error) => {
      failure = error;
    },
  );
  const refuse = async (why: string): Promise<never> => {
    await log.close();
    throw new StorageError('identity', why, path);
  };
  const applied = log.snapshot().index;
  if (index <= applied) {
    return refuse(`entry ${index} is in the snapshot at ${applied}: this node has applied it, or skipped it`);
  }
  if (index > log.lastIndex()) return refuse(`the log ends at entry ${log.lastIndex()}`);
  const [entry] = log.entries(index, index + 1, 0);
  if (entry!.kind === EntryKind.membership) {
    return refuse(`entry ${index} changes the membership: it cannot be skipped`);
  }
  const payload = Buffer.from(entry!.payload);
  const sha1 = createHash('sha1').update(payload).digest('hex');
  const copy = join(path, `log-before-skip-${index}`);
  return {
    identity,
    index,
    term: entry!.term,
    sha1,
    byteLength: payload.length,
    skippedBefore: entry!.kind === EntryKind.noop ? payload.toString('latin1') : undefined,
    copy,
    apply: async () => {
      await copyFiles(disk, logDirectory(path), copy);
      const note = Buffer.from(`skipped: ${payload.length} bytes of SHA-1 ${sha1}`, 'latin1');
      const entries: Entry[] = [{ index, term: entry!.term, kind: EntryKind.noop, payload: note }];
      for (let next = index + 1; next <= log.lastIndex(); next = entries.at(-1)!.index + 1) {
        for (const behind of log.entries(next, log.lastIndex() + 1, copyChunkBytes)) {
          entries.push({ ...behind, payload: Buffer.from(behind.payload) });
        }
      }
      await new Promise<void>((resolve, reject) => {
        // What stands behind an entry that is replaced goes with it, and so is written anew.
        log.append(undefined, entries, (error) => (error === undefined ? resolve() : reject(error)));
        if (failure !== undefined) reject(failure);
      });
    },
    close: () => log.close(),
  };
}

/** Copies the files of a folder into a new one, durably: the power may fail while the log is written anew. */
async function copyFiles(disk: Disk, from: string, to: string): Promise<void> {
  await disk.makeDirectory(to);
  if ((await disk.list(to)).length > 0) {
    const message =
      `${to} is there already: skipping this entry was tried before and did not end. ` +
      `Put its files in the place of those in ${from}, remove it, and try again`;
    throw new StorageError('identity', message, to);
  }
  for (const name of await disk.list(from)) {
    const source = await disk.open(join(from, name), 'read');
    const target = await disk.open(join(to, name), 'create');
    try {
      const size = await source.size();
      for (let position = 0; position < size; ) {
        const chunk = Buffer.alloc(Math.min(copyChunkBytes, size - position));
        const count = await source.read(chunk, position);
        if (count === 0) break;
        await writeFile(target, [chunk.subarray(0, count)], position);
        position += count;
      }
      await syncFile(target);
    } finally {
      await source.close();
      await target.close();
    }
  }
  await disk.syncDirectory(to);
}
