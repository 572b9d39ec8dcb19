/**
 * MIGRATE: keys go to another server, Redraft or Redis, and are deleted here once it has them.
 *
 * Redis stands still meanwhile; here only the connection waits, and the keys may change under it. So each is
 * deleted only if it did not, by an item that names the position up to which that is known: see {@link
 * deleteTransferred}.
 */
import type { SecureContextOptions } from 'node:tls';
import {
  dumpGradually,
  dumpValue,
  ErrorReply,
  errors,
  type GradualReply,
  OK,
  type Reply,
  type Request,
  Status,
  viewOf,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import type { KeyWatch } from '../replication/key-changes.js';
import { replies } from '../replies.js';
import { ConnectionError, RespClient } from '../resp/client.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { NodeContext } from './node-context.js';
import { waiting } from './program-command.js';

const NO_KEY = new Status('NOKEY');
const DEFAULT_TIMEOUT_MS = 1000;
const TIMER_MAX_MS = 0x7fff_ffff;
/** How often a deletion is proposed again because another key of the same bucket changed. */
const DELETION_ATTEMPTS = 20;

interface Order {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly timeoutMs: number;
  readonly copy: boolean;
  readonly replace: boolean;
  /** AUTH's arguments. */
  readonly credentials: readonly string[];
  /** Latin1, as they were given. */
  readonly keys: readonly string[];
}

/** C's atoi. */
const leadingInteger = (text: string): number => Number(/^\s*[+-]?\d+/.exec(text)?.[0] ?? 0);

function parse(request: Request): Order {
  let copy = false;
  let replace = false;
  let credentials: string[] = [];
  let keys = [request.latin1(3)];
  for (let i = 6; i < request.count; i++) {
    const more = request.count - 1 - i;
    if (request.is(i, 'COPY')) copy = true;
    else if (request.is(i, 'REPLACE')) replace = true;
    else if (request.is(i, 'AUTH') && more >= 1) credentials = [request.latin1(++i)];
    else if (request.is(i, 'AUTH2') && more >= 2) credentials = [request.latin1(++i), request.latin1(++i)];
    else if (request.is(i, 'KEYS')) {
      if (request.length(3) > 0) throw replies.migrateKeyAndKeys;
      keys = [];
      while (++i < request.count) keys.push(request.latin1(i));
    } else throw errors.syntax;
  }
  const timeoutMs = request.integer(5);
  const database = String(request.int64(4));
  return {
    host: request.latin1(1),
    port: leadingInteger(request.latin1(2)),
    database,
    timeoutMs: timeoutMs <= 0 ? DEFAULT_TIMEOUT_MS : Math.min(timeoutMs, TIMER_MAX_MS),
    copy,
    replace,
    credentials,
    keys,
  };
}

/** A key on its way. */
interface Parcel<Payload = Buffer> {
  readonly key: string;
  readonly payload: Payload;
  /** What is left of its time, 0 for no deadline. */
  readonly ttlMs: number;
}

/** Those of the keys that are there, with their values as they are now: large ones still to be packed. */
function pack(
  keys: readonly string[],
  databaseId: number,
  server: NodeContext,
): Parcel<Buffer | GradualReply>[] {
  const database = server.engine.keyspace.database(databaseId);
  const parcels: Parcel<Buffer | GradualReply>[] = [];
  for (const key of keys) {
    const slot = database.lookup(viewOf(key));
    if (slot < 0) continue;
    const deadline = database.deadline(slot);
    const left = deadline === 0 ? 0 : deadline - server.timeMs;
    // Due by this node's clock, whatever the log says yet.
    if (left < 0) continue;
    const ttlMs = deadline === 0 ? 0 : Math.max(1, left);
    parcels.push({ key, payload: dumpGradually(database, slot) ?? dumpValue(database, slot), ttlMs });
  }
  return parcels;
}

/** Packs what is large, while the node goes on. Rejects with an error reply. */
function packed(parcels: readonly Parcel<Buffer | GradualReply>[], server: NodeContext): Promise<Parcel[]> {
  return Promise.all(
    parcels.map(async ({ key, payload, ttlMs }) => {
      if (Buffer.isBuffer(payload)) return { key, payload, ttlMs };
      const reply = await server.slices.make(payload, () => true);
      if (reply instanceof ErrorReply) throw reply;
      return { key, payload: reply as Buffer, ttlMs };
    }),
  );
}

/** Runs `step` on a state as fresh as the connection's reads demand. Rejects with an error reply. */
function onFreshState<Result>(connection: Client, server: NodeContext, step: () => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    const run = (): void => {
      try {
        resolve(step());
      } catch (error) {
        reject(error);
      }
    };
    if (server.mayReadNow(connection.consistency, connection.forwardedBy)) run();
    else server.reads.add(run, reject);
  });
}

const isOk = (reply: Reply): boolean => Buffer.isBuffer(reply) && reply.latin1Slice() === 'OK';

interface Transfer {
  /** Keys that the target acknowledged. */
  readonly accepted: Set<string>;
  /** What went wrong first, if anything did. */
  readonly error: ErrorReply | undefined;
}

