/** Links between machines and from clients to machines: slow, lossy, doubling, reordering, cut. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Entry, Message } from '../../raft/index.js';
import type { EventLoop } from './event-loop.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

export interface Weather {
  /** Share of messages that are lost. */
  readonly loss: number;
  /** Share of messages that arrive twice. */
  readonly duplication: number;
  /** Mean time on the way, exponential: messages overtake each other. */
  readonly delayMs: number;
}

export const calm: Weather = { loss: 0, duplication: 0, delayMs: 0.4 };

/** Places are names of machines (`m1`) and clients (`c1`). */
export class Network {
  weather: Weather = calm;
  /** What a link carries of appends; undefined: as much as comes. */
  bytesPerMs: number | undefined;
  /** Connections of which a cut has swallowed something. */
  readonly broken = new Set<ClientLink>();
  /** What is on its way over thin links, in the order in which it was sent. */
  private readonly held = new Set<{ readonly arrive: () => void; timer: { cancel(): void } }>();
  /** When a thin link has carried all that it was given. */
  private readonly freeAtMs = new Map<string, number>();
  /** Links that carry nothing, as `from>to`. */
  private readonly cuts = new Map<string, number>();
  /** Messages by type: sent, and lost to faults. */
  sent = 0;
  lost = 0;

  constructor(
    private readonly loop: EventLoop,
    private readonly random: Random,
  ) {}

  /** Cuts or mends (-1) links; cuts add up. */
  cut(links: readonly string[], by: 1 | -1 = 1): void {
    for (const link of links) this.cuts.set(link, (this.cuts.get(link) ?? 0) + by);
  }

  isCut(from: string, to: string): boolean {
    return (this.cuts.get(`${from}>${to}`) ?? 0) > 0;
  }

  heal(): void {
    this.cuts.clear();
    this.weather = calm;
    this.widen();
    // Their ends find out: one of them sends, and is told that nobody knows the connection.
    for (const link of this.broken) link.breakOff();
    this.broken.clear();
  }

  /** How long the next message takes. */
  delay(): number {
    return 0.05 + this.random.exponential(this.weather.delayMs);
  }

  /**
   * The bytes of an append are through behind those of earlier ones, in order; other messages pass them.
   */
  private arriveBehind(link: string, bytes: number, arrive: () => void): void {
    const { nowMs } = this.loop;
    if (this.bytesPerMs === undefined || bytes === 0) {
      this.loop.after(this.delay(), arrive);
      return;
    }
    const throughMs = Math.max(nowMs, this.freeAtMs.get(link) ?? 0) + bytes / this.bytesPerMs;
    this.freeAtMs.set(link, throughMs);
    const held = { arrive, timer: { cancel() {} } };
    this.held.add(held);
    held.timer = this.loop.after(this.delay() + throughMs - nowMs, () => {
      this.held.delete(held);
      arrive();
    });
  }

  /** Links carry what comes again: what was on its way is through at once. */
  widen(): void {
    this.bytesPerMs = undefined;
    this.freeAtMs.clear();
    for (const { arrive, timer } of this.held) {
      timer.cancel();
      this.loop.after(this.delay(), arrive);
    }
    this.held.clear();
  }

  /** Sends a datagram. Returns false if it is lost. */
  send(from: string, to: string, arrive: () => void, bytes = 0): boolean {
    this.sent++;
    if (this.isCut(from, to) || this.random.chance(this.weather.loss)) {
      this.lost++;
      return false;
    }
    this.arriveBehind(`${from}>${to}`, bytes, arrive);
    if (this.random.chance(this.weather.duplication)) this.loop.after(this.delay() * 2, arrive);
    return true;
  }
}

/** A message as another process gets it: no byte is shared. */
export function copyMessage(message: Message): Message {
  if (message.type !== 'append') return copySmall(message);
  return { ...message, entries: message.entries.map(copyEntry) };
}

function copyEntry(entry: Entry): Entry {
  return { ...entry, payload: Buffer.from(entry.payload) };
}

function copySmall(message: Message): Message {
  if (message.type !== 'snapshot') return { ...message };
  return { ...message, snapshot: JSON.parse(JSON.stringify(message.snapshot)) };
}

/** One direction of a connection: bytes arrive in order or not at all. */
class Stream {
  private nextAtMs = 0;
  isBroken = false;

  constructor(
    private readonly loop: EventLoop,
    private readonly network: Network,
    private readonly from: string,
    private readonly to: string,
    private readonly onBroken: () => void,
  ) {}

