/**
 * What one client is sent: replies gather here and leave for its socket. A client that does not read fast
 * enough is read no further, and is closed at the limits of its class.
 */
import type { Socket } from 'node:net';
import type { Reply } from '../../engine/index.js';
import type { BufferLimit } from '../config/parameter-types.js';
import type { Statistics } from '../observability/statistics.js';
import { ReplyWriter } from '../resp/reply-writer.js';

/** Past this much unsent output nothing more is read from the client until it has drained. */
const PAUSE_BYTES = 4 * 1024 * 1024;
/** From here on gathered replies leave before the next command runs. */
const FLUSH_BYTES = 64 * 1024;

export interface OutputEvents {
  /** Too much waits unread: no further command may run. */
  paused(): void;
  /** The client has read what waited. */
  drained(): void;
  /** More waits than the limits allow. */
  exceeded(unsentBytes: number): void;
}

export class ClientOutput {
  readonly writer = new ReplyWriter();
  isPaused = false;
  /** Bytes that the socket had not sent when it was last written to. */
  leftBytes = 0;

  constructor(
    private readonly socket: Socket,
    private readonly limit: () => BufferLimit,
    private readonly statistics: Statistics,
    private readonly events: OutputEvents,
  ) {}

  write(reply: Reply): void {
    this.writer.write(reply);
  }

  /** Bytes of replies that the client has not been sent. */
  get unsentBytes(): number {
    return this.writer.length + this.socket.writableLength;
  }

  /** Whether so much has gathered that it should leave at once. */
  get isFull(): boolean {
    return this.writer.length >= FLUSH_BYTES;
  }

  /** Hands what has gathered to the socket. */
  flush(): void {
    const { socket, writer } = this;
    const { length } = writer;
    if (length === 0 || socket.destroyed) return;
    this.statistics.writes++;
    this.statistics.outputBytes += length;
    writer.flushTo(socket);
    const left = socket.writableLength;
    if (left === 0 && this.leftBytes === 0) return;
    this.leftBytes = left;
    const { hardBytes } = this.limit();
    if (hardBytes > 0 && left > hardBytes) this.events.exceeded(left);
    else if (left > PAUSE_BYTES) this.pause();
  }

  /** The client is gone: what it was not sent does not count as sent. */
  closed(): void {
    this.statistics.outputBytes -= this.leftBytes;
    this.leftBytes = 0;
  }

  private pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
    this.events.paused();
    this.socket.once('drain', () => {
      this.isPaused = false;
      this.leftBytes = 0;
      this.socket.resume();
      this.events.drained();
    });
  }
}
