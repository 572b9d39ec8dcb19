/** What follows when a test has moved a node's clock. */
import { OK } from '../../engine/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import type { Server } from '../server.js';

/** A leader that stands still, or has lost its majority, does not hold up who moves the clock. */
const SETTLE_MAX_MS = 2000;

/**
 * Brings logged time up to the clock, and everything that is due with it. Of several nodes the leader does.
 */
export async function settleTime(server: Server): Promise<void> {
  server.timeMoved();
  const { statistics } = server.engine.keyspace;
  for (let before = ''; server.isLeader && !server.isStopping; ) {
    const reply = await within(
      SETTLE_MAX_MS,
      server.proposeItem(0, (builder) => builder.forget(server.session)).catch(() => null),
    );
    const deadline = server.engine.nextDeadline();
    if (reply !== OK || deadline === undefined || deadline > server.clock()) return;
    // An entry takes a bounded number of keys: as long as any go, there may be more.
    const now = `${deadline} ${statistics.expiredKeys}`;
    if (now === before) return;
    before = now;
  }
}

/** What a promise brings, or undefined if that takes longer. */
async function within<Value>(timeoutMs: number, promise: Promise<Value>): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after a while. */
export const pass = (delayMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
