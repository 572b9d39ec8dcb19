/**
 * A folder of continuous backup: bases, and behind each the entries that follow.
 *
 *     base-INDEX.backup        the state behind entry INDEX
 *     entries-INDEX.log        what followed it, until another base began another file
 */
import { mkdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeDisk } from '../../raft/node/index.js';

const WIDTH = 16;
const PATTERN = /^(base|entries)-(\d{16})\.(backup|log)$/;

/** A base that was never finished. */
const UNFINISHED = /^base-\d{16}\.backup\.\w+\.tmp$/;

const name = (kind: 'base' | 'entries', index: number): string =>
  `${kind}-${`${index}`.padStart(WIDTH, '0')}.${kind === 'base' ? 'backup' : 'log'}`;

export class BackupChain {
  private constructor(
    readonly directory: string,
    /** Ascending. */
    public bases: readonly number[],
    /** Of the entries' files: after which entry each begins. Ascending. */
    public logs: readonly number[],
  ) {}

  /** Makes the folder, if need be, and removes what was left unfinished there. For who writes to it. */
  static async open(directory: string): Promise<BackupChain> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const file of await nodeDisk.list(directory))
      if (UNFINISHED.test(file)) await unlink(join(directory, file));
    return BackupChain.read(directory);
  }

  static async read(directory: string): Promise<BackupChain> {
    const chain = new BackupChain(directory, [], []);
    await chain.look();
    return chain;
  }

  async look(): Promise<void> {
    const found: { base: number[]; entries: number[] } = { base: [], entries: [] };
    for (const file of await nodeDisk.list(this.directory)) {
      const [, kind, index] = PATTERN.exec(file) ?? [];
      if (kind !== undefined) found[kind as 'base' | 'entries'].push(Number(index));
    }
    this.bases = found.base.sort((a, b) => a - b);
    this.logs = found.entries.sort((a, b) => a - b);
  }

  basePath(index: number): string {
    return join(this.directory, name('base', index));
  }

  logPath(after: number): string {
    return join(this.directory, name('entries', after));
  }

  /** Removes all but the newest `keep` bases, and what only older ones need. */
  async keepNewest(keep: number): Promise<void> {
    const [oldest] = this.bases.slice(-keep);
    if (oldest === undefined) return;
    for (const index of this.bases) if (index < oldest) await unlink(this.basePath(index));
    for (const after of this.logs) if (after < oldest) await unlink(this.logPath(after));
    await this.look();
  }
}

/** Whether a folder is one of continuous backup. */
export async function isChain(directory: string): Promise<boolean> {
  return (await BackupChain.read(directory)).bases.length > 0;
}
