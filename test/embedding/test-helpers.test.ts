/** What `Redraft` offers to tests: time, data, faults and what clients sent. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, mock, test } from 'node:test';
import { ErrorReply, type Reply } from '../../engine/index.js';
import { type FaultCount, Redraft, type RedraftOptions } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';

const folders: string[] = [];
function newDirectory(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'redraft-embedding-')));
  return folders.at(-1)!;
}

let redraft: Redraft;
let client: RespClient;

const clientOf = ({ port }: Redraft): Promise<RespClient> => RespClient.connect({ host: '127.0.0.1', port });
const ask = async (...args: string[]): Promise<unknown> => plain(await client.call(...args));

function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.text}`;
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (Array.isArray(reply)) return reply.map(plain);
  if (typeof reply === 'object' && reply !== null && 'text' in reply) return reply.text;
  return reply;
}

before(async () => {
  redraft = await Redraft.start();
});
after(async () => {
  await redraft.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await redraft.faults.clear();
  redraft.commands.stop();
  redraft.commands.clear();
  await redraft.flush();
  client = await clientOf(redraft);
});

const started = async (options: RedraftOptions, use: (node: Redraft) => Promise<void>): Promise<void> => {
  await using node = await Redraft.start(options);
  await use(node);
};

// ---- the clock ----

test('time moves: keys expire, and their times to live shrink', async () => {
  await ask('SET', 'a', '1', 'EX', '100');
  await ask('SET', 'b', '1', 'EX', '200');
  await redraft.clock.advance(99_000);
  assert.equal(await ask('GET', 'a'), '1');
  await redraft.clock.advance(1_001);
  assert.equal(await ask('GET', 'a'), null);
  assert.ok(((await ask('PTTL', 'b')) as number) <= 99_999);
  assert.deepEqual(await redraft.keys(), ['b']);
});

test('what is due is gone when advance() resolves, thousands of keys too', async () => {
  await redraft.load(Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i])), {
    ttlMs: 1000,
  });
  await redraft.clock.advance(1001);
  assert.equal(await ask('DBSIZE'), 0);
});

test('clients that block give up at their own times, in their order', async () => {
  const others = await Promise.all([clientOf(redraft), clientOf(redraft)]);
  const order: string[] = [];
  const waits = [
    others[0].call('BLPOP', 'nothing', '3600').then(() => order.push('hour')),
    others[1].call('BLPOP', 'nothing', '60').then(() => order.push('minute')),
  ];
  while (redraft.server.engine.waiters.size < 2) await ask('PING');
  const beganMs = Date.now();
  await redraft.clock.advance(3_600_001);
  await Promise.all(waits);
  assert.deepEqual(order, ['minute', 'hour']);
  assert.ok(Date.now() - beganMs < 5000);
});

test('ids of streams and TIME follow the clock', () =>
  started({ now: Date.UTC(2030, 0, 1) }, async (node) => {
    node.clock.freeze();
    const other = await clientOf(node);
    const nowMs = node.clock.now;
    assert.ok(nowMs - Date.UTC(2030, 0, 1) < 60_000);
    assert.equal(plain(await other.call('XADD', 's', '*', 'f', 'v')), `${nowMs}-0`);
    await node.clock.setTime(new Date('2031-05-01T00:00:00Z'));
    const id = `${Date.UTC(2031, 4, 1)}-0`;
    assert.equal(plain(await other.call('XADD', 's', '*', 'f', 'v')), id);
    assert.equal((plain(await other.call('TIME')) as string[])[0], `${Date.UTC(2031, 4, 1) / 1000}`);
    await other.call('SET', 'k', 'v', 'PX', '5000');
    assert.equal(await other.call('PTTL', 'k'), 5000);
    node.clock.unfreeze();
    assert.ok(node.clock.now - Date.UTC(2031, 4, 1) < 60_000);
    await assert.rejects(node.clock.setTime(0), { name: 'RangeError', message: /time does not go back/ });
    await assert.rejects(node.clock.advance(-1), RangeError);
    await assert.rejects(node.clock.advance(Number.NaN), RangeError);
  }));

test('CLIENT PAUSE ends when its time has come', async () => {
  const other = await clientOf(redraft);
  await ask('CLIENT', 'PAUSE', '100000', 'WRITE');
  const write = other.call('SET', 'k', 'v');
  await redraft.clock.advance(100_001);
  assert.equal(plain(await write), 'OK');
});

test('a node that was restarted keeps the clock', async () => {
  await started({ dir: newDirectory() }, async (node) => {
    await node.load({ k: 'v' }, { ttlMs: 7_200_000 });
    await node.clock.advance(3_600_000);
    const { now } = node.clock;
    await node.restart();
    assert.ok(node.clock.now >= now);
    assert.ok((await node.ttl('k'))! <= 3_600_000);
  });
});

test('a node lives while the timers of its process are in the hands of a test', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
  try {
    await started({ dir: newDirectory() }, async (node) => {
      await node.load({ k: 'v' }, { ttlMs: 50 });
      assert.equal(await node.get('k'), 'v');
      await node.clock.advance(51);
      assert.equal(await node.get('k'), undefined);
      await node.restart({ downMs: 1 });
    });
  } finally {
    mock.timers.reset();
  }
});

// ---- chance ----

test('a seed makes chance repeat', async () => {
  const runs: unknown[] = [];
  for (const seed of [7, 7, 8]) {
    await started({ seed }, async (node) => {
      await node.load({ s: new Set(Array.from({ length: 500 }, (_, i) => `member ${i}`)) });
      const other = await clientOf(node);
      const popped: unknown[] = [];
      for (let i = 0; i < 10; i++) popped.push(plain(await other.call('SPOP', 's')));
      runs.push(popped);
    });
  }
  assert.deepEqual(runs[0], runs[1]);
  assert.notDeepEqual(runs[0], runs[2]);
  await assert.rejects(Redraft.start({ seed: -1 }), RangeError);
});

// ---- data ----

const data = {
  text: 'grüße',
  bytes: Buffer.from([0xff, 0, 1]),
  list: ['a', 'b'],
  set: new Set(['x', 'y']),
  hash: { name: 'Ann', age: '30', __proto__x: '1' },
  board: new Map([
    ['ann', 1.5],
    ['bob', Number.POSITIVE_INFINITY],
  ]),
  log: [
    { id: '1-1', fields: { a: '1' } },
    { id: '2-0', fields: { b: '2', c: '3' } },
  ],
};

test('what load() sets, dump() gives back, and Redis sees', async () => {
  await redraft.load(data);
  assert.deepEqual(await redraft.dump(), data);
  assert.deepEqual(await redraft.keys({ match: '*s*' }), ['bytes', 'hash', 'list', 'set']);
  assert.deepEqual(await redraft.get('board'), data.board);
  assert.equal(await redraft.get('nothing'), undefined);
  assert.equal(await ask('ZSCORE', 'board', 'ann'), '1.5');
  await redraft.load({ list: ['c'], n: 5, big: 5n }, { db: 3, ttlMs: 1000 });
  assert.deepEqual(await redraft.dump({ db: 3 }), { list: ['c'], n: '5', big: '5' });
  assert.ok((await redraft.ttl('list', { db: 3 }))! <= 1000);
  assert.equal(await redraft.ttl('list'), Number.POSITIVE_INFINITY);
  assert.equal(await redraft.ttl('nothing'), undefined);
  await redraft.load(new Map([['list', []]]));
  assert.equal(await redraft.get('list'), undefined);
});

test('what load() cannot set it refuses, and names it', async () => {
  for (const [value, message] of [
    [undefined, /of 'k' is undefined/],
    [Number.NaN, /of 'k' is NaN/],
    [true, /of 'k' is true/],
    [{ a: { b: 1 } }, /field 'a' of 'k' is an object \(Object\)/],
    [[['a']], /an element of 'k' is an object \(Array\)/],
    [new Map([['a', 'b']]), /a score of 'k'/],
    [new Date(0), /of 'k' is an object \(Date\)/],
  ] as const)
    await assert.rejects(redraft.load({ k: value as never }), { name: 'TypeError', message });
  await assert.rejects(redraft.load({ k: 1 }, { db: 99 }), { name: 'RangeError', message: /no database 99/ });
  await assert.rejects(redraft.get('k', { db: -1 }), RangeError);
  assert.deepEqual(await redraft.keys(), []);
});

test('names that are no UTF-8, and __proto__, come to no harm', async () => {
  await client.call('HSET', 'h', '__proto__', 'x', 'constructor', 'y');
  await client.call('SADD', Buffer.from([0x61, 0xfe]), Buffer.from([0xff]));
  const dump = await redraft.dump();
  assert.deepEqual(Object.entries(dump.h), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  assert.deepEqual(dump['a\\xfe'], new Set([Buffer.from([0xff])]));
});

test('restore() brings back keys of all databases with their times to live; blocked clients wait on', async () => {
  await redraft.load(data);
  await redraft.load({ k: 'v' }, { db: 2, ttlMs: 60_000 });
  const snapshot = redraft.snapshot();
  const other = await clientOf(redraft);
  const popped = other.call('BLPOP', 'queue', '0');
  while (redraft.server.engine.waiters.size < 1) await ask('PING');
  await redraft.clock.advance(50_000);
  await ask('FLUSHALL');
  await ask('SET', 'other', 'x');
  await redraft.restore(snapshot);
  assert.deepEqual(await redraft.dump(), data);
  assert.deepEqual(await redraft.dump({ db: 2 }), { k: 'v' });
  assert.ok((await redraft.ttl('k', { db: 2 }))! > 50_000);
  await ask('RPUSH', 'queue', 'job');
  assert.deepEqual(plain(await popped), ['queue', 'job']);
  await redraft.restore(snapshot);
  await redraft.restore(snapshot);
  assert.deepEqual(await redraft.dump(), data);
});

test('a transaction that watches a key does not survive a restore', async () => {
  await redraft.load({ k: '1' });
  const snapshot = redraft.snapshot();
  await ask('WATCH', 'k');
  await ask('INCR', 'k');
  await redraft.restore(snapshot);
  await ask('MULTI');
  await ask('INCR', 'k');
  assert.equal(await ask('EXEC'), null);
});

// ---- what clients sent ----

test('commands are recorded, and can be filtered', async () => {
  assert.throws(() => redraft.commands.all(), /commands are not recorded/);
  redraft.commands.record();
  await ask('CLIENT', 'SETNAME', 'worker');
  await ask('set', 'user:1', 'x');
  await ask('MGET', 'user:1', 'user:2');
  await ask('SELECT', '1');
  await ask('NOSUCH', 'thing');
  assert.deepEqual(
    redraft.commands.all().map(({ name }) => name),
    ['client setname', 'set', 'mget', 'select', 'nosuch'],
  );
  assert.deepEqual(redraft.commands.args('set'), [['set', 'user:1', 'x']]);
  assert.equal(redraft.commands.count('client'), 1);
  assert.equal(redraft.commands.count({ key: 'user:2' }), 1);
  assert.equal(redraft.commands.count({ key: /^user:/g, client: 'worker' }), 2);
  assert.equal(redraft.commands.last({ when: ({ db }) => db === 1 })?.name, 'nosuch');
  assert.deepEqual(redraft.commands.last('mget')?.keys, ['user:1', 'user:2']);
  assert.throws(() => redraft.commands.all({ comand: 'x' } as never), /no part 'comand'/);
  redraft.commands.record({ limit: 3 });
  for (let i = 0; i < 10; i++) await ask('ECHO', `${i}`);
  assert.deepEqual(
    redraft.commands.args().map(([, word]) => word),
    ['7', '8', '9'],
  );
  assert.equal(redraft.commands.dropped, 12);
});

test('what nobody looks at is not looked at', async () => {
  const { admission } = redraft.server as unknown as { admission: { checks: readonly { name: string }[] } };
  const isWatched = (): boolean => admission.checks.some(({ name }) => name === 'faults');
  assert.equal(isWatched(), false);
  const fault = redraft.faults.fail('OOM', 'set');
  redraft.commands.record();
  assert.equal(isWatched(), true);
  redraft.commands.stop();
  assert.equal(isWatched(), true);
  fault.remove();
  assert.equal(isWatched(), false);
  redraft.faults.fail('OOM', 'set', { times: 1 });
  assert.equal(await ask('SET', 'k', 'v'), "-OOM command not allowed when used memory > 'maxmemory'.");
  assert.equal(isWatched(), false);
});

// ---- faults ----

test('commands fail so often, by name, by key and by what they are', async () => {
  const fault = redraft.faults.fail(
    'ERR out of luck',
    { command: ['get', 'set'], key: /^bad/ },
    { times: 2, after: 1 },
  );
  const replies = [];
  for (const key of ['bad1', 'good', 'bad2', 'bad3', 'bad4']) replies.push(await ask('SET', key, 'v'));
  assert.deepEqual(replies, ['OK', 'OK', '-ERR out of luck', '-ERR out of luck', 'OK']);
  assert.equal(fault.hits, 2);
  redraft.faults.fail('WRONGTYPE no', { when: ({ args }) => args.includes('poison') });
  assert.equal(await ask('LPUSH', 'l', 'poison'), '-WRONGTYPE no');
  assert.equal(await ask('LPUSH', 'l', 'food'), 1);
  for (const text of ['boom', 'ERR', 'err x', 'ERR a\r\nb'])
    assert.throws(() => redraft.faults.fail(text), TypeError, text);
  assert.throws(() => redraft.faults.fail('OOM', 'set', { times: -1 }), RangeError);
});

test("Redis's own errors meet the commands that they would", async () => {
  const table: readonly (readonly [
    Parameters<Redraft['faults']['fail']>[0],
    readonly string[],
    RegExp,
  ][])[0][] = [
    ['LOADING', ['GET', 'k'], /^-LOADING Redis is loading/],
    ['LOADING', ['CLIENT', 'GETNAME'], /^null$/],
    ['READONLY', ['SET', 'k', 'v'], /^-READONLY You can't write/],
    ['READONLY', ['GET', 'k'], /^null$/],
    ['OOM', ['SET', 'k', 'v'], /^-OOM /],
    ['OOM', ['DEL', 'k'], /^0$/],
    ['MISCONF', ['DEL', 'k'], /^-MISCONF /],
    ['BUSY', ['GET', 'k'], /^-BUSY /],
    ['CLUSTERDOWN', ['GET', 'k'], /^-CLUSTERDOWN /],
    ['CLUSTERDOWN', ['PING'], /^PONG$/],
    ['TRYAGAIN', ['MGET', 'a', 'b'], /^-TRYAGAIN /],
    ['NOAUTH', ['PING'], /^-NOAUTH /],
  ];
  for (const [error, command, expected] of table) {
    const fault = redraft.faults.fail(error);
    assert.match(String(await ask(...command)), expected, `${error} ${command.join(' ')}`);
    fault.remove();
  }
  redraft.faults.move('127.0.0.1:7000');
  assert.equal(await ask('GET', '{foo}bar'), '-MOVED 12182 127.0.0.1:7000');
  assert.equal(await ask('PING'), 'PONG');
});

test('an error within MULTI ends the transaction', async () => {
  await ask('MULTI');
  redraft.faults.fail('OOM', 'set', { times: 1 });
  await ask('SET', 'k', 'v');
  assert.match(String(await ask('EXEC')), /^-EXECABORT/);
  assert.equal(await ask('SET', 'k', 'v'), 'OK');
});

test('commands are late, in their order, and counted once', async () => {
  const fault = redraft.faults.delay(50, 'get', { times: 1 });
  redraft.faults.fail('ERR late', 'get', { times: 1 });
  redraft.commands.record();
  const beganMs = performance.now();
  const replies = await Promise.all([ask('SET', 'k', 'v'), ask('GET', 'k'), ask('GET', 'k'), ask('PING')]);
  assert.ok(performance.now() - beganMs >= 49);
  assert.deepEqual(replies, ['OK', '-ERR late', 'v', 'PONG']);
  assert.equal(fault.hits, 1);
  assert.deepEqual(
    redraft.commands.all().map(({ name }) => name),
    ['set', 'get', 'get', 'ping'],
  );
});

/** What a bare socket gets until the connection ends, and how it ends. */
async function converse(requests: string): Promise<string> {
  const socket: Socket = connect({ port: redraft.port, host: '127.0.0.1', allowHalfOpen: true });
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString();
  });
  socket.write(requests);
  await new Promise<void>((resolve) => {
    socket.once('end', () => resolve()).once('error', () => resolve());
  });
  socket.destroy();
  return heard;
}

