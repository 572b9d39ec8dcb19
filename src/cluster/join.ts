/** How a node finds the cluster that it is to join, and gets in. */
import { networkInterfaces } from 'node:os';
import {
  askPeer,
  type Clock,
  type PeerCredentials,
  PeerRefusal,
  splitAddress,
} from '../../raft/node/index.js';
import type { Entrance } from '../net/port.js';
import { isLoopback } from '../net/socket-addresses.js';
import type { Log } from '../observability/log.js';
import { type Answer, asAnswer, type Question } from './peer-requests.js';
import { type WaitingOptions, WaitingPort } from './waiting-port.js';

/** The node cannot join, and trying again would not help: what is wrong, in words for the operator. */
export class JoinError extends Error {
  override readonly name = 'JoinError';
}

export interface JoinOptions {
  readonly nodeId: number;
  readonly credentials: PeerCredentials;
  /** host:port of nodes to ask. */
  readonly addresses: readonly string[];
  /** host:port under which this node is reached. */
  readonly ownAddress: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the node was told to stop meanwhile. */
  readonly isStopped: () => boolean;
}

export type FindOptions = JoinOptions & WaitingOptions;

const ASK_TIMEOUT_MS = 5000;
const RETRY_MS = 250;
/** How long an address may seem to belong to a living member: that long a dead one looks alive. */
const TAKEN_MAX_MS = 3000;
/** Progress is told this often. */
const TELL_EVERY_MS = 1000;

/** Addresses without this node's own. @throws JoinError when none is left */
export function othersOf(addresses: readonly string[], ownAddress: string): string[] {
  const own = splitAddress(ownAddress);
  const isOwn = (address: string): boolean => {
    const { host, port } = splitAddress(address);
    return port === own.port && (host === own.host || (isLoopback(host) && isOfThisMachine(own.host)));
  };
  const others = addresses.filter((address) => !isOwn(address));
  if (others.length > 0) return others;
  throw new JoinError(`--join ${addresses.join(',')} is this node itself: name another node of the cluster`);
}

function isOfThisMachine(host: string): boolean {
  if (isLoopback(host) || host === '0.0.0.0' || host === '::') return true;
  return Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === host));
}

/** The address under which a node that listens on all interfaces can be reached from outside. */
export function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address, family, internal } of addresses ?? []) {
      if (!internal && (family === 'IPv4' || host === '::')) return address;
    }
  }
  return host === '::' ? '::1' : '127.0.0.1';
}

/** Why asking again is of no use, or undefined if it may be. */
function finalReason(address: string, error: unknown): string | undefined {
  if (!(error instanceof PeerRefusal)) return undefined;
  switch (error.code) {
    case 'secret':
      return `${address} has another cluster secret: give all nodes the same --cluster-secret`;
    case 'malformed':
      return `${address} is no Redraft node: ${error.message}`;
    case 'self':
      return `--join ${address} is this node itself: name another node of the cluster`;
    case 'cluster':
      return `${error.message}: this directory belongs to another cluster than ${address}; empty it to join anew`;
    case 'closed':
      return `${address} refuses: ${error.message}`;
    case 'waiting':
      return undefined;
    case 'removed':
      return `${error.message}, and its id is never used again: empty its directory to join anew`;
    default:
      return `${address} refuses: ${error.message}`;
  }
}

/**
 * Asks until a node answers which cluster it belongs to. Meanwhile a member may invite this node
 * (RAFTADDPEER), and clients are told that it waits.
 *
 * @param port where invitations arrive
 * @throws JoinError
 */
