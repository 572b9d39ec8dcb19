/** Gathers what INFO tells. */
import { platform, release, totalmem } from 'node:os';
import { memoryUsage, resourceUsage } from 'node:process';
import type { CommandTable, Engine, Session } from '../../engine/index.js';
import type { Status } from '../../raft/index.js';
import type { RaftNode } from '../../raft/node/index.js';
import type { Audience } from '../client/audience.js';
import type { Client } from '../client/client.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Configuration } from '../config/configuration.js';
import type { Topology } from '../discovery/topology.js';
import type { NodeTls } from '../net/tls-port.js';
import type { Subscriptions } from '../pubsub/subscriptions.js';
import type { RdbSave } from '../replicas/rdb-save.js';
import type { Replicas } from '../replicas/replicas.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { Eviction } from '../replication/eviction.js';
import { goodFollowers, silentSeconds } from '../replication/follower-lag.js';
import type { LoadingProgress, SnapshotRecord } from '../replication/snapshot-record.js';
import { redraftVersion } from '../version.js';
import type { InfoSource } from './info-text.js';
import type { Statistics } from './statistics.js';

/** What INFO asks of the node. */
export interface InfoHost {
  readonly engine: Engine;
  readonly consensus: ConsensusNode;
  readonly cluster: Cluster;
  readonly node: RaftNode;
  readonly topology: Topology;
  readonly configuration: Configuration;
  readonly statistics: Statistics;
  readonly snapshots: SnapshotRecord;
  readonly rdbSave: Pick<RdbSave, 'isUnderWay' | 'lastSeconds' | 'lastSucceeded'>;
  readonly eviction: Eviction;
  readonly audience: Audience;
  readonly replicas: Pick<Replicas, 'describe' | 'stream' | 'bufferedBytes'>;
  readonly subscriptions: Subscriptions;
  readonly connections: ReadonlyMap<number, Client>;
  readonly table: CommandTable;
  readonly session: Session;
  readonly isLeader: boolean;
  /** How far the recovery is; undefined once everything may be served. */
  readonly loading: LoadingProgress | undefined;
  /** 40 hexadecimal digits that name the cluster. */
  readonly clusterId: string;
  /** New at each start, as Redis's run id. */
  readonly runId: string;
  /** Empty when there is none. */
  readonly configFile: string;
  readonly port: number;
  /** How it speaks TLS, if it does. */
  readonly tls: NodeTls | undefined;
  readonly maxClients: number;
  readonly keysLoaded: number;
  readonly peakMemory: number;
  readonly startedMs: number;
  /** Milliseconds since the epoch, as the next entry would be stamped. */
  clock(): number;
  /** Bytes that keys and values take, what they are kept in, and what clients take. */
  usedMemory(): number;
}