test('connections break before a command, in place of its reply, or on one side', async () => {
  const [set, times] = ['PING\r\nSET k v\r\n', { times: 1 } satisfies FaultCount];
  redraft.faults.drop('set', times);
  await converse(set);
  assert.equal(await redraft.get('k'), undefined);
  redraft.faults.dropReply('set', times);
  assert.equal(await converse(set), '+PONG\r\n');
  assert.equal(await redraft.get('k'), 'v');
  await redraft.flush();
  redraft.faults.halfClose('set', times);
  assert.equal(await converse(set), '+PONG\r\n');
  while ((await redraft.get('k')) !== 'v') await ask('PING');
});

test('a command may find the node going down, and what came before it there afterwards', async () => {
  for (const dir of [undefined, newDirectory()]) {
    await started({ dir }, async (node) => {
      const [first, other] = [await clientOf(node), await clientOf(node)];
      assert.throws(() => node.faults.restart('incr', { downMs: -1 }), RangeError);
      const fault = node.faults.restart('incr', { after: 1, downMs: 1 });
      const blocked = other.call('BLPOP', 'q', '0');
      assert.equal(await first.call('INCR', 'k'), 1);
      const broken = [first.call('INCR', 'k'), blocked];
      assert.deepEqual(
        (await Promise.allSettled(broken)).map(({ status }) => status),
        ['rejected', 'rejected'],
      );
      const again = await reconnected(node);
      assert.equal(plain(await again.call('GET', 'k')), '1');
      assert.equal(await again.call('INCR', 'k'), 2);
      assert.equal(fault.hits, 1);
    });
  }
});

