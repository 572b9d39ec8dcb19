/**
 * The text of INFO: Redis 7.0's sections and fields in its order
 * (https://redis.io/docs/latest/commands/info/), and a section of our own, raft. What has no counterpart here
 * (forks, the append-only file, replication buffers, scripts) says 0, as an idle Redis does.
 */
import { utf8Bytes } from '../../engine/index.js';

/** Everything that INFO tells, measured by whoever calls. Sizes in bytes unless the name says otherwise. */
export interface InfoSource {
  readonly server: {
    readonly redraftVersion: string;
    readonly mode: 'cluster' | 'standalone';
    readonly os: string;
    readonly archBits: number;
    readonly nodeVersion: string;
    readonly processId: number;
    /** 40 hexadecimal digits, new at each start. */
    readonly runId: string;
    readonly tcpPort: number;
    /** Of a node that speaks TLS: our own fields. */
    readonly tls: readonly (readonly [name: string, value: string | number])[];
    readonly timeUs: number;
    readonly uptimeSeconds: number;
    readonly hz: number;
    readonly lruClockSeconds: number;
    readonly executable: string;
    readonly configFile: string;
  };
  readonly clients: {
    readonly connected: number;
    readonly maximum: number;
    readonly largestInputBuffer: number;
    readonly largestOutputBuffer: number;
    readonly blocked: number;
    readonly withTimeout: number;
    readonly tracking: number;
  };
  readonly memory: {
    readonly used: number;
    readonly resident: number;
    readonly peak: number;
    /** Of `used`, what is not keys and values. */
    readonly overhead: number;
    readonly atStartup: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
    readonly system: number;
    readonly clients: number;
    readonly logBuffer: number;
    readonly maximum: number;
    readonly policy: string;
  };
  /** Scripts and functions: how many, and the bytes of their sources. */
  readonly scripts: {
    readonly cached: number;
    readonly cachedBytes: number;
    readonly functions: number;
    readonly libraries: number;
    readonly libraryBytes: number;
  };
  readonly persistence: {
    /** How far a recovery is; undefined when there is none. */
    readonly loading: { readonly beganMs: number; readonly done: number; readonly total: number } | undefined;
    readonly changesSinceSnapshot: number;
    readonly snapshotRunning: boolean;
    readonly lastSnapshotTimeSeconds: number;
    readonly lastSnapshotSucceeded: boolean;
    /** -1 while there was none. */
    readonly lastSnapshotDurationSeconds: number;
    /** -1 while none runs. */
    readonly currentSnapshotDurationSeconds: number;
    readonly snapshots: number;
    readonly keysLoaded: number;
    readonly keysExpiredAtLoad: number;
  };
  readonly stats: {
    readonly connectionsReceived: number;
    readonly commandsProcessed: number;
    readonly operationsPerSecond: number;
    readonly inputBytes: number;
    readonly outputBytes: number;
    readonly peerInputBytes: number;
    readonly peerOutputBytes: number;
    readonly inputBytesPerSecond: number;
    readonly outputBytesPerSecond: number;
    readonly connectionsRejected: number;
    readonly snapshotsSent: number;
    readonly keysExpired: number;
    readonly keysEvicted: number;
    readonly keyspaceHits: number;
    readonly keyspaceMisses: number;
    /** Channels, patterns and shard channels that this node's clients subscribe to. */
    readonly channels: number;
    readonly patterns: number;
    readonly shardChannels: number;
    /**
     * Keys that clients have read and would be told of; with each of their clients; prefixes of broadcast
     * mode.
     */
    readonly trackedKeys: number;
    readonly trackedItems: number;
    readonly trackedPrefixes: number;
    readonly errorReplies: number;
    readonly reads: number;
    readonly writes: number;
  };
  readonly replication: {
    readonly role: 'leader' | 'follower';
    /** The leader that a follower knows. */
    readonly leader?: {
      readonly host: string;
      readonly port: number;
      /** Whether its connection stands. */
      readonly isReached: boolean;
      readonly secondsSinceContact: number;
    };
    /** Of a leader: the others that keep up. */
    readonly followers: readonly {
      readonly host: string;
      readonly port: number;
      readonly state: 'online' | 'wait_bgsave' | 'send_bulk';
      readonly matchIndex: number;
      readonly lagSeconds: number;
      /** Of a replica of Redis: how far it is in the stream that it is sent. */
      readonly streamOffset?: number;
    }[];
    /** What replicas of Redis are sent; undefined while there is none. */
    readonly stream?:
      | { readonly id: string; readonly offset: number; readonly firstOffset: number }
      | undefined;
    /** Of those, how many count for `min-replicas-to-write`, where that is in force. */
    readonly goodFollowers?: number;
    /** 40 hexadecimal digits that name the cluster. */
    readonly clusterId: string;
    readonly logIndex: number;
    readonly firstLogIndex: number;
  };
  readonly cpu: { readonly systemSeconds: number; readonly userSeconds: number };
  /** Our own fields. */
  readonly raft: readonly (readonly [name: string, value: string | number])[];
  readonly commands: readonly CommandStatistics[];
  /** How often each error code was replied. */
  readonly errors: readonly (readonly [code: string, count: number])[];
  readonly databases: readonly DatabaseStatistics[];
}

