/**
 * The list commands that wait. Each tries its keys as its plain form does; when all are empty it waits, and
 * runs again once a list comes into being at one of them, then to be served from that key alone.
 */
import { type Command, type WriteContext, write } from '../command/command.js';
import { BLOCKED, NULL_ARRAY, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { lookupList } from '../values/list.js';
import { firstList, moveElement, parseEnd, parseMultiplePop, popElement, popElements } from './lists.js';
import { distinctKeys, parseDeadline } from './waiting.js';

const blockingPop =
  (atHead: boolean) =>
  (request: Request, database: Database, context: WriteContext): Reply => {
    const last = request.count - 2;
    const ready = context.readyKey;
    if (ready !== undefined) {
      const slot = lookupList(database, ready);
      return slot === ABSENT ? BLOCKED : [ready.kept(), popElement(database, ready, slot, atHead)];
    }
    const deadline = parseDeadline(request, last + 1, context.timeMs);
    const at = firstList(request, database, 1, last);
    if (at !== 0) {
      const key = request.view(at);
      return [key.kept(), popElement(database, key, database.find(key), atHead)];
    }
    if (context.inTransaction) return NULL_ARRAY;
    return context.block(request, 'list', distinctKeys(request, 1, last), deadline);
  };

function blmpop(request: Request, database: Database, context: WriteContext): Reply {
  const { firstKey, lastKey, atHead, count } = parseMultiplePop(request, 2);
  const ready = context.readyKey;
  if (ready !== undefined) {
    const slot = lookupList(database, ready);
    return slot === ABSENT ? BLOCKED : [ready.kept(), popElements(database, ready, slot, atHead, count)];
  }
  const deadline = parseDeadline(request, 1, context.timeMs);
  const at = firstList(request, database, firstKey, lastKey);
  if (at !== 0) {
    const key = request.view(at);
    return [key.kept(), popElements(database, key, database.find(key), atHead, count)];
  }
  if (context.inTransaction) return NULL_ARRAY;
  return context.block(request, 'list', distinctKeys(request, firstKey, lastKey), deadline);
}

function blockingMove(
  request: Request,
  database: Database,
  context: WriteContext,
  fromHead: boolean,
  toHead: boolean,
): Reply {
  const deadline =
    context.readyKey === undefined ? parseDeadline(request, request.count - 1, context.timeMs) : 0;
  const source = request.view(1);
  const element = moveElement(database, source, request.view(2), fromHead, toHead);
  if (element !== undefined) return element;
  if (context.readyKey !== undefined) return BLOCKED;
  if (context.inTransaction) return null;
  return context.block(request, 'list', [source.latin1()], deadline);
}

function blmove(request: Request, database: Database, context: WriteContext): Reply {
  const fromHead = parseEnd(request, 3);
  return blockingMove(request, database, context, fromHead, parseEnd(request, 4));
}

function brpoplpush(request: Request, database: Database, context: WriteContext): Reply {
  return blockingMove(request, database, context, false, true);
}

export const blockingLists: readonly Command[] = [
  write(
    {
      name: 'blmove',
      arity: 6,
      flags: ['denyoom', 'noscript', 'blocking'],
      keys: ['1 RW access delete', '2 RW insert'],
      group: 'list',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Moves an element between two lists, waiting for one.',
      syntax: 'source:key destination:key#1 wherefrom:<LEFT | RIGHT> whereto:<LEFT | RIGHT> timeout:double',
    },
    blmove,
  ),
  write(
    {
      name: 'blmpop',
      arity: -5,
      flags: ['blocking'],
      keys: '#2 RW access delete',
      group: 'list',
      since: '7.0.0',
      complexity: 'O(N+M), N keys, M elements popped',
      summary: 'Pops elements from the first list that has any, waiting for one.',
      syntax: 'timeout:double numkeys:integer key ... where:<LEFT | RIGHT> [COUNT count:integer]',
    },
    blmpop,
  ),
  write(
    {
      name: 'blpop',
      arity: -3,
      flags: ['noscript', 'blocking'],
      keys: '1..-2 RW access delete',
      group: 'list',
      since: '2.0.0',
      history: [['6.0.0', 'Fractions of a second as timeout.']],
      complexity: 'O(N), N keys',
      summary: 'Pops the first element of the first list that has any, waiting for one.',
      syntax: 'key ... timeout:double',
    },
    blockingPop(true),
  ),
  write(
    {
      name: 'brpop',
      arity: -3,
      flags: ['noscript', 'blocking'],
      keys: '1..-2 RW access delete',
      group: 'list',
      since: '2.0.0',
      history: [['6.0.0', 'Fractions of a second as timeout.']],
      complexity: 'O(N), N keys',
      summary: 'Pops the last element of the first list that has any, waiting for one.',
      syntax: 'key ... timeout:double',
    },
    blockingPop(false),
  ),
  write(
    {
      name: 'brpoplpush',
      arity: 4,
      flags: ['denyoom', 'noscript', 'blocking'],
      keys: ['1 RW access delete', '2 RW insert'],
      group: 'list',
      since: '2.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`BLMOVE` with `RIGHT` and `LEFT`',
      history: [['6.0.0', 'Fractions of a second as timeout.']],
      complexity: 'O(1)',
      summary: 'Moves the last element of a list to the head of another, waiting for one.',
      syntax: 'source:key destination:key#1 timeout:double',
    },
    brpoplpush,
  ),
];
