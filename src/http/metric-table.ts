/**
 * The metrics of `/metrics`, one row each: name, what it tells, where it is read. By Prometheus's conventions
 * (https://prometheus.io/docs/practices/naming/): seconds, bytes, `_total` for what only grows. Everything is
 * counted for INFO anyway: who is not scraped pays nothing.
 */
import type { Member, Status } from '../../raft/index.js';
import type { NodeContext } from '../commands/node-context.js';
import { type DurationHistogram, POWERS } from '../observability/duration-histogram.js';
import type { InfoSource } from '../observability/info-text.js';
import { redraftVersion } from '../version.js';

/** What a scrape looks at, gathered once. */
export interface MetricSource {
  readonly node: NodeContext;
  readonly info: InfoSource;
  /** Undefined while the node recovers. */
  readonly status: Status | undefined;
  readonly isReady: boolean;
}

/** The values of a row's labels, in their order, and the value; a suffix behind the name for histograms. */
export interface Sample {
  readonly labels: readonly (string | number)[];
  readonly value: number;
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  read(source: MetricSource): readonly Sample[];
}

type Value = number | boolean | undefined;

/** A metric without labels; undefined stands for one that is not known, and is left out. */
function single(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (source: MetricSource) => Value,
): MetricRow {
  return {
    name: `redraft_${name}`,
    type,
    help,
    labels: [],
    read: (source) => {
      const value = read(source);
      return value === undefined ? [] : [{ labels: [], value: Number(value) }];
    },
  };
}

type Labelled = readonly [...labels: (string | number)[], value: number | boolean];

function labelled(
  type: 'counter' | 'gauge',
  name: string,
  labels: readonly string[],
  help: string,
  read: (source: MetricSource) => readonly Labelled[],
): MetricRow {
  return {
    name: `redraft_${name}`,
    type,
    help,
    labels,
    read: (source) =>
      read(source).map((row) => ({
        labels: row.slice(0, -1) as (string | number)[],
        value: Number(row.at(-1)),
      })),
  };
}

/** Boundaries from about a microsecond to about 17 s, each twice the one before. */
const FIRST_POWER = 10;
const LAST_POWER = 33;

function histogram(
  name: string,
  labels: readonly string[],
  help: string,
  read: (
    source: MetricSource,
  ) => Iterable<readonly [labels: readonly string[], histogram: DurationHistogram]>,
): MetricRow {
  return {
    name: `redraft_${name}`,
    type: 'histogram',
    help,
    labels: [...labels, 'le'],
    read: (source) => [...read(source)].flatMap(([values, one]) => bucketsOf(values, one)),
  };
}

function bucketsOf(labels: readonly string[], one: DurationHistogram): Sample[] {
  const counts = new Float64Array(POWERS);
  one.addByPower(counts);
  const samples: Sample[] = [];
  let below = 0;
  for (let power = 0; power < POWERS; power++) {
    below += counts[power];
    if (power + 1 >= FIRST_POWER && power + 1 <= LAST_POWER)
      samples.push({ labels: [...labels, 2 ** (power + 1) / 1e9], value: below, suffix: '_bucket' });
  }
  samples.push({ labels: [...labels, '+Inf'], value: one.count, suffix: '_bucket' });
  samples.push({ labels, value: one.sumUs / 1e6, suffix: '_sum' });
  samples.push({ labels, value: one.count, suffix: '_count' });
  return samples;
}

const node: readonly MetricRow[] = [
  labelled(
    'gauge',
    'build_info',
    ['version', 'node_version'],
    'Always 1; the release is in the labels',
    () => [[redraftVersion, process.version, 1]],
  ),
  single('gauge', 'uptime_seconds', 'Time since the start', ({ info }) => info.server.uptimeSeconds),
  single(
    'gauge',
    'ready',
    'Whether /readyz says yes: a voter that knows a leader and has caught up',
    ({ isReady }) => isReady,
  ),
  single(
    'gauge',
    'loading',
    'Whether the node recovers',
    ({ info }) => info.persistence.loading !== undefined,
  ),
  single('gauge', 'loading_progress_ratio', 'How far the recovery is, from 0 to 1', ({ info }) => {
    const { loading } = info.persistence;
    return loading === undefined ? 1 : loading.total === 0 ? 0 : loading.done / loading.total;
  }),
];

