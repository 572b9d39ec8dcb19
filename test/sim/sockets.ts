/**
 * Sockets in virtual time, as much of node:net's as the transport of peers uses. Bytes come in order, in
 * pieces of any length, after delays, over links with a bandwidth. A cut holds them until it heals, as TCP
 * does; a connection is reset, with what is on its way, or half of it is gone and nobody says so.
 */
import { EventEmitter } from 'node:events';
import type net from 'node:net';
import type { EventLoop } from './event-loop.js';
import type { Random } from './random.js';

/** The process that holds a socket. */
export interface SocketHost {
  /** As links name it. */
  readonly name: string;
  readonly isDead: boolean;
  /** Runs what happens in the process. */
  run(callback: () => void): void;
}

export interface SocketWeather {
  readonly delayMs: number;
  /** Undefined: as much as comes. */
  readonly bytesPerMs: number | undefined;
  /** Bytes that arrive at once, at most. */
  readonly pieceMax: number;
}

interface Listener {
  readonly host: SocketHost;
  readonly accept: (socket: net.Socket) => void;
}

const windowBytes = 64 * 1024;
const retryMs = 20;
/** What the smallest piece takes: more of them do not fit into a millisecond. */
const pieceMinMs = 0.02;

export class SocketNetwork {
  weather: SocketWeather = { delayMs: 0.4, bytesPerMs: undefined, pieceMax: 64 * 1024 };
  private readonly listeners = new Map<string, Listener>();
  private readonly sockets = new Set<SimulatedSocket>();
  /** Whose bytes are being handed over at this very moment. */
  arriving: SimulatedSocket | undefined;

  constructor(
    readonly loop: EventLoop,
    readonly random: Random,
    /** Whether a link carries nothing. */
    readonly isCut: (from: string, to: string) => boolean,
  ) {}

  listen(address: string, host: SocketHost, accept: (socket: net.Socket) => void): void {
    this.listeners.set(address, { host, accept });
  }

  connect(host: SocketHost, address: string): net.Socket {
    const socket = new SimulatedSocket(this, host, address);
    this.sockets.add(socket);
    this.loop.after(this.delay(), () => this.establish(socket, address));
    return socket as unknown as net.Socket;
  }

  private establish(socket: SimulatedSocket, address: string): void {
    if (socket.destroyed) return;
    const listener = this.listeners.get(address);
    const there = listener?.host.name ?? address;
    if (this.isCut(socket.host.name, there) || this.isCut(there, socket.host.name)) {
      this.loop.after(retryMs, () => this.establish(socket, address));
      return;
    }
    if (listener === undefined || listener.host.isDead) {
      socket.fails('ECONNREFUSED');
      return;
    }
    const accepted = new SimulatedSocket(this, listener.host, socket.host.name);
    this.sockets.add(accepted);
    accepted.other = socket;
    listener.host.run(() => listener.accept(accepted as unknown as net.Socket));
    this.loop.after(this.delay(), () => {
      socket.other = accepted;
      socket.pump();
    });
  }

  /** The other ends of a dead process's connections are told, unless its machine is gone, too. */
  died(host: SocketHost, isTold: boolean): void {
    for (const socket of [...this.sockets]) {
      if (socket.host !== host) continue;
      socket.destroyed = true;
      this.sockets.delete(socket);
      if (isTold) socket.other?.fails('ECONNRESET');
    }
  }

  /** Breaks a connection of this process, with all that is on its way. */
  reset(host: SocketHost): void {
    const own = [...this.sockets].filter((socket) => socket.host === host && socket.other !== undefined);
    if (own.length === 0) return;
    const socket = this.random.pick(own);
    socket.other!.fails('ECONNRESET');
    socket.fails('ECONNRESET');
  }

  /** Bytes that the sockets of a process have not been relieved of, of each. */
  *waitingBytes(host: SocketHost): Generator<number> {
    for (const socket of this.sockets) if (socket.host === host) yield socket.writableLength;
  }

  forget(socket: SimulatedSocket): void {
    this.sockets.delete(socket);
  }

  delay(): number {
    return 0.02 + this.random.exponential(this.weather.delayMs);
  }

  /** Whether another process answers at the place of one that is gone. */
  hasSuccessor(host: SocketHost): boolean {
    for (const other of this.listeners.values())
      if (other.host.name === host.name && other.host !== host && !other.host.isDead) return true;
    return false;
  }
}

export class SimulatedSocket extends EventEmitter {
  destroyed = false;
  other: SimulatedSocket | undefined;
  writableLength = 0;
  readonly remotePort = 1;
  private readonly outgoing: Buffer[] = [];
  /** On its way to the other end. */
  private readonly wire: { readonly atMs: number; readonly arrive: () => void }[] = [];
  private readonly received: Buffer[] = [];
  private receivedBytes = 0;
  private isPaused = true;
  private isEnding = false;
  private hasEnded = false;
  private wantsDrain = false;
  private isPumping = false;
  /** Nothing may arrive before. */
  private arrivesAtMs = 0;
  private movedAtMs = 0;

  constructor(
    private readonly network: SocketNetwork,
    readonly host: SocketHost,
    readonly remoteAddress: string,
  ) {
    super();
  }

  write(bytes: Buffer | string, encoding?: BufferEncoding): boolean {
    if (this.destroyed || this.isEnding || bytes.length === 0) return false;
    const piece = typeof bytes === 'string' ? Buffer.from(bytes, encoding) : bytes;
    this.outgoing.push(piece);
    this.writableLength += piece.length;
    this.pump();
    this.wantsDrain ||= this.writableLength > 16 * 1024;
    return !this.wantsDrain;
  }

