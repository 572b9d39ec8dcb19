/**
 * A Raft consensus core that does no I/O: a log whose order a cluster agrees on, membership, reads and
 * leadership, as a function of messages, ticks and proposals. The body that gives it a disk and a network
 * lives in `raft/node`.
 */

export type { Pulse } from './election.js';
export {
  decodeMembership,
  emptyMembership,
  encodeMembership,
  findMember,
  isNodeId,
  type MembershipChange,
  type MembershipRefusal,
  reachable,
} from './membership.js';
export type * from './messages.js';
export type { ProgressState } from './progress.js';
export { majority, reachedByMajority, type VoteResult, voteResult } from './quorum.js';
export { type Proposed, Raft } from './raft.js';
export type { PeerStatus, ReadState, Ready, Role, SoftState, Status } from './ready.js';
export type { RaftConfig } from './state.js';
export {
  type Entry,
  EntryKind,
  type HardState,
  type LogStorage,
  type Member,
  type Membership,
  type NodeId,
  type SnapshotMetadata,
} from './types.js';