const commands: readonly MetricRow[] = [
  labelled(
    'counter',
    'commands_total',
    ['command'],
    'Commands that ran for clients of this node',
    ({ info }) => info.commands.map(({ name, calls }) => [name, calls]),
  ),
  labelled(
    'counter',
    'commands_rejected_total',
    ['command'],
    'Commands that were refused before they ran',
    ({ info }) => info.commands.map(({ name, rejected }) => [name, rejected]),
  ),
  labelled(
    'counter',
    'commands_failed_total',
    ['command'],
    'Commands that ran and answered with an error',
    ({ info }) => info.commands.map(({ name, failed }) => [name, failed]),
  ),
  histogram(
    'command_duration_seconds',
    ['command'],
    'How long commands ran, without their time in the log; of fast commands one in sixteen is timed',
    function* ({ node: { statistics, table } }) {
      for (const { name, histogram: one } of statistics.commands.durations(table)) yield [[name], one];
    },
  ),
  labelled(
    'counter',
    'errors_total',
    ['code'],
    'Error replies by their first word',
    ({ info }) => info.errors,
  ),
  single('gauge', 'slowlog_entries', 'Entries of SLOWLOG', ({ node: { slowLog } }) => slowLog.entries.length),
];

const clients: readonly MetricRow[] = [
  single('gauge', 'clients_connected', 'Connections of clients', ({ info }) => info.clients.connected),
  single('gauge', 'clients_max', 'What maxclients allows', ({ info }) => info.clients.maximum),
  single(
    'gauge',
    'clients_blocked',
    'Clients that wait in BLPOP and its kin',
    ({ info }) => info.clients.blocked,
  ),
  single('gauge', 'clients_tracking', 'Clients with CLIENT TRACKING on', ({ info }) => info.clients.tracking),
  single(
    'gauge',
    'client_input_buffer_max_bytes',
    "The largest of the clients' unread requests",
    ({ info }) => info.clients.largestInputBuffer,
  ),
  single(
    'gauge',
    'client_output_buffer_max_bytes',
    "The largest of the clients' unsent replies",
    ({ info }) => info.clients.largestOutputBuffer,
  ),
  single(
    'counter',
    'connections_total',
    'Connections that clients opened',
    ({ info }) => info.stats.connectionsReceived,
  ),
  single(
    'counter',
    'connections_rejected_total',
    'Connections that were turned away, as beyond maxclients',
    ({ info }) => info.stats.connectionsRejected,
  ),
  single('counter', 'net_input_bytes_total', 'Bytes read from clients', ({ info }) => info.stats.inputBytes),
  single('counter', 'net_output_bytes_total', 'Bytes sent to clients', ({ info }) => info.stats.outputBytes),
  labelled('gauge', 'pubsub_subscriptions', ['kind'], 'What clients have subscribed to', ({ info }) => [
    ['channel', info.stats.channels],
    ['pattern', info.stats.patterns],
    ['shard_channel', info.stats.shardChannels],
  ]),
];

const memory: readonly MetricRow[] = [
  single(
    'gauge',
    'memory_used_bytes',
    'What counts against maxmemory: keys, values, what they are kept in, and clients',
    ({ info }) => info.memory.used,
  ),
  single('gauge', 'memory_max_bytes', 'What maxmemory allows', ({ info }) => info.memory.maximum),
  single('gauge', 'memory_peak_bytes', 'The most that was in use', ({ info }) => info.memory.peak),
  labelled('gauge', 'memory_bytes', ['kind'], 'Memory by what takes it; kinds overlap', ({ info }) =>
    memoryKinds(info),
  ),
];

/** Memory by kind, for metrics and the status page. */
export function memoryKinds({ memory: one, scripts }: InfoSource): readonly (readonly [string, number])[] {
  return [
    ['dataset', Math.max(0, one.used - one.overhead)],
    ['overhead', one.overhead],
    ['clients', one.clients],
    ['log', one.logBuffer],
    ['scripts', scripts.cachedBytes + scripts.libraryBytes],
    ['heap_used', one.heapUsed],
    ['heap_total', one.heapTotal],
    ['resident', one.resident],
  ];
}