  end(text?: string, encoding?: BufferEncoding): void {
    if (text !== undefined) this.write(text, encoding);
    this.isEnding = true;
    this.pump();
  }

  destroy(): void {
    if (this.destroyed) return;
    const { other } = this;
    this.close();
    // What is on its way arrives, or a reset overtakes it.
    if (other === undefined) return;
    if (this.network.random.chance(0.5)) this.tell(() => other.fails('ECONNRESET'));
    else this.tell(() => other.arrive(undefined));
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.network.loop.after(0, () => this.host.run(() => this.handOver()));
  }

  /** Calls back when nothing has moved for so long. */
  setTimeout(ms: number, callback: () => void): void {
    const look = (): void => {
      const idleMs = this.network.loop.nowMs - this.movedAtMs;
      if (this.destroyed) return;
      if (idleMs >= ms) this.host.run(callback);
      else this.network.loop.after(ms - idleMs, look);
    };
    this.movedAtMs = this.network.loop.nowMs;
    this.network.loop.after(ms, look);
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  cork(): void {}
  uncork(): void {}

  /** The connection broke. */
  fails(code: string): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.network.forget(this);
    this.host.run(() => {
      this.emit('error', Object.assign(new Error(`${code}: simulated`), { code }));
      this.emit('close');
    });
  }

  /** Sends the next piece, if there is one and there is room for it at the other end. */
  pump(): void {
    const { network, other } = this;
    if (this.isPumping || this.destroyed || other === undefined) return;
    if (this.outgoing.length === 0) {
      if (this.isEnding && !this.hasEnded) {
        this.hasEnded = true;
        this.tell(() => other.arrive(undefined));
      }
      return;
    }
    this.isPumping = true;
    const again = (ms: number): void => {
      network.loop.after(ms, () => {
        this.isPumping = false;
        this.pump();
      });
    };
    if (other.host.isDead) {
      // Nobody answers, until somebody else does at its place.
      if (network.hasSuccessor(other.host)) this.fails('ECONNRESET');
      else again(retryMs);
      return;
    }
    if (this.isCutOff(other) || other.receivedBytes > windowBytes) {
      again(retryMs);
      return;
    }
    const piece = this.takePiece(1 + network.random.below(network.weather.pieceMax));
    const { bytesPerMs } = network.weather;
    const tookMs = bytesPerMs === undefined ? 0 : piece.length / bytesPerMs;
    network.loop.after(Math.max(pieceMinMs, tookMs), () => {
      this.isPumping = false;
      if (this.destroyed) return;
      this.movedAtMs = network.loop.nowMs;
      this.writableLength -= piece.length;
      if (this.writableLength === 0 && this.wantsDrain) {
        this.wantsDrain = false;
        this.host.run(() => this.destroyed || this.emit('drain'));
      }
      this.tell(() => other.arrive(piece));
      this.pump();
    });
  }

  private isCutOff(other: SimulatedSocket): boolean {
    const [here, there] = [this.host.name, other.host.name];
    return this.network.isCut(here, there) || this.network.isCut(there, here);
  }

  private takePiece(bytes: number): Buffer {
    const taken: Buffer[] = [];
    let left = bytes;
    while (left > 0 && this.outgoing.length > 0) {
      const first = this.outgoing[0]!;
      taken.push(first.subarray(0, left));
      if (first.length <= left) this.outgoing.shift();
      else this.outgoing[0] = first.subarray(left);
      left -= first.length;
    }
    return Buffer.concat(taken);
  }

  /** Something comes to the other end, behind all that came before. */
  private tell(arrive: () => void): void {
    const { nowMs } = this.network.loop;
    this.arrivesAtMs = Math.max(this.arrivesAtMs, nowMs + this.network.delay());
    this.wire.push({ atMs: this.arrivesAtMs, arrive });
    if (this.wire.length === 1) this.flow();
  }

  /** The first of what is on its way arrives when its time has come; all else is behind it. */
  private flow(): void {
    const { loop } = this.network;
    for (let first = this.wire[0]; first !== undefined; first = this.wire[0]) {
      const isHeld = this.other !== undefined && this.isCutOff(this.other);
      if (isHeld || first.atMs > loop.nowMs) {
        loop.after(isHeld ? retryMs : first.atMs - loop.nowMs, () => this.flow());
        return;
      }
      first.arrive();
      this.wire.shift();
    }
  }

  /** Bytes, or the end of what comes. */
  private arrive(piece: Buffer | undefined): void {
    if (this.destroyed || this.host.isDead) return;
    this.received.push(piece ?? Buffer.alloc(0));
    this.receivedBytes += piece?.length ?? 0;
    this.movedAtMs = this.network.loop.nowMs;
    this.host.run(() => this.handOver());
  }

  private handOver(): void {
    while (!this.isPaused && !this.destroyed && this.received.length > 0) {
      const piece = this.received.shift()!;
      this.receivedBytes -= piece.length;
      if (piece.length === 0) {
        this.emit('end');
        return;
      }
      this.network.arriving = this;
      this.emit('data', piece);
      this.network.arriving = undefined;
      // Whoever kept a view of a chunk instead of its bytes is found out.
      piece.fill(0x58);
    }
  }

  private close(): void {
    this.destroyed = true;
    this.network.forget(this);
    this.network.loop.after(0, () => this.host.run(() => this.emit('close')));
  }
}
