/**
 * What a peer says is input: before the core steps a message, this file asks whether it can be true. A
 * message that breaks the rules of the protocol, or speaks of terms and indices that no cluster ever reaches,
 * must neither end the node nor spoil its state.
 *
 * Honest nodes never fail these checks, whatever is lost, doubled or late. Consistent lies of a member cannot
 * be told from the truth: whoever may speak as a member is believed as one.
 */
import { inLease } from './election.js';
import { decodeMembership, hasVoter } from './membership.js';
import type { AppendMessage, Message, SnapshotMessage } from './messages.js';
import type { RaftState } from './state.js';
import { EntryKind } from './types.js';

/** No cluster holds so many elections: ten a second for 800,000 years. */
export const termMax = 2 ** 48;
/**
 * How far a term may be ahead of this node's: ten elections a second for 13 years. A node with an empty log
 * knows nothing yet.
 */
const termLeapMax = 2 ** 32;
/**
 * The same while the leader of this node's own term has a majority: elections on the other side can only just
 * have begun.
 */
const termLeapWithLeaderMax = 2 ** 16;
/** A log of 100,000 entries a second reaches this after 1,400 years. */
export const indexMax = 2 ** 52;
/** How far an index may be ahead of this node's log: 100,000 entries a second for 5 years. */
const indexLeapMax = 2 ** 44;

/** Why a message cannot be true, in words for the log; undefined if it can. Changes nothing. */
export function implausible(state: RaftState, message: Message): string | undefined {
  const { type, term, from } = message;
  // A node that has never heard of a term refuses pre-votes in term 0.
  const wrongTerm =
    term < 1 && type !== 'preVoteResponse' ? 'the impossible term 0' : implausibleTerm(state, term);
  if (wrongTerm !== undefined) return wrongTerm;
  // Of the past: it will be dropped or refused.
  if (term < state.term && type !== 'snapshot') return undefined;
  switch (type) {
    case 'append':
      return rivalLeader(state, from, term) ?? implausibleAppend(state, message);
    case 'heartbeat':
    case 'commit':
      return rivalLeader(state, from, term) ?? implausibleIndex(state, message.commit);
    case 'snapshot':
      return rivalLeader(state, from, term) ?? implausibleSnapshot(state, message);
    case 'preVote':
    case 'vote':
      if (message.lastTerm > term) return `a log of term ${message.lastTerm} in a ${type} of term ${term}`;
      return implausibleIndex(state, message.lastIndex);
    case 'appendResponse':
    case 'heartbeatResponse':
      return implausibleAnswer(state, message);
    case 'readIndexResponse':
      return implausibleIndex(state, message.index);
    default:
      return undefined;
  }
}

function implausibleTerm(state: RaftState, term: number): string | undefined {
  if (term > termMax) return `the impossible term ${term}`;
  const isNew = state.term === 0 && state.log.lastIndex() === 0;
  if (!isNew && term > state.term + termLeapMax) return `term ${term} far beyond ${state.term}`;
  if (term > state.term + termLeapWithLeaderMax && inLease(state))
    return `term ${term} beside a leader of term ${state.term}`;
  return undefined;
}

/** A term has one leader. */
function rivalLeader(state: RaftState, from: number, term: number): string | undefined {
  if (term !== state.term || state.leader === 0 || state.leader === from) return undefined;
  return `it claims to lead term ${term}, which node ${state.leader} leads`;
}

function implausibleIndex(state: RaftState, index: number): string | undefined {
  if (index > indexMax || index > state.log.lastIndex() + indexLeapMax)
    return `the index ${index} far beyond ${state.log.lastIndex()}`;
  return undefined;
}

function implausibleAppend(state: RaftState, message: AppendMessage): string | undefined {
  const { log } = state;
  const { entries, previousIndex, previousTerm, term } = message;
  const wrongIndex = implausibleIndex(state, previousIndex) ?? implausibleIndex(state, message.commit);
  if (wrongIndex !== undefined) return wrongIndex;
  if (previousIndex === 0 && previousTerm !== 0) return `term ${previousTerm} before the first entry`;
  if (previousIndex > 0 && previousTerm === 0) return `entry ${previousIndex} without a term`;
  if (contradictsCommitted(state, previousIndex, previousTerm))
    return `another entry ${previousIndex} than the committed one`;
  let last = previousTerm;
  for (const entry of entries) {
    if (entry.term < last || entry.term < 1)
      return `entry ${entry.index} of term ${entry.term} behind term ${last}`;
    last = entry.term;
    if (entry.index <= log.committed && contradictsCommitted(state, entry.index, entry.term))
      return `another entry ${entry.index} than the committed one`;
    if (entry.kind === EntryKind.membership && !isSoundMembership(entry.payload))
      return `a malformed membership in entry ${entry.index}`;
  }
  return last > term ? `entries of term ${last} in an append of term ${term}` : undefined;
}

/** What is committed here is equal everywhere. */
export function contradictsCommitted(state: RaftState, index: number, term: number): boolean {
  if (index === 0 || index > state.log.committed) return false;
  const own = state.log.term(index);
  return own !== undefined && own !== term;
}

function isSoundMembership(payload: Uint8Array): boolean {
  try {
    return hasVoter(decodeMembership(payload));
  } catch {
    return false;
  }
}

function implausibleSnapshot(state: RaftState, { snapshot, term }: SnapshotMessage): string | undefined {
  if (snapshot.term > term || snapshot.term < 1 || snapshot.index < 1)
    return `a snapshot of term ${snapshot.term} and index ${snapshot.index} in term ${term}`;
  if (!hasVoter(snapshot.membership)) return 'a snapshot of a cluster without a voter';
  if (contradictsCommitted(state, snapshot.index, snapshot.term))
    return `a snapshot of another entry ${snapshot.index} than the committed one`;
  return implausibleIndex(state, snapshot.index);
}

/** An answer echoes what this leader has asked, and acknowledges what it has. */
function implausibleAnswer(
  state: RaftState,
  message: Message & { readonly type: 'appendResponse' | 'heartbeatResponse' },
): string | undefined {
  if (state.role !== 'leader' || message.term !== state.term) return undefined;
  if (message.round > state.round) return `an answer to round ${message.round}, which was never asked`;
  if (message.sentTick > state.leaseClock)
    return `an answer to what will be asked at tick ${message.sentTick}`;
  if (message.type === 'appendResponse' && !message.rejected && message.index > state.log.lastIndex())
    return `an acknowledgement of entry ${message.index} of a log that ends at ${state.log.lastIndex()}`;
  return undefined;
}
