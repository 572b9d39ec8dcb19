/** Hashes: fields and values at one key. */
import { type ReadContext, read, write } from '../command/command.js';
import { addInt64, type Int64, int64Max, int64Min, parseInt64, parseInt64Bytes } from '../numbers/int64.js';
import {
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  parseLongDouble,
} from '../numbers/long-double.js';
import { errors } from '../protocol/errors.js';
import { MapReply, OK, Pairs, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View, viewOf } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import {
  findHash,
  HashBuilder,
  HashReader,
  hashGet,
  hashHas,
  hashLength,
  hashPut,
  hashRemove,
} from '../values/hash.js';
import { Digits } from '../values/packed.js';
import type { Table } from '../values/table.js';
import { sampleReplies } from './sampling.js';
import { parseCursor, parseScanOptions, scanReply, scanSlots } from './scan.js';

const value = new View();
const builder = new HashBuilder();
const reader = new HashReader();
const digits = new Digits();

// ---- setting ----

/**
 * Sets the fields and values from argument 2 on, in the hash that was found in `slot`; returns how many
 * fields are new.
 */
function putPairs(request: Request, database: Database, slot: Slot): number {
  const key = request.view(1);
  let created = 0;
  if (slot === ABSENT) {
    builder.start();
    for (let i = 2; i < request.count; i += 2)
      if (builder.put(request.view(i), request.view(i + 1), database.keyspace)) created++;
    builder.create(database, key);
  } else {
    for (let i = 2; i < request.count; i += 2)
      if (hashPut(database, slot, request.view(i), request.view(i + 1))) created++;
  }
  database.changed(key, keyEvents.hset);
  return created;
}

function hset(request: Request, database: Database): Reply {
  if (request.count % 2 !== 0) throw errors.wrongArity('hset');
  return putPairs(request, database, findHash(database, request.view(1)));
}

function hmset(request: Request, database: Database): Reply {
  if (request.count % 2 !== 0) throw errors.wrongArity('hmset');
  putPairs(request, database, findHash(database, request.view(1)));
  return OK;
}

function hsetnx(request: Request, database: Database): Reply {
  const slot = findHash(database, request.view(1));
  if (slot !== ABSENT && hashHas(database, slot, request.view(2))) return 0;
  return putPairs(request, database, slot);
}

/** Sets one field to a number's text. */
function putNumber(
  database: Database,
  key: View,
  slot: Slot,
  field: View,
  text: View,
  event: KeyEvent,
): void {
  if (slot === ABSENT) {
    builder.start().put(field, text, database.keyspace);
    builder.create(database, key);
  } else {
    hashPut(database, slot, field, text);
  }
  database.changed(key, event);
}

function hincrby(request: Request, database: Database): Reply {
  const amount = request.int64(3);
  const key = request.view(1);
  const field = request.view(2);
  const slot = findHash(database, key);
  let current: Int64 | undefined = 0;
  const held = slot === ABSENT ? undefined : hashGet(database, slot, field, value);
  if (held !== undefined) {
    current =
      typeof held === 'string' ? parseInt64(held) : parseInt64Bytes(held.buffer, held.start, held.length);
    if (current === undefined) throw errors.hashValueNotInteger;
  }
  const sum = addInt64(current, amount);
  if (sum === undefined) throw errors.overflow;
  putNumber(database, key, slot, field, digits.of(sum), keyEvents.hincrby);
  return sum;
}

function hincrbyfloat(request: Request, database: Database): Reply {
  const amount = parseLongDouble(request.numberText(3));
  if (amount === undefined) throw errors.notFloat;
  if (!isFiniteLongDouble(amount)) throw errors.nanOrInfinity;
  const key = request.view(1);
  const field = request.view(2);
  const slot = findHash(database, key);
  const held = slot === ABSENT ? undefined : hashGet(database, slot, field, value);
  const current = parseLongDouble(
    held === undefined ? '0' : typeof held === 'string' ? held : held.numberText(),
  );
  if (current === undefined) throw errors.hashValueNotFloat;
  const sum = addLongDouble(current, amount);
  if (sum === undefined || !isFiniteLongDouble(sum)) throw errors.notANumberOrInfinity;
  const text = formatLongDouble(sum);
  putNumber(database, key, slot, field, viewOf(text), keyEvents.hincrbyfloat);
  return text;
}

