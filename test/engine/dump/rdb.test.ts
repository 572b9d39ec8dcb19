import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeCrc64 } from '../../../engine/dump/crc64.js';
import { hasDuplicate } from '../../../engine/dump/duplicates.js';
import { type DumpFailure, readDump } from '../../../engine/dump/payload.js';
import { isIntactDump } from '../../../engine/dump/rdb-reader.js';
import { footerSize, RdbType } from '../../../engine/dump/rdb-types.js';
import {
  dumpList,
  dumpPacked,
  dumpSortedSet,
  dumpString,
  dumpTexts,
  RdbWriter,
} from '../../../engine/dump/rdb-writer.js';
import type { LoadedHash } from '../../../engine/types/hash.js';
import type { LoadedList } from '../../../engine/types/list.js';
import type { LoadedSet } from '../../../engine/types/set.js';
import type { LoadedString } from '../../../engine/types/string.js';
import type { LoadedZset } from '../../../engine/types/zset.js';
import { ListpackBuilder } from '../../../engine/values/listpack-builder.js';
import { dumped, restored } from './payloads.js';

type DumpValue = LoadedString | LoadedList | LoadedSet | LoadedHash | LoadedZset;

function read(payload: Buffer): DumpValue | DumpFailure {
  const framed = Buffer.concat([Buffer.from('before'), payload, Buffer.from('behind')]);
  return readDump(framed, 6, 6 + payload.length) as DumpValue | DumpFailure;
}

function elementsOf(value: DumpValue | DumpFailure): string | readonly string[] | null {
  switch (value.kind) {
    case 'string':
      return value.bytes.toString('latin1');
    case 'list':
      return value.items;
    case 'set':
    case 'zset':
      return value.members;
    case 'hash':
      return value.fieldsAndValues;
    default:
      return null;
  }
}

test('strings and lists are dumped to the byte as redis-server dumps them', () => {
  for (const [name, hex, recorded] of dumped) {
    const items =
      name === 'list of 3000' ? Array.from({ length: 3000 }, (_, i) => `${(i * 7919) % 10007}`) : recorded;
    const payload = Buffer.from(hex, 'hex');
    assert.ok(isIntactDump(payload, 0, payload.length), name);
    assert.deepEqual(elementsOf(read(payload)), items, name);
    const bytes = Buffer.from(`-${items}`, 'latin1');
    const ours = typeof items === 'string' ? dumpString(bytes, 1, bytes.length - 1) : dumpList(items);
    assert.equal(ours.toString('hex'), hex, name);
  }
});

test('every encoding that RESTORE takes is read, and what it refuses is refused', () => {
  for (const [name, hex, elements, scores] of restored) {
    const payload = Buffer.from(hex, 'hex');
    assert.ok(isIntactDump(payload, 0, payload.length), name);
    const value = read(payload);
    assert.deepEqual(elementsOf(value), elements, name);
    if (value.kind === 'zset') assert.deepEqual(value.scores, scores, name);
    if (value.kind !== 'corrupt') assert.equal(value.rdbType, payload[0]);
  }
});

const anyText = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  }),
  fc.maxSafeInteger().map(String),
  fc.constantFrom('x'.repeat(5000), '-128', '2147483647', '2147483648', ''),
);

test('what is written is read', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyText, { minLength: 1, maxLength: 40 }), (texts) => {
      const list = [...texts, ...texts];
      assert.deepEqual(elementsOf(read(dumpList(list))), list);
      assert.deepEqual(elementsOf(read(dumpTexts(RdbType.set, texts.length, texts))), texts);
      const pairs = texts.flatMap((text) => [text, texts[0]!]);
      assert.deepEqual(elementsOf(read(dumpTexts(RdbType.hash, pairs.length, pairs))), pairs);
      const packed = new ListpackBuilder();
      for (const text of pairs) packed.appendText(text);
      const listpack = packed.take();
      assert.deepEqual(
        elementsOf(read(dumpPacked(RdbType.hashListpack, listpack, 0, listpack.length))),
        pairs,
      );
    }),
    { numRuns: 60 },
  );
});

