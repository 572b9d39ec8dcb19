/**
 * TLS handshakes under way. One costs about a millisecond of the event loop and some tens of kilobytes, and
 * is had for the asking: so only a few begin in one turn of the loop, a bounded number are under way, and the
 * others wait unread.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../raft/node/index.js';
import { setImmediate } from '../../raft/node/timers.js';

/** How long a handshake may take, and how long it may wait to begin. */
export const HANDSHAKE_MS = 5000;
const UNDER_WAY_MAX = 128;
const BEGUN_PER_TURN = 8;
/** While others wait, a handshake that has taken longer than this gives way. */
const SLOW_MS = 1000;
const LOOK_EVERY_MS = 100;

export interface HandshakePorts {
  readonly clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  /** So many may wait; the oldest gives way to more. */
  waitingMax(): number;
  begin(socket: Socket): void;
  /** A connection was given up before its handshake was over. */
  givenUp(socket: Socket, why: string): void;
}

export class Handshakes {
  /** Accepted and unread, the oldest first, with the time since when. */
  private readonly waiting = new Map<Socket, number>();
  /** Begun, the oldest first, with the time since when. */
  private readonly underWay = new Map<Socket, number>();
  private isBeginning = false;
  private timer: Timer | undefined;
  private isClosed = false;

  constructor(private readonly ports: HandshakePorts) {}

  /** Connections that have not proved to be anything yet. */
  get size(): number {
    return this.waiting.size + this.underWay.size;
  }

  /** Takes a connection that was accepted and not read from. */
  add(socket: Socket): void {
    const { waiting, ports } = this;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.ended(socket));
    const [oldest] = waiting.keys();
    if (oldest !== undefined && waiting.size >= ports.waitingMax())
      this.giveUp(oldest, 'too many wait for a handshake');
    waiting.set(socket, ports.clock.monotonicMs());
    this.beginSoon();
  }

  /** A handshake is over, well or not. */
  ended(socket: Socket): void {
    this.waiting.delete(socket);
    if (this.underWay.delete(socket)) this.beginSoon();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    for (const socket of [...this.waiting.keys(), ...this.underWay.keys()]) socket.destroy();
  }

  private beginSoon(): void {
    if (this.isBeginning || this.waiting.size === 0) return;
    this.isBeginning = true;
    setImmediate(() => {
      this.isBeginning = false;
      this.begin();
    });
  }

  private begin(): void {
    const { waiting, underWay, ports } = this;
    if (this.isClosed) return;
    let begun = 0;
    for (const socket of waiting.keys()) {
      if (begun === BEGUN_PER_TURN || underWay.size >= UNDER_WAY_MAX) break;
      waiting.delete(socket);
      underWay.set(socket, ports.clock.monotonicMs());
      begun++;
      ports.begin(socket);
    }
    if (waiting.size === 0) return;
    if (underWay.size < UNDER_WAY_MAX) this.beginSoon();
    else this.timer ??= ports.clock.setTimer(LOOK_EVERY_MS, () => this.hurry());
  }

  /** All places are taken: who is slow gives way, who waited in vain is told off. */
  private hurry(): void {
    this.timer = undefined;
    const nowMs = this.ports.clock.monotonicMs();
    for (const [socket, sinceMs] of this.waiting) {
      if (nowMs - sinceMs < HANDSHAKE_MS) break;
      this.giveUp(socket, 'it waited too long for a handshake');
    }
    let room = this.waiting.size;
    for (const [socket, sinceMs] of this.underWay) {
      if (room-- <= 0 || nowMs - sinceMs < SLOW_MS) break;
      this.giveUp(socket, 'its handshake was slow while others waited');
    }
    this.begin();
  }

  private giveUp(socket: Socket, why: string): void {
    this.waiting.delete(socket);
    this.underWay.delete(socket);
    this.ports.givenUp(socket, why);
    socket.destroy();
  }
}
