/**
 * The life of a cluster as one node sees it: a line at notice for each turn that it takes, and none twice.
 */
import type { Membership, NodeId, SoftState } from '../../raft/index.js';
import type { Clock, TransferProgress } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';

type Members = Membership['members'];

/** A sync that takes longer holds writes up for as long as an election would. */
const SLOW_SYNC_MS = 500;
/** What may come again and again is told this often. */
const REPEAT_EVERY_MS = 60_000;
/** Texts of {@link Journal.refused} that are remembered. */
const REFUSALS_MAX = 100;

export class Journal {
  private state: SoftState = { role: 'follower', leader: 0, term: 0 };
  private members: Members = [];
  private slowSyncToldMs = Number.NEGATIVE_INFINITY;
  private readonly refusals = new Map<string, number>();
  /** No leader was known when the last line about leadership was written. */
  private isLeaderless = true;

  constructor(
    private readonly nodeId: NodeId,
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** Where the node stands when it starts. */
  begin(state: SoftState, members: Members): void {
    this.state = state;
    this.members = members;
    this.isLeaderless = state.leader === 0;
  }

  private name(id: NodeId): string {
    const address = this.members.find((member) => member.id === id)?.address;
    return address === undefined ? `node ${id}` : `node ${id} at ${address}`;
  }

  /** Elections and leadership. */
  noteState(state: SoftState): void {
    const before = this.state;
    this.state = state;
    const { role, leader, term } = state;
    const { log } = this;
    if (before.role === 'leader' && role !== 'leader')
      log.notice(`this node leads no more, as of term ${term}`, { event: 'leads-no-more', term });
    if (role === 'leader') {
      if (before.role !== 'leader')
        log.notice(`this node leads in term ${term}`, { event: 'leader', node: this.nodeId, term });
      this.isLeaderless = false;
    } else if (leader !== 0) {
      if (leader !== before.leader || this.isLeaderless || term !== before.term)
        log.notice(`${this.name(leader)} leads in term ${term}`, { event: 'leader', node: leader, term });
      this.isLeaderless = false;
    } else {
      if (before.role !== 'leader' && !this.isLeaderless)
        log.notice(`no leader is known any more: ${this.lost(before)}`, { event: 'no-leader', term });
      this.isLeaderless = true;
      if (role === 'candidate' && (before.role !== 'candidate' || before.term !== term))
        log.notice(`this node stands for election in term ${term}`, { event: 'election', term });
    }
  }

  private lost({ leader, term }: SoftState): string {
    return `${this.name(leader)}, which led in term ${term}, is silent or gives up`;
  }

  /** Who comes, goes, moves, gets a vote. */
  noteMembership({ members }: Membership): void {
    const before = this.members;
    this.members = members;
    const { log } = this;
    if (before.length === 0) {
      const list = members.map(({ id, learner }) => `${this.name(id)}${learner ? ' (no vote yet)' : ''}`);
      if (list.length > 0)
        log.notice(`members: ${list.join(', ')}`, { event: 'members', count: list.length });
      return;
    }
    const voters = members.filter(({ learner }) => !learner).length;
    for (const { id, address, learner } of members) {
      const old = before.find((member) => member.id === id);
      const is = id === this.nodeId ? 'this node' : `node ${id}`;
      if (old === undefined) {
        const how = learner ? 'joins: it catches up before it votes' : `joins, one of ${voters} voters`;
        log.notice(`${is} at ${address} ${how}`, { event: 'member-joins', node: id, address });
        continue;
      }
      if (old.learner && !learner)
        log.notice(`${is} at ${address} has caught up and votes, one of ${voters} voters`, {
          event: 'member-votes',
          node: id,
          address,
        });
      if (old.address !== address)
        log.notice(`${is} has moved from ${old.address} to ${address}`, {
          event: 'member-moved',
          node: id,
          address,
        });
    }
    for (const { id, address } of before) {
      if (members.some((member) => member.id === id)) continue;
      log.notice(
        `${id === this.nodeId ? 'this node' : `node ${id}`} at ${address} is removed: ${voters} voters`,
        { event: 'member-removed', node: id, address },
      );
    }
  }

  /** Somebody is not let in, or something is not done. */
  refused(text: string): void {
    const nowMs = this.clock.monotonicMs();
    const toldMs = this.refusals.get(text);
    if (toldMs !== undefined && nowMs - toldMs < REPEAT_EVERY_MS) return;
    if (this.refusals.size >= REFUSALS_MAX) this.refusals.clear();
    this.refusals.set(text, nowMs);
    this.log.notice(text, { event: 'refused' });
  }

  transferBegins(to: NodeId): void {
    this.log.notice(`leadership is handed over to ${this.name(to)}`, { event: 'transfer', node: to });
  }

  transferFails(to: NodeId): void {
    this.log.notice(`${this.name(to)} did not take over in time: this node leads on`, {
      event: 'transfer-failed',
      node: to,
    });
  }

  /** A snapshot of this node's own. */
  snapshotTaken(index: number, isWritten: boolean, milliseconds: number): void {
    const took = `${Math.round(milliseconds)} ms`;
    const fields = { index, milliseconds: Math.round(milliseconds) };
    if (isWritten)
      this.log.notice(`a snapshot at index ${index} was cut in ${took}`, { event: 'snapshot', ...fields });
    else
      this.log.notice(`a snapshot at index ${index} was given up after ${took}`, {
        event: 'snapshot-failed',
        ...fields,
      });
  }

  /** A snapshot on its way between nodes. */
  snapshotMoved({ direction, peer, bytes, bytesTotal }: TransferProgress): void {
    if (bytes < bytesTotal) return;
    const megabytes = `${(bytesTotal / 1e6).toFixed(1)} MB`;
    const text =
      direction === 'in'
        ? `a snapshot of ${megabytes} has come from ${this.name(peer)}`
        : `a snapshot of ${megabytes} was sent to ${this.name(peer)}`;
    this.log.notice(text, { event: 'snapshot-moved', node: peer, bytes: bytesTotal });
  }

  /** The longest that a sync has taken lately. */
  noteSync(milliseconds: number): void {
    if (milliseconds < SLOW_SYNC_MS) return;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.slowSyncToldMs < REPEAT_EVERY_MS) return;
    this.slowSyncToldMs = nowMs;
    this.log.notice(`the disk is slow: a sync took ${Math.round(milliseconds)} ms`, {
      event: 'sync-slow',
      milliseconds: Math.round(milliseconds),
    });
  }
}
