/** Sets: members at one key. What combines several sets stands in set-operations.ts. */
import { type ReadContext, read, type WriteContext, write } from '../command/command.js';
import { int64Min } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { type Reply, SetReply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { keyEvents } from '../storage/key-events.js';
import {
  checkSet,
  findSet,
  SetBuilder,
  SetReader,
  setAdd,
  setHas,
  setLength,
  setRemove,
  setTake,
} from '../values/set.js';
import type { Table } from '../values/table.js';
import { sampleReplies } from './sampling.js';
import { parseCursor, parseScanOptions, scanReply, scanSlots } from './scan.js';

const builder = new SetBuilder();
const reader = new SetReader();

// ---- adding and removing ----

function sadd(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = findSet(database, key);
  let added = 0;
  if (slot === ABSENT) {
    builder.start();
    for (let i = 2; i < request.count; i++) if (builder.add(request.view(i), database.keyspace)) added++;
    builder.create(database, key);
  } else {
    for (let i = 2; i < request.count; i++) if (setAdd(database, slot, request.view(i))) added++;
  }
  if (added > 0) database.changed(key, keyEvents.sadd);
  return added;
}

function srem(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = findSet(database, key);
  if (slot === ABSENT) return 0;
  let removed = 0;
  for (let i = 2; i < request.count; i++) {
    if (!setRemove(database, slot, request.view(i))) continue;
    removed++;
    if (setLength(database, slot) > 0) continue;
    database.delete(slot);
    break;
  }
  if (removed > 0) database.shrunk(key, keyEvents.srem);
  return removed;
}

function smove(request: Request, database: Database): Reply {
  const source = request.view(1);
  const destination = request.view(2);
  const member = request.view(3);
  const target = database.lookup(destination);
  // Only now, since meeting a key whose time has come moves slots.
  const slot = database.lookup(source);
  if (slot === ABSENT) return 0;
  checkSet(database, slot);
  if (target !== ABSENT) checkSet(database, database.find(destination));
  if (source.equals(destination)) return setHas(database, slot, member) ? 1 : 0;
  if (!setRemove(database, slot, member)) return 0;
  if (setLength(database, slot) === 0) database.delete(slot);
  database.shrunk(source, keyEvents.srem);
  if (target === ABSENT) {
    builder.start().add(member, database.keyspace);
    builder.create(database, destination);
    database.changed(destination, keyEvents.sadd);
  } else if (setAdd(database, database.find(destination), member)) {
    database.changed(destination, keyEvents.sadd);
  }
  return 1;
}

function spop(request: Request, database: Database, context: WriteContext): Reply {
  if (request.count > 3) throw errors.syntax;
  const key = request.view(1);
  if (request.count === 2) {
    const slot = findSet(database, key);
    if (slot === ABSENT) return null;
    const size = setLength(database, slot);
    const member = setTake(database, slot, context.random.below(size));
    if (size === 1) database.delete(slot);
    database.shrunk(key, keyEvents.spop);
    return member;
  }
  const count = request.int64OrUndefined(2);
  if (count === undefined || count < 0) throw errors.mustBePositive;
  const slot = findSet(database, key);
  const members: Reply[] = [];
  if (slot === ABSENT || count === 0) return new SetReply(members);
  const size = setLength(database, slot);
  if (count >= size) {
    reader.open(database, slot);
    while (reader.next()) members.push(reader.kept());
    database.delete(slot);
  } else {
    for (let left = size; left > size - Number(count); left--)
      members.push(setTake(database, slot, context.random.below(left)));
  }
  database.shrunk(key, keyEvents.spop);
  return new SetReply(members);
}

// ---- asking ----

function sismember(request: Request, database: ReadableDatabase): Reply {
  const slot = findSet(database, request.view(1));
  return slot !== ABSENT && setHas(database, slot, request.view(2)) ? 1 : 0;
}

function smismember(request: Request, database: ReadableDatabase): Reply {
  const slot = findSet(database, request.view(1));
  const replies: Reply[] = [];
  for (let i = 2; i < request.count; i++)
    replies.push(slot !== ABSENT && setHas(database, slot, request.view(i)) ? 1 : 0);
  return replies;
}

function scard(request: Request, database: ReadableDatabase): Reply {
  const slot = findSet(database, request.view(1));
  return slot === ABSENT ? 0 : setLength(database, slot);
}

const emit = (into: Reply[]): void => {
  into.push(reader.reply());
};

function smembers(request: Request, database: ReadableDatabase): Reply {
  const slot = findSet(database, request.view(1));
  const replies: Reply[] = [];
  if (slot !== ABSENT) {
    reader.open(database, slot);
    while (reader.next()) emit(replies);
  }
  return new SetReply(replies);
}

function srandmember(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  if (request.count > 3) throw errors.syntax;
  const single = request.count === 2;
  const count = single ? 1 : request.int64(2);
  if (count === int64Min) throw errors.outOfLongRange;
  const slot = findSet(database, request.view(1));
  if (slot === ABSENT) return single ? null : [];
  const size = setLength(database, slot);
  reader.open(database, slot);
  if (single) return reader.seek(context.random.below(size)).reply();
  return sampleReplies(reader, size, Number(count), context.random, emit);
}

function sscan(request: Request, database: ReadableDatabase): Reply {
  const cursor = parseCursor(request, 2);
  const slot = findSet(database, request.view(1));
  if (slot === ABSENT) return scanReply(0, []);
  const options = parseScanOptions(request, 3);
  const replies: Reply[] = [];
  reader.open(database, slot);
  if (database.encoding(slot) !== Encoding.setTable) {
    while (reader.next()) if (options.matches(reader.member())) emit(replies);
    return scanReply(0, replies);
  }
  const next = scanSlots((database.object(slot) as Table).entries, cursor, options.count, (entry) => {
    if (options.matches(reader.seek(entry).member())) emit(replies);
  });
  return scanReply(next, replies);
}

/** The rows of one set at a time. */
export const sets = [
  write(
    {
      name: 'sadd',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'set',
      since: '1.0.0',
      history: [['2.4.0', 'Several members.']],
      complexity: 'O(N), N members added',
      summary: 'Adds members to a set, which is created when absent.',
      syntax: 'key member ...',
    },
    sadd,
  ),
  read(
    {
      name: 'scard',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'set',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Returns the number of members of a set.',
      syntax: 'key',
    },
    scard,
  ),
  read(
    {
      name: 'sismember',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO',
      group: 'set',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Tells whether a value is a member of a set.',
      syntax: 'key member',
    },
    sismember,
  ),
  read(
    {
      name: 'smembers',
      arity: 2,
      keys: '1 RO access',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N members',
      summary: 'Returns all members of a set.',
      syntax: 'key',
    },
    smembers,
  ),
  read(
    {
      name: 'smismember',
      arity: -3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'set',
      since: '6.2.0',
      complexity: 'O(N), N values asked about',
      summary: 'Tells for each value whether it is a member of a set.',
      syntax: 'key member ...',
    },
    smismember,
  ),
  write(
    {
      name: 'smove',
      arity: 4,
      flags: ['fast'],
      keys: ['1 RW access delete', '2 RW insert'],
      group: 'set',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Moves a member from one set to another.',
      syntax: 'source:key destination:key#1 member',
    },
    smove,
  ),
  write(
    {
      name: 'spop',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output'],
      history: [['3.2.0', 'A count.']],
      complexity: 'O(N), N members popped',
      summary: 'Removes and returns random members.',
      syntax: 'key [count:integer@3.2.0]',
    },
    spop,
  ),
  read(
    {
      name: 'srandmember',
      arity: -2,
      keys: '1 RO access',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output'],
      history: [['2.6.0', 'A count.']],
      complexity: 'O(N), N members returned',
      summary: 'Returns random members.',
      syntax: 'key [count:integer@2.6.0]',
    },
    srandmember,
  ),
  write(
    {
      name: 'srem',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW delete',
      group: 'set',
      since: '1.0.0',
      history: [['2.4.0', 'Several members.']],
      complexity: 'O(N), N members removed',
      summary: 'Removes members from a set.',
      syntax: 'key member ...',
    },
    srem,
  ),
  read(
    {
      name: 'sscan',
      arity: -3,
      keys: '1 RO access',
      group: 'set',
      since: '2.8.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(1) a call, O(N) for a whole walk of N members',
      summary: 'Walks the members of a set in steps.',
      syntax: 'key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]',
    },
    sscan,
  ),
];
