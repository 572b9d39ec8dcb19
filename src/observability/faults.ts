/** Faults that are not foreseen, as the log tells them. */
import { randomBytes } from 'node:crypto';
import type { Log } from './log.js';

/** Logs that something failed for a client. Returns the id by which the log can be searched. */
export function logFault(log: Log, what: string, address: string, error: unknown): string {
  const id = randomBytes(4).toString('hex');
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.warning(`internal error ${id}: '${what}' of client ${address} failed: ${cause}`, {
    event: 'internal-error',
    id,
    address,
    reason: cause,
  });
  return id;
}
