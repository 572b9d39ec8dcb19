/**
 * ioredis on nodes in memory, with the habits of ioredis-mock: `import Redis from 'redraft/ioredis'`. The
 * clients are the real ones of the project's ioredis; clients of the same host, port and database share their
 * data.
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { isMap } from 'node:util/types';
import type {
  ClusterNode,
  ClusterOptions,
  Cluster as RealCluster,
  Redis as RealRedis,
  RedisOptions,
} from 'ioredis';
import { connectorClass, type LoadableValue, Redraft } from '../index.js';
import { encodeRequest } from '../resp/encode-request.js';
import { type Ioredis, realIoredis } from './real.js';

const real = realIoredis();

/** What this package's clients take beside ioredis's own options. */
export interface InMemoryOptions {
  /** Keys to begin with, set when the client first connects: as of `redraft.load()`. */
  readonly data?: Parameters<Redraft['load']>[0];
  /**
   * Which keyspace events the node tells from then on: its parameter `notify-keyspace-events`, as `'gxK'`.
   * All clients of the address hear them.
   */
  readonly notifyKeyspaceEvents?: string;
}

/** By host:port. */
const nodes = new Map<string, Promise<Redraft>>();

function nodeAt(host: string, port: number): Promise<Redraft> {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  let node = nodes.get(address);
  if (node === undefined) {
    node = Redraft.start({ listen: false, port, advertise: address });
    nodes.set(address, node);
  }
  return node;
}

type ClientOptions = RedisOptions & InMemoryOptions;

/** @throws Error with what the node says, where it does not take the value */
async function tellEvents(node: Redraft, events: string): Promise<void> {
  const socket = node.connect();
  socket.write(encodeRequest(['CONFIG', 'SET', 'notify-keyspace-events', events]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  if (!answer.toString().startsWith('+OK')) throw new Error(answer.toString().slice(1).trim());
}

/**
 * Of clients that have seeded their nodes already: each has options of its own, and connects more than once.
 */
const seeded = new WeakSet<object>();

/**
 * The connector of a standalone client, or of one that leads to a given node, wherever it thinks that it
 * goes.
 */
const connectorTo = (fixed?: { readonly host: string; readonly port: number }) =>
  connectorClass(async (options: ClientOptions): Promise<Duplex> => {
    const { host = 'localhost', port = 6379 } = fixed ?? options;
    const node = await nodeAt(host, port);
    const { data, db = 0, keyPrefix = '', notifyKeyspaceEvents = '' } = options;
    if (notifyKeyspaceEvents !== '') await tellEvents(node, notifyKeyspaceEvents);
    if (data !== undefined && !seeded.has(options)) {
      seeded.add(options);
      const entries: Iterable<readonly [string, LoadableValue]> = isMap(data) ? data : Object.entries(data);
      const prefixed = Array.from(entries, ([key, value]) => [keyPrefix + key, value] as const);
      await node.load(new Map(prefixed), { db });
    }
    return node.connect();
  });

/** The arguments of `new Redis()`, with an option more among them. */
function withOption(args: readonly unknown[], option: object): unknown[] {
  const at = args.findIndex((arg) => typeof arg === 'object' && arg !== null);
  if (at === -1) return [...args.filter((arg) => arg !== undefined), option];
  return args.map((arg, i) => (i === at ? { ...(arg as object), ...option } : arg));
}

const Connector = connectorTo();

/** ioredis's classes as far as they are extended here: 5 and 6 differ in their types. */
interface BareClient {
  readonly options: object;
}
const BareRedis = real.Redis as unknown as new (...args: unknown[]) => BareClient;
const BareCluster = real.Cluster as unknown as new (...args: unknown[]) => BareClient;

class InMemoryRedis extends BareRedis {
  constructor(...args: unknown[]) {
    // Whoever is given sentinels would look for them; here every address is a node.
    super(...withOption(args, { Connector, sentinels: undefined }));
  }

  createConnectedClient(options: object = {}): InMemoryRedis {
    return this.duplicate(options);
  }

  duplicate(override?: object): InMemoryRedis {
    // What there was to begin with is there.
    return new InMemoryRedis({ ...this.options, data: undefined, ...override });
  }
}

class InMemoryCluster extends BareCluster {
  constructor(startupNodes: readonly ClusterNode[], options: ClusterOptions & InMemoryOptions = {}) {
    const { data, notifyKeyspaceEvents, ...own } = options;
    super(startupNodes, {
      ...own,
      // No name is looked up: nobody is dialed.
      dnsLookup: (address: string, callback: (error: null, address: string) => void) =>
        callback(null, address),
      redisOptions: {
        ...own.redisOptions,
        ...{ data, notifyKeyspaceEvents },
        Connector: connectorTo(addressOf(startupNodes[0])),
      },
    });
  }
}

function addressOf(node: ClusterNode | undefined): { readonly host: string; readonly port: number } {
  if (typeof node === 'number') return { host: '127.0.0.1', port: node };
  if (typeof node === 'string') {
    const { hostname, port } = new URL(node.includes('://') ? node : `redis://${node}`);
    return { host: hostname, port: Number(port || 6379) };
  }
  return { host: node?.host ?? '127.0.0.1', port: node?.port ?? 6379 };
}

/** Stops all nodes and forgets what they hold: for suites that end with nothing left. */
export async function stopAll(): Promise<void> {
  const running = [...nodes.values()];
  nodes.clear();
  for (const node of await Promise.all(running)) await node.stop();
}

type InMemoryClient = RealRedis & {
  /** As `duplicate`; of ioredis-mock. */
  createConnectedClient(options?: RedisOptions & InMemoryOptions): InMemoryClient;
};

/** ioredis's `Redis`, on a node in memory. */
export interface RedisClass extends Omit<typeof real.Redis, 'Cluster' | 'prototype'> {
  new (options: RedisOptions & InMemoryOptions): InMemoryClient;
  new (port: number, host: string, options: RedisOptions & InMemoryOptions): InMemoryClient;
  new (portOrUrl: number | string, options: RedisOptions & InMemoryOptions): InMemoryClient;
  new (port: number, host: string): InMemoryClient;
  new (portOrUrl?: number | string): InMemoryClient;
  readonly Cluster: ClusterClass;
}

/** ioredis's `Cluster`, on one node in memory: that of the first address. */
export type ClusterClass = new (
  startupNodes: ClusterNode[],
  options?: ClusterOptions & InMemoryOptions,
) => RealCluster;

export const Cluster = InMemoryCluster as unknown as ClusterClass;
export const { AbstractConnector, Command, Pipeline, print, ReplyError, ScanStream, SentinelConnector } =
  real as Ioredis & { readonly ReplyError: new (...args: unknown[]) => Error };

// What `require` of ioredis gives is the class, with everything else at it.
const statics = {
  default: InMemoryRedis,
  Redis: InMemoryRedis,
  Cluster,
  stopAll,
  AbstractConnector,
  Command,
  Pipeline,
  print,
  ReplyError,
  ScanStream,
  SentinelConnector,
};
for (const [name, value] of Object.entries(statics))
  Object.defineProperty(InMemoryRedis, name, { value, enumerable: true, configurable: true });

export const Redis = InMemoryRedis as unknown as RedisClass;

export default Redis;
