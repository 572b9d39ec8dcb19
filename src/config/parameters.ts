/**
 * The configuration parameters of CONFIG GET and CONFIG SET: names, types, defaults and bounds as in Redis
 * 7.0 (https://redis.io/docs/latest/operate/oss_and_stack/management/config/), a row each. Parameters of
 * parts that Redraft does not have are absent; `effect` says what the others do here.
 */
import {
  bufferLimits,
  choice,
  clamped,
  commonName,
  durationPairs,
  fileName,
  integer,
  keyspaceEvents,
  memory,
  memoryOrPercent,
  type ParameterType,
  percentiles,
  shutdownOptions,
  text,
  yesNo,
} from './parameter-types.js';

/**
 * What setting a parameter does. `replicated`: all nodes' state depends on it, so a change is proposed like a
 * write. `node`: this process acts by it. `none`: Redraft has no use for it, as its log, memory and expiry
 * work otherwise; it is checked, kept and reported, so that programs which set it find what they expect.
 */
export type ParameterEffect = 'replicated' | 'node' | 'none';

export interface ConfigParameter {
  readonly name: string;
  /** Other names of the same value: those of older versions. */
  readonly aliases: readonly string[];
  readonly type: ParameterType;
  /** As CONFIG GET replies it. */
  readonly defaultValue: string;
  readonly effect: ParameterEffect;
  /** Set at start only. */
  readonly immutable: boolean;
  /** CONFIG SET may not touch it, as it names files. */
  readonly protected: boolean;
  /** Its value must not appear in logs. */
  readonly sensitive: boolean;
}

type Traits = Partial<Pick<ConfigParameter, 'aliases' | 'immutable' | 'protected' | 'sensitive'>>;

const row =
  (effect: ParameterEffect) =>
  (
    name: string,
    type: ParameterType,
    defaultValue: string | number,
    traits: Traits = {},
  ): ConfigParameter => ({
    name,
    type,
    defaultValue: String(defaultValue),
    effect,
    aliases: [],
    immutable: false,
    protected: false,
    sensitive: false,
    ...traits,
  });

const replicated = row('replicated');
const node = row('node');
const none = row('none');

const immutable: Traits = { immutable: true };
const max32 = 2147483647;
const max64 = 9223372036854775807n;
const maxUnsigned64 = 18446744073709551615n;
const oneMegabyte = 1048576;

