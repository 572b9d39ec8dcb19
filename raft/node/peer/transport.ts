/** How messages get from node to node, as the driver of a node sees it. */
import type { Pulse } from '../../election.js';
import type { Message, SnapshotMessage } from '../../messages.js';
import type { Membership, NodeId } from '../../types.js';
import type { SnapshotReader } from '../snapshot/store.js';
import type { LoopPulse } from './pulse.js';

/**
 * What a transport hands to its node. Everything comes from authenticated peers and has been checked for its
 * shape.
 */
export interface TransportHandler {
  /**
   * Messages whose `from` is the peer that sent them and whose `to` is this node.
   *
   * @returns why one of them cannot be true; it and those behind it were dropped, and nothing that the peer
   * says is to be relied on
   */
  onMessages(messages: readonly Message[]): string | undefined;
  /**
   * A peer begins to stream the snapshot that `message` names. Resolves with whether it arrived whole and was
   * taken; to stop early ends the transfer.
   */
  onSnapshot(message: SnapshotMessage, data: AsyncIterable<Uint8Array>, dataBytes: number): Promise<boolean>;
  /** The connection to a peer broke: what was sent may be lost. */
  onUnreachable(to: NodeId): void;
  /** A peer lives. */
  onPulse(pulse: Pulse): void;
}

export interface Transport {
  /**
   * What the node says of itself to its peers whatever its event loop is doing; undefined where nothing is
   * said.
   */
  readonly pulse?: LoopPulse;
  /** Called once, before anything else. */
  start(handler: TransportHandler): void;
  /** Who belongs to the cluster and where; who was removed from it. */
  setMembership(membership: Membership): void;
  /** Sends without waiting; what cannot be sent is dropped. */
  send(to: NodeId, messages: readonly Message[]): void;
  /**
   * Streams a snapshot, apart from all other messages.
   *
   * @returns whether the peer took it whole. Closes the reader in any case.
   */
  sendSnapshot(
    message: SnapshotMessage,
    reader: SnapshotReader,
    onProgress: (bytes: number, bytesTotal: number) => void,
  ): Promise<boolean>;
  close(): Promise<void>;
}

/** For a node that has no peers and never will. */
export const noTransport: Transport = {
  start() {},
  setMembership() {},
  send() {},
  sendSnapshot: async (_message, reader) => {
    await reader.close();
    return false;
  },
  close: async () => {},
};
