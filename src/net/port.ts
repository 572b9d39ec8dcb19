/**
 * A node's port, open from the beginning of its life to the end: a start on a port that is taken fails before
 * it has founded anything, and who connects meanwhile is told how things stand. Who takes the connections
 * changes with what the node can do.
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';

/** Nobody takes connections for moments only: so many may wait for it. */
const WAITING_MAX = 1000;

/** Where connections come in. */
export interface Entrance {
  /** The port's number; undefined once it is closed. */
  readonly number: number | undefined;
  /** From now on `take` gets the connections, paused and unread. */
  serve(take: (socket: Socket) => void): void;
  /** From now on connections wait. */
  hold(): void;
  /** Connections wait until {@link resume}, whoever is to take them. */
  pause(): void;
  resume(): void;
  /**
   * Stops listening, as a process does that has ended: who connects is refused. What is connected stays so.
   */
  refuse(): void;
  /** Whether who connects is refused. */
  readonly isRefusing: boolean;
  /** Listens again on the same number. Rejects as `net.Server` does when the address cannot be had. */
  accept(): Promise<void>;
  /** Accepts no more. Resolves when it is given up and every socket is gone. */
  close(): Promise<void>;
}

/** Several entrances as one; its number is the first one's. */
export class Entrances implements Entrance {
  constructor(private readonly all: readonly Entrance[]) {}

  get number(): number | undefined {
    return this.all[0].number;
  }

  serve(take: (socket: Socket) => void): void {
    for (const entrance of this.all) entrance.serve(take);
  }

  hold(): void {
    for (const entrance of this.all) entrance.hold();
  }

  pause(): void {
    for (const entrance of this.all) entrance.pause();
  }

  resume(): void {
    for (const entrance of this.all) entrance.resume();
  }

  refuse(): void {
    for (const entrance of this.all) entrance.refuse();
  }

  get isRefusing(): boolean {
    return this.all[0].isRefusing;
  }

  async accept(): Promise<void> {
    for (const entrance of this.all) await entrance.accept();
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((entrance) => entrance.close()));
  }
}

export class Port implements Entrance {
  private readonly net: NetServer;
  private take: ((socket: Socket) => void) | undefined;
  /** Accepted while nobody takes connections. */
  private waiting: Socket[] = [];

  private isPaused = false;
  /** Its number, while it does not listen. */
  private refusing: number | undefined;

  private constructor(private readonly host: string) {
    this.net = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      if (this.take !== undefined && !this.isPaused) {
        this.take(socket);
        return;
      }
      socket.on('error', () => {});
      if (this.waiting.length < WAITING_MAX) this.waiting.push(socket);
      else socket.destroy();
    });
  }

  /** Rejects as `net.Server` does when the address cannot be had. */
  static async open(host: string, port: number): Promise<Port> {
    const opened = new Port(host);
    await opened.listen(port, host);
    return opened;
  }

  private listen(port: number, host: string): Promise<void> {
    const { net } = this;
    return new Promise<void>((resolve, reject) => {
      net.once('error', reject);
      net.listen(port, host, () => {
        net.off('error', reject);
        resolve();
      });
    });
  }

  get number(): number | undefined {
    const address = this.net.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  }

  serve(take: (socket: Socket) => void): void {
    this.take = take;
    for (const socket of this.waiting.splice(0)) {
      if (!socket.destroyed) take(socket);
    }
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    if (this.take !== undefined) this.serve(this.take);
  }

  hold(): void {
    this.take = undefined;
  }

  refuse(): void {
    const { number } = this;
    if (number === undefined) return;
    this.refusing = number;
    this.net.close();
  }

  get isRefusing(): boolean {
    return this.refusing !== undefined;
  }

  async accept(): Promise<void> {
    const number = this.refusing;
    if (number === undefined) return;
    this.refusing = undefined;
    await this.listen(number, this.host);
  }

  close(): Promise<void> {
    for (const socket of this.waiting.splice(0)) socket.destroy();
    return new Promise((resolve) => this.net.close(() => resolve()));
  }
}

/** Of a node that nobody can dial: what connects to it in its process asks only whether it is refused. */
export class NoPort implements Entrance {
  isRefusing = false;

  /** @param number what it says of itself */
  constructor(readonly number: number) {}

  serve(): void {}

  hold(): void {}

  pause(): void {}

  resume(): void {}

  refuse(): void {
    this.isRefusing = true;
  }

  async accept(): Promise<void> {
    this.isRefusing = false;
  }

  async close(): Promise<void> {}
}
