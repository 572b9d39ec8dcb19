/** Keys whatever their type: existence, deadlines, names, databases. DUMP, RESTORE and SORT have files of their own. */

import { containerHelp } from '../command/catalog-replies.js';
import { container, other, type ReadContext, read, type WriteContext, write } from '../command/command.js';
import { CommandCatalog } from '../command/facts.js';
import { globMatches, matchesEverything } from '../glob.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { keyEvents } from '../storage/key-events.js';
import { copyBig, valueTypes } from '../types/index.js';
import { deadlineOfAny, type ExpireUnit } from './expiration.js';
import { parseCursor, parseScanOptions, scanReply, scanSlots } from './scan.js';

const view = new View();

// ---- there or not ----

function del(request: Request, database: Database): Reply {
  let deleted = 0;
  for (let i = 1; i < request.count; i++) {
    const key = request.view(i);
    if (!database.deleteKey(key)) continue;
    database.changed(key, keyEvents.del);
    deleted++;
  }
  return deleted;
}

function exists(request: Request, database: ReadableDatabase): Reply {
  let count = 0;
  for (let i = 1; i < request.count; i++) if (database.lookupUntouched(request.view(i)) !== ABSENT) count++;
  return count;
}

function touch(request: Request, database: ReadableDatabase): Reply {
  let count = 0;
  for (let i = 1; i < request.count; i++) if (database.lookup(request.view(i)) !== ABSENT) count++;
  return count;
}

const NONE = new Status('none');
const typeNames = new Map(valueTypes.types.map(({ name }) => [name, new Status(name)]));

function type(request: Request, database: ReadableDatabase): Reply {
  const slot = database.lookupUntouched(request.view(1));
  return slot === ABSENT ? NONE : typeNames.get(database.type(slot))!;
}

/** After so many draws of keys that are due, a due one's name is good enough, as in Redis. */
const RANDOM_KEY_TRIES = 100;

function randomkey(_request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  if (database.size === 0) return null;
  let slot: Slot = 0;
  for (let i = 0; i < RANDOM_KEY_TRIES; i++) {
    slot = context.random.below(database.size);
    if (!database.isDue(slot)) return database.key(slot, view).kept();
  }
  return database.expiringCount === database.size ? null : database.key(slot, view).kept();
}

function keys(request: Request, database: ReadableDatabase): Reply {
  const pattern = request.view(1);
  const all = matchesEverything(pattern);
  const found: Reply[] = [];
  for (let slot = 0; slot < database.size; slot++) {
    if (database.isDue(slot)) continue;
    if (all || globMatches(pattern, database.key(slot, view))) found.push(database.key(slot, view).kept());
  }
  return found;
}

function scan(request: Request, database: ReadableDatabase): Reply {
  const cursor = parseCursor(request, 1);
  const options = parseScanOptions(request, 2, true);
  const found: Reply[] = [];
  const next = scanSlots(database, cursor, options.count, (slot) => {
    if (database.isDue(slot) || !options.matches(database.key(slot, view))) return;
    if (options.type === undefined || options.type === database.type(slot))
      found.push(database.key(slot, view).kept());
  });
  return scanReply(next, found);
}

const dbsize = (_request: Request, database: ReadableDatabase): Reply => database.size;

// ---- deadlines ----

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

/** An integer reply for what may be past 2^53, where deadlines are no longer exact, and at most the largest there is. */
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

// ---- names and databases ----

/** Moves the value and deadline in `slot` to `target`, where no such key is, and deletes the old key. */
function moveValue(database: Database, slot: Slot, target: Database, key: View): void {
  const encoding = database.encoding(slot);
  const deadline = database.deadline(slot);
  const moved = valueTypes.isBig(encoding)
    ? target.createBig(key, encoding, database.detachObject(slot))
    : target.create(key, encoding, database.value(slot, view));
  if (deadline !== 0) target.setDeadline(moved, deadline);
  database.delete(slot);
}

function renames(onlyIfAbsent: boolean) {
  return (request: Request, database: Database): Reply => {
    const from = request.view(1);
    const to = request.view(2);
    let slot = database.lookup(from);
    if (slot === ABSENT) throw errors.noSuchKey;
    if (from.equals(to)) return onlyIfAbsent ? 0 : OK;
    if (database.has(to)) {
      if (onlyIfAbsent) return 0;
      database.deleteKey(to);
      // The deletion may have moved it.
      slot = database.find(from);
    }
    moveValue(database, slot, database, to);
    database.changed(from, keyEvents.renameFrom);
    database.changed(to, keyEvents.renameTo);
    return onlyIfAbsent ? 1 : OK;
  };
}

const rename = renames(false);
const renamenx = renames(true);

/** The database that argument `index` names. */
function databaseArgument(request: Request, index: number, context: WriteContext): Database {
  const id = request.int32(index);
  if (id < 0 || id >= context.keyspace.settings.databases) throw errors.databaseOutOfRange;
  return context.keyspace.database(id);
}

