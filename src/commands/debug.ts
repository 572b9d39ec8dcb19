/**
 * DEBUG: for tests and for looking inside. Allowed from loopback, as Redis does with `enable-debug-command
 * local`; `yes` allows it from anywhere.
 */
import { getHeapSpaceStatistics } from 'node:v8';
import {
  Attributed,
  BigNumber,
  Bool,
  Double,
  type Engine,
  ErrorReply,
  errors,
  listLength,
  MapReply,
  OK,
  Push,
  type Quicklist,
  type Reply,
  type Request,
  RequestBuilder,
  SetReply,
  Status,
  Verbatim,
  View,
  valueTypes,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { parseMemory } from '../config/parameter-types.js';
import { isLocal } from '../net/socket-addresses.js';
import { DatasetDigest } from '../observability/dataset-digest.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { NodeContext } from './node-context.js';
import { ordered, type ProgramReply } from './program-command.js';

interface Subcommand {
  /** Arguments behind the subcommand: at least, at most. */
  readonly arity: readonly [minimum: number, maximum: number];
  readonly syntax: string;
  readonly summary: string;
  readonly run: (request: Request, connection: Client, server: NodeContext) => ProgramReply;
}

// ---- keys ----

/** Slot and database of the key at argument 2. Throws when there is none. */
function findKey(request: Request, connection: Client, server: NodeContext) {
  const database = server.engine.keyspace.database(connection.database);
  const slot = database.find(request.view(2));
  if (slot < 0) throw errors.noSuchKey;
  return { database, slot };
}

/**
 * Bytes of the key's DUMP payload without its type, version and checksum; what it takes in memory where there
 * is no DUMP.
 */
function serializedLength(engine: Engine, database: number, key: View, slot: number): number {
  const builder = new RequestBuilder().start().latin1('DUMP').bytes(key.copy());
  const row = engine.table.resolve(builder.request);
  if (row instanceof ErrorReply) return engine.keyspace.database(database).slotBytes(slot);
  const payload = engine.read(row, builder.request, database, 0);
  return (payload as Buffer | View).length - 11;
}

function object(request: Request, connection: Client, server: NodeContext): Reply {
  const { engine } = server;
  const { database, slot } = findKey(request, connection, server);
  const idleSeconds = database.idleSeconds(slot);
  const clock = database.accessClock(slot) & 0xffffff;
  const encoding = valueTypes.encodingName(database.encoding(slot));
  let text = `Value at:0x${slot.toString(16).padStart(12, '0')} refcount:1 encoding:${encoding}`;
  text += ` serializedlength:${serializedLength(engine, connection.database, request.view(2), slot)}`;
  text += ` lru:${clock} lru_seconds_idle:${idleSeconds}`;
  database.setAccessClock(slot, clock);
  if (database.type(slot) === 'list') text += describeList(database, slot, engine);
  return new Status(text);
}

function describeList(
  database: ReturnType<Engine['keyspace']['database']>,
  slot: number,
  { keyspace }: Engine,
): string {
  const length = listLength(database, slot);
  let nodes = 1;
  let bytes = database.valueLength(slot);
  if (valueTypes.isBig(database.encoding(slot))) {
    const list = database.object(slot) as Quicklist;
    nodes = list.chunkCount;
    bytes = list.memoryBytes;
  }
  return ` ql_nodes:${nodes} ql_avg_node:${(length / nodes).toFixed(2)} ql_listpack_max:${
    keyspace.settings['list-max-listpack-size']
  } ql_compressed:0 ql_uncompressed_size:${bytes}`;
}

function digestValues(request: Request, connection: Client, server: NodeContext): Reply {
  const digest = new DatasetDigest(server.engine);
  const values: Reply[] = [];
  for (let i = 2; i < request.count; i++) {
    values.push(new Status(digest.ofValue(connection.database, request.view(i))));
  }
  return values;
}

/** Whether the value of a key is kept in one packed form, as a question with the answer in words. */
function listpack(request: Request, connection: Client, server: NodeContext): Reply {
  const { database, slot } = findKey(request, connection, server);
  if (valueTypes.encodingName(database.encoding(slot)) !== 'listpack')
    throw new ErrorReply('ERR Not a listpack encoded object.');
  return new Status(`Listpack of ${database.valueLength(slot)} bytes`);
}

function quicklist(request: Request, connection: Client, server: NodeContext): Reply {
  const { database, slot } = findKey(request, connection, server);
  if (database.type(slot) !== 'list') throw new ErrorReply('ERR Not a quicklist encoded object.');
  return new Status(describeList(database, slot, server.engine).trim());
}

function stringLengths(request: Request, connection: Client, server: NodeContext): Reply {
  const { database, slot } = findKey(request, connection, server);
  if (database.type(slot) !== 'string') throw new ErrorReply('ERR Not an sds encoded string.');
  const value = database.stringAt(slot, new View()).length;
  const key = request.length(2);
  return new Status(
    `key_sds_len:${key}, key_sds_avail:0, key_zmalloc: ${key}, val_sds_len:${value}, val_sds_avail:0, val_zmalloc: ${value}`,
  );
}

/** Keys that one entry takes in DEBUG POPULATE: the event loop turns in between. */
const POPULATED_PER_ENTRY = 5000;

/**
 * Strings `key:0`, `key:1`, ...; those that exist stay as they are. They go through the log, as all writes
 * do.
 */
async function populate(request: Request, connection: Client, server: NodeContext): Promise<Reply> {
  const count = request.int64OrUndefined(2);
  if (count === undefined || count < 0) throw errors.mustBePositive;
  const prefix = request.count > 3 ? request.latin1(3) : 'key';
  const size = request.count > 4 ? request.int64OrUndefined(4) : 0;
  if (size === undefined || size < 0) throw errors.mustBePositive;
  const { session, database } = connection;
  for (let next = 0; next < count; ) {
    const refusal = server.refuseWrite(true);
    if (refusal !== undefined) return refusal;
    const end = Math.min(Number(count), next + POPULATED_PER_ENTRY);
    let last: Promise<Reply> | undefined;
    for (; next < end; next++) {
      const text = `value:${next}`;
      const value = size === 0 ? text : text.slice(0, Number(size)).padEnd(Number(size), '\0');
      const bytes = encodeRequest(['SETNX', `${prefix}:${next}`, value]);
      last = server.proposeItem(bytes.length, (builder) =>
        builder.command(session, database, bytes, 0, bytes.length),
      );
    }
    await last;
  }
  return OK;
}

// ---- the server ----

function sleep(request: Request): Reply {
  const milliseconds = Number.parseFloat(request.latin1(2)) * 1000;
  // The whole process stands still, which is what it is for.
  if (milliseconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  return OK;
}

/** Whether due keys are deleted before a command meets them is state: it decides what commands see. */
function setActiveExpire(request: Request, connection: Client, server: NodeContext): ProgramReply {
  const refusal = server.refuseWrite(false);
  if (refusal !== undefined) throw refusal;
  const setting = encodeRequest(['active-expire', Number.parseInt(request.latin1(2), 10) ? '1' : '0']);
  return server.proposeItem(setting.length, (builder) => builder.configure(connection.session, setting));
}

async function reload(request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  let save = true;
  for (let i = 2; i < request.count; i++) {
    if (request.is(i, 'NOSAVE')) save = false;
    else if (!request.is(i, 'MERGE') && !request.is(i, 'NOFLUSH')) {
      throw new ErrorReply('ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.');
    }
  }
  if (save) await server.takeSnapshot();
  server.reload();
  return OK;
}

function protocol(request: Request, connection: Client): Reply {
  switch (request.option(2)) {
    case 'STRING':
      return 'Hello World';
    case 'INTEGER':
      return 12345;
    case 'DOUBLE':
      // biome-ignore lint/suspicious/noApproximativeNumericConstant: Redis's own test value.
      return new Double(3.141);
    case 'NULL':
      return null;
    case 'ARRAY':
      return [0, 1, 2];
    case 'SET':
      return new SetReply([0, 1, 2]);
    case 'MAP':
      return new MapReply([0, new Bool(false), 1, new Bool(true), 2, new Bool(false)]);
    case 'ATTRIB':
      return new Attributed(['key-popularity', ['key:123', 90]], 'Some real reply following the attribute');
    case 'PUSH':
      if (connection.protocol === 2) throw new ErrorReply('ERR RESP2 is not supported by this command');
      connection.answer(new Push(['server-cpu-usage', 42]));
      return 'Some real reply following the push reply';
    case 'BIGNUM':
      return new BigNumber('1234567999999999999999999999999999999');
    case 'TRUE':
      return new Bool(true);
    case 'FALSE':
      return new Bool(false);
    case 'VERBATIM':
      return new Verbatim('txt', 'This is a verbatim\nstring');
    default:
      throw new ErrorReply(
        'ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
      );
  }
}

/** Lists need no threshold for elements that get a node of their own; the value is checked as Redis does. */
function packedThreshold(request: Request): Reply {
  const bytes = parseMemory(request.latin1(2));
  if (bytes === undefined || bytes >= 1n << 32n) {
    throw new ErrorReply('ERR argument must be a memory value bigger than 1 and smaller than 4gb');
  }
  return OK;
}

function log(request: Request, _connection: Client, server: NodeContext): Reply {
  server.log.warning(`DEBUG LOG: ${request.latin1(2)}`, { event: 'debug-log' });
  return OK;
}

function tableStatistics(request: Request, _connection: Client, server: NodeContext): Reply {
  const id = request.int64OrUndefined(2);
  const { keyspace } = server.engine;
  if (id === undefined) throw errors.notInteger;
  if (id < 0 || id >= keyspace.settings.databases) throw new ErrorReply('ERR Out of range database');
  const database = keyspace.database(Number(id));
  return new Verbatim(
    'txt',
    `[Dictionary HT]\n number of elements: ${database.size}\n overhead bytes: ${database.overheadBytes}\n[Expires HT]\n number of elements: ${database.expiringCount}\n`,
  );
}

/** What V8 keeps in which part of its heap. */
function heapMap(): Reply {
  return getHeapSpaceStatistics().map(
    ({ space_name, space_used_size, space_size }) =>
      new Status(`${space_name}: ${space_used_size} bytes of ${space_size}`),
  );
}

/**
 * Digest of the whole state with its order and settings, and the index that it belongs to: equal on all
 * members at an equal index.
 */
const stateDigest = (_request: Request, _connection: Client, { engine }: NodeContext): Reply => [
  engine.appliedIndex,
  engine.digest(),
];

const ok = (): Reply => OK;

const subcommands: ReadonlyMap<string, Subcommand> = new Map(
  Object.entries({
    'CHANGE-REPL-ID': {
      arity: [0, 0],
      syntax: '',
      summary: 'Does nothing: a cluster keeps its id.',
      run: ok,
    },
    DIGEST: {
      arity: [0, 0],
      syntax: '',
      summary: "Digest of all keys and values; equal to Redis's for equal data.",
      run: (_request, _connection, server) => new Status(new DatasetDigest(server.engine).ofAll()),
    },
    'DIGEST-VALUE': {
      arity: [1, Number.POSITIVE_INFINITY],
      syntax: 'key [key ...]',
      summary: 'Digests of the values of keys.',
      run: digestValues,
    },
    ERROR: {
      arity: [1, 1],
      syntax: 'text',
      summary: 'Answers the error.',
      run: (request) => new ErrorReply(request.latin1(2)),
    },
    HTSTATS: {
      arity: [1, 2],
      syntax: 'database',
      summary: 'Size of the tables of a database.',
      run: tableStatistics,
    },
    JMAP: {
      arity: [0, 0],
      syntax: '',
      summary: 'Memory by the spaces of the JavaScript heap.',
      run: heapMap,
    },
    LISTPACK: { arity: [1, 1], syntax: 'key', summary: 'Size of a packed value.', run: listpack },
    LOG: { arity: [1, 1], syntax: 'text', summary: 'Writes a line into the log of the server.', run: log },
    OBJECT: { arity: [1, 2], syntax: 'key', summary: 'How the value of a key is kept.', run: object },
    'PAUSE-CRON': {
      arity: [1, 1],
      syntax: '0|1',
      summary: 'Does nothing: there is no periodic work to stop.',
      run: ok,
    },
    POPULATE: {
      arity: [1, 3],
      syntax: 'count [prefix [size]]',
      summary: 'Makes so many string keys.',
      run: populate,
    },
    PROTOCOL: {
      arity: [1, 1],
      syntax: 'type',
      summary: 'Answers a value of a type of the protocol.',
      run: protocol,
    },
    QUICKLIST: { arity: [1, 2], syntax: 'key', summary: 'How a list is kept.', run: quicklist },
    'QUICKLIST-PACKED-THRESHOLD': {
      arity: [1, 1],
      syntax: 'bytes',
      summary: 'Checks the value; lists need no such threshold.',
      run: packedThreshold,
    },
    RELOAD: {
      arity: [0, Number.POSITIVE_INFINITY],
      syntax: '[NOSAVE]',
      summary: 'Takes a snapshot, and goes on with the state that it restores.',
      run: reload,
    },
    SDSLEN: { arity: [1, 1], syntax: 'key', summary: 'Lengths of a key and its string.', run: stringLengths },
    'SET-ACTIVE-EXPIRE': {
      arity: [1, 1],
      syntax: '0|1',
      summary: 'Whether due keys are deleted before a command meets them.',
      run: setActiveExpire,
    },
    'SET-SKIP-CHECKSUM-VALIDATION': {
      arity: [1, 1],
      syntax: '0|1',
      summary: 'Does nothing: checksums are always checked.',
      run: ok,
    },
    SLEEP: { arity: [1, 1], syntax: 'seconds', summary: 'The process stands still.', run: sleep },
    'STATE-DIGEST': {
      arity: [0, 0],
      syntax: '',
      summary: 'Index and digest of the replicated state: equal on all members at an equal index.',
      run: stateDigest,
    },
  } satisfies Record<string, Subcommand>),
);

function help(): Reply {
  const lines = ['DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:'];
  for (const [name, { syntax, summary }] of subcommands) {
    lines.push(`${name} ${syntax}`.trimEnd(), `    ${summary}`);
  }
  lines.push('HELP', '    Lists the subcommands.');
  return lines.map((line) => new Status(line));
}

function debug(request: Request, connection: Client, server: NodeContext): ProgramReply {
  const allowed = server.configuration.text('enable-debug-command');
  if (allowed === 'no' || (allowed === 'local' && !isLocal(connection.socket))) throw replies.debugNotAllowed;
  const name = request.option(1);
  if (name === 'HELP' && request.count === 2) return help();
  const subcommand = subcommands.get(name);
  const given = request.count - 2;
  if (subcommand === undefined || given < subcommand.arity[0] || given > subcommand.arity[1]) {
    throw replies.unknownArguments(request.latin1(1), 'DEBUG');
  }
  return subcommand.run(request, connection, server);
}

/** Every row of the family. */
export const debugCommands = [
  ordered(
    {
      name: 'debug',
      arity: -2,
      flags: ['admin', 'noscript', 'loading', 'stale'],
      group: 'server',
      since: '1.0.0',
      docFlags: ['syscmd'],
      complexity: 'Depends on the subcommand',
      summary: 'Helps to test and debug the server.',
    },
    debug,
  ),
];