function hdel(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = findHash(database, key);
  if (slot === ABSENT) return 0;
  let removed = 0;
  for (let i = 2; i < request.count; i++) {
    if (!hashRemove(database, slot, request.view(i))) continue;
    removed++;
    if (hashLength(database, slot) > 0) continue;
    database.delete(slot);
    break;
  }
  if (removed > 0) database.shrunk(key, keyEvents.hdel);
  return removed;
}

// ---- getting ----

function hget(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  return slot === ABSENT ? null : (hashGet(database, slot, request.view(2), value) ?? null);
}

function hmget(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  const replies: Reply[] = [];
  for (let i = 2; i < request.count; i++)
    replies.push(slot === ABSENT ? null : (hashGet(database, slot, request.view(i), new View()) ?? null));
  return replies;
}

function hexists(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  return slot !== ABSENT && hashHas(database, slot, request.view(2)) ? 1 : 0;
}

function hlen(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  return slot === ABSENT ? 0 : hashLength(database, slot);
}

function hstrlen(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  return slot === ABSENT ? 0 : (hashGet(database, slot, request.view(2), value)?.length ?? 0);
}

function hgetall(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  const replies: Reply[] = [];
  if (slot !== ABSENT) {
    reader.open(database, slot);
    while (reader.next()) replies.push(reader.fieldReply(), reader.valueReply());
  }
  return new MapReply(replies);
}

function hkeys(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  const replies: Reply[] = [];
  if (slot !== ABSENT) {
    reader.open(database, slot);
    while (reader.next()) replies.push(reader.fieldReply());
  }
  return replies;
}

function hvals(request: Request, database: ReadableDatabase): Reply {
  const slot = findHash(database, request.view(1));
  const replies: Reply[] = [];
  if (slot !== ABSENT) {
    reader.open(database, slot);
    while (reader.next()) replies.push(reader.valueReply());
  }
  return replies;
}

// ---- choosing and walking ----

const emitField = (into: Reply[]): void => {
  into.push(reader.fieldReply());
};
const emitPair = (into: Reply[]): void => {
  into.push(reader.fieldReply(), reader.valueReply());
};

function hrandfield(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  if (request.count === 2) {
    const slot = findHash(database, request.view(1));
    if (slot === ABSENT) return null;
    const index = context.random.below(hashLength(database, slot));
    return reader.open(database, slot).seek(index).fieldReply();
  }
  const count = request.int64(2);
  if (count === int64Min) throw errors.outOfLongRange;
  const withValues = request.count > 3;
  if (withValues && (request.count > 4 || !request.is(3, 'WITHVALUES'))) throw errors.syntax;
  if (withValues && (count > int64Max / 2n || count < -(int64Max / 2n))) throw errors.outOfRange;
  const slot = findHash(database, request.view(1));
  if (slot === ABSENT) return [];
  const size = hashLength(database, slot);
  reader.open(database, slot);
  const emit = withValues ? emitPair : emitField;
  const replies = sampleReplies(reader, size, Number(count), context.random, emit);
  return withValues ? new Pairs(replies) : replies;
}

function hscan(request: Request, database: ReadableDatabase): Reply {
  const cursor = parseCursor(request, 2);
  const slot = findHash(database, request.view(1));
  if (slot === ABSENT) return scanReply(0, []);
  const options = parseScanOptions(request, 3);
  const replies: Reply[] = [];
  reader.open(database, slot);
  if (database.encoding(slot) !== Encoding.hashTable) {
    while (reader.next()) if (options.matches(reader.field())) emitPair(replies);
    return scanReply(0, replies);
  }
  const next = scanSlots((database.object(slot) as Table).entries, cursor, options.count, (entry) => {
    if (options.matches(reader.seek(entry).field())) emitPair(replies);
  });
  return scanReply(next, replies);
}

