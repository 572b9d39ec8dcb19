/**
 * Takes a port's sockets, and tells by their first bytes whether a client speaks or a peer. Clients and peers
 * share one port, but only clients, and peers that have not proved themselves yet, are counted and limited.
 */
import type { Socket } from 'node:net';
import { ErrorReply } from '../../engine/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import { giveOwnChunks, reuseReadBuffer } from './client-socket.js';
import { type PeerGreeting, readPeerGreeting } from './peer-greeting.js';
import type { Entrance } from './port.js';

/** How long a connection that no client may have can take to show that it is a peer's. */
const TURN_AWAY_MS = 100;
/** How long half a greeting may take to become whole, as long as the handshake behind it. */
const GREETING_MS = 5000;
/**
 * Handshakes beyond the limit of clients: peers come in however many clients there are. The oldest gives way.
 */
const HANDSHAKES_RESERVED = 32;

/** What becomes of who is accepted. */
export interface Reception {
  /** Takes a client on, or says why not. */
  admit(socket: Socket): Admitted | ErrorReply;
  /** A connection was turned away. */
  turnedAway(): void;
  /** Whether peers may come. */
  readonly hasPeers: boolean;
  /**
   * A peer's connection, paused: what it greeted with, and what was read behind that.
   *
   * @param proven to be called once it has proved itself; until then it counts as a client
   */
  peer(socket: Socket, greeting: PeerGreeting, proven: () => void): void;
}

/** A client that was taken on. */
export interface Admitted {
  receive(chunk: Buffer): void;
  /** It is none: a peer spoke. */
  dismiss(): void;
}

export class Listener {
  private port: Entrance | undefined;
  /** Of connections that are not counted as clients. */
  private readonly handshakes = new Set<Socket>();

  constructor(private readonly reception: Reception) {}

  /** Takes the port's connections from now on. */
  listen(port: Entrance): void {
    this.port = port;
    port.serve((socket) => this.serve(reuseReadBuffer(socket)));
  }

  /** The port's number; undefined before {@link listen}. */
  get portNumber(): number | undefined {
    return this.port?.number;
  }

  /** Accepts no more. Resolves when the port is given up and every socket, be it a peer's, is gone. */
  async close(): Promise<void> {
    await this.port?.close();
  }

  /** Serves a connection until it ends: a client's, until its first bytes are those of a peer. */
  serve(socket: Socket): void {
    const reception = this.reception;
    const destroy = (): void => {
      socket.destroy();
    };
    socket.on('error', destroy);
    const admission = reception.admit(socket);
    const admitted = admission instanceof ErrorReply ? undefined : admission;
    const turnAway = (): void => {
      reception.turnedAway();
      socket.end(`-${(admission as ErrorReply).text}\r\n`);
      // Who does not read it does not stay, nor who goes on talking.
      socket.off('data', receiveFirst);
      setTimeout(destroy, TURN_AWAY_MS);
    };
    // Peers are exempt from the limit, and do not keep it waiting for long.
    let patience = admitted === undefined ? setTimeout(turnAway, TURN_AWAY_MS) : undefined;
    let begun: Buffer | undefined;
    const receiveFirst = (chunk: Buffer): void => {
      const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk]);
      const greeting = reception.hasPeers ? readPeerGreeting(bytes) : undefined;
      if (greeting === 'more') {
        begun = Buffer.from(bytes);
        patience ??= setTimeout(destroy, GREETING_MS);
        return;
      }
      clearTimeout(patience);
      socket.off('data', receiveFirst);
      if (greeting !== undefined) {
        if (admitted === undefined) this.reserve(socket);
        socket.pause();
        socket.off('error', destroy);
        giveOwnChunks(socket);
        // Peers have nothing to say to who hears nothing.
        socket.allowHalfOpen = false;
        reception.peer(socket, greeting, () => {
          this.handshakes.delete(socket);
          admitted?.dismiss();
        });
      } else if (admitted !== undefined) {
        socket.on('data', (data: Buffer) => admitted.receive(data));
        admitted.receive(bytes);
      } else {
        turnAway();
      }
    };
    socket.on('data', receiveFirst);
    socket.once('close', () => clearTimeout(patience));
  }

  private reserve(socket: Socket): void {
    const [oldest] = this.handshakes;
    if (this.handshakes.size >= HANDSHAKES_RESERVED) oldest.destroy();
    this.handshakes.add(socket);
    socket.once('close', () => this.handshakes.delete(socket));
  }
}
