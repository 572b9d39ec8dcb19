/**
 * Commands of the program (connection, server, cluster) that a script may name, and what the engine answers
 * in its place.
 */

import { type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

const PONG = new Status('PONG');

/**
 * Names known to Redis but not to the engine: no script may run them, for their answers are those of one node
 * or client.
 */
const forbidden: ReadonlySet<string> = new Set(
  (
    'acl asking auth bgrewriteaof bgsave client cluster command config debug discard eval_ro exec failover hello info lastsave ' +
    'latency lolwut memory migrate module monitor multi psubscribe psync pubsub punsubscribe quit readonly readwrite replconf ' +
    'replicaof reset restore-asking role save shutdown slaveof slowlog ssubscribe subscribe sunsubscribe sync unsubscribe unwatch ' +
    'wait watch'
  ).split(' '),
);

/** Whether a name (lower case) is one that Redis knows and no script may run here. */
export function isForbidden(name: string): boolean {
  return forbidden.has(name);
}

const arities: ReadonlyMap<string, (count: number) => boolean> = new Map([
  ['ping', (count) => count <= 2],
  ['echo', (count) => count === 2],
  ['time', (count) => count === 1],
  ['select', (count) => count === 2],
]);

/** Whether the engine answers for this command of the program; undefined if it does not know it. */
export function hasRightArity(name: string, count: number): boolean | undefined {
  return arities.get(name)?.(count);
}

/** The answer of PING, ECHO and TIME in a script. */
export function answerProgramCommand(name: string, request: Request, timeMs: number): Reply {
  if (name === 'time') {
    const seconds = Math.floor(timeMs / 1000);
    return [`${seconds}`, `${Math.round((timeMs - seconds * 1000) * 1000)}`];
  }
  return request.count === 1 ? PONG : request.latin1(1);
}
