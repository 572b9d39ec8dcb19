/** How nodes reach each other, and what can be done about it. */
import { freePort } from '../durability/spawned.js';
import type { Random } from '../sim/random.js';
import { type BlockMode, Links, NodeProxy, type Slowness } from './proxy.js';

export interface NodePlace {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly prefix: readonly string[];
}

/** Links are named `n1>n2`, by who sends and who receives; clients are `c1`, `c2`, ... */
export interface Network {
  /** Undefined where there are no proxies. */
  readonly links: Links | undefined;
  addNode(name: string): Promise<NodePlace>;
  /** The node, which does not run now, is to be found elsewhere from now on. */
  moveNode(name: string): Promise<NodePlace>;
  /** Blocks links until the function that is returned is called. */
  block(links: readonly string[], mode: BlockMode): () => void;
  slowDown(links: readonly string[], slowness: Slowness): () => void;
  /** Breaks some connections in the middle of what they carry. */
  breakMidByte(most: number): void;
  close(): Promise<void>;
}

/** Hands out ports: one after the other, or any that are free. */
export class Ports {
  constructor(private next: number | undefined) {}

  async take(): Promise<number> {
    return this.next === undefined ? freePort() : this.next++;
  }
}

/** All on the loopback interface, each node behind a proxy. */
export class ProxyNetwork implements Network {
  readonly links: Links;
  private readonly proxies = new Map<string, NodeProxy>();

  constructor(
    random: Random,
    private readonly ports: Ports,
    nodeOfId: (id: number) => string | undefined,
  ) {
    this.links = new Links(random, nodeOfId);
  }

  async addNode(name: string): Promise<NodePlace> {
    const host = '127.0.0.1';
    const port = await this.ports.take();
    const proxy = await NodeProxy.listen(this.links, name, { host, port }, await this.ports.take());
    this.proxies.set(name, proxy);
    return { host, port, address: `${host}:${proxy.port}`, prefix: [] };
  }

  async moveNode(name: string): Promise<NodePlace> {
    await this.proxies.get(name)!.close();
    return this.addNode(name);
  }

  block(links: readonly string[], mode: BlockMode): () => void {
    return this.links.block(links, mode);
  }

  slowDown(links: readonly string[], slowness: Slowness): () => void {
    return this.links.slowDown(links, slowness);
  }

  breakMidByte(most: number): void {
    this.links.breakMidByte(most);
  }

  async close(): Promise<void> {
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()));
  }
}
