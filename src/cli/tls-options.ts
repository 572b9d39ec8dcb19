/** The options of TLS, by Redis's names. */
import { utf8Bytes } from '../../engine/index.js';
import { option } from './option-row.js';
import { anyText, integerBetween, oneOf } from './option-types.js';

const group = 'TLS';

/** What clients and servers have in common: what they prove themselves by, and judge others by. */
export const certificateRows = {
  tlsCertFile: option({
    group,
    argument: 'FILE',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: '--tls-cert-file /etc/redraft/node.crt',
    help: 'Certificate (PEM), with those between it and its authority behind it',
  }),
  tlsKeyFile: option({
    group,
    argument: 'FILE',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: '--tls-key-file /etc/redraft/node.key',
    help: 'Its private key (PEM)',
  }),
  tlsKeyFilePass: option({
    group,
    argument: 'PASSWORD',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: 'REDRAFT_TLS_KEY_FILE_PASS=secret redraft',
    help: 'What the key is encrypted with; a file or the environment hides it from ps',
  }),
  tlsCaCertFile: option({
    group,
    argument: 'FILE',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: '--tls-ca-cert-file /etc/redraft/ca.crt',
    help: 'Certificates (PEM) of the authorities that are trusted',
  }),
  tlsCaCertDir: option({
    group,
    argument: 'DIR',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: '--tls-ca-cert-dir /etc/redraft/ca',
    help: 'The same: all files of a directory',
  }),
};

export const tlsRows = {
  tlsPort: option({
    group,
    argument: 'PORT',
    type: integerBetween(0, 65535),
    default: '0',
    shownDefault: 'no TLS',
    example: '--tls-port 7482',
    help: 'Port for TLS; with --port 0 it is the only one',
  }),
  ...certificateRows,
  tlsAuthClients: option({
    group,
    argument: 'yes|no|optional',
    type: oneOf('yes', 'no', 'optional'),
    default: 'yes',
    example: '--tls-auth-clients optional',
    help: 'Whether clients must show a certificate of an authority; optional: if any, a good one',
  }),
  tlsAuthClientsUser: option({
    group,
    argument: 'off|CN',
    type: oneOf('off', 'cn'),
    default: 'off',
    example: '--tls-auth-clients-user CN',
    help: "CN: the common name of a client's certificate is its user, without a password",
  }),
  tlsCluster: option({
    group,
    argument: 'yes|no',
    type: oneOf('yes', 'no'),
    default: 'no',
    example: '--tls-cluster yes',
    help: 'Nodes speak TLS with each other, too, each with its certificate; the same on all nodes',
  }),
  tlsProtocols: option({
    group,
    argument: 'VERSIONS',
    type: anyText,
    default: '',
    shownDefault: 'TLSv1.2 TLSv1.3',
    example: '--tls-protocols TLSv1.3',
    help: 'Versions that are spoken: TLSv1.2, TLSv1.3 or both',
  }),
  tlsCiphers: option({
    group,
    argument: 'LIST',
    type: anyText,
    default: '',
    shownDefault: "Node's",
    example: '--tls-ciphers ECDHE-RSA-AES128-GCM-SHA256',
    help: "Ciphers of TLS 1.2, in OpenSSL's notation",
  }),
  tlsCiphersuites: option({
    group,
    argument: 'LIST',
    type: anyText,
    default: '',
    shownDefault: "Node's",
    example: '--tls-ciphersuites TLS_AES_128_GCM_SHA256',
    help: 'Cipher suites of TLS 1.3',
  }),
  tlsDhParamsFile: option({
    group,
    argument: 'FILE',
    type: anyText,
    default: '',
    shownDefault: 'none',
    example: '--tls-dh-params-file /etc/redraft/dh.pem',
    help: 'Parameters (PEM) for DHE ciphers of TLS 1.2, which are not offered without',
  }),
  tlsSessionCaching: option({
    group,
    argument: 'yes|no',
    type: oneOf('yes', 'no'),
    default: 'yes',
    example: '--tls-session-caching no',
    help: 'Whether a client may go on with an earlier session, without a full handshake',
  }),
};

type CertificateValues = {
  readonly [Key in keyof typeof certificateRows]: string;
};

/** The configuration parameters that {@link certificateRows} stand for. */
export function certificateParameters(options: CertificateValues): ReadonlyMap<string, string> {
  return new Map([
    ['tls-cert-file', utf8Bytes(options.tlsCertFile)],
    ['tls-key-file', utf8Bytes(options.tlsKeyFile)],
    ['tls-key-file-pass', utf8Bytes(options.tlsKeyFilePass)],
    ['tls-ca-cert-file', utf8Bytes(options.tlsCaCertFile)],
    ['tls-ca-cert-dir', utf8Bytes(options.tlsCaCertDir)],
  ]);
}

type Values = CertificateValues & {
  readonly [Key in keyof typeof tlsRows]: string | number;
};

/** The configuration parameters that the options stand for, but for the port. */
export function tlsParameters(options: Values) {
  return {
    ...Object.fromEntries(certificateParameters(options)),
    'tls-auth-clients': `${options.tlsAuthClients}`,
    'tls-auth-clients-user': `${options.tlsAuthClientsUser}`,
    'tls-cluster': `${options.tlsCluster}`,
    'tls-protocols': `${options.tlsProtocols}`,
    'tls-ciphers': `${options.tlsCiphers}`,
    'tls-ciphersuites': `${options.tlsCiphersuites}`,
    'tls-dh-params-file': utf8Bytes(`${options.tlsDhParamsFile}`),
    'tls-session-caching': `${options.tlsSessionCaching}`,
  } as const;
}
