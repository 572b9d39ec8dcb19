/**
 * Who is in the cluster. A membership takes effect on a node when its entry is appended, committed or not
 * (Raft paper, 6; thesis, 4.1), so it is a function of the log: it is rolled back when its entry is
 * truncated. Changes are made one member at a time, so that any two consecutive majorities overlap.
 */
import { invariant } from './invariant.js';
import type { Entry, Member, Membership, NodeId } from './types.js';
import { EntryKind } from './types.js';

export type MembershipChange =
  /** Admits a new node, without a vote. */
  | { readonly kind: 'add-learner'; readonly id: NodeId; readonly address: string }
  /** Gives a learner that has caught up its vote. */
  | { readonly kind: 'promote'; readonly id: NodeId }
  /** Takes a member out for good: its id is never admitted again. */
  | { readonly kind: 'remove'; readonly id: NodeId }
  /** A member moved to another host or port. */
  | { readonly kind: 'set-address'; readonly id: NodeId; readonly address: string };

/** Why a membership change was refused; nothing was proposed then. */
export type MembershipRefusal =
  | 'not-leader'
  | 'transferring'
  /** The previous change is not committed yet. */
  | 'change-in-flight'
  /**
   * No entry of the leader's own term is committed yet: without this, two leaders could commit changes that
   * miss each other.
   */
  | 'term-not-committed'
  | 'unknown-id'
  | 'removed-id'
  | 'already-member'
  | 'already-voter'
  | 'address-taken'
  /** The learner was not heard from lately, or is still being sent a snapshot or searched for. */
  | 'not-caught-up'
  /** It is the only voter. */
  | 'last-voter'
  /**
   * Too few voters of the new membership were heard from lately: the change could not be committed, nor taken
   * back.
   */
  | 'quorum-unreachable'
  | 'invalid-change';

export const emptyMembership: Membership = { members: [], removed: [] };

