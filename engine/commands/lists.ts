/**
 * Lists: pushes and pops at both ends, access by index, search. The forms that wait stand in
 * blocking-lists.ts.
 */
import { type Command, read, write } from '../command/command.js';
import { int64Min } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { NULL_ARRAY, OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View, writeLatin1 } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import {
  insertElement,
  listLength,
  lookupList,
  pushArguments,
  pushElement,
  removeEqual,
  removeFromEnd,
  seekElement,
  setElement,
} from '../values/list.js';
import { ListCursor } from '../values/list-cursor.js';

const cursor = new ListCursor();
/** Holds an element on its way from one list to another. */
const moved = new View();
const movedBuffer = Buffer.allocUnsafeSlow(8192);

// ---- pushing and popping ----

const pushed = (atHead: boolean): KeyEvent => (atHead ? keyEvents.lpush : keyEvents.rpush);
const popped = (atHead: boolean): KeyEvent => (atHead ? keyEvents.lpop : keyEvents.rpop);

const pushTo =
  (atHead: boolean, mustExist: boolean) =>
  (request: Request, database: Database): Reply => {
    const key = request.view(1);
    const slot = lookupList(database, key);
    if (slot === ABSENT && mustExist) return 0;
    const length = pushArguments(database, key, slot, atHead, request, 2);
    database.changed(key, pushed(atHead));
    return length;
  };

/** Takes one element from the end of a list; the key goes with the last. */
export function popElement(database: Database, key: View, slot: Slot, atHead: boolean): string | Buffer {
  seekElement(database, slot, atHead ? 0 : listLength(database, slot) - 1, cursor);
  const element = cursor.kept();
  removeFromEnd(database, slot, atHead, 1);
  database.shrunk(key, popped(atHead));
  return element;
}

/** Takes up to `count` elements from one end of a list, the outermost first; the key goes with the last. */
export function popElements(
  database: Database,
  key: View,
  slot: Slot,
  atHead: boolean,
  count: number,
): Reply[] {
  const length = listLength(database, slot);
  const taken = Math.min(count, length);
  const elements: Reply[] = new Array(taken);
  if (taken === 0) return elements;
  seekElement(database, slot, atHead ? 0 : length - 1, cursor);
  for (let i = 0; i < taken; i++) {
    elements[i] = cursor.kept();
    if (i + 1 === taken) break;
    if (atHead) cursor.next();
    else cursor.previous();
  }
  removeFromEnd(database, slot, atHead, taken);
  database.shrunk(key, popped(atHead));
  return elements;
}

const popFrom =
  (atHead: boolean, command: string) =>
  (request: Request, database: Database): Reply => {
    if (request.count > 3) throw errors.wrongArity(command);
    const key = request.view(1);
    if (request.count === 2) {
      const slot = lookupList(database, key);
      return slot === ABSENT ? null : popElement(database, key, slot, atHead);
    }
    const count = request.int64OrUndefined(2);
    if (count === undefined || count < 0) throw errors.mustBePositive;
    const slot = lookupList(database, key);
    return slot === ABSENT ? NULL_ARRAY : popElements(database, key, slot, atHead, Number(count));
  };

// ---- LMOVE, LMPOP ----

/** Reads LEFT or RIGHT. Throws a syntax error. Returns whether it is LEFT. */
export function parseEnd(request: Request, index: number): boolean {
  if (request.is(index, 'LEFT')) return true;
  if (request.is(index, 'RIGHT')) return false;
  throw errors.syntax;
}

/** Moves an element between two lists, or within one. Returns it, or undefined when there is no source. */
export function moveElement(
  database: Database,
  sourceKey: View,
  targetKey: View,
  fromHead: boolean,
  toHead: boolean,
): string | Buffer | undefined {
  if (lookupList(database, sourceKey) === ABSENT) return undefined;
  lookupList(database, targetKey);
  // Either lookup may have removed a key whose deadline has passed, and with it moved others.
  let source = database.find(sourceKey);
  const length = listLength(database, source);
  seekElement(database, source, fromHead ? 0 : length - 1, cursor);
  const element = cursor.kept();
  if (sourceKey.equals(targetKey)) {
    if (length > 1 && fromHead !== toHead) {
      removeFromEnd(database, source, fromHead, 1);
      pushElement(database, sourceKey, source, toHead, viewOfMoved(element));
    }
    database.changed(sourceKey, pushed(toHead));
    database.happened(sourceKey, popped(fromHead));
    return element;
  }
  pushElement(database, targetKey, database.find(targetKey), toHead, viewOfMoved(element));
  database.changed(targetKey, pushed(toHead));
  source = database.find(sourceKey);
  removeFromEnd(database, source, fromHead, 1);
  database.shrunk(sourceKey, popped(fromHead));
  return element;
}

