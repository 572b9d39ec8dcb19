/**
 * MIGRATE between two nodes, against a target that misbehaves, and both ways with a real redis-server where
 * one is installed.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { installedRedisVersion, startRedis } from '../../../conformance/servers.js';
import { ErrorReply, type Reply } from '../../../engine/index.js';
import { Redraft, type RedraftOptions } from '../../../src/index.js';
import { RespClient } from '../../../src/resp/client.js';

type Call = (...words: (string | Uint8Array)[]) => Promise<unknown>;

/** Replies as plain values: bulk and status strings as text, errors as text behind `!`. */
function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `!${reply.text}`;
  if (Buffer.isBuffer(reply)) return reply.latin1Slice();
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

async function clientOf(t: TestContext, port: number): Promise<Call> {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  t.after(() => client.close());
  return async (...words) => plain(await client.call(...words));
}

async function start(t: TestContext, options: RedraftOptions = {}): Promise<{ call: Call; port: string }> {
  const redraft = await Redraft.start(options);
  t.after(() => redraft.stop());
  return { call: await clientOf(t, redraft.port), port: `${redraft.port}` };
}

/** A target that does with each chunk it gets what `receive` says. */
async function startFake(
  t: TestContext,
  receive: (socket: Socket, chunk: Buffer) => void,
): Promise<{ port: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => receive(socket, chunk));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: `${(server.address() as AddressInfo).port}` };
}

const HOST = '127.0.0.1';
const one = (port: string, key: string, ...options: string[]): string[] => [
  ...['MIGRATE', HOST, port, key, '0', '5000'],
  ...options,
];
const many = (port: string, keys: string[], ...options: string[]): string[] => [
  ...one(port, '', ...options),
  'KEYS',
  ...keys,
];

test('a key moves with its value and its time; others stay', async (t) => {
  const source = await start(t);
  const target = await start(t);
  await source.call('RPUSH', 'list', 'a', 'b');
  await source.call('PEXPIRE', 'list', '100000');
  await source.call('SET', 'other', 'x');
  assert.equal(await source.call(...one(target.port, 'none')), 'NOKEY');
  assert.equal(await source.call(...one(target.port, 'list')), 'OK');
  assert.equal(await source.call('EXISTS', 'list'), 0);
  assert.equal(await source.call('GET', 'other'), 'x');
  assert.deepEqual(await target.call('LRANGE', 'list', '0', '-1'), ['a', 'b']);
  const left = await target.call('PTTL', 'list');
  assert.ok(typeof left === 'number' && left > 90_000 && left <= 100_000, `${left}`);
});

test('databases, COPY, REPLACE, KEYS', async (t) => {
  const source = await start(t);
  const target = await start(t);
  await source.call('SELECT', '2');
  await source.call('MSET', 'a', '1', 'b', '2', 'c', '3');
  assert.equal(await source.call('MIGRATE', HOST, target.port, 'a', '5', '0', 'COPY'), 'OK');
  assert.equal(await source.call('GET', 'a'), '1');
  const busy = '!ERR Target instance replied with error: BUSYKEY Target key name already exists.';
  const keys = ['KEYS', 'a', 'b', 'none'];
  assert.equal(await source.call('MIGRATE', HOST, target.port, '', '5', '0', ...keys), busy);
  // What the target took is gone, what it refused is not.
  assert.deepEqual(await source.call('KEYS', '*'), ['a', 'c']);
  assert.equal(await source.call('MIGRATE', HOST, target.port, '', '5', '0', 'REPLACE', ...keys), 'OK');
  assert.deepEqual(await source.call('KEYS', '*'), ['c']);
  await target.call('SELECT', '5');
  assert.deepEqual(await target.call('MGET', 'a', 'b', 'c'), ['1', '2', null]);
  assert.equal(
    await source.call('MIGRATE', HOST, target.port, 'c', '99', '0'),
    '!ERR Target instance replied with error: ERR DB index is out of range',
  );
  assert.equal(await source.call('GET', 'c'), '3');
});

