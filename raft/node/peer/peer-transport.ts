/**
 * Peers over TCP. To each member one connection is dialed, at the latest within a second, and dialed again,
 * quietly and ever more slowly, while it cannot be had. Snapshots and questions get connections of their own,
 * so that heartbeats never queue behind them.
 */
import type net from 'node:net';
import type { Pulse } from '../../election.js';
import type { Message, SnapshotMessage } from '../../messages.js';
import type { Membership, NodeId } from '../../types.js';
import { type Clock, nodeClock, type Timer } from '../clock.js';
import type { SnapshotReader } from '../snapshot/store.js';
import { Complaints } from './complaints.js';
import { IncomingPulses } from './incoming-pulses.js';
import { decodeMessages } from './peer-codec.js';
import { answerQuestion, sendMessages } from './peer-frames.js';
import { acceptPeer, dialPeer, type Introduction, type PeerDialing, PeerRefusal } from './peer-handshake.js';
import { receiveSnapshot, streamSnapshot } from './peer-snapshot.js';
import { type FrameHandler, frameKind, type PeerSocket } from './peer-socket.js';
import type { PeerTransportOptions } from './peer-transport-options.js';
import { type LoopPulse, PulseThread } from './pulse.js';
import type { Transport, TransportHandler } from './transport.js';

const pingIntervalMs = 1000;
/** A connection on which nothing came back for so long is dialed anew: TCP itself would wait for minutes. */
const silenceMaxMs = 5000;
/** A peer that has not even answered pings for so long is not reached. */
const reachedMaxMs = 2500;
const redialFirstMs = 50;
const redialMaxMs = 1000;
/**
 * The clocks of two nodes cannot be compared by an answer that took longer: nobody knows which way took how
 * long.
 */
const offsetRoundTripMaxMs = 500;
const cutOff = 'it is cut off';
/** Bytes that wait for their way to one peer; messages beyond are dropped, and the core sends them again. */
const bufferedMaxBytes = 64 * 1024 * 1024;
/** Messages that wait for a connection. */
const waitingMax = 256;

interface Link {
  readonly id: NodeId;
  /** Where it is dialed. */
  readonly address: string;
  /** Its address in the membership. */
  readonly knownAs: string;
  peer: PeerSocket | undefined;
  isDialing: boolean;
  waiting: (readonly Message[])[];
  redialAt: number;
  redialDelayMs: number;
  /** Whether its loss was reported. */
  isReported: boolean;
  pingSentAt: number;
  heardAt: number;
  /** Of its connection, as of the last look. */
  contacts: number;
}

interface Incoming {
  readonly peer: PeerSocket;
  heardAt: number;
  contacts: number;
}

export class PeerTransport implements Transport {
  private readonly links = new Map<NodeId, Link>();
  /** Connections that peers have dialed; used for those whose address is not known yet. */
  private readonly incoming = new Map<NodeId, Incoming>();
  private readonly sockets = new Set<PeerSocket>();
  /** Who has dialed a connection. */
  private readonly dialers = new WeakMap<PeerSocket, NodeId>();
  private readonly clockOffsets = new Map<NodeId, number>();
  private readonly clock: Clock;
  private readonly dialing: PeerDialing;
  private handler: TransportHandler | undefined;
  private removed: readonly NodeId[] = [];
  private timer: Timer | undefined;
  private isClosed = false;
  private readonly complaints: Complaints;
  private readonly pulseThread: PulseThread | undefined;
  private readonly pulses: IncomingPulses;

  constructor(private readonly options: PeerTransportOptions) {
    this.clock = options.clock ?? nodeClock;
    const { clusterId, nodeId, credentials, connect, pulse, onNotice = () => {} } = options;
    this.dialing = { credentials, connect, clock: this.clock };
    this.complaints = new Complaints(this.clock, onNotice);
    this.pulses = new IncomingPulses({
      electionTimeoutMs: pulse?.electionTimeoutMs,
      onPulse: (beat) => this.pulseCame(beat),
      onNotice,
    });
    if (pulse !== undefined)
      this.pulseThread = new PulseThread({ clusterId, nodeId, credentials, ...pulse }, onNotice);
  }

  get pulse(): LoopPulse | undefined {
    return this.pulseThread?.cell;
  }

  credentialsChanged(): void {
    this.pulseThread?.credentialsChanged();
  }

  start(handler: TransportHandler): void {
    this.handler = handler;
    this.armPing();
  }