/** Every row of the family. */
export const hashes = [
  write(
    {
      name: 'hdel',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW delete',
      group: 'hash',
      since: '2.0.0',
      history: [['2.4.0', 'Several fields.']],
      complexity: 'O(N), N fields deleted',
      summary: 'Deletes fields of a hash.',
      syntax: 'key field ...',
    },
    hdel,
  ),
  read(
    {
      name: 'hexists',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Tells whether a hash has a field.',
      syntax: 'key field',
    },
    hexists,
  ),
  read(
    {
      name: 'hget',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Returns the value of a field.',
      syntax: 'key field',
    },
    hget,
  ),
  read(
    {
      name: 'hgetall',
      arity: 2,
      keys: '1 RO access',
      group: 'hash',
      since: '2.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N fields',
      summary: 'Returns all fields and values of a hash.',
      syntax: 'key',
    },
    hgetall,
  ),
  write(
    {
      name: 'hincrby',
      arity: 4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Adds a number to an integer field; an absent field counts as 0.',
      syntax: 'key field increment:integer',
    },
    hincrby,
  ),
  write(
    {
      name: 'hincrbyfloat',
      arity: 4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'hash',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Adds a number to a floating-point field; an absent field counts as 0.',
      syntax: 'key field increment:double',
    },
    hincrbyfloat,
  ),
  read(
    {
      name: 'hkeys',
      arity: 2,
      keys: '1 RO access',
      group: 'hash',
      since: '2.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N fields',
      summary: 'Returns all fields of a hash.',
      syntax: 'key',
    },
    hkeys,
  ),
  read(
    {
      name: 'hlen',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Returns the number of fields of a hash.',
      syntax: 'key',
    },
    hlen,
  ),
  read(
    {
      name: 'hmget',
      arity: -3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(N), N fields asked for',
      summary: 'Returns the values of several fields.',
      syntax: 'key field ...',
    },
    hmget,
  ),
  write(
    {
      name: 'hmset',
      arity: -4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW update',
      group: 'hash',
      since: '2.0.0',
      deprecatedSince: '4.0.0',
      replacedBy: '`HSET` with several fields',
      complexity: 'O(N), N fields set',
      summary: 'Sets several fields: the old form of HSET.',
      syntax: 'key (field value) ...',
    },
    hmset,
  ),
  read(
    {
      name: 'hrandfield',
      arity: -2,
      keys: '1 RO access',
      group: 'hash',
      since: '6.2.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(N), N fields returned',
      summary: 'Returns random fields.',
      syntax: 'key [options:(count:integer [WITHVALUES])]',
    },
    hrandfield,
  ),
  read(
    {
      name: 'hscan',
      arity: -3,
      keys: '1 RO access',
      group: 'hash',
      since: '2.8.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(1) a call, O(N) for a whole walk of N fields',
      summary: 'Walks the fields and values of a hash in steps.',
      syntax: 'key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]',
    },
    hscan,
  ),
  write(
    {
      name: 'hset',
      arity: -4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW update',
      group: 'hash',
      since: '2.0.0',
      history: [['4.0.0', 'Several fields.']],
      complexity: 'O(N), N fields set',
      summary: 'Sets fields of a hash, which is created when absent.',
      syntax: 'key (field value) ...',
    },
    hset,
  ),
  write(
    {
      name: 'hsetnx',
      arity: 4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'hash',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Sets a field if it is absent.',
      syntax: 'key field value',
    },
    hsetnx,
  ),
  read(
    {
      name: 'hstrlen',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO',
      group: 'hash',
      since: '3.2.0',
      complexity: 'O(1)',
      summary: "Returns the length of a field's value.",
      syntax: 'key field',
    },
    hstrlen,
  ),
  read(
    {
      name: 'hvals',
      arity: 2,
      keys: '1 RO access',
      group: 'hash',
      since: '2.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N fields',
      summary: 'Returns all values of a hash.',
      syntax: 'key',
    },
    hvals,
  ),
];