const keyspace: readonly MetricRow[] = [
  labelled('gauge', 'keys', ['db'], 'Keys of a database', ({ info }) =>
    info.databases.map(({ index, keys }) => [`${index}`, keys]),
  ),
  labelled('gauge', 'keys_expiring', ['db'], 'Keys with a time to live', ({ info }) =>
    info.databases.map(({ index, expires }) => [`${index}`, expires]),
  ),
  single('counter', 'keys_expired_total', 'Keys whose time was over', ({ info }) => info.stats.keysExpired),
  single('counter', 'keys_evicted_total', 'Keys evicted for maxmemory', ({ info }) => info.stats.keysEvicted),
  single(
    'counter',
    'keyspace_hits_total',
    'Keys that were read and there',
    ({ info }) => info.stats.keyspaceHits,
  ),
  single(
    'counter',
    'keyspace_misses_total',
    'Keys that were read and not there',
    ({ info }) => info.stats.keyspaceMisses,
  ),
];

const snapshots: readonly MetricRow[] = [
  single('gauge', 'log_bytes', 'Size of the log', ({ node: one, status }) =>
    status === undefined ? undefined : one.node.storageStatus().logBytes,
  ),
  single('gauge', 'snapshot_bytes', 'Size of the newest snapshot', ({ node: one, status }) =>
    status === undefined ? undefined : one.node.storageStatus().snapshotBytes,
  ),
  single(
    'counter',
    'snapshots_total',
    'Snapshots that this node wrote',
    ({ info }) => info.persistence.snapshots,
  ),
  single(
    'gauge',
    'snapshot_running',
    'Whether one is being written',
    ({ info }) => info.persistence.snapshotRunning,
  ),
  single(
    'gauge',
    'snapshot_last_success',
    'Whether the last attempt was one',
    ({ info }) => info.persistence.lastSnapshotSucceeded,
  ),
  single(
    'gauge',
    'snapshot_last_timestamp_seconds',
    'When the last one was done, or the node started',
    ({ info }) => info.persistence.lastSnapshotTimeSeconds,
  ),
  single('gauge', 'snapshot_last_duration_seconds', 'What the last one took', ({ info }) => {
    const { lastSnapshotDurationSeconds: seconds } = info.persistence;
    return seconds < 0 ? undefined : seconds;
  }),
  single(
    'gauge',
    'disk_free_bytes',
    'Free on the disk of the log',
    ({ node: { diskSpace } }) => diskSpace?.freeBytes,
  ),
  single(
    'gauge',
    'disk_full',
    'Whether writes are refused for that',
    ({ node: { diskSpace } }) => diskSpace?.isFull,
  ),
  histogram('log_sync_seconds', [], 'What syncs of the log took', ({ node: { statistics } }) => [
    [[], statistics.syncs],
  ]),
];

const peersOf = ({ status }: MetricSource): readonly (Status['peers'][number] & { address: string })[] =>
  (status?.peers ?? []).map((peer) => ({
    ...peer,
    address: status!.membership.members.find(({ id }) => id === peer.id)?.address ?? '',
  }));

const peerLabels = ['peer', 'address'];
const isVoter = ({ learner }: Member): boolean => !learner;

