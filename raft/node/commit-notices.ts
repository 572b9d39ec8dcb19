/**
 * Holds a leader's news of commits back for a moment: under load the next append follows at once and brings
 * them along, which saves each peer a frame and a waking.
 *
 * Sound, since such news may also be lost: whatever an append or a heartbeat that is sent later says of the
 * commit index, it says more.
 */
import type { Message, NodeId } from '../index.js';
import type { Clock, Timer } from './clock.js';

/** What a follower's state may lag behind for want of an append. */
const holdMs = 1;

interface Held {
  readonly messages: readonly Message[];
  readonly dueAtMs: number;
}

export class CommitNotices {
  private readonly held = new Map<NodeId, Held>();
  private timer: Timer | undefined;

  /** @param send sends what was held to one peer */
  constructor(
    private readonly clock: Clock,
    private readonly send: (to: NodeId, messages: readonly Message[]) => void,
  ) {}

  /** Takes messages to one peer that are nothing but news of a commit. False: they are to be sent now. */
  holds(to: NodeId, messages: readonly Message[]): boolean {
    if (messages.length === 1 && messages[0]!.type === 'commit') {
      // What waits already is due first; the newer news goes out with it.
      const dueAtMs = this.held.get(to)?.dueAtMs ?? this.clock.monotonicMs() + holdMs;
      this.held.set(to, { messages, dueAtMs });
      this.arm();
      return true;
    }
    if (this.held.size > 0 && messages.some(({ type }) => type === 'append' || type === 'heartbeat'))
      this.held.delete(to);
    return false;
  }

  /** Sends what is held. */
  close(): void {
    for (const [to, { messages }] of this.held) this.send(to, messages);
    this.drop();
  }

  /** Forgets what is held: a node that has failed says no more. */
  drop(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.held.clear();
  }

  private arm(): void {
    this.timer ??= this.clock.setTimer(holdMs, () => {
      this.timer = undefined;
      const now = this.clock.monotonicMs();
      for (const [to, { messages, dueAtMs }] of this.held) {
        if (dueAtMs > now) continue;
        this.held.delete(to);
        this.send(to, messages);
      }
      if (this.held.size > 0) this.arm();
    });
  }
}
