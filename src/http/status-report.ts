/** What the status page shows, as JSON: the node, its cluster, its load, its clients and its slow log. */
import { setTimeout } from '../../raft/node/timers.js';
import type { Answer } from '../cluster/peer-requests.js';
import type { NodeContext } from '../commands/node-context.js';
import { gatherInformation } from '../observability/info.js';
import { redraftVersion } from '../version.js';
import type { Moment } from './history.js';
import { memoryKinds } from './metric-table.js';
import { unreadiness } from './readiness.js';

const CLIENTS_MAX = 100;
const SLOW_MAX = 50;
const MEMBER_TIMEOUT_MS = 700;

/** How a member of the cluster stands; undefined is what nobody can say. */
export interface MemberReport {
  readonly id: number;
  readonly address: string;
  readonly role: string;
  readonly isSelf: boolean;
  readonly isVoter: boolean;
  readonly isReached: boolean;
  readonly term: number | undefined;
  readonly applied: number | undefined;
  /** Entries that it lacks of what is known to be committed. */
  readonly lag: number | undefined;
}

export interface StatusReport {
  readonly node: {
    readonly id: number;
    readonly version: string;
    readonly clusterId: string;
    readonly role: string;
    readonly term: number;
    readonly uptimeSeconds: number;
    readonly unready: readonly string[];
  };
  readonly members: readonly MemberReport[];
  readonly load: {
    readonly clients: number;
    readonly clientsMax: number;
    readonly operationsPerSecond: number;
    readonly keys: number;
    readonly lastSyncMs: number;
    readonly logBytes: number;
    readonly snapshotBytes: number;
  };
  readonly memory: {
    readonly used: number;
    readonly maximum: number;
    readonly kinds: readonly { readonly kind: string; readonly bytes: number }[];
  };
  readonly history: readonly Moment[];
  readonly clients: readonly {
    readonly id: number;
    readonly address: string;
    readonly name: string;
    readonly user: string;
    readonly database: number;
    readonly ageSeconds: number;
    readonly idleSeconds: number;
    readonly command: string;
    readonly bytes: number;
  }[];
  readonly slow: readonly {
    readonly timeSeconds: number;
    readonly durationUs: number;
    readonly command: string;
    readonly address: string;
  }[];
}

export async function reportStatus(node: NodeContext, history: readonly Moment[]): Promise<StatusReport> {
  const members = await reportMembers(node);
  const { info, status } = {
    info: gatherInformation(node),
    status: node.consensus.isBound ? node.node.status() : undefined,
  };
  const storage = node.consensus.isBound ? node.node.storageStatus() : undefined;
  const nowMs = node.clock();
  return {
    node: {
      id: node.session.nodeId,
      version: redraftVersion,
      clusterId: node.clusterId,
      role: status?.role ?? 'starting',
      term: status?.term ?? 0,
      uptimeSeconds: info.server.uptimeSeconds,
      unready: unreadiness(node),
    },
    members,
    load: {
      clients: info.clients.connected,
      clientsMax: info.clients.maximum,
      operationsPerSecond: info.stats.operationsPerSecond,
      keys: info.databases.reduce((sum, { keys }) => sum + keys, 0),
      lastSyncMs: storage?.lastSyncMs ?? 0,
      logBytes: storage?.logBytes ?? 0,
      snapshotBytes: storage?.snapshotBytes ?? 0,
    },
    memory: {
      used: info.memory.used,
      maximum: info.memory.maximum,
      kinds: memoryKinds(info).map(([kind, bytes]) => ({ kind, bytes })),
    },
    history,
    clients: [...node.connections.values()].slice(0, CLIENTS_MAX).map((client) => ({
      id: client.id,
      address: client.address,
      name: shown(client.name),
      user: shown(client.userName),
      database: client.database,
      ageSeconds: Math.max(0, Math.floor((nowMs - client.createdMs) / 1000)),
      idleSeconds: Math.max(0, Math.floor((nowMs - client.lastActiveMs) / 1000)),
      command: client.lastCommand,
      bytes: client.heldBytes,
    })),
    slow: node.slowLog.entries.slice(0, SLOW_MAX).map(({ timeSeconds, durationUs, args, address }) => ({
      timeSeconds,
      durationUs,
      command: shown(args.join(' ')),
      address,
    })),
  };
}

/** Bytes that are kept as latin1, as the text that they mostly are. */
const shown = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8');

async function reportMembers(node: NodeContext): Promise<MemberReport[]> {
  if (!node.consensus.isBound) return [];
  const { membership } = node.node.status();
  const answers = await Promise.all(
    membership.members.map(({ id, address }) => standingOf(node, id, address)),
  );
  const status = node.node.status();
  const commit = Math.max(status.commit, ...answers.map((answer) => answer?.commit ?? 0));
  return membership.members.map(({ id, address, learner }, i) => {
    const answer = answers[i];
    return {
      id,
      address,
      role: learner ? 'learner' : (answer?.role ?? (id === status.leader ? 'leader' : 'unknown')),
      isSelf: id === node.node.id,
      isVoter: !learner,
      isReached: answer !== undefined,
      term: answer?.term,
      applied: answer?.applied,
      lag: answer === undefined ? undefined : Math.max(0, commit - answer.applied),
    };
  });
}

type Standing = Extract<Answer, { kind: 'standing' }>;

/** Undefined for a member that does not answer, or is of a release that cannot. */
async function standingOf(node: NodeContext, id: number, address: string): Promise<Standing | undefined> {
  const { administration } = node.cluster;
  const question = { kind: 'standing' } as const;
  const ask = async (): Promise<Standing | undefined> => {
    try {
      const answer =
        id === node.node.id
          ? await administration.answer(question, id)
          : await administration.ask(address, question, node.clusterName, MEMBER_TIMEOUT_MS);
      return answer.kind === 'standing' ? answer : undefined;
    } catch {
      return undefined;
    }
  };
  // To dial an address that is gone takes longer.
  const late = new Promise<undefined>((resolve) => {
    setTimeout(() => resolve(undefined), MEMBER_TIMEOUT_MS).unref();
  });
  return Promise.race([ask(), late]);
}