test('two thousand keys, many of which share a mark', async (t) => {
  const source = await start(t);
  const target = await start(t);
  const keys = Array.from({ length: 2000 }, (_, i) => `key ${i}`);
  await source.call('MSET', ...keys.flatMap((key) => [key, 'v']));
  assert.equal(await source.call(...many(target.port, keys)), 'OK');
  assert.equal(await source.call('DBSIZE'), 0);
  assert.equal(await target.call('DBSIZE'), 2000);
});

test('AUTH and AUTH2', async (t) => {
  const source = await start(t);
  const target = await start(t, { password: 'secret' });
  await target.call('AUTH', 'secret');
  await source.call('MSET', 'a', '1', 'b', '2');
  const error = '!ERR Target instance replied with error: ';
  assert.equal(await source.call(...one(target.port, 'a')), `${error}NOAUTH Authentication required.`);
  assert.equal(
    await source.call(...one(target.port, 'a', 'AUTH', 'wrong')),
    `${error}WRONGPASS invalid username-password pair or user is disabled.`,
  );
  assert.equal(await source.call('GET', 'a'), '1');
  assert.equal(await source.call(...one(target.port, 'a', 'AUTH', 'secret')), 'OK');
  assert.equal(await source.call(...one(target.port, 'b', 'AUTH2', 'default', 'secret')), 'OK');
  assert.deepEqual(await target.call('MGET', 'a', 'b'), ['1', '2']);
  assert.equal(await source.call('DBSIZE'), 0);
});

test('a key that changes while the target takes its time stays, and the reply says so', async (t) => {
  const source = await start(t);
  const second = await clientOf(t, Number(source.port));
  let received: () => void = () => {};
  let finish: () => void = () => {};
  const { port } = await startFake(t, (socket) => {
    finish = () => socket.write('+OK\r\n+OK\r\n+OK\r\n+OK\r\n');
    received();
  });
  /** Migrates x, y and z, and lets `change` run while they are under way. */
  const during = async (change: () => Promise<unknown>): Promise<unknown> => {
    await source.call('MSET', 'x', '1', 'y', '2', 'z', '3');
    const arrived = new Promise<void>((resolve) => {
      received = resolve;
    });
    const outcome = source.call(...many(port, ['x', 'y', 'z']));
    await arrived;
    await change();
    finish();
    return outcome;
  };
  assert.equal(await during(() => second('PING')), 'OK');
  assert.equal(await source.call('DBSIZE'), 0);
  const changed = (count: number): string =>
    `!ERR Target instance took 3 keys, but ${count} of them changed here meanwhile and were not deleted`;
  assert.equal(await during(() => second('APPEND', 'y', '!')), changed(1));
  assert.deepEqual(await source.call('MGET', 'x', 'y', 'z'), [null, '2!', null]);
  assert.equal(await during(() => second('PEXPIRE', 'z', '100000')), changed(1));
  assert.equal(await during(() => second('SWAPDB', '0', '1')), changed(3));
  assert.equal(await during(() => second('FLUSHALL')), changed(3));
  // Writes to other keys, however many, are no reason.
  const others = Array.from({ length: 5000 }, (_, i) => [`other ${i}`, 'v']).flat();
  assert.equal(await during(() => second('MSET', ...others)), 'OK');
  assert.equal(await source.call('EXISTS', 'x', 'y', 'z'), 0);
});

test('targets that refuse, hang up or say nothing: no key is lost', async (t) => {
  const source = await start(t);
  await source.call('MSET', 'a', '1', 'b', '2');
  const closes = await startFake(t, (socket) => socket.destroy());
  const answersOne = await startFake(t, (socket) => socket.end('+OK\r\n+OK\r\n'));
  const silent = await startFake(t, () => {});
  const odd = await startFake(t, (socket) => socket.write(':1\r\n:2\r\n'));
  const listener = createServer().listen(0, HOST);
  await once(listener, 'listening');
  const closedPort = `${(listener.address() as AddressInfo).port}`;
  listener.close();
  await once(listener, 'close');
  const writing = '!IOERR error or timeout writing to target instance';
  const reading = '!IOERR error or timeout reading to target instance';
  assert.equal(await source.call(...one(closedPort, 'a')), writing);
  assert.equal(
    await source.call('MIGRATE', HOST, '99999', 'a', '0', '100'),
    '!IOERR error or timeout connecting to the client',
  );
  assert.equal(await source.call(...one(closes.port, 'a')), reading);
  assert.equal(await source.call('MIGRATE', HOST, silent.port, 'a', '0', '50'), reading);
  assert.match(String(await source.call(...one(odd.port, 'a'))), /^!ERR Target instance replied with error/);
  assert.deepEqual(await source.call('MGET', 'a', 'b'), ['1', '2']);
  // The first was taken before the connection broke.
  assert.equal(await source.call(...many(answersOne.port, ['a', 'b'])), reading);
  assert.deepEqual(await source.call('MGET', 'a', 'b'), [null, '2']);
});

