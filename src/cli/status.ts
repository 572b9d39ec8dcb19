/** `redraft status`: how a running node is. */
import type { SecureContextOptions } from 'node:tls';
import { ErrorReply } from '../../engine/index.js';
import { splitAddress } from '../../raft/node/index.js';
import { readClientFiles, TlsError } from '../net/tls-files.js';
import { ConnectionError, RespClient } from '../resp/client.js';
import type { StatusOptions } from './options.js';
import { certificateParameters } from './tls-options.js';

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

/** How a member stands, as itself and the leader say. */
interface MemberStatus {
  readonly node: string;
  readonly address: string;
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner' | 'unknown';
  readonly term: number | null;
  readonly commit: number | null;
  /** Entries that it lacks of what the leader has committed. */
  readonly lag: number | null;
  readonly health:
    | 'ok'
    | 'catching up'
    | 'unreachable'
    | 'no leader'
    | 'log lost'
    | 'diverged'
    | 'snapshot failed'
    | 'clock off'
    | 'not asked';
}

type Fields = ReadonlyMap<string, string>;

const MEMBER_TIMEOUT_MS = 2000;
const WATCH_EVERY_MS = 1000;
/** While nobody is seen to lead, as right after a failover, it is asked again for so long. */
const LEADERLESS_MAX_MS = 2000;
const ASK_AGAIN_MS = 200;
/** So many entries behind, a member is no longer just busy. */
const LAG_OK = 1000;

/**
 * Prints how the node and its cluster are, or why they could not be asked. Resolves with the exit code: 0 if
 * a leader was found and everybody is well, 1 otherwise; with --watch only when the output is gone.
 */
export async function status(
  options: StatusOptions,
  print: (text: string) => void,
  complain: (text: string) => void,
  inColour = false,
): Promise<number> {
  const address = options.port === undefined ? options.address : { host: '127.0.0.1', port: options.port };
  for (;;) {
    const code = await printOnce({ ...options, address }, print, complain, inColour);
    if (!options.watch) return code;
    await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
    if (!options.json) print(inColour ? '\x1b[2J\x1b[H' : '\n');
  }
}

async function printOnce(
  options: StatusOptions,
  print: (text: string) => void,
  complain: (text: string) => void,
  inColour: boolean,
): Promise<number> {
  try {
    const { info, members } = await gatherLed(options);
    if (options.json) print(`${JSON.stringify({ members, node: Object.fromEntries(factsOf(info)) })}\n`);
    else print(`${formatTable(members, inColour)}\n${formatFacts(factsOf(info))}`);
    return members.every(({ health }) => health === 'ok' || health === 'catching up') ? 0 : 1;
  } catch (error) {
    if (![ErrorReply, ConnectionError, TlsError].some((kind) => error instanceof kind)) throw error;
    complain(`redraft: ${error instanceof ErrorReply ? error.text : (error as Error).message}\n`);
    return 1;
  }
}

