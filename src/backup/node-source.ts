/** A node as a backup sees it. */
import { ErrorReply, type Reply } from '../../engine/index.js';
import type { Entry, EntryKind, SnapshotMetadata } from '../../raft/index.js';
import type { RespClient } from '../resp/client.js';
import { BackupError } from './log-file.js';

export interface SnapshotHead extends SnapshotMetadata {
  readonly clusterId: string;
  readonly dataBytes: number;
}

/** The node does not keep what is asked for any more. */
export class EntriesGone extends Error {
  override readonly name = 'EntriesGone';
}

const ITEMS_PER_ENTRY = 4;

export class NodeSource {
  constructor(private readonly client: RespClient) {}

  /** Has the node take a snapshot; {@link piece} gives it. */
  async snapshot(): Promise<SnapshotHead> {
    const reply = await this.ask('SNAPSHOT');
    return JSON.parse(`${reply as Buffer}`) as SnapshotHead;
  }

  /** The snapshot's next bytes; undefined at its end. */
  async piece(): Promise<Buffer | undefined> {
    return ((await this.ask('READ')) as Buffer | null) ?? undefined;
  }

  /**
   * Entries from `from` on that are applied there: some, or none as yet.
   *
   * @throws EntriesGone
   */
  async entries(from: number): Promise<{ readonly last: number; readonly entries: Entry[] }> {
    const [last, ...items] = (await this.ask('ENTRIES', `${from}`)) as (number | Buffer)[];
    const entries: Entry[] = [];
    for (let i = 0; i + ITEMS_PER_ENTRY <= items.length; i += ITEMS_PER_ENTRY) {
      const [index, term, kind, payload] = items.slice(i, i + ITEMS_PER_ENTRY);
      if (index !== from + entries.length || !Buffer.isBuffer(payload))
        throw new BackupError(`the node gives entry ${index} where ${from + entries.length} was asked for`);
      entries.push({ index, term: term as number, kind: kind as EntryKind, payload });
    }
    return { last: last as number, entries };
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  private async ask(...args: string[]): Promise<Reply> {
    const reply = await this.client.call('RAFTBACKUP', ...args);
    if (!(reply instanceof ErrorReply)) return reply;
    if (reply.text.startsWith('GONE ')) throw new EntriesGone(reply.text.slice(5));
    throw new BackupError(`the node refuses: ${reply.text}`);
  }
}
