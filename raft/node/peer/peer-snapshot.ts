/**
 * A snapshot on its way from peer to peer: one connection, chunks with backpressure, and the receiver's word
 * at the end.
 */

import type { SnapshotMessage } from '../../messages.js';
import type { NodeId } from '../../types.js';
import type { SnapshotReader } from '../snapshot/store.js';
import { decodeMessages, encodeMessages } from './peer-codec.js';
import { dialPeer, type Introduction, type PeerDialing } from './peer-handshake.js';
import { type FrameHandler, frameKind, type PeerSocket } from './peer-socket.js';
import type { TransportHandler } from './transport.js';

/** A transfer on which nothing moves for so long is given up. */
const stallMs = 60_000;
const sendBufferBytes = 1024 * 1024;
const receiveBufferBytes = 4 * 1024 * 1024;

export interface OutgoingSnapshot {
  readonly address: string;
  readonly dialing: PeerDialing;
  readonly introduction: Introduction;
  readonly message: SnapshotMessage;
  readonly reader: SnapshotReader;
  readonly onProgress: (bytes: number, bytesTotal: number) => void;
}

/**
 * Streams a snapshot. @returns whether the peer took it @throws Error if the connection cannot be had or
 * breaks
 */
export async function streamSnapshot(outgoing: OutgoingSnapshot, sockets: Set<PeerSocket>): Promise<boolean> {
  const { address, dialing, introduction, message, reader, onProgress } = outgoing;
  let settle!: (isTaken: boolean) => void;
  let giveUp!: (error: Error) => void;
  const result = new Promise<boolean>((resolve, reject) => {
    settle = resolve;
    giveUp = reject;
  });
  result.catch(() => {});
  const { peer } = await dialPeer({
    ...dialing,
    address,
    introduction,
    onFrame: (kind, body) => settle(kind === frameKind.snapshotResult && body[0] === 1),
    onClose: (reason) => giveUp(new Error(reason)),
  });
  sockets.add(peer);
  peer.socket.setTimeout(stallMs, () => peer.destroy(`nothing moved for ${stallMs} ms`));
  try {
    const total = Buffer.alloc(8);
    total.writeDoubleLE(reader.dataBytes);
    peer.sendFrame(frameKind.snapshotBegin, [total, ...encodeMessages([message])]);
    let bytes = 0;
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
      peer.sendFrame(frameKind.snapshotChunk, [chunk]);
      bytes += chunk.length;
      await peer.drained(sendBufferBytes);
      if (!peer.isOpen) break;
      onProgress(bytes, reader.dataBytes);
    }
    peer.sendFrame(frameKind.snapshotEnd, []);
    return await result;
  } finally {
    sockets.delete(peer);
    peer.destroy('the transfer has ended');
  }
}

/** Takes the frames of a snapshot connection and hands the data to the node, no faster than that takes it. */
export function receiveSnapshot(
  peer: PeerSocket,
  from: NodeId,
  to: NodeId,
  handler: () => TransportHandler | undefined,
): FrameHandler {
  const queue = new ChunkQueue(peer);
  let isBegun = false;
  peer.socket.setTimeout(stallMs, () => peer.destroy(`nothing moved for ${stallMs} ms`));
  const begin = (body: Buffer): void => {
    const node = handler();
    if (isBegun || body.length < 8 || node === undefined)
      throw new Error('an unexpected start of a snapshot');
    isBegun = true;
    const [message, ...others] = decodeMessages(body.subarray(8), from, to);
    if (message?.type !== 'snapshot' || others.length > 0)
      throw new Error('a start of a snapshot without its message');
    node.onSnapshot(message, queue.chunks(), body.readDoubleLE(0)).then(
      (isTaken) => {
        if (peer.isOpen) peer.sendFrame(frameKind.snapshotResult, [Uint8Array.of(isTaken ? 1 : 0)]);
      },
      (error: Error) => peer.destroy(error.message),
    );
  };
  return {
    onFrame(kind, body) {
      try {
        if (kind === frameKind.snapshotBegin) begin(body);
        else if (kind === frameKind.snapshotChunk && isBegun) queue.push(body);
        else if (kind === frameKind.snapshotEnd && isBegun) queue.end();
        else throw new Error(`a frame of the unexpected kind ${kind}`);
      } catch (error) {
        peer.destroy((error as Error).message);
      }
    },
    onClose: (reason) => queue.fail(new Error(reason)),
  };
}

/** Chunks between the socket and the node; the socket pauses while many wait. */
class ChunkQueue {
  private waiting: Uint8Array[] = [];
  private bytes = 0;
  private isEnded = false;
  private error: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly peer: PeerSocket) {}

  push(chunk: Uint8Array): void {
    this.waiting.push(chunk);
    this.bytes += chunk.length;
    if (this.bytes > receiveBufferBytes) this.peer.socket.pause();
    this.wake?.();
  }

  end(): void {
    this.isEnded = true;
    this.wake?.();
  }

  fail(error: Error): void {
    this.error ??= error;
    this.wake?.();
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    for (;;) {
      const chunk = this.waiting.shift();
      if (chunk !== undefined) {
        this.bytes -= chunk.length;
        if (this.bytes <= receiveBufferBytes) this.peer.socket.resume();
        yield chunk;
      } else if (this.isEnded) {
        return;
      } else if (this.error !== undefined) {
        throw this.error;
      } else {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
    }
  }
}
