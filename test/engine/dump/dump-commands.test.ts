/** DUMP and RESTORE in process: every layout there and back, thresholds, refusals, damage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeCrc64 } from '../../../engine/dump/crc64.js';
import { footerSize } from '../../../engine/dump/rdb-types.js';
import { Engine, EntryBuilder, type Reply, type Settings, silentListener } from '../../../engine/index.js';
import { toJavaScript } from '../../../engine/protocol/javascript-reply.js';
import { type Argument, answer, encodingOf, script } from '../script.js';
import { dumped, restored } from './payloads.js';

const NOW_MS = 1_000_000_000_000;

function engineWith(settings: Partial<Settings> = {}): Engine {
  const engine = new Engine({ settings });
  engine.setTime(NOW_MS);
  return engine;
}

function dumpOf(engine: Engine, key: string): Buffer {
  const payload = engine.callRaw(0, ['DUMP', key]);
  assert.ok(Buffer.isBuffer(payload), `${key} has no payload`);
  return Buffer.from(payload);
}

/** The payload with a footer that is right. */
function sealed(body: Uint8Array): Buffer {
  const payload = Buffer.concat([body, Buffer.alloc(footerSize)]);
  payload.writeUInt16LE(10, body.length);
  writeCrc64(payload, 0, payload.length - 8, payload, payload.length - 8);
  return payload;
}

const numbered = (count: number, make: (i: number) => Argument[]): Argument[] =>
  Array.from({ length: count }, (_, i) => make(i)).flat();

/** Values in every layout: name, the command that makes it, OBJECT ENCODING, the command that reads it. */
const layouts: readonly [string, Argument[], string, string[]][] = [
  ['integer', ['SET', 'k', '-42'], 'int', ['GET', 'k']],
  ['short string', ['SET', 'k', 'v'.repeat(44)], 'embstr', ['GET', 'k']],
  ['string', ['SET', 'k', 'abcdefg'.repeat(100)], 'raw', ['GET', 'k']],
  ['large string', ['SET', 'k', 'xyz'.repeat(10_000)], 'raw', ['GET', 'k']],
  ['small list', ['RPUSH', 'k', 'a', '1', '', 'b'.repeat(300)], 'quicklist', ['LRANGE', 'k', '0', '-1']],
  [
    'big list',
    ['RPUSH', 'k', ...numbered(3000, (i) => [`item ${i}`])],
    'quicklist',
    ['LRANGE', 'k', '0', '-1'],
  ],
  [
    'list of one long item',
    ['RPUSH', 'k', 'a', 'q'.repeat(20_000), '7'],
    'quicklist',
    ['LRANGE', 'k', '0', '-1'],
  ],
  ['intset', ['SADD', 'k', '5', '-70000', '99999999999'], 'intset', ['SMEMBERS', 'k']],
  ['small set', ['SADD', 'k', 'b', 'a', '17'], 'hashtable', ['SMEMBERS', 'k']],
  ['big set', ['SADD', 'k', ...numbered(600, (i) => [`m${i}`])], 'hashtable', ['SMEMBERS', 'k']],
  ['small hash', ['HSET', 'k', 'f', '1', 'g', 'x', '3', ''], 'listpack', ['HGETALL', 'k']],
  ['big hash', ['HSET', 'k', ...numbered(600, (i) => [`f${i}`, `${i}`])], 'hashtable', ['HGETALL', 'k']],
  [
    'small sorted set',
    ['ZADD', 'k', '1', 'a', '2.5', 'b', '-inf', 'c', 'inf', 'd'],
    'listpack',
    ['ZRANGE', 'k', '0', '-1', 'WITHSCORES'],
  ],
  [
    'big sorted set',
    ['ZADD', 'k', ...numbered(300, (i) => [`${i / 7}`, `m${i % 290}`])],
    'skiplist',
    ['ZRANGE', 'k', '0', '-1', 'WITHSCORES'],
  ],
];

for (const [name, make, encoding, look] of layouts) {
  test(`${name}: what DUMP gives makes an equal value, and is given again`, () => {
    const engine = engineWith();
    engine.call(...make);
    const payload = dumpOf(engine, 'k');
    assert.equal(engine.call('RESTORE', 'copy', 0, payload), 'OK');
    assert.deepEqual(engine.call(look[0], 'copy', ...look.slice(2)), engine.call(...look));
    assert.equal(encodingOf(engine, 'k'), encoding);
    assert.equal(encodingOf(engine, 'copy'), encoding);
    assert.deepEqual(dumpOf(engine, 'copy'), payload);
    assert.equal(engine.call('RESTORE', 'k', 0, payload, 'REPLACE'), 'OK');
    assert.deepEqual(dumpOf(engine, 'k'), payload);
  });
}

test('strings and lists that redis-server dumped are dumped again to the byte', () => {
  for (const [name, hex] of dumped) {
    const engine = engineWith();
    assert.equal(engine.call('RESTORE', 'k', 0, Buffer.from(hex, 'hex')), 'OK', name);
    assert.equal(dumpOf(engine, 'k').toString('hex'), hex, name);
  }
});

