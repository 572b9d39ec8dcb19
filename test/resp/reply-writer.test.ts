import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import RedisParser from 'redis-parser';
import type { Reply as WireReply } from '../../conformance/reply.js';
import { ReplyParser } from '../../conformance/reply-parser.js';
import {
  BigNumber,
  BLOCKED,
  Bool,
  Double,
  ErrorReply,
  MapReply,
  NULL_ARRAY,
  OK,
  Pairs,
  Push,
  type Reply,
  SetReply,
  Status,
  Verbatim,
} from '../../engine/protocol/reply.js';
import { View, viewOf } from '../../engine/protocol/view.js';
import { encodeReply, ReplyWriter } from '../../src/resp/reply-writer.js';

const text = (reply: Reply, protocol: 2 | 3): string => encodeReply(reply, protocol).latin1Slice();

/** A reply, in RESP2, and in RESP3 where that differs. The bytes are those of redis-server 7.0.15. */
const cases: readonly [Reply, string, string?][] = [
  [OK, '+OK\r\n'],
  [new Status('PONG'), '+PONG\r\n'],
  [new Status('a\r\nb'), '+a  b\r\n'],
  [new ErrorReply('ERR no'), '-ERR no\r\n'],
  [new ErrorReply('ERR a\r\nb\n\r'), '-ERR a  b\r\n'],
  ['', '$0\r\n\r\n'],
  ['a\r\nb', '$4\r\na\r\nb\r\n'],
  ['\xff\x00', '$2\r\n\xff\x00\r\n'],
  [Buffer.from([0xfe]), '$1\r\n\xfe\r\n'],
  [new View(Buffer.from('abcdef'), 1, 4), '$3\r\nbcd\r\n'],
  [0, ':0\r\n'],
  [-0, ':0\r\n'],
  [9, ':9\r\n'],
  [10, ':10\r\n'],
  [99, ':99\r\n'],
  [100, ':100\r\n'],
  [999_999_999, ':999999999\r\n'],
  [1_000_000_000, ':1000000000\r\n'],
  [-1, ':-1\r\n'],
  [9007199254740991, ':9007199254740991\r\n'],
  [9223372036854775807n, ':9223372036854775807\r\n'],
  [-9223372036854775808n, ':-9223372036854775808\r\n'],
  [null, '$-1\r\n', '_\r\n'],
  [NULL_ARRAY, '*-1\r\n', '_\r\n'],
  [[], '*0\r\n'],
  [['a', 1, null], '*3\r\n$1\r\na\r\n:1\r\n$-1\r\n', '*3\r\n$1\r\na\r\n:1\r\n_\r\n'],
  [new Double(0.1), '$19\r\n0.10000000000000001\r\n', ',0.10000000000000001\r\n'],
  [new Double(3), '$1\r\n3\r\n', ',3\r\n'],
  [new Double(-0), '$2\r\n-0\r\n', ',-0\r\n'],
  [new Double(Infinity), '$3\r\ninf\r\n', ',inf\r\n'],
  [new Double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
  [new Bool(true), ':1\r\n', '#t\r\n'],
  [new Bool(false), ':0\r\n', '#f\r\n'],
  [new BigNumber('123456789012345678901'), '$21\r\n123456789012345678901\r\n', '(123456789012345678901\r\n'],
  [new Verbatim('txt', 'a\nb'), '$3\r\na\nb\r\n', '=7\r\ntxt:a\nb\r\n'],
  [new MapReply(['a', 1]), '*2\r\n$1\r\na\r\n:1\r\n', '%1\r\n$1\r\na\r\n:1\r\n'],
  [new MapReply([]), '*0\r\n', '%0\r\n'],
  [new SetReply(['a']), '*1\r\n$1\r\na\r\n', '~1\r\n$1\r\na\r\n'],
  [
    new Pairs(['a', new Double(1), 'b', new Double(2.5)]),
    '*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$3\r\n2.5\r\n',
    '*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2.5\r\n',
  ],
  [new Push(['message', 'c']), '*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n', '>2\r\n$7\r\nmessage\r\n$1\r\nc\r\n'],
];

test('every kind of reply in RESP2 and RESP3', () => {
  for (const [reply, resp2, resp3] of cases) {
    assert.equal(text(reply, 2), resp2);
    assert.equal(text(reply, 3), resp3 ?? resp2);
  }
});

test('what is not a reply yet is not written', () => {
  assert.throws(() => encodeReply(BLOCKED), TypeError);
});

test('a View is read at once, whatever its size', () => {
  for (const size of [10, 20_000, 200_000]) {
    const buffer = Buffer.alloc(size, 0x61);
    const writer = new ReplyWriter();
    writer.write(new View(buffer, 0, size));
    buffer.fill(0x62);
    assert.equal(Buffer.concat(writer.take()).latin1Slice(), `$${size}\r\n${'a'.repeat(size)}\r\n`);
  }
});

test('a big Buffer is sent as it is, not copied', () => {
  const value = Buffer.alloc(100_000, 0x61);
  const writer = new ReplyWriter();
  writer.write(OK);
  writer.write(value);
  writer.write(1);
  assert.equal(writer.length, 5 + 9 + 100_000 + 2 + 4);
  const parts = writer.take();
  assert.ok(parts.includes(value));
  assert.equal(writer.length, 0);
  assert.equal(Buffer.concat(parts).latin1Slice(), `+OK\r\n$100000\r\n${value.latin1Slice()}\r\n:1\r\n`);
});

// ---- round trips ----

const bytesArbitrary = fc
  .oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.nat({ max: 50_000 }).map((length) => new Uint8Array(length).fill(120)),
  )
  .map((array) => Buffer.from(array));