export interface CommandStatistics {
  /** Full name, `config|get`. */
  readonly name: string;
  readonly calls: number;
  readonly durationUs: number;
  /** Refused before they ran. */
  readonly rejected: number;
  readonly failed: number;
  /** Duration in microseconds at each percentile that is tracked. */
  readonly percentilesUs: readonly (readonly [percentile: number, durationUs: number])[];
}

export interface DatabaseStatistics {
  readonly index: number;
  readonly keys: number;
  readonly expires: number;
  /** Average time to live of the keys that expire. */
  readonly averageTtlMs: number;
}

type Field = readonly [name: string, value: string | number];
type Section = readonly [title: string, fields: (source: InfoSource) => readonly Field[]];

/** In the order of the reply; the key is the section's name as an argument. */
const sections: ReadonlyMap<string, Section> = new Map<string, Section>([
  ['server', ['Server', serverFields]],
  ['clients', ['Clients', clientFields]],
  ['memory', ['Memory', memoryFields]],
  ['persistence', ['Persistence', persistenceFields]],
  ['stats', ['Stats', statsFields]],
  ['replication', ['Replication', replicationFields]],
  ['raft', ['Raft', ({ raft }) => raft]],
  ['cpu', ['CPU', cpuFields]],
  ['modules', ['Modules', () => []]],
  ['commandstats', ['Commandstats', ({ commands }) => commands.map(commandField)]],
  [
    'errorstats',
    ['Errorstats', ({ errors }) => errors.map(([code, count]) => [`errorstat_${code}`, `count=${count}`])],
  ],
  ['latencystats', ['Latencystats', ({ commands }) => commands.flatMap(latencyField)]],
  ['cluster', ['Cluster', ({ server }) => [['cluster_enabled', server.mode === 'cluster' ? 1 : 0]]]],
  ['keyspace', ['Keyspace', ({ databases }) => databases.filter(({ keys }) => keys > 0).map(databaseField)]],
]);

const onlyOnRequest: ReadonlySet<string> = new Set(['commandstats', 'latencystats']);

/**
 * The text of INFO.
 * @param requested section names in any case, `default`, `all` or `everything`; none means `default`. Unknown
 * names are passed over.
 */
export function formatInfo(requested: readonly string[], source: InfoSource): string {
  const wanted = new Set(requested.map((name) => name.toLowerCase()));
  const all = wanted.has('all') || wanted.has('everything');
  const byDefault = requested.length === 0 || wanted.has('default');
  const texts: string[] = [];
  for (const [name, [title, fields]] of sections) {
    if (!all && !wanted.has(name) && !(byDefault && !onlyOnRequest.has(name))) continue;
    texts.push(
      `# ${title}\r\n${fields(source)
        .map(([field, value]) => `${field}:${value}\r\n`)
        .join('')}`,
    );
  }
  return texts.join('\r\n');
}

