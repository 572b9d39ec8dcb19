/**
 * What the tls-* parameters name, as Redis has them
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/): certificates, keys
 * and choices, read from their files and checked against each other before anything of them is used.
 */
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  type SecureContextOptions,
  type SecureVersion,
} from 'node:tls';

/** What the parameters name cannot be used: which one, and why, in words for the operator. */
export class TlsError extends Error {
  override readonly name = 'TlsError';
}

/** Whether clients show a certificate that a known authority has signed. */
export type ClientCertificates = 'yes' | 'no' | 'optional';

/** Everything that the parameters name. */
export interface TlsSetup {
  /** For connections that are accepted. Texts alone, so that a thread may get it. */
  readonly accepting: SecureContextOptions;
  /** For connections that this node opens. */
  readonly dialing: SecureContextOptions;
  readonly clientCertificates: ClientCertificates;
  /** Whether peers speak TLS, too. */
  readonly isOfCluster: boolean;
  /** Whether the common name of a client's certificate says who its user is. */
  readonly namesUsers: boolean;
  readonly sessionCaching: boolean;
  readonly sessionSeconds: number;
  /**
   * When the node's certificate ends, and when the first of the authorities' does; milliseconds since the
   * epoch.
   */
  readonly certificateEndsMs: number;
  readonly authoritiesEndMs: number | undefined;
}

/** A parameter's value by its name, in latin1 as CONFIG SET takes it. */
export type ParameterText = (name: string) => string;

const DEFAULT_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
/** SSL_OP_NO_TICKET of OpenSSL. */
const NO_TICKETS = 0x4000;
const AUTHORITIES_BYTES_MAX = 8 * 1024 * 1024;
const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Parameters hold bytes, as latin1; files have names in UTF-8. */
const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString();

/**
 * Reads all that the parameters name.
 *
 * @throws TlsError
 */
export function readTlsFiles(text: ParameterText): TlsSetup {
  const clientCertificates = text('tls-auth-clients') as ClientCertificates;
  const cert = fileOf(text, 'tls-cert-file');
  const key = fileOf(text, 'tls-key-file');
  if (cert === undefined) throw new TlsError('no tls-cert-file is given');
  if (key === undefined) throw new TlsError('no tls-key-file is given');
  const authorities = authoritiesOf(text);
  const isOfCluster = text('tls-cluster') === 'yes';
  if (authorities.length === 0 && (clientCertificates !== 'no' || isOfCluster)) {
    throw new TlsError(
      'tls-auth-clients (unless it is no) and tls-cluster need tls-ca-cert-file or tls-ca-cert-dir to judge certificates by',
    );
  }
  const shared: SecureContextOptions = {
    // Without any, Node would take those of the system: whoever is known there would be a client of this
    // node.
    ca: authorities,
    ciphers: ciphersOf(text),
    ...versionsOf(text('tls-protocols')),
  };
  const sessionCaching = text('tls-session-caching') === 'yes';
  const sessionSeconds = Number(text('tls-session-cache-timeout'));
  const accepting: SecureContextOptions = {
    ...shared,
    cert,
    key,
    passphrase: passphraseOf(text, 'tls-key-file-pass'),
    dhparam: fileOf(text, 'tls-dh-params-file'),
    honorCipherOrder: text('tls-prefer-server-ciphers') === 'yes',
    secureOptions: sessionCaching ? 0 : NO_TICKETS,
    sessionTimeout: sessionSeconds,
  };
  const dialing = dialingOf(text, shared, accepting);
  tryOut(accepting, 'tls-cert-file, tls-key-file');
  if (dialing.cert !== accepting.cert) tryOut(dialing, 'tls-client-cert-file, tls-client-key-file');
  const ends = authorities.map((authority) => endOf(authority, 'tls-ca-cert-file'));
  return {
    accepting,
    dialing,
    clientCertificates,
    isOfCluster,
    namesUsers: text('tls-auth-clients-user') === 'cn',
    sessionCaching,
    sessionSeconds,
    certificateEndsMs: endOf(cert, 'tls-cert-file'),
    authoritiesEndMs: ends.length === 0 ? undefined : Math.min(...ends),
  };
}

/**
 * What a mere client needs: authorities to judge by, and a certificate of its own if there is one.
 *
 * @throws TlsError
 */
export function readClientFiles(text: ParameterText): SecureContextOptions {
  const ca = authoritiesOf(text);
  if (ca.length === 0)
    throw new TlsError('TLS needs tls-ca-cert-file or tls-ca-cert-dir to judge certificates by');
  const cert = fileOf(text, 'tls-cert-file');
  const key = fileOf(text, 'tls-key-file');
  if ((cert === undefined) !== (key === undefined))
    throw new TlsError('tls-cert-file and tls-key-file belong together');
  const options: SecureContextOptions = {
    ca,
    cert,
    key,
    passphrase: passphraseOf(text, 'tls-key-file-pass'),
  };
  tryOut(options, 'tls-cert-file, tls-key-file');
  return options;
}

