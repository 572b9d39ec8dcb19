import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseTrusted, Request } from '../../engine/protocol/request.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { defaultRequestLimits, type RequestLimits, RequestParser } from '../../src/resp/request-parser.js';
import { referenceParse } from './reference-parser.js';

interface Outcome {
  readonly requests: string[][];
  readonly error: string | undefined;
}

function argumentsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, i) => request.latin1(i));
}

/**
 * Feeds copies of the pieces, spoiled as soon as they are given back: a parser that still reads one would
 * show.
 */
function parse(pieces: readonly Buffer[], limits: Partial<RequestLimits> = {}, holdEvery = 0): Outcome {
  const parser = new RequestParser({ ...defaultRequestLimits, ...limits });
  const requests: string[][] = [];
  const again = new Request();
  for (const piece of pieces) {
    let chunk = Buffer.from(piece);
    parser.feed(chunk);
    while (parser.next()) {
      requests.push(argumentsOf(parser.request));
      const end = parseTrusted(parser.request.buffer, parser.requestStart, again);
      assert.equal(end, parser.requestEnd);
      assert.deepEqual(argumentsOf(again), requests.at(-1));
      if (holdEvery > 0 && requests.length % holdEvery === 0) {
        parser.hold();
        chunk.fill(0x7e);
        chunk = Buffer.alloc(0);
      }
    }
    chunk.fill(0x7e);
  }
  return { requests, error: parser.error };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const whole = (text: string, limits?: Partial<RequestLimits>): Outcome => parse([bytes(text)], limits);
const single = (text: string): Buffer[] => [...bytes(text)].map((byte) => Buffer.from([byte]));

function splitAt(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const sorted = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...sorted, stream.length]) {
    pieces.push(stream.subarray(from, cut));
    from = cut;
  }
  return pieces;
}

// Each case was asked of redis-server 7.0.15 through a bare socket.
const errorCases: readonly [string, string, Partial<RequestLimits>?][] = [
  ['*abc\r\n', 'invalid multibulk length'],
  ['*\r\n', 'invalid multibulk length'],
  ['*01\r\n$4\r\nPING\r\n', 'invalid multibulk length'],
  ['*+1\r\n', 'invalid multibulk length'],
  ['*-0\r\n', 'invalid multibulk length'],
  ['*2147483648\r\n', 'invalid multibulk length'],
  ['*18446744073709551617\r\n', 'invalid multibulk length'],
  ['*-9223372036854775809\r\n', 'invalid multibulk length'],
  [`*${'1'.repeat(65535)}\r\n`, 'invalid multibulk length'],
  [`*${'1'.repeat(65536)}\r\n`, 'too big mbulk count string'],
  [`*${'1'.repeat(65536)}`, 'too big mbulk count string'],
  ['*1\r\n$-1\r\n', 'invalid bulk length'],
  ['*1\r\n$x\r\n', 'invalid bulk length'],
  ['*1\r\n$\r\n', 'invalid bulk length'],
  ['*1\r\n$04\r\nPING\r\n', 'invalid bulk length'],
  ['*1\r\n$536870913\r\n', 'invalid bulk length'],
  [`*1\r\n$${'1'.repeat(65536)}\r\n`, 'too big bulk count string'],
  ['*1\r\nxyz\r\n', "expected '$', got 'x'"],
  ['*1\r\n\r\n', "expected '$', got ' '"],
  ['*1\r\n\n\r\n', "expected '$', got ' '"],
  ['*1\r\n\xff\r\n', "expected '$', got '\xff'"],
  ['set "a\r\n', 'unbalanced quotes in request'],
  ["set 'a\r\n", 'unbalanced quotes in request'],
  ['set "a"b\r\n', 'unbalanced quotes in request'],
  ["set 'a'b\r\n", 'unbalanced quotes in request'],
  ['x'.repeat(65537), 'too big inline request'],
  ['*11\r\n', 'unauthenticated multibulk length', { authenticated: () => false }],
  ['*11x\r\n', 'invalid multibulk length', { authenticated: () => false }],
  ['*1\r\n$16385\r\n', 'unauthenticated bulk length', { authenticated: () => false }],
];

