/**
 * Commands of the program (connection, server, cluster) that a script may name, and what the engine answers
 * in its place.
 */

import { errors } from '../protocol/errors.js';
import { type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

const PONG = new Status('PONG');

/**
 * Names known to Redis but not to the engine, and Redis's arity: no script may run them, for their answers
 * are those of one node or client.
 */
const forbidden: ReadonlyMap<string, number> = new Map(
  (
    'acl -2, asking 1, auth -2, bgrewriteaof 1, bgsave -1, client -2, cluster -2, command -1, ' +
    'config -2, debug -2, discard 1, eval_ro -3, exec 1, failover -1, hello -1, info -1, lastsave 1, ' +
    'latency -2, lolwut -1, memory -2, migrate -6, module -2, monitor 1, multi 1, psubscribe -2, ' +
    'psync -3, pubsub -2, punsubscribe -1, quit -1, readonly 1, readwrite 1, replconf -1, ' +
    'replicaof 3, reset 1, restore-asking -4, role 1, save 1, shutdown -1, slaveof 3, slowlog -2, ' +
    'ssubscribe -2, subscribe -2, sunsubscribe -1, sync 1, unsubscribe -1, unwatch 1, wait 3, ' +
    'watch -2'
  )
    .split(', ')
    .map((each) => each.split(' '))
    .map(([name, arity]) => [name, Number(arity)]),
);

/** Whether a name (lower case) is one that Redis knows and no script may run here. */
export function isForbidden(name: string): boolean {
  return forbidden.has(name);
}

/** Whether a forbidden command would take so many arguments, its name included. */
export function forbiddenTakes(name: string, count: number): boolean {
  const arity = forbidden.get(name) ?? -1;
  return arity < 0 ? count >= -arity : count === arity;
}

const arities = new Map<string, (count: number) => boolean>([
  // More than two it refuses by itself, in other words.
  ['ping', () => true],
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
  if (name === 'ping' && request.count > 2) return errors.wrongArity('ping');
  return request.count === 1 ? PONG : request.latin1(1);
}
