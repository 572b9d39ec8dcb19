/** Consumer groups: XGROUP and XACK. What is pending and claimed stands in stream-pending.ts. */
import { containerHelp } from '../command/catalog-replies.js';
import { type Command, container, other, type WriteContext, write } from '../command/command.js';
import { CommandCatalog } from '../command/facts.js';
import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database } from '../storage/database.js';
import { keyEvents } from '../storage/key-events.js';
import { STREAM_ENCODING } from '../types/stream.js';
import { type Group, UNKNOWN_COUNT } from '../values/stream/group.js';
import type { Stream } from '../values/stream/stream.js';
import { maxId, minId, type StreamId } from '../values/stream/stream-id.js';
import { streamId, writableStream } from './stream-arguments.js';
import { consumerOf } from './stream-reads.js';
import { createStream, idsFrom } from './streams.js';

interface GroupOptions {
  makesStream: boolean;
  entriesRead: Int64;
}

/** Options of CREATE and SETID, from argument 5 on. */
function parseGroupOptions(request: Request, creates: boolean): GroupOptions {
  const options: GroupOptions = { makesStream: false, entriesRead: UNKNOWN_COUNT };
  for (let i = 5; i < request.count; i++) {
    if (creates && request.is(i, 'MKSTREAM')) options.makesStream = true;
    else if (request.is(i, 'ENTRIESREAD') && i + 1 < request.count) {
      options.entriesRead = request.int64(++i);
      if (options.entriesRead < UNKNOWN_COUNT) throw errors.streamEntriesRead;
    } else throw errors.subcommandSyntax(request.latin1(1), 'XGROUP');
  }
  return options;
}

/** The stream at argument 2, which must be there. */
function existingStream(request: Request, database: Database): Stream {
  const stream = writableStream(database, request.view(2));
  if (stream === undefined) throw errors.streamKeyNeeded;
  return stream;
}

function existingGroup(request: Request, stream: Stream): Group {
  const group = stream.groups.get(request.latin1(3));
  if (group === undefined) throw errors.streamNoSuchGroup(request.latin1(3), request.latin1(2));
  return group;
}

/** Argument 4 as an id, `$` being the stream's last. */
function groupId(request: Request, stream: Stream | undefined): StreamId {
  return request.is(4, '$') ? (stream?.lastId ?? minId) : streamId(request, 4);
}

/** Notes a change that WATCH does not see, as in Redis. */
function touched(database: Database, stream: Stream): void {
  stream.changedAt = database.keyspace.position;
}

function create(request: Request, database: Database): Reply {
  const { makesStream, entriesRead } = parseGroupOptions(request, true);
  const key = request.view(2);
  let stream = writableStream(database, key);
  if (stream === undefined && !makesStream) throw errors.streamKeyNeeded;
  const id = groupId(request, stream);
  if (stream === undefined) {
    stream = createStream(database, key);
    database.changed(key, undefined);
  }
  const name = request.latin1(3);
  if (stream.groups.has(name)) return errors.streamGroupExists;
  stream.addGroup(name, id, entriesRead);
  touched(database, stream);
  database.happened(key, keyEvents.xgroupCreate);
  return OK;
}

/** SETID takes the ends of an interval too. */
function anyGroupId(request: Request, stream: Stream): StreamId {
  if (request.is(4, '-')) return minId;
  return request.is(4, '+') ? maxId : groupId(request, stream);
}

function setid(request: Request, database: Database): Reply {
  const { entriesRead } = parseGroupOptions(request, false);
  const stream = existingStream(request, database);
  const group = existingGroup(request, stream);
  stream.moveGroup(group, anyGroupId(request, stream), entriesRead);
  touched(database, stream);
  database.happened(request.view(2), keyEvents.xgroupSetid);
  return OK;
}

function destroy(request: Request, database: Database): Reply {
  const stream = existingStream(request, database);
  const group = stream.groups.get(request.latin1(3));
  if (group === undefined) return 0;
  stream.removeGroup(group);
  touched(database, stream);
  const key = request.view(2);
  database.happened(key, keyEvents.xgroupDestroy);
  // Who waits in the group is to be told.
  database.keyspace.created(database, key, STREAM_ENCODING);
  return 1;
}

