/**
 * Writers by real client libraries, each as its own documentation connects it to a Redis Cluster or through
 * Sentinels.
 */
import { Cluster, Redis } from 'ioredis';
import { createCluster, createSentinel } from 'redis';

export interface Writer {
  /** Appends to a list; rejects when the client gives up. */
  append(key: string, value: string): Promise<unknown>;
  close(): void;
}

/** What a client is called in the table, and how it is connected to nodes at these ports. */
export interface ClientKind {
  readonly name: string;
  /** The --follower of the nodes that suits it. */
  readonly follower: 'moved' | 'forward';
  connect(ports: readonly number[]): Promise<Writer>;
}

const host = '127.0.0.1';
/** Clients tell of every connection that breaks: what matters is what becomes of their commands. */
const ignore = (): void => {};

export const clientKinds: readonly ClientKind[] = [
  {
    name: 'ioredis Cluster',
    follower: 'moved',
    async connect(ports) {
      const cluster = new Cluster(
        ports.map((port) => ({ host, port })),
        { slotsRefreshInterval: 1000, redisOptions: { socketTimeout: 1000 } },
      );
      cluster.on('error', ignore);
      await cluster.ping();
      return { append: (key, value) => cluster.rpush(key, value), close: () => cluster.disconnect() };
    },
  },
  {
    name: 'ioredis Sentinel',
    follower: 'forward',
    async connect(ports) {
      const redis = new Redis({
        sentinels: ports.map((port) => ({ host, port })),
        name: 'mymaster',
        maxRetriesPerRequest: null,
        sentinelRetryStrategy: () => 100,
        retryStrategy: () => 100,
      });
      redis.on('error', ignore);
      await redis.ping();
      return { append: (key, value) => redis.rpush(key, value), close: () => redis.disconnect() };
    },
  },
  {
    name: 'node-redis createCluster',
    follower: 'moved',
    async connect(ports) {
      const cluster = createCluster({
        rootNodes: ports.map((port) => ({ url: `redis://${host}:${port}` })),
        defaults: { socket: { socketTimeout: 1000 }, pingInterval: 400 },
        topologyRefreshOnReconnectionAttemptStrategy: 500,
      });
      cluster.on('error', ignore);
      await cluster.connect();
      return { append: (key, value) => cluster.rPush(key, value), close: () => void cluster.destroy() };
    },
  },
  {
    name: 'node-redis createSentinel',
    follower: 'forward',
    async connect(ports) {
      const sentinel = createSentinel({
        name: 'mymaster',
        sentinelRootNodes: ports.map((port) => ({ host, port })),
        nodeClientOptions: { socket: { socketTimeout: 1000 }, pingInterval: 400 },
        scanInterval: 1000,
      });
      sentinel.on('error', ignore);
      await sentinel.connect();
      return { append: (key, value) => sentinel.rPush(key, value), close: () => void sentinel.destroy() };
    },
  },
];
