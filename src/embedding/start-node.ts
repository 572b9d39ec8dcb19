/** Puts the parts of a node together, from its directory to its port; nothing is left where one fails. */
import { randomInt } from 'node:crypto';
import { type Clock, DataDirectory, defaultElectionTimeoutMs, type RaftNode } from '../../raft/node/index.js';
import { monotonicNow } from '../../raft/node/timers.js';
import { Cluster } from '../cluster/cluster.js';
import type { Configuration } from '../config/configuration.js';
import { NodeCredentials } from '../net/node-credentials.js';
import { type PeerDoor, refusesLimits, refusesPeer, unsafeStart } from '../net/peer-admission.js';
import { type ServingOptions, startServing } from '../node.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import { DiskSpace, SNAPSHOT_RESERVE_BYTES } from '../replication/disk-space.js';
import type { LoadingProgress } from '../replication/snapshot-record.js';
import { EngineStateMachine } from '../replication/state-machine.js';
import type { Server } from '../server.js';
import type { ServerOptions } from '../server-options.js';
import { advertisedAddress, identityFor, secretsOf } from './identity.js';
import { configurationOf } from './initial-configuration.js';
import type { RedraftOptions } from './options.js';
import type { Running } from './running.js';
import { SeedSequence } from './seed-sequence.js';
import { settleTime } from './settle-time.js';
import type { TestClock } from './test-clock.js';
import { noEntrance, type OpenEntrance, openEntrance } from './tls-options.js';

/** What a node tells whoever starts it. */
export interface NodeEvents {
  /** It cannot go on. */
  fail(error: Error): void;
  /** It leads, follows or votes, and may not have before. */
  roleChanged(): void;
}

interface Served {
  readonly server: Server;
  readonly node: RaftNode;
  readonly consensus: ConsensusNode;
}

/** What is there before it is known who the node is. */
interface Place {
  readonly host: string;
  readonly configuration: Configuration;
  readonly directory: DataDirectory | undefined;
  readonly opened: OpenEntrance;
}

/**
 * Starts all of a node but its part in its cluster: see {@link enterCluster}.
 *
 * @throws StorageError for what is wrong with its directory; the system's error when its address cannot be
 * had; Error for a start that would let strangers in. Nothing is left behind then.
 */
export async function startNode(
  options: RedraftOptions,
  time: TestClock,
  log: Log,
  events: NodeEvents,
): Promise<Running> {
  const beganMs = monotonicNow();
  const seeds = new SeedSequence(options.seed);
  const place = await openPlace(options, time.base, log);
  const { directory, opened } = place;
  const credentials = new NodeCredentials(secretsOf(options), opened.tls);
  let served: Served | undefined;
  const door: PeerDoor = {
    get clusterSecret() {
      return credentials.clusterSecret;
    },
    asksClients: () => served?.server.access.limitsClients ?? (options.password ?? '') !== '',
    needsTls: opened.tls?.dialing !== undefined,
  };
  let cluster: Cluster | undefined;
  try {
    const { identity, invited } = await identityFor(
      directory,
      options,
      door,
      credentials,
      joinAddressesOf(options),
      opened.entrance,
      time.base,
      log,
    );
    const machine = new EngineStateMachine({
      hashSeed: seeds.hashSeed(),
      behaviourLevel: options.behaviourLevel,
      onContained: (command, error) =>
        log.warning(`fault in ${command}, which changed nothing: ${(error as Error)?.stack ?? error}`, {
          event: 'command-fault',
        }),
    });
    cluster = new Cluster({
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      credentials,
      refusesPeer: (socket) => refusesPeer(door, socket),
      joinAddresses: [...joinAddressesOf(options), ...invited],
      clock: time.base,
      log,
      electionTimeoutMs: options.electionTimeoutMs ?? defaultElectionTimeoutMs,
      isCut: options.isCut,
      onExpelled: (error) => events.fail(error),
      holdsData: () => served === undefined || countKeys(machine) > 0,
      onClient: (socket, from) => {
        if (served === undefined) socket.destroy();
        else served.server.serveForwarded(socket, from);
      },
      onLost: (node) => served?.server.dropForwarded(node),
      onClockJudged: (isBelieved) => {
        if (served !== undefined) served.server.replica.wallClockBelieved = isBelieved;
      },
    });
    const { transport } = cluster;
    opened.tls?.identity.onChange(() => transport.credentialsChanged());
    const loading: LoadingProgress = { beganMs: time.base.wallMs(), done: 0, total: 0 };
    served = await startServing(
      machine,
      { identity, directory, ...consensusOptions(options, cluster, time.base, log, loading, events) },
      {
        ...serverOptions(options, place, time, log),
        workDirectory: directory?.path,
        clusterId: identity.clusterId,
        refusesLimits: (members) => refusesLimits(door, place.host, members),
        reload: () => machine.reload(),
        digest: (index) => machine.digest(index),
        randomSeed: () => seeds.next(machine.engine.keyspace.position),
        cluster,
      },
      (early) => {
        early.loading = loading;
        early.listen(opened.entrance);
      },
    );
    const { server, node } = served;
    try {
      await checkMembership(served, cluster, options, opened);
      await server.settle();
    } catch (error) {
      await server.close();
      await node.stop();
      throw error;
    }
    server.keysLoaded = countKeys(machine);
    server.diskSpace = await watchDisk(directory, time.base, log);
    server.loading = undefined;
    return {
      ...{ server, node, cluster, directory, credentials },
      ...{ port: opened.entrance, tls: opened.tls, isSecure: opened.isSecure, plainPort: opened.plainPort },
      recovery: {
        entries: node.recovered.entries,
        snapshotIndex: node.recovered.snapshotIndex,
        keys: server.keysLoaded,
        milliseconds: Math.round(monotonicNow() - beganMs),
      },
      digest: (index) => machine.digest(index),
      unfollow: time.follow({
        nextWake: () => (server.isLeader ? server.engine.waiters.nextDeadline : undefined),
        settle: () => settleTime(server),
      }),
    };
  } catch (error) {
    cluster?.stop();
    await opened.entrance.close();
    await directory?.close();
    throw error;
  }
}