/** Bytes for people, as Redis writes them: `1015.40K`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let size = bytes;
  let unit = '';
  for (unit of ['K', 'M', 'G', 'T', 'P']) {
    size /= 1024;
    if (size < 1024) break;
  }
  return `${size.toFixed(2)}${unit}`;
}

const percent = (part: number, whole: number): string =>
  `${(whole === 0 ? 0 : (part / whole) * 100).toFixed(2)}%`;
const ratio = (part: number, whole: number): string => (whole === 0 ? 0 : part / whole).toFixed(2);
const bit = (flag: boolean): number => (flag ? 1 : 0);

function serverFields({ server }: InfoSource): Field[] {
  return [
    ['redis_version', '7.0.15'],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', server.mode],
    ['os', server.os],
    ['arch_bits', server.archBits],
    ['monotonic_clock', 'POSIX clock_gettime'],
    ['multiplexing_api', 'libuv'],
    ['atomicvar_api', 'none'],
    // What Redis says when it was built by another compiler.
    ['gcc_version', '0.0.0'],
    ['process_id', server.processId],
    ['process_supervised', 'no'],
    ['run_id', server.runId],
    ['tcp_port', server.tcpPort],
    ...server.tls,
    ['server_time_usec', server.timeUs],
    ['uptime_in_seconds', server.uptimeSeconds],
    ['uptime_in_days', Math.floor(server.uptimeSeconds / 86400)],
    ['hz', server.hz],
    ['configured_hz', server.hz],
    // 24 bits, as Redis keeps them in each object.
    ['lru_clock', server.lruClockSeconds % 16777216],
    ['executable', utf8Bytes(server.executable)],
    ['config_file', utf8Bytes(server.configFile)],
    ['io_threads_active', 0],
    ['redraft_version', server.redraftVersion],
    ['node_version', server.nodeVersion],
  ];
}

function clientFields({ clients }: InfoSource): Field[] {
  return [
    ['connected_clients', clients.connected],
    ['cluster_connections', 0],
    ['maxclients', clients.maximum],
    ['client_recent_max_input_buffer', clients.largestInputBuffer],
    ['client_recent_max_output_buffer', clients.largestOutputBuffer],
    ['blocked_clients', clients.blocked],
    ['tracking_clients', clients.tracking],
    ['clients_in_timeout_table', clients.withTimeout],
  ];
}

function memoryFields({ memory, scripts }: InfoSource): Field[] {
  const dataset = Math.max(0, memory.used - memory.overhead);
  return [
    ['used_memory', memory.used],
    ['used_memory_human', humanBytes(memory.used)],
    ['used_memory_rss', memory.resident],
    ['used_memory_rss_human', humanBytes(memory.resident)],
    ['used_memory_peak', memory.peak],
    ['used_memory_peak_human', humanBytes(memory.peak)],
    ['used_memory_peak_perc', percent(memory.used, memory.peak)],
    ['used_memory_overhead', memory.overhead],
    ['used_memory_startup', memory.atStartup],
    ['used_memory_dataset', dataset],
    ['used_memory_dataset_perc', percent(dataset, Math.max(0, memory.used - memory.atStartup))],
    ['allocator_allocated', memory.heapUsed],
    ['allocator_active', memory.heapTotal],
    ['allocator_resident', memory.resident],
    ['total_system_memory', memory.system],
    ['total_system_memory_human', humanBytes(memory.system)],
    ['used_memory_lua', 0],
    ['used_memory_vm_eval', 0],
    ['used_memory_lua_human', '0B'],
    ['used_memory_scripts_eval', scripts.cachedBytes],
    ['number_of_cached_scripts', scripts.cached],
    ['number_of_functions', scripts.functions],
    ['number_of_libraries', scripts.libraries],
    ['used_memory_vm_functions', 0],
    ['used_memory_vm_total', 0],
    ['used_memory_vm_total_human', '0B'],
    ['used_memory_functions', scripts.libraryBytes],
    ['used_memory_scripts', scripts.cachedBytes + scripts.libraryBytes],
    ['used_memory_scripts_human', humanBytes(scripts.cachedBytes + scripts.libraryBytes)],
    ['maxmemory', memory.maximum],
    ['maxmemory_human', humanBytes(memory.maximum)],
    ['maxmemory_policy', memory.policy],
    ['allocator_frag_ratio', ratio(memory.heapTotal, memory.heapUsed)],
    ['allocator_frag_bytes', memory.heapTotal - memory.heapUsed],
    ['allocator_rss_ratio', ratio(memory.resident, memory.heapTotal)],
    ['allocator_rss_bytes', memory.resident - memory.heapTotal],
    ['rss_overhead_ratio', '1.00'],
    ['rss_overhead_bytes', 0],
    ['mem_fragmentation_ratio', ratio(memory.resident, memory.used)],
    ['mem_fragmentation_bytes', memory.resident - memory.used],
    ['mem_not_counted_for_evict', memory.logBuffer],
    ['mem_replication_backlog', memory.logBuffer],
    ['mem_total_replication_buffers', memory.logBuffer],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', memory.clients],
    ['mem_cluster_links', 0],
    ['mem_aof_buffer', 0],
    ['mem_allocator', 'v8'],
    ['active_defrag_running', 0],
    ['lazyfree_pending_objects', 0],
    ['lazyfreed_objects', 0],
  ];
}

function persistenceFields(source: InfoSource): Field[] {
  const { persistence } = source;
  return [
    ['loading', bit(persistence.loading !== undefined)],
    ['async_loading', 0],
    ['current_cow_peak', 0],
    ['current_cow_size', 0],
    ['current_cow_size_age', 0],
    ['current_fork_perc', '0.00'],
    ['current_save_keys_processed', 0],
    ['current_save_keys_total', 0],
    ['rdb_changes_since_last_save', persistence.changesSinceSnapshot],
    ['rdb_bgsave_in_progress', bit(persistence.snapshotRunning)],
    ['rdb_last_save_time', persistence.lastSnapshotTimeSeconds],
    ['rdb_last_bgsave_status', persistence.lastSnapshotSucceeded ? 'ok' : 'err'],
    ['rdb_last_bgsave_time_sec', persistence.lastSnapshotDurationSeconds],
    ['rdb_current_bgsave_time_sec', persistence.currentSnapshotDurationSeconds],
    ['rdb_saves', persistence.snapshots],
    ['rdb_last_cow_size', 0],
    ['rdb_last_load_keys_expired', persistence.keysExpiredAtLoad],
    ['rdb_last_load_keys_loaded', persistence.keysLoaded],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_rewrites', 0],
    ['aof_rewrites_consecutive_failures', 0],
    ['aof_last_write_status', 'ok'],
    ['aof_last_cow_size', 0],
    ['module_fork_in_progress', 0],
    ['module_fork_last_cow_size', 0],
    ...loadingFields(source),
  ];
}

/** As Redis 7.0 shows them while it loads. */
function loadingFields({ persistence: { loading }, server }: InfoSource): Field[] {
  if (loading === undefined) return [];
  const { beganMs, done, total } = loading;
  const seconds = Math.max(1, server.timeUs / 1e6 - beganMs / 1000);
  return [
    ['loading_start_time', Math.floor(beganMs / 1000)],
    ['loading_total_bytes', total],
    ['loading_rdb_used_mem', 0],
    ['loading_loaded_bytes', done],
    ['loading_loaded_perc', (total === 0 ? 0 : (done / total) * 100).toFixed(2)],
    ['loading_eta_seconds', done === 0 ? 1 : Math.ceil(((total - done) / done) * seconds)],
  ];
}