const raft: readonly MetricRow[] = [
  single(
    'gauge',
    'raft_is_leader',
    'Whether this node leads',
    ({ status }) => status && status.role === 'leader',
  ),
  single(
    'gauge',
    'raft_has_leader',
    'Whether it knows of a leader',
    ({ status }) => status && status.leader !== 0,
  ),
  single('gauge', 'raft_quorum_held', 'Of a leader: whether a majority answers', ({ node: one, status }) =>
    status?.role === 'leader' ? one.node.quorumHeld : undefined,
  ),
  single('gauge', 'raft_leader_id', "The leader's number, 0 for none", ({ status }) => status?.leader),
  single('gauge', 'raft_term', 'The term', ({ status }) => status?.term),
  single('gauge', 'raft_commit_index', 'The last entry that is committed', ({ status }) => status?.commit),
  single('gauge', 'raft_applied_index', 'The last entry that is applied', ({ node: one, status }) =>
    status === undefined ? undefined : one.node.applied,
  ),
  single('gauge', 'raft_last_index', 'The last entry of the log', ({ status }) => status?.lastIndex),
  single(
    'gauge',
    'raft_durable_index',
    'The last entry that is synced',
    ({ status }) => status?.persistedIndex,
  ),
  single('gauge', 'raft_snapshot_index', 'The last entry in the snapshot', ({ node: one, status }) =>
    status === undefined ? undefined : one.node.storageStatus().snapshot.index,
  ),
  labelled('gauge', 'raft_members', ['vote'], 'Members of the cluster', ({ status }) => {
    const members = status?.membership.members ?? [];
    const voters = members.filter(isVoter).length;
    return [
      ['voter', voters],
      ['learner', members.length - voters],
    ];
  }),
  single(
    'gauge',
    'raft_entries_in_flight',
    'Entries that this leader proposed and has not applied',
    ({ node: { replica } }) => replica.pendingEntries,
  ),
  single('gauge', 'raft_bytes_in_flight', 'Bytes of these', ({ node: { replica } }) => replica.proposedBytes),
  histogram(
    'raft_commit_seconds',
    [],
    'From the proposal of an entry to its application',
    ({ node: one }) => [[[], one.statistics.commits]],
  ),
  single(
    'counter',
    'raft_elections_total',
    'Elections in which this node stood',
    ({ node: { consensus } }) => consensus.elections.stood,
  ),
  single(
    'counter',
    'raft_elections_won_total',
    'Elections that it won',
    ({ node: { consensus } }) => consensus.elections.won,
  ),
  single(
    'counter',
    'raft_leaders_seen_total',
    'Leaders that it has followed or been, each term anew',
    ({ node: { consensus } }) => consensus.elections.leaders,
  ),
  labelled(
    'gauge',
    'raft_peer_lag_entries',
    peerLabels,
    'Of a leader: committed entries that a peer lacks',
    (source) =>
      peersOf(source).map(({ id, address, match }) => [
        id,
        address,
        Math.max(0, source.status!.commit - match),
      ]),
  ),
  labelled(
    'gauge',
    'raft_peer_inflight_bytes',
    peerLabels,
    'Of a leader: bytes on their way to a peer',
    (source) => peersOf(source).map(({ id, address, inflightBytes }) => [id, address, inflightBytes]),
  ),
  labelled(
    'gauge',
    'raft_peer_silent_seconds',
    peerLabels,
    'Of a leader: since a peer was heard from',
    (source) =>
      peersOf(source).map(({ id, address, silentTicks }) => [
        id,
        address,
        (silentTicks * source.node.node.tickMs) / 1000,
      ]),
  ),
  labelled(
    'gauge',
    'raft_peer_healthy',
    peerLabels,
    'Of a leader: whether a peer answers, keeps its log and takes its snapshots',
    (source) =>
      peersOf(source).map(({ id, address, recentActive, logLost }) => [
        id,
        address,
        recentActive && !logLost && !source.node.node.isSnapshotFailing(id),
      ]),
  ),
  single(
    'gauge',
    'raft_digests_agree',
    'Of a leader: whether all members were in one state when that was last compared',
    ({ node: one, status }) => {
      const verdict = status === undefined ? undefined : one.cluster.digests?.verdict;
      return verdict && verdict.diverged.size === 0;
    },
  ),
  single('gauge', 'raft_digest_index', 'The entry at which that was', ({ node: one, status }) =>
    status === undefined ? undefined : one.cluster.digests?.verdict?.index,
  ),
  single(
    'gauge',
    'clock_sound',
    "Whether this node's clock agrees with its peers'",
    ({ node: one, status }) =>
      status === undefined || one.cluster.clock === 'unknown' ? undefined : one.cluster.clock === 'sound',
  ),
  single(
    'gauge',
    'tls_certificate_expires_in_seconds',
    'Time until the TLS certificate ends, in whole days',
    ({ node: { tls } }) => tls && tls.identity.certificateDays * 86_400,
  ),
];

/** In the order of the page and of the document. */
export const metricTable: readonly MetricRow[] = [
  ...node,
  ...commands,
  ...clients,
  ...memory,
  ...keyspace,
  ...snapshots,
  ...raft,
];