/** {@link gather}, again while a leader may be found yet. */
async function gatherLed(options: StatusOptions): Promise<{ info: string; members: MemberStatus[] }> {
  const deadline = performance.now() + LEADERLESS_MAX_MS;
  for (;;) {
    const { info, members, isLed } = await gather(options);
    if (isLed || performance.now() > deadline) return { info, members };
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

async function gather(
  options: StatusOptions,
): Promise<{ info: string; members: MemberStatus[]; isLed: boolean }> {
  const { address, requirepass } = options;
  const tls = options.tls
    ? readClientFiles((name) => certificateParameters(options).get(name) ?? '')
    : undefined;
  const client = await RespClient.connect({ ...address, tls });
  let info: string;
  let own: Fields;
  try {
    await authenticate(client, requirepass);
    info = `${await ask(client, 'INFO', 'everything')}`;
    own = await statsOf(client);
  } finally {
    await client.close();
  }
  const peers = peersOf(own);
  const stats = await Promise.all(
    peers.map(async (peer) =>
      peer.get('id') === own.get('node_id') ? own : askMember(peer.get('address') ?? '', requirepass, tls),
    ),
  );
  const leader = stats.find(
    (fields): fields is Fields =>
      typeof fields === 'object' && fields.get('state') === 'Leader' && fields.get('lease') === 'valid',
  );
  // Where the leader cannot be asked, it is known who leads all the same.
  const ledBy = leader?.get('address') ?? own.get('leader') ?? '';
  const isAsked = peers.every((peer, i) => peer.get('address') !== ledBy || stats[i] !== 'refused');
  const isLed = leader !== undefined || (ledBy !== '' && !isAsked);
  const view = {
    leader,
    seen: leader === undefined ? peers : peersOf(leader),
    ledBy: isLed ? ledBy : '',
    term: own,
  };
  return { info, isLed, members: peers.map((peer, i) => memberStatus(peer, stats[i], view)) };
}

/**
 * What a member says of itself; `refused` when it asks for another password, undefined when it does not
 * answer.
 */
async function askMember(
  address: string,
  requirepass: string | undefined,
  tls: SecureContextOptions | undefined,
): Promise<Fields | 'refused' | undefined> {
  try {
    const { host, port } = splitAddress(address);
    const client = await RespClient.connect({
      host,
      port,
      tls,
      connectTimeoutMs: MEMBER_TIMEOUT_MS,
      replyTimeoutMs: MEMBER_TIMEOUT_MS,
    });
    try {
      await authenticate(client, requirepass);
      return await statsOf(client);
    } finally {
      await client.close();
    }
  } catch (error) {
    return error instanceof ErrorReply ? 'refused' : undefined;
  }
}

/** A node without a password takes any. */
export async function authenticate(client: RespClient, password: string | undefined): Promise<void> {
  if (password === undefined) return;
  const reply = await client.call('AUTH', Buffer.from(password));
  if (reply instanceof ErrorReply && !reply.text.includes('without any password configured')) throw reply;
}

async function statsOf(client: RespClient): Promise<Fields> {
  const items = ((await ask(client, 'RAFTSTATS')) as unknown[]).map(String);
  return new Map(items.flatMap((item, i) => (i % 2 === 0 ? [[item, items[i + 1]] as const] : [])));
}

/** The members that a node names, each with its fields. */
function peersOf(stats: Fields): Fields[] {
  return [...stats]
    .filter(([name]) => /^peer\d+$/.test(name))
    .map(([, text]) => new Map(text.split(',').map((pair) => pair.split('=', 2) as [string, string])));
}

/** What is known of the cluster besides what a member says of itself. */
interface View {
  readonly leader: Fields | undefined;
  /** The members as the leader sees them, or the node that was asked. */
  readonly seen: readonly Fields[];
  /** Address of the leader, even if it cannot be asked; empty when nobody is known to lead. */
  readonly ledBy: string;
  /** What the node that was asked says of itself. */
  readonly term: Fields;
}

function memberStatus(peer: Fields, stats: Fields | 'refused' | undefined, view: View): MemberStatus {
  const { leader, seen, ledBy } = view;
  const node = peer.get('id') ?? '';
  const address = peer.get('address') ?? '';
  const said = seen.find((one) => one.get('id') === node);
  if (typeof stats !== 'object') return notAsked(node, address, stats === 'refused', said, view);
  const commit = Number(stats.get('commit_index'));
  const lag = leader === undefined ? null : Math.max(0, Number(leader.get('commit_index')) - commit);
  const isLearner = stats.get('vote') === 'learner';
  const role = isLearner ? 'learner' : (stats.get('state')?.toLowerCase() as MemberStatus['role']);
  const health =
    said?.get('health') === 'log_lost'
      ? 'log lost'
      : said?.get('health') === 'diverged'
        ? 'diverged'
        : said?.get('health') === 'snapshot_failed'
          ? 'snapshot failed'
          : stats.get('clock') === 'unsound'
            ? 'clock off'
            : ledBy === '' || stats.get('leader') === ''
              ? 'no leader'
              : isLearner || (lag ?? 0) > LAG_OK
                ? 'catching up'
                : 'ok';
  return { node, address, role, term: Number(stats.get('term')), commit, lag, health };
}

/**
 * A member that did not say how it is: because it does not answer, or wants another password. Then the others
 * may know.
 */
function notAsked(
  node: string,
  address: string,
  answers: boolean,
  said: Fields | undefined,
  { leader, ledBy, term: own }: View,
): MemberStatus {
  const none = { node, address, term: null, commit: null, lag: null } as const;
  if (!answers) return { ...none, role: 'unknown', health: 'unreachable' };
  if (leader === undefined) {
    // Its heartbeats reach the node that was asked.
    if (address === ledBy) return { ...none, role: 'leader', term: Number(own.get('term')), health: 'ok' };
    return { ...none, role: 'unknown', health: 'not asked' };
  }
  const lag = Math.max(0, Number(leader.get('commit_index')) - Number(said?.get('match')));
  const isLearner = said?.get('vote') === 'learner';
  const health =
    said?.get('health') === 'ok' ? (isLearner || lag > LAG_OK ? 'catching up' : 'ok') : 'unreachable';
  const role = isLearner ? 'learner' : 'follower';
  return { ...none, role, term: Number(leader.get('term')), lag, health };
}

const columns = ['node', 'address', 'role', 'term', 'commit', 'lag', 'health'] as const;

function formatTable(members: readonly MemberStatus[], inColour: boolean): string {
  const cells = members.map((member) => columns.map((column) => `${member[column] ?? '-'}`));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  const paint = (text: string, colour: number): string => (inColour ? `\x1b[${colour}m${text}\x1b[0m` : text);
  const rows = members.map(({ health }, i) => {
    const colour = health === 'ok' ? 32 : health === 'catching up' ? 33 : 31;
    return paint(line(cells[i]), colour);
  });
  return `${[paint(line(columns), 1), ...rows].join('\n')}\n`;
}

async function ask(client: RespClient, ...args: string[]): Promise<unknown> {
  const reply = await client.call(...args);
  if (reply instanceof ErrorReply) throw reply;
  return reply;
}

/** The chosen fields, then the sections about keys and consensus as they are. */
function factsOf(info: string): [string, string][] {
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
  return [...lines, ...rest];
}

function formatFacts(facts: readonly (readonly [string, string])[]): string {
  return facts.map(([name, value]) => `${name.padEnd(24)} ${value}\n`).join('');
}