const lineArbitrary = fc.string({
  unit: fc.constantFrom('A', 'b', ' ', '\xe9', '-', '9'),
  minLength: 1,
  maxLength: 20,
});

const { tree } = fc.letrec<{ tree: Reply }>((tie) => {
  const items = fc.array(tie('tree'), { maxLength: 6 });
  const even = items.map((list) => list.slice(0, list.length & ~1));
  return {
    tree: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      bytesArbitrary.map((bytes): Reply => bytes.latin1Slice()),
      bytesArbitrary.map((bytes): Reply => bytes),
      bytesArbitrary.map((bytes): Reply => viewOf(bytes.latin1Slice())),
      fc.maxSafeInteger(),
      fc.integer(),
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      fc.constantFrom<Reply>(null, NULL_ARRAY, OK),
      lineArbitrary.map((line) => new Status(line)),
      lineArbitrary.map((line) => new ErrorReply(line)),
      fc.double({ noNaN: true }).map((value) => new Double(value)),
      fc.boolean().map((value) => new Bool(value)),
      fc.bigInt().map((value) => new BigNumber(`${value}`)),
      bytesArbitrary.map((bytes) => new Verbatim('txt', bytes.latin1Slice())),
      items,
      even.map((list) => new MapReply(list)),
      even.map((list) => new Pairs(list)),
      items.map((list) => new SetReply(list)),
      items.map((list) => new Push(list)),
    ),
  };
});

/** What redis-parser, told to give Buffers and integers as text, makes of a reply in RESP2. */
function asRedisParserSees(reply: Reply): unknown {
  if (reply === null || reply === NULL_ARRAY) return null;
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number' || typeof reply === 'bigint') return `${reply}`;
  if (reply instanceof View) return reply.latin1();
  if (reply instanceof Uint8Array) return (reply as Buffer).latin1Slice();
  if (Array.isArray(reply)) return reply.map(asRedisParserSees);
  if (reply instanceof Status || reply instanceof Verbatim || reply instanceof BigNumber) return reply.text;
  // redis-parser reads errors as UTF-8.
  if (reply instanceof ErrorReply) return { error: Buffer.from(reply.text, 'latin1').toString() };
  if (reply instanceof Bool) return reply.value ? '1' : '0';
  if (reply instanceof Double) return { double: reply.value };
  return (reply as MapReply).items.map(asRedisParserSees);
}

function plain(value: unknown, expected: unknown): unknown {
  if (Buffer.isBuffer(value)) {
    const read = value.latin1Slice();
    if (expected === null || typeof expected !== 'object' || !('double' in expected)) return read;
    return { double: read.endsWith('inf') ? Number(read.replace('inf', 'Infinity')) : Number(read) };
  }
  if (value instanceof Error) return { error: value.message };
  if (Array.isArray(value)) return value.map((item, i) => plain(item, (expected as unknown[])[i]));
  return value;
}

test('redis-parser reads back what is written in RESP2', () => {
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 5 }), (replies) => {
      const writer = new ReplyWriter();
      for (const reply of replies) writer.write(reply);
      const values: unknown[] = [];
      const parser = new RedisParser({
        returnBuffers: true,
        stringNumbers: true,
        returnReply: (value) => values.push(value),
        returnError: (error) => values.push(error),
      });
      const length = writer.length;
      const bytes = Buffer.concat(writer.take());
      assert.equal(bytes.length, length);
      parser.execute(bytes);
      const expected = replies.map(asRedisParserSees);
      assert.deepEqual(plain(values, expected), expected);
    }),
    { numRuns: 300 },
  );
});

