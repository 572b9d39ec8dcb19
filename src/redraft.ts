/** One node in this process: data directory, log, engine and server brought together. */
import { randomBytes, randomInt } from 'node:crypto';
import { durabilityLevels, type Settings } from '../engine/index.js';
import {
  DataDirectory,
  type Durability,
  drawClusterId,
  drawIdentity,
  drawNodeId,
  type Identity,
  nodeClock,
  noTransport,
  type RaftNode,
  type RecoveryProgress,
} from '../raft/node/index.js';
import { Configuration, configParameter } from './configuration.js';
import type { Consistency } from './connection.js';
import { createLog, type Log } from './log.js';
import type { Server } from './server.js';
import { startServing } from './serving.js';
import { EngineStateMachine } from './state-machine.js';

export interface RedraftOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on; 0, the default, takes any that is free. */
  readonly port?: number;
  /** host:port under which clients and peers reach this node. Default: what it listens on. */
  readonly advertise?: string;
  /** Directory for log and snapshots. Without one everything stays in memory. */
  readonly dir?: string;
  /** When a write is acknowledged: after it is synced to disk (high, the default), with a sync each second, or left to the system. */
  readonly durability?: Durability;
  /** How fresh reads are: linearizable (high, the default), the leader's own state, or any node's. */
  readonly consistency?: Consistency;
  readonly follower?: 'try' | 'forward';
  readonly password?: string;
  readonly maxClients?: number;
  readonly settings?: Partial<Settings>;
  /** Further configuration parameters by Redis's names, as CONFIG SET takes them. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** The file that CONFIG REWRITE brings up to date. */
  readonly configFile?: string;
  /** A snapshot is taken when this many bytes of log have been applied since the last one. */
  readonly snapshotLogBytes?: number;
  readonly snapshotIntervalMs?: number;
  readonly log?: Log;
  /** Called when the node can no longer keep its promises (disk failure, broken invariant). It has stopped answering by then. */
  readonly onFailure?: (error: Error) => void;
  /** Called when a client asks for SHUTDOWN. */
  readonly onShutdown?: () => void;
  readonly onRecovery?: (progress: RecoveryProgress) => void;
}

/** What a start found in the data directory. */
export interface RecoverySummary {
  readonly entries: number;
  readonly snapshotIndex: number;
  readonly keys: number;
  readonly milliseconds: number;
}

export class Redraft {
  private stopped: Promise<void> | undefined;

  private constructor(
    readonly server: Server,
    readonly node: RaftNode,
    private readonly directory: DataDirectory | undefined,
    private readonly options: RedraftOptions,
    readonly recovery: RecoverySummary,
    readonly port: number,
  ) {}

  /**
   * Starts a node of its own in this process and listens.
   *
   * @throws StorageError for what is wrong with `dir`; the system's error when the address cannot be had
   * @example const redraft = await Redraft.start(); const client = new Redis(redraft.url); ... await redraft.stop();
   */
  static async start(options: RedraftOptions = {}): Promise<Redraft> {
    const began = performance.now();
    const log = options.log ?? createLog('quiet', () => {});
    const directory = options.dir === undefined ? undefined : await DataDirectory.open(options.dir);
    try {
      const identity = await identityFor(directory, options);
      const fail = (error: Error): void => {
        log.warning(error.message);
        options.onFailure?.(error);
      };
      const seed = randomBytes(8);
      const machine = new EngineStateMachine({ low: seed.readInt32LE(0), high: seed.readInt32LE(4) }, {});
      const { node, server } = await startServing(
        machine,
        {
          identity,
          directory,
          clock: nodeClock,
          transport: noTransport,
          random: () => randomInt(2 ** 47) / 2 ** 47,
          durability: options.durability ?? 'high',
          snapshotLogBytes: options.snapshotLogBytes,
          snapshotIntervalMs: options.snapshotIntervalMs,
          onFailure: fail,
          onNotice: (text) => log.notice(text),
          onRecovery: options.onRecovery,
        },
        {
          host: options.host ?? '127.0.0.1',
          port: options.port ?? 0,
          configuration: new Configuration({
            requirepass: options.password ?? '',
            maxclients: `${options.maxClients ?? 10_000}`,
            durability: options.durability ?? 'high',
            ...options.configuration,
            ...settingTexts(options.settings),
          }),
          clusterId: identity.clusterId,
          configFile: options.configFile,
          reload: () => machine.reload(),
          shutdown: () => options.onShutdown?.(),
          consistency: options.consistency ?? 'high',
          follower: options.follower ?? 'try',
          log,
          clock: nodeClock,
          randomSeed: () => randomInt(0x1_0000_0000),
        },
      );
      let port: number;
      try {
        await server.settle();
        port = await server.listen();
      } catch (error) {
        await server.close();
        await node.stop();
        throw error;
      }
      let keys = 0;
      for (const database of machine.engine.keyspace.used()) keys += database.size;
      server.keysLoaded = keys;
      const recovery = {
        entries: node.recovered.entries,
        snapshotIndex: node.recovered.snapshotIndex,
        keys,
        milliseconds: Math.round(performance.now() - began),
      };
      return new Redraft(server, node, directory, options, recovery, port);
    } catch (error) {
      await directory?.close();
      throw error;
    }
  }

  /** host:port on which it listens. */
  get address(): string {
    const host = this.options.host ?? '127.0.0.1';
    return `${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  /** For clients that take a URL: `redis://127.0.0.1:7481`. */
  get url(): string {
    return `redis://${this.address}`;
  }

  /** Stops: answers what is in flight, syncs, closes. Nothing of it keeps the process alive afterwards. */
  stop(): Promise<void> {
    this.stopped ??= (async () => {
      await this.server.close();
      await this.node.stop();
      await this.directory?.close();
    })();
    return this.stopped;
  }
}

/** Settings as the configuration takes them. */
function settingTexts(settings: Partial<Settings> = {}): Record<string, string> {
  const parameters = Object.entries(settings).filter(([name]) => configParameter(name) !== undefined);
  return Object.fromEntries(
    parameters.map(([name, value]) => [name, name === 'durability' ? durabilityLevels[value] : `${value}`]),
  );
}

/** The identity in the directory, or a new one that founds a cluster of one. */
async function identityFor(directory: DataDirectory | undefined, options: RedraftOptions): Promise<Identity> {
  if (directory?.identity !== undefined) return directory.countStart();
  const nodeId = drawNodeId();
  const address = options.advertise ?? `${options.host ?? '127.0.0.1'}:${options.port ?? 0}`;
  const identity = drawIdentity(drawClusterId(), nodeId, {
    members: [{ id: nodeId, address, learner: false }],
    removed: [],
  });
  if (directory === undefined) return { ...identity, starts: 1 };
  await directory.establish(identity);
  return directory.countStart();
}
