/**
 * Commands about the cluster: who is in it, who leads it, how it stands. They have no counterpart in Redis.
 */
import { ErrorReply, errors, MapReply, OK, type Reply, type Request } from '../../engine/index.js';
import { hostAndPort } from '../cli/option-types.js';
import type { Client } from '../client/client.js';
import type { Consistency } from '../client/consistency.js';
import { AdministrationError } from '../cluster/administration.js';
import { replies } from '../replies.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';

type FieldValue = readonly [field: string, value: string | number];

/** Runs a change that may be refused, in the operator's words. */
async function administer(change: Promise<void>): Promise<Reply> {
  try {
    await change;
    return OK;
  } catch (error) {
    if (error instanceof AdministrationError) throw new ErrorReply(`ERR ${error.message}`);
    throw error;
  }
}

function addressOf(request: Request, index: number): string {
  const text = request.latin1(index);
  const address = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  if (hostAndPort.parse(address) === undefined) throw replies.notAnAddress(text);
  return address;
}

const addPeer = (request: Request, _connection: Client, server: NodeContext): ProgramReply =>
  administer(server.cluster.administration.addPeer(addressOf(request, 1)));

const removePeer = (request: Request, _connection: Client, server: NodeContext): ProgramReply =>
  administer(server.cluster.administration.removePeer(addressOf(request, 1)));

function transfer(request: Request, _connection: Client, server: NodeContext): ProgramReply {
  if (request.count > 2) throw errors.wrongArity('rafttransfer');
  return administer(server.cluster.administration.transfer(request.count === 2 ? addressOf(request, 1) : ''));
}

const peers = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.consensus.members.map(({ address }) => address);

const leader = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.consensus.leaderAddress ?? null;

/** The state in one word. */
export function stateName(server: NodeContext): 'Leader' | 'Follower' | 'Candidate' {
  const { role } = server.node.status();
  if (role === 'leader') return 'Leader';
  return role === 'follower' ? 'Follower' : 'Candidate';
}

const state = (_request: Request, _connection: Client, server: NodeContext): Reply => stateName(server);

async function snapshot(_request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  const elsewhere = server.cluster.administration.snapshotElsewhere();
  await server.takeSnapshot();
  for (const reason of await elsewhere)
    server.log.warning(`no snapshot there: ${reason}`, { event: 'snapshot-failed', reason });
  return OK;
}

/** What RAFTSTATS and INFO tell: the node, then the members as this node sees them. */
export function raftFields(server: NodeContext): FieldValue[] {
  const { node, consensus, replica } = server;
  const status = node.status();
  const storage = node.storageStatus();
  const own = status.membership.members.find(({ id }) => id === node.id);
  const verdict = server.cluster.digests?.verdict;
  const { behaviour } = server.engine.keyspace;
  const fields: FieldValue[] = [
    ['node_id', node.id],
    ['cluster_id', server.clusterName],
    ['address', own?.address ?? ''],
    ['state', stateName(server)],
    ['vote', own === undefined ? 'none' : own.learner ? 'learner' : 'voter'],
    ['leader', consensus.leaderAddress ?? ''],
    ['term', status.term],
    ['commit_index', status.commit],
    ['applied_index', node.applied],
    ['last_log_index', status.lastIndex],
    ['first_log_index', status.firstIndex],
    ['durable_index', status.persistedIndex],
    ['snapshot_index', storage.snapshot.index],
    ['snapshot_term', storage.snapshot.term],
    ['log_bytes', storage.logBytes],
    ['last_sync_ms', storage.lastSyncMs.toFixed(3)],
    ['commit_latency_ms', replica.commitLatencyMs.toFixed(3)],
    ['entries_in_flight', replica.pendingEntries],
    ['lease', status.role === 'leader' && consensus.leaseValid ? 'valid' : 'none'],
    ['clock', server.cluster.clock],
    ['digest_index', verdict?.index ?? 0],
    ['digest', verdict === undefined ? 'unknown' : verdict.diverged.size === 0 ? 'ok' : 'differs'],
    ['behaviour_level', behaviour.level],
    ['behaviour_known', behaviour.known],
    ['members', status.membership.members.length],
  ];
  for (const [i, { id, address, learner }] of status.membership.members.entries()) {
    const shown = `id=${id},address=${address},vote=${learner ? 'learner' : 'voter'}`;
    const peer = status.peers.find((candidate) => candidate.id === id);
    if (id === node.id) {
      fields.push([
        `peer${i}`,
        `${shown},match=${status.lastIndex},next=${status.lastIndex + 1},state=self,inflight_bytes=0,health=${verdict?.diverged.has(id) ? 'diverged' : 'ok'}`,
      ]);
    } else if (peer === undefined) {
      fields.push([`peer${i}`, shown]);
    } else {
      const { match, next, inflightBytes } = peer;
      const health = peer.logLost
        ? 'log_lost'
        : verdict?.diverged.has(id)
          ? 'diverged'
          : node.isSnapshotFailing(id)
            ? 'snapshot_failed'
            : peer.recentActive
              ? 'ok'
              : 'silent';
      fields.push([
        `peer${i}`,
        `${shown},match=${match},next=${next},state=${peer.state},inflight_bytes=${inflightBytes},health=${health}`,
      ]);
    }
  }
  return fields;
}

