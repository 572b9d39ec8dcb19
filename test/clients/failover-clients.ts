/**
 * Client libraries, each connected to a Redis Cluster or through Sentinels as its own documentation has it,
 * with the options that docs/CLIENTS.md recommends.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as ioredis6 from 'ioredis';
import * as redis6 from 'redis';

/** What a workload needs of a client of Node's. */
export interface NodeClient {
  /** Appends to a list; rejects when the client gives up. */
  append(key: string, value: string): Promise<unknown>;
  /** The list's length. */
  length(key: string): Promise<unknown>;
  close(): void;
}

interface Kind {
  /** What it is called in the table. */
  readonly name: string;
  readonly language: string;
  /** The --follower of the nodes that suits it. */
  readonly follower: 'moved' | 'forward';
}

/** A library of Node's, and how it is connected to nodes at these ports. */
export interface ClientKind extends Kind {
  /** Loads it; throws where it is not installed. */
  load(): unknown;
  /** Whether it is connected without the options that docs/CLIENTS.md recommends. */
  readonly isBare?: boolean;
  connect(ports: readonly number[]): Promise<NodeClient>;
}

/** A client of another language. */
export interface ProgramKind extends Kind {
  /** Its command line, once what it needs is found and built; rejects where that is not installed. */
  command(): Promise<readonly string[]>;
}

type Ioredis = Pick<typeof ioredis6, 'Redis' | 'Cluster'>;
type NodeRedis = Pick<typeof redis6, 'createCluster' | 'createSentinel'>;

const host = '127.0.0.1';
/** Clients tell of every connection that breaks: what matters is what becomes of their commands. */
const ignore = (): void => {};
/** Of node-redis: without one it closes itself for good at a socket timeout. */
const reconnectStrategy = (retries: number): number => Math.min(retries * 50, 500);
/**
 * Its socketTimeout begins anew with each write: only a client that may not queue without an end notices a
 * frozen node. So many are those of a second.
 */
const commandsQueueMaxLength = 400;

/** The same client twice: with the options that are recommended, and with none. */
type Connect = (ports: readonly number[], isBare: boolean) => Promise<NodeClient>;

const libraryKinds = (
  name: string,
  follower: Kind['follower'],
  load: () => unknown,
  connect: Connect,
): readonly ClientKind[] => {
  const kind = { language: 'Node.js', follower, load };
  return [
    { ...kind, name, connect: (ports) => connect(ports, false) },
    { ...kind, name: `${name}, no options`, isBare: true, connect: (ports) => connect(ports, true) },
  ];
};

const ioredisCluster = (name: string, library: () => Ioredis): readonly ClientKind[] =>
  libraryKinds(`${name} Cluster`, 'moved', library, async (ports, isBare) => {
    const cluster = new (library().Cluster)(
      ports.map((port) => ({ host, port })),
      isBare ? {} : { slotsRefreshInterval: 1000, redisOptions: { socketTimeout: 1000 } },
    );
    cluster.on('error', ignore);
    await cluster.ping();
    return {
      append: (key, value) => cluster.rpush(key, value),
      length: (key) => cluster.llen(key),
      close: () => cluster.disconnect(),
    };
  });

const ioredisSentinel = (name: string, library: () => Ioredis): readonly ClientKind[] =>
  libraryKinds(`${name} Sentinel`, 'forward', library, async (ports, isBare) => {
    const redis = new (library().Redis)({
      sentinels: ports.map((port) => ({ host, port })),
      name: 'mymaster',
      ...(isBare
        ? {}
        : {
            maxRetriesPerRequest: null,
            socketTimeout: 1000,
            sentinelRetryStrategy: () => 100,
            retryStrategy: () => 100,
          }),
    });
    redis.on('error', ignore);
    await redis.ping();
    return {
      append: (key, value) => redis.rpush(key, value),
      length: (key) => redis.llen(key),
      close: () => redis.disconnect(),
    };
  });

