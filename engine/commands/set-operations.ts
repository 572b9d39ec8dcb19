/**
 * Set operations: SINTER, SUNION, SDIFF and their kin, with Redis's own choice of algorithm.
 *
 * The order of results is part of the state, since it may be stored: an intersection has the order of its
 * smallest set (the first such), a union the order in which members were first met, a difference the order of
 * the first set or what removals left of it; a result of integers alone is sorted while it is an intset.
 */
import { read, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { type Reply, SetReply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import { checkSet, intsetHas, SetBuilder, SetReader, setHas, setLength } from '../values/set.js';
import type { TableHome } from '../values/table.js';

type Home = TableHome & { readonly settings: Settings };

const builder = new SetBuilder();
const reader = new SetReader();

/**
 * The slots of the sets at keys `first` .. `last - 1`, ABSENT for those that are not there. Throws WRONGTYPE.
 */
function findSets(request: Request, first: number, last: number, database: ReadableDatabase): Slot[] {
  // A write that meets a key whose time has come removes it, which moves slots: so all are met before any
  // slot is kept.
  for (let i = first; i < last; i++) {
    const slot = database.lookup(request.view(i));
    if (slot !== ABSENT) checkSet(database, slot);
  }
  const slots: Slot[] = [];
  for (let i = first; i < last; i++) slots.push(database.find(request.view(i)));
  return slots;
}

// ---- intersection ----

/**
 * Visits each shared member in `reader`, until `visit` returns false. O(members of the smallest set * sets).
 */
function intersect(database: ReadableDatabase, slots: Slot[], visit: () => boolean): void {
  if (slots.includes(ABSENT)) return;
  let smallest = 0;
  for (let i = 1; i < slots.length; i++)
    if (setLength(database, slots[i]) < setLength(database, slots[smallest])) smallest = i;
  const others = slots
    .filter((slot, i) => i !== smallest && slot !== slots[smallest])
    .sort((a, b) => setLength(database, a) - setLength(database, b));
  reader.open(database, slots[smallest]);
  while (reader.next()) if (others.every((slot) => readerIsIn(database, slot)) && !visit()) return;
}

/** Whether the member at which `reader` stands belongs to the set in `slot`. */
function readerIsIn(database: ReadableDatabase, slot: Slot): boolean {
  if (database.encoding(slot) === Encoding.intset) {
    const integer = reader.integer();
    if (integer !== undefined) return intsetHas(database, slot, integer);
  }
  return setHas(database, slot, reader.member());
}

function sinter(request: Request, database: ReadableDatabase): Reply {
  const replies: Reply[] = [];
  intersect(database, findSets(request, 1, request.count, database), () => {
    replies.push(reader.reply());
    return true;
  });
  return new SetReply(replies);
}

function sinterstore(request: Request, database: Database): Reply {
  const slots = findSets(request, 2, request.count, database);
  builder.start();
  intersect(database, slots, () => {
    builder.add(reader.member(), database.keyspace);
    return true;
  });
  return builder.store(database, request.view(1), keyEvents.sinterstore);
}

function sintercard(request: Request, database: ReadableDatabase): Reply {
  const keyCount = request.int64OrUndefined(1);
  if (keyCount === undefined || keyCount < 1) throw errors.keyCountNotPositive;
  if (keyCount > request.count - 2) throw errors.keyCountTooLarge;
  const keysEnd = 2 + Number(keyCount);
  let limit = 0;
  for (let i = keysEnd; i < request.count; i += 2) {
    if (!request.is(i, 'LIMIT') || i + 1 === request.count) throw errors.syntax;
    const parsed = request.int64OrUndefined(i + 1);
    if (parsed === undefined || parsed < 0) throw errors.limitNegative;
    limit = Number(parsed);
  }
  let shared = 0;
  intersect(database, findSets(request, 2, keysEnd, database), () => ++shared !== limit);
  return shared;
}

// ---- union ----

/** Puts the union together in `builder`. O(members of all sets). */
function unite(database: ReadableDatabase, slots: Slot[], home: Home): void {
  builder.start();
  for (const slot of slots) {
    if (slot === ABSENT) continue;
    reader.open(database, slot);
    while (reader.next()) builder.add(reader.member(), home);
  }
}

// ---- difference ----

/** Puts what the first set has and no other in `builder`, by Redis's choice of two algorithms. */
function subtract(database: ReadableDatabase, slots: Slot[], home: Home): void {
  builder.start();
  const [first, ...rest] = slots;
  if (first === ABSENT || rest.includes(first)) return;
  const others = rest.filter((slot) => slot !== ABSENT);
  const size = setLength(database, first);
  const membersOfAll = others.reduce((sum, slot) => sum + setLength(database, slot), size);
  // Asking each set about each member costs less than it seems: half, by Redis's reckoning.
  if (Math.floor((size * (others.length + 1)) / 2) <= membersOfAll) {
    // The largest first: it is the likeliest to have the member.
    others.sort((a, b) => setLength(database, b) - setLength(database, a));
    reader.open(database, first);
    while (reader.next()) {
      if (!others.some((slot) => readerIsIn(database, slot))) builder.add(reader.member(), home);
    }
    return;
  }
  unite(database, [first], home);
  for (const slot of others) {
    reader.open(database, slot);
    while (reader.next()) builder.remove(reader.member());
    if (builder.size === 0) return;
  }
}

// ---- union and difference as commands ----

type Operation = (database: ReadableDatabase, slots: Slot[], home: Home) => void;

const reply =
  (operation: Operation) =>
  (request: Request, database: ReadableDatabase, context: { readonly keyspace: Home }): Reply => {
    operation(database, findSets(request, 1, request.count, database), context.keyspace);
    const members: string[] = [];
    builder.takeTexts(members);
    return new SetReply(members);
  };

const store =
  (operation: Operation, event: KeyEvent) =>
  (request: Request, database: Database): Reply => {
    operation(database, findSets(request, 2, request.count, database), database.keyspace);
    return builder.store(database, request.view(1), event);
  };

const sunion = reply(unite);
const sunionstore = store(unite, keyEvents.sunionstore);
const sdiff = reply(subtract);
const sdiffstore = store(subtract, keyEvents.sdiffstore);

/** The rows of several sets at a time. */
export const setOperations = [
  read(
    {
      name: 'sdiff',
      arity: -2,
      keys: '1..-1 RO access',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N members in all the sets',
      summary: 'Returns the members of the first set that are in none of the others.',
      syntax: 'key ...',
    },
    sdiff,
  ),
  write(
    {
      name: 'sdiffstore',
      arity: -3,
      flags: ['denyoom'],
      keys: ['1 OW update', '2..-1 RO access'],
      group: 'set',
      since: '1.0.0',
      complexity: 'O(N), N members in all the sets',
      summary: 'Stores the members of the first set that are in none of the others.',
      syntax: 'destination:key key:key#1 ...',
    },
    sdiffstore,
  ),
  read(
    {
      name: 'sinter',
      arity: -2,
      keys: '1..-1 RO access',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N*M), N members of the smallest set, M sets',
      summary: 'Returns the members that all the sets share.',
      syntax: 'key ...',
    },
    sinter,
  ),
  read(
    {
      name: 'sintercard',
      arity: -3,
      keys: '#1 RO access',
      group: 'set',
      since: '7.0.0',
      complexity: 'O(N*M), N members of the smallest set, M sets',
      summary: 'Counts the members that all the sets share.',
      syntax: 'numkeys:integer key ... [LIMIT limit:integer]',
    },
    sintercard,
  ),
  write(
    {
      name: 'sinterstore',
      arity: -3,
      flags: ['denyoom'],
      keys: ['1 RW update', '2..-1 RO access'],
      group: 'set',
      since: '1.0.0',
      complexity: 'O(N*M), N members of the smallest set, M sets',
      summary: 'Stores the members that all the sets share.',
      syntax: 'destination:key key:key#1 ...',
    },
    sinterstore,
  ),
  read(
    {
      name: 'sunion',
      arity: -2,
      keys: '1..-1 RO access',
      group: 'set',
      since: '1.0.0',
      tips: ['nondeterministic_output_order'],
      complexity: 'O(N), N members in all the sets',
      summary: 'Returns the members of all the sets together.',
      syntax: 'key ...',
    },
    sunion,
  ),
  write(
    {
      name: 'sunionstore',
      arity: -3,
      flags: ['denyoom'],
      keys: ['1 OW update', '2..-1 RO access'],
      group: 'set',
      since: '1.0.0',
      complexity: 'O(N), N members in all the sets',
      summary: 'Stores the members of all the sets together.',
      syntax: 'destination:key key:key#1 ...',
    },
    sunionstore,
  ),
];
