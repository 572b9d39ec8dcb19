/** `redraft status`: how a running node is. */
import { ErrorReply } from '../engine/reply.js';
import type { StatusOptions } from './options.js';
import { ConnectionError, RespClient } from './resp/client.js';

/** INFO fields worth a line, and how they are called. */
const fields: readonly (readonly [string, string])[] = [
  ['redraft_version', 'version'],
  ['process_id', 'process'],
  ['uptime_in_seconds', 'up for seconds'],
  ['connected_clients', 'clients'],
  ['used_memory_human', 'memory'],
  ['maxmemory_human', 'maxmemory'],
  ['instantaneous_ops_per_sec', 'commands a second'],
];

/** Prints how the node is, or why it could not be asked. Resolves with the exit code: 0 or 1. */
export async function status(
  options: StatusOptions,
  print: (text: string) => void,
  complain: (text: string) => void,
): Promise<number> {
  let client: RespClient;
  try {
    client = await RespClient.connect(options.address);
  } catch (error) {
    complain(`redraft: ${(error as Error).message}\n`);
    return 1;
  }
  try {
    if (options.requirepass !== undefined) await ask(client, 'AUTH', options.requirepass);
    print(formatInfo(`${await ask(client, 'INFO', 'everything')}`));
    return 0;
  } catch (error) {
    if (!(error instanceof ErrorReply) && !(error instanceof ConnectionError)) throw error;
    complain(`redraft: ${error instanceof ErrorReply ? error.text : error.message}\n`);
    return 1;
  } finally {
    await client.close();
  }
}

async function ask(client: RespClient, ...args: string[]): Promise<unknown> {
  const reply = await client.call(...args);
  if (reply instanceof ErrorReply) throw reply;
  return reply;
}

/** The chosen fields, then the sections about keys and consensus as they are. */
function formatInfo(info: string): string {
  const values = new Map<string, string>();
  let section = '';
  const rest: [string, string][] = [];
  for (const line of info.split('\r\n')) {
    if (line.startsWith('# ')) section = line.slice(2).toLowerCase();
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    values.set(name, value);
    if (section === 'raft' || section === 'keyspace') rest.push([name, value]);
  }
  const lines = fields.flatMap(([name, shown]): [string, string][] => {
    const value = values.get(name);
    return value === undefined ? [] : [[shown, value]];
  });
  return [...lines, ...rest].map(([name, value]) => `${name.padEnd(24)} ${value}\n`).join('');
}
