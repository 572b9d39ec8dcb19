/** Requests that only a leader can answer wait here while none is known, for a bounded time. */
import type { Clock } from '../../raft/node/index.js';
import type { ScheduledClient } from '../client/client-host.js';
import type { ConsensusNode } from '../replication/consensus.js';

/**
 * How long a client may block on a node that knows no leader, and a request wait for one to pass it on to.
 */
const LEADERLESS_MAX_MS = 5000;

export class LeaderWait {
  /** Stalled until there is a leader to pass their requests on to. */
  readonly awaiting = new Set<ScheduledClient>();
  private leaderKnownMs: number;

  constructor(
    private readonly consensus: ConsensusNode,
    private readonly clock: Clock,
    private readonly resume: (client: ScheduledClient) => void,
  ) {
    this.leaderKnownMs = clock.monotonicMs();
  }

  /** Called now and then. */
  look(): void {
    if (this.consensus.hasLeader) this.leaderKnownMs = this.clock.monotonicMs();
  }

  /**
   * Whether no leader has been known for so long that nobody can say any more what became of those who block.
   */
  get isLost(): boolean {
    return !this.consensus.hasLeader && this.leaderlessMs > LEADERLESS_MAX_MS;
  }

  /**
   * Whether a request is better held than forwarded or refused now: nobody is known to lead, or nobody has
   * taken it yet.
   *
   * @param heldSinceMs monotonic time since which it has been held
   */
  holds(heldSinceMs: number | undefined): boolean {
    if (heldSinceMs !== undefined && this.clock.monotonicMs() - heldSinceMs > LEADERLESS_MAX_MS) return false;
    return this.consensus.members.length > 0 && this.leaderlessMs <= LEADERLESS_MAX_MS;
  }

  /** Lets all of them try again. */
  resumeAll(): void {
    for (const client of this.awaiting) this.resume(client);
    this.awaiting.clear();
  }

  private get leaderlessMs(): number {
    return this.clock.monotonicMs() - this.leaderKnownMs;
  }
}