function statsFields({ stats }: InfoSource): Field[] {
  return [
    ['total_connections_received', stats.connectionsReceived],
    ['total_commands_processed', stats.commandsProcessed],
    ['instantaneous_ops_per_sec', stats.operationsPerSecond],
    ['total_net_input_bytes', stats.inputBytes],
    ['total_net_output_bytes', stats.outputBytes],
    ['total_net_repl_input_bytes', stats.peerInputBytes],
    ['total_net_repl_output_bytes', stats.peerOutputBytes],
    ['instantaneous_input_kbps', (stats.inputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (stats.outputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_input_repl_kbps', '0.00'],
    ['instantaneous_output_repl_kbps', '0.00'],
    ['rejected_connections', stats.connectionsRejected],
    ['sync_full', stats.snapshotsSent],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', stats.keysExpired],
    ['expired_stale_perc', '0.00'],
    ['expired_time_cap_reached_count', 0],
    ['expire_cycle_cpu_milliseconds', 0],
    ['evicted_keys', stats.keysEvicted],
    ['evicted_clients', 0],
    ['total_eviction_exceeded_time', 0],
    ['current_eviction_exceeded_time', 0],
    ['keyspace_hits', stats.keyspaceHits],
    ['keyspace_misses', stats.keyspaceMisses],
    ['pubsub_channels', stats.channels],
    ['pubsub_patterns', stats.patterns],
    ['pubsubshard_channels', stats.shardChannels],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['active_defrag_hits', 0],
    ['active_defrag_misses', 0],
    ['active_defrag_key_hits', 0],
    ['active_defrag_key_misses', 0],
    ['total_active_defrag_time', 0],
    ['current_active_defrag_time', 0],
    ['tracking_total_keys', stats.trackedKeys],
    ['tracking_total_items', stats.trackedItems],
    ['tracking_total_prefixes', stats.trackedPrefixes],
    ['unexpected_error_replies', 0],
    ['total_error_replies', stats.errorReplies],
    ['dump_payload_sanitizations', 0],
    ['total_reads_processed', stats.reads],
    ['total_writes_processed', stats.writes],
    ['io_threaded_reads_processed', 0],
    ['io_threaded_writes_processed', 0],
    ['reply_buffer_shrinks', 0],
    ['reply_buffer_expands', 0],
  ];
}

/** A follower is what Redis calls a replica; offsets are log indexes. */
function replicationFields({ replication }: InfoSource): Field[] {
  const { leader, followers, goodFollowers, logIndex, firstLogIndex } = replication;
  const fields: Field[] = [['role', replication.role === 'leader' ? 'master' : 'slave']];
  if (replication.role === 'follower') {
    fields.push(
      ['master_host', leader?.host ?? ''],
      ['master_port', leader?.port ?? 0],
      ['master_link_status', leader?.isReached === true ? 'up' : 'down'],
      ['master_last_io_seconds_ago', leader?.secondsSinceContact ?? -1],
      ['master_sync_in_progress', 0],
      ['slave_read_repl_offset', logIndex],
      ['slave_repl_offset', logIndex],
      ['slave_priority', 100],
      ['slave_read_only', 1],
      ['replica_announced', 1],
    );
  }
  fields.push(['connected_slaves', followers.length]);
  if (goodFollowers !== undefined) fields.push(['min_slaves_good_slaves', goodFollowers]);
  for (const [i, { host, port, state, matchIndex, lagSeconds, streamOffset }] of followers.entries()) {
    const own = streamOffset === undefined ? '' : `,stream_offset=${streamOffset}`;
    fields.push([
      `slave${i}`,
      `ip=${host},port=${port},state=${state},offset=${matchIndex},lag=${lagSeconds}${own}`,
    ]);
  }
  fields.push(
    ['master_failover_state', 'no-failover'],
    ['master_replid', replication.clusterId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', logIndex],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 1],
    ['repl_backlog_size', 1048576],
    ['repl_backlog_first_byte_offset', firstLogIndex],
    ['repl_backlog_histlen', Math.max(0, logIndex - firstLogIndex + 1)],
  );
  const { stream } = replication;
  if (stream !== undefined)
    fields.push(
      ['repl_stream_id', stream.id],
      ['repl_stream_offset', stream.offset],
      ['repl_stream_first_offset', stream.firstOffset],
    );
  return fields;
}

function cpuFields({ cpu }: InfoSource): Field[] {
  return [
    ['used_cpu_sys', cpu.systemSeconds.toFixed(6)],
    ['used_cpu_user', cpu.userSeconds.toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
    ['used_cpu_sys_main_thread', cpu.systemSeconds.toFixed(6)],
    ['used_cpu_user_main_thread', cpu.userSeconds.toFixed(6)],
  ];
}

function commandField(command: CommandStatistics): Field {
  const { calls, durationUs, rejected, failed } = command;
  const each = ratio(durationUs, calls);
  return [
    `cmdstat_${command.name}`,
    `calls=${calls},usec=${Math.floor(durationUs)},usec_per_call=${each},rejected_calls=${rejected},failed_calls=${failed}`,
  ];
}

function latencyField({ name, percentilesUs }: CommandStatistics): Field[] {
  if (percentilesUs.length === 0) return [];
  const parts = percentilesUs.map(([percentile, durationUs]) => `p${percentile}=${durationUs.toFixed(3)}`);
  return [[`latency_percentiles_usec_${name}`, parts.join(',')]];
}

function databaseField({ index, keys, expires, averageTtlMs }: DatabaseStatistics): Field {
  return [`db${index}`, `keys=${keys},expires=${expires},avg_ttl=${Math.floor(averageTtlMs)}`];
}
