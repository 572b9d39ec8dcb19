/**
 * Commands whose effect is not the command itself: what depends on the time, on chance, on who waits, or on
 * the moment at which it is told (https://redis.io/docs/latest/develop/interact/programmability/ calls it
 * effects replication).
 */
import { Double, ErrorReply, type Reply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { STREAM_ENCODING } from '../types/stream.js';
import type { Group } from '../values/stream/group.js';
import { OrderPosition } from '../values/stream/id-order.js';
import type { Stream } from '../values/stream/stream.js';
import { formatId, minId, nextId, parseId, type StreamId } from '../values/stream/stream-id.js';
import type { Word } from './request-writer.js';

/** What a rule writes with, in the database of its command. */
export interface EffectWriter {
  /** The first key that the command has changed (latin1). */
  readonly touchedKey: string;
  command(words: readonly Word[]): void;
  verbatim(request: Request): void;
  /** All keys that the command has changed, as they are now. */
  state(): void;
}

export interface EffectRule {
  /** It changes what no listener of the keyspace is told of. */
  readonly isUnseen: boolean;
  /** It asks for all keys that the command has changed, not only for the first. */
  readonly needsKeys?: boolean;
  /** What {@link write} must know of the state before the command. */
  readonly before?: (request: Request, database: Database) => unknown;
  readonly write: (
    writer: EffectWriter,
    request: Request,
    database: Database,
    reply: Reply,
    before: unknown,
  ) => void;
}

type Write = EffectRule['write'];

const seen = (write: Write): EffectRule => ({ isUnseen: false, write });
const unseen = (write: Write, before?: EffectRule['before']): EffectRule =>
  before === undefined ? { isUnseen: true, write } : { isUnseen: true, write, before };

const asItCame: Write = (writer, request) => writer.verbatim(request);
const stateRule: EffectRule = { isUnseen: false, needsKeys: true, write: (writer) => writer.state() };

/** What answers the same wherever the state is the same. */
const VERBATIM =
  'append bitfield bitop copy decr decrby del flushall flushdb geoadd getdel getset hdel hincrby hmset hset ' +
  'hsetnx incr incrby linsert lmove lmpop lpop lpush lpushx lrem lset ltrim move mset msetnx persist pfadd ' +
  'pfcount pfmerge rename renamenx rpop rpoplpush rpush rpushx sadd sdiffstore setbit setnx setrange ' +
  'sinterstore smove srem sunionstore swapdb unlink xdel zadd zdiffstore zincrby ' +
  'zinterstore zmpop zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank zremrangebyscore ' +
  'zunionstore';
/** The same, of what nobody is told of who listens to keys. */
const VERBATIM_UNSEEN =
  'function|delete function|flush function|load function|restore publish spublish xack ' +
  'xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid xsetid';
/** What changes nothing that a replica has. */
const NOTHING = 'function|kill script|flush script|kill script|load script|debug';

const slotOf = (database: Database, key: View): number => database.findBytes(key.buffer, key.start, key.end);

/** A key has another deadline, or none, or is gone. */
function deadlineOf(writer: EffectWriter, request: Request, database: Database): void {
  const key = request.view(1);
  const slot = slotOf(database, key);
  const deadline = slot === ABSENT ? 0 : database.deadline(slot);
  if (slot === ABSENT) writer.command(['DEL', key]);
  else if (deadline === 0) writer.command(['PERSIST', key]);
  else writer.command(['PEXPIREAT', key, `${deadline}`]);
}

/** A string is set, with its deadline. @param at the argument that has the value */
const setOf =
  (at: number): Write =>
  (writer, request, database) => {
    const key = request.view(1);
    const slot = slotOf(database, key);
    const deadline = slot === ABSENT ? 0 : database.deadline(slot);
    if (slot === ABSENT) writer.command(['DEL', key]);
    else writer.command(['SET', key, request.view(at), ...(deadline === 0 ? [] : ['PXAT', `${deadline}`])]);
  };

function wordOf(reply: Reply): Word {
  if (reply instanceof View || typeof reply === 'string' || Buffer.isBuffer(reply)) return reply;
  if (reply instanceof Double) return reply.text ?? `${reply.value}`;
  if (reply instanceof Status) return reply.text;
  throw new ErrorReply('ERR an effect is no text');
}

const listOf = (reply: Reply): readonly Reply[] =>
  Array.isArray(reply)
    ? reply
    : typeof reply === 'object' && reply !== null && 'items' in reply
      ? (reply.items as readonly Reply[])
      : [reply];

// ---- streams ----

function streamAt(database: Database, key: View): Stream | undefined {
  const slot = slotOf(database, key);
  if (slot === ABSENT || database.encoding(slot) !== STREAM_ENCODING) return undefined;
  return database.object(slot) as Stream;
}

/** The entry has the id that it was given; what was trimmed for it is trimmed by length. */
const added: Write = (writer, request, database, reply) => {
  let at = 2;
  let isTrimmed = false;
  for (;;) {
    if (request.is(at, 'NOMKSTREAM')) at++;
    else if (request.is(at, 'LIMIT')) at += 2;
    else if (request.is(at, 'MAXLEN') || request.is(at, 'MINID')) {
      isTrimmed = true;
      at += request.is(at + 1, '=') || request.is(at + 1, '~') ? 3 : 2;
    } else break;
  }
  const words: Word[] = ['XADD', request.view(1), wordOf(reply)];
  for (let i = at + 1; i < request.count; i++) words.push(request.view(i));
  writer.command(words);
  if (isTrimmed) trimmed(writer, request, database, reply, undefined);
};

const trimmed: Write = (writer, request, database) => {
  const key = request.view(1);
  const stream = streamAt(database, key);
  if (stream !== undefined) writer.command(['XTRIM', key, 'MAXLEN', '=', `${stream.length}`]);
};

const xsetGroup = (writer: EffectWriter, key: View, group: Group): void =>
  writer.command([
    'XGROUP',
    'SETID',
    key,
    group.name,
    formatId(group.lastId),
    'ENTRIESREAD',
    `${group.entriesRead}`,
  ]);

/** Tells a replica of pending entries as they are. */
function claim(
  writer: EffectWriter,
  key: View,
  group: Group,
  ids: readonly StreamId[],
  consumer: string,
): void {
  writer.command(['XGROUP', 'CREATECONSUMER', key, group.name, consumer]);
  let words: Word[] = [];
  let kind = '';
  const flush = (): void => {
    if (words.length === 0) return;
    const [time, count] = kind.split(' ');
    const options = ['TIME', time!, 'RETRYCOUNT', count!, 'FORCE', 'JUSTID'];
    writer.command(['XCLAIM', key, group.name, consumer, '0', ...words, ...options]);
    words = [];
  };
  for (const id of ids) {
    const address = group.pending.find(id);
    if (address === undefined) {
      flush();
      writer.command(['XACK', key, group.name, formatId(id)]);
      continue;
    }
    const next = `${group.timeOf(address)} ${group.countOf(address)}`;
    if (next !== kind) flush();
    kind = next;
    words.push(formatId(id));
  }
  flush();
}

/** XREADGROUP GROUP name consumer ... STREAMS key ... id ...: where keys begin, and how many there are. */
function readKeys(request: Request): { readonly at: number; readonly count: number } {
  let at = 4;
  while (at < request.count && !request.is(at, 'STREAMS')) at += request.is(at, 'NOACK') ? 1 : 2;
  return { at: at + 1, count: Math.max(0, request.count - at - 1) >>> 1 };
}

interface ReadBefore {
  readonly lastId: StreamId;
  readonly hasConsumer: boolean;
}

const beforeRead = (request: Request, database: Database): (ReadBefore | undefined)[] => {
  const { at, count } = readKeys(request);
  return Array.from({ length: count }, (_, i) => {
    const group = streamAt(database, request.view(at + i))?.groups.get(request.latin1(2));
    if (group === undefined) return undefined;
    return { lastId: group.lastId, hasConsumer: group.consumers.get(request.latin1(3)) !== undefined };
  });
};

const read: Write = (writer, request, database, _reply, before) => {
  const { at, count } = readKeys(request);
  const consumer = request.latin1(3);
  for (let i = 0; i < count; i++) {
    const key = request.view(at + i);
    const group = streamAt(database, key)?.groups.get(request.latin1(2));
    const was = (before as (ReadBefore | undefined)[] | undefined)?.[i];
    if (group === undefined || was === undefined) continue;
    const hasMoved = formatId(group.lastId) !== formatId(was.lastId);
    if (!hasMoved && (was.hasConsumer || group.consumers.get(consumer) === undefined)) continue;
    claim(writer, key, group, hasMoved ? pendingBehind(group, was.lastId) : [], consumer);
    if (hasMoved) xsetGroup(writer, key, group);
  }
};

function pendingBehind(group: Group, id: StreamId): StreamId[] {
  const ids: StreamId[] = [];
  const place = new OrderPosition();
  const from = nextId(id);
  if (from === undefined) return ids;
  for (let more = group.pending.seekAtLeast(from, place); more; more = group.pending.next(place))
    ids.push(group.pending.idOf(group.pending.at(place)));
  return ids;
}

/** XCLAIM key group consumer min-idle id ...: what became of each that is named. */
const claimed: Write = (writer, request, database) => {
  const key = request.view(1);
  const group = streamAt(database, key)?.groups.get(request.latin1(2));
  if (group === undefined) return;
  const ids: StreamId[] = [];
  let at = 5;
  for (; at < request.count; at++) {
    const id = parseId(request.latin1(at));
    if (id === undefined) break;
    ids.push(id);
  }
  const consumer = request.latin1(3);
  if (group.consumers.get(consumer) === undefined) return;
  claim(writer, key, group, ownedBy(group, ids, consumer), consumer);
  for (; at < request.count; at++) if (request.is(at, 'LASTID')) xsetGroup(writer, key, group);
};

/** Without those that are pending for somebody else. */
const ownedBy = (group: Group, ids: readonly StreamId[], consumer: string): StreamId[] =>
  ids.filter((id) => {
    const address = group.pending.find(id);
    return address === undefined || group.consumerOf(address).name === consumer;
  });

/** XAUTOCLAIM key group consumer ...: [next id, entries or ids, ids of what is no more]. */
const autoClaimed: Write = (writer, request, database, reply) => {
  const key = request.view(1);
  const group = streamAt(database, key)?.groups.get(request.latin1(2));
  const consumer = request.latin1(3);
  if (group?.consumers.get(consumer) === undefined) return;
  const [, entries = [], gone = []] = listOf(reply);
  const ids = [...listOf(entries), ...listOf(gone)].map((entry) => {
    const word = wordOf(Array.isArray(entry) ? (entry[0] as Reply) : entry);
    const text = typeof word === 'string' ? word : word instanceof View ? word.latin1() : word.latin1Slice();
    return parseId(text) ?? minId;
  });
  claim(writer, key, group!, ids, consumer);
};

// ---- who waited ----

/** What is popped from the one key that had something: a command that does not wait. */
const popped =
  (name: string): Write =>
  (writer) =>
    writer.command([name, writer.touchedKey]);

/** BLMPOP and BZMPOP: timeout, number of keys, keys, then the rest. */
const poppedMany =
  (name: string): Write =>
  (writer, request) => {
    const words: Word[] = [name, '1', writer.touchedKey];
    for (let i = 3 + request.integer(2); i < request.count; i++) words.push(request.view(i));
    writer.command(words);
  };

/** A move whose last argument is how long to wait. */
const moved =
  (name: string): Write =>
  (writer, request) => {
    const words: Word[] = [name];
    for (let i = 1; i < request.count - 1; i++) words.push(request.view(i));
    writer.command(words);
  };

const rules = new Map<string, EffectRule>([
  ...VERBATIM.split(' ').map((name) => [name, seen(asItCame)] as const),
  ...VERBATIM_UNSEEN.split(' ').map((name) => [name, unseen(asItCame)] as const),
  ...NOTHING.split(' ').map((name) => [name, seen(() => {})] as const),
  ['set', seen((...all) => (all[1].count === 3 ? asItCame(...all) : setOf(2)(...all)))],
  ['setex', seen(setOf(3))],
  ['psetex', seen(setOf(3))],
  ...['expire', 'pexpire', 'expireat', 'pexpireat', 'getex'].map((name) => [name, seen(deadlineOf)] as const),
  [
    'incrbyfloat',
    seen((writer, request, _database, reply) =>
      writer.command(['SET', request.view(1), wordOf(reply), 'KEEPTTL']),
    ),
  ],
  [
    'hincrbyfloat',
    seen((writer, request, _database, reply) =>
      writer.command(['HSET', request.view(1), request.view(2), wordOf(reply)]),
    ),
  ],
  [
    'spop',
    seen((writer, request, _database, reply) =>
      writer.command(['SREM', request.view(1), ...listOf(reply).map(wordOf)]),
    ),
  ],
  ['blpop', seen(popped('LPOP'))],
  ['brpop', seen(popped('RPOP'))],
  ['bzpopmin', seen(popped('ZPOPMIN'))],
  ['bzpopmax', seen(popped('ZPOPMAX'))],
  ['blmpop', seen(poppedMany('LMPOP'))],
  ['bzmpop', seen(poppedMany('ZMPOP'))],
  ['blmove', seen(moved('LMOVE'))],
  ['brpoplpush', seen(moved('RPOPLPUSH'))],
  ['xadd', seen(added)],
  ['xtrim', seen(trimmed)],
  ['xreadgroup', unseen(read, beforeRead)],
  ['xclaim', unseen(claimed)],
  ['xautoclaim', unseen(autoClaimed)],
]);

/** How a command is told to a replica, by its full name. */
export const effectRuleOf = (name: string): EffectRule => rules.get(name) ?? stateRule;

/** Whether a command has a rule of its own: for tests. */
export const hasEffectRule = (name: string): boolean => rules.has(name);