export function isNodeId(value: unknown): value is NodeId {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

export function findMember(membership: Membership, id: NodeId): Member | undefined {
  return membership.members.find((member) => member.id === id);
}

/**
 * Whom a node must be able to reach: the members in force, and those of the committed membership, since an
 * uncommitted removal may be rolled back, and its node lead. Only a committed removal shuts anybody out.
 */
export function reachable(current: Membership, committed: Membership): Membership {
  const leaving = committed.members.filter(({ id }) => findMember(current, id) === undefined);
  return { members: [...current.members, ...leaving], removed: committed.removed };
}

/** Whether anybody votes: without a voter a cluster is lost. */
export function hasVoter({ members }: Membership): boolean {
  return members.some((member) => !member.learner);
}

/** Applies a change, or says why it makes no sense. Members stay in the order of their ids. */
export function changedMembership(
  membership: Membership,
  change: MembershipChange,
): Membership | MembershipRefusal {
  const { id } = change;
  if (!isNodeId(id)) return 'invalid-change';
  if (membership.removed.includes(id)) return 'removed-id';
  const member = findMember(membership, id);
  const others = membership.members.filter((other) => other.id !== id);
  const withMember = (changed: Member): Membership => ({
    members: [...others, changed].sort((a, b) => a.id - b.id),
    removed: membership.removed,
  });
  if (change.kind === 'add-learner' || change.kind === 'set-address') {
    if (typeof change.address !== 'string' || change.address === '') return 'invalid-change';
    if (others.some((other) => other.address === change.address)) return 'address-taken';
  }
  if (change.kind === 'add-learner') {
    if (member !== undefined) return 'already-member';
    return withMember({ id, address: change.address, learner: true });
  }
  if (member === undefined) return 'unknown-id';
  switch (change.kind) {
    case 'promote':
      return member.learner ? withMember({ ...member, learner: false }) : 'already-voter';
    case 'set-address':
      return withMember({ ...member, address: change.address });
    case 'remove':
      if (!member.learner && others.every((other) => other.learner)) return 'last-voter';
      return { members: others, removed: [...membership.removed, id].sort((a, b) => a - b) };
    default:
      return 'invalid-change';
  }
}

/** The payload of a membership entry: JSON, so that a log can be read by eye. */
export function encodeMembership(membership: Membership): Uint8Array {
  const members = membership.members.map(({ id, address, learner }) => ({ id, address, learner }));
  return new TextEncoder().encode(JSON.stringify({ members, removed: membership.removed }));
}

/** @throws Error if the payload is not what {@link encodeMembership} writes */
export function decodeMembership(payload: Uint8Array): Membership {
  const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as Partial<Membership>;
  const members = value?.members;
  const removed = value?.removed;
  if (!Array.isArray(members) || !Array.isArray(removed) || !removed.every(isNodeId)) {
    throw new Error('malformed membership entry');
  }
  const seen = new Set<NodeId>();
  for (const member of members as Member[]) {
    const sound =
      isNodeId(member?.id) &&
      typeof member.address === 'string' &&
      typeof member.learner === 'boolean' &&
      !seen.has(member.id);
    if (!sound) throw new Error('malformed membership entry');
    seen.add(member.id);
  }
  return { members, removed };
}

interface MembershipAtIndex {
  readonly index: number;
  readonly membership: Membership;
}

/** The memberships along the log: the one as of the last applied entry, and all later ones. */
export class MembershipHistory {
  #steps: MembershipAtIndex[];
  #voters: readonly NodeId[] = [];
  #learners: readonly NodeId[] = [];

  constructor(index: number, membership: Membership) {
    this.#steps = [{ index, membership }];
    this.#refresh();
  }

  get current(): Membership {
    return this.#steps[this.#steps.length - 1]!.membership;
  }

  /** Index of the entry that set the current membership. */
  get index(): number {
    return this.#steps[this.#steps.length - 1]!.index;
  }

  get voters(): readonly NodeId[] {
    return this.#voters;
  }

  get learners(): readonly NodeId[] {
    return this.#learners;
  }

  isVoter(id: NodeId): boolean {
    return this.#voters.includes(id);
  }

  isMember(id: NodeId): boolean {
    return this.#voters.includes(id) || this.#learners.includes(id);
  }

  /** The membership in force at a log index. */
  at(index: number): Membership {
    for (let step = this.#steps.length - 1; step >= 0; step--) {
      if (this.#steps[step]!.index <= index) return this.#steps[step]!.membership;
    }
    throw new Error(`the membership as of index ${index} is not kept any more`);
  }

  /** Looks at an entry that was appended. @returns whether it changed the membership */
  appended(entry: Entry): boolean {
    if (entry.kind !== EntryKind.membership) return false;
    invariant(entry.index > this.index, `membership of entry ${entry.index} behind that of ${this.index}`);
    this.#steps.push({ index: entry.index, membership: decodeMembership(entry.payload) });
    this.#refresh();
    return true;
  }

  /** The log lost everything from `index` on. @returns whether that changed the membership */
  truncatedFrom(index: number): boolean {
    if (this.index < index) return false;
    while (this.index >= index) {
      invariant(this.#steps.length > 1, `membership as of ${this.index} would be truncated from ${index}`);
      this.#steps.pop();
    }
    this.#refresh();
    return true;
  }

  /** A snapshot took the log's place. */
  restored(index: number, membership: Membership): void {
    this.#steps = [{ index, membership }];
    this.#refresh();
  }

  /** Forgets what was in force before the entry at `index`. */
  forgetBefore(index: number): void {
    let keep = this.#steps.length - 1;
    while (keep > 0 && this.#steps[keep]!.index > index) keep--;
    if (keep > 0) this.#steps.splice(0, keep);
  }

  #refresh(): void {
    const { members } = this.current;
    this.#voters = members.filter((member) => !member.learner).map((member) => member.id);
    this.#learners = members.filter((member) => member.learner).map((member) => member.id);
  }
}
