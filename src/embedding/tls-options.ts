/** TLS for a node in this process. */
import { utf8Bytes } from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';
import type { Configuration } from '../config/configuration.js';
import { type Entrance, Entrances, NoPort, Port } from '../net/port.js';
import { TlsError } from '../net/tls-files.js';
import { TlsIdentity } from '../net/tls-identity.js';
import { NodeTls, TlsPort } from '../net/tls-port.js';
import type { Log } from '../observability/log.js';

/**
 * As Redis's parameters `tls-*`, which `configuration` may name just as well. Files are read at the start, at
 * `reloadCertificates()` and at CONFIG SET.
 */
export interface TlsOptions {
  /** A port for TLS beside the plain one. Without it the node's one port speaks TLS. */
  readonly port?: number;
  /** PEM: the node's certificate, with those between it and its authority behind it. */
  readonly certFile?: string;
  /** PEM. */
  readonly keyFile?: string;
  /** What the key is encrypted with. */
  readonly keyFilePass?: string;
  /** PEM: the authorities whose certificates clients must show. */
  readonly caCertFile?: string;
  /** The same: all files of a directory. */
  readonly caCertDir?: string;
  /** Whether clients must show a certificate. Default yes; optional: if they show one, it must be good. */
  readonly authClients?: 'yes' | 'no' | 'optional';
  /** CN: the common name of a client's certificate is its user. Default off. */
  readonly authClientsUser?: 'off' | 'CN';
  /**
   * Nodes speak TLS with each other, too, each with its certificate; the same on all nodes. Default false.
   */
  readonly cluster?: boolean;
  /** TLSv1.2, TLSv1.3 or both, with a blank between. Default both. */
  readonly protocols?: string;
  /** Of TLS 1.2, as OpenSSL lists them. */
  readonly ciphers?: string;
  /** Of TLS 1.3. */
  readonly ciphersuites?: string;
  /** PEM: parameters for DHE ciphers. */
  readonly dhParamsFile?: string;
  /** Whether a client may go on with an earlier session. Default true. */
  readonly sessionCaching?: boolean;
}

/** By the options' names, complete by its type. */
const parameterNames: Readonly<Record<Exclude<keyof TlsOptions, 'port'>, string>> = {
  certFile: 'tls-cert-file',
  keyFile: 'tls-key-file',
  keyFilePass: 'tls-key-file-pass',
  caCertFile: 'tls-ca-cert-file',
  caCertDir: 'tls-ca-cert-dir',
  authClients: 'tls-auth-clients',
  authClientsUser: 'tls-auth-clients-user',
  cluster: 'tls-cluster',
  protocols: 'tls-protocols',
  ciphers: 'tls-ciphers',
  ciphersuites: 'tls-ciphersuites',
  dhParamsFile: 'tls-dh-params-file',
  sessionCaching: 'tls-session-caching',
};
const parameterOf: ReadonlyMap<string, string> = new Map(Object.entries(parameterNames));

/**
 * The options as configuration parameters, each a name and a value.
 *
 * @throws TypeError for an option of an unknown name
 */
export function tlsParametersOf(options: TlsOptions = {}): [name: string, value: string][] {
  const parameters: [string, string][] = [];
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (name === 'port' || value === undefined) continue;
    const parameter = parameterOf.get(name);
    if (parameter === undefined) throw new TypeError(`tls has no option '${name}'`);
    parameters.push([parameter, value === true ? 'yes' : value === false ? 'no' : utf8Bytes(`${value}`)]);
  }
  return parameters;
}

export interface OpenEntrance {
  /** Of several ports the one that peers use comes first: its number is the node's. */
  readonly entrance: Entrance;
  readonly tls: NodeTls | undefined;
  /** Whether the first port speaks TLS. */
  readonly isSecure: boolean;
  /** The plain port's number, where there is one. */
  readonly plainPort: number | undefined;
}

/** What a node without a port says that it has. */
const REDIS_PORT = 6379;

/** Of a node that nobody dials. @throws TypeError where TLS is asked for */
export function noEntrance(port = REDIS_PORT, options: TlsOptions | undefined): OpenEntrance {
  if (options !== undefined) throw new TypeError('a node that does not listen has no TLS');
  return { entrance: new NoPort(port), tls: undefined, isSecure: false, plainPort: port };
}

/**
 * Opens the node's port, or both of them.
 *
 * @throws TlsError for what the parameters name; the system's error when an address cannot be had
 */
export async function openEntrance(
  host: string,
  port: number,
  options: TlsOptions | undefined,
  ports: {
    readonly configuration: Configuration;
    readonly log: Log;
    readonly clock: Clock;
    /** Whether the node is to join others. */
    readonly joins: boolean;
  },
): Promise<OpenEntrance> {
  const { configuration, log, clock, joins } = ports;
  const isOfCluster = configuration.flag('tls-cluster');
  if (options === undefined) {
    if (isOfCluster) throw new TlsError('tls-cluster needs a port for TLS: give --tls-port');
    const entrance = await Port.open(host, port);
    return { entrance, tls: undefined, isSecure: false, plainPort: entrance.number };
  }
  const isOnly = options.port === undefined;
  if (joins && isOnly && !isOfCluster)
    throw new TlsError(
      'peers cannot reach a node that speaks TLS alone: start all nodes with --tls-cluster yes',
    );
  const identity = new TlsIdentity({ text: (name) => configuration.text(name), log, clock });
  configuration.onApplied = (changes) => {
    if (changes.some(({ parameter }) => parameter.name.startsWith('tls-'))) identity.reload();
  };
  let plain: Port | undefined;
  try {
    if (!isOnly) plain = await Port.open(host, port);
    const secure = await TlsPort.open(host, options.port ?? port, {
      identity,
      log,
      clock,
      waitingMax: () => configuration.integer('maxclients'),
    });
    configuration.adopt('tls-port', `${secure.number}`);
    const open: [Entrance, ...Entrance[]] =
      plain === undefined ? [secure] : isOfCluster ? [secure, plain] : [plain, secure];
    return {
      entrance: open.length === 1 ? secure : new Entrances(open),
      tls: new NodeTls(identity, secure, plain?.number),
      isSecure: open[0] === secure,
      plainPort: plain?.number,
    };
  } catch (error) {
    identity.close();
    await plain?.close();
    throw error;
  }
}
