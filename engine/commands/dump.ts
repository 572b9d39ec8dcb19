/**
 * DUMP and RESTORE: values as bytes that every redis-server of version 7.0 takes and gives. MIGRATE, which
 * asks another server, is the program's.
 */
import { type Command, type ReadContext, read, type WriteContext, write } from '../command/command.js';
import { createFromDump, dumpGradually, dumpValue, readDump } from '../dump/payload.js';
import { isIntactDump } from '../dump/rdb-reader.js';
import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';

function dump(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  const slot = database.lookup(request.view(1));
  if (slot === ABSENT) return null;
  if (context.prolong !== undefined) {
    const gradual = dumpGradually(database, slot);
    if (gradual !== undefined) return context.prolong(gradual);
  }
  return dumpValue(database, slot);
}

const NOT_GIVEN = -1;

interface RestoreOptions {
  replace: boolean;
  absolute: boolean;
  idleSeconds: number;
  frequency: number;
}

function parseOptions(request: Request): RestoreOptions {
  const options = { replace: false, absolute: false, idleSeconds: NOT_GIVEN, frequency: NOT_GIVEN };
  for (let i = 4; i < request.count; i++) {
    const hasMore = i + 1 < request.count;
    if (request.is(i, 'REPLACE')) options.replace = true;
    else if (request.is(i, 'ABSTTL')) options.absolute = true;
    else if (request.is(i, 'IDLETIME') && hasMore && options.frequency === NOT_GIVEN) {
      options.idleSeconds = request.integer(++i);
      if (options.idleSeconds < 0) throw errors.invalidIdleTime;
    } else if (request.is(i, 'FREQ') && hasMore && options.idleSeconds === NOT_GIVEN) {
      options.frequency = request.integer(++i);
      if (options.frequency < 0 || options.frequency > 255) throw errors.invalidFrequency;
    } else throw errors.syntax;
  }
  return options;
}

/**
 * The deadline that a ttl of 1 and more means; Redis's sum wraps around at 64 bits, which makes it one in the
 * past.
 */
function deadlineOf(ttl: Int64, absolute: boolean, nowMs: number): number {
  return Number(BigInt.asIntN(64, BigInt(ttl) + (absolute ? 0n : BigInt(nowMs))));
}

function restore(request: Request, database: Database, context: WriteContext): Reply {
  const options = parseOptions(request);
  const key = request.view(1);
  let slot = database.find(key);
  if (slot !== ABSENT && !options.replace) throw errors.busyKey;
  const ttl = request.int64(2);
  if (ttl < 0) throw errors.invalidTtl;
  const payload = request.view(3);
  if (!isIntactDump(payload.buffer, payload.start, payload.end)) throw errors.dumpFooter;
  const value = readDump(payload.buffer, payload.start, payload.end);
  if (!('rdbType' in value)) throw errors.dumpCorrupt;
  const deadline = ttl === 0 ? 0 : deadlineOf(ttl, options.absolute, context.timeMs);
  const isPast = ttl !== 0 && deadline <= context.timeMs;
  if (slot !== ABSENT) database.delete(slot);
  if (!isPast) {
    createFromDump(database, key, value);
    slot = database.find(key);
    if (deadline !== 0) database.setDeadline(slot, deadline);
    noteAccess(database, slot, options);
  } else if (slot === ABSENT) return OK;
  database.changed(key, isPast ? keyEvents.del : keyEvents.restore);
  return OK;
}

/**
 * Sets the access word, which is this node's own: of the two options the one that its eviction policy goes
 * by.
 */
function noteAccess(database: Database, slot: number, { idleSeconds, frequency }: RestoreOptions): void {
  const { clockSeconds, countsFrequency, frequency: counters } = database.keyspace;
  if (countsFrequency && frequency !== NOT_GIVEN)
    database.setAccessClock(slot, counters.withCounter(frequency, clockSeconds));
  if (!countsFrequency && idleSeconds !== NOT_GIVEN)
    database.setAccessClock(slot, Math.max(0, clockSeconds - idleSeconds));
}

export const dumps: readonly Command[] = [
  read(
    {
      name: 'dump',
      arity: 2,
      keys: '1 RO access',
      group: 'generic',
      since: '2.6.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(N), N bytes serialized',
      summary: 'Returns a value in serialized form, for RESTORE.',
      syntax: 'key',
    },
    dump,
  ),
  write(
    {
      name: 'restore',
      arity: -4,
      flags: ['denyoom'],
      keys: '1 OW update',
      categories: ['keyspace', 'dangerous'],
      group: 'generic',
      since: '2.6.0',
      history: [
        ['3.0.0', 'REPLACE.'],
        ['5.0.0', 'ABSTTL.'],
        ['5.0.0', 'IDLETIME and FREQ.'],
      ],
      complexity: 'O(N), N bytes; O(N*log(N)) for N members of a sorted set',
      summary: 'Creates a key from the serialized form that DUMP returned.',
      syntax:
        'key ttl:integer serialized-value [REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds:integer@5.0.0] [FREQ frequency:integer@5.0.0]',
    },
    restore,
  ),
];