const stats = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  new MapReply(raftFields(server).flatMap(([field, value]) => [field, `${value}`]));

async function digest(request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  if (request.count > 2) throw errors.wrongArity('raftdigest');
  const wanted = request.count === 2 ? request.int64(1) : undefined;
  if (wanted !== undefined && (typeof wanted !== 'number' || wanted < 1)) throw errors.notInteger;
  const { index, digest: text } = await server.digest(wanted);
  return [index, text];
}

const levels: readonly Consistency[] = ['low', 'medium', 'high'];

/** A connection may ask for more than its node gives, and take that back; never for less. */
function consistency(request: Request, connection: Client, server: NodeContext): Reply {
  if (request.count > 2) throw errors.wrongArity('raftconsistency');
  if (request.count === 1) return connection.consistency;
  const level = levels.find((one) => request.is(1, one.toUpperCase()));
  if (level === undefined) throw replies.unknownConsistency;
  if (levels.indexOf(level) < levels.indexOf(server.consistency)) {
    throw replies.consistencyLowered(server.consistency);
  }
  connection.consistency = level;
  return OK;
}

const shared = { group: 'cluster', since: '0.1.0' } as const;

/** Every row of the family. */
export const raftCommands = [
  ordered(
    {
      ...shared,
      name: 'raftaddpeer',
      arity: 2,
      flags: ['admin', 'noscript', 'stale', 'no_multi'],
      summary: 'Lets a node into the cluster that waits to join, and waits until it votes.',
      syntax: 'address:string',
    },
    addPeer,
  ),
  ordered(
    {
      ...shared,
      name: 'raftconsistency',
      arity: -1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      categories: ['connection'],
      summary: "Returns or sets how fresh this connection's reads are, at least as the node's setting says.",
      syntax: '[level:<LOW | MEDIUM | HIGH>]',
    },
    consistency,
  ),
  ordered(
    {
      ...shared,
      name: 'raftdigest',
      arity: -1,
      flags: ['admin', 'noscript', 'stale', 'no_multi'],
      complexity: 'O(N), N keys and their elements, in slices',
      summary:
        'Returns an index of the log and the digest of the state there: equal on all nodes at an equal index.',
      syntax: '[index:integer]',
    },
    digest,
  ),
  immediate(
    {
      ...shared,
      name: 'raftleader',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      summary: 'Returns the address of the leader, null while none is known.',
    },
    leader,
  ),
  immediate(
    {
      ...shared,
      name: 'raftpeers',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      summary: 'Returns the addresses of all members, this node among them.',
    },
    peers,
  ),
  ordered(
    {
      ...shared,
      name: 'raftremovepeer',
      arity: 2,
      flags: ['admin', 'noscript', 'stale', 'no_multi'],
      summary: 'Takes a member out of the cluster for good, be it dead or the leader.',
      syntax: 'address:string',
    },
    removePeer,
  ),
  ordered(
    {
      ...shared,
      name: 'raftsnapshot',
      arity: 1,
      flags: ['admin', 'noscript', 'stale', 'no_multi'],
      complexity: 'O(N), N keys and their elements, in slices',
      summary: 'Takes a snapshot on every member that can be reached, and answers when that is done.',
    },
    snapshot,
  ),
  immediate(
    {
      ...shared,
      name: 'raftstate',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      summary: 'Returns Leader, Follower or Candidate.',
    },
    state,
  ),
  immediate(
    {
      ...shared,
      name: 'raftstats',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      summary: 'Returns how this node and, on the leader, its peers stand.',
    },
    stats,
  ),
  ordered(
    {
      ...shared,
      name: 'rafttransfer',
      arity: -1,
      flags: ['admin', 'noscript', 'stale', 'no_multi'],
      summary: 'Hands leadership to the voter at an address, or to the one that is furthest.',
      syntax: '[address:string]',
    },
    transfer,
  ),
];