function createconsumer(request: Request, database: Database, context: WriteContext): Reply {
  const stream = existingStream(request, database);
  const group = existingGroup(request, stream);
  const name = request.latin1(4);
  if (group.consumers.has(name)) return 0;
  consumerOf(database, request.view(2), stream, group, name, context.timeMs);
  return 1;
}

function delconsumer(request: Request, database: Database): Reply {
  const stream = existingStream(request, database);
  const group = existingGroup(request, stream);
  const consumer = group.consumers.get(request.latin1(4));
  if (consumer === undefined) return 0;
  touched(database, stream);
  const pending = group.removeConsumer(consumer, stream.observer);
  database.happened(request.view(2), keyEvents.xgroupDelconsumer);
  return pending;
}

function xack(request: Request, database: Database): Reply {
  const stream = writableStream(database, request.view(1));
  const group = stream?.groups.get(request.latin1(2));
  if (stream === undefined || group === undefined) return 0;
  let acknowledged = 0;
  for (const id of idsFrom(request, 3)) if (group.removePending(id, stream.observer)) acknowledged++;
  if (acknowledged > 0) touched(database, stream);
  return acknowledged;
}

const help = (): Reply => containerHelp(new CommandCatalog([xgroup]).get('xgroup')!);

const xgroup = container(
  {
    name: 'xgroup',
    arity: -2,
    group: 'stream',
    since: '5.0.0',
    complexity: 'Depends on the subcommand',
    summary: 'Manages consumer groups.',
  },
  [
    write(
      {
        name: 'xgroup|create',
        arity: -5,
        flags: ['denyoom'],
        keys: '2 RW insert',
        group: 'stream',
        since: '5.0.0',
        history: [['7.0.0', 'ENTRIESREAD.']],
        complexity: 'O(1)',
        summary: 'Creates a consumer group.',
        syntax: 'key groupname id:<id | new_id="$"> [MKSTREAM] [ENTRIESREAD entries_read:integer]',
      },
      create,
    ),
    write(
      {
        name: 'xgroup|createconsumer',
        arity: 5,
        flags: ['denyoom'],
        keys: '2 RW insert',
        group: 'stream',
        since: '6.2.0',
        complexity: 'O(1)',
        summary: 'Adds a consumer to a group.',
        syntax: 'key groupname consumername',
      },
      createconsumer,
    ),
    write(
      {
        name: 'xgroup|delconsumer',
        arity: 5,
        keys: '2 RW delete',
        group: 'stream',
        since: '5.0.0',
        complexity: 'O(N*log(M)), N of the M pending entries being those of the consumer',
        summary: 'Removes a consumer and returns how many entries were pending for it.',
        syntax: 'key groupname consumername',
      },
      delconsumer,
    ),
    write(
      {
        name: 'xgroup|destroy',
        arity: 4,
        keys: '2 RW delete',
        group: 'stream',
        since: '5.0.0',
        complexity: 'O(1), and O(N) in the background for N pending entries',
        summary: 'Removes a consumer group.',
        syntax: 'key groupname',
      },
      destroy,
    ),
    other(
      {
        name: 'xgroup|help',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'stream',
        since: '5.0.0',
        complexity: 'O(1)',
        summary: 'Lists the subcommands.',
      },
      { run: help, ordered: false },
    ),
    write(
      {
        name: 'xgroup|setid',
        arity: -5,
        keys: '2 RW update',
        group: 'stream',
        since: '5.0.0',
        history: [['7.0.0', 'ENTRIESREAD.']],
        complexity: 'O(1)',
        summary: 'Sets the id behind which a group reads.',
        syntax: 'key groupname id:<id | new_id="$"> [ENTRIESREAD entries_read:integer]',
      },
      setid,
    ),
  ],
);

export const streamGroups: readonly Command[] = [
  write(
    {
      name: 'xack',
      arity: -4,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(log(N)) an id, N pending entries',
      summary: 'Acknowledges entries and returns how many were pending.',
      syntax: 'key group id ...',
    },
    xack,
  ),
  xgroup,
];
