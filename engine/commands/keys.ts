/** Keys whatever their type: which are there, and their deletion. */
import { type ReadContext, read, write } from '../command/command.js';
import { globMatches, matchesEverything } from '../glob.js';
import { type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { valueTypes } from '../types/index.js';
import { parseCursor, parseScanOptions, scanReply, scanSlots } from './scan.js';

const view = new View();

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

/** Every row of the family. */
export const keyCommands = [
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
];
