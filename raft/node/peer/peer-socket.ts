/**
 * A socket between peers: lines while the two get to know each other, then frames.
 *
 *   u32 length of the body (little endian), u8 kind, body
 */
import type net from 'node:net';
import { queueMicrotask } from '../timers.js';
import { BulkQueue, IncomingBulk, pieceBytes } from './bulk.js';

export const frameKind = {
  messages: 1,
  snapshotBegin: 2,
  snapshotChunk: 3,
  snapshotEnd: 4,
  snapshotResult: 5,
  ping: 6,
  pong: 7,
  request: 8,
  reply: 9,
  /**
   * Announces a frame that comes in pieces: u32 length of its body, u8 its kind. Frames without pieces may
   * come in between.
   */
  bulkBegin: 10,
  bulkPiece: 11,
  pulse: 12,
} as const;

const headBytes = 5;
/** Frames up to here are copied together: cheaper than a list of pieces for the system. */
const smallFrameBytes = 16 * 1024;
const lineBytesMax = 1024;
/** A body is at most this long: the largest entry and what surrounds it. */
const bodyBytesMax = 2 ** 30 + 2 ** 20;
/**
 * Pieces are handed to the system while less than this waits there: what passes them has that much ahead of
 * it.
 */
const writeAheadBytes = 2 * pieceBytes;

export interface FrameHandler {
  onFrame(kind: number, body: Buffer): void;
  /** The socket is gone, whatever the reason. Called once. */
  onClose(reason: string): void;
}

export interface PeerSocketHandler extends FrameHandler {
  onLine(line: string): void;
}

export class PeerSocket {
  private isFramed = false;
  private head = Buffer.allocUnsafe(headBytes);
  private headFilled = 0;
  private body: Buffer | undefined;
  private bodyFilled = 0;
  private incoming: IncomingBulk | undefined;
  private readonly bulk = new BulkQueue();
  private line = '';
  private closeReason: string | undefined;
  private drainWaiters: (() => void)[] = [];
  /** Frames of this turn. */
  private gathered: Uint8Array[] = [];
  private gatheredBytes = 0;

  /**
   * Grows when bytes have come, and when the system has taken all of more bytes than it would take at once.
   */
  contacts = 0;

  constructor(
    readonly socket: net.Socket,
    private readonly handler: PeerSocketHandler,
  ) {
    socket.setNoDelay(true);
    socket.resume();
    for (const [event, listener] of Object.entries(this.listeners)) socket.on(event, listener);
  }

  private readonly listeners = {
    data: (chunk: Buffer): void => this.take(chunk),
    drain: (): void => {
      this.contacts++;
      this.pump();
      this.wake();
    },
    error: (error: Error): void => {
      this.closeReason ??= error.message;
    },
    end: (): void => {
      this.socket.destroy();
    },
    close: (): void => {
      this.wake();
      this.handler.onClose(this.closeReason ?? 'the connection was closed');
    },
  };

  /** Gives the socket back, paused, without a listener of this object: from now on it is somebody else's. */
  release(): net.Socket {
    this.socket.pause();
    for (const [event, listener] of Object.entries(this.listeners)) this.socket.off(event, listener);
    return this.socket;
  }