/**
 * Begins a node's part in its cluster: it finds its peers, asks to be let in where it is a learner of those
 * that it was told to join, and stands in it under its address.
 *
 * @throws JoinError when the cluster will not have it
 */
export async function enterCluster(
  { cluster, server, port, digest }: Running,
  options: RedraftOptions,
  isLearner: boolean,
): Promise<void> {
  cluster.start(server.consensus, advertisedAddress(options, port.number!), {
    digest,
    advance: () => server.replica.tick(),
    intervalMs: options.digestIntervalMs ?? 60_000,
    sendOff: () => server.guide.sendOff(),
    behaviour: () => server.engine.keyspace.behaviour,
    raiseLevel: (level) => server.proposeItem(4, (builder) => builder.raiseLevel(server.session, level)),
  });
  // A voter that has moved asks for its new address by itself.
  if (joinAddressesOf(options).length > 0 && isLearner) await cluster.join();
  await cluster.addressSettled();
}

const joinAddressesOf = ({ join = [] }: RedraftOptions): readonly string[] =>
  typeof join === 'string' ? [join] : join;

async function openPlace(options: RedraftOptions, clock: Clock, log: Log): Promise<Place> {
  const { host = '127.0.0.1', listen, port, tls } = options;
  const unsafe = unsafeStart(host, secretsOf(options)[0] ?? '', options.password ?? '');
  if (unsafe !== undefined) throw new Error(unsafe);
  const configuration = configurationOf(options);
  const directory = options.dir === undefined ? undefined : await DataDirectory.open(options.dir);
  const joins = joinAddressesOf(options).length > 0;
  try {
    // Before anything is founded: a port that cannot be had leaves no trace.
    const opened =
      listen === false
        ? noEntrance(port, tls)
        : await openEntrance(host, port ?? 0, tls, { configuration, log, clock, joins });
    return { host, configuration, directory, opened };
  } catch (error) {
    await directory?.close();
    throw error;
  }
}

/** How the node takes part in consensus, and who hears of what it does there. */
function consensusOptions(
  options: RedraftOptions,
  cluster: Cluster,
  clock: Clock,
  log: Log,
  loading: LoadingProgress,
  events: NodeEvents,
): Omit<ServingOptions, 'identity' | 'directory'> {
  return {
    clock,
    transport: cluster.transport,
    random: () => randomInt(2 ** 47) / 2 ** 47,
    durability: options.durability ?? 'high',
    electionTimeoutMs: options.electionTimeoutMs ?? defaultElectionTimeoutMs,
    heartbeatMs: options.heartbeatMs,
    snapshotLogBytes: options.snapshotLogBytes,
    reserveBytes: SNAPSHOT_RESERVE_BYTES,
    snapshotIntervalMs: options.snapshotIntervalMs,
    onFailure: (error) => events.fail(error),
    onNotice: (text) => log.notice(text, { event: 'storage' }),
    onRecovery: (progress) => {
      Object.assign(loading, { done: progress.done, total: progress.total });
      options.onRecovery?.(progress);
    },
    onTransfer: (progress) => cluster.noteTransfer(progress),
    onSoftState: (state) => {
      // Before it stamps anything.
      if (state.role === 'leader') cluster.judgeClock();
      cluster.journal.noteState(state);
      events.roleChanged();
    },
    onMembership: (membership) => {
      cluster.journal.noteMembership(membership);
      events.roleChanged();
    },
  };
}

/** What the server takes from the options as it is. */
function serverOptions(
  options: RedraftOptions,
  { host, configuration, opened }: Place,
  time: TestClock,
  log: Log,
): Omit<ServerOptions, 'clusterId' | 'refusesLimits' | 'reload' | 'digest' | 'randomSeed' | 'cluster'> {
  return {
    ...{ host, port: opened.entrance.number!, configuration, tls: opened.tls, log, time, clock: time.base },
    configFile: options.configFile,
    userLines: options.users,
    shutdown: () => options.onShutdown?.(),
    consistency: options.consistency ?? 'high',
    follower: options.follower ?? 'try',
  };
}

/** A node that is told to join sees whether it is told to join its own cluster. */
async function checkMembership(
  { consensus }: Served,
  cluster: Cluster,
  options: RedraftOptions,
  { entrance }: OpenEntrance,
): Promise<void> {
  if (joinAddressesOf(options).length === 0) return;
  const members = consensus.members.map(({ address }) => address);
  await cluster.checkJoin(advertisedAddress(options, entrance.number!), members);
}

async function watchDisk(
  directory: DataDirectory | undefined,
  clock: Clock,
  log: Log,
): Promise<DiskSpace | undefined> {
  if (directory === undefined) return undefined;
  const { disk, path } = directory;
  const space = new DiskSpace({ clock, log, directory: path, freeBytes: () => disk.freeBytes(path) });
  await space.start();
  return space;
}

function countKeys({ engine }: EngineStateMachine): number {
  let keys = 0;
  for (const database of engine.keyspace.used()) keys += database.size;
  return keys;
}
