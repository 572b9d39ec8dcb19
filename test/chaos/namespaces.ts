/**
 * A network of namespaces: each node has an address of its own behind a bridge, and a cut is a route into a
 * black hole at the sender, so that TCP itself must find out. Needs root and iproute2; nothing of it is left
 * afterwards.
 */
import { spawnSync } from 'node:child_process';
import type { Random } from '../sim/random.js';
import type { Cleanup } from './cleanup.js';
import type { Network, NodePlace } from './network.js';
import type { BlockMode, Slowness } from './proxy.js';

const firstPort = 7481;

interface Place {
  port: number;
  readonly namespace: string;
  readonly address: string;
  /** The end of its cable at the bridge. */
  readonly cable: string;
}

export class NamespaceNetwork implements Network {
  readonly links = undefined;
  private readonly places = new Map<string, Place>();
  /** How often each link is blocked now. */
  private readonly blocked = new Map<string, BlockMode[]>();
  private readonly undo: (() => void)[] = [];
  private readonly bridge: string;
  private readonly subnet: string;
  private readonly timers = new Set<NodeJS.Timeout>();

  private constructor(
    private readonly random: Random,
    private readonly cleanup: Cleanup,
  ) {
    // Names of interfaces are short; those of other runs must not be in the way.
    const own = process.pid % 100_000;
    this.bridge = `rdx${own}`;
    this.subnet = `10.213.${1 + (own % 250)}`;
  }

  /** @returns why there can be no such network, in one line; undefined if there can */
  static obstacle(): string | undefined {
    if (process.platform !== 'linux') return '--namespaces needs Linux';
    if (process.getuid?.() !== 0) return '--namespaces needs root';
    const { status } = spawnSync('ip', ['netns', 'list']);
    return status === 0 ? undefined : '--namespaces needs `ip netns` (iproute2)';
  }

  /** @throws Error if the system refuses */
  static create(random: Random, cleanup: Cleanup): NamespaceNetwork {
    const network = new NamespaceNetwork(random, cleanup);
    const { bridge, subnet } = network;
    ip('link', 'add', bridge, 'type', 'bridge');
    network.undo.push(cleanup.add(() => ip('link', 'del', bridge)));
    ip('addr', 'add', `${subnet}.254/24`, 'dev', bridge);
    ip('link', 'set', bridge, 'up');
    return network;
  }

  async addNode(name: string): Promise<NodePlace> {
    const number = this.places.size + 1;
    const namespace = `${this.bridge}-${name}`;
    const address = `${this.subnet}.${number}`;
    const cable = `${this.bridge}v${number}`;
    ip('netns', 'add', namespace);
    this.undo.push(this.cleanup.add(() => ip('netns', 'del', namespace)));
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('link', 'set', cable, 'master', this.bridge, 'up');
    ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const place = { namespace, address, cable, port: firstPort };
    this.places.set(name, place);
    return nodePlace(place);
  }

  async moveNode(name: string): Promise<NodePlace> {
    const place = this.places.get(name)!;
    place.port++;
    return nodePlace(place);
  }

  /** Links between nodes only: clients, and the harness itself, share one address. */
  block(links: readonly string[], mode: BlockMode): () => void {
    const between = links.filter((link) => this.ends(link) !== undefined);
    for (const link of between) {
      this.blocked.set(link, [...(this.blocked.get(link) ?? []), mode]);
      this.route(link);
    }
    let isHealed = false;
    return () => {
      if (isHealed) return;
      isHealed = true;
      for (const link of between) {
        const modes = [...this.blocked.get(link)!];
        modes.splice(modes.indexOf(mode), 1);
        this.blocked.set(link, modes);
        this.route(link);
      }
    };
  }

  private ends(link: string): { readonly from: Place; readonly to: Place } | undefined {
    const [sender, receiver] = link.split('>');
    const from = this.places.get(sender!);
    const to = this.places.get(receiver!);
    return from === undefined || to === undefined ? undefined : { from, to };
  }

  private route(link: string): void {
    const { from, to } = this.ends(link)!;
    const modes = this.blocked.get(link)!;
    const inNamespace = (...args: string[]): number | null =>
      spawnSync('ip', ['-n', from.namespace, 'route', ...args]).status;
    for (const type of ['blackhole', 'unreachable']) inNamespace('del', type, to.address);
    if (modes.length === 0) return;
    inNamespace('add', modes.includes('refuse') ? 'unreachable' : 'blackhole', to.address);
  }

  /** Not every kernel can delay packets: links are as fast as they are. */
  slowDown(_links: readonly string[], _slowness: Slowness): () => void {
    return () => {};
  }

  /** Somebody pulls a cable, and puts it back. */
  breakMidByte(most: number): void {
    const places = [...this.places.values()];
    for (let i = 0; i < Math.min(most, 2); i++) {
      const { cable } = this.random.pick(places);
      ip('link', 'set', cable, 'down');
      const timer = setTimeout(
        () => {
          this.timers.delete(timer);
          ip('link', 'set', cable, 'up');
        },
        this.random.between(20, 400),
      );
      this.timers.add(timer);
    }
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    for (const undo of this.undo.splice(0).reverse()) undo();
  }
}

function nodePlace({ address, port, namespace }: Place): NodePlace {
  return { host: address, port, address: `${address}:${port}`, prefix: ['ip', 'netns', 'exec', namespace] };
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}