  setMembership(membership: Membership): void {
    this.removed = membership.removed;
    for (const [id, link] of this.links) {
      const member = membership.members.find((candidate) => candidate.id === id);
      if (member?.address !== link.knownAs) this.dropLink(link, 'no longer a member there');
    }
    for (const id of this.removed) {
      this.incoming.get(id)?.peer.destroy('removed from the cluster');
      this.pulses.drop(id, 'removed from the cluster');
    }
    this.pulseThread?.setPeers(membership.members.filter(({ id }) => id !== this.options.nodeId));
    for (const { id, address } of membership.members) {
      if (id === this.options.nodeId || this.links.has(id)) continue;
      this.addLink(id, address, address);
    }
  }

  private addLink(id: NodeId, address: string, knownAs: string): void {
    this.links.set(id, {
      id,
      address,
      knownAs,
      peer: undefined,
      isDialing: false,
      waiting: [],
      redialAt: 0,
      redialDelayMs: redialFirstMs,
      isReported: false,
      pingSentAt: 0,
      heardAt: 0,
      contacts: 0,
    });
  }

  /**
   * Takes over a connection on which RAFTPEER came: its arguments, and what was read after it. The caller
   * must have removed its own listeners from the socket.
   *
   * @param onProven the peer has proved itself
   */
  accept(
    socket: net.Socket,
    args: readonly string[],
    head: Uint8Array,
    onProven: () => void = () => {},
  ): void {
    const { credentials, clusterId, nodeId } = this.options;
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    acceptPeer({
      socket,
      args,
      head,
      credentials,
      clock: this.clock,
      closed: this.options.refusesPeer?.(socket),
      clusterId,
      nodeId,
      isRemoved: (id) => this.removed.includes(id),
      onMismatch: (wanted) => this.options.onMismatch?.(wanted),
      onAccepted: (peer, introduction) => {
        onProven();
        return this.accepted(peer, introduction);
      },
      onClient: (client, { from }) => {
        onProven();
        if (this.options.onClient === undefined || this.isClosed || this.isCut(from)) client.destroy();
        else this.options.onClient(client, from);
      },
    });
  }

  send(to: NodeId, messages: readonly Message[]): void {
    const link = this.links.get(to);
    if (link?.peer !== undefined) {
      this.sendOn(link.peer, to, messages);
      return;
    }
    const dialer = this.incoming.get(to)?.peer;
    if (dialer !== undefined) this.sendOn(dialer, to, messages);
    else if (link !== undefined && link.waiting.length < waitingMax) link.waiting.push(messages);
    if (link !== undefined) this.dial(link);
  }

  async sendSnapshot(
    message: SnapshotMessage,
    reader: SnapshotReader,
    onProgress: (bytes: number, bytesTotal: number) => void,
  ): Promise<boolean> {
    const { clusterId, nodeId: from } = this.options;
    try {
      const link = this.links.get(message.to);
      if (link === undefined || this.isClosed || this.isCut(message.to)) return false;
      const introduction: Introduction = { clusterId, from, to: message.to, purpose: 'snapshot' };
      return await streamSnapshot(
        { address: link.address, dialing: this.dialing, introduction, message, reader, onProgress },
        this.sockets,
      );
    } catch (error) {
      this.options.onNotice?.(`snapshot for node ${message.to}: ${(error as Error).message}`);
      return false;
    } finally {
      await reader.close();
    }
  }

  /**
   * Opens a connection on which a client's commands can be forwarded to a member, and its replies come back.
   *
   * @returns the socket, paused and without listeners
   * @throws PeerRefusal, or Error if the member cannot be reached
   */
  async dialClient(to: NodeId, address: string): Promise<net.Socket> {
    const { clusterId, nodeId: from } = this.options;
    if (this.isCut(to)) throw new Error(cutOff);
    const { peer } = await dialPeer({
      ...this.dialing,
      address,
      introduction: { clusterId, from, to, purpose: 'client' },
      onFrame: () => {},
      onClose: () => {},
    });
    return peer.release();
  }

  /** Peers from which something came lately. */
  reachedPeers(): ReadonlySet<NodeId> {
    const since = this.clock.monotonicMs() - reachedMaxMs;
    const reached = new Set<NodeId>();
    for (const [id, { peer, heardAt }] of this.links)
      if (peer !== undefined && heardAt >= since) reached.add(id);
    for (const [id, { heardAt }] of this.incoming) if (heardAt >= since) reached.add(id);
    return reached;
  }

  /** Whether any connection with a peer stands, be it silent: those of a process that has ended do not. */
  isConnected(id: NodeId): boolean {
    return this.links.get(id)?.peer !== undefined || this.incoming.has(id);
  }

