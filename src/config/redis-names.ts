/**
 * Names that a redis.conf of 7.0 may hold and that are no parameters here, as CONFIG GET of redis-server
 * 7.0.15 lists them, so that such a file is accepted as it is.
 */

/**
 * They change nothing that a client of this program could miss: replication, append-only file, Redis Cluster,
 * the process itself.
 */
export const redisNamesWithoutMeaning: ReadonlySet<string> = new Set(
  `
  activedefrag aof-disable-auto-gc aof_rewrite_cpulist appenddirname
  bgsave_cpulist bind-source-addr bio_cpulist cluster-allow-pubsubshard-when-down
  cluster-allow-reads-when-down cluster-allow-replica-migration cluster-announce-bus-port
  cluster-config-file cluster-link-sendbuf-limit cluster-migration-barrier cluster-node-timeout
  cluster-port cluster-preferred-endpoint-type cluster-replica-no-failover
  cluster-replica-validity-factor cluster-require-full-coverage cluster-slave-no-failover
  cluster-slave-validity-factor crash-log-enabled crash-memcheck-enabled disable-thp
  enable-module-command enable-protected-configs ignore-warnings io-threads-do-reads jemalloc-bg-thread
  masterauth masteruser oom-score-adj oom-score-adj-values proc-title-template propagation-error-behavior
  rdb-del-sync-files repl-disable-tcp-nodelay repl-diskless-load
  repl-diskless-sync repl-diskless-sync-delay repl-diskless-sync-max-replicas   replica-announce-ip replica-announce-port replica-announced
  replica-ignore-disk-write-errors replica-ignore-maxmemory replica-lazy-flush replica-priority
  replica-read-only replica-serve-stale-data server_cpulist set-proc-title slave-announce-ip
  slave-announce-port slave-ignore-maxmemory slave-lazy-flush slave-priority slave-read-only
  slave-serve-stale-data socket-mark-id stream-node-max-bytes stream-node-max-entries supervised
  unixsocketperm
  `
    .trim()
    .split(/\s+/),
);

/** What they ask for, this program does not do: whoever wrote them relies on it. */
export const redisNamesRefused: ReadonlySet<string> = new Set([
  'loadmodule',
  'rename-command',
  'replicaof',
  'slaveof',
  'unixsocket',
]);
