/** One node in this process: data directory, log, engine and server brought together. */
import { randomBytes, randomInt } from 'node:crypto';
import { durabilityLevels, type Settings } from '../../engine/index.js';
import {
  type Clock,
  DataDirectory,
  type Durability,
  defaultElectionTimeoutMs,
  drawClusterId,
  drawIdentity,
  drawNodeId,
  type Identity,
  nodeClock,
  type RaftNode,
  type RecoveryProgress,
  StorageError,
} from '../../raft/node/index.js';
import { monotonicNow } from '../../raft/node/timers.js';
import type { Consistency } from '../client/consistency.js';
import { Cluster } from '../cluster/cluster.js';
import { findCluster, reachableHost } from '../cluster/join.js';
import { Configuration, configParameter } from '../config/configuration.js';
import { textOf } from '../config/replicated-settings.js';
import type { FollowerMode } from '../discovery/leader-guide.js';
import {
  type PeerDoor,
  provenSecret,
  refusesLimits,
  refusesPeer,
  unsafeStart,
} from '../net/peer-admission.js';
import { Port } from '../net/port.js';
import { startServing } from '../node.js';
import { createLog, type Log } from '../observability/log.js';
import { DiskSpace, SNAPSHOT_RESERVE_BYTES } from '../replication/disk-space.js';
import type { LoadingProgress } from '../replication/snapshot-record.js';
import { EngineStateMachine } from '../replication/state-machine.js';
import { replies } from '../replies.js';
import type { Server } from '../server.js';

export interface RedraftOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on; 0, the default, takes any that is free. */
  readonly port?: number;
  /** host:port under which clients and peers reach this node. Default: what it listens on. */
  readonly advertise?: string;
  /**
   * host:port of nodes of the cluster to join, any of them. The start then resolves once this node votes. Right on every later start,
   * too; without it a new node founds a cluster of its own.
   */
  readonly join?: string | readonly string[];
  /**
   * Nodes prove to each other that they know it. Without one, peers come from this machine only, and none where clients are asked for a
   * password; `none` lets in any peer.
   */
  readonly clusterSecret?: string;
  /** Directory for log and snapshots. Without one everything stays in memory. */
  readonly dir?: string;
  /** When a write is acknowledged: after it is synced to disk (high, the default), with a sync each second, or left to the system. */
  readonly durability?: Durability;
  /** How fresh reads are: linearizable (high, the default), the leader's own state, or any node's. */
  readonly consistency?: Consistency;
  /**
   * What a follower does with a command that is the leader's: answer -TRY with its address (the default), -MOVED as a node of Redis Cluster,
   * -READONLY as a replica, or pass it on.
   */
  readonly follower?: FollowerMode;
  readonly password?: string;
  /** Users of a cluster that this node founds, each a line as in a config file: `user alice on >secret ~a:* +@all`. */
  readonly users?: readonly string[];
  readonly maxClients?: number;
  readonly settings?: Partial<Settings>;
  /** Further configuration parameters by Redis's names, as CONFIG SET takes them. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** The file that CONFIG REWRITE brings up to date. */
  readonly configFile?: string;
  /** A snapshot is taken when this many bytes of log have been applied since the last one. */
  readonly snapshotLogBytes?: number;
  readonly snapshotIntervalMs?: number;
  /** Without a leader for longer than this, and at most twice this, a follower stands for election. Default 500. */
  readonly electionTimeoutMs?: number;
  /** Default 100, or less where the election timeout is short. */
  readonly heartbeatMs?: number;
  /** How often at most the leader compares its state with its followers'. Default 60000. */
  readonly digestIntervalMs?: number;
  /** The time; for tests. */
  readonly clock?: Clock;
  readonly log?: Log;
  /** Called when the node can no longer keep its promises (disk failure, broken invariant). It has stopped answering by then. */
  readonly onFailure?: (error: Error) => void;
  /** Called when a client asks for SHUTDOWN. */
  readonly onShutdown?: () => void;
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** Called when the node leads, follows or waits for a vote from now on. */
  readonly onRole?: (role: Role) => void;
}

