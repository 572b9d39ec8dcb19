/** `--http`: a part of the program of its own, which no other start loads. */
import { readFileSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { configParameter } from '../config/configuration.js';
import { HttpDoor } from '../http/http-door.js';
import { isLoopback } from '../net/socket-addresses.js';
import { type ParameterText, readTlsFiles } from '../net/tls-files.js';
import type { Log } from '../observability/log.js';
import { formatHostAndPort } from './option-types.js';
import type { ServeOptions } from './options.js';
import { tlsParameters } from './tls-options.js';

/**
 * Listens on the address that `--http` names.
 *
 * @throws TlsError for what the tls-* options name; the system's error when the address cannot be had
 */
export async function openHttpDoor(options: ServeOptions, log: Log): Promise<HttpDoor> {
  const { host, port } = options.http!;
  const isSecure = options.httpTls === 'yes';
  const door = await HttpDoor.open({
    host,
    port,
    token: options.httpToken,
    tls: isSecure ? certificatesOf(parametersOf(options)) : undefined,
    // It lies beside this file.
    page: readFileSync(new URL('status.html', import.meta.url), 'utf8'),
    log,
  });
  const address = formatHostAndPort({ host, port: door.port });
  log.notice(`${isSecure ? 'https' : 'http'}://${address} has health, metrics and the status page`, {
    event: 'http-listening',
    address,
  });
  if (options.httpToken === undefined && !isLoopback(host))
    log.warning(
      `anybody who reaches ${address} may see metrics, clients and names of keys: no --http-token is set`,
      { event: 'http-open', address },
    );
  return door;
}

/**
 * What the tls-* parameters say for HTTP: who connects proves itself by the token, and is asked for no
 * certificate.
 *
 * @throws TlsError
 */
export function certificatesOf(text: ParameterText): SecureContextOptions {
  const own = new Map([
    ['tls-auth-clients', 'no'],
    ['tls-cluster', 'no'],
  ]);
  return readTlsFiles((name) => own.get(name) ?? text(name)).accepting;
}

/** The values that a start gives the parameters, for who asks before there is a node. */
function parametersOf(options: ServeOptions): ParameterText {
  const given = new Map(Object.entries({ ...options.parameters, ...tlsParameters(options) }));
  return (name) => given.get(name) ?? configParameter(name)?.defaultValue ?? '';
}