function move(request: Request, database: Database, context: WriteContext): Reply {
  const target = databaseArgument(request, 2, context);
  if (target === database) throw errors.sameObject;
  const key = request.view(1);
  const slot = database.lookup(key);
  if (slot === ABSENT || target.has(key)) return 0;
  moveValue(database, slot, target, key);
  database.changed(key, keyEvents.moveFrom);
  target.changed(key, keyEvents.moveTo);
  return 1;
}

function copy(request: Request, database: Database, context: WriteContext): Reply {
  let target = database;
  let replace = false;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, 'REPLACE')) replace = true;
    else if (request.is(i, 'DB') && i + 1 < request.count) target = databaseArgument(request, ++i, context);
    else throw errors.syntax;
  }
  const from = request.view(1);
  const to = request.view(2);
  if (target === database && from.equals(to)) throw errors.sameObject;
  let slot = database.lookup(from);
  if (slot === ABSENT) return 0;
  if (target.has(to)) {
    if (!replace) return 0;
    target.deleteKey(to);
    slot = database.find(from);
  }
  const encoding = database.encoding(slot);
  const copied = valueTypes.isBig(encoding)
    ? target.createBig(to, encoding, copyBig(encoding, database.object(slot), context.keyspace))
    : target.create(to, encoding, database.value(slot, view));
  const deadline = database.deadline(slot);
  if (deadline !== 0) target.setDeadline(copied, deadline);
  target.changed(to, keyEvents.copyTo);
  return 1;
}

function swapdb(request: Request, _database: Database, context: WriteContext): Reply {
  const first = request.int32(1, errors.invalidFirstDatabase);
  const second = request.int32(2, errors.invalidSecondDatabase);
  const { databases } = context.keyspace.settings;
  if (first < 0 || first >= databases || second < 0 || second >= databases) throw errors.databaseOutOfRange;
  if (first !== second) context.keyspace.swap(first, second);
  return OK;
}

/** Memory is given back piecemeal in any case; ASYNC and SYNC are taken, and mean the same. */
function checkFlushMode(request: Request): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'ASYNC') && !request.is(1, 'SYNC'))) {
    throw errors.syntax;
  }
}

function flushdb(request: Request, database: Database, context: WriteContext): Reply {
  checkFlushMode(request);
  context.keyspace.flush(database.id);
  context.keyspace.emptied(database.id);
  return OK;
}

function flushall(request: Request, _database: Database, context: WriteContext): Reply {
  checkFlushMode(request);
  for (const { id } of [...context.keyspace.used()]) {
    context.keyspace.flush(id);
    context.keyspace.emptied(id);
  }
  return OK;
}

// ---- OBJECT ----

/** A reply about the value at argument 2, null when it is absent. */
function describes(reply: (database: ReadableDatabase, slot: Slot, context: ReadContext) => Reply) {
  return (request: Request, database: ReadableDatabase, context: ReadContext): Reply => {
    const slot = database.find(request.view(2));
    return slot === ABSENT ? null : reply(database, slot, context);
  };
}

const objectEncoding = describes((database, slot) => valueTypes.encodingName(database.encoding(slot)));