function viewOfMoved(element: string | Buffer): View {
  if (typeof element !== 'string') return moved.on(element, 0, element.length);
  writeLatin1(element, movedBuffer, 0);
  return moved.on(movedBuffer, 0, element.length);
}

function lmove(request: Request, database: Database): Reply {
  const fromHead = parseEnd(request, 3);
  const toHead = parseEnd(request, 4);
  return moveElement(database, request.view(1), request.view(2), fromHead, toHead) ?? null;
}

function rpoplpush(request: Request, database: Database): Reply {
  return moveElement(database, request.view(1), request.view(2), false, true) ?? null;
}

export interface MultiplePop {
  firstKey: number;
  lastKey: number;
  atHead: boolean;
  count: number;
}

const multiplePop: MultiplePop = { firstKey: 0, lastKey: 0, atHead: true, count: 1 };

/**
 * Reads `numkeys key ... LEFT|RIGHT [COUNT count]` from argument `from` on, into an object that the next call
 * uses again.
 */
export function parseMultiplePop(request: Request, from: number): MultiplePop {
  const keyCount = request.int64OrUndefined(from);
  if (keyCount === undefined || keyCount <= 0) throw errors.keyCountNotPositive;
  const end = from + 1 + Number(keyCount);
  if (end >= request.count) throw errors.syntax;
  multiplePop.firstKey = from + 1;
  multiplePop.lastKey = end - 1;
  multiplePop.atHead = parseEnd(request, end);
  multiplePop.count = 1;
  let counted = false;
  for (let i = end + 1; i < request.count; i += 2) {
    if (counted || !request.is(i, 'COUNT') || i + 1 >= request.count) throw errors.syntax;
    const count = request.int64OrUndefined(i + 1);
    if (count === undefined || count <= 0) throw errors.countNotPositive;
    multiplePop.count = Number(count);
    counted = true;
  }
  return multiplePop;
}

/**
 * The first argument of a range of keys that holds a list, or 0. Throws WRONGTYPE for a key before it that
 * holds something else.
 */
export function firstList(request: Request, database: Database, firstKey: number, lastKey: number): number {
  for (let i = firstKey; i <= lastKey; i++) {
    if (lookupList(database, request.view(i)) !== ABSENT) return i;
  }
  return 0;
}

function lmpop(request: Request, database: Database): Reply {
  const { firstKey, lastKey, atHead, count } = parseMultiplePop(request, 1);
  const at = firstList(request, database, firstKey, lastKey);
  if (at === 0) return NULL_ARRAY;
  const key = request.view(at);
  return [key.kept(), popElements(database, key, database.find(key), atHead, count)];
}

// ---- by index ----

function llen(request: Request, database: ReadableDatabase): Reply {
  const slot = lookupList(database, request.view(1));
  return slot === ABSENT ? 0 : listLength(database, slot);
}

function lindex(request: Request, database: ReadableDatabase): Reply {
  const slot = lookupList(database, request.view(1));
  if (slot === ABSENT) return null;
  const length = listLength(database, slot);
  let index = request.integer(2);
  if (index < 0) index += length;
  if (index < 0 || index >= length) return null;
  seekElement(database, slot, index, cursor);
  return cursor.view();
}

function lset(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = lookupList(database, key);
  if (slot === ABSENT) throw errors.noSuchKey;
  const length = listLength(database, slot);
  let index = request.integer(2);
  if (index < 0) index += length;
  if (index < 0 || index >= length) throw errors.indexOutOfRange;
  setElement(database, key, slot, index, request.view(3));
  database.changed(key, keyEvents.lset);
  return OK;
}

function lrange(request: Request, database: ReadableDatabase): Reply {
  let start = request.integer(2);
  let stop = request.integer(3);
  const slot = lookupList(database, request.view(1));
  if (slot === ABSENT) return [];
  const length = listLength(database, slot);
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  if (start > stop || start >= length) return [];
  const count = Math.min(stop, length - 1) - start + 1;
  const elements: Reply[] = new Array(count);
  seekElement(database, slot, start, cursor);
  for (let i = 0; i < count; i++) {
    elements[i] = cursor.view();
    if (i + 1 < count) cursor.next();
  }
  return elements;
}