test('what is wrong gets the error of Redis, in one piece and byte by byte', () => {
  for (const [text, error, limits] of errorCases) {
    for (const before of ['', '*1\r\n$4\r\nPING\r\n']) {
      const expected = { requests: before === '' ? [] : [['PING']], error };
      assert.deepEqual(whole(before + text, limits), expected, JSON.stringify(text.slice(0, 40)));
      assert.deepEqual(parse(single(before + text), limits), expected, JSON.stringify(text.slice(0, 40)));
    }
  }
});

const goodCases: readonly [string, string[][]][] = [
  ['*1\r\n$4\r\nPING\r\n', [['PING']]],
  ['*-5\r\nPING\r\n', [['PING']]],
  ['*0\r\n*1\r\n$4\r\nPING\r\n', [['PING']]],
  ['*-9223372036854775808\r\nPING\r\n', [['PING']]],
  ['*1\rX$4\rYPINGab', [['PING']]],
  ['*1\r\n$0\r\n\r\n', [['']]],
  ['*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n', [['GET', 'a\r\nb']]],
  ['\r\n\n  \r\nPING\n', [['PING']]],
  [`echo 'a\\'b'\r\n`, [['echo', "a'b"]]],
  ['echo "\\x41\\n\\t\\b\\a\\r\\q\\"\\xzz"\r\n', [['echo', 'A\n\t\b\x07\rq"xzz']]],
  ['echo a\vb\r\n', [['echo', 'a\vb']]],
  ['\v\fecho "ab"\v\r\n', [['echo', 'ab']]],
  ['echo foo"bar" \r\n', [['echo', 'foobar']]],
  ['echo "a\rb"\r\n', [['echo', 'a\rb']]],
  ['echo a\rb\r\n', [['echo', 'a', 'b']]],
  ['echo "" \'\'\r\n', [['echo', '', '']]],
  ['PI\0NG\r\nPING\r\n', []],
  ['*1\0\r\n$4\r\nPING\r\n', []],
  ['*1\r\nxyz', []],
  ['*2147483647\r\n', []],
  ['*1\r\n$536870912\r\n', []],
  [`${'x'.repeat(65536)}\n`, [['x'.repeat(65536)]]],
  [`*12\r\n${'$1\r\nx\r\n'.repeat(12)}`, [Array(12).fill('x')]],
];

test('what is right, or not yet complete, is read as Redis reads it', () => {
  for (const [text, requests] of goodCases) {
    assert.deepEqual(whole(text), { requests, error: undefined }, JSON.stringify(text.slice(0, 40)));
    assert.deepEqual(parse(single(text)), { requests, error: undefined }, JSON.stringify(text.slice(0, 40)));
  }
});

test('a client may authenticate within a pipeline', () => {
  let authenticated = false;
  const parser = new RequestParser({ ...defaultRequestLimits, authenticated: () => authenticated });
  parser.feed(bytes(`AUTH pw\r\n*11\r\n${'$1\r\nx\r\n'.repeat(11)}`));
  assert.ok(parser.next());
  authenticated = true;
  assert.ok(parser.next());
  assert.equal(parser.request.count, 11);
});

test('a parser that met an error stays dead', () => {
  const parser = new RequestParser();
  parser.feed(bytes('*x\r\nPING\r\n'));
  assert.equal(parser.next(), false);
  parser.feed(bytes('PING\r\n'));
  assert.equal(parser.next(), false);
  assert.equal(parser.bufferedBytes, 0);
});