test('clients are cut off, and new ones refused', async () => {
  await ask('CLIENT', 'SETNAME', 'one');
  const other = await clientOf(redraft);
  assert.equal(redraft.faults.disconnect('two'), 0);
  assert.equal(redraft.faults.disconnect('one'), 1);
  assert.equal(plain(await other.call('PING')), 'PONG');
  redraft.faults.refuseConnections();
  redraft.faults.refuseConnections();
  await assert.rejects(clientOf(redraft), /ECONNREFUSED|no connection|refused/);
  assert.equal(plain(await other.call('PING')), 'PONG');
  await redraft.faults.acceptConnections();
  client = await clientOf(redraft);
  assert.equal(await ask('PING'), 'PONG');
});

/** A client of a node that comes back, once that has loaded what it held. */
async function reconnected(node: Redraft): Promise<RespClient> {
  for (const deadline = performance.now() + 20_000; ; ) {
    try {
      const found = await clientOf(node);
      assert.equal(plain(await found.call('GET', 'nothing')), null);
      return found;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

// ---- life ----

test('restart() breaks all connections and keeps what was acknowledged, with a directory and without', async () => {
  for (const dir of [undefined, newDirectory()]) {
    await started({ dir, recordCommands: true }, async (node) => {
      const first = await clientOf(node);
      await first.call('SET', 'k', 'v');
      const blocked = first.call('BLPOP', 'q', '0');
      const { port } = node;
      node.faults.fail('ERR always', 'ping');
      await Promise.all([assert.rejects(async () => blocked), node.restart()]);
      assert.equal(node.port, port);
      const second = await clientOf(node);
      assert.equal(plain(await second.call('GET', 'k')), 'v');
      assert.equal(plain(await second.call('PING')), '-ERR always');
      assert.equal(node.server.engine.waiters.size, 0);
      assert.equal(node.commands.count('get'), 1);
      await node.restart();
      assert.equal(await node.get('k'), 'v');
    });
  }
});

test('it says how to connect', async () => {
  const { host, port } = redraft;
  assert.deepEqual(redraft.options('ioredis'), { host, port });
  assert.deepEqual(redraft.options('redis'), { socket: { host, port } });
  assert.throws(() => redraft.options('jedis' as never), /'ioredis' and 'redis'/);
  await started({ password: 'a b/c' }, async (node) => {
    assert.equal(node.url, `redis://:a%20b%2Fc@127.0.0.1:${node.port}`);
    assert.deepEqual(node.options('ioredis'), { host, port: node.port, password: 'a b/c' });
    await node.load({ k: 'v' });
    assert.equal(await node.get('k'), 'v');
  });
});

test('a stopped node says so', async () => {
  const node = await Redraft.start();
  await node.stop();
  await assert.rejects(node.restart(), /was stopped/);
  await assert.rejects(node.flush());
  await node[Symbol.asyncDispose]();
});
