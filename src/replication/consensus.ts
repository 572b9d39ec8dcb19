/**
 * The consensus node as the program sees it: asked on every command, so that nothing is asked of the core
 * that a field can tell.
 */
import type { Membership, SoftState } from '../../raft/index.js';
import type { RaftNode } from '../../raft/node/index.js';
import { replies } from '../replies.js';

export class ConsensusNode {
  private softState: SoftState = { role: 'follower', leader: 0, term: 0 };
  private membership: Membership = { members: [], removed: [] };
  /**
   * Whether an entry of the own term is committed: before that a leader may not know all that was
   * acknowledged (thesis, 6.4).
   */
  private ownTermCommitted = false;
  private raftNode: RaftNode | undefined;
  /** Since this start: elections that this node stood in, those that it won, leaders that it has seen. */
  readonly elections = { stood: 0, won: 0, leaders: 0 };

  /** Binds the node once it has started. */
  bind(node: RaftNode): void {
    this.raftNode = node;
    const { role, leader, term, membership } = node.status();
    this.softState = { role, leader, term };
    this.membership = membership;
  }

  noteSoftState(state: SoftState): void {
    const before = this.softState;
    if (state.role === 'candidate' && (before.role !== 'candidate' || before.term !== state.term))
      this.elections.stood++;
    if (state.role === 'leader' && before.role !== 'leader') this.elections.won++;
    if (state.leader !== 0 && (state.leader !== before.leader || state.term !== before.term))
      this.elections.leaders++;
    this.softState = state;
    this.ownTermCommitted = false;
  }

  noteMembership(membership: Membership): void {
    this.membership = membership;
  }

  /** The node itself, for whoever administers it. */
  get node(): RaftNode {
    // Thrown to a client whose command looks at the cluster while the node recovers.
    if (this.raftNode === undefined) throw replies.loading;
    return this.raftNode;
  }

  /** Whether the node has started: before that nothing can be proposed or asked. */
  get isBound(): boolean {
    return this.raftNode !== undefined;
  }

  get isLeader(): boolean {
    return this.softState.role === 'leader';
  }

  /** Whether a leader is known, be it this node. */
  get hasLeader(): boolean {
    return this.softState.leader !== 0;
  }

  get leaderId(): number {
    return this.softState.leader;
  }

  /** Whether a transfer of leadership is under way: proposals are refused until it ends. */
  get isTransferring(): boolean {
    return this.isLeader && this.isBound && this.node.status().transferTarget !== 0;
  }

  /** Whether a committed change has taken this node out. */
  removalHolds(id: number): boolean {
    const { membership, membershipIndex, commit } = this.node.status();
    return membership.removed.includes(id) && membershipIndex <= commit;
  }

  get members(): Membership['members'] {
    return this.membership.members;
  }

  /** host:port of the leader, as it is advertised; undefined while none is known. */
  get leaderAddress(): string | undefined {
    const { leader } = this.softState;
    return this.membership.members.find((member) => member.id === leader)?.address;
  }

  /** Appends a payload if this node leads; undefined when it does not. */
  propose(payload: Uint8Array): { readonly index: number; readonly term: number } | undefined {
    return this.node.propose(payload);
  }

  /** Does now what follows from proposals: with a log in memory and no peers they are applied then. */
  flush(): void {
    this.node.flush();
  }

  /**
   * Asks from when on a read is linearizable; the answer comes with the context returned. Undefined: nobody
   * can be asked.
   */
  readIndex(): number | undefined {
    return this.node.readIndex();
  }

  /**
   * Whether a read on the applied state is linearizable without asking anybody: a sole member that has
   * committed in its own term.
   */
  readsAreLocal(): boolean {
    return this.isLeader && this.membership.members.length === 1 && this.knowsCommitted();
  }

  /** Whether this leader knows all that was acknowledged before it took office. */
  knowsCommitted(): boolean {
    this.ownTermCommitted ||= this.node.status().ownTermCommitted;
    return this.ownTermCommitted;
  }

  /**
   * Whether this leader has applied less than is committed: it applies what it has synced itself. A follower
   * may have applied more, and told its clients of it.
   */
  get isBehind(): boolean {
    return this.isLeader && this.node.applied < this.node.status().commit;
  }

  /** Whether no other node can lead now. */
  get leaseValid(): boolean {
    return this.node.leaseValid;
  }

  /** Whether the leader heard from a quorum within the last election timeout. */
  get quorumHeld(): boolean {
    return this.node.quorumHeld;
  }
}
