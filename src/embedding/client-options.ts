/** What constructors of client libraries take to reach a node. */

import type { SecureContextOptions } from 'node:tls';

/** Whom a client trusts; its own certificate, where it must show one, is the caller's to add. */
type Trust = Pick<SecureContextOptions, 'ca'>;

export interface ClientOptions {
  readonly ioredis: {
    readonly host: string;
    readonly port: number;
    readonly password?: string;
    readonly tls?: Trust;
  };
  readonly redis: {
    readonly socket:
      | { readonly host: string; readonly port: number }
      | (Trust & {
          readonly host: string;
          readonly port: number;
          readonly tls: true;
        });
    readonly password?: string;
  };
}

export type ClientLibrary = keyof ClientOptions;

/** @throws TypeError for a library that there is nothing known of */
export function clientOptions<Library extends ClientLibrary>(
  library: Library,
  host: string,
  port: number,
  password?: string,
  tls?: Trust,
): ClientOptions[Library] {
  const secret = password === undefined || password === '' ? {} : { password };
  const options: ClientOptions = {
    ioredis: { host, port, ...secret, ...(tls === undefined ? {} : { tls }) },
    redis: { socket: { host, port, ...(tls === undefined ? {} : { tls: true, ...tls }) }, ...secret },
  };
  if (!Object.hasOwn(options, library))
    throw new TypeError(`options() knows 'ioredis' and 'redis', and not '${library}'`);
  return options[library];
}
