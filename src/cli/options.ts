/**
 * The options of `redraft` and its subcommands: one row each, from which parsing, environment names, the
 * config file, error texts and --help all follow.
 */
import { defaultElectionTimeoutMs } from '../../raft/node/index.js';
import { jsonRow, passwordRows, tlsRow } from './common-rows.js';
import { httpRows, logRows } from './observe-options.js';
import { type OptionRow, option } from './option-row.js';
import {
  bytesFrom,
  durationBetween,
  durationOrOff,
  hostAddress,
  hostAndPort,
  hostsAndPorts,
  integerBetween,
  nonEmptyText,
  oneOf,
  yesOrNo,
} from './option-types.js';
import { certificateRows, tlsRows } from './tls-options.js';

export type { OptionRow };

/**
 * Keys are names in camel case: `maxmemoryPolicy` is --maxmemory-policy, REDRAFT_MAXMEMORY_POLICY and
 * maxmemory-policy in a file.
 */
export type OptionTable = Readonly<Record<string, OptionRow>>;

/** The values of a table's options. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Key in keyof Table]: Table[Key] extends OptionRow<infer T> ? T : never;
};

export const DEFAULT_PORT = 7481;
const electionTimeoutMinMs = 100;
const electionTimeoutMaxMs = 60_000;

export const serveTable = {
  port: option({
    group: 'Network',
    short: 'p',
    argument: 'PORT',
    type: integerBetween(0, 65535),
    default: `${DEFAULT_PORT}`,
    example: '--port 6379',
    help: 'Port for clients and peers; 0 takes any that is free',
  }),
  bind: option({
    group: 'Network',
    short: 'b',
    argument: 'ADDRESS',
    type: hostAddress,
    default: '127.0.0.1',
    example: '--bind 0.0.0.0',
    help: 'Address to listen on',
  }),
  advertise: option({
    group: 'Network',
    short: 'a',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: undefined,
    shownDefault: 'the address listened on',
    example: '--advertise redis-1.example.org:7481',
    help: 'Under which clients and peers reach this node',
  }),
  clientAdvertise: option({
    group: 'Network',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: undefined,
    shownDefault: 'that of --advertise',
    example: '--client-advertise redis.example.org:6379',
    help: 'Under which clients reach this node, if not as peers do',
  }),
  maxclients: option({
    group: 'Network',
    argument: 'COUNT',
    type: integerBetween(1, 1_000_000),
    default: '10000',
    example: '--maxclients 500',
    help: 'Clients served at a time; more are turned away',
  }),
  ...passwordRows(
    'Network',
    'REDRAFT_REQUIREPASS=secret redraft',
    'Clients must AUTH with it; a file or the environment hides it from ps',
  ),
  protectedMode: option({
    group: 'Network',
    argument: 'yes|no',
    type: oneOf('yes', 'no'),
    default: 'yes',
    example: '--protected-mode no',
    help: 'Without a password, serve clients of this machine only',
  }),
  aclfile: option({
    group: 'Network',
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--aclfile /etc/redraft/users.acl',
    help: 'Users of a cluster that this node founds; ACL LOAD and SAVE use it',
  }),
  enableDebugCommand: option({
    group: 'Network',
    argument: 'no|local|yes',
    type: oneOf('no', 'local', 'yes'),
    default: 'no',
    example: '--enable-debug-command local',
    help: 'Who may use DEBUG: nobody, clients of this machine, all',
  }),
  ...tlsRows,
  dir: option({
    group: 'Storage',
    short: 'd',
    argument: 'DIR',
    type: nonEmptyText,
    default: './data',
    example: '--dir /var/lib/redraft',
    help: 'Where log and snapshots are kept',
  }),
  backend: option({
    group: 'Storage',
    argument: 'file|memory',
    type: oneOf('file', 'memory'),
    default: 'file',
    example: '--backend memory',
    help: 'memory keeps nothing: for tests and caches',
  }),
  durability: option({
    group: 'Storage',
    argument: 'low|medium|high',
    type: oneOf('low', 'medium', 'high'),
    default: 'high',
    example: '--durability medium',
    help: 'high: synced to disk before the reply; medium: each second; low: when the system likes',
  }),
  snapshotInterval: option({
    group: 'Storage',
    argument: 'TIME',
    type: durationOrOff,
    default: 'off',
    example: '--snapshot-interval 15m',
    help: 'Take a snapshot this long after the last one, if anything was written',
  }),
  snapshotSize: option({
    group: 'Storage',
    argument: 'BYTES',
    type: bytesFrom(1 << 20, 'at least 1mb'),
    default: '128mb',
    example: '--snapshot-size 1gb',
    help: 'Take a snapshot when the log has grown by this much',
  }),
  maxmemory: option({
    group: 'Memory',
    short: 'm',
    argument: 'BYTES',
    type: bytesFrom(0, '0 for no limit of your own'),
    default: '0',
    shownDefault: 'what this machine can hold',
    example: '--maxmemory 2gb',
    help: 'What keys and values may take',
  }),
  maxmemoryPolicy: option({
    group: 'Memory',
    argument: 'POLICY',
    type: oneOf(
      'noeviction',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
    ),
    default: 'noeviction',
    example: '--maxmemory-policy allkeys-lru',
    help: 'What to do beyond maxmemory: refuse writes, or evict keys as Redis does',
  }),
  databases: option({
    group: 'Memory',
    argument: 'COUNT',
    type: integerBetween(1, 65536),
    default: '16',
    example: '--databases 1',
    help: 'Databases for SELECT; settled by the first start of a cluster',
  }),
  join: option({
    group: 'Cluster',
    short: 'j',
    argument: '[HOST:]PORT,...',
    type: hostsAndPorts,
    default: undefined,
    shownDefault: 'found a cluster',
    example: '--join 10.0.0.1:7481,10.0.0.2:7481',
    help: 'Join the cluster of these nodes; right on every later start, too',
  }),
  clusterSecret: option({
    group: 'Cluster',
    argument: 'SECRET',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'peers of this machine only',
    example: 'REDRAFT_CLUSTER_SECRET=secret redraft',
    help: 'Nodes prove to each other that they know it; none lets in any peer',
  }),
  clusterSecretFile: option({
    group: 'Cluster',
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--cluster-secret-file /run/secrets/cluster',
    help: 'The same, from a file: the line that is proved, and one more that is taken; read again at SIGHUP',
  }),
  consistency: option({
    group: 'Cluster',
    short: 'c',
    argument: 'low|medium|high',
    type: oneOf('low', 'medium', 'high'),
    default: 'high',
    example: '--consistency medium',
    help: "Reads: high, linearizable; medium, the leader's state; low, any node's",
  }),
  electionTimeout: option({
    group: 'Cluster',
    argument: 'TIME',
    type: durationBetween(electionTimeoutMinMs, electionTimeoutMaxMs),
    default: `${defaultElectionTimeoutMs}ms`,
    example: '--election-timeout 2s',
    help: 'Without a leader for longer than this another is elected; the same on all nodes',
  }),
  follower: option({
    group: 'Cluster',
    short: 'f',
    argument: 'try|moved|readonly|forward',
    type: oneOf('try', 'moved', 'readonly', 'forward'),
    default: 'try',
    example: '--follower forward',
    help: 'A follower answers -TRY or -MOVED with the leader, or -READONLY, or passes the command on',
  }),
  sentinelName: option({
    group: 'Cluster',
    argument: 'NAME',
    type: nonEmptyText,
    default: 'mymaster',
    example: '--sentinel-name orders',
    help: 'What clients of Redis Sentinel call this cluster; the same on all nodes',
  }),
  ...httpRows,
  ...logRows,
  config: option({
    group: 'Other',
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--config /etc/redraft.conf',
    help: 'Read options from a file: a line each, such as: port 7481',
  }),
} satisfies OptionTable;

export const statusTable = {
  address: option({
    group: 'Which node',
    short: 'a',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: `127.0.0.1:${DEFAULT_PORT}`,
    example: '--address 10.0.0.1:7481',
    help: 'The node to ask: any of the cluster',
  }),
  port: option({
    group: 'Which node',
    short: 'p',
    argument: 'PORT',
    type: integerBetween(1, 65535),
    default: undefined,
    shownDefault: 'that of --address',
    example: '-p 7482',
    help: 'A node on this machine, in place of --address',
  }),
  ...passwordRows(
    'Which node',
    'REDRAFT_REQUIREPASS=secret redraft status',
    'The password that the node asks of its clients',
  ),
  tls: tlsRow('Speak TLS with the nodes: those of a cluster with --tls-cluster yes'),
  ...certificateRows,
  json: jsonRow('Print a JSON object instead of a table'),
  watch: option({
    group: 'How',
    short: 'w',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--watch',
    help: 'Print anew every second, until interrupted',
  }),
} satisfies OptionTable;

export const recoverTable = {
  dir: option({
    group: 'What',
    short: 'd',
    argument: 'DIR',
    type: nonEmptyText,
    default: './data',
    example: '--dir /var/lib/redraft',
    help: 'The data directory of the node, which must not run',
  }),
  skipEntry: option({
    group: 'What',
    argument: 'INDEX',
    type: integerBetween(1, 999_999_999_999_999),
    default: undefined,
    shownDefault: 'none',
    example: '--skip-entry 4711',
    help: 'Instead: take out the entry that ends every node; on all members alike',
  }),
  yes: option({
    group: 'What',
    short: 'y',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--yes',
    help: 'Do not ask first',
  }),
  json: jsonRow(
    'Print a JSON object; without --yes it says what would be done, and does nothing',
    '--json --yes',
  ),
} satisfies OptionTable;

export const checkTable = { json: jsonRow() } satisfies OptionTable;

export const completionTable = { json: jsonRow() } satisfies OptionTable;

/** What `redraft top` is told: whom it asks as `redraft status`, and how it shows it. */
export const topTable = {
  address: statusTable.address,
  port: statusTable.port,
  requirepass: statusTable.requirepass,
  requirepassFile: statusTable.requirepassFile,
  tls: statusTable.tls,
  ...certificateRows,
  interval: option({
    group: 'How',
    short: 'i',
    argument: 'TIME',
    type: durationBetween(100, 60_000),
    default: '1s',
    example: '--interval 2s',
    help: 'How often it looks',
  }),
  once: option({
    group: 'How',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--once',
    help: 'Look once, over one interval, and end',
  }),
  json: jsonRow(),
} satisfies OptionTable;

/** What `redraft` was told: by flags, environment and file. */
export interface ServeOptions extends OptionValues<typeof serveTable> {
  /** Configuration parameters that are no options of their own, from the file: name to canonical value. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Of --cluster-secret or --cluster-secret-file: the one that is proved, and another one that is taken. */
  readonly clusterSecrets: readonly string[];
  /** Lines of users in the file: `user alice on >secret ~a:* +@all`. */
  readonly users: readonly string[];
  /** Names of Redis's that stand in the file and change nothing here. */
  readonly withoutMeaning: readonly string[];
}

export type RecoverOptions = OptionValues<typeof recoverTable>;
export type CheckOptions = OptionValues<typeof checkTable>;
export type CompletionOptions = OptionValues<typeof completionTable>;
export type TopOptions = OptionValues<typeof topTable>;
export type StatusOptions = OptionValues<typeof statusTable>;

/** `maxmemoryPolicy` to `maxmemory-policy`. */
export function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export function environmentName(key: string): string {
  return `REDRAFT_${dashed(key).replaceAll('-', '_').toUpperCase()}`;
}