const wordArbitrary = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  }),
  fc.integer({ min: 0, max: 70000 }).map((length) => 'v'.repeat(length)),
);
const requestArbitrary = fc.oneof(
  fc.array(wordArbitrary, { minLength: 1, maxLength: 14 }).map((args) => encodeRequest(args)),
  fc
    .array(fc.constantFrom('set', 'k', '"', "'", ' ', '\\', '\\x4', '\\n', 'f', '\v', '\t', '\xa0', '\0'), {
      maxLength: 12,
    })
    .map((parts) => bytes(`${parts.join('')}\r\n`)),
  fc.constantFrom('*0\r\n', '*-1\r\n', '\r\n', '*1\r\n$3\r\nabc\r\n').map(bytes),
);
const streamArbitrary = fc.array(requestArbitrary, { maxLength: 8 }).map((parts) => Buffer.concat(parts));
const cutsArbitrary = fc.array(fc.nat({ max: 1 << 20 }), { maxLength: 12 });

const reference = (stream: Buffer, limits: RequestLimits): Outcome =>
  referenceParse(stream.latin1Slice(), { ...limits, authenticated: limits.authenticated() });

test('any split, with or without pauses, gives what the reference parser finds in the whole', () => {
  fc.assert(
    fc.property(streamArbitrary, cutsArbitrary, fc.nat({ max: 3 }), (stream, cuts, holdEvery) => {
      assert.deepEqual(parse(splitAt(stream, cuts), {}, holdEvery), reference(stream, defaultRequestLimits));
    }),
    { numRuns: 400 },
  );
});

const mutationArbitrary = fc.record({
  at: fc.nat({ max: 1 << 20 }),
  remove: fc.nat({ max: 3 }),
  insert: fc.constantFrom(
    '',
    '\r',
    '\n',
    '\r\n',
    '$',
    '*',
    '-',
    '0',
    '9',
    '99999999999',
    '\0',
    '"',
    "'",
    '\xff',
  ),
});

function mutate(
  stream: Buffer,
  mutations: readonly { at: number; remove: number; insert: string }[],
): Buffer {
  let text = stream.latin1Slice();
  for (const { at, remove, insert } of mutations) {
    const from = at % (text.length + 1);
    text = text.slice(0, from) + insert + text.slice(from + remove);
  }
  return bytes(text);
}

test('mutated streams never throw, and are judged as the reference parser judges them', () => {
  const mutations = fc.array(mutationArbitrary, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      streamArbitrary,
      mutations,
      cutsArbitrary,
      fc.boolean(),
      (stream, changes, cuts, authenticated) => {
        const limits = { ...defaultRequestLimits, authenticated: () => authenticated };
        const mutated = mutate(stream, changes);
        assert.deepEqual(parse(splitAt(mutated, cuts), limits), reference(mutated, limits));
      },
    ),
    { numRuns: 600 },
  );
});

test('an announced bulk costs memory only as its bytes come, and its bytes are moved only a few times', () => {
  const parsers: RequestParser[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 50; i++) {
    const parser = new RequestParser();
    parser.feed(bytes('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n'));
    assert.equal(parser.next(), false);
    parsers.push(parser);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 << 20);

  const size = 24 << 20;
  const other = new RequestParser();
  other.feed(bytes(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`));
  const chunk = Buffer.alloc(1 << 16, 0x61);
  for (let sent = 0; sent < size; sent += chunk.length) {
    assert.equal(other.next(), false);
    other.feed(chunk);
    assert.ok(other.request.buffer.length <= 4 * (sent + 2 * chunk.length));
  }
  assert.equal(other.next(), false);
  other.feed(bytes('\r\n*1\r\n$4\r\nPING\r\n'));
  assert.ok(other.next());
  assert.equal(other.request.length(2), size);
  assert.ok(other.request.buffer.length <= size + (1 << 17), 'the final buffer has the very size');
  assert.ok(other.next());
  assert.deepEqual(argumentsOf(other.request), ['PING']);
  assert.equal(other.bufferedBytes, 0);
});
