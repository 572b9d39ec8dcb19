/**
 * Nothing that a stranger sends, however deep or long, overflows the stack: it is refused or answered, and
 * the node goes on.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { Engine, ErrorReply } from '../../engine/index.js';
import { restoreEngine } from '../../engine/snapshot/restore.js';
import {
  decodeMessages,
  decodeValue,
  encodeMessages,
  encodeValue,
  MalformedMessage,
} from '../../raft/node/peer/peer-codec.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { withNode } from './commands/test-node.js';

const MANY = 150_000;
const deep = 1_000_000;
const many = (prefix: string): string[] => Array.from({ length: MANY }, (_, i) => `${prefix}${i}`);

/** One value, in CBOR, inside a million others. */
const nested: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['arrays', Buffer.concat([Buffer.alloc(deep, 0x81), Buffer.of(0)])],
  ['maps', Buffer.concat([Buffer.alloc(2 * deep, Buffer.of(0xa1, 0)), Buffer.of(0)])],
  ['tags', Buffer.alloc(deep, 0xc1)],
  ['arrays without an end', Buffer.alloc(deep, 0x9f)],
];

for (const [what, bytes] of nested) {
  test(`nested ${what} of a peer are malformed, and the next message is read`, () => {
    assert.throws(() => decodeValue(bytes), MalformedMessage);
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    assert.throws(() => decodeMessages(Buffer.concat([head, bytes]), 1, 2), MalformedMessage);
    const heartbeat = {
      type: 'heartbeat',
      from: 1,
      to: 2,
      term: 3,
      round: 4,
      sentTick: 5,
      commit: 6,
    } as const;
    const sent = Buffer.concat(encodeMessages([heartbeat]));
    assert.deepEqual(decodeMessages(sent, 1, 2), [heartbeat]);
    assert.deepEqual(decodeValue(encodeValue({ kind: 'who' })), { kind: 'who' });
  });

  test(`nested ${what} in a snapshot are refused`, () => {
    assert.throws(() => restoreEngine(bytes), /record 0/);
  });
}

test('a server to which keys are moved cannot overflow the stack by nested replies', () =>
  withNode(async (t) => {
    const hostile = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('*1\r\n'.repeat(deep)));
    });
    hostile.listen(0, '127.0.0.1');
    await once(hostile, 'listening');
    const { port } = hostile.address() as AddressInfo;
    const client = await t.connect();
    await client.call('SET', 'k', 'v');
    const reply = await client.call('MIGRATE', '127.0.0.1', `${port}`, 'k', '0', '2000');
    assert.ok(reply instanceof ErrorReply);
    assert.match(reply.text, /^IOERR/);
    assert.equal(String(await client.call('GET', 'k')), 'v');
    hostile.close();
  }));

test('nested requests of a client are protocol errors', () =>
  withNode(async (t) => {
    const socket = connect(t.redraft.port, '127.0.0.1');
    socket.write('*1\r\n'.repeat(deep));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^-ERR Protocol error/);
    socket.destroy();
  }));

test('many of whatever may be many', () =>
  withNode(async (t) => {
    const end = async (...commands: readonly (readonly string[])[]): Promise<string> => {
      const socket = connect(t.redraft.port, '127.0.0.1');
      for (const command of [...commands, ['PING']]) socket.write(encodeRequest(command));
      let heard = '';
      while (!heard.endsWith('+PONG\r\n')) {
        const [chunk] = (await once(socket, 'data')) as [Buffer];
        heard = (heard + chunk.toString('latin1')).slice(-100);
      }
      socket.destroy();
      return heard;
    };
    const tracking = [
      ['HELLO', '3'],
      ['CLIENT', 'TRACKING', 'ON'],
    ];
    assert.match(await end(...tracking, ['MULTI'], ['MGET', ...many('k')], ['EXEC']), /(_\r\n){10}\+PONG/);
    assert.match(await end(['SUBSCRIBE', ...many('c')], ['UNSUBSCRIBE'], ['RESET']), /\+RESET\r\n\+PONG/);
  }));

test('commands with many arguments, and patterns that repeat, stay off the stack', () => {
  const engine = new Engine();
  const keys = many('k');
  const pairs = keys.flatMap((key, i) => [key, i]);
  engine.call('RPUSH', 'l', '3', '1', '2');
  for (const command of [
    ['MSET', ...pairs],
    ['MGET', ...keys],
    ['DEL', ...keys],
    ['RPUSH', 'long', ...keys],
    ['SADD', 'set', ...keys],
    ['SMISMEMBER', 'set', ...keys],
    ['HSET', 'hash', ...pairs],
    ['HMGET', 'hash', ...keys],
    ['ZADD', 'zset', ...keys.flatMap((key, i) => [i, key])],
    ['ZUNION', MANY, ...keys],
    ['SUNION', ...keys],
    ['PFCOUNT', ...keys],
    ['SORT', 'l', ...keys.flatMap((key) => ['GET', `${key}*`]).slice(0, MANY)],
    ['BITFIELD', 'bits', ...keys.flatMap((_, i) => ['GET', 'u8', i % 100])],
    ['XADD', 'stream', '*', ...pairs],
  ]) {
    assert.ok(!(engine.callRaw(0, command) instanceof ErrorReply), String(command[0]));
  }
  for (const pattern of ['[', '*', '?', '\\', '[^', '*a', '[a-']) {
    engine.call('KEYS', pattern.repeat(deep));
    engine.call('SCAN', '0', 'MATCH', pattern.repeat(deep));
    engine.call('SORT', 'l', 'BY', pattern.repeat(MANY));
  }
});
