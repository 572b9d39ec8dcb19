/** What one client may take: unread replies, unparsed requests, idleness. Past it the connection is closed, with a line in the log. */
import type { Configuration } from '../config/configuration.js';
import type { Connection } from './connection.js';

/** Where the configuration sets no limit: a client that never reads must not take all memory. */
const DEFAULT_OUTPUT_LIMIT_BYTES = 1024 ** 3;
/** How often soft limits and idleness are looked at. */
const CHECK_EVERY_MS = 1000;

export class ClientLimits {
  /** Bytes of replies at which a client is closed at once. */
  outputBytes = DEFAULT_OUTPUT_LIMIT_BYTES;
  /** Bytes of a request that is not complete yet. */
  queryBytes = 0;
  /** After how many seconds TCP asks whether the other side is still there; 0: never. */
  keepAliveSeconds = 0;
  private softOutputBytes = 0;
  private softSeconds = 0;
  private timeoutSeconds = 0;
  private checkedAtMs = 0;
  /** Since when clients have been beyond the soft limit. */
  private readonly beyondSinceMs = new Map<Connection, number>();

  configure(configuration: Configuration): void {
    // `normal hard soft seconds`, then the other classes of clients, which there are none of.
    const [, hard, soft, seconds] = configuration.text('client-output-buffer-limit').split(' ');
    this.outputBytes = Number(hard) || DEFAULT_OUTPUT_LIMIT_BYTES;
    this.softOutputBytes = Number(soft);
    this.softSeconds = Number(seconds);
    this.queryBytes = configuration.integer('client-query-buffer-limit');
    this.timeoutSeconds = configuration.integer('timeout');
    this.keepAliveSeconds = configuration.integer('tcp-keepalive');
  }

  /** Why a client must be closed now, or undefined. Looks at most once a second. */
  check(
    connections: Iterable<Connection>,
    nowMs: number,
    close: (connection: Connection, why: string) => void,
  ): void {
    if (nowMs - this.checkedAtMs < CHECK_EVERY_MS) return;
    this.checkedAtMs = nowMs;
    if (this.timeoutSeconds === 0 && this.softOutputBytes === 0) return;
    for (const connection of connections) {
      if (this.isIdle(connection, nowMs)) close(connection, `idle for ${this.timeoutSeconds} seconds`);
      else if (this.isBeyondSoftLimit(connection, nowMs)) {
        close(
          connection,
          `more than ${this.softOutputBytes} bytes of replies unread for ${this.softSeconds} seconds`,
        );
      }
    }
  }

  /** The client is gone. */
  forget(connection: Connection): void {
    this.beyondSinceMs.delete(connection);
  }

  private isIdle(connection: Connection, nowMs: number): boolean {
    if (this.timeoutSeconds === 0 || connection.blocked) return false;
    return nowMs - connection.lastActiveMs > this.timeoutSeconds * 1000;
  }

  private isBeyondSoftLimit(connection: Connection, nowMs: number): boolean {
    if (this.softOutputBytes === 0 || connection.socket.writableLength <= this.softOutputBytes) {
      this.beyondSinceMs.delete(connection);
      return false;
    }
    const since = this.beyondSinceMs.get(connection);
    if (since === undefined) this.beyondSinceMs.set(connection, nowMs);
    return since !== undefined && nowMs - since >= this.softSeconds * 1000;
  }
}
