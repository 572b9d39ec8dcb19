/** WAIT and WAITAOF: on how many nodes a client's writes are, and on how many disks. */
import { durabilityLevels, ErrorReply, errors, type Reply, type Request } from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { followersCaughtUp, waitForFollowers, withinTime } from '../replication/follower-wait.js';
import type { NodeContext } from './node-context.js';
import { ordered, type ProgramReply } from './program-command.js';

function timeoutOf(request: Request, index: number): number {
  const timeoutMs = request.int64OrUndefined(index);
  if (timeoutMs === undefined) throw new ErrorReply('ERR timeout is not an integer or out of range');
  if (timeoutMs < 0) throw new ErrorReply('ERR timeout is negative');
  return Number(timeoutMs);
}

/** Only the leader knows how far the others are. @throws the error of Redis's replicas, or where to go */
function checkLeads(command: string, text: string, { forwardedBy }: Client, server: NodeContext): void {
  if (server.isLeader) return;
  if (forwardedBy !== 0 || !server.guide.redirects) throw server.notLeading();
  throw new ErrorReply(`ERR ${command} cannot be used with replica instances. ${text}`);
}

/** What a client that waits is told when this node leads no more, as in Redis. */
const orUnblocked = (followers: number | undefined): Reply => followers ?? errors.forcedUnblock;

/** How many followers have what this connection wrote: every acknowledged write is on a majority already. */
function wait(request: Request, connection: Client, server: NodeContext): ProgramReply {
  const replicas = request.int64(1);
  const timeoutMs = timeoutOf(request, 2);
  checkLeads(
    'WAIT',
    'Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.',
    connection,
    server,
  );
  const caughtUp = followersCaughtUp(server);
  if (connection.inExec || caughtUp >= replicas) return caughtUp;
  return waitForFollowers(server, Number(replicas), timeoutMs, isThere(connection)).then(orUnblocked);
}

/**
 * Whether this node, and how many followers, have what this connection wrote on disk
 * (https://redis.io/docs/latest/commands/waitaof/). Followers acknowledge what they have synced at durability
 * `high` only.
 */
function waitaof(request: Request, connection: Client, server: NodeContext): ProgramReply {
  const local = request.int64OrUndefined(1);
  if (local === undefined || local < 0 || local > 1)
    throw new ErrorReply('ERR value is out of range, value must between 0 and 1');
  const replicas = request.int64OrUndefined(2);
  if (replicas === undefined || replicas < 0)
    throw new ErrorReply('ERR value is out of range, must be positive');
  const timeoutMs = timeoutOf(request, 3);
  checkLeads(
    'WAITAOF',
    'Please also note that writes to replicas are just local and are not propagated.',
    connection,
    server,
  );
  const level = durabilityLevels[server.engine.keyspace.settings.durability];
  if (replicas > 0 && level !== 'high')
    throw new ErrorReply(
      `ERR WAITAOF cannot be used for replicas at durability ${level}: followers acknowledge what they have not synced`,
    );
  if (local > 0 && server.diskSpace === undefined)
    throw new ErrorReply(
      'ERR WAITAOF cannot be used when numlocal is set but this node keeps nothing on disk',
    );
  const followers = (): number => (level === 'high' ? followersCaughtUp(server) : 0);
  if (connection.inExec) return [level === 'high' && server.diskSpace !== undefined ? 1 : 0, followers()];
  const waits = (): Promise<number | undefined> =>
    Number(replicas) === 0
      ? Promise.resolve(followers())
      : waitForFollowers(server, Number(replicas), timeoutMs, isThere(connection));
  return synced(server, timeoutMs, waits);
}

const isThere =
  ({ socket }: Client) =>
  (): boolean =>
    !socket.destroyed;

async function synced(
  { node, diskSpace }: NodeContext,
  timeoutMs: number,
  waits: () => Promise<number | undefined>,
): Promise<Reply> {
  const onDisk =
    diskSpace !== undefined ? withinTime(node.log.makeDurable(), timeoutMs) : Promise.resolve(false);
  const [isLocal, count] = await Promise.all([onDisk, waits()]);
  return count === undefined ? orUnblocked(count) : [isLocal ? 1 : 0, count];
}

/** Every row of the family. */
export const waitingCommands = [
  ordered(
    {
      name: 'wait',
      arity: 3,
      flags: ['noscript'],
      categories: ['connection'],
      group: 'generic',
      since: '3.0.0',
      tips: ['request_policy:all_shards', 'response_policy:agg_min'],
      complexity: 'O(1)',
      summary: 'Waits until other servers have acknowledged the writes of this connection.',
      syntax: 'numreplicas:integer timeout:integer',
    },
    wait,
  ),
  ordered(
    {
      name: 'waitaof',
      arity: 4,
      flags: ['noscript'],
      categories: ['connection'],
      group: 'generic',
      since: '7.2.0',
      tips: ['request_policy:all_shards', 'response_policy:agg_min'],
      complexity: 'O(1)',
      summary: 'Waits until the writes of this connection are on the disks of this and other servers.',
      syntax: 'numlocal:integer numreplicas:integer timeout:integer',
    },
    waitaof,
  ),
];
