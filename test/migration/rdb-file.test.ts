/** RDB files: one that redis-server 7.0.15 wrote, and such as are made here, whole, in pieces and damaged. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, RunningCrc64 } from '../../engine/index.js';
import { RdbFile, type RdbKey, type RdbRecord } from '../../src/migration/rdb-file.js';
import { root } from '../program-path.js';

const written = readFileSync(join(root, 'test/migration/redis-7.0.15.rdb'));

function recordsOf(bytes: Buffer, pieceBytes = bytes.length): RdbRecord[] {
  const file = new RdbFile();
  const records: RdbRecord[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    file.feed(bytes.subarray(at, at + pieceBytes));
    for (let record = file.next(); record !== undefined; record = file.next()) {
      if (record.kind === 'end') return records;
      records.push(record);
    }
  }
  throw file.endsEarly();
}

/** A file of these parts, with its checksum. */
function fileOf(parts: readonly (Buffer | string | number)[], version = '0010'): Buffer {
  const body = Buffer.concat([
    Buffer.from(`REDIS${version}`),
    ...parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part as string))),
    Buffer.of(0xff),
  ]);
  const withSum = Buffer.concat([body, Buffer.alloc(8)]);
  const crc = new RunningCrc64();
  crc.update(body, 0, body.length);
  crc.write(withSum, body.length);
  return withSum;
}

const keys = (records: readonly RdbRecord[]): RdbKey[] => records.filter((one) => one.kind === 'key');

test('a file of redis-server is read whole, however small the pieces', () => {
  const records = recordsOf(written);
  assert.deepEqual(
    keys(records)
      .map(({ database, key, rdbType, expireMs }) => [database, key, rdbType, expireMs])
      .sort((a, b) => (`${a}` < `${b}` ? -1 : 1)),
    [
      [0, 'compressed', 0, undefined],
      [0, 'hash', 16, undefined],
      [0, 'ints', 11, undefined],
      [0, 'list', 18, undefined],
      [0, 'number', 0, undefined],
      [0, 'stream', 19, undefined],
      [0, 'text', 0, 4102444800000],
      [0, 'words', 2, undefined],
      [0, 'zset', 17, undefined],
      [3, 'bighash', 4, undefined],
      [3, 'bigzset', 5, undefined],
      [3, 'other', 0, undefined],
    ],
  );
  assert.match(JSON.stringify(records), /"kind":"functions","source":"#!lua name=lib/);
  for (const pieceBytes of [1, 2, 7, 64]) assert.deepEqual(recordsOf(written, pieceBytes), records);
});

test('each byte that is changed, and each that is missing, is noticed', () => {
  for (let at = 0; at < written.length; at++) {
    const changed = Buffer.from(written);
    changed[at] ^= 0x41;
    assert.throws(() => recordsOf(changed), { name: 'RdbFileError' }, `byte ${at}`);
    assert.throws(() => recordsOf(written.subarray(0, at)), { name: 'RdbFileError' }, `${at} bytes`);
  }
});

test('values of an engine come back as they were, in pieces of any size', () => {
  const value = fc.oneof(
    fc.string().map((text) => ['SET', 'k', text]),
    fc.array(fc.string(), { minLength: 1, maxLength: 200 }).map((items) => ['RPUSH', 'k', ...items]),
    fc.array(fc.integer(), { minLength: 1 }).map((items) => ['SADD', 'k', ...items.map(String)]),
    fc
      .array(fc.string(), { minLength: 1 })
      .map((items) => ['HSET', 'k', ...items.flatMap((item) => [item, item])]),
    fc
      .array(fc.tuple(fc.double({ noNaN: true }), fc.string()), { minLength: 1 })
      .map((items) => ['ZADD', 'k', ...items.flatMap(([score, member]) => [`${score}`, member])]),
  );
  fc.assert(
    fc.property(value, fc.integer({ min: 1, max: 100 }), (command, pieceBytes) => {
      const engine = new Engine();
      engine.call(...command);
      const payload = engine.callBuffer('DUMP', 'k') as Buffer;
      const file = fileOf([payload.subarray(0, 1), 1, 'k', payload.subarray(1, -10)]);
      const [key] = keys(recordsOf(file, pieceBytes));
      assert.equal(key.rdbType, payload[0]);
      assert.deepEqual(key.value, payload.subarray(1, -10));
    }),
    { numRuns: 100 },
  );
});

test('old forms are stepped over rightly: seconds, idle times, text scores, modules beside the keys', () => {
  const file = fileOf([
    ...[0xfa, 3, 'ctx', 3, 'old'],
    ...[0xfe, 0x41, 0x00],
    ...[0xfb, 2, 1],
    ...[0xf7, 0x81, Buffer.alloc(8), 2, 1, 5, 2, 'ab', 3, Buffer.alloc(4), 4, Buffer.alloc(8), 1, 9, 0],
    ...[0xfd, Buffer.of(1, 0, 0, 0), 3, 1, 'z', 2, 1, 'a', 3, '1.5', 1, 'b', 254],
    ...[0xf8, 9, 0, 1, 's', 0xc0, 7],
  ]);
  assert.deepEqual(
    keys(recordsOf(file)).map(({ database, key, expireMs, idleSeconds, rdbType }) => [
      ...[database, key, expireMs, idleSeconds, rdbType],
    ]),
    [
      [256, 'z', 1000, undefined, 3],
      [256, 's', undefined, 9, 0],
    ],
  );
});

test('what is no file, of a version to come, or of a module is refused in words', () => {
  assert.throws(() => recordsOf(Buffer.from('hello, world')), /this is no RDB file/);
  assert.throws(() => recordsOf(fileOf([], '0012')), /of version 12: versions 1 to 11 are known/);
  assert.throws(() => recordsOf(fileOf([7, 1, 'm'])), /'m' is a value of a module/);
  assert.throws(() => recordsOf(fileOf([99, 1, 'm'])), /byte \d+ of the file: 'm' is of type 99/);
});

test('a length that nothing stands behind takes no memory', () => {
  const file = new RdbFile();
  file.feed(fileOf([0, 1, 'k', 0x81, Buffer.alloc(8, 0x7f)]));
  assert.equal(file.next(), undefined);
  assert.match(`${file.endsEarly().message}`, /ends here, in the middle/);
});