/** What a node is in its cluster at a time. A candidate knows no leader. */
export type Role = 'leader' | 'follower' | 'candidate' | 'learner';

/** Complete by its type. */
const optionNames: Readonly<Record<keyof RedraftOptions, true>> = {
  host: true,
  port: true,
  advertise: true,
  join: true,
  clusterSecret: true,
  dir: true,
  durability: true,
  consistency: true,
  follower: true,
  password: true,
  digestIntervalMs: true,
  users: true,
  maxClients: true,
  settings: true,
  configuration: true,
  configFile: true,
  snapshotLogBytes: true,
  snapshotIntervalMs: true,
  electionTimeoutMs: true,
  heartbeatMs: true,
  clock: true,
  log: true,
  onFailure: true,
  onShutdown: true,
  onRecovery: true,
  onRole: true,
};

/** What a start found in the data directory. */
export interface RecoverySummary {
  readonly entries: number;
  readonly snapshotIndex: number;
  readonly keys: number;
  readonly milliseconds: number;
}

export class Redraft {
  private stopped: Promise<void> | undefined;
  private toldRole: Role | undefined;

  private constructor(
    readonly server: Server,
    readonly node: RaftNode,
    readonly cluster: Cluster,
    private readonly directory: DataDirectory | undefined,
    private readonly options: RedraftOptions,
    readonly recovery: RecoverySummary,
    readonly port: number,
  ) {}