test('only its own connection waits, pipelined requests keep their order, and MULTI refuses it', async (t) => {
  const source = await start(t);
  const second = await clientOf(t, Number(source.port));
  let finish: (socket: Socket) => void = () => {};
  const asked = new Promise<Socket>((resolve) => {
    finish = resolve;
  });
  const { port } = await startFake(t, (socket) => finish(socket));
  await source.call('SET', 'k', '1');
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  const pipeline = [
    source.call(...one(port, 'k')).then(note('migrate')),
    source.call('EXISTS', 'k').then((count) => order.push(`exists ${count}`)),
  ];
  const socket = await asked;
  assert.equal(await second('GET', 'k'), '1');
  assert.deepEqual(order, []);
  socket.write('+OK\r\n+OK\r\n');
  await Promise.all(pipeline);
  assert.deepEqual(order, ['migrate', 'exists 0']);
  assert.equal(await source.call('MULTI'), 'OK');
  assert.equal(await source.call(...one(port, 'k')), '!ERR Command not allowed inside a transaction');
  assert.match(String(await source.call('EXEC')), /^!EXECABORT/);
});

test('to itself it neither hangs nor loses the key', async (t) => {
  const { call, port } = await start(t);
  await call('SET', 'k', '1');
  assert.match(String(await call(...one(port, 'k'))), /BUSYKEY/);
  assert.match(String(await call(...one(port, 'k', 'REPLACE'))), /1 of them changed here/);
  assert.equal(await call('GET', 'k'), '1');
});

const version = installedRedisVersion();
test('there and back with redis-server', async (t) => {
  const here = await start(t);
  await here.call('SET', 'string', 'x'.repeat(100));
  await here.call('RPUSH', 'list', ...Array.from({ length: 2000 }, (_, i) => `item ${i}`));
  await here.call('SADD', 'ints', '1', '2', '3');
  await here.call('SADD', 'set', 'a', 'b');
  await here.call('HSET', 'hash', 'f', 'v');
  await here.call('ZADD', 'zset', '1.5', 'a', '-2', 'b');
  const keys = ['string', 'list', 'ints', 'set', 'hash', 'zset'];
  const dumps = async (call: Call): Promise<unknown[]> => Promise.all(keys.map((key) => call('DUMP', key)));
  const before = await dumps(here.call);
  assert.ok(before.every((payload) => typeof payload === 'string' && payload.length > 10));
  if (version === undefined) {
    t.diagnostic('no redis-server is installed: the values go to another Redraft instead');
    const other = await start(t);
    assert.equal(await here.call(...many(other.port, keys)), 'OK');
    assert.deepEqual(await dumps(other.call), before);
    return;
  }
  const redis = await startRedis();
  t.after(() => redis.stop());
  const there = await clientOf(t, redis.port);
  assert.equal(await here.call(...many(`${redis.port}`, keys)), 'OK');
  assert.equal(await here.call('DBSIZE'), 0);
  assert.equal(await there('DBSIZE'), keys.length);
  assert.equal(await there('LINDEX', 'list', '1999'), 'item 1999');
  assert.equal(await there(...many(here.port, keys)), 'OK');
  assert.equal(await there('DBSIZE'), 0);
  assert.deepEqual(await here.call('LRANGE', 'list', '0', '1'), ['item 0', 'item 1']);
  assert.deepEqual(((await here.call('SMEMBERS', 'set')) as string[]).sort(), ['a', 'b']);
  // Sets of strings come back in Redis's order; all else is as it was.
  const after = await dumps(here.call);
  for (const [i, key] of keys.entries()) if (key !== 'set') assert.equal(after[i], before[i], key);
});
