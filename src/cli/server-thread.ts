/** The server's thread: starts a node when told what by the launcher, reports, and stops when told to. */
import { resolve } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { isSetting, type Settings, utf8Bytes } from '../../engine/index.js';
import { type RecoveryProgress, StorageError } from '../../raft/node/index.js';
import { settingOf } from '../config/replicated-settings.js';
import type { RedraftOptions } from '../embedding/options.js';
import { Redraft } from '../embedding/redraft.js';
import type { HttpDoor } from '../http/http-door.js';
import { isLoopback } from '../net/socket-addresses.js';
import { type Log, type LogLevel, recordingLog } from '../observability/log.js';
import { RepeatLimit } from '../observability/repeat-limit.js';
import { redraftVersion } from '../version.js';
import { cgroupLimits } from './cgroup.js';
import { availableMemoryBytes, defaultMaxMemoryBytes } from './heap-limits.js';
import type { ServerOrder, ServerReport } from './launcher.js';
import { formatHostAndPort } from './option-types.js';
import type { ServeOptions } from './options.js';
import { readClusterSecrets } from './secret-files.js';
import { tlsParameters } from './tls-options.js';

const PROGRESS_EVERY_MS = 1000;

const launcher = parentPort!;
let redraft: Redraft | undefined;
/** Of --http. */
let door: HttpDoor | undefined;
/** Of --cluster-secret-file. */
let secretFile: string | undefined;
let ending = false;
/** Whether SIGHUP has HTTPS read its certificate. */
let rereadsHttp = false;
/** host:port */
let listensOn = '';

launcher.on('message', (order: ServerOrder) => {
  if (order.kind === 'start') void start(order.options);
  else if (order.kind === 'reload') reload();
  else void stop(order.reason);
});

function report(message: ServerReport): void {
  launcher.postMessage(message);
}

const lines = new RepeatLimit((record) => report({ kind: 'log', record }));
let log = logAt('notice');

function logAt(level: LogLevel): Log {
  return recordingLog(level, (record) => lines.take(record));
}

async function start(options: ServeOptions): Promise<void> {
  log = logAt(options.loglevel);
  secretFile = options.clusterSecretFile;
  listensOn = formatHostAndPort({ host: options.bind, port: options.port });
  report({ kind: 'title', title: titleOf('starting') });
  if (options.withoutMeaning.length > 0) {
    log.notice(`${options.config} names what has no meaning here: ${options.withoutMeaning.join(', ')}`, {
      event: 'names-without-meaning',
      file: options.config,
    });
  }
  try {
    if (options.http !== undefined) {
      const { openHttpDoor } = await import('./http-door.js');
      door = await openHttpDoor(options, log);
    }
    redraft = await Redraft.start(nodeOptions(options));
    door?.show(redraft.server);
    followCertificates(redraft, options);
  } catch (error) {
    report({ kind: 'failure', line: `redraft: ${describeFailure(error as Error, options)}\n` });
    process.exit(1);
  }
  listensOn = redraft.address;
  report({ kind: 'title', title: titleOf(redraft.role) });
  report({ kind: 'serving' });
  printBanner(redraft, options);
}

/** HTTPS follows the node's certificates; where the node has no other TLS, it reads them itself. */
function followCertificates({ server: { tls } }: Redraft, { httpTls }: ServeOptions): void {
  if (door === undefined || httpTls !== 'yes') return;
  const opened = door;
  if (tls === undefined) rereadsHttp = true;
  else tls.identity.onChange((setup) => opened.replaceCertificates(setup.accepting));
}

/** SIGHUP: what stands in files is read again. */
function reload(): void {
  if (redraft === undefined) return;
  redraft.reloadCertificates();
  if (rereadsHttp) void rereadHttpCertificates(redraft);
  if (secretFile === undefined) return;
  try {
    redraft.replaceClusterSecrets(readClusterSecrets(secretFile));
  } catch (error) {
    log.warning(`the cluster's secrets stay as they are: ${(error as Error).message}`, {
      event: 'secrets-refused',
    });
  }
}

async function rereadHttpCertificates({ server: { configuration } }: Redraft): Promise<void> {
  const { certificatesOf } = await import('./http-door.js');
  try {
    door?.replaceCertificates(certificatesOf((name) => configuration.text(name)));
    log.notice('the certificate of HTTPS is read again', { event: 'tls-read' });
  } catch (error) {
    log.warning(`HTTPS stays as it is: ${(error as Error).message}`, { event: 'tls-refused' });
  }
}

