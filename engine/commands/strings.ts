/**
 * Strings: what is stored whole at one key, and parts of it. Counters stand in counters.ts, bits in
 * bitmaps.ts.
 */
import { read, type WriteContext, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { copyBytes, View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { deadlineFrom, type ExpireUnit } from './expiration.js';

const value = new View();
const noBytes = new View();

const stringAt = (database: ReadableDatabase, key: View): View | null => database.string(key, value) ?? null;

function checkLength(length: number, settings: Settings): void {
  if (length > settings['proto-max-bulk-len']) throw errors.stringTooLong;
}

// ---- SET and its forms ----

const Condition = { none: 0, ifAbsent: 1, ifPresent: 2 } as const;
type Condition = (typeof Condition)[keyof typeof Condition];

interface SetOptions {
  condition: Condition;
  get: boolean;
  keepDeadline: boolean;
  persist: boolean;
  /** Argument that holds the expiry, 0 for none. */
  expireAt: number;
  unit: ExpireUnit;
}

const setOptions: SetOptions = {
  condition: 0,
  get: false,
  keepDeadline: false,
  persist: false,
  expireAt: 0,
  unit: 'EX',
};

/**
 * Reads the options of SET (from argument 3) or GETEX (from argument 2). Throws a syntax error where they
 * exclude each other.
 */
function parseOptions(request: Request, from: number, command: 'set' | 'getex'): SetOptions {
  const options = setOptions;
  options.condition = Condition.none;
  options.get = options.keepDeadline = options.persist = false;
  options.expireAt = 0;
  const isSet = command === 'set';
  for (let i = from; i < request.count; i++) {
    const word = request.option(i);
    if (isSet && word === 'NX' && options.condition !== Condition.ifPresent)
      options.condition = Condition.ifAbsent;
    else if (isSet && word === 'XX' && options.condition !== Condition.ifAbsent)
      options.condition = Condition.ifPresent;
    else if (isSet && word === 'GET') options.get = true;
    else if (isSet && word === 'KEEPTTL' && options.expireAt === 0) options.keepDeadline = true;
    else if (!isSet && word === 'PERSIST' && options.expireAt === 0) options.persist = true;
    else if (
      (word === 'EX' || word === 'PX' || word === 'EXAT' || word === 'PXAT') &&
      !options.keepDeadline &&
      !options.persist &&
      (options.expireAt === 0 || options.unit === word) &&
      i + 1 < request.count
    ) {
      options.unit = word;
      options.expireAt = ++i;
    } else throw errors.syntax;
  }
  return options;
}

function set(request: Request, database: Database, context: WriteContext): Reply {
  const key = request.view(1);
  if (request.count === 3) {
    database.setString(key, request.view(2));
    database.changed(key, keyEvents.set);
    return OK;
  }
  const options = parseOptions(request, 3, 'set');
  const deadline =
    options.expireAt === 0
      ? 0
      : deadlineFrom(request.int64(options.expireAt), options.unit, context.timeMs, 'set');
  const slot = options.get ? database.lookup(key) : database.find(key);
  const previous = options.get && slot !== ABSENT ? database.stringAt(slot, value).kept() : null;
  if (
    (options.condition === Condition.ifAbsent && slot !== ABSENT) ||
    (options.condition === Condition.ifPresent && slot === ABSENT)
  ) {
    return previous;
  }
  const stored = database.setString(key, request.view(2), options.keepDeadline);
  if (deadline !== 0) database.setDeadline(stored, deadline);
  database.changed(key, keyEvents.set);
  if (deadline !== 0) database.happened(key, keyEvents.expire);
  return options.get ? previous : OK;
}

function setWithExpiry(unit: ExpireUnit, command: string) {
  return (request: Request, database: Database, context: WriteContext): Reply => {
    const deadline = deadlineFrom(request.int64(2), unit, context.timeMs, command);
    const key = request.view(1);
    database.setDeadline(database.setString(key, request.view(3)), deadline);
    database.changed(key, keyEvents.set);
    database.happened(key, keyEvents.expire);
    return OK;
  };
}

const setex = setWithExpiry('EX', 'setex');
const psetex = setWithExpiry('PX', 'psetex');

function setnx(request: Request, database: Database): Reply {
  const key = request.view(1);
  if (database.has(key)) return 0;
  database.setString(key, request.view(2));
  database.changed(key, keyEvents.set);
  return 1;
}

function mset(request: Request, database: Database): Reply {
  if (request.count % 2 === 0) throw errors.wrongArity('mset');
  storePairs(request, database);
  return OK;
}

function msetnx(request: Request, database: Database): Reply {
  if (request.count % 2 === 0) throw errors.wrongArity('msetnx');
  for (let i = 1; i < request.count; i += 2) if (database.has(request.view(i))) return 0;
  storePairs(request, database);
  return 1;
}

function storePairs(request: Request, database: Database): void {
  for (let i = 1; i < request.count; i += 2) {
    const key = request.view(i);
    database.setString(key, request.view(i + 1));
    database.changed(key, keyEvents.set);
  }
}

// ---- GET and its forms ----

const get = (request: Request, database: ReadableDatabase): Reply => stringAt(database, request.view(1));

function mget(request: Request, database: ReadableDatabase): Reply {
  const replies: Reply[] = [];
  for (let i = 1; i < request.count; i++) {
    const slot = database.lookup(request.view(i));
    const isString = slot !== ABSENT && database.type(slot) === 'string';
    replies.push(isString ? database.stringAt(slot, new View()) : null);
  }
  return replies;
}

function getset(request: Request, database: Database): Reply {
  const key = request.view(1);
  const previous = stringAt(database, key)?.kept() ?? null;
  database.setString(key, request.view(2));
  database.changed(key, keyEvents.set);
  return previous;
}

function getdel(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = database.lookup(key);
  if (slot === ABSENT) return null;
  const previous = database.stringAt(slot, value).kept();
  database.delete(slot);
  database.changed(key, keyEvents.del);
  return previous;
}

function getex(request: Request, database: Database, context: WriteContext): Reply {
  const options = parseOptions(request, 2, 'getex');
  const key = request.view(1);
  const slot = database.lookup(key);
  if (slot === ABSENT) return null;
  const current = database.stringAt(slot, value);
  if (options.expireAt !== 0) {
    const deadline = deadlineFrom(request.int64(options.expireAt), options.unit, context.timeMs, 'getex');
    if (deadline <= context.timeMs) {
      const last = current.kept();
      database.delete(slot);
      database.changed(key, keyEvents.del);
      return last;
    }
    database.setDeadline(slot, deadline);
    database.changed(key, keyEvents.expire);
  } else if (options.persist && database.deadline(slot) !== 0) {
    database.setDeadline(slot, 0);
    database.changed(key, keyEvents.persist);
  }
  return current;
}

// ---- parts of a string ----

function strlen(request: Request, database: ReadableDatabase): Reply {
  return stringAt(database, request.view(1))?.length ?? 0;
}

function getrange(request: Request, database: ReadableDatabase): Reply {
  let start = request.integer(2);
  let end = request.integer(3);
  const string = stringAt(database, request.view(1));
  if (string === null) return '';
  const length = string.length;
  if (start < 0 && end < 0 && start > end) return '';
  if (start < 0) start = Math.max(0, length + start);
  if (end < 0) end = Math.max(0, length + end);
  end = Math.min(end, length - 1);
  if (start > end || length === 0) return '';
  return string.narrow(start, end + 1);
}

function append(request: Request, database: Database, context: WriteContext): Reply {
  const key = request.view(1);
  const addition = request.view(2);
  const slot = database.lookup(key);
  if (slot === ABSENT) {
    database.setString(key, addition);
    database.changed(key, keyEvents.append);
    return addition.length;
  }
  const oldLength = database.stringAt(slot, value).length;
  const length = oldLength + addition.length;
  checkLength(length, context.keyspace.settings);
  const target = database.editString(slot, length, oldLength, length, value);
  copyBytes(addition.buffer, addition.start, target.buffer, target.start + oldLength, addition.length);
  database.changed(key, keyEvents.append);
  return length;
}

function setrange(request: Request, database: Database, context: WriteContext): Reply {
  const offset = request.integer(2);
  if (offset < 0) throw errors.offsetOutOfRange;
  const key = request.view(1);
  const patch = request.view(3);
  let slot: Slot = database.lookup(key);
  const oldLength = slot === ABSENT ? 0 : database.stringAt(slot, value).length;
  if (patch.length === 0) return oldLength;
  checkLength(offset + patch.length, context.keyspace.settings);
  if (slot === ABSENT) slot = database.setString(key, noBytes);
  const target = database.editString(slot, offset + patch.length, offset, offset + patch.length, value);
  copyBytes(patch.buffer, patch.start, target.buffer, target.start + offset, patch.length);
  database.changed(key, keyEvents.setrange);
  return target.length;
}

/** Every row of the family. */
export const strings = [
  write(
    {
      name: 'append',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'string',
      since: '2.0.0',
      complexity: 'O(1) amortized',
      summary: 'Adds bytes to the end of a string, which is created when absent.',
      syntax: 'key value',
    },
    append,
  ),
  read(
    {
      name: 'get',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Returns the string at a key.',
      syntax: 'key',
    },
    get,
  ),
  write(
    {
      name: 'getdel',
      arity: 2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'string',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Returns the string at a key and deletes the key.',
      syntax: 'key',
    },
    getdel,
  ),
  write(
    {
      name: 'getex',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access update; It changes the expiry.',
      group: 'string',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Returns the string at a key and changes its expiry.',
      syntax:
        'key [expiration:<EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | PERSIST>]',
    },
    getex,
    { isRead: (request) => request.count === 2, handler: get },
  ),
  read(
    {
      name: 'getrange',
      arity: 4,
      keys: '1 RO access',
      group: 'string',
      since: '2.4.0',
      complexity: 'O(N), N bytes returned',
      summary: 'Returns a part of a string, both ends included.',
      syntax: 'key start:integer end:integer',
    },
    getrange,
  ),
  write(
    {
      name: 'getset',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '1.0.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`SET` with `GET`',
      complexity: 'O(1)',
      summary: 'Stores a string and returns the one before.',
      syntax: 'key value',
    },
    getset,
  ),
  read(
    {
      name: 'mget',
      arity: -2,
      flags: ['fast'],
      keys: '1..-1 RO access',
      group: 'string',
      since: '1.0.0',
      tips: ['request_policy:multi_shard'],
      complexity: 'O(N), N keys',
      summary: 'Returns the strings at several keys.',
      syntax: 'key ...',
    },
    mget,
  ),
  write(
    {
      name: 'mset',
      arity: -3,
      flags: ['denyoom'],
      keys: '1..-1/2 OW update',
      group: 'string',
      since: '1.0.1',
      tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
      complexity: 'O(N), N keys',
      summary: 'Stores strings at several keys at once.',
      syntax: '(key value) ...',
    },
    mset,
  ),
  write(
    {
      name: 'msetnx',
      arity: -3,
      flags: ['denyoom'],
      keys: '1..-1/2 OW insert',
      group: 'string',
      since: '1.0.1',
      tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
      complexity: 'O(N), N keys',
      summary: 'Stores strings at several keys if none of them exists.',
      syntax: '(key value) ...',
    },
    msetnx,
  ),
  write(
    {
      name: 'psetex',
      arity: 4,
      flags: ['denyoom'],
      keys: '1 OW update',
      group: 'string',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Stores a string with a time to live in milliseconds.',
      syntax: 'key milliseconds:integer value',
    },
    psetex,
  ),
  write(
    {
      name: 'set',
      arity: -3,
      flags: ['denyoom'],
      keys: '1 RW access update variable_flags; It reads with GET only.',
      group: 'string',
      since: '1.0.0',
      history: [
        ['2.6.12', 'EX, PX, NX and XX.'],
        ['6.0.0', 'KEEPTTL.'],
        ['6.2.0', 'GET, EXAT and PXAT.'],
        ['7.0.0', 'NX goes together with GET.'],
      ],
      complexity: 'O(1)',
      summary: 'Stores a string at a key, whatever was there before.',
      syntax:
        'key value [condition:<NX | XX>@2.6.12] [GET@6.2.0] [expiration:<EX seconds:integer@2.6.12 | PX milliseconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0 | PXAT unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0>]',
    },
    set,
  ),
  write(
    {
      name: 'setex',
      arity: 4,
      flags: ['denyoom'],
      keys: '1 OW update',
      group: 'string',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Stores a string with a time to live in seconds.',
      syntax: 'key seconds:integer value',
    },
    setex,
  ),
  write(
    {
      name: 'setnx',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 OW insert',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Stores a string if the key is absent.',
      syntax: 'key value',
    },
    setnx,
  ),
  write(
    {
      name: 'setrange',
      arity: 4,
      flags: ['denyoom'],
      keys: '1 RW update',
      group: 'string',
      since: '2.2.0',
      complexity: 'O(M), M bytes written',
      summary: 'Overwrites a string from an offset on, padding with zero bytes.',
      syntax: 'key offset:integer value',
    },
    setrange,
  ),
  read(
    {
      name: 'strlen',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'string',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Returns the length of a string.',
      syntax: 'key',
    },
    strlen,
  ),
  read(
    {
      name: 'substr',
      arity: 4,
      keys: '1 RO access',
      group: 'string',
      since: '1.0.0',
      deprecatedSince: '2.0.0',
      replacedBy: '`GETRANGE`',
      complexity: 'O(N), N bytes returned',
      summary: 'Returns a part of a string: the old name of GETRANGE.',
      syntax: 'key start:integer end:integer',
    },
    getrange,
  ),
];
