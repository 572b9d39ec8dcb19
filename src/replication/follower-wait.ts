/** WAIT: how many followers have what was committed when it was asked. */
import type { Status } from '../../raft/index.js';
import type { RaftNode } from '../../raft/node/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';

/** What waiting needs of the node. */
export interface FollowerWaitHost {
  readonly node: RaftNode;
  readonly isStopping: boolean;
  /** Milliseconds since the epoch, as the next entry would be stamped. */
  clock(): number;
}

const POLL_MS = 10;

/** How many followers have all up to `commit`. */
function caughtUp({ peers }: Pick<Status, 'peers'>, commit: number): number {
  return peers.filter((peer) => !peer.learner && peer.match >= commit).length;
}

/**
 * Waits for `wanted` followers to have all that is committed now, for at most `timeoutMs` (0: for ever), as
 * long as somebody waits for the answer.
 *
 * @returns how many have it; undefined once this node leads no more, and cannot tell
 */
export async function waitForFollowers(
  server: FollowerWaitHost,
  wanted: number,
  timeoutMs: number,
  isWanted: () => boolean,
): Promise<number | undefined> {
  const { node } = server;
  const { commit, term } = node.status();
  const until = timeoutMs === 0 ? Number.POSITIVE_INFINITY : server.clock() + timeoutMs;
  for (;;) {
    const now = node.status();
    if (now.role !== 'leader' || now.term !== term) return undefined;
    const followers = caughtUp(now, commit);
    const isOver = server.clock() >= until || server.isStopping || !isWanted();
    if (followers >= wanted || isOver) return followers;
    await new Promise((resolve) => setTimeout(resolve, Math.min(POLL_MS, until - server.clock())));
  }
}

/** Whether a promise is kept within `timeoutMs` (0: for ever). */
export async function withinTime(promise: Promise<void>, timeoutMs: number): Promise<boolean> {
  const kept = promise.then(() => true);
  if (timeoutMs === 0) return kept;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([kept, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How many followers have all that is committed now. */
export function followersCaughtUp({ node }: Pick<FollowerWaitHost, 'node'>): number {
  const status = node.status();
  return caughtUp(status, status.commit);
}
