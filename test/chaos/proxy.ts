/**
 * The network between real processes: TCP proxies that all links go through, and what is wrong with the
 * links.
 *
 * A node is advertised under its proxy's address, so that peers, passed-on commands and clients all come
 * through. A proxy knows who dials: peers say it in their greeting, clients are told apart by their port. A
 * link has a direction, `n1>n2`; one that is blocked one way lets the other way through.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { readPeerGreeting } from '../../src/net/peer-greeting.js';
import type { Random } from '../sim/random.js';

/**
 * What a blocked link does. `stall`: bytes wait and arrive when it is healed, as TCP would have it after a
 * cut. `drop`: bytes are gone, and so is the connection when the link is healed. `refuse`: connections break
 * at once, and so do new ones.
 */
export type BlockMode = 'stall' | 'drop' | 'refuse';

export interface Slowness {
  readonly delayMs: number;
  /** At most so much more, at random. Order is kept. */
  readonly jitterMs: number;
  /** Of all connections of the link together. Undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

/**
 * Names a client's connection to a proxy by both ports: the system gives one port to several connections if
 * they lead elsewhere.
 */
export const wayOf = (clientPort: number, proxyPort: number): string => `${clientPort}>${proxyPort}`;

/** A connection reads no further while so much waits on its way. */
const waitingMaxBytes = 1024 * 1024;

/** What is wrong with the links, for all proxies of a cluster. */
export class Links {
  readonly pipes = new Set<Pipe>();
  /** Connections broken in the middle of what they carried. */
  resets = 0;
  /** Snapshots that were on their way from node to node. */
  snapshots = 0;
  private readonly blocks = new Map<string, BlockMode[]>();
  private readonly slow = new Map<string, Slowness[]>();
  /** When a link with a bandwidth has carried all that it was given. */
  private readonly freeAt = new Map<string, number>();
  private readonly clientNames = new Map<string, string>();
  private readonly reached = new Set<string>();

  constructor(
    readonly random: Random,
    /** Which node has this id, undefined if that is not known yet. */
    private readonly nodeOfId: (id: number) => string | undefined,
  ) {}

  /** Blocks links until the function that is returned is called. */
  block(links: readonly string[], mode: BlockMode): () => void {
    return this.impose(this.blocks, links, mode);
  }

  slowDown(links: readonly string[], slowness: Slowness): () => void {
    return this.impose(this.slow, links, slowness);
  }

  private impose<T>(all: Map<string, T[]>, links: readonly string[], what: T): () => void {
    for (const link of links) all.set(link, [...(all.get(link) ?? []), what]);
    this.changed();
    let isHealed = false;
    return () => {
      if (isHealed) return;
      isHealed = true;
      for (const link of links) {
        const rest = [...(all.get(link) ?? [])];
        const at = rest.indexOf(what);
        if (at >= 0) rest.splice(at, 1);
        if (rest.length === 0) all.delete(link);
        else all.set(link, rest);
      }
      this.changed();
    };
  }

  blockOf(link: string): BlockMode | undefined {
    const modes = this.blocks.get(link);
    return modes === undefined
      ? undefined
      : modes.includes('refuse')
        ? 'refuse'
        : modes.includes('drop')
          ? 'drop'
          : 'stall';
  }

  /** When bytes that want to leave at `fromMs` are through a link that all its connections share. */
  through(link: string, bytes: number, bytesPerSecond: number, fromMs: number): number {
    const throughMs = Math.max(fromMs, this.freeAt.get(link) ?? 0) + (bytes / bytesPerSecond) * 1000;
    this.freeAt.set(link, throughMs);
    return throughMs;
  }

  slownessOf(link: string): Slowness | undefined {
    return this.slow.get(link)?.at(-1);
  }

  /** Breaks up to `most` connections whose next bytes come through: a part of these bytes, then the end. */
  breakMidByte(most: number): number {
    const pipes = [...this.pipes];
    let broken = 0;
    for (let i = 0; i < most && pipes.length > 0; i++) {
      const [pipe] = pipes.splice(this.random.below(pipes.length), 1);
      pipe!.breaksNext = true;
      broken++;
    }
    return broken;
  }

  /** Who a client's connection belongs to (see `wayOf`). */
  nameClient(way: string, name: string): void {
    this.clientNames.set(way, name);
  }

  forgetClient(way: string): void {
    this.clientNames.delete(way);
    this.reached.delete(way);
  }

  /** Something that came this way has found a process that takes connections. */
  noteReached(way: string): void {
    this.reached.add(way);
  }

  /** Whether anything that was sent this way can have arrived anywhere. */
  hasReached(way: string): boolean {
    return this.reached.has(way);
  }

  nameOf(dialer: { readonly id: number } | { readonly way: string }): string {
    if ('id' in dialer) return this.nodeOfId(dialer.id) ?? `id${dialer.id}`;
    return this.clientNames.get(dialer.way) ?? 'somebody';
  }

  private changed(): void {
    for (const pipe of [...this.pipes]) pipe.linkChanged();
  }
}

interface Chunk {
  readonly bytes: Buffer;
  readonly dueAt: number;
}

/** One direction of a connection. */
class Pipe {
  breaksNext = false;
  private readonly queue: Chunk[] = [];
  private queuedBytes = 0;
  private lastDueAt = 0;
  private sourceEnded = false;
  private hasLost = false;
  private timer: NodeJS.Timeout | undefined;
  private isWaitingForDrain = false;

  constructor(
    private readonly links: Links,
    private readonly link: () => string,
    private readonly source: { pause(): unknown; resume(): unknown },
    /** Where bytes go; dialed when the first ones get through. */
    private readonly sink: () => Socket,
    private readonly destroyBoth: () => void,
  ) {
    links.pipes.add(this);
  }

