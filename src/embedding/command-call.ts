/** What a client sent, as a test looks at it, and which of it a test means. */
import { findKeys, parseKeySpecs, type Request, type Runnable } from '../../engine/index.js';
import type { Connection } from '../client/connection.js';
import { type PlainText, plainText } from './plain-values.js';

export interface CommandCall {
  /** In lower case; with its subcommand where it has one: `get`, `client setname`. */
  readonly name: string;
  /** All of its words, the name as the client wrote it in front. */
  readonly args: readonly PlainText[];
  /** The keys among them. */
  readonly keys: readonly PlainText[];
  /** Number of the database that the client has selected. */
  readonly db: number;
  readonly client: {
    readonly id: number;
    readonly name: string;
    readonly user: string;
    readonly address: string;
  };
  /** When it came by the node's clock, in milliseconds since 1970. */
  readonly atMs: number;
}

/**
 * Which commands are meant: all that is given must hold. A name alone, or a list of names, stands for `{
 * command }`.
 */
export type CommandFilter = string | readonly string[] | CommandPattern;

export interface CommandPattern {
  /** Names in any case; that of a container (`client`) stands for all of its subcommands. */
  readonly command?: string | readonly string[];
  /** Some key is this one, or matches. */
  readonly key?: string | RegExp;
  /** The client has this name (CLIENT SETNAME). */
  readonly client?: string;
  readonly when?: (call: CommandCall) => boolean;
}

export function commandCall(
  row: Runnable | undefined,
  request: Request,
  connection: Connection,
): CommandCall {
  const args = Array.from({ length: request.count }, (_, i) => Buffer.from(request.latin1(i), 'latin1'));
  const latin1 = args.map((arg) => arg.toString('latin1'));
  const positions = row === undefined ? [] : (findKeys(row.name, parseKeySpecs(row.keys), latin1) ?? []);
  return {
    name: (row?.name ?? latin1[0].toLowerCase()).replace('|', ' '),
    args: args.map(plainText),
    keys: positions.map(({ position }) => plainText(args[position])),
    db: connection.database,
    client: {
      id: connection.id,
      name: connection.name,
      user: connection.userName,
      address: connection.address,
    },
    atMs: connection.lastActiveMs,
  };
}

/**
 * What tells whether a command is meant.
 *
 * @throws TypeError for a part of the filter that there is none of
 */
export function matcher(filter: CommandFilter = {}): (call: CommandCall) => boolean {
  const pattern: CommandPattern =
    typeof filter === 'string' || Array.isArray(filter)
      ? { command: filter as string | readonly string[] }
      : (filter as CommandPattern);
  for (const name of Object.keys(pattern))
    if (!['command', 'key', 'client', 'when'].includes(name))
      throw new TypeError(`a filter of commands has no part '${name}'`);
  const { command, key, client, when } = pattern;
  const names = command === undefined ? undefined : [command].flat().map((name) => name.toLowerCase());
  const keyMatches = (name: PlainText): boolean => {
    const text = name.toString();
    // A RegExp with the flag g or y remembers where it stood.
    return key instanceof RegExp ? new RegExp(key).test(text) : text === key;
  };
  return (call) =>
    (names === undefined || names.some((name) => call.name === name || call.name.startsWith(`${name} `))) &&
    (key === undefined || call.keys.some(keyMatches)) &&
    (client === undefined || call.client.name === client) &&
    (when === undefined || when(call));
}