test('encodings follow the restoring server; what came packed is judged by its count alone', () => {
  const wide = engineWith({ 'hash-max-listpack-value': 1000, 'zset-max-listpack-value': 1000 });
  wide.call('HSET', 'h', 'f', 'x'.repeat(500));
  wide.call('ZADD', 'z', 1, 'x'.repeat(500));
  wide.call('SADD', 's', ...numbered(100, (i) => [`${i}`]));
  const engine = engineWith({ 'set-max-intset-entries': 50 });
  for (const key of ['h', 'z', 's']) engine.call('RESTORE', key, 0, dumpOf(wide, key));
  assert.deepEqual(
    ['h', 'z', 's'].map((key) => encodingOf(engine, key)),
    ['listpack', 'listpack', 'hashtable'],
  );
  const narrow = engineWith({ 'hash-max-listpack-entries': 0, 'zset-max-listpack-entries': 0 });
  for (const key of ['h', 'z']) narrow.call('RESTORE', key, 0, dumpOf(wide, key));
  assert.deepEqual(
    ['h', 'z'].map((key) => encodingOf(narrow, key)),
    ['hashtable', 'skiplist'],
  );
  // A big form that would fit a listpack becomes one, unless a member is too long for it.
  narrow.call('HSET', 'small', 'f', 'v');
  narrow.call('HSET', 'long', 'f', 'v'.repeat(100));
  const back = engineWith();
  for (const key of ['small', 'long', 'z']) back.call('RESTORE', key, 0, dumpOf(narrow, key));
  assert.deepEqual(
    ['small', 'long', 'z'].map((key) => encodingOf(back, key)),
    ['listpack', 'hashtable', 'skiplist'],
  );
});

test('deadlines', () => {
  const engine = engineWith();
  engine.call('SET', 'k', 'v', 'PX', 5000);
  const payload = dumpOf(engine, 'k');
  const cases: readonly [string, Argument[], number][] = [
    ['none', [0], -1],
    ['relative', [7000], NOW_MS + 7000],
    ['absolute', [NOW_MS + 9000, 'ABSTTL'], NOW_MS + 9000],
  ];
  for (const [name, [ttl, ...options], expected] of cases) {
    assert.equal(engine.call('RESTORE', 'k', ttl, payload, 'REPLACE', ...options), 'OK');
    assert.equal(engine.call('PEXPIRETIME', 'k'), expected, name);
  }
  for (const past of [[NOW_MS, 'ABSTTL'], [1, 'ABSTTL'], ['9223372036854775807']] as Argument[][]) {
    engine.call('SET', 'k', 'v');
    const [ttl, ...options] = past;
    assert.equal(engine.call('RESTORE', 'k', ttl, payload, 'REPLACE', ...options), 'OK');
    assert.equal(engine.call('EXISTS', 'k'), 0, `${past}`);
    assert.equal(engine.call('RESTORE', 'k', ttl, payload, ...options), 'OK');
    assert.equal(engine.call('EXISTS', 'k'), 0, `${past}, where nothing was`);
  }
});

test('refusals, in the order in which Redis checks', () => {
  const engine = script([
    ['SET k v', 'OK'],
    ['DUMP none', null],
    ['RESTORE k x x NOPE', '!ERR syntax error'],
    ['RESTORE k x x IDLETIME', '!ERR syntax error'],
    ['RESTORE k x x IDLETIME -1', '!ERR Invalid IDLETIME value, must be >= 0'],
    ['RESTORE k x x IDLETIME y', '!ERR value is not an integer or out of range'],
    ['RESTORE k x x FREQ 256', '!ERR Invalid FREQ value, must be >= 0 and <= 255'],
    ['RESTORE k x x FREQ 1 IDLETIME 1', '!ERR syntax error'],
    ['RESTORE k x x', '!BUSYKEY Target key name already exists.'],
    ['RESTORE k x x REPLACE', '!ERR value is not an integer or out of range'],
    ['RESTORE k -1 x REPLACE', '!ERR Invalid TTL value, must be >= 0'],
    ['RESTORE k 0 x REPLACE', '!ERR DUMP payload version or checksum are wrong'],
    ['GET k', 'v'],
  ]);
  const corrupt = sealed(Buffer.from('\x04\x02\x01f', 'latin1'));
  assert.equal(answer(engine, ['RESTORE', 'k', 0, corrupt, 'REPLACE']), '!ERR Bad data format');
  assert.equal(engine.call('GET', 'k'), 'v');
});