function ltrim(request: Request, database: Database): Reply {
  let start = request.integer(2);
  let stop = request.integer(3);
  const key = request.view(1);
  const slot = lookupList(database, key);
  if (slot === ABSENT) return OK;
  const length = listLength(database, slot);
  if (start < 0) start = Math.max(0, start + length);
  if (stop < 0) stop += length;
  if (start > stop || start >= length) {
    database.delete(slot);
  } else {
    removeFromEnd(database, slot, false, length - 1 - Math.min(stop, length - 1));
    removeFromEnd(database, slot, true, start);
  }
  database.shrunk(key, keyEvents.ltrim);
  return OK;
}

// ---- by value ----

function linsert(request: Request, database: Database): Reply {
  const behind = request.is(2, 'AFTER');
  if (!behind && !request.is(2, 'BEFORE')) throw errors.syntax;
  const key = request.view(1);
  const slot = lookupList(database, key);
  if (slot === ABSENT) return 0;
  const pivot = request.view(3);
  const length = listLength(database, slot);
  seekElement(database, slot, 0, cursor);
  for (; cursor.at >= 0; cursor.next()) {
    if (!cursor.equals(pivot)) continue;
    insertElement(database, key, slot, cursor, behind, request.view(4));
    database.changed(key, keyEvents.linsert);
    return length + 1;
  }
  return -1;
}

function lrem(request: Request, database: Database): Reply {
  const count = request.integer(2);
  const key = request.view(1);
  const slot = lookupList(database, key);
  if (slot === ABSENT) return 0;
  const limit = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count);
  const removed = removeEqual(database, slot, count >= 0, limit, request.view(3));
  if (removed > 0) database.shrunk(key, keyEvents.lrem);
  return removed;
}

function lpos(request: Request, database: ReadableDatabase): Reply {
  let rank = 1;
  let count = -1;
  let scanned = 0;
  let unbounded = false;
  for (let i = 3; i < request.count; i += 2) {
    const hasValue = i + 1 < request.count;
    if (hasValue && request.is(i, 'RANK')) {
      const value = request.int64(i + 1);
      // Redis cannot negate the least integer: it then passes over no match, and takes no count for reached.
      unbounded = value === int64Min;
      rank = unbounded ? -1 : Number(value);
      if (rank === 0) throw errors.rankZero;
    } else if (hasValue && request.is(i, 'COUNT')) {
      const value = request.int64OrUndefined(i + 1);
      if (value === undefined || value < 0) throw errors.countNegative;
      count = Number(value);
    } else if (hasValue && request.is(i, 'MAXLEN')) {
      const value = request.int64OrUndefined(i + 1);
      if (value === undefined || value < 0) throw errors.maxlenNegative;
      scanned = Number(value);
    } else throw errors.syntax;
  }
  const slot = lookupList(database, request.view(1));
  if (slot === ABSENT) return count < 0 ? null : [];
  const element = request.view(2);
  const length = listLength(database, slot);
  const forwards = rank > 0;
  const limit = scanned === 0 ? length : Math.min(scanned, length);
  const wanted = count === 0 || (unbounded && count > 0) ? length : Math.max(count, 1);
  const positions: number[] = [];
  let skip = Math.abs(rank) - 1;
  seekElement(database, slot, forwards ? 0 : length - 1, cursor);
  for (let i = 0; i < limit; i++) {
    if (cursor.equals(element) && skip-- <= 0) {
      positions.push(forwards ? i : length - 1 - i);
      if (positions.length === wanted) break;
    }
    if (forwards) cursor.next();
    else cursor.previous();
  }
  return count < 0 ? (positions[0] ?? null) : positions;
}