  take(bytes: Buffer): void {
    const now = performance.now();
    const slowness = this.links.slownessOf(this.link());
    let dueAt = now;
    if (slowness !== undefined) {
      const { delayMs, jitterMs, bytesPerSecond } = slowness;
      dueAt = Math.max(this.lastDueAt, now + delayMs + this.links.random.next() * jitterMs);
      if (bytesPerSecond !== undefined)
        dueAt = this.links.through(this.link(), bytes.length, bytesPerSecond, dueAt);
    }
    this.lastDueAt = Math.max(this.lastDueAt, dueAt);
    this.queue.push({ bytes, dueAt: this.lastDueAt });
    this.queuedBytes += bytes.length;
    if (this.queuedBytes > waitingMaxBytes) this.source.pause();
    this.pump();
  }

  /** The source sends nothing more. */
  end(): void {
    this.sourceEnded = true;
    this.pump();
  }

  linkChanged(): void {
    if (this.hasLost && this.links.blockOf(this.link()) === undefined) this.destroyBoth();
    else this.pump();
  }

  private pump(): void {
    clearTimeout(this.timer);
    const block = this.links.blockOf(this.link());
    if (block === 'refuse') {
      this.destroyBoth();
      return;
    }
    if (block === 'stall') return;
    if (block === 'drop' || this.hasLost) {
      // Who has lost bytes must not go on as if nothing had been: the stream would be another one.
      if (this.queue.length > 0 || this.sourceEnded) this.hasLost = true;
      this.queue.length = 0;
      this.queuedBytes = 0;
      this.source.resume();
      return;
    }
    while (this.queue.length > 0 && !this.isWaitingForDrain) {
      const { bytes, dueAt } = this.queue[0]!;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0.5) {
        this.timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.queue.shift();
      this.queuedBytes -= bytes.length;
      if (this.breaksNext) {
        this.links.resets++;
        this.sink().write(bytes.subarray(0, this.links.random.below(bytes.length)), () => this.destroyBoth());
        this.source.pause();
        return;
      }
      this.write(bytes);
      if (this.queuedBytes <= waitingMaxBytes / 2) this.source.resume();
    }
    if (this.sourceEnded && this.queue.length === 0) {
      const sink = this.sink();
      if (!sink.destroyed) sink.end();
    }
  }

  private write(bytes: Buffer): void {
    const sink = this.sink();
    if (sink.destroyed || sink.write(bytes)) return;
    this.isWaitingForDrain = true;
    this.source.pause();
    const goOn = (): void => {
      sink.off('drain', goOn);
      sink.off('close', goOn);
      this.isWaitingForDrain = false;
      this.source.resume();
      this.pump();
    };
    sink.on('drain', goOn);
    sink.on('close', goOn);
  }

  close(): void {
    clearTimeout(this.timer);
    this.links.pipes.delete(this);
  }
}

/** Listens in a node's place and hands on what comes. */
export class NodeProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly links: Links,
    /** Of the node behind it. */
    readonly name: string,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.serve(socket));
  }

  static async listen(
    links: Links,
    name: string,
    target: { readonly host: string; readonly port: number },
    port: number,
  ): Promise<NodeProxy> {
    const proxy = new NodeProxy(links, name, target);
    await new Promise<void>((resolve, reject) => {
      proxy.server.once('error', reject);
      proxy.server.listen(port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  private serve(near: Socket): void {
    const links = this.links;
    const target = this.target;
    const { name } = this;
    const way = wayOf(near.remotePort!, near.localPort!);
    let id: number | undefined;
    let far: Socket | undefined;
    let head: Buffer = Buffer.alloc(0);
    let isKnown = false;
    // Asked for each time: a node, or a client's port, may be known only after it has dialed.
    const from = (): string => links.nameOf(id === undefined ? { way } : { id });
    const finish = (): void => {
      if (!near.destroyed || far?.destroyed === false) return;
      forth.close();
      back.close();
      this.sockets.delete(near);
      if (far !== undefined) this.sockets.delete(far);
    };
    const destroyBoth = (): void => {
      near.destroy();
      far?.destroy();
      finish();
    };
    const farSide = (): Socket => {
      if (far !== undefined) return far;
      far = dial({ ...target, noDelay: true, allowHalfOpen: true });
      this.sockets.add(far);
      far.once('connect', () => links.noteReached(way));
      far.on('data', (bytes: Buffer) => back.take(bytes));
      far.on('end', () => back.end());
      far.on('error', () => back.end());
      far.on('close', () => {
        // Behind a blocked link nobody hears a process die.
        back.end();
        finish();
      });
      return far;
    };
    const forth = new Pipe(links, () => `${from()}>${name}`, near, farSide, destroyBoth);
    const farSource = { pause: () => far?.pause(), resume: () => far?.resume() };
    const back = new Pipe(
      links,
      () => `${name}>${from()}`,
      farSource,
      () => near,
      destroyBoth,
    );
    this.sockets.add(near);
    near.on('data', (bytes: Buffer) => {
      if (isKnown) {
        forth.take(bytes);
        return;
      }
      head = Buffer.concat([head, bytes]);
      const greeting = readPeerGreeting(head);
      if (greeting === 'more') return;
      isKnown = true;
      if (greeting !== undefined) id = Number(greeting.args[2]);
      if (greeting?.args[4] === 'snapshot') links.snapshots++;
      forth.take(head);
    });
    near.on('end', () => {
      if (far === undefined) destroyBoth();
      else forth.end();
    });
    near.on('error', () => {});
    near.on('close', () => {
      if (far === undefined) destroyBoth();
      else forth.end();
      finish();
    });
  }

  /** Ends all connections and the listening. */
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