  /** Bytes that wait to be sent, but for a frame that is on its way in pieces. */
  get bufferedBytes(): number {
    return this.socket.writableLength + this.bulk.waitingBytes;
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /** What comes from now on is frames. */
  switchToFrames(): void {
    this.isFramed = true;
  }

  sendLine(line: string): void {
    if (this.gathered.length > 0) this.flush();
    this.socket.write(`${line}\r\n`, 'latin1');
  }

  /**
   * Sends a frame behind all that were sent by this method before; a large one in pieces, which those of
   * {@link sendFrame} pass.
   */
  sendInOrder(kind: number, pieces: readonly Uint8Array[]): void {
    const length = byteLength(pieces);
    if (length <= pieceBytes && this.bulk.isEmpty) {
      this.sendFrame(kind, pieces);
      return;
    }
    this.bulk.push(kind, pieces, length);
    this.pump();
  }

  /** Hands the system as much of what is large as keeps it busy. */
  private pump(): void {
    while (
      !this.bulk.isEmpty &&
      this.isOpen &&
      this.socket.writableLength + this.gatheredBytes < writeAheadBytes
    ) {
      const next = this.bulk.shift();
      if (next.what === 'begin') this.sendFrame(frameKind.bulkBegin, [next.body]);
      else this.sendFrame(next.what === 'frame' ? next.kind : frameKind.bulkPiece, next.pieces);
    }
  }

  /** Sends a frame as soon as the system takes it. */
  sendFrame(kind: number, pieces: readonly Uint8Array[]): void {
    const length = byteLength(pieces);
    const isSmall = length <= smallFrameBytes;
    const head = Buffer.allocUnsafe(isSmall ? headBytes + length : headBytes);
    head.writeUInt32LE(length, 0);
    head[4] = kind;
    if (this.gathered.length === 0) queueMicrotask(() => this.flush());
    this.gathered.push(head);
    this.gatheredBytes += headBytes + length;
    let at = headBytes;
    for (const piece of pieces) {
      if (isSmall) head.set(piece, at);
      else this.gathered.push(piece);
      at += piece.length;
    }
  }

  /** Sends what one run of the node has gathered, in one call to the system. */
  private flush(): void {
    const { gathered, socket } = this;
    this.gathered = [];
    this.gatheredBytes = 0;
    if (!this.isOpen) return;
    socket.cork();
    for (const piece of gathered) socket.write(piece);
    socket.uncork();
  }

  /** Resolves when little waits to be sent, or the socket is gone. */
  async drained(bytesMax: number): Promise<void> {
    while (this.isOpen && this.bufferedBytes > bytesMax) {
      await new Promise<void>((resolve) => {
        this.drainWaiters.push(resolve);
      });
    }
  }

  /** Sends a last line and closes. */
  refuse(line: string): void {
    this.socket.end(`${line}\r\n`, 'latin1');
    this.socket.setTimeout(1000, () => this.socket.destroy());
  }

  destroy(reason: string): void {
    this.closeReason ??= reason;
    this.socket.destroy();
  }

  /** Takes bytes that somebody else has read from the socket already. */
  take(chunk: Uint8Array): void {
    this.contacts++;
    let at = 0;
    while (at < chunk.length && this.isOpen)
      at = this.isFramed ? this.takeFrame(chunk, at) : this.takeLine(chunk, at);
  }

  private takeLine(chunk: Uint8Array, at: number): number {
    const end = chunk.indexOf(0x0a, at);
    const upTo = end === -1 ? chunk.length : end + 1;
    this.line += Buffer.from(chunk.buffer, chunk.byteOffset + at, upTo - at).toString('latin1');
    if (this.line.length > lineBytesMax) {
      this.destroy('a line that is too long');
    } else if (end !== -1) {
      const line = this.line.trimEnd();
      this.line = '';
      this.handler.onLine(line);
    }
    return upTo;
  }

  private takeFrame(chunk: Uint8Array, at: number): number {
    if (this.body === undefined) {
      const count = Math.min(headBytes - this.headFilled, chunk.length - at);
      this.head.set(chunk.subarray(at, at + count), this.headFilled);
      this.headFilled += count;
      at += count;
      if (this.headFilled < headBytes) return at;
      const length = this.head.readUInt32LE(0);
      if (length > bodyBytesMax) {
        this.destroy(`a frame of ${length} bytes`);
        return chunk.length;
      }
      this.body = this.bodyFor(this.head[4]!, length);
      this.bodyFilled = 0;
      if (this.body === undefined) {
        this.destroy('a piece of no frame');
        return chunk.length;
      }
    }
    const { body } = this;
    const count = Math.min(body.length - this.bodyFilled, chunk.length - at);
    body.set(chunk.subarray(at, at + count), this.bodyFilled);
    this.bodyFilled += count;
    at += count;
    if (this.bodyFilled === body.length) {
      this.body = undefined;
      this.headFilled = 0;
      this.took(this.head[4]!, body);
    }
    return at;
  }

  /**
   * Where the body of a frame goes: a buffer of its own, for what is kept of it must not hold on to the
   * socket's chunks.
   */
  private bodyFor(kind: number, length: number): Buffer | undefined {
    return kind === frameKind.bulkPiece ? this.incoming?.place(length) : Buffer.allocUnsafeSlow(length);
  }

  private took(kind: number, body: Buffer): void {
    if (kind === frameKind.bulkBegin) {
      const length = body.length === 5 ? body.readUInt32LE(0) : 0;
      // Only messages: what ends a snapshot must not overtake its chunks.
      const isSound = length > pieceBytes && length <= bodyBytesMax && body[4] === frameKind.messages;
      if (isSound && this.incoming === undefined) {
        this.incoming = new IncomingBulk(body[4]!, Buffer.allocUnsafeSlow(length));
      } else {
        this.destroy('a malformed frame');
      }
    } else if (kind !== frameKind.bulkPiece) {
      this.handler.onFrame(kind, body);
    } else if (this.incoming?.took(body.length) === true) {
      const { kind: whole, body: pieces } = this.incoming;
      this.incoming = undefined;
      this.handler.onFrame(whole, pieces);
    }
  }

  private wake(): void {
    const waiters = this.drainWaiters;
    this.drainWaiters = [];
    for (const wake of waiters) wake();
  }
}

function byteLength(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}