export function gatherInformation(server: InfoHost): InfoSource {
  const { engine, statistics, configuration } = server;
  const { keyspace } = engine;
  const memory = memoryUsage();
  const usage = resourceUsage();
  const used = server.usedMemory();
  const { status, storage, applied } = standing(server);
  const { snapshots, rdbSave } = server;
  const verdict = server.consensus.isBound ? server.cluster.digests?.verdict : undefined;
  return {
    server: {
      redraftVersion,
      mode: server.topology.mode,
      os: `${platform()} ${release()} ${process.arch}`,
      archBits: 64,
      nodeVersion: process.version,
      processId: process.pid,
      runId: server.runId,
      tcpPort: server.port,
      tls: tlsFields(server),
      timeUs: server.clock() * 1000,
      uptimeSeconds: Math.floor((server.clock() - server.startedMs) / 1000),
      hz: 10,
      lruClockSeconds: keyspace.clockSeconds & 0xffffff,
      executable: process.argv[1] ?? process.execPath,
      configFile: server.configFile,
    },
    clients: {
      connected: server.connections.size,
      maximum: server.maxClients,
      largestInputBuffer: largest(server, (connection) => connection.queryBufferBytes),
      largestOutputBuffer: largest(server, (connection) => connection.unsentBytes),
      blocked: count(server, (connection) => isBlocked(connection, engine)),
      withTimeout: [...engine.waiters.all()].filter((waiter) => waiter.deadlineMs !== 0).length,
      tracking: server.audience.tracking.size,
    },
    memory: {
      used,
      resident: memory.rss,
      peak: Math.max(used, server.peakMemory),
      overhead: Math.max(0, used - keyspace.slab.usedBytes),
      // What an engine without keys takes.
      atStartup: keyspace.marks.byteLength,
      heapUsed: memory.heapUsed,
      heapTotal: memory.heapTotal,
      system: totalmem(),
      clients: clientBytes(server),
      logBuffer: storage.logBytes,
      maximum: server.eviction.limitBytes,
      policy: configuration.text('maxmemory-policy'),
    },
    scripts: {
      cached: engine.scripts.store.size,
      cachedBytes: engine.scripts.store.sourceBytes,
      functions: engine.scripts.functions.functionCount,
      libraries: engine.scripts.functions.size,
      libraryBytes: engine.scripts.functions.sourceBytes,
    },
    persistence: {
      loading: server.loading,
      changesSinceSnapshot: keyspace.statistics.changesSinceSnapshot,
      snapshotRunning: storage.isSnapshotting || rdbSave.isUnderWay,
      lastSnapshotTimeSeconds: rdbSave.lastSeconds,
      lastSnapshotSucceeded: rdbSave.lastSucceeded,
      lastSnapshotDurationSeconds: snapshots.lastDurationSeconds,
      currentSnapshotDurationSeconds:
        snapshots.beganMs === 0 ? -1 : Math.floor((server.clock() - snapshots.beganMs) / 1000),
      snapshots: snapshots.count,
      keysLoaded: server.keysLoaded,
      keysExpiredAtLoad: 0,
    },
    stats: {
      connectionsReceived: statistics.connectionsReceived,
      commandsProcessed: statistics.commands.total,
      operationsPerSecond: Math.round(statistics.operations.perSecond),
      inputBytes: statistics.inputBytes,
      outputBytes: Math.max(0, statistics.outputBytes - unsentBytes(server)),
      peerInputBytes: 0,
      peerOutputBytes: 0,
      inputBytesPerSecond: statistics.input.perSecond,
      outputBytesPerSecond: statistics.output.perSecond,
      connectionsRejected: statistics.connectionsRejected,
      snapshotsSent: 0,
      keysExpired: keyspace.statistics.expiredKeys,
      keysEvicted: keyspace.statistics.evictedKeys,
      keyspaceHits: keyspace.statistics.keyspaceHits,
      keyspaceMisses: keyspace.statistics.keyspaceMisses,
      channels: server.subscriptions.size('channel'),
      patterns: server.subscriptions.size('pattern'),
      shardChannels: server.subscriptions.size('shard'),
      trackedKeys: server.audience.tracking.keys,
      trackedItems: server.audience.tracking.items,
      trackedPrefixes: server.audience.tracking.prefixes,
      errorReplies: statistics.errorReplies,
      reads: statistics.reads,
      writes: statistics.writes,
    },
    replication: {
      role: server.isLeader ? 'leader' : 'follower',
      ...leaderOf(server),
      followers: [...(server.isLeader ? followersOf(server, status) : []), ...attachedTo(server)],
      stream: server.replicas.stream,
      ...(server.isLeader ? { goodFollowers: goodFollowers(server) } : {}),
      clusterId: server.clusterId,
      logIndex: status.commit,
      firstLogIndex: storage.snapshot.index + 1,
    },
    cpu: { systemSeconds: usage.systemCPUTime / 1e6, userSeconds: usage.userCPUTime / 1e6 },
    raft: [
      ['raft_node_id', server.session.nodeId],
      ['raft_role', status.role],
      ['raft_term', status.term],
      ['raft_leader_id', status.leader],
      ['raft_leader_address', server.consensus.leaderAddress ?? ''],
      ['raft_commit_index', status.commit],
      ['raft_applied_index', applied],
      ['raft_snapshot_index', storage.snapshot.index],
      ['raft_log_bytes', storage.logBytes],
      ['raft_last_sync_ms', storage.lastSyncMs.toFixed(3)],
      ['raft_digest_index', verdict?.index ?? 0],
      ['raft_digest', verdict === undefined ? 'unknown' : verdict.diverged.size === 0 ? 'ok' : 'differs'],
      ['raft_behaviour_level', keyspace.behaviour.level],
      ['raft_behaviour_known', keyspace.behaviour.known],
      ...raftMembers(status),
    ],
    // Only for who reads it: the percentiles of some hundred commands take longer than all the rest.
    get commands() {
      const percentiles = configuration.text('latency-tracking-info-percentiles').split(' ').filter(Boolean);
      return statistics.commands.statistics(server.table, percentiles.map(Number));
    },
    errors: [...statistics.errors],
    databases: [...keyspace.used()].map((database) => ({
      index: database.id,
      keys: database.size,
      expires: database.expiringCount,
      averageTtlMs: averageTtlMs(database, keyspace.now),
    })),
  };
}

function tlsFields({ tls }: InfoHost): InfoSource['server']['tls'] {
  if (tls === undefined) return [];
  const { identity, port } = tls;
  return [
    ['tls_port', port.number ?? 0],
    ['tls_certificate_expires_in_days', identity.certificateDays],
    ...(identity.authorityDays === undefined
      ? []
      : [['tls_authority_expires_in_days', identity.authorityDays] as const]),
    ['tls_handshakes_failed', port.failures],
  ];
}

