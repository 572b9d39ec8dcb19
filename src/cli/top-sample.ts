/** What `redraft top` shows: what a node says of itself twice, and what happened in between. */
import { ErrorReply } from '../../engine/index.js';
import type { RespClient } from '../resp/client.js';

/** Commands and clients that are shown. */
const COMMANDS_MAX = 12;
const CLIENTS_MAX = 8;

export interface Sample {
  readonly timeMs: number;
  readonly address: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly role: string;
  readonly leader: string;
  readonly term: number;
  readonly members: number;
  readonly callsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly inputBytesPerSecond: number;
  readonly outputBytesPerSecond: number;
  /** Of an own PING. */
  readonly roundTripMs: number;
  readonly commitMs: number;
  readonly syncMs: number;
  readonly clients: number;
  readonly blockedClients: number;
  readonly usedMemory: number;
  readonly maxMemory: number;
  readonly keys: number;
  readonly keysExpiring: number;
  readonly expiredPerSecond: number;
  readonly evictedPerSecond: number;
  /** Of the reads in between, from 0 to 1; null when there were none. */
  readonly hitRatio: number | null;
  /** Those that took most time in all; the busiest first. */
  readonly commands: readonly CommandSample[];
  /** Those that hold most memory. */
  readonly largestClients: readonly ClientSample[];
}

export interface CommandSample {
  readonly name: string;
  readonly callsPerSecond: number;
  readonly averageUs: number;
  /** Since the statistics began. */
  readonly p99Us: number | null;
}

export interface ClientSample {
  readonly address: string;
  readonly name: string;
  readonly bytes: number;
  readonly command: string;
}

type Fields = ReadonlyMap<string, string>;

/** What a node said at a time. */
export interface Reading {
  readonly atMs: number;
  readonly roundTripMs: number;
  readonly info: Fields;
  readonly raft: Fields;
  readonly clients: readonly Fields[];
}

/** @throws ErrorReply, ConnectionError */
export async function readNode(client: RespClient): Promise<Reading> {
  const beganMs = performance.now();
  await ask(client, 'PING');
  const roundTripMs = performance.now() - beganMs;
  const info = `${await ask(client, 'INFO', 'everything')}`;
  const stats = ((await ask(client, 'RAFTSTATS')) as unknown[]).map(String);
  const clients = `${await ask(client, 'CLIENT', 'LIST')}`;
  return {
    atMs: performance.now(),
    roundTripMs,
    info: new Map(info.split('\r\n').map((line) => splitAt(line, ':'))),
    raft: new Map(stats.flatMap((item, i) => (i % 2 === 0 ? [[item, stats[i + 1]] as const] : []))),
    clients: clients
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => new Map(line.split(' ').map((pair) => splitAt(pair, '=')))),
  };
}

async function ask(client: RespClient, ...args: string[]): Promise<unknown> {
  const reply = await client.call(...args);
  if (reply instanceof ErrorReply) throw reply;
  return reply;
}

function splitAt(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** What happened between two readings of one node. */
export function sampleOf(before: Reading, now: Reading, timeMs: number): Sample {
  const seconds = (now.atMs - before.atMs) / 1000;
  const { info, raft } = now;
  const number = (name: string, fields = info): number => Number(fields.get(name) ?? 0);
  // CONFIG RESETSTAT and a start set counters back.
  const rate = (name: string): number => Math.max(0, number(name) - number(name, before.info)) / seconds;
  const hits = rate('keyspace_hits');
  const reads = hits + rate('keyspace_misses');
  let keys = 0;
  let keysExpiring = 0;
  for (const [name, text] of info) {
    if (!/^db\d+$/.test(name)) continue;
    const database = fieldsOf(text);
    keys += number('keys', database);
    keysExpiring += number('expires', database);
  }
  return {
    timeMs,
    address: raft.get('address') ?? '',
    version: info.get('redraft_version') ?? '',
    uptimeSeconds: number('uptime_in_seconds'),
    role: (raft.get('state') ?? '').toLowerCase(),
    leader: raft.get('leader') ?? '',
    term: number('term', raft),
    members: number('members', raft),
    callsPerSecond: rate('total_commands_processed'),
    errorsPerSecond: rate('total_error_replies'),
    inputBytesPerSecond: rate('total_net_input_bytes'),
    outputBytesPerSecond: rate('total_net_output_bytes'),
    roundTripMs: now.roundTripMs,
    commitMs: number('commit_latency_ms', raft),
    syncMs: number('last_sync_ms', raft),
    clients: number('connected_clients'),
    blockedClients: number('blocked_clients'),
    usedMemory: number('used_memory'),
    maxMemory: number('maxmemory'),
    keys,
    keysExpiring,
    expiredPerSecond: rate('expired_keys'),
    evictedPerSecond: rate('evicted_keys'),
    hitRatio: reads === 0 ? null : hits / reads,
    commands: commandsOf(before.info, info, seconds),
    largestClients: now.clients
      .map((client) => ({
        address: client.get('addr') ?? '',
        name: client.get('name') ?? '',
        bytes: number('tot-mem', client),
        command: client.get('cmd') ?? '',
      }))
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, CLIENTS_MAX),
  };
}

/** `calls=3,usec=5` by its names. */
const fieldsOf = (text: string): Fields => new Map(text.split(',').map((pair) => splitAt(pair, '=')));

function commandsOf(before: Fields, now: Fields, seconds: number): CommandSample[] {
  const commands: (CommandSample & { readonly us: number })[] = [];
  for (const [name, text] of now) {
    if (!name.startsWith('cmdstat_')) continue;
    const [then, fields] = [fieldsOf(before.get(name) ?? ''), fieldsOf(text)];
    const grown = (field: string): number => Number(fields.get(field) ?? 0) - Number(then.get(field) ?? 0);
    const calls = grown('calls');
    if (calls <= 0) continue;
    const command = name.slice('cmdstat_'.length);
    const us = Math.max(0, grown('usec'));
    const p99 = fieldsOf(now.get(`latency_percentiles_usec_${command}`) ?? '').get('p99');
    commands.push({
      name: command,
      callsPerSecond: calls / seconds,
      averageUs: us / calls,
      p99Us: p99 === undefined ? null : Number(p99),
      us,
    });
  }
  return commands
    .sort((a, b) => b.us - a.us || b.callsPerSecond - a.callsPerSecond)
    .slice(0, COMMANDS_MAX)
    .map(({ us: _, ...command }) => command);
}
