/**
 * The port: accepts sockets, and tells by their first bytes whether a client speaks or a peer. Clients and peers share one port, but only
 * clients are counted and limited.
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { replies } from '../replies.js';
import { giveOwnChunks, reuseReadBuffer } from './client-socket.js';
import { type PeerGreeting, readPeerGreeting } from './peer-greeting.js';

/** How long a connection beyond the limit may take to show that it is a peer's. */
const TURN_AWAY_MS = 100;

/** What becomes of who is accepted. */
export interface Reception {
  /** Takes a client on; undefined where there is no room for one more. */
  admit(socket: Socket): Admitted | undefined;
  /** A connection was turned away. */
  turnedAway(): void;
  /** Whether peers may come. */
  readonly hasPeers: boolean;
  /** A peer's connection, paused: what it greeted with, and what was read behind that. */
  peer(socket: Socket, greeting: PeerGreeting): void;
}

/** A client that was taken on. */
export interface Admitted {
  receive(chunk: Buffer): void;
  /** It is none: a peer spoke. */
  dismiss(): void;
}

export class Listener {
  private readonly net: NetServer;

  constructor(private readonly reception: Reception) {
    this.net = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.serve(reuseReadBuffer(socket)),
    );
  }

  /** Resolves once connections are accepted. Rejects as `net.Server` does when the address cannot be had. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.net.once('error', reject);
      this.net.listen(port, host, () => {
        this.net.off('error', reject);
        resolve();
      });
    });
  }

  /** The port in use; undefined before {@link listen}. */
  get port(): number | undefined {
    const address = this.net.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  }

  /** Accepts no more. Resolves when the port is given up and every socket, be it a peer's, is gone. */
  close(): Promise<void> {
    return new Promise((resolve) => this.net.close(() => resolve()));
  }

  /** Serves a connection until it ends: a client's, until its first bytes are those of a peer. */
  serve(socket: Socket): void {
    const reception = this.reception;
    const destroy = (): void => {
      socket.destroy();
    };
    socket.on('error', destroy);
    // Peers are exempt from the limit, and do not keep it waiting for long.
    const admitted = reception.admit(socket);
    const turnAway = (): void => {
      reception.turnedAway();
      socket.end(`-${replies.tooManyClients.text}\r\n`);
    };
    const patience = admitted === undefined ? setTimeout(turnAway, TURN_AWAY_MS) : undefined;
    let begun: Buffer | undefined;
    const receiveFirst = (chunk: Buffer): void => {
      const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk]);
      const greeting = reception.hasPeers ? readPeerGreeting(bytes) : undefined;
      if (greeting === 'more') {
        begun = Buffer.from(bytes);
        return;
      }
      clearTimeout(patience);
      socket.off('data', receiveFirst);
      if (greeting !== undefined) {
        admitted?.dismiss();
        socket.pause();
        socket.off('error', destroy);
        giveOwnChunks(socket);
        // Peers have nothing to say to who hears nothing.
        socket.allowHalfOpen = false;
        reception.peer(socket, greeting);
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
}
