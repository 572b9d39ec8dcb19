/** HyperLogLogs: strings in the form that values/hyperloglog/format.ts describes. */
import { read, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { estimate } from '../values/hyperloglog/cardinality.js';
import { HyperLogLogEditor } from '../values/hyperloglog/editor.js';
import {
  cachedCardinality,
  denseRegister,
  describeRuns,
  emptyHyperLogLog,
  isDense,
  isHyperLogLog,
  registerCount,
} from '../values/hyperloglog/format.js';
import { HyperLogLogUnion } from '../values/hyperloglog/union.js';

const value = new View();

/** The HyperLogLog in `slot`. Throws WRONGTYPE when it is none. */
function hyperLogLogAt(database: ReadableDatabase, slot: Slot): View {
  const { buffer, start, length } = database.stringAt(slot, value);
  if (!isHyperLogLog(buffer, start, length)) throw errors.notHyperLogLog;
  return value;
}

/** Opens the HyperLogLog at a key for changes in place; a new one when `slot` is ABSENT. */
function edit(database: Database, slot: Slot, key: View): HyperLogLogEditor {
  const maxBytes = database.keyspace.settings['hll-sparse-max-bytes'];
  let at = slot;
  if (at === ABSENT) {
    const empty = emptyHyperLogLog();
    at = database.setRawString(key, value.on(empty, 0, empty.length));
  }
  const { length } = hyperLogLogAt(database, at);
  const { buffer, start } = database.editString(at, length, 0, length, value);
  return new HyperLogLogEditor(buffer, start, length, maxBytes);
}

/** Stores what the editor made, unless the bytes were changed where they lie. */
function finish(database: Database, key: View, editor: HyperLogLogEditor): void {
  if (editor.inPlace) return;
  const { buffer, start, length } = editor;
  database.setRawString(key, value.on(buffer, start, start + length), true);
}

function pfadd(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = database.lookup(key);
  if (slot !== ABSENT) hyperLogLogAt(database, slot);
  const editor = edit(database, slot, key);
  let rose = slot === ABSENT;
  let corrupt = false;
  for (let i = 2; i < request.count && !corrupt; i++) {
    const { buffer, start, length } = request.view(i);
    const result = editor.add(buffer, start, length);
    if (result === undefined) corrupt = true;
    else if (result) rose = true;
  }
  // As in Redis, elements before the one that met the damage stay.
  if (rose && !corrupt) editor.invalidate();
  finish(database, key, editor);
  if (rose) database.changed(key, keyEvents.pfadd);
  return corrupt ? errors.corruptHyperLogLog : rose ? 1 : 0;
}

/** Merges the HyperLogLogs at arguments from `first` on. Throws when one is none or corrupt. */
function union(request: Request, database: ReadableDatabase, first: number): HyperLogLogUnion {
  const merged = new HyperLogLogUnion();
  for (let i = first; i < request.count; i++) {
    const slot = database.lookup(request.view(i));
    if (slot === ABSENT) continue;
    const { buffer, start, length } = hyperLogLogAt(database, slot);
    if (!merged.merge(buffer, start, length)) throw errors.corruptHyperLogLog;
  }
  return merged;
}

/**
 * A read, which stores nothing: where Redis would write the estimate of a single key into the value's header,
 * here the header goes on to say that it is stale. PFCOUNT thus runs on any node and takes no place in the
 * log; the estimate is the same.
 */
function pfcount(request: Request, database: ReadableDatabase): Reply {
  if (request.count > 2) return union(request, database, 1).estimate();
  const slot = database.lookup(request.view(1));
  if (slot === ABSENT) return 0;
  const { buffer, start, length } = hyperLogLogAt(database, slot);
  const count = cachedCardinality(buffer, start) ?? estimate(buffer, start, length);
  if (count === undefined) throw errors.corruptHyperLogLog;
  return count;
}

function pfmerge(request: Request, database: Database): Reply {
  const merged = union(request, database, 1);
  const key = request.view(1);
  const editor = edit(database, database.find(key), key);
  merged.writeTo(editor);
  finish(database, key, editor);
  database.changed(key, keyEvents.pfadd);
  return OK;
}

function pfdebug(request: Request, database: Database): Reply {
  const key = request.view(2);
  const slot = database.lookup(key);
  if (slot === ABSENT) throw errors.specifiedKeyAbsent;
  const { buffer, start, length } = hyperLogLogAt(database, slot);
  switch (request.option(1)) {
    case 'GETREG': {
      const dense = makeDense(database, slot, key);
      const registers: number[] = [];
      for (let i = 0; i < registerCount; i++) registers.push(denseRegister(dense.buffer, dense.start, i));
      return registers;
    }
    case 'DECODE':
      if (isDense(buffer, start)) throw errors.hyperLogLogNotSparse;
      return describeRuns(buffer, start, length);
    case 'ENCODING':
      return new Status(isDense(buffer, start) ? 'dense' : 'sparse');
    case 'TODENSE': {
      if (isDense(buffer, start)) return 0;
      makeDense(database, slot, key);
      return 1;
    }
    default:
      throw errors.unknownPfdebug(request.latin1(1));
  }
}

/** Gives a HyperLogLog its dense form. Throws when it is corrupt. */
function makeDense(database: Database, slot: Slot, key: View): HyperLogLogEditor {
  const editor = edit(database, slot, key);
  if (!editor.makeDense()) throw errors.corruptHyperLogLog;
  if (!editor.inPlace) {
    finish(database, key, editor);
    database.changed(key, undefined);
  }
  return editor;
}

/** Every row of the family; PFSELFTEST, which has no key, is the program's. */
export const hyperLogLogs = [
  write(
    {
      name: 'pfadd',
      arity: -2,
      flags: ['denyoom', 'fast'],
      keys: '1 RW insert',
      group: 'hyperloglog',
      since: '2.8.9',
      complexity: 'O(N), N elements added',
      summary: 'Adds elements to a HyperLogLog, which is created when absent.',
      syntax: 'key [element ...]',
    },
    pfadd,
  ),
  read(
    {
      name: 'pfcount',
      arity: -2,
      keys: '1..-1 RW access; It may store the estimate in the value.',
      group: 'hyperloglog',
      since: '2.8.9',
      complexity: 'O(N), N keys',
      summary: 'Estimates how many distinct elements HyperLogLogs have seen.',
      syntax: 'key ...',
    },
    pfcount,
  ),
  write(
    {
      name: 'pfdebug',
      arity: 3,
      flags: ['denyoom', 'admin'],
      keys: '2 RW access',
      group: 'hyperloglog',
      since: '2.8.9',
      docFlags: ['syscmd'],
      complexity: 'Depends on the subcommand',
      summary: 'Shows the inside of a HyperLogLog.',
      syntax: 'subcommand key',
    },
    pfdebug,
  ),
  write(
    {
      name: 'pfmerge',
      arity: -2,
      flags: ['denyoom'],
      keys: ['1 RW access insert', '2..-1 RO access'],
      group: 'hyperloglog',
      since: '2.8.9',
      complexity: 'O(N), N keys',
      summary: 'Merges HyperLogLogs into one.',
      syntax: 'destkey:key sourcekey:key#1 ...',
    },
    pfmerge,
  ),
];
