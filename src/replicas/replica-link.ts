/** One replica: its connection, how far it was sent the stream, and how far it says that it has come. */
import type { Socket } from 'node:net';
import type { Backlog } from './backlog.js';
import type { FullSyncFile } from './full-sync-file.js';
import type { RdbContent } from './rdb-job.js';

/** So much waits in a socket before more is handed to it. */
const SOCKET_BYTES = 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

/** What a client has said of itself by REPLCONF. */
export interface ReplicaTraits {
  listeningPort: number;
  /** Empty: where it connects from. */
  announcedHost: string;
  /** It wants a file, and no stream. */
  isFileOnly: boolean;
  content: RdbContent;
}

export type ReplicaState = 'wait_bgsave' | 'send_bulk' | 'online';

export class ReplicaLink {
  state: ReplicaState = 'wait_bgsave';
  /** Of the stream, what was handed to the socket. */
  sentOffset = 0;
  acknowledgedOffset = 0;
  /** Monotonic time at which it was last heard of. */
  heardAtMs: number;
  /** Pieces of its file that it has taken. */
  piecesTaken = 0;
  /** As last looked at: how many that were, and since when they have been no more. */
  seen = { pieces: 0, sinceMs: 0 };
  /** Monotonic time since which it has been beyond its soft limit. */
  beyondSinceMs: number | undefined;
  isGone = false;
  private leave: (() => void) | undefined;
  private wake: (() => void) | undefined;

  constructor(
    readonly socket: Socket,
    readonly traits: ReplicaTraits,
    /** By SYNC: it knows no offsets. */
    readonly isOld: boolean,
    nowMs: number,
    gone: (link: ReplicaLink) => void,
  ) {
    this.heardAtMs = nowMs;
    const closed = (): void => {
      this.isGone = true;
      this.leave?.();
      this.wake?.();
      gone(this);
    };
    socket.once('close', closed);
    socket.on('drain', () => this.wake?.());
  }

  /** Something to show that the node is alive while the file is made. */
  keepAlive(): void {
    if (this.state === 'wait_bgsave' && !this.isGone) this.socket.write('\n');
  }

  /** Sends the file; what is behind `offset` follows by {@link pump}. Resolves when it is on its way. */
  async sendFile(file: FullSyncFile, offset: number): Promise<void> {
    this.leave = file.use();
    try {
      this.state = 'send_bulk';
      this.sentOffset = offset;
      this.socket.write(`$${file.length}\r\n`);
      for (let at = 0; at < file.length && !this.isGone; ) {
        const piece = await file.read(at, PIECE_BYTES);
        at += piece.length;
        if (!this.socket.write(piece)) await this.drained();
        this.piecesTaken++;
      }
    } finally {
      this.leave();
      this.leave = undefined;
    }
    if (this.isGone) return;
    if (this.traits.isFileOnly) this.socket.end();
    else this.goOnline(offset);
  }

  /** It has the state of `offset`: the stream goes on there. */
  goOnline(offset: number): void {
    this.state = 'online';
    this.sentOffset = this.acknowledgedOffset = offset;
  }

  /** Hands the socket what is next of the stream, as much as it takes. */
  pump(backlog: Backlog): void {
    if (this.state !== 'online' || this.isGone) return;
    while (this.sentOffset < backlog.end && this.socket.writableLength < SOCKET_BYTES) {
      const piece = backlog.read(this.sentOffset, PIECE_BYTES);
      this.sentOffset += piece.length;
      this.socket.write(piece);
    }
    if (this.sentOffset < backlog.end) this.wake ??= () => this.goOn(backlog);
  }

  private goOn(backlog: Backlog): void {
    this.wake = undefined;
    this.pump(backlog);
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined;
        resolve();
      };
    });
  }
}
