/** What nodes ask each other outside of consensus: joining, and administration that is the leader's. */
import { isBehaviourLevel } from '../../engine/index.js';
import type { Role } from '../../raft/index.js';

export type Question =
  /** Who are you, as the handshake says, and which behaviour levels do you know? */
  | { readonly kind: 'who' }
  /** Where do your clients reach you? */
  | { readonly kind: 'client-address' }
  /**
   * Let the asking node, which is reached at `address` and knows behaviour levels up to `level`, into the
   * cluster; or note its new address. Releases before there were levels do not say.
   */
  | { readonly kind: 'join'; readonly address: string; readonly level?: number }
  /** Join the cluster of the asking node, which is reached at `addresses`. */
  | { readonly kind: 'invite'; readonly clusterId: string; readonly addresses: readonly string[] }
  | { readonly kind: 'remove'; readonly address: string }
  /** Hand leadership over, to any voter if no address is given. */
  | { readonly kind: 'transfer'; readonly address: string }
  /** Take a snapshot. */
  | { readonly kind: 'snapshot' }
  /** How do you stand? */
  | { readonly kind: 'standing' }
  /** What is the digest of your state at an index to come? */
  | { readonly kind: 'digest'; readonly index: number };

export type Answer =
  | {
      readonly kind: 'done';
      /** To `who`: the highest behaviour level that the node knows; undefined before there were any. */
      readonly level?: number;
    }
  | {
      readonly kind: 'client-address';
      /** host:port; empty: where peers do. */
      readonly address: string;
      /** Where clients reach it over TLS; empty where they do not. Releases before do not say. */
      readonly tlsAddress?: string;
    }
  | { readonly kind: 'voter' }
  /** Admitted, and so many entries behind. */
  | { readonly kind: 'learner'; readonly behind: number }
  | { readonly kind: 'digest'; readonly index: number; readonly digest: string }
  | {
      readonly kind: 'standing';
      readonly role: Role;
      readonly term: number;
      readonly commit: number;
      readonly applied: number;
    }
  /** The leader is elsewhere; empty while none is known. */
  | { readonly kind: 'elsewhere'; readonly leader: string }
  /** A living member has this address; a member that has just died looks alive for a moment. */
  | { readonly kind: 'taken'; readonly reason: string }
  /** The leader does not get through to this node's address now. */
  | { readonly kind: 'unreached'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

const questionKinds: readonly string[] = [
  'who',
  'client-address',
  'join',
  'invite',
  'remove',
  'transfer',
  'snapshot',
  'digest',
  'standing',
];
const answerKinds: readonly string[] = [
  'done',
  'client-address',
  'voter',
  'learner',
  'elsewhere',
  'taken',
  'unreached',
  'refused',
  'digest',
  'standing',
];
const roles: readonly unknown[] = ['follower', 'preCandidate', 'candidate', 'leader'] satisfies Role[];

/** Checks what came from a peer. @throws Error for what is no question */
export function asQuestion(value: unknown): Question {
  const question = (value ?? {}) as Record<string, unknown>;
  const { kind, address, addresses, clusterId, index, level } = question;
  const needsAddress = kind === 'join' || kind === 'remove' || kind === 'transfer';
  const isSound =
    questionKinds.includes(kind as string) &&
    (!needsAddress || typeof address === 'string') &&
    (kind !== 'join' || level === undefined || isBehaviourLevel(level)) &&
    (kind !== 'digest' || (Number.isSafeInteger(index) && (index as number) > 0)) &&
    (kind !== 'invite' ||
      (typeof clusterId === 'string' &&
        Array.isArray(addresses) &&
        addresses.every((item) => typeof item === 'string')));
  if (!isSound) throw new Error('a question of an unknown kind');
  return question as Question;
}

/** Checks what a peer answered. @throws Error for what is no answer */
export function asAnswer(value: unknown): Answer {
  const answer = (value ?? {}) as Record<string, unknown>;
  const { kind, reason, leader, behind, index, digest, level } = answer;
  const isSound =
    answerKinds.includes(kind as string) &&
    (kind !== 'done' || level === undefined || isBehaviourLevel(level)) &&
    (kind !== 'digest' || (typeof index === 'number' && typeof digest === 'string')) &&
    (kind !== 'standing' ||
      (roles.includes(answer.role) &&
        [answer.term, answer.commit, answer.applied].every((number) => Number.isSafeInteger(number)))) &&
    (kind !== 'learner' || typeof behind === 'number') &&
    (kind !== 'client-address' ||
      (typeof answer.address === 'string' && ['string', 'undefined'].includes(typeof answer.tlsAddress))) &&
    (kind !== 'elsewhere' || typeof leader === 'string') &&
    ((kind !== 'taken' && kind !== 'unreached' && kind !== 'refused') || typeof reason === 'string');
  if (!isSound) throw new Error('an answer of an unknown kind');
  return answer as Answer;
}
