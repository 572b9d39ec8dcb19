/** What constructors of client libraries take to reach a node. */

export interface ClientOptions {
  readonly ioredis: { readonly host: string; readonly port: number; readonly password?: string };
  readonly redis: {
    readonly socket: { readonly host: string; readonly port: number };
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
): ClientOptions[Library] {
  const secret = password === undefined || password === '' ? {} : { password };
  const options: ClientOptions = {
    ioredis: { host, port, ...secret },
    redis: { socket: { host, port }, ...secret },
  };
  if (!Object.hasOwn(options, library))
    throw new TypeError(`options() knows 'ioredis' and 'redis', and not '${library}'`);
  return options[library];
}