/** What the conformance reply parser, which knows all types, makes of a reply in RESP3. */
function asWireReply(reply: Reply): WireReply {
  if (reply === null || reply === NULL_ARRAY) return { type: 'null', form: 'resp3' };
  if (typeof reply === 'string') return { type: 'bulk', text: reply };
  if (typeof reply === 'number' || typeof reply === 'bigint') return { type: 'integer', text: `${reply}` };
  if (reply instanceof View) return { type: 'bulk', text: reply.latin1() };
  if (reply instanceof Uint8Array) return { type: 'bulk', text: (reply as Buffer).latin1Slice() };
  if (Array.isArray(reply)) return { type: 'array', items: reply.map(asWireReply) };
  if (reply instanceof Status) return { type: 'simple', text: reply.text };
  if (reply instanceof ErrorReply) return { type: 'error', text: reply.text };
  if (reply instanceof Verbatim) return { type: 'verbatim', format: reply.format, text: reply.text };
  if (reply instanceof BigNumber) return { type: 'big number', text: reply.text };
  if (reply instanceof Bool) return { type: 'boolean', value: reply.value };
  if (reply instanceof Double) return { type: 'double', text: text(reply, 3).slice(1, -2) };
  if (reply instanceof SetReply) return { type: 'set', items: reply.items.map(asWireReply) };
  if (reply instanceof Push) return { type: 'push', items: reply.items.map(asWireReply) };
  const { items } = reply as MapReply | Pairs;
  const entries = Array.from({ length: items.length / 2 }, (_, i): [WireReply, WireReply] => [
    asWireReply(items[2 * i]),
    asWireReply(items[2 * i + 1]),
  ]);
  if (reply instanceof MapReply) return { type: 'map', entries };
  return { type: 'array', items: entries.map((entry) => ({ type: 'array', items: entry })) };
}

test('a parser of all types reads back what is written in RESP3', () => {
  fc.assert(
    fc.property(fc.array(tree, { maxLength: 5 }), (replies) => {
      const writer = new ReplyWriter(3);
      for (const reply of replies) writer.write(reply);
      assert.deepEqual(new ReplyParser().feed(Buffer.concat(writer.take())), replies.map(asWireReply));
    }),
    { numRuns: 300 },
  );
});

// ---- sockets ----

test('a message to many is not copied before it leaves, and what gathers leaves in one write', () => {
  const message = Buffer.from('+one message\r\n');
  const written: Buffer[] = [];
  const socket = {
    writableLength: 0,
    write: (bytes: Buffer) => written.push(bytes),
    cork: () => assert.fail('small parts leave one by one'),
    uncork: () => {},
  };
  const writers = Array.from({ length: 100 }, () => new ReplyWriter());
  for (const writer of writers) writer.writeRaw(message, true);
  for (const writer of writers) writer.flushTo(socket);
  assert.equal(written.length, 100);
  assert.ok(written.every((bytes) => bytes.buffer === message.buffer && bytes.length === message.length));

  for (const writer of writers) {
    for (let i = 0; i < 50; i++) writer.writeRaw(message, true);
    writer.write(7);
    writer.writeRaw(message, true);
    written.length = 0;
    writer.flushTo(socket);
    assert.equal(writer.length, 0);
    assert.deepEqual(written.map(String), [`${`${message}`.repeat(50)}:7\r\n${message}`]);
  }
});

test('two writers share blocks through real sockets, and no byte is mixed up however slow the readers are', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { connect } = await import('node:net');
  const port = (server.address() as AddressInfo).port;
  const messages = [0, 10, 100, 1000, 5000].map((length) => Buffer.from(`+${'m'.repeat(length)}\r\n`));
  const pairs: { far: Socket; near: Socket; writer: ReplyWriter; sent: string[]; received: Buffer[] }[] = [];
  for (let i = 0; i < 3; i++) {
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const far = connect(port, '127.0.0.1');
    const [near] = await accepted;
    const received: Buffer[] = [];
    far.on('data', (chunk) => received.push(chunk));
    // The last one reads nothing until all is sent.
    if (i === 2) far.pause();
    pairs.push({ far, near, writer: new ReplyWriter(), sent: [], received });
  }
  for (let turn = 0; turn < 300; turn++) {
    for (const [i, { near, writer, sent }] of pairs.entries()) {
      const replies: Reply[] = [`${i}:${turn}`, turn, 'x'.repeat((turn * 37) % 3000)];
      if (turn % 10 === 0) replies.push('y'.repeat(70_000), 'z'.repeat(15_000), 'w'.repeat(15_000));
      if (turn % 50 === 0) for (let k = 0; k < 200; k++) replies.push(`${k}`.repeat(200));
      for (const [k, reply] of replies.entries()) {
        for (let message = (turn * 7 + k) % 5; message > 0; message--) {
          writer.writeRaw(messages[message], true);
          sent.push(messages[message].latin1Slice());
        }
        writer.write(reply);
        sent.push(text(reply, 2));
      }
      writer.flushTo(near);
      assert.equal(writer.length, 0);
    }
    if (turn % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  for (const { far, near, sent, received } of pairs) {
    far.resume();
    near.end();
    await once(far, 'close');
    assert.ok(Buffer.concat(received).latin1Slice() === sent.join(''));
  }
  server.close();
});
