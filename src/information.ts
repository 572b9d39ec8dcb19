/** Gathers what INFO tells. */
import { hostname, platform, release, totalmem } from 'node:os';
import { memoryUsage, resourceUsage } from 'node:process';
import type { InfoSource } from './info.js';
import type { Server } from './server.js';
import { redraftVersion } from './version.js';

/** What an engine without keys takes: measured once, when the first server of the process starts. */
const atStartup = memoryUsage().heapUsed;

export function gatherInformation(server: Server): InfoSource {
  const { engine, statistics, node, configuration } = server;
  const { keyspace } = engine;
  const memory = memoryUsage();
  const usage = resourceUsage();
  const used = server.usedMemory();
  const status = node.status();
  const storage = node.storageStatus();
  const snapshots = server.snapshots;
  return {
    server: {
      redraftVersion,
      os: `${platform()} ${release()} ${process.arch}`,
      archBits: 64,
      nodeVersion: process.version,
      processId: process.pid,
      runId: server.runId,
      tcpPort: server.port,
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
      largestOutputBuffer: largest(server, (connection) => connection.socket.writableLength),
      blocked: count(server, (connection) => connection.blocked),
      withTimeout: [...engine.waiters.all()].filter((waiter) => waiter.deadlineMs !== 0).length,
    },
    memory: {
      used,
      resident: memory.rss,
      peak: Math.max(used, server.peakMemory),
      overhead: Math.max(0, used - keyspace.slab.usedBytes),
      atStartup,
      heapUsed: memory.heapUsed,
      heapTotal: memory.heapTotal,
      system: totalmem(),
      clients: 0,
      logBuffer: storage.logBytes,
      maximum: server.eviction.limitBytes,
      policy: configuration.text('maxmemory-policy'),
    },
    persistence: {
      loading: false,
      changesSinceSnapshot: keyspace.statistics.changesSinceSnapshot,
      snapshotRunning: storage.isSnapshotting,
      lastSnapshotTimeSeconds: snapshots.lastSeconds,
      lastSnapshotSucceeded: snapshots.lastSucceeded,
      lastSnapshotDurationSeconds: snapshots.lastDurationSeconds,
      currentSnapshotDurationSeconds: -1,
      snapshots: snapshots.count,
      keysLoaded: server.keysLoaded,
      keysExpiredAtLoad: 0,
    },
    stats: {
      connectionsReceived: statistics.connectionsReceived,
      commandsProcessed: statistics.commandsProcessed,
      operationsPerSecond: statistics.operationsPerSecond,
      inputBytes: statistics.inputBytes,
      outputBytes: statistics.outputBytes,
      peerInputBytes: 0,
      peerOutputBytes: 0,
      inputBytesPerSecond: 0,
      outputBytesPerSecond: 0,
      connectionsRejected: statistics.connectionsRejected,
      snapshotsSent: 0,
      keysExpired: keyspace.statistics.expiredKeys,
      keysEvicted: keyspace.statistics.evictedKeys,
      keyspaceHits: keyspace.statistics.keyspaceHits,
      keyspaceMisses: keyspace.statistics.keyspaceMisses,
      errorReplies: statistics.errorReplies,
      reads: statistics.commandsProcessed,
      writes: statistics.commandsProcessed,
    },
    replication: {
      role: server.isLeader ? 'leader' : 'follower',
      followers: [],
      clusterId: server.runId,
      logIndex: status.commit,
      firstLogIndex: storage.snapshot.index + 1,
    },
    cpu: { systemSeconds: usage.systemCPUTime / 1e6, userSeconds: usage.userCPUTime / 1e6 },
    raft: [
      ['raft_node_id', node.id],
      ['raft_host', hostname()],
      ['raft_role', status.role],
      ['raft_term', status.term],
      ['raft_commit_index', status.commit],
      ['raft_applied_index', node.applied],
      ['raft_snapshot_index', storage.snapshot.index],
      ['raft_log_bytes', storage.logBytes],
      ['raft_last_sync_ms', storage.lastSyncMs],
      ['raft_members', status.membership.members.length],
    ],
    commands: statistics.commandStatistics(),
    errors: [...statistics.errors],
    databases: [...keyspace.used()].map((database) => ({
      index: database.id,
      keys: database.size,
      expires: database.expiringCount,
      averageTtlMs: 0,
    })),
  };
}

type Connections = Pick<Server, 'connections'>;
type Connected = Server['connections'] extends Map<number, infer Item> ? Item : never;

function largest({ connections }: Connections, size: (connection: Connected) => number): number {
  let most = 0;
  for (const connection of connections.values()) most = Math.max(most, size(connection));
  return most;
}

function count({ connections }: Connections, counts: (connection: Connected) => boolean): number {
  let total = 0;
  for (const connection of connections.values()) if (counts(connection)) total++;
  return total;
}