  /**
   * A member answers at another address than the one that is known: it is dialed there until the membership
   * says more. So members find each other again that have all moved at once.
   */
  foundAt(id: NodeId, address: string): void {
    const link = this.links.get(id);
    if (link === undefined || link.address === address || link.peer !== undefined) return;
    this.dropLink(link, 'it has moved');
    this.addLink(id, address, link.knownAs);
  }

  /** How far the clocks of peers that were heard from lately are ahead of this node's, in milliseconds. */
  clockOffsetsMs(): ReadonlyMap<NodeId, number> {
    return this.clockOffsets;
  }

  /** Connections with peers, whatever for. */
  *peerSockets(): Generator<net.Socket> {
    for (const { socket } of this.sockets) yield socket;
  }

  /**
   * What {@link PeerTransportOptions.isCut} says has changed: connections of those who are cut off break,
   * others are dialed at once.
   */
  wireChanged(): void {
    for (const peer of this.sockets) {
      const from = this.dialers.get(peer);
      if (from !== undefined && this.isCut(from)) peer.destroy(cutOff);
    }
    for (const link of this.links.values()) {
      if (this.isCut(link.id)) {
        link.peer?.destroy(cutOff);
      } else if (link.peer === undefined) {
        link.redialAt = 0;
        link.redialDelayMs = redialFirstMs;
        this.dial(link);
      }
    }
  }

  private isCut(peer: NodeId): boolean {
    return this.options.isCut?.(peer) === true;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    for (const link of [...this.links.values()]) this.dropLink(link, 'this node stops');
    for (const peer of this.sockets) peer.destroy('this node stops');
    await this.pulseThread?.close();
  }

  // Dialed connections

  private dial(link: Link): void {
    const { clusterId, nodeId: from } = this.options;
    if (link.isDialing || this.isClosed || this.clock.monotonicMs() < link.redialAt) {
      if (!link.isDialing) link.waiting = [];
      return;
    }
    if (this.isCut(link.id)) {
      this.lost(link, cutOff);
      return;
    }
    link.isDialing = true;
    dialPeer({
      ...this.dialing,
      address: link.address,
      introduction: { clusterId, from, to: link.id, purpose: 'messages' },
      onFrame: (kind, body) => this.linkFrame(link, kind, body),
      onClose: (reason) => {
        link.peer = undefined;
        this.clockOffsets.delete(link.id);
        this.lost(link, reason);
        this.handler?.onUnreachable(link.id);
      },
    }).then(
      ({ peer }) => {
        link.isDialing = false;
        this.track(peer);
        if (this.links.get(link.id) !== link || this.isClosed || this.isCut(link.id)) {
          peer.destroy('not wanted any more');
          return;
        }
        link.peer = peer;
        link.redialDelayMs = redialFirstMs;
        this.pulseThread?.redial(link.id);
        // The clocks are compared before anything that this peer sends can make a leader of this node.
        link.heardAt = link.pingSentAt = this.clock.monotonicMs();
        peer.sendFrame(frameKind.ping, []);
        if (link.isReported) this.options.onNotice?.(`node ${link.id} at ${link.address} is reached again`);
        link.isReported = false;
        const { waiting } = link;
        link.waiting = [];
        for (const messages of waiting) this.sendOn(peer, link.id, messages);
      },
      (error: Error) => {
        link.isDialing = false;
        if (this.links.get(link.id) !== link || this.isClosed) return;
        this.lost(link, error.message);
        if (error instanceof PeerRefusal && error.isAuthentic) this.options.onRefused?.(link.id, error);
        this.handler?.onUnreachable(link.id);
      },
    );
  }

  /** Notes when to dial again, and tells the operator once. */
  private lost(link: Link, reason: string): void {
    link.waiting = [];
    link.redialAt = this.clock.monotonicMs() + link.redialDelayMs;
    link.redialDelayMs = Math.min(redialMaxMs, link.redialDelayMs * 2);
    if (link.isReported || this.isClosed || this.links.get(link.id) !== link) return;
    link.isReported = true;
    this.options.onNotice?.(`node ${link.id} at ${link.address} cannot be reached: ${reason}`);
  }

  private dropLink(link: Link, reason: string): void {
    this.links.delete(link.id);
    link.peer?.destroy(reason);
  }