/** Sends the parcels and takes in what the target says of each. */
async function transfer(
  order: Order,
  parcels: readonly Parcel[],
  tls: SecureContextOptions | undefined,
): Promise<Transfer> {
  const { host, port, timeoutMs, credentials } = order;
  const accepted = new Set<string>();
  if (port < 0 || port > 0xffff) return { accepted, error: replies.migrateConnecting };
  let client: RespClient;
  try {
    client = await RespClient.connect({
      host,
      port,
      tls,
      connectTimeoutMs: timeoutMs,
      replyTimeoutMs: timeoutMs,
    });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    // Redis learns only from its first write that nobody listened.
    const refused = error.code === 'ECONNREFUSED' || error.code === 'EHOSTUNREACH';
    return { accepted, error: refused ? replies.migrateWriting : replies.migrateConnecting };
  }
  const calls: Promise<Reply>[] = [];
  if (credentials.length > 0) calls.push(client.call('AUTH', ...credentials));
  calls.push(client.call('SELECT', order.database));
  const preliminaries = calls.length;
  for (const { key, payload, ttlMs } of parcels) {
    const words = ['RESTORE', key, `${ttlMs}`, payload];
    calls.push(order.replace ? client.call(...words, 'REPLACE') : client.call(...words));
  }
  const results = await Promise.allSettled(calls);
  await client.close();
  let error: ErrorReply | undefined;
  for (let i = 0; i < results.length; i++) {
    const result = results[i];
    if (result.status === 'rejected') {
      if (!(result.reason instanceof ConnectionError)) throw result.reason;
      error ??= replies.migrateReading;
      break;
    }
    if (result.value instanceof ErrorReply) error ??= replies.migrateTarget(result.value.text);
    else if (!isOk(result.value)) error ??= replies.migrateTarget('its reply is neither OK nor an error');
    // Without its AUTH and SELECT nobody knows where a key went.
    else if (i >= preliminaries) accepted.add(parcels[i - preliminaries].key);
    if (i < preliminaries && error !== undefined) break;
  }
  return { accepted, error };
}

/** Proposes a deletion; resolves with what the item answered: for each key 1 when it is gone, else 0. */
function proposeDeletion(
  connection: Client,
  server: NodeContext,
  database: number,
  keys: string[],
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { position } = server.engine.keyspace;
    const request = encodeRequest(keys);
    server.replica.item(
      {
        complete: resolve,
        outcomeUnknown: reject,
        runInTransaction: () => null,
      },
      request.length,
      (builder) => builder.deleteUnchanged(connection.session, database, position, request),
    );
  });
}

/**
 * Deletes those of the keys that have not changed since the watch began. This node knows that exactly for
 * what it has applied; for what may be applied before the deletion itself, the marks of WATCH decide, and a
 * false alarm is cleared by proposing again.
 *
 * @returns how many keys stay because they changed
 */
async function deleteTransferred(
  connection: Client,
  server: NodeContext,
  watch: KeyWatch,
  keys: ReadonlySet<string>,
): Promise<number> {
  let left = [...keys];
  let changed = 0;
  for (let attempt = 0; attempt < DELETION_ATTEMPTS; attempt++) {
    const before = left.length;
    left = left.filter((key) => !watch.hasChanged(key));
    changed += before - left.length;
    if (left.length === 0) return changed;
    const outcomes = await proposeDeletion(connection, server, watch.database, left);
    if (outcomes instanceof ErrorReply) throw outcomes;
    left = left.filter((_, i) => (outcomes as number[])[i] === 0);
    if (left.length === 0) return changed;
  }
  return changed + left.length;
}

async function migrate(order: Order, connection: Client, server: NodeContext): Promise<Reply> {
  const { database } = connection;
  let watch: KeyWatch | undefined;
  try {
    const found = await onFreshState(connection, server, () => {
      if (!order.copy) watch = server.keyChanges.watch(database, new Set(order.keys));
      return pack(order.keys, database, server);
    });
    if (found.length === 0) return NO_KEY;
    const parcels = await packed(found, server);
    const { accepted, error } = await transfer(order, parcels, server.tls?.dialing);
    if (watch !== undefined) {
      const changed = await deleteTransferred(connection, server, watch, accepted);
      if (changed > 0) return error ?? replies.migrateChanged(accepted.size, changed);
    }
    return error ?? OK;
  } finally {
    watch?.end();
  }
}

function startMigrate(request: Request, connection: Client, server: NodeContext): Promise<Reply> | Reply {
  const refusal = server.refuseWrite(false);
  if (refusal !== undefined) return refusal;
  return migrate(parse(request), connection, server);
}

export const migrateCommands = [
  waiting(
    {
      name: 'migrate',
      arity: -6,
      flags: ['write'],
      keys: ['3 RW access delete', 'KEYS@-2..-1 RW access delete incomplete'],
      categories: ['keyspace', 'dangerous'],
      group: 'generic',
      since: '2.6.0',
      tips: ['nondeterministic_output'],
      history: [
        ['3.0.0', 'COPY and REPLACE.'],
        ['3.0.6', 'KEYS.'],
        ['4.0.7', 'AUTH.'],
        ['6.0.0', 'AUTH2.'],
      ],
      complexity: 'O(N), N bytes serialized and sent',
      summary: 'Moves keys to another server.',
      syntax:
        'host port:integer key_or_empty_string:<key | empty_string=""> destination-db:integer timeout:integer [COPY@3.0.0] [REPLACE@3.0.0] [authentication:<[AUTH password@4.0.7] | [AUTH2 (username password)@6.0.0]>] [KEYS key:key#1@3.0.6 ...]',
    },
    startMigrate,
  ),
];
