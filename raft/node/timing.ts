/** Spans of time that all nodes of a cluster share. */
import type { RaftNodeOptions } from './node-options.js';

/** A follower campaigns after more than this and at most twice this without a leader. */
export const defaultElectionTimeoutMs = 500;

/** A node's spans of time as the core counts them. */
export interface Timing {
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
}

/** A tick is 25 ms by default; an election timeout has at least one more than a heartbeat. */
export function timingOf(
  options: Pick<RaftNodeOptions, 'tickMs' | 'electionTimeoutMs' | 'heartbeatMs'>,
): Timing {
  const { tickMs = 25, electionTimeoutMs = defaultElectionTimeoutMs } = options;
  const { heartbeatMs = Math.min(100, electionTimeoutMs / 4) } = options;
  const ticks = (ms: number): number => Math.max(1, Math.round(ms / tickMs));
  const heartbeatTicks = ticks(heartbeatMs);
  return { tickMs, heartbeatTicks, electionTicks: Math.max(heartbeatTicks + 1, ticks(electionTimeoutMs)) };
}