/** Redis shares the integers below 10000 among all keys, and says so by this count. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2147483647;

const objectRefcount = describes((database, slot) => {
  if (database.encoding(slot) !== Encoding.int) return 1;
  const value = Number(database.stringAt(slot, view).numberText());
  return value >= 0 && value < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
});

const objectIdletime = describes((database, slot, context) => {
  if (context.keyspace.countsFrequency) throw errors.idleTimeUnderLfu;
  return database.idleSeconds(slot);
});

const objectFreq = describes((database, slot, context) => {
  if (!context.keyspace.countsFrequency) throw errors.frequencyWithoutLfu;
  return database.accessFrequency(slot);
});

const objectHelp = (): Reply => containerHelp(new CommandCatalog([object]).get('object')!);

const object = container(
  {
    name: 'object',
    arity: -2,
    group: 'generic',
    since: '2.2.3',
    complexity: 'Depends on the subcommand',
    summary: 'Looks at how values are held.',
  },
  [
    read(
      {
        name: 'object|encoding',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the name of the encoding that holds a value.',
        syntax: 'key',
      },
      objectEncoding,
    ),
    read(
      {
        name: 'object|freq',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '4.0.0',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the logarithmic access counter of a key.',
        syntax: 'key',
      },
      objectFreq,
    ),
    other(
      {
        name: 'object|help',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'generic',
        since: '6.2.0',
        complexity: 'O(1)',
        summary: 'Lists the subcommands.',
      },
      { run: objectHelp, ordered: false },
    ),
    read(
      {
        name: 'object|idletime',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the seconds since a key was last accessed.',
        syntax: 'key',
      },
      objectIdletime,
    ),
    read(
      {
        name: 'object|refcount',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the reference count of a value.',
        syntax: 'key',
      },
      objectRefcount,
    ),
  ],
);

/** Every row of the family. */
export const keyCommands = [
  write(
    {
      name: 'copy',
      arity: -3,
      flags: ['denyoom'],
      keys: ['1 RO access', '2 OW update'],
      group: 'generic',
      since: '6.2.0',
      complexity: 'O(N), N elements of the value',
      summary: 'Copies a value to another key.',
      syntax: 'source:key destination:key#1 [DB destination-db:integer] [REPLACE]',
    },
    copy,
  ),
  write(
    {
      name: 'del',
      arity: -2,
      keys: '1..-1 RM delete',
      group: 'generic',
      since: '1.0.0',
      tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
      complexity: 'O(N), N keys, and the elements of what they hold',
      summary: 'Deletes keys.',
      syntax: 'key ...',
    },
    del,
  ),
  read(
    {
      name: 'exists',
      arity: -2,
      flags: ['fast'],
      keys: '1..-1 RO',
      group: 'generic',
      since: '1.0.0',
      tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
      history: [['3.0.3', 'Several keys.']],
      complexity: 'O(N), N keys',
      summary: 'Counts how many of the keys exist.',
      syntax: 'key ...',
    },
    exists,
  ),
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
  read(
    {
      name: 'keys',
      arity: 2,
      categories: ['keyspace', 'dangerous'],
      group: 'generic',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'nondeterministic_output_order'],
      complexity: 'O(N), N keys in the database',
      summary: 'Lists all keys that match a pattern.',
      syntax: 'pattern:pattern',
    },
    keys,
  ),
  write(
    {
      name: 'move',
      arity: 3,
      flags: ['fast'],
      keys: '1 RW access update',
      group: 'generic',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Moves a key to another database.',
      syntax: 'key db:integer',
    },
    move,
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
      name: 'randomkey',
      arity: 1,
      group: 'generic',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'nondeterministic_output'],
      complexity: 'O(1)',
      summary: 'Returns a random key.',
    },
    randomkey,
  ),
  write(
    {
      name: 'rename',
      arity: 3,
      keys: ['1 RW access delete', '2 OW update'],
      group: 'generic',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Renames a key, overwriting the new name.',
      syntax: 'key newkey:key#1',
    },
    rename,
  ),
  write(
    {
      name: 'renamenx',
      arity: 3,
      flags: ['fast'],
      keys: ['1 RW access delete', '2 OW insert'],
      group: 'generic',
      since: '1.0.0',
      history: [['3.2.0', 'Equal names are no error.']],
      complexity: 'O(1)',
      summary: 'Renames a key if the new name is free.',
      syntax: 'key newkey:key#1',
    },
    renamenx,
  ),
  read(
    {
      name: 'scan',
      arity: -2,
      group: 'generic',
      since: '2.8.0',
      tips: ['nondeterministic_output', 'request_policy:special'],
      history: [['6.0.0', 'TYPE.']],
      complexity: 'O(1) a call, O(N) for a whole walk of N keys',
      summary: 'Walks the keys of the database in steps.',
      syntax: 'cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type@6.0.0]',
    },
    scan,
  ),
  read(
    {
      name: 'touch',
      arity: -2,
      flags: ['fast'],
      keys: '1..-1 RO',
      group: 'generic',
      since: '3.2.1',
      tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
      complexity: 'O(N), N keys',
      summary: 'Refreshes the access time of keys and counts those that exist.',
      syntax: 'key ...',
    },
    touch,
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
  read(
    {
      name: 'type',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'generic',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Returns the type of the value at a key.',
      syntax: 'key',
    },
    type,
  ),
  write(
    {
      name: 'unlink',
      arity: -2,
      flags: ['fast'],
      keys: '1..-1 RM delete',
      group: 'generic',
      since: '4.0.0',
      tips: ['request_policy:multi_shard', 'response_policy:agg_sum'],
      complexity: 'O(1) a key, and O(N) in the background for its N elements',
      summary: 'Deletes keys, leaving the work of freeing to the background.',
      syntax: 'key ...',
    },
    del,
  ),
  read(
    {
      name: 'dbsize',
      arity: 1,
      flags: ['fast'],
      categories: ['keyspace'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
      complexity: 'O(1)',
      summary: 'Returns the number of keys in the database.',
    },
    dbsize,
  ),
  write(
    {
      name: 'flushall',
      arity: -1,
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      history: [
        ['4.0.0', 'ASYNC.'],
        ['6.2.0', 'SYNC.'],
      ],
      complexity: 'O(N), N keys',
      summary: 'Deletes all keys of all databases.',
      syntax: '[async:<ASYNC@4.0.0 | SYNC@6.2.0>]',
    },
    flushall,
  ),
  write(
    {
      name: 'flushdb',
      arity: -1,
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      history: [
        ['4.0.0', 'ASYNC.'],
        ['6.2.0', 'SYNC.'],
      ],
      complexity: 'O(N), N keys',
      summary: 'Deletes all keys of the database.',
      syntax: '[async:<ASYNC@4.0.0 | SYNC@6.2.0>]',
    },
    flushdb,
  ),
  write(
    {
      name: 'swapdb',
      arity: 3,
      flags: ['fast'],
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '4.0.0',
      complexity: 'O(N), N clients that watch or wait on keys of either',
      summary: 'Swaps two databases.',
      syntax: 'index1:integer index2:integer',
    },
    swapdb,
  ),
  object,
];
