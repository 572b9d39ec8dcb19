/**
 * The port of a node that belongs to no cluster yet: peers may invite it, clients are told to come later. Its
 * limits are those of any port.
 */
import type { Socket } from 'node:net';
import type { ErrorReply } from '../../engine/index.js';
import { type Clock, type PeerCredentials, PeerTransport } from '../../raft/node/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import { type Admitted, Listener } from '../net/listener.js';
import type { PeerGreeting } from '../net/peer-greeting.js';
import type { Entrance } from '../net/port.js';
import { replies } from '../replies.js';
import { type Answer, asQuestion } from './peer-requests.js';

/** How long a client may take to read why it is not served. */
const PARTING_MS = 100;
/** Clients that say nothing have as long as handshakes do. */
const SILENCE_MS = 5000;

export interface WaitingOptions {
  readonly nodeId: number;
  readonly credentials: PeerCredentials;
  readonly clock: Clock;
  /** Most clients, and peers that have proved nothing, at a time. */
  readonly maxClients: number;
  /** Why nobody may come in as a peer by a socket, whatever it proves. */
  readonly refusesPeer: (socket: Socket) => string | undefined;
}

export class WaitingPort {
  private readonly sockets = new Set<Socket>();
  /** Those of {@link sockets} that count as clients. */
  private readonly clients = new Set<Socket>();

  private constructor(
    private readonly transport: PeerTransport,
    private readonly port: Entrance,
  ) {}

  /** @param onInvited a member of a cluster has named the addresses of its nodes */
  static open(
    port: Entrance,
    { nodeId, credentials, refusesPeer, clock, maxClients }: WaitingOptions,
    onInvited: (addresses: readonly string[]) => void,
  ): WaitingPort {
    const transport = new PeerTransport({
      clusterId: '-',
      nodeId,
      credentials,
      refusesPeer,
      clock,
      onQuestion: async (value) => {
        const question = asQuestion(value);
        if (question.kind !== 'invite') return { kind: 'elsewhere', leader: '' } satisfies Answer;
        onInvited(question.addresses);
        return { kind: 'done' } satisfies Answer;
      },
    });
    const waiting = new WaitingPort(transport, port);
    const listener = new Listener({
      hasPeers: true,
      admit: (socket) => waiting.admit(socket, maxClients),
      turnedAway: () => {},
      peer: (socket: Socket, { args, head }: PeerGreeting, proven) =>
        transport.accept(socket, args, head, proven),
    });
    listener.listen(port);
    return waiting;
  }

  private admit(socket: Socket, maxClients: number): Admitted | ErrorReply {
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.clients.delete(socket);
    });
    if (this.clients.size >= maxClients) return replies.tooManyClients;
    this.clients.add(socket);
    const end = (): void => {
      socket.destroy();
    };
    const patience = setTimeout(end, SILENCE_MS);
    socket.once('close', () => clearTimeout(patience));
    return {
      receive: () => {
        if (socket.writableEnded) return;
        socket.end(`-${replies.waitsForCluster.text}\r\n`);
        clearTimeout(patience);
        setTimeout(end, PARTING_MS);
      },
      dismiss: () => {
        clearTimeout(patience);
        this.clients.delete(socket);
      },
    };
  }

  async close(): Promise<void> {
    this.port.hold();
    for (const socket of this.sockets) socket.destroy();
    await this.transport.close();
  }
}