test('IDLETIME and FREQ set what this node knows of a key, and no state', () => {
  const engine = engineWith();
  const other = engineWith();
  for (const one of [engine, other]) one.call('SET', 'source', 'v');
  const payload = dumpOf(engine, 'source');
  engine.call('RESTORE', 'k', 0, payload, 'IDLETIME', 100);
  other.call('RESTORE', 'k', 0, payload);
  assert.equal(engine.call('OBJECT', 'IDLETIME', 'k'), 100);
  engine.call('RESTORE', 'k', 0, payload, 'REPLACE', 'IDLETIME', '9223372036854775807');
  other.call('RESTORE', 'k', 0, payload, 'REPLACE');
  assert.ok(Number(engine.call('OBJECT', 'IDLETIME', 'k')) > 100);
  engine.keyspace.countsFrequency = true;
  engine.call('RESTORE', 'f', 0, payload, 'FREQ', 200);
  other.call('RESTORE', 'f', 0, payload);
  assert.equal(engine.call('OBJECT', 'FREQ', 'f'), 200);
  assert.equal(engine.digest(), other.digest());
});

test('bytes changed at random, checksum made right: a value that works, or a refusal that changes nothing', () => {
  const sources: Buffer[] = [...dumped, ...restored].map(([, hex]) => Buffer.from(hex, 'hex'));
  for (const [, make] of layouts) {
    const engine = engineWith();
    engine.call(...make);
    sources.push(dumpOf(engine, 'k'));
  }
  const bodies = sources.map((payload) => payload.subarray(0, payload.length - footerSize));
  const places = fc.array(
    fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)),
    { maxLength: 4 },
  );
  const engine = engineWith();
  engine.call('SET', 'k', 'before');
  const { slab } = engine.keyspace;
  const usedBytes = slab.usedBytes;
  const counts = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...bodies), places, fc.option(fc.nat(60)), (body, changes, cut) => {
      const changed = Buffer.from(body.subarray(0, body.length - (cut ?? 0)));
      if (changed.length === 0) return;
      for (const [place, byte] of changes) changed[Math.floor(place * changed.length)] = byte;
      const reply = answer(engine, ['RESTORE', 'k', 0, sealed(changed), 'REPLACE']);
      if (reply === 'OK') {
        counts.taken++;
        // It is a value like any other: dumped and restored it is the same.
        const again = dumpOf(engine, 'k');
        assert.equal(engine.call('RESTORE', 'k', 0, again, 'REPLACE'), 'OK');
        assert.deepEqual(dumpOf(engine, 'k'), again);
        engine.call('SET', 'k', 'before');
      } else {
        counts.refused++;
        assert.equal(reply, '!ERR Bad data format');
      }
      assert.equal(engine.call('GET', 'k'), 'before');
      assert.equal(engine.call('DBSIZE'), 1);
      while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(1000);
      assert.equal(slab.usedBytes, usedBytes, 'memory was lost');
    }),
    { numRuns: 3000 },
  );
  assert.ok(counts.taken > 100 && counts.refused > 100, JSON.stringify(counts));
});

// ---- as entries ----

const session = (counter: number) => ({ nodeId: 1, startId: 1, counter });

function encode(words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

test('a list restored in place of a string serves who waits for it', () => {
  const engine = engineWith();
  engine.call('RPUSH', 'source', 'a', 'b');
  const payload = dumpOf(engine, 'source');
  const woken: unknown[] = [];
  const listener = { ...silentListener, wake: (_: unknown, reply: Reply) => woken.push(toJavaScript(reply)) };
  const requests = [
    ['BLPOP', 'k', '0'],
    ['SET', 'k', 'v'],
    ['RESTORE', 'k', '0', payload, 'REPLACE'],
  ];
  for (const [i, words] of requests.entries()) {
    const request = encode(words);
    const builder = new EntryBuilder(1, 1);
    builder.command(session(i), 0, request, 0, request.length);
    engine.apply(i + 1, builder.finish(NOW_MS, 0, 0), listener);
  }
  assert.deepEqual(woken, [['k', 'a']]);
  assert.deepEqual(engine.call('LRANGE', 'k', 0, -1), ['b']);
});

test('a deletion of what is unchanged spares keys that changed behind its position', () => {
  const engine = engineWith();
  engine.call('MSET', 'a', 1, 'b', 2, 'c', 3);
  const { position } = engine.keyspace;
  engine.call('SET', 'b', 'other');
  const remove = (keys: string[], at: number, database = 0): unknown => {
    let outcome: unknown;
    const builder = new EntryBuilder(1, 1);
    builder.deleteUnchanged(session(1), database, at, encode(keys));
    engine.apply(engine.appliedIndex + 1, builder.finish(NOW_MS, 0, 0), {
      ...silentListener,
      reply: (_, reply) => {
        outcome = reply;
      },
    });
    return outcome;
  };
  assert.deepEqual(remove(['a', 'b', 'none'], position), [1, 0, 1]);
  assert.deepEqual(engine.call('KEYS', '*'), ['c', 'b']);
  // Another database under the same number holds other keys.
  const before = engine.keyspace.position;
  engine.call('SWAPDB', 0, 1);
  assert.deepEqual(remove(['b', 'c'], before, 1), [0, 0]);
  assert.equal(engine.keyspace.database(1).size, 2);
});
