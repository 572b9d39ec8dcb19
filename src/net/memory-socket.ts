/**
 * Connections without a socket: two ends in one process, each of which a client library or a server takes for
 * one of `net`.
 */
import { Duplex } from 'node:stream';
import { clearTimeout, queueMicrotask, setTimeout } from '../../raft/node/timers.js';

/** What the ends say of themselves, where sockets have addresses. */
const LOOPBACK = '127.0.0.1';

let connections = 0;

export class MemorySocket extends Duplex {
  /** As of `net.Socket`: whether `connect` is still to come. */
  connecting = false;
  readonly remoteAddress = LOOPBACK;
  readonly remoteFamily = 'IPv4';
  readonly localAddress = LOOPBACK;
  timeout = 0;
  private peer!: MemorySocket;
  /** The peer's write that waits until what it wrote is read. */
  private taken: (() => void) | undefined;
  private idleTimer: NodeJS.Timeout | undefined;

  private constructor(
    readonly localPort: number,
    readonly remotePort: number,
    allowHalfOpen: boolean,
  ) {
    super({ allowHalfOpen });
  }

  /**
   * Two ends that are connected. What one side writes the other reads; whoever ends or breaks the connection
   * does so for both.
   *
   * @param port of the server, as the ends tell it
   */
  static pair(port: number): { readonly client: MemorySocket; readonly server: MemorySocket } {
    // Clients are told apart by their ports.
    const clientPort = 0x1_0000 + ++connections;
    const client = new MemorySocket(clientPort, port, false);
    const server = new MemorySocket(port, clientPort, true);
    client.peer = server;
    server.peer = client;
    return { client, server };
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.refreshTimeout();
    if (this.peer.destroyed) done();
    // A socket is done with the bytes once its write has returned, and their owner uses them again.
    else this.peer.receive(Buffer.from(chunk), done);
  }

  override _writev(
    chunks: { readonly chunk: Buffer; readonly encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.refreshTimeout();
    if (this.peer.destroyed) done();
    else this.peer.receive(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  /**
   * Takes what the peer has written, once that has returned to its caller: nobody is answered before he has
   * asked.
   */
  private receive(chunk: Buffer, done: () => void): void {
    queueMicrotask(() => {
      if (this.destroyed) {
        done();
        return;
      }
      this.refreshTimeout();
      if (this.push(chunk)) done();
      else this.taken = done;
    });
  }

  override _read(): void {
    const done = this.taken;
    this.taken = undefined;
    done?.();
  }

  override _final(done: () => void): void {
    queueMicrotask(() => {
      if (!this.peer.destroyed) this.peer.push(null);
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.idleTimer);
    this.taken?.();
    this.taken = undefined;
    queueMicrotask(() => this.peer.destroy());
    done(error);
  }

  // ---- what sockets have besides ----

  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.timeout = timeoutMs;
    if (callback !== undefined) this.once('timeout', callback);
    this.refreshTimeout();
    return this;
  }

  private refreshTimeout(): void {
    if (this.timeout === 0 && this.idleTimer === undefined) return;
    clearTimeout(this.idleTimer);
    this.idleTimer = undefined;
    if (this.timeout === 0 || this.destroyed) return;
    this.idleTimer = setTimeout(() => this.emit('timeout'), this.timeout).unref();
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** As of `net.Socket`. */
  destroySoon(): void {
    this.end(() => this.destroy());
  }
}