const nodeRedisCluster = (name: string, library: () => NodeRedis): readonly ClientKind[] =>
  libraryKinds(`${name} createCluster`, 'moved', library, async (ports, isBare) => {
    const cluster = library().createCluster({
      rootNodes: ports.map((port) => ({ url: `redis://${host}:${port}` })),
      ...(isBare
        ? {}
        : {
            defaults: {
              socket: { socketTimeout: 1000, reconnectStrategy },
              pingInterval: 400,
              commandsQueueMaxLength,
            },
            topologyRefreshOnReconnectionAttemptStrategy: 500,
          }),
    });
    cluster.on('error', ignore);
    await cluster.connect();
    return {
      append: (key, value) => cluster.rPush(key, value),
      length: (key) => cluster.lLen(key),
      close: () => void cluster.destroy(),
    };
  });

const nodeRedisSentinel = (name: string, library: () => NodeRedis): readonly ClientKind[] =>
  libraryKinds(`${name} createSentinel`, 'forward', library, async (ports, isBare) => {
    const sentinel = library().createSentinel({
      name: 'mymaster',
      sentinelRootNodes: ports.map((port) => ({ host, port })),
      ...(isBare
        ? {}
        : {
            nodeClientOptions: { socket: { socketTimeout: 1000, reconnectStrategy }, pingInterval: 400 },
            sentinelClientOptions: { socket: { socketTimeout: 1000, reconnectStrategy }, pingInterval: 400 },
            scanInterval: 1000,
          }),
    });
    sentinel.on('error', ignore);
    await sentinel.connect();
    return {
      append: (key, value) => sentinel.rPush(key, value),
      length: (key) => sentinel.lLen(key),
      close: () => void sentinel.destroy(),
    };
  });

/** Valkey's client, whose core is in Rust and the same for all its languages. */
interface Glide {
  readonly GlideClusterClient: {
    createClient(options: {
      readonly addresses: readonly { readonly host: string; readonly port: number }[];
      readonly requestTimeout?: number;
      readonly periodicChecks?: { readonly duration_in_sec: number };
    }): Promise<{
      rpush(key: string, values: readonly string[]): Promise<unknown>;
      llen(key: string): Promise<unknown>;
      close(): void;
    }>;
  };
}

const glideCluster = (name: string, library: () => Glide): readonly ClientKind[] =>
  libraryKinds(`${name} GlideClusterClient`, 'moved', library, async (ports, isBare) => {
    const cluster = await library().GlideClusterClient.createClient({
      addresses: ports.map((port) => ({ host, port })),
      ...(isBare ? {} : { requestTimeout: 1000, periodicChecks: { duration_in_sec: 1 } }),
    });
    return {
      append: (key, value) => cluster.rpush(key, [value]),
      length: (key) => cluster.llen(key),
      close: () => cluster.close(),
    };
  });

const folder = join(import.meta.dirname, '../../../test/clients');

/** A library of those that only the measurement has: `npm ci --prefix test/clients/libraries`. */
const installed = <T>(name: string): T => createRequire(join(folder, 'libraries/package.json'))(name) as T;

const own = [
  ioredisCluster('ioredis 6', () => ioredis6),
  ioredisSentinel('ioredis 6', () => ioredis6),
  nodeRedisCluster('node-redis 6', () => redis6),
  nodeRedisSentinel('node-redis 6', () => redis6),
];

const installable = [
  ioredisCluster('ioredis 5', () => installed('ioredis-5')),
  ioredisSentinel('ioredis 5', () => installed('ioredis-5')),
  nodeRedisCluster('node-redis 5', () => installed('redis-5')),
  nodeRedisSentinel('node-redis 5', () => installed('redis-5')),
  ioredisCluster('iovalkey 0.4', () => installed('iovalkey')),
  glideCluster('GLIDE 2', () => installed('@valkey/valkey-glide')),
];

const withOptions = (kinds: readonly (readonly ClientKind[])[]): readonly ClientKind[] =>
  kinds.map(([kind]) => kind);

/** Those that the project has anyway. */
export const ownKinds = withOptions(own);

export const installedKinds = withOptions(installable);

/** Without any options: what these are worth is the difference. */
export const bareKinds: readonly ClientKind[] = [...own, ...installable].map(([, bare]) => bare);
