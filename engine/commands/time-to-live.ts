/** When keys expire: EXPIRE and its forms, TTL and its forms, PERSIST. */
import { type ReadContext, read, type WriteContext, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { deadlineOfAny, type ExpireUnit } from './expiration.js';

interface ExpireConditions {
  ifNone: boolean;
  ifAny: boolean;
  ifGreater: boolean;
  ifLess: boolean;
}

function parseExpireConditions(request: Request): ExpireConditions | undefined {
  if (request.count === 3) return undefined;
  const conditions = { ifNone: false, ifAny: false, ifGreater: false, ifLess: false };
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'NX')) conditions.ifNone = true;
    else if (request.is(i, 'XX')) conditions.ifAny = true;
    else if (request.is(i, 'GT')) conditions.ifGreater = true;
    else if (request.is(i, 'LT')) conditions.ifLess = true;
    else throw errors.unsupportedOption(request.latin1(i));
  }
  const { ifNone, ifAny, ifGreater, ifLess } = conditions;
  if (ifNone && (ifAny || ifGreater || ifLess)) throw errors.nxAndXxGtLt;
  if (ifGreater && ifLess) throw errors.gtAndLt;
  return conditions;
}

/** Whether a deadline may replace the current one (0: none, which counts as later than any). */
function mayReplace(conditions: ExpireConditions, current: number, deadline: number): boolean {
  if (conditions.ifNone && current !== 0) return false;
  if (conditions.ifAny && current === 0) return false;
  if (conditions.ifGreater && (current === 0 || deadline <= current)) return false;
  return !(conditions.ifLess && current !== 0 && deadline >= current);
}

function setsDeadline(unit: ExpireUnit, command: string) {
  return (request: Request, database: Database, context: WriteContext): Reply => {
    const conditions = parseExpireConditions(request);
    const deadline = deadlineOfAny(request.int64(2), unit, context.timeMs, command);
    const key = request.view(1);
    const slot = database.lookup(key);
    if (slot === ABSENT) return 0;
    if (conditions !== undefined && !mayReplace(conditions, database.deadline(slot), deadline)) return 0;
    const isPast = deadline <= context.timeMs;
    if (isPast) database.delete(slot);
    else database.setDeadline(slot, deadline);
    database.changed(key, isPast ? keyEvents.del : keyEvents.expire);
    return 1;
  };
}

const expire = setsDeadline('EX', 'expire');
const pexpire = setsDeadline('PX', 'pexpire');
const expireat = setsDeadline('EXAT', 'expireat');
const pexpireat = setsDeadline('PXAT', 'pexpireat');

const inSeconds = (milliseconds: number): number => Math.floor((milliseconds + 500) / 1000);

const INT64_MAX = (1n << 63n) - 1n;

/**
 * An integer reply for what may be past 2^53, where deadlines are no longer exact, and at most the largest
 * there is.
 */
function wide(value: number): Reply {
  if (Number.isSafeInteger(value)) return value;
  const integer = BigInt(value);
  return integer > INT64_MAX ? INT64_MAX : integer;
}

/** -2 for no key, -1 for no deadline, else what `reply` makes of the deadline. */
function repliesDeadline(reply: (deadline: number, timeMs: number) => number) {
  return (request: Request, database: ReadableDatabase, context: ReadContext): Reply => {
    const slot = database.lookupUntouched(request.view(1));
    if (slot === ABSENT) return -2;
    const deadline = database.deadline(slot);
    return deadline === 0 ? -1 : wide(reply(deadline, context.timeMs));
  };
}

const ttl = repliesDeadline((deadline, timeMs) => inSeconds(Math.max(0, deadline - timeMs)));
const pttl = repliesDeadline((deadline, timeMs) => Math.max(0, deadline - timeMs));
const expiretime = repliesDeadline((deadline) => inSeconds(deadline));
const pexpiretime = repliesDeadline((deadline) => deadline);

function persist(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = database.lookup(key);
  if (slot === ABSENT || database.deadline(slot) === 0) return 0;
  database.setDeadline(slot, 0);
  database.changed(key, keyEvents.persist);
  return 1;
}

/** Every row of the family. */
export const timesToLive = [
  write(
    {
      name: 'expire',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'generic',
      since: '1.0.0',
      history: [['7.0.0', 'NX, XX, GT and LT.']],
      complexity: 'O(1)',
      summary: 'Sets a time to live in seconds.',
      syntax: 'key seconds:integer [condition:<NX | XX | GT | LT>@7.0.0]',
    },
    expire,
  ),
  write(
    {
      name: 'expireat',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'generic',
      since: '1.2.0',
      history: [['7.0.0', 'NX, XX, GT and LT.']],
      complexity: 'O(1)',
      summary: 'Sets the moment of expiry as a Unix time in seconds.',
      syntax: 'key unix-time-seconds:unix-time [condition:<NX | XX | GT | LT>@7.0.0]',
    },
    expireat,
  ),
  read(
    {
      name: 'expiretime',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'generic',
      since: '7.0.0',
      complexity: 'O(1)',
      summary: 'Returns the moment of expiry as a Unix time in seconds.',
      syntax: 'key',
    },
    expiretime,
  ),
  write(
    {
      name: 'persist',
      arity: 2,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'generic',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Removes the expiry from a key.',
      syntax: 'key',
    },
    persist,
  ),
  write(
    {
      name: 'pexpire',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'generic',
      since: '2.6.0',
      history: [['7.0.0', 'NX, XX, GT and LT.']],
      complexity: 'O(1)',
      summary: 'Sets a time to live in milliseconds.',
      syntax: 'key milliseconds:integer [condition:<NX | XX | GT | LT>@7.0.0]',
    },
    pexpire,
  ),
  write(
    {
      name: 'pexpireat',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'generic',
      since: '2.6.0',
      history: [['7.0.0', 'NX, XX, GT and LT.']],
      complexity: 'O(1)',
      summary: 'Sets the moment of expiry as a Unix time in milliseconds.',
      syntax: 'key unix-time-milliseconds:unix-time [condition:<NX | XX | GT | LT>@7.0.0]',
    },
    pexpireat,
  ),
  read(
    {
      name: 'pexpiretime',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'generic',
      since: '7.0.0',
      complexity: 'O(1)',
      summary: 'Returns the moment of expiry as a Unix time in milliseconds.',
      syntax: 'key',
    },
    pexpiretime,
  ),
  read(
    {
      name: 'pttl',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'generic',
      since: '2.6.0',
      tips: ['nondeterministic_output'],
      history: [['2.8.0', 'Replies -2 for an absent key.']],
      complexity: 'O(1)',
      summary: 'Returns the time to live in milliseconds.',
      syntax: 'key',
    },
    pttl,
  ),
  read(
    {
      name: 'ttl',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'generic',
      since: '1.0.0',
      tips: ['nondeterministic_output'],
      history: [['2.8.0', 'Replies -2 for an absent key.']],
      complexity: 'O(1)',
      summary: 'Returns the time to live in seconds.',
      syntax: 'key',
    },
    ttl,
  ),
];