export const lists: readonly Command[] = [
  read(
    {
      name: 'lindex',
      arity: 3,
      keys: '1 RO access',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(N), N elements between it and the nearer end',
      summary: 'Returns the element at an index.',
      syntax: 'key index:integer',
    },
    lindex,
  ),
  write(
    {
      name: 'linsert',
      arity: 5,
      flags: ['denyoom'],
      keys: '1 RW insert',
      group: 'list',
      since: '2.2.0',
      complexity: 'O(N), N elements in front of the pivot',
      summary: 'Inserts an element before or after another.',
      syntax: 'key where:<BEFORE | AFTER> pivot element',
    },
    linsert,
  ),
  read(
    {
      name: 'llen',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Returns the length of a list.',
      syntax: 'key',
    },
    llen,
  ),
  write(
    {
      name: 'lmove',
      arity: 5,
      flags: ['denyoom'],
      keys: ['1 RW access delete', '2 RW insert'],
      group: 'list',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Moves an element between two lists and returns it.',
      syntax: 'source:key destination:key#1 wherefrom:<LEFT | RIGHT> whereto:<LEFT | RIGHT>',
    },
    lmove,
  ),
  write(
    {
      name: 'lmpop',
      arity: -4,
      keys: '#1 RW access delete',
      group: 'list',
      since: '7.0.0',
      complexity: 'O(N+M), N keys, M elements popped',
      summary: 'Pops elements from the first list that has any.',
      syntax: 'numkeys:integer key ... where:<LEFT | RIGHT> [COUNT count:integer]',
    },
    lmpop,
  ),
  write(
    {
      name: 'lpop',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'list',
      since: '1.0.0',
      history: [['6.2.0', 'A count.']],
      complexity: 'O(N), N elements popped',
      summary: 'Pops elements from the head of a list.',
      syntax: 'key [count:integer@6.2.0]',
    },
    popFrom(true, 'lpop'),
  ),
  read(
    {
      name: 'lpos',
      arity: -3,
      keys: '1 RO access',
      group: 'list',
      since: '6.0.6',
      complexity: 'O(N), N elements looked at',
      summary: 'Returns the positions of equal elements.',
      syntax: 'key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]',
    },
    lpos,
  ),
  write(
    {
      name: 'lpush',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'list',
      since: '1.0.0',
      history: [['2.4.0', 'Several elements.']],
      complexity: 'O(N), N elements added',
      summary: 'Adds elements to the head of a list, which is created when absent.',
      syntax: 'key element ...',
    },
    pushTo(true, false),
  ),
  write(
    {
      name: 'lpushx',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'list',
      since: '2.2.0',
      history: [['4.0.0', 'Several elements.']],
      complexity: 'O(N), N elements added',
      summary: 'Adds elements to the head of a list that exists.',
      syntax: 'key element ...',
    },
    pushTo(true, true),
  ),
  read(
    {
      name: 'lrange',
      arity: 4,
      keys: '1 RO access',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(S+N), S elements between the range and the nearer end, N returned',
      summary: 'Returns the elements between two indexes, both included.',
      syntax: 'key start:integer stop:integer',
    },
    lrange,
  ),
  write(
    {
      name: 'lrem',
      arity: 4,
      keys: '1 RW delete',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(N+M), N elements looked at, M removed',
      summary: 'Removes elements equal to a value.',
      syntax: 'key count:integer element',
    },
    lrem,
  ),
  write(
    {
      name: 'lset',
      arity: 4,
      flags: ['denyoom'],
      keys: '1 RW update',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(N), N elements between it and the nearer end',
      summary: 'Replaces the element at an index.',
      syntax: 'key index:integer element',
    },
    lset,
  ),
  write(
    {
      name: 'ltrim',
      arity: 4,
      keys: '1 RW delete',
      group: 'list',
      since: '1.0.0',
      complexity: 'O(N), N elements removed',
      summary: 'Keeps the elements between two indexes and removes the others.',
      syntax: 'key start:integer stop:integer',
    },
    ltrim,
  ),
  write(
    {
      name: 'rpop',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'list',
      since: '1.0.0',
      history: [['6.2.0', 'A count.']],
      complexity: 'O(N), N elements popped',
      summary: 'Pops elements from the tail of a list.',
      syntax: 'key [count:integer@6.2.0]',
    },
    popFrom(false, 'rpop'),
  ),
  write(
    {
      name: 'rpoplpush',
      arity: 3,
      flags: ['denyoom'],
      keys: ['1 RW access delete', '2 RW insert'],
      group: 'list',
      since: '1.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`LMOVE` with `RIGHT` and `LEFT`',
      complexity: 'O(1)',
      summary: 'Moves the last element of a list to the head of another and returns it.',
      syntax: 'source:key destination:key#1',
    },
    rpoplpush,
  ),
  write(
    {
      name: 'rpush',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'list',
      since: '1.0.0',
      history: [['2.4.0', 'Several elements.']],
      complexity: 'O(N), N elements added',
      summary: 'Adds elements to the tail of a list, which is created when absent.',
      syntax: 'key element ...',
    },
    pushTo(false, false),
  ),
  write(
    {
      name: 'rpushx',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'list',
      since: '2.2.0',
      history: [['4.0.0', 'Several elements.']],
      complexity: 'O(N), N elements added',
      summary: 'Adds elements to the tail of a list that exists.',
      syntax: 'key element ...',
    },
    pushTo(false, true),
  ),
];
