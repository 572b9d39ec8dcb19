/** What a transport over TCP is given: who it is, and who hears of peers. */
import type net from 'node:net';
import type { NodeId } from '../../types.js';
import type { Introduction, PeerDialing, PeerRefusal } from './peer-handshake.js';
import type { PulseOptions } from './pulse.js';

export interface PeerTransportOptions extends PeerDialing {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** Peers are told that this node lives, by a thread of its own (see pulse.ts). Default: they are not. */
  readonly pulse?: Pick<PulseOptions, 'electionTimeoutMs' | 'busyMaxMs'>;
  /** One line for the operator, when a peer is lost or found again. */
  readonly onNotice?: (text: string) => void;
  /**
   * Why nobody may come in by a socket, whatever it proves; undefined if the handshake decides. Default: it
   * always does.
   */
  readonly refusesPeer?: (socket: net.Socket) => string | undefined;
  /**
   * A node that knows the secret refuses this one: it was removed (`removed`), or the peer's address belongs
   * to another cluster (`cluster`) or node (`node`) now.
   */
  readonly onRefused?: (peer: NodeId, refusal: PeerRefusal) => void;
  /**
   * A node that knows the secret looks for another cluster at this address, or for another node of this one:
   * this node may have taken the place of one that was lost, without anybody having been told.
   */
  readonly onMismatch?: (wanted: Introduction) => void;
  /** Answers a question of an authenticated node, which may not be a member (see `askPeer`). */
  readonly onQuestion?: (question: unknown, from: NodeId) => Promise<unknown>;
  /** Whether nothing passes between this node and a peer, be the network as sound as it may: for tests. */
  readonly isCut?: (peer: NodeId) => boolean;
  /**
   * A peer forwards a client's commands over this socket, which is paused and has no listeners. Refused if
   * absent.
   */
  readonly onClient?: (socket: net.Socket, from: NodeId) => void;
}