  /**
   * Starts a node of its own in this process and listens.
   *
   * @throws TypeError for an option of an unknown name; StorageError for what is wrong with `dir`; the system's error when the address cannot be had
   * @example const redraft = await Redraft.start(); const client = new Redis(redraft.url); ... await redraft.stop();
   */
  static async start(options: RedraftOptions = {}): Promise<Redraft> {
    const began = monotonicNow();
    for (const name of Object.keys(options)) {
      if (!Object.hasOwn(optionNames, name)) throw new TypeError(`Redraft.start() has no option '${name}'`);
    }
    const unsafe = unsafeStart(
      options.host ?? '127.0.0.1',
      options.clusterSecret ?? '',
      options.password ?? '',
    );
    if (unsafe !== undefined) throw new Error(unsafe);
    const log = options.log ?? createLog('quiet', () => {});
    const clock = options.clock ?? nodeClock;
    const { electionTimeoutMs = defaultElectionTimeoutMs } = options;
    let joinAddresses = typeof options.join === 'string' ? [options.join] : (options.join ?? []);
    const directory = options.dir === undefined ? undefined : await DataDirectory.open(options.dir);
    const { host = '127.0.0.1' } = options;
    let portInUse: Port;
    try {
      // Before anything is founded: a port that cannot be had leaves no trace.
      portInUse = await Port.open(host, options.port ?? 0);
    } catch (error) {
      await directory?.close();
      throw error;
    }
    const port = portInUse.number!;
    let redraft: Redraft | undefined;
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      log.warning(error.message);
      if (redraft === undefined) options.onFailure?.(error);
      else {
        // What is in flight will never be acknowledged: its clients are told before the end.
        const isFull = error instanceof StorageError && error.code === 'full';
        redraft.server.replica.abandon(isFull ? replies.fateUnknownDiskFull : replies.fateUnknownStopped);
        void redraft.stop({ handOver: false }).finally(() => options.onFailure?.(error));
      }
    };
    let cluster: Cluster | undefined;
    let asksClients = (): boolean => (options.password ?? '') !== '';
    const door: PeerDoor = {
      clusterSecret: options.clusterSecret ?? '',
      asksClients: () => asksClients(),
    };
    try {
      const joining = joinAddresses.length > 0;
      const { identity, invited } = await identityFor(
        directory,
        options,
        door,
        joinAddresses,
        portInUse,
        clock,
        log,
      );
      joinAddresses = [...joinAddresses, ...invited];
      cluster = new Cluster({
        clusterId: identity.clusterId,
        nodeId: identity.nodeId,
        secret: provenSecret(options.clusterSecret ?? ''),
        refusesPeer: (socket) => refusesPeer(door, socket),
        joinAddresses,
        clock,
        log,
        electionTimeoutMs,
        onExpelled: fail,
      });
      const seed = randomBytes(8);
      const machine = new EngineStateMachine({
        hashSeed: { low: seed.readInt32LE(0), high: seed.readInt32LE(4) },
        onContained: (command, error) =>
          log.warning(`fault in ${command}, which changed nothing: ${(error as Error)?.stack ?? error}`),
      });
      let loading: LoadingProgress | undefined;
      const { node, server, consensus } = await startServing(
        machine,
        {
          identity,
          directory,
          clock,
          transport: cluster.transport,
          random: () => randomInt(2 ** 47) / 2 ** 47,
          durability: options.durability ?? 'high',
          electionTimeoutMs,
          heartbeatMs: options.heartbeatMs,
          snapshotLogBytes: options.snapshotLogBytes,
          reserveBytes: SNAPSHOT_RESERVE_BYTES,
          snapshotIntervalMs: options.snapshotIntervalMs,
          onFailure: fail,
          onNotice: (text) => log.notice(text),
          onRecovery: (progress) => {
            if (loading !== undefined) Object.assign(loading, { done: progress.done, total: progress.total });
            options.onRecovery?.(progress);
          },
          onTransfer: (progress) => cluster?.noteTransfer(progress),
          onSoftState: (state) => {
            // Before it stamps anything.
            if (state.role === 'leader') cluster?.judgeClock();
            cluster?.journal.noteState(state);
            redraft?.noteRole();
          },
          onMembership: (membership) => {
            cluster?.journal.noteMembership(membership);
            redraft?.noteRole();
          },
        },
        {
          host,
          port,
          configuration: new Configuration({
            // Passwords are bytes: those of the text in UTF-8.
            requirepass: Buffer.from(options.password ?? '').toString('latin1'),
            maxclients: `${options.maxClients ?? 10_000}`,
            durability: options.durability ?? 'high',
            'election-timeout': `${electionTimeoutMs}`,
            ...options.configuration,
            ...settingTexts(options.settings),
          }),
          clusterId: identity.clusterId,
          configFile: options.configFile,
          userLines: options.users,
          refusesLimits: (members) => refusesLimits(door, options.host ?? '127.0.0.1', members),
          reload: () => machine.reload(),
          digest: (index) => machine.digest(index),
          shutdown: () => options.onShutdown?.(),
          consistency: options.consistency ?? 'high',
          follower: options.follower ?? 'try',
          log,
          clock,
          randomSeed: () => randomInt(0x1_0000_0000),
          cluster,
        },
        (early) => {
          early.loading = loading = { beganMs: clock.wallMs(), done: 0, total: 0 };
          early.listen(portInUse);
        },
      );
      asksClients = () => server.access.limitsClients;
      const { replica } = server;
      cluster.holdsData = () => {
        for (const database of machine.engine.keyspace.used()) if (database.size > 0) return true;
        return false;
      };
      cluster.onClient = (socket, from) => server.servePassedOn(socket, from);
      cluster.onLost = (node) => server.dropPassedOn(node);
      cluster.onClockJudged = (isBelieved) => {
        replica.wallClockBelieved = isBelieved;
      };
      try {
        const isMember = consensus.members.length > 0;
        if (joining) await cluster.checkJoin(advertisedAddress(options, port), isMember);
        await server.settle();
      } catch (error) {
        await server.close();
        await node.stop();
        throw error;
      }
      let keys = 0;
      for (const database of machine.engine.keyspace.used()) keys += database.size;
      server.keysLoaded = keys;
      if (directory !== undefined) {
        const { disk, path } = directory;
        const freeBytes = (): Promise<number> => disk.freeBytes(path);
        server.diskSpace = new DiskSpace({ clock, log, directory: path, freeBytes });
        await server.diskSpace.start();
      }
      server.loading = undefined;
      const recovery = {
        entries: node.recovered.entries,
        snapshotIndex: node.recovered.snapshotIndex,
        keys,
        milliseconds: Math.round(monotonicNow() - began),
      };
      const started = new Redraft(server, node, cluster, directory, options, recovery, port);
      redraft = started;
      cluster.start(consensus, advertisedAddress(options, port), {
        digest: (index) => machine.digest(index),
        advance: () => replica.tick(),
        intervalMs: options.digestIntervalMs ?? 60_000,
      });
      try {
        // A voter that has moved asks for its new address by itself.
        if (joining && started.role === 'learner') await cluster.join();
        await cluster.addressSettled();
        if (failure !== undefined) throw failure;
      } catch (error) {
        await started.stop({ handOver: false });
        throw error;
      }
      return started;
    } catch (error) {
      cluster?.stop();
      await portInUse.close();
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

  /** What the node is at the moment; `learner`, too, for one that is not let in yet. */
  get role(): Role {
    const { role, membership } = this.node.status();
    if (role === 'leader') return 'leader';
    const isVoter = membership.members.some(({ id, learner }) => id === this.node.id && !learner);
    if (!isVoter) return 'learner';
    return role === 'follower' ? 'follower' : 'candidate';
  }

  private noteRole(): void {
    const { role } = this;
    if (role === this.toldRole) return;
    this.toldRole = role;
    this.options.onRole?.(role);
  }

  /** The cluster's, which may be another than this node was started with. */
  get durability(): Durability {
    return durabilityLevels[this.server.engine.keyspace.settings.durability];
  }

  /**
   * Stops: hands leadership over (unless told not to, or nobody can take over), answers what is in flight, syncs, closes. Nothing of it
   * keeps the process alive afterwards.
   */
  stop({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    this.stopped ??= (async () => {
      if (handOver) await this.cluster.handOver();
      this.cluster.stop();
      this.server.diskSpace?.stop();
      await this.server.close();
      await this.node.stop();
      await this.server.ended;
      await this.directory?.close();
    })();
    return this.stopped;
  }
}

/** Settings as the configuration takes them. */
function settingTexts(settings: Partial<Settings> = {}): Record<string, string> {
  const parameters = Object.entries(settings).filter(([name]) => configParameter(name) !== undefined);
  return Object.fromEntries(parameters.map(([name, value]) => [name, textOf(name, value)]));
}

/** host:port under which others reach a node that listens on `port`. */
function advertisedAddress({ advertise, host = '127.0.0.1' }: RedraftOptions, port: number): string {
  if (advertise !== undefined) return advertise;
  const reachable = reachableHost(host);
  return `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * The identity in the directory, or a new one: of a node that joins a cluster, or of one that founds its own. Further, the addresses of
 * the cluster that has invited it.
 */
async function identityFor(
  directory: DataDirectory | undefined,
  options: RedraftOptions,
  door: PeerDoor,
  joinAddresses: readonly string[],
  port: Port,
  clock: Clock,
  log: Log,
): Promise<{ readonly identity: Identity; readonly invited: readonly string[] }> {
  if (directory?.identity !== undefined) return { identity: await directory.countStart(), invited: [] };
  const nodeId = drawNodeId();
  const secret = provenSecret(door.clusterSecret);
  const ownAddress = advertisedAddress(options, port.number!);
  let identity: Identity;
  let invited: readonly string[] = [];
  if (joinAddresses.length > 0) {
    const found = await findCluster(
      {
        nodeId,
        secret,
        refusesPeer: (socket) => refusesPeer(door, socket),
        addresses: joinAddresses,
        ownAddress,
        clock,
        log,
        isStopped: () => false,
      },
      port,
    );
    identity = drawIdentity(found.clusterId, nodeId, { members: [], removed: [] });
    invited = found.addresses;
  } else {
    const members = [{ id: nodeId, address: ownAddress, learner: false }];
    identity = drawIdentity(drawClusterId(), nodeId, { members, removed: [] });
  }
  identity = { ...identity, starts: 1 };
  await directory?.establish(identity);
  return { identity, invited };
}
