/** XINFO: what a stream, its groups and their consumers look like. */
import { containerHelp } from '../command/catalog-replies.js';
import { type Command, container, other, type ReadContext, read } from '../command/command.js';
import { CommandCatalog } from '../command/facts.js';
import { errors } from '../protocol/errors.js';
import { MapReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { ReadableDatabase } from '../storage/database.js';
import { type Consumer, type Group, UNKNOWN_COUNT } from '../values/stream/group.js';
import { type IdOrder, OrderPosition } from '../values/stream/id-order.js';
import type { Stream } from '../values/stream/stream.js';
import { formatId, maxId, minId } from '../values/stream/stream-id.js';
import { readStream } from './stream-arguments.js';
import { entriesOf } from './streams.js';

const place = new OrderPosition();

/** How many entries FULL shows of each list when it is not told. */
const FULL_COUNT = 10;

function existingStream(request: Request, database: ReadableDatabase): Stream {
  const stream = readStream(database, request.view(2));
  if (stream === undefined) throw errors.noSuchKey;
  return stream;
}

function streamFacts(stream: Stream): Reply[] {
  return [
    ...['length', stream.length],
    ...['radix-tree-keys', stream.nodes.size, 'radix-tree-nodes', stream.radixTreeNodes],
    ...['last-generated-id', formatId(stream.lastId)],
    ...['max-deleted-entry-id', formatId(stream.maxDeletedId)],
    ...['entries-added', stream.entriesAdded],
    ...['recorded-first-entry-id', formatId(stream.firstId)],
  ];
}

function stream(request: Request, database: ReadableDatabase): Reply {
  const found = existingStream(request, database);
  let count: number | undefined;
  if (request.count > 3) {
    const hasCount = request.count === 6 && request.is(4, 'COUNT');
    if (!request.is(3, 'FULL') || (request.count > 4 && !hasCount))
      throw errors.subcommandSyntax(request.latin1(1), 'XINFO');
    count = hasCount ? request.integer(5) : FULL_COUNT;
    if (count < 0) count = FULL_COUNT;
  }
  return count === undefined ? summaryOf(found) : fullOf(found, count);
}

function summaryOf(found: Stream): Reply {
  const edge = (isReverse: boolean): Reply => entriesOf(found, minId, maxId, isReverse, 1)[0] ?? null;
  return new MapReply([
    ...streamFacts(found),
    ...['groups', found.groups.size],
    ...['first-entry', edge(false), 'last-entry', edge(true)],
  ]);
}

/** With at most `count` entries of each list, 0 for all. */
function fullOf(found: Stream, count: number): Reply {
  const limit = count === 0 ? -1 : count;
  return new MapReply([
    ...streamFacts(found),
    'entries',
    entriesOf(found, minId, maxId, false, limit),
    'groups',
    [...found.groups.values()].map((group) => fullGroup(found, group, limit)),
  ]);
}

function pendingOf(order: IdOrder, limit: number, describe: (address: number) => Reply): Reply[] {
  const replies: Reply[] = [];
  for (let more = order.toFirst(place); more && replies.length !== limit; more = order.next(place))
    replies.push(describe(order.at(place)));
  return replies;
}

const entriesRead = ({ entriesRead: read }: Group): Reply => (read === UNKNOWN_COUNT ? null : read);

function fullGroup(found: Stream, group: Group, limit: number): Reply {
  const { pending } = group;
  return new MapReply([
    ...['name', group.name, 'last-delivered-id', formatId(group.lastId)],
    ...['entries-read', entriesRead(group), 'lag', found.lagOf(group) ?? null],
    ...['pel-count', pending.size],
    'pending',
    pendingOf(pending, limit, (address) => [
      formatId(pending.idOf(address)),
      group.consumerOf(address).name,
      group.timeOf(address),
      group.countOf(address),
    ]),
    'consumers',
    [...group.consumers.values()].map((consumer) => fullConsumer(group, consumer, limit)),
  ]);
}

function fullConsumer(group: Group, { name, seenMs, pending }: Consumer, limit: number): Reply {
  return new MapReply([
    ...['name', name, 'seen-time', seenMs, 'pel-count', pending.size],
    'pending',
    pendingOf(pending, limit, (address) => [
      formatId(pending.idOf(address)),
      group.timeOf(address),
      group.countOf(address),
    ]),
  ]);
}

function groups(request: Request, database: ReadableDatabase): Reply {
  const found = existingStream(request, database);
  return [...found.groups.values()].map(
    (group) =>
      new MapReply([
        ...['name', group.name, 'consumers', group.consumers.size, 'pending', group.pending.size],
        ...['last-delivered-id', formatId(group.lastId)],
        ...['entries-read', entriesRead(group), 'lag', found.lagOf(group) ?? null],
      ]),
  );
}

function consumers(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  const group = existingStream(request, database).groups.get(request.latin1(3));
  if (group === undefined) throw errors.streamNoSuchGroup(request.latin1(3), request.latin1(2));
  return [...group.consumers.values()].map(
    ({ name, pending, seenMs }) =>
      new MapReply(['name', name, 'pending', pending.size, 'idle', Math.max(0, context.timeMs - seenMs)]),
  );
}

const help = (): Reply => containerHelp(new CommandCatalog([xinfo]).get('xinfo')!);

const xinfo = container(
  {
    name: 'xinfo',
    arity: -2,
    group: 'stream',
    since: '5.0.0',
    complexity: 'Depends on the subcommand',
    summary: 'Looks at streams, groups and consumers.',
  },
  [
    read(
      {
        name: 'xinfo|consumers',
        arity: 4,
        keys: '2 RO access',
        group: 'stream',
        since: '5.0.0',
        tips: ['nondeterministic_output'],
        complexity: 'O(N), N consumers',
        summary: 'Describes the consumers of a group.',
        syntax: 'key groupname',
      },
      consumers,
    ),
    read(
      {
        name: 'xinfo|groups',
        arity: 3,
        keys: '2 RO access',
        group: 'stream',
        since: '5.0.0',
        history: [['7.0.0', '`entries-read` and `lag`.']],
        complexity: 'O(N), N groups',
        summary: 'Describes the groups of a stream.',
        syntax: 'key',
      },
      groups,
    ),
    other(
      {
        name: 'xinfo|help',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'stream',
        since: '5.0.0',
        complexity: 'O(1)',
        summary: 'Lists the subcommands.',
      },
      { run: help, ordered: false },
    ),
    read(
      {
        name: 'xinfo|stream',
        arity: -3,
        keys: '2 RO access',
        group: 'stream',
        since: '5.0.0',
        history: [
          ['6.0.0', 'FULL.'],
          [
            '7.0.0',
            '`max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`.',
          ],
        ],
        complexity: 'O(N), N nodes after a change of them; with FULL O(M) besides, M entries shown',
        summary: 'Describes a stream.',
        syntax: 'key [FULL full:([COUNT count:integer])]',
      },
      stream,
    ),
  ],
);

export const streamInfo: readonly Command[] = [xinfo];