  send(arrive: () => void): void {
    // What a cut swallows is a hole that nothing behind it can pass; the connection then only ends by
    // somebody's patience.
    if (!this.isBroken && this.network.isCut(this.from, this.to)) {
      this.isBroken = true;
      this.onBroken();
    }
    if (this.isBroken) return;
    this.nextAtMs = Math.max(this.nextAtMs, this.loop.nowMs + this.network.delay());
    this.loop.after(this.nextAtMs - this.loop.nowMs, arrive);
  }
}

/** What the server sees of a client: as much of a socket as it uses. */
export class ServerSocket extends EventEmitter {
  destroyed = false;
  writableLength = 0;
  readonly remoteAddress = '10.0.1.1';

  constructor(
    readonly remotePort: number,
    private readonly link: ClientLink,
  ) {
    super();
  }

  write(bytes: Buffer): boolean {
    // The system takes the bytes at once; `writableLength` stays 0, so the writer may use its buffer again.
    if (!this.destroyed) this.link.toClient(bytes);
    return true;
  }

  end(text?: string): void {
    if (text !== undefined) this.write(Buffer.from(text));
    this.link.closeFromServer();
  }

  destroy(): void {
    this.link.closeFromServer();
  }

  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
}

/** What a process sees of a connection that it opened. */
export class DialledSocket extends EventEmitter {
  destroyed = false;
  writableLength = 0;

  constructor(
    private readonly send: (bytes: Buffer) => void,
    private readonly abandon: () => void,
  ) {
    super();
  }

  write(bytes: Buffer): boolean {
    if (!this.destroyed) this.send(bytes);
    return true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.abandon();
    queueMicrotask(() => this.emit('close'));
  }

  /** The other end is gone. */
  closed(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
}

export interface LinkListener {
  received(bytes: Buffer): void;
  /** Refused, ended by the server, or its process died. */
  closed(): void;
}

/** A client's connection to one process. */
export class ClientLink {
  private readonly up: Stream;
  private readonly down: Stream;
  private socket: ServerSocket | undefined;
  private isClosed = false;

  constructor(
    private readonly loop: EventLoop,
    network: Network,
    client: string,
    machine: string,
    private readonly process: Process,
    private readonly random: Random,
    private readonly listener: LinkListener,
    port: number,
    serve: (socket: Socket) => void,
  ) {
    const onBroken = (): void => {
      network.broken.add(this);
    };
    this.up = new Stream(loop, network, client, machine, onBroken);
    this.down = new Stream(loop, network, machine, client, onBroken);
    this.up.send(() =>
      process.run(() => {
        if (this.isClosed) return;
        this.socket = new ServerSocket(port, this);
        serve(this.socket as unknown as Socket);
      }),
    );
  }

  /** Sends a client's bytes, now and then in two pieces. */
  send(bytes: Buffer): void {
    const middle = this.random.chance(0.1) ? this.random.below(bytes.length) : 0;
    for (const piece of middle === 0 ? [bytes] : [bytes.subarray(0, middle), bytes.subarray(middle)]) {
      this.up.send(() =>
        this.process.run(() => {
          if (this.socket === undefined || this.socket.destroyed) return;
          const borrowed = Buffer.from(piece);
          this.socket.emit('data', borrowed);
          // Whoever kept a view of a chunk instead of its bytes is found out.
          borrowed.fill(0x58);
        }),
      );
    }
  }

  toClient(bytes: Buffer): void {
    const copy = Buffer.from(bytes);
    this.down.send(() => {
      if (!this.isClosed) this.listener.received(copy);
    });
  }

  /** Calls back at the client once all has arrived that was sent to it by now. */
  mark(arrive: () => void): void {
    this.down.send(() => {
      if (!this.isClosed) arrive();
    });
  }

  closeFromServer(): void {
    if (this.socket === undefined || this.socket.destroyed) return;
    this.socket.destroyed = true;
    this.loop.after(0, () => this.process.run(() => this.socket!.emit('close')));
    this.down.send(() => this.close());
  }

  /** Whether all that was sent has arrived, or will. */
  get isSound(): boolean {
    return !this.up.isBroken && !this.down.isBroken;
  }

  /** Both ends learn that the connection is broken. */
  breakOff(): void {
    const { socket } = this;
    if (socket !== undefined && !socket.destroyed) {
      socket.destroyed = true;
      this.loop.after(0, () => this.process.run(() => socket.emit('close')));
    }
    this.loop.after(0, () => this.close());
  }

  /** The process at the other end is gone. */
  reset(): void {
    this.down.send(() => this.close());
  }

  /** The client goes; the server learns of it. */
  abandon(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.up.send(() =>
      this.process.run(() => {
        const { socket } = this;
        if (socket === undefined || socket.destroyed) return;
        socket.destroyed = true;
        socket.emit('end');
        socket.emit('close');
      }),
    );
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.listener.closed();
  }
}