function nodeOptions(options: ServeOptions): RedraftOptions {
  const settings: Partial<Settings> = { databases: options.databases };
  for (const [name, value] of Object.entries(options.parameters)) {
    if (isSetting(name)) settings[name] = Number(settingOf(name, value));
  }
  const maxMemoryBytes = options.maxmemory || defaultMaxMemoryBytes(availableMemoryBytes());
  // As in Redis, port 0 beside a port for TLS is no port; alone it is any.
  const isSecure = options.port === 0 && options.tlsPort !== 0;
  return {
    host: options.bind,
    port: isSecure ? options.tlsPort : options.port,
    tls: options.tlsPort === 0 ? undefined : isSecure ? {} : { port: options.tlsPort },
    advertise: options.advertise && formatHostAndPort(options.advertise),
    join: options.join?.map(formatHostAndPort),
    clusterSecret: options.clusterSecrets,
    dir: options.backend === 'memory' ? undefined : resolve(options.dir),
    durability: options.durability,
    consistency: options.consistency,
    follower: options.follower,
    electionTimeoutMs: options.electionTimeout,
    password: options.requirepass,
    maxClients: options.maxclients,
    settings,
    users: options.users,
    configuration: {
      ...options.parameters,
      ...tlsParameters(options),
      aclfile: options.aclfile === undefined ? '' : utf8Bytes(resolve(options.aclfile)),
      bind: options.bind,
      port: `${options.port}`,
      dir: options.backend === 'memory' ? '' : utf8Bytes(resolve(options.dir)),
      databases: `${options.databases}`,
      'election-timeout': `${options.electionTimeout}`,
      loglevel: options.loglevel,
      logfile: options.logfile === '' ? '' : utf8Bytes(resolve(options.logfile)),
      'client-advertise':
        options.clientAdvertise === undefined ? '' : formatHostAndPort(options.clientAdvertise),
      'sentinel-name': options.sentinelName,
      'protected-mode': options.protectedMode,
      'enable-debug-command': options.enableDebugCommand,
      maxmemory: `${maxMemoryBytes}`,
      'maxmemory-policy': options.maxmemoryPolicy,
    },
    configFile: options.config === undefined ? undefined : resolve(options.config),
    snapshotLogBytes: options.snapshotSize,
    snapshotIntervalMs: options.snapshotInterval.ms,
    log,
    onRecovery: progressLines(),
    // The node has fallen silent and said why; there is nothing left that could be ended well.
    onFailure: () => process.exit(1),
    onShutdown: () => void stop('SHUTDOWN'),
    onRole: (role) => report({ kind: 'title', title: titleOf(role) }),
  };
}

/** As Redis shows itself in ps: name, address, role. */
function titleOf(role: string): string {
  return `redraft ${listensOn} ${role}`;
}

/** A line each second of a recovery that takes longer than one. */
function progressLines(): (progress: RecoveryProgress) => void {
  let due = performance.now() + PROGRESS_EVERY_MS;
  return ({ phase, done, total }) => {
    const now = performance.now();
    const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
    door?.starting(`recovering: ${phase} ${percent}%`);
    if (now < due) return;
    due = now + PROGRESS_EVERY_MS;
    report({ kind: 'title', title: titleOf(`recovering ${percent}%`) });
    log.notice(`recovering: ${phase} ${percent}% of ${total} ${phase === 'replay' ? 'entries' : 'bytes'}`, {
      event: 'recovering',
      percent,
    });
  };
}

/** Limits of the container or the unit, where there are any. */
function printLimits(): void {
  const { memoryBytes, cpus } = cgroupLimits();
  if (memoryBytes === undefined && cpus === undefined) return;
  const memory = memoryBytes === undefined ? [] : [`${Math.floor(memoryBytes / 2 ** 20)} MiB of memory`];
  const share = cpus === undefined ? [] : [`${cpus} processors`];
  log.notice(`limits of its control group: ${[...memory, ...share].join(', ')}`, {
    event: 'limits',
    bytes: memoryBytes,
    count: cpus,
  });
  if (cpus !== undefined && cpus < 1)
    log.warning(
      `less than one processor: a node that is held up misses elections; give it one, or all nodes a longer --election-timeout`,
      { event: 'limits', count: cpus },
    );
}

function printBanner({ address, recovery, durability: inForce }: Redraft, options: ServeOptions): void {
  const place = options.backend === 'memory' ? 'in memory only' : `data in ${resolve(options.dir)}`;
  const durability = options.backend === 'memory' ? '' : `, durability ${inForce}`;
  log.notice(`redraft ${redraftVersion} serves ${address}, ${place}${durability}, process ${process.pid}`, {
    event: 'serving',
    address,
    version: redraftVersion,
  });
  printLimits();
  const { entries, snapshotIndex, keys, milliseconds } = recovery;
  const snapshot = snapshotIndex > 0 ? `the snapshot at index ${snapshotIndex}` : 'no snapshot';
  log.notice(`recovered ${entries} log entries and ${snapshot}: ${keys} keys, in ${milliseconds} ms`, {
    event: 'recovered',
    entries,
    index: snapshotIndex,
    keys,
    milliseconds,
  });
  if (options.requirepass === undefined && !isLoopback(options.bind)) {
    log.warning(
      options.protectedMode === 'yes'
        ? `protected mode: without a password only clients of this machine are served; set --requirepass, or --protected-mode no`
        : `anybody who reaches ${address} may read and write: no --requirepass is set`,
      { event: 'no-password', address },
    );
  }
}

/** One line that says what stands in the way of a start, and what to do. */
function describeFailure(error: NodeJS.ErrnoException, options: ServeOptions): string {
  const { bind } = options;
  const { port = options.port } = error as { readonly port?: number };
  if (options.http !== undefined && door === undefined)
    return `--http ${formatHostAndPort(options.http)}: ${error.message}`;
  const flag = port === options.tlsPort ? '--tls-port' : '--port';
  if (error instanceof StorageError) return error.message;
  switch (error.syscall === 'listen' || error.syscall === 'getaddrinfo' ? error.code : undefined) {
    case 'EADDRINUSE':
      return `port ${port} on ${bind} is in use: stop what listens there, or choose another ${flag}`;
    case 'EACCES':
      return `port ${port} on ${bind} is not allowed to this user: choose a ${flag} from 1024 on`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `--bind ${bind}: this machine has no such address`;
    default:
      return options.loglevel === 'debug' ? (error.stack ?? error.message) : error.message;
  }
}

/** Answers what is in flight, syncs, ends. */
async function stop(reason: string): Promise<void> {
  if (ending) return;
  ending = true;
  log.notice(`${reason}: stopping`, { event: 'stopping', reason });
  door?.closing();
  try {
    await redraft?.stop();
    door?.close();
  } catch (error) {
    report({ kind: 'failure', line: `redraft: the end was not clean: ${(error as Error).message}\n` });
    process.exit(1);
  }
  lines.close();
  log.notice('stopped', { event: 'stopped' });
  process.exit(0);
}