test('sorted sets come back ascending, whatever the order and the sign of zero', () => {
  const score = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-0, 0, 1, Infinity, -Infinity));
  fc.assert(
    fc.property(
      fc.uniqueArray(anyText, { minLength: 1, maxLength: 30 }),
      fc.infiniteStream(score),
      (members, stream) => {
        const pairs = members.map((member) => [member, stream.next().value as number] as const);
        const value = read(dumpSortedSet(pairs.length, pairs));
        assert.equal(value.kind, 'zset');
        if (value.kind !== 'zset') return;
        const order = [...pairs].sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x < y ? -1 : 1));
        assert.deepEqual(
          value.members.map((member, i) => [member, value.scores[i]]),
          order.map((pair) => [...pair]),
        );
      },
    ),
    { numRuns: 100 },
  );
});

test('a footer that is not right is seen', () => {
  const payload = dumpString(Buffer.from('value'), 0, 5);
  assert.ok(isIntactDump(payload, 0, payload.length));
  assert.ok(!isIntactDump(payload, 0, payload.length - 1));
  assert.ok(!isIntactDump(payload, 0, footerSize - 1));
  const newer = Buffer.from(payload);
  newer.writeUInt16LE(11, newer.length - footerSize);
  writeCrc64(newer, 0, newer.length - 8, newer, newer.length - 8);
  assert.ok(!isIntactDump(newer, 0, newer.length));
  for (let at = 0; at < payload.length; at++) {
    const damaged = Buffer.from(payload);
    damaged[at] = damaged[at]! ^ 1;
    assert.ok(!isIntactDump(damaged, 0, damaged.length));
  }
});

test('claims that the payload cannot back are refused before anything is allocated', () => {
  const claims: [string, Buffer][] = [
    ['string', Buffer.from('0080ffffffff', 'hex')],
    ['64-bit string', Buffer.from('0081ffffffffffffffff', 'hex')],
    ['list', Buffer.from('0180ffffffff', 'hex')],
    ['set', Buffer.from('0281000000ffffffffff', 'hex')],
    ['hash', Buffer.from('0480ffffffff', 'hex')],
    ['sorted set', Buffer.from('0580ffffffff', 'hex')],
    ['LZF', Buffer.from('00c30380200000000161e0ff00', 'hex')],
  ];
  for (const [name, head] of claims) {
    const payload = Buffer.concat([head, Buffer.alloc(footerSize)]);
    assert.equal(read(payload).kind, 'corrupt', name);
  }
});

test('damage with a right checksum is read or refused, never thrown', () => {
  const payloads = [...restored, ...dumped].map(([, hex]) => Buffer.from(hex, 'hex'));
  const damage = fc.array(
    fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  let readable = 0;
  fc.assert(
    fc.property(fc.constantFrom(...payloads), damage, fc.boolean(), (payload, places, cuts) => {
      let body = Buffer.from(payload.subarray(0, payload.length - footerSize));
      for (const [place, byte] of places) body[Math.floor(place * body.length)] = byte;
      if (cuts) body = body.subarray(0, Math.floor(places[0]![0] * body.length));
      const value = read(Buffer.concat([body, Buffer.alloc(footerSize)]));
      if (value.kind !== 'corrupt') readable++;
    }),
    { numRuns: 8000 },
  );
  assert.ok(readable > 0);
});

test('types other than the five are refused', () => {
  for (const type of [6, 7, 8, 15, 19, 20, 246, 255]) {
    assert.equal(read(new RdbWriter(type).element('x').finish()).kind, 'corrupt');
  }
});

test('duplicates are found among more members than one set is given', () => {
  const members = Array.from({ length: 150_000 }, (_, i) => `member:${i}`);
  assert.ok(!hasDuplicate(members, 1));
  members[149_999] = 'member:7';
  assert.ok(hasDuplicate(members, 1));
  assert.ok(!hasDuplicate(['a', 'x', 'b', 'x'], 2));
});
