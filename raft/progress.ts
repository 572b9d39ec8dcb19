/** What the leader knows about one peer, and how fast it may send to it. */
import type { NodeId } from './types.js';

/**
 * - probe: where the logs part is not known; one append at a time, the next after an answer or a heartbeat's.
 * - replicate: the logs are known to match; appends are sent ahead of their answers, up to the window.
 * - snapshot: entries that it needs are gone; nothing is sent until the snapshot's transfer ends.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

interface Inflight {
  readonly lastIndex: number;
  readonly bytes: number;
}

export class Progress {
  state: ProgressState = 'probe';
  /** Highest index known to be durable and equal on the peer. */
  match = 0;
  /** Next index to send. */
  next: number;
  /** Probe only: an append is unanswered. */
  probeSent = false;
  /** Snapshot only: the index that is being transferred. */
  snapshotIndex = 0;
  /** Highest commit index that it was told of. */
  commitSent = 0;
  /**
   * An append without entries is to be sent even if there is nothing to send: its answer tells whether one
   * was lost.
   */
  poke = false;
  /** The leader's tick at which it was last heard from, for check-quorum. */
  heardTick: number;
  /** The leader's tick at which its pulse was last felt: it lives, but may be too busy to answer. */
  pulseTick = Number.NEGATIVE_INFINITY;
  /** The leader's lease clock when it sent what the peer answered last. */
  leaseTick: number;
  /** Highest read round that it answered. */
  ackedRound = 0;
  /**
   * The round at which `match` was last raised: a mismatch below `match` that is younger proves a lost log.
   */
  matchRound = 0;
  /** `match` at the last heartbeat answer. */
  matchAtHeartbeat = -1;
  logLost = false;
  /** The round of the answer that showed it, and the leader's tick. */
  private lostRound = 0;
  lostTick = 0;
  inflightBytes = 0;
  #inflights: Inflight[] = [];

  constructor(
    readonly id: NodeId,
    next: number,
    heardTick: number,
    leaseTick: number,
  ) {
    this.next = next;
    this.heardTick = heardTick;
    this.leaseTick = leaseTick;
  }

  get inflightAppends(): number {
    return this.#inflights.length;
  }

  becomeProbe(): void {
    // After a snapshot the peer surely holds what was transferred, whether or not it has said so yet.
    const next = this.state === 'snapshot' ? Math.max(this.match, this.snapshotIndex) + 1 : this.match + 1;
    this.#enter('probe');
    this.next = next;
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(snapshotIndex: number): void {
    this.#enter('snapshot');
    this.snapshotIndex = snapshotIndex;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.snapshotIndex = 0;
    this.poke = false;
    this.commitSent = Math.min(this.commitSent, this.match);
    this.#inflights = [];
    this.inflightBytes = 0;
  }

  /** Whether no further entries may be sent now. */
  paused(maxInflightAppends: number, maxInflightBytes: number): boolean {
    if (this.state === 'probe') return this.probeSent;
    if (this.state === 'snapshot') return true;
    return this.#inflights.length >= maxInflightAppends || this.inflightBytes >= maxInflightBytes;
  }

  /** Entries up to `lastIndex` were sent. */
  sent(lastIndex: number, bytes: number): void {
    if (this.state === 'replicate') {
      this.next = lastIndex + 1;
      this.#inflights.push({ lastIndex, bytes });
      this.inflightBytes += bytes;
    } else {
      this.probeSent = true;
    }
  }

  /**
   * The peer holds everything up to `index`.
   *
   * @returns whether that is news
   */
  acknowledged(index: number, round: number): boolean {
    let freed = 0;
    while (freed < this.#inflights.length && this.#inflights[freed]!.lastIndex <= index) {
      this.inflightBytes -= this.#inflights[freed]!.bytes;
      freed++;
    }
    if (freed > 0) this.#inflights.splice(0, freed);
    if (index <= this.match) return false;
    this.match = index;
    this.matchRound = round;
    this.next = Math.max(this.next, index + 1);
    this.probeSent = false;
    return true;
  }

  /** The peer lost entries that it had acknowledged: it is not counted any more. */
  lost(round: number, tick: number): void {
    this.logLost = true;
    this.lostRound = round;
    this.lostTick = tick;
  }

  /** The peer, which had lost entries, holds everything up to `index` by an answer to what was sent since. */
  recovered(index: number, round: number): void {
    if (index < this.match || round <= this.lostRound) return;
    this.logLost = false;
    this.matchRound = round;
    this.becomeProbe();
  }

  /**
   * The peer's log did not match at `rejectedIndex`.
   *
   * @param nextIndex where to try next
   * @returns false if the answer is stale
   */
  rejected(rejectedIndex: number, nextIndex: number): boolean {
    if (rejectedIndex <= this.match) return false;
    if (this.state === 'replicate') {
      this.becomeProbe();
      return true;
    }
    if (this.state === 'snapshot' || this.next - 1 !== rejectedIndex) return false;
    this.next = Math.max(Math.min(rejectedIndex, nextIndex), this.match + 1);
    this.probeSent = false;
    return true;
  }
}
