/**
 * A port that speaks TLS: whoever it hands on has gone through the handshake, and has shown what certificate
 * it must.
 */
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, TLSSocket, type Server as TlsServer } from 'node:tls';
import { utf8Bytes } from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';
import { HANDSHAKE_MS, Handshakes } from './handshakes.js';
import { type Entrance, Port } from './port.js';
import { remoteAddress } from './socket-addresses.js';
import { reasonOf, type TlsSetup } from './tls-files.js';
import type { TlsIdentity } from './tls-identity.js';

/** At most one line about failed handshakes in so long. */
const COMPLAINT_EVERY_MS = 1000;

export interface TlsPortOptions {
  readonly identity: TlsIdentity;
  readonly log: Log;
  readonly clock: Clock;
  /** Connections that may wait for their handshake. */
  readonly waitingMax: () => number;
}

/** How a node speaks TLS. */
export class NodeTls {
  constructor(
    readonly identity: TlsIdentity,
    readonly port: TlsPort,
    /** The number of the plain port beside it; undefined where there is none. */
    readonly plainPort: number | undefined,
  ) {}

  /**
   * What peers are dialed with, and targets of MIGRATE, as in Redis; undefined: plain TCP (`tls-cluster`).
   */
  get dialing(): SecureContextOptions | undefined {
    return this.identity.current.isOfCluster ? this.identity.current.dialing : undefined;
  }

  /**
   * Whom a client's certificate names (`tls-auth-clients-user`), in latin1; undefined where none does, or
   * shall.
   */
  userOf(socket: Socket): string | undefined {
    return this.identity.current.namesUsers ? commonNameOf(socket) : undefined;
  }
}

export class TlsPort implements Entrance {
  /** Handshakes that came to nothing. */
  failures = 0;
  private readonly handshakes: Handshakes;
  private server: TlsServer;
  private take: ((socket: Socket) => void) | undefined;
  /** Through the handshake while nobody takes connections. */
  private waiting: TLSSocket[] = [];
  private isPaused = false;
  /** By the other side's address, which the handshake's end tells alone. */
  private readonly accepted = new Map<string, Socket>();
  private complainAgainMs = 0;
  private silenced = 0;

  private constructor(
    private readonly port: Port,
    private readonly options: TlsPortOptions,
  ) {
    const { identity, clock, waitingMax } = options;
    this.handshakes = new Handshakes({
      clock,
      waitingMax,
      begin: (socket) => this.begin(socket),
      givenUp: (socket, why) => this.failed(remoteAddress(socket), why),
    });
    this.server = this.serverOf(identity.current);
    // Handshakes that are under way go on with what they began with.
    identity.onChange((setup) => {
      this.server = this.serverOf(setup);
    });
  }

  /** Rejects as `net.Server` does when the address cannot be had. */
  static async open(host: string, port: number, options: TlsPortOptions): Promise<TlsPort> {
    return new TlsPort(await Port.open(host, port), options);
  }

  get number(): number | undefined {
    return this.port.number;
  }

  serve(take: (socket: Socket) => void): void {
    this.take = take;
    this.handOn();
    this.port.serve((socket) => this.handshakes.add(socket));
  }

  hold(): void {
    this.take = undefined;
    this.port.hold();
  }

  pause(): void {
    this.isPaused = true;
    this.port.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.port.resume();
    this.handOn();
  }

  refuse(): void {
    this.port.refuse();
  }

  get isRefusing(): boolean {
    return this.port.isRefusing;
  }

  accept(): Promise<void> {
    return this.port.accept();
  }

  close(): Promise<void> {
    this.options.identity.close();
    this.handshakes.close();
    for (const socket of this.waiting.splice(0)) socket.destroy();
    return this.port.close();
  }

  /** It never listens itself: it is given the connections that are to go through a handshake. */
  private serverOf(setup: TlsSetup): TlsServer {
    const { clientCertificates } = setup;
    const server = createServer({
      ...setup.accepting,
      handshakeTimeout: HANDSHAKE_MS,
      // Peers show one, whether clients must or not.
      requestCert: clientCertificates !== 'no' || setup.isOfCluster,
      rejectUnauthorized: clientCertificates === 'yes',
    });
    server.on('secureConnection', (socket) => this.secured(socket, setup));
    server.on('tlsClientError', (error, socket) => {
      // One whose certificate is no good is closed by Node before it says so: nobody knows its address any
      // more.
      this.failed(
        socket.remoteAddress === undefined ? 'a client' : remoteAddress(socket),
        whyOf(error, socket),
      );
      this.over(socket);
      // Node leaves that to whoever listens where time has run out.
      socket.destroy();
    });
    return server;
  }

  private begin(socket: Socket): void {
    const address = remoteAddress(socket);
    this.accepted.set(address, socket);
    socket.once('close', () => {
      if (this.accepted.get(address) === socket) this.accepted.delete(address);
    });
    this.server.emit('connection', socket);
  }

  private over(socket: TLSSocket): void {
    const raw = this.accepted.get(remoteAddress(socket));
    if (raw === undefined) return;
    this.handshakes.ended(raw);
  }

  private secured(socket: TLSSocket, { clientCertificates }: TlsSetup): void {
    this.over(socket);
    socket.on('error', () => socket.destroy());
    // A certificate need not be shown, but one that is shown must be good.
    if (clientCertificates === 'optional' && !socket.authorized && showsCertificate(socket)) {
      this.failed(remoteAddress(socket), `its certificate is refused: ${socket.authorizationError}`);
      socket.destroy();
      return;
    }
    this.waiting.push(socket);
    this.handOn();
  }

  /** Gives away who is through the handshake, if somebody takes connections now. */
  private handOn(): void {
    if (this.take === undefined || this.isPaused) return;
    for (const socket of this.waiting.splice(0)) if (!socket.destroyed) this.take(socket);
  }

  /** Says so, but not for each of many. */
  private failed(address: string, why: string): void {
    const { log, clock } = this.options;
    this.failures++;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.complainAgainMs) {
      this.silenced++;
      return;
    }
    this.complainAgainMs = nowMs + COMPLAINT_EVERY_MS;
    const others = this.silenced === 0 ? '' : ` (and ${this.silenced} others before)`;
    this.silenced = 0;
    log.notice(`no TLS with ${address}: ${why}${others}`, { event: 'tls-failed', address, reason: why });
  }
}

function showsCertificate(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate()).length > 0;
}

function whyOf(error: Error, socket: TLSSocket): string {
  // Node closes without a word where a certificate is no good.
  if (socket.authorizationError) return `its certificate is refused: ${socket.authorizationError}`;
  return reasonOf(error).trim();
}

/**
 * Of the certificate that a client has shown; undefined for one that showed none, or none of a known
 * authority.
 */
function commonNameOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const names: unknown = socket.getPeerCertificate().subject?.CN;
  // Of several the first, as OpenSSL gives it.
  const name: unknown = Array.isArray(names) ? names[0] : names;
  return typeof name === 'string' && name !== '' ? utf8Bytes(name) : undefined;
}