/** Every parameter, in alphabetical order of effect and name. */
export const configParameters: readonly ConfigParameter[] = [
  replicated('cluster-enabled', yesNo, 'yes'),
  replicated('databases', integer(1, max32), 16, immutable),
  replicated('durability', choice('low', 'medium', 'high'), 'high'),
  replicated('hash-max-listpack-entries', integer(0, max64), 512, { aliases: ['hash-max-ziplist-entries'] }),
  replicated('hash-max-listpack-value', memory(0, max64), 64, { aliases: ['hash-max-ziplist-value'] }),
  replicated('hll-sparse-max-bytes', memory(0, max64), 3000),
  replicated('list-compress-depth', integer(0, max32), 0),
  replicated('list-max-listpack-size', integer(-max32 - 1, max32), -2, {
    aliases: ['list-max-ziplist-size'],
  }),
  // Steps of a script (docs/SCRIPTS.md); no parameter of Redis, which bounds scripts by time.
  replicated('lua-step-limit', integer(1000, max32), 20_000_000),
  // Seconds.
  replicated('min-replicas-max-lag', integer(0, max32), 10, { aliases: ['min-slaves-max-lag'] }),
  replicated('min-replicas-to-write', integer(0, max32), 0, { aliases: ['min-slaves-to-write'] }),
  replicated('notify-keyspace-events', keyspaceEvents, ''),
  // The longest string that V8 can hold is 24 bytes shorter than Redis's 512 MB, and there is no way past it.
  replicated('proto-max-bulk-len', memory(oneMegabyte, 536870888), 536870888),
  // As the default user's password, of which the state keeps the hash.
  replicated('requirepass', text, '', { sensitive: true }),
  replicated('set-max-intset-entries', integer(0, max64), 512),
  replicated('stream-node-max-bytes', memory(0, max64), 4096),
  replicated('stream-node-max-entries', integer(0, max64), 100),
  replicated('zset-max-listpack-entries', integer(0, max64), 128, { aliases: ['zset-max-ziplist-entries'] }),
  replicated('zset-max-listpack-value', memory(0, max64), 64, { aliases: ['zset-max-ziplist-value'] }),

  node('acl-pubsub-default', choice('allchannels', 'resetchannels'), 'resetchannels'),
  node('acllog-max-len', integer(0, max64), 128),
  node('aclfile', text, '', immutable),
  node('bind', text, '127.0.0.1', immutable),
  // host:port; empty: where peers reach this node.
  node('client-advertise', text, '', immutable),
  node(
    'client-output-buffer-limit',
    bufferLimits,
    'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  ),
  node('client-query-buffer-limit', memory(oneMegabyte, max64), 1073741824),
  node('cluster-announce-hostname', text, ''),
  node('cluster-announce-ip', text, ''),
  node('cluster-announce-port', integer(0, 65535), 0),
  node('cluster-announce-tls-port', integer(0, 65535), 0),
  node('dir', text, '', { protected: true }),
  // Milliseconds.
  node('election-timeout', integer(100, 60_000), 500, immutable),
  node('lfu-decay-time', integer(0, max32), 1),
  node('lfu-log-factor', integer(0, max32), 10),
  node('loglevel', choice('debug', 'verbose', 'notice', 'warning', 'quiet'), 'notice'),
  node('maxclients', integer(1, 4294967295), 10000),
  node('maxmemory', memory(0, maxUnsigned64), 0),
  node(
    'maxmemory-policy',
    choice(
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'noeviction',
    ),
    'noeviction',
  ),
  node('maxmemory-samples', integer(1, max32), 5),
  node('port', integer(0, 65535), 7481, immutable),
  // Of the stream for Redis's own replicas; seconds but for the size.
  node('repl-backlog-size', memory(1, max64), oneMegabyte),
  node('repl-backlog-ttl', integer(0, max64), 3600),
  node('repl-ping-replica-period', integer(1, max32), 10, { aliases: ['repl-ping-slave-period'] }),
  node('repl-timeout', integer(1, max32), 60),
  node('sentinel-name', text, 'mymaster'),
  node('tcp-backlog', integer(0, max32), 511, immutable),
  node('tcp-keepalive', integer(0, max32), 300),
  node('timeout', integer(0, max32), 0),
  node('tls-auth-clients', choice('no', 'yes', 'optional'), 'yes'),
  // As later releases of Redis have it: who a client is may be said by its certificate.
  node('tls-auth-clients-user', commonName, 'off'),
  node('tls-ca-cert-dir', text, ''),
  node('tls-ca-cert-file', text, ''),
  node('tls-cert-file', text, ''),
  node('tls-ciphers', text, ''),
  node('tls-ciphersuites', text, ''),
  node('tls-client-cert-file', text, ''),
  node('tls-client-key-file', text, ''),
  node('tls-client-key-file-pass', text, '', { sensitive: true }),
  node('tls-cluster', yesNo, 'no', immutable),
  node('tls-dh-params-file', text, ''),
  node('tls-key-file', text, ''),
  node('tls-key-file-pass', text, '', { sensitive: true }),
  node('tls-port', integer(0, 65535), 0, immutable),
  node('tls-prefer-server-ciphers', yesNo, 'no'),
  node('tls-protocols', text, ''),
  node('tls-session-cache-timeout', integer(0, max32), 300),
  node('tls-session-caching', yesNo, 'yes'),

  none('active-defrag-cycle-max', integer(1, 99), 25),
  none('active-defrag-cycle-min', integer(1, 99), 1),
  none('active-defrag-ignore-bytes', memory(1, max64), 104857600),
  none('active-defrag-max-scan-fields', integer(1, max64), 1000),
  none('active-defrag-threshold-lower', integer(0, 1000), 10),
  none('active-defrag-threshold-upper', integer(0, 1000), 100),
  none('active-expire-effort', integer(1, 10), 1),
  none('activerehashing', yesNo, 'yes'),
  none('always-show-logo', yesNo, 'no', immutable),
  none('aof-load-truncated', yesNo, 'yes'),
  none('aof-rewrite-incremental-fsync', yesNo, 'yes'),
  none('aof-timestamp-enabled', yesNo, 'no'),
  none('aof-use-rdb-preamble', yesNo, 'yes'),
  none('appendfilename', text, 'appendonly.aof', immutable),
  none('appendfsync', choice('everysec', 'always', 'no'), 'everysec'),
  none('appendonly', yesNo, 'no'),
  none('auto-aof-rewrite-min-size', memory(0, max64), 67108864),
  none('auto-aof-rewrite-percentage', integer(0, max32), 100),
  none('busy-reply-threshold', integer(0, max64), 5000, { aliases: ['lua-time-limit'] }),
  none('daemonize', yesNo, 'no', immutable),
  node('dbfilename', fileName, 'dump.rdb', { protected: true }),
  none('dynamic-hz', yesNo, 'yes'),
  node('enable-debug-command', choice('no', 'yes', 'local'), 'no', immutable),
  none('hz', clamped(1, 500), 10),
  none('io-threads', integer(1, 128), 1, immutable),
  node('latency-monitor-threshold', integer(0, max64), 0),
  node('latency-tracking', yesNo, 'yes'),
  node('latency-tracking-info-percentiles', percentiles, '50 99 99.9'),
  none('lazyfree-lazy-eviction', yesNo, 'no'),
  none('lazyfree-lazy-expire', yesNo, 'no'),
  none('lazyfree-lazy-server-del', yesNo, 'no'),
  none('lazyfree-lazy-user-del', yesNo, 'no'),
  none('lazyfree-lazy-user-flush', yesNo, 'no'),
  node('logfile', text, '', immutable),
  none('maxmemory-clients', memoryOrPercent(max64), 0),
  none('maxmemory-eviction-tenacity', integer(0, 100), 10),
  none('no-appendfsync-on-rewrite', yesNo, 'no'),
  none('pidfile', text, '', immutable),
  node('protected-mode', yesNo, 'yes'),
  node('rdb-on-save', yesNo, 'no'),
  none('rdb-save-incremental-fsync', yesNo, 'yes'),
  none('rdbchecksum', yesNo, 'yes', immutable),
  none('rdbcompression', yesNo, 'yes'),
  none('sanitize-dump-payload', choice('no', 'yes', 'clients'), 'no'),
  none('save', durationPairs, ''),
  none('shutdown-on-sigint', shutdownOptions, 'default'),
  none('shutdown-on-sigterm', shutdownOptions, 'default'),
  none('shutdown-timeout', integer(0, max32), 10),
  node('slowlog-log-slower-than', integer(-1, max64), 10000),
  node('slowlog-max-len', integer(0, max64), 128),
  none('stop-writes-on-bgsave-error', yesNo, 'yes'),
  none('tls-replication', yesNo, 'no'),
  // Sessions are in tickets that clients keep.
  none('tls-session-cache-size', integer(0, max32), 20480),
  node('tracking-table-max-keys', integer(0, max64), 1000000),
];