export async function findCluster(
  options: FindOptions,
  port: Entrance,
): Promise<{ clusterId: string; addresses: readonly string[] }> {
  const { nodeId, credentials, log, clock } = options;
  let addresses = othersOf(options.addresses, options.ownAddress);
  const waiting = WaitingPort.open(port, options, (invited) => {
    addresses = [...new Set([...addresses, ...invited])];
  });
  try {
    let isTold = false;
    for (;;) {
      const reasons: string[] = [];
      for (const address of addresses) {
        try {
          const given = await askPeer(
            address,
            { credentials, clusterId: undefined, nodeId, timeoutMs: ASK_TIMEOUT_MS },
            { kind: 'who' } satisfies Question,
          );
          if (/^[0-9a-f]{32}$/.test(given.clusterId)) return { clusterId: given.clusterId, addresses };
          reasons.push(`${address} waits to join a cluster itself`);
        } catch (error) {
          const final = finalReason(address, error);
          if (final !== undefined) throw new JoinError(final);
          reasons.push(`${address}: ${(error as Error).message}`);
        }
      }
      if (!isTold)
        log.notice(`no node to join answers yet (${reasons.join('; ')}); trying until one does`, {
          event: 'join-waits',
        });
      isTold = true;
      if (options.isStopped()) throw new JoinError('stopped before a cluster was found');
      await pause(clock);
    }
  } finally {
    await waiting.close();
  }
}

/**
 * Asks the leader, by way of whoever answers, to be let in, until this node is a voter, as the leader or the
 * own log says.
 *
 * @param isVoter whether the own log says so
 * @throws JoinError
 */
export async function becomeVoter(
  options: JoinOptions & {
    readonly clusterId: string;
    /** The highest behaviour level that this node knows. */
    readonly level: number;
    /** Members that are known, to be asked, too. */
    readonly members: () => readonly string[];
    readonly isVoter: () => boolean;
    /** What is being done, such as how much of a snapshot has arrived; undefined for nothing worth a line. */
    readonly progress: () => string | undefined;
  },
): Promise<void> {
  const { nodeId, credentials, clusterId, ownAddress, clock, log } = options;
  let leader = '';
  let hops = 0;
  let takenSince: number | undefined;
  let toldAt = clock.monotonicMs();
  while (!options.isVoter()) {
    if (options.isStopped()) throw new JoinError('stopped before the cluster let this node in');
    const candidates = new Set([leader, ...options.addresses, ...options.members()]);
    leader = '';
    let answer: Answer | undefined;
    for (const address of candidates) {
      if (address === '' || address === ownAddress) continue;
      const question: Question = { kind: 'join', address: ownAddress, level: options.level };
      try {
        const given = await askPeer(address, { credentials, clusterId, nodeId, timeoutMs: 15_000 }, question);
        answer = asAnswer(given.answer);
      } catch (error) {
        // A member looks for its own cluster, whoever else has taken an address.
        const isMember = options.members().length > 0;
        const isRemoved = error instanceof PeerRefusal && error.code === 'removed';
        const final = isMember && !isRemoved ? undefined : finalReason(address, error);
        if (final !== undefined) throw new JoinError(final);
        continue;
      }
      if (answer.kind === 'elsewhere') {
        leader = answer.leader === ownAddress ? '' : answer.leader;
        if (leader !== '') break;
        continue;
      }
      break;
    }
    if (answer?.kind === 'refused') throw new JoinError(`the cluster refuses this node: ${answer.reason}`);
    if (answer?.kind === 'taken') {
      takenSince ??= clock.monotonicMs();
      if (clock.monotonicMs() - takenSince > TAKEN_MAX_MS) throw new JoinError(answer.reason);
    } else if (leader === '') {
      // Who merely names the leader has not said that the address is free.
      takenSince = undefined;
    }
    if (clock.monotonicMs() - toldAt >= TELL_EVERY_MS) {
      toldAt = clock.monotonicMs();
      const progress =
        options.progress() ??
        (answer?.kind === 'learner' ? `${answer.behind} entries behind` : undefined) ??
        (answer?.kind === 'unreached' ? answer.reason : undefined);
      log.notice(`joining: ${progress ?? 'no leader answers yet'}`, { event: 'joining' });
    }
    // Nodes that send each other the questioner must not keep it running in circles.
    if (leader !== '' && ++hops <= 2) continue;
    hops = 0;
    await pause(clock);
  }
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(RETRY_MS, resolve);
  });
}
