/** Values that get another key, or the same one in another database: RENAME, MOVE, COPY. */
import { type WriteContext, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { copyBig, valueTypes } from '../types/index.js';

const view = new View();

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

/** Every row of the family. */
export const keyMoves = [
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
];
