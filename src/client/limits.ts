/**
 * What one client may take: unread replies, unparsed requests, idleness. Past it the connection is closed,
 * with a line in the log.
 */
import type { Configuration } from '../config/configuration.js';
import { type BufferLimit, type ClientClass, readBufferLimits } from '../config/parameter-types.js';
import type { Client } from './client.js';

/** How often soft limits and idleness are looked at. */
const CHECK_EVERY_MS = 1000;

/** The limits in force; they hold for clients that are connected already, too. */
export class ClientLimits {
  /** Unread replies of an everyday client, as `client-output-buffer-limit normal` has them; 0: no limit. */
  private normal: BufferLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  /** Unread messages of a client that gets them unasked. */
  private pubsub: BufferLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  /** Bytes of a request that is not complete yet. */
  queryBytes = 0;
  /** After how many seconds TCP asks whether the other side is still there; 0: never. */
  keepAliveSeconds = 0;
  private timeoutSeconds = 0;
  private checkedAtMs = 0;
  /** Since when clients have been beyond the soft limit. */
  private readonly beyondSinceMs = new Map<Client, number>();

  configure(configuration: Configuration): void {
    const limits: Record<ClientClass, BufferLimit> = readBufferLimits(
      configuration.text('client-output-buffer-limit'),
    );
    this.normal = limits.normal;
    this.pubsub = limits.pubsub;
    this.queryBytes = configuration.integer('client-query-buffer-limit');
    this.timeoutSeconds = configuration.integer('timeout');
    this.keepAliveSeconds = configuration.integer('tcp-keepalive');
  }

  /** Has TCP ask of all connections that stand as it asks of new ones. */
  keepAlive(connections: Iterable<Pick<Client, 'socket'>>): void {
    for (const { socket } of connections)
      socket.setKeepAlive(this.keepAliveSeconds > 0, this.keepAliveSeconds * 1000);
  }

  /** What may wait unread for a client: of its class, which changes with what it subscribes to. */
  outputOf(client: Pick<Client, 'isSubscriber' | 'isMonitor'>): BufferLimit {
    return client.isSubscriber || client.isMonitor ? this.pubsub : this.normal;
  }

  /**
   * Closes clients that have been idle, or beyond the soft limit, for too long. Looks at most once a second.
   */
  check(
    connections: Iterable<Client>,
    nowMs: number,
    close: (connection: Client, why: string) => void,
  ): void {
    if (nowMs - this.checkedAtMs < CHECK_EVERY_MS) return;
    this.checkedAtMs = nowMs;
    for (const connection of connections) {
      // Replicas have a stream of their own (replicas.ts).
      if (connection.isReplica) continue;
      const { hardBytes, softBytes, softSeconds } = this.outputOf(connection);
      const unsent = connection.unsentBytes;
      if (this.isIdle(connection, nowMs)) close(connection, `idle for ${this.timeoutSeconds} seconds`);
      // The limit may have been lowered.
      else if (hardBytes > 0 && unsent > hardBytes)
        close(connection, `${unsent} bytes of replies wait unread`);
      else if (this.isBeyondSoftLimit(connection, unsent, softBytes, softSeconds, nowMs))
        close(connection, `more than ${softBytes} bytes of replies unread for ${softSeconds} seconds`);
    }
  }

  /** The client is gone. */
  forget(connection: Client): void {
    this.beyondSinceMs.delete(connection);
  }

  private isIdle(connection: Client, nowMs: number): boolean {
    // Who listens has nothing to say.
    if (
      this.timeoutSeconds === 0 ||
      connection.blockedBy !== undefined ||
      connection.isSubscriber ||
      connection.isMonitor
    )
      return false;
    return nowMs - connection.lastActiveMs > this.timeoutSeconds * 1000;
  }

  private isBeyondSoftLimit(
    connection: Client,
    unsentBytes: number,
    softBytes: number,
    softSeconds: number,
    nowMs: number,
  ): boolean {
    if (softBytes === 0 || unsentBytes <= softBytes) {
      this.beyondSinceMs.delete(connection);
      return false;
    }
    const since = this.beyondSinceMs.get(connection);
    if (since === undefined) this.beyondSinceMs.set(connection, nowMs);
    return since !== undefined && nowMs - since >= softSeconds * 1000;
  }
}