  private linkFrame(link: Link, kind: number, body: Buffer): void {
    if (kind === frameKind.pong) {
      const now = this.clock.monotonicMs();
      if (link.pingSentAt > 0 && body.length === 8) {
        const roundTripMs = now - link.pingSentAt;
        if (roundTripMs <= offsetRoundTripMaxMs) {
          this.clockOffsets.set(link.id, body.readDoubleLE(0) + roundTripMs / 2 - this.clock.wallMs());
        }
      }
      link.pingSentAt = 0;
    } else {
      this.messageFrame(link.peer, link.id, kind, body);
    }
  }

  // Accepted connections

  private accepted(peer: PeerSocket, { from, purpose }: Introduction): FrameHandler {
    this.track(peer);
    this.dialers.set(peer, from);
    if (this.isCut(from)) {
      peer.destroy(cutOff);
      return { onFrame() {}, onClose() {} };
    }
    if (purpose === 'snapshot') return receiveSnapshot(peer, from, this.options.nodeId, () => this.handler);
    if (purpose === 'exchange') return answerQuestion(peer, from, this.options.onQuestion);
    if (purpose === 'pulse') return this.pulses.take(peer, from);
    this.incoming.get(from)?.peer.destroy('a newer connection took its place');
    const held = { peer, heardAt: this.clock.monotonicMs(), contacts: peer.contacts };
    this.incoming.set(from, held);
    // It lives: no need to wait before dialing it.
    const link = this.links.get(from);
    if (link !== undefined) link.redialAt = 0;
    return {
      onFrame: (kind, body) => {
        if (kind !== frameKind.ping) {
          this.messageFrame(peer, from, kind, body);
          return;
        }
        const wall = Buffer.alloc(8);
        wall.writeDoubleLE(this.clock.wallMs());
        peer.sendFrame(frameKind.pong, [wall]);
      },
      onClose: () => {
        if (this.incoming.get(from) === held) this.incoming.delete(from);
      },
    };
  }

  /** A peer that is too busy to answer a ping lives, and its connections are sound. */
  private pulseCame(pulse: Pulse): void {
    const now = this.clock.monotonicMs();
    for (const held of [this.links.get(pulse.from), this.incoming.get(pulse.from)]) {
      if (held !== undefined) held.heardAt = now;
    }
    this.handler?.onPulse(pulse);
  }

  // Both

  private messageFrame(peer: PeerSocket | undefined, from: NodeId, kind: number, body: Buffer): void {
    if (this.isClosed) return;
    let messages: Message[];
    try {
      if (kind !== frameKind.messages) throw new Error(`a frame of the unexpected kind ${kind}`);
      messages = decodeMessages(body, from, this.options.nodeId);
    } catch (error) {
      this.complaints.add(`node ${from} sent ${(error as Error).message}`);
      peer?.destroy('a malformed frame');
      return;
    }
    const refused = this.handler?.onMessages(messages);
    if (refused === undefined) return;
    this.complaints.add(`node ${from} sent ${refused}`);
    peer?.destroy('a message that cannot be true');
  }

  private sendOn(peer: PeerSocket, to: NodeId, messages: readonly Message[]): void {
    if (peer.bufferedBytes > bufferedMaxBytes) this.handler?.onUnreachable(to);
    else sendMessages(peer, messages);
  }

  private track(peer: PeerSocket): void {
    this.sockets.add(peer);
    peer.socket.once('close', () => this.sockets.delete(peer));
  }

  private armPing(): void {
    this.timer = this.clock.setTimer(pingIntervalMs, () => {
      // What has arrived meanwhile is heard before silence is judged.
      this.clock.afterInput(() => {
        if (this.isClosed) return;
        const now = this.clock.monotonicMs();
        for (const link of this.links.values()) {
          noteContact(link, now);
          if (link.peer === undefined) {
            // Every member's clock is to be known, and the way to it be open when an election comes.
            this.dial(link);
            continue;
          }
          if (link.pingSentAt === 0) {
            link.pingSentAt = now;
            link.peer.sendFrame(frameKind.ping, []);
          } else if (now - Math.max(link.heardAt, link.pingSentAt) > silenceMaxMs) {
            link.peer.destroy(`nothing was heard for ${silenceMaxMs} ms`);
          }
        }
        for (const held of this.incoming.values()) {
          noteContact(held, now);
          if (now - held.heardAt > 2 * silenceMaxMs) held.peer.destroy('it fell silent');
        }
        this.armPing();
      });
    });
  }
}

/** A part of a frame is a sign of life, too, and so is that the other side takes a part of one. */
function noteContact(
  held: { readonly peer: PeerSocket | undefined; contacts: number; heardAt: number },
  now: number,
) {
  const { contacts = 0 } = held.peer ?? {};
  if (contacts !== held.contacts) held.heardAt = now;
  held.contacts = contacts;
}