/** The node's own certificate, unless there is another one for connections that it opens. */
function dialingOf(
  text: ParameterText,
  shared: SecureContextOptions,
  accepting: SecureContextOptions,
): SecureContextOptions {
  const cert = fileOf(text, 'tls-client-cert-file');
  const key = fileOf(text, 'tls-client-key-file');
  if ((cert === undefined) !== (key === undefined))
    throw new TlsError('tls-client-cert-file and tls-client-key-file belong together');
  if (cert === undefined)
    return { ...shared, cert: accepting.cert, key: accepting.key, passphrase: accepting.passphrase };
  return { ...shared, cert, key, passphrase: passphraseOf(text, 'tls-client-key-file-pass') };
}

function fileOf(text: ParameterText, name: string): string | undefined {
  const path = utf8(text(name));
  return path === '' ? undefined : read(path, name);
}

function passphraseOf(text: ParameterText, name: string): string | undefined {
  const given = text(name);
  return given === '' ? undefined : utf8(given);
}

function read(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new TlsError(`${name} ${path} cannot be read: ${(error as Error).message}`);
  }
}

/** The authorities' certificates, each a text: of the file, and of all files of the directory. */
function authoritiesOf(text: ParameterText): string[] {
  const file = fileOf(text, 'tls-ca-cert-file');
  const found = file === undefined ? [] : certificatesIn(file);
  if (file !== undefined && found.length === 0)
    throw new TlsError(`tls-ca-cert-file ${utf8(text('tls-ca-cert-file'))} holds no certificate`);
  const directory = utf8(text('tls-ca-cert-dir'));
  if (directory === '') return found;
  let bytes = 0;
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    throw new TlsError(`tls-ca-cert-dir ${directory} cannot be read: ${(error as Error).message}`);
  }
  const ofDirectory: string[] = [];
  for (const name of names.sort()) {
    const content = read(join(directory, name), 'tls-ca-cert-dir');
    bytes += content.length;
    if (bytes > AUTHORITIES_BYTES_MAX)
      throw new TlsError(`tls-ca-cert-dir ${directory} holds more than ${AUTHORITIES_BYTES_MAX} bytes`);
    ofDirectory.push(...certificatesIn(content));
  }
  if (ofDirectory.length === 0) throw new TlsError(`tls-ca-cert-dir ${directory} holds no certificate`);
  // The directory has each under its name and under its hash.
  return [...new Set([...found, ...ofDirectory])];
}

function certificatesIn(text: string): string[] {
  return text.match(certificatePattern) ?? [];
}

/** When the first certificate of a file ends: the others are those that have signed it. */
function endOf(pem: string, name: string): number {
  try {
    return Date.parse(new X509Certificate(pem).validTo);
  } catch (error) {
    throw new TlsError(`${name}: ${reasonOf(error)}`);
  }
}

/** `tls-ciphers` is for TLS 1.2, `tls-ciphersuites` for 1.3; one of them alone leaves the other as it is. */
function ciphersOf(text: ParameterText): string | undefined {
  const ciphers = text('tls-ciphers');
  const suites = text('tls-ciphersuites');
  if (ciphers === '' && suites === '') return undefined;
  const isSuite = (name: string): boolean => name.startsWith('TLS_');
  for (const name of ciphers.split(':'))
    if (isSuite(name)) throw new TlsError(`tls-ciphers: ${name} is of TLS 1.3: name it in tls-ciphersuites`);
  for (const name of suites === '' ? [] : suites.split(':'))
    if (!isSuite(name)) throw new TlsError(`tls-ciphersuites: ${name} is no suite of TLS 1.3`);
  const before = DEFAULT_CIPHERS.split(':').filter((name) => !isSuite(name));
  return `${suites || DEFAULT_SUITES}:${ciphers || before.join(':')}`;
}

const versions: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];

function versionsOf(text: string): Pick<SecureContextOptions, 'minVersion' | 'maxVersion'> {
  const wanted = text.split(/\s+/).filter((word) => word !== '');
  const known = versions.filter((version) =>
    wanted.some((word) => word.toLowerCase() === version.toLowerCase()),
  );
  if (known.length < new Set(wanted.map((word) => word.toLowerCase())).size)
    throw new TlsError(`tls-protocols ${text}: known are TLSv1.2 and TLSv1.3; what is older is not safe`);
  if (known.length === 0) return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' };
  return { minVersion: known[0], maxVersion: known.at(-1) };
}

function tryOut(options: SecureContextOptions, names: string): void {
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TlsError(`${names}: ${reasonOf(error)}`);
  }
}

/** What OpenSSL says, without its own place in the source. */
export function reasonOf(error: unknown): string {
  const { reason, message, code } = error as { reason?: string; message: string; code?: string };
  return reason ?? (message === '' ? `${code}` : message);
}