/** Where the node stands; nowhere yet while it recovers. */
function standing({ consensus }: InfoHost): {
  readonly status: Pick<Status, 'role' | 'term' | 'leader' | 'commit' | 'peers' | 'membership'>;
  readonly storage: ReturnType<RaftNode['storageStatus']>;
  readonly applied: number;
} {
  if (consensus.isBound) {
    const { node } = consensus;
    return { status: node.status(), storage: node.storageStatus(), applied: node.applied };
  }
  const membership = { members: [], removed: [] };
  return {
    status: { role: 'follower', term: 0, leader: 0, commit: 0, peers: [], membership },
    storage: {
      snapshot: { index: 0, term: 0, membership },
      snapshotBytes: 0,
      logBytes: 0,
      lastSyncMs: 0,
      isSnapshotting: false,
    },
    applied: 0,
  };
}

/** Keys that are looked at for the average time to live. */
const SAMPLED_KEYS = 200;

type Database = ReturnType<Engine['keyspace']['database']>;

/** Of a sample of the keys that expire. */
function averageTtlMs(database: Database, nowMs: number): number {
  const { deadlines } = database;
  const sampled = Math.min(SAMPLED_KEYS, deadlines.size);
  let total = 0;
  for (let i = 0; i < sampled; i++) {
    const slot = deadlines.slotAtPlace(Math.floor((i * deadlines.size) / sampled));
    total += Math.max(0, deadlines.get(slot) - nowMs);
  }
  return sampled === 0 ? 0 : total / sampled;
}

/** What requests and replies of clients take. */
export function clientBytes({ connections }: Connections): number {
  let bytes = 0;
  for (const { heldBytes } of connections.values()) bytes += heldBytes;
  return bytes;
}

/** Bytes of replies that were handed to sockets and not sent. */
function unsentBytes({ connections }: Connections): number {
  let bytes = 0;
  for (const { socket } of connections.values()) bytes += socket.writableLength;
  return bytes;
}

function leaderOf(server: InfoHost): Pick<InfoSource['replication'], 'leader'> {
  const { leaderAddress, leaderId, isLeader } = server.consensus;
  if (isLeader || leaderAddress === undefined) return {};
  return {
    leader: {
      ...server.topology.addressOf(leaderId),
      isReached: server.topology.isConnected(leaderId),
      secondsSinceContact: 0,
    },
  };
}

function followersOf(
  { topology, node: { tickMs } }: InfoHost,
  { peers }: Pick<Status, 'peers'>,
): InfoSource['replication']['followers'] {
  return peers
    .filter(({ recentActive }) => recentActive)
    .map((peer) => ({
      ...topology.addressOf(peer.id),
      state: peer.state === 'snapshot' ? 'send_bulk' : 'online',
      matchIndex: peer.match,
      lagSeconds: silentSeconds(peer, tickMs),
    }));
}

/** Redis's own replicas of this node. */
const attachedTo = ({ replicas }: InfoHost): InfoSource['replication']['followers'] =>
  replicas.describe().map(({ index, offset, ...replica }) => ({
    ...replica,
    matchIndex: index,
    streamOffset: offset,
  }));

/** A line for each member; the leader adds how far it is behind. */
function raftMembers({
  peers,
  membership,
  commit,
}: Pick<Status, 'peers' | 'membership' | 'commit'>): InfoSource['raft'] {
  const lines: [string, string | number][] = [['raft_members', membership.members.length]];
  for (const [i, { id, address, learner }] of membership.members.entries()) {
    const peer = peers.find((candidate) => candidate.id === id);
    const progress =
      peer === undefined
        ? ''
        : `,match=${peer.match},lag=${Math.max(0, commit - peer.match)},state=${peer.state}`;
    lines.push([`raft_member${i}`, `id=${id},address=${address},voter=${learner ? 'no' : 'yes'}${progress}`]);
  }
  return lines;
}

type Connections = Pick<InfoHost, 'connections'>;

function largest({ connections }: Connections, size: (connection: Client) => number): number {
  let most = 0;
  for (const connection of connections.values()) most = Math.max(most, size(connection));
  return most;
}

/** A command in the log counts once it was applied and waits: before that it may yet be answered at once. */
function isBlocked({ blockedBy, session }: Client, { waiters }: Engine): boolean {
  return blockedBy === 'log' ? waiters.ofSession(session) !== undefined : blockedBy !== undefined;
}

function count({ connections }: Connections, counts: (connection: Client) => boolean): number {
  let total = 0;
  for (const connection of connections.values()) if (counts(connection)) total++;
  return total;
}
