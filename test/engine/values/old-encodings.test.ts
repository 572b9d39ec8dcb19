import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readZiplist } from '../../../engine/values/ziplist.js';
import { readZipmap } from '../../../engine/values/zipmap.js';

/** The example of Redis's own description of the format: the list "2", "5". */
const twoIntegers = '0f000000' + '0c000000' + '0200' + '00f3' + '02f6' + 'ff';

interface ZiplistEntry {
  text: string;
  encoded: Buffer;
}

function integerEntry(lead: number, value: number, width: number): ZiplistEntry {
  const encoded = Buffer.alloc(1 + width, lead);
  if (width > 0) encoded.writeIntLE(value, 1, width);
  return { text: `${value}`, encoded };
}

function stringEntry(text: string, lead: number[]): ZiplistEntry {
  return { text, encoded: Buffer.concat([Buffer.from(lead), Buffer.from(text, 'latin1')]) };
}

const everyEncoding: ZiplistEntry[] = [
  integerEntry(0xf1, 0, 0),
  integerEntry(0xfd, 12, 0),
  integerEntry(0xfe, -128, 1),
  integerEntry(0xc0, -32768, 2),
  integerEntry(0xf0, -8388608, 3),
  integerEntry(0xd0, 2147483647, 4),
  { text: '-9223372036854775808', encoded: Buffer.from('e00000000000000080', 'hex') },
  stringEntry('', [0x00]),
  stringEntry('z'.repeat(63), [0x3f]),
  stringEntry('y'.repeat(300), [0x41, 0x2c]),
  stringEntry('x'.repeat(20_000), [0x80, 0x00, 0x00, 0x4e, 0x20]),
  stringEntry('end', [0x03]),
];

function ziplistOf(entries: ZiplistEntry[], wideLinks = false): Buffer {
  const parts: Buffer[] = [];
  let previous = 0;
  let tail = 10;
  let end = 10;
  for (const { encoded } of entries) {
    const link = Buffer.alloc(previous >= 254 || wideLinks ? 5 : 1, previous);
    if (link.length === 5) {
      link[0] = 254;
      link.writeUInt32LE(previous, 1);
    }
    parts.push(link, encoded);
    tail = end;
    previous = link.length + encoded.length;
    end += previous;
  }
  const header = Buffer.alloc(10);
  header.writeUInt32LE(end + 1, 0);
  header.writeUInt32LE(tail, 4);
  header.writeUInt16LE(entries.length, 8);
  return Buffer.concat([header, ...parts, Buffer.from([0xff])]);
}

test('a ziplist is read in every encoding', () => {
  const example = Buffer.from(twoIntegers, 'hex');
  assert.deepEqual(readZiplist(example, 0, example.length), ['2', '5']);
  for (const wideLinks of [false, true]) {
    const ziplist = Buffer.concat([Buffer.from('junk'), ziplistOf(everyEncoding, wideLinks)]);
    assert.deepEqual(
      readZiplist(ziplist, 4, ziplist.length - 4),
      everyEncoding.map(({ text }) => text),
    );
  }
  assert.deepEqual(readZiplist(ziplistOf([]), 0, 11), []);
});

test('a zipmap is read', () => {
  const zipmap = Buffer.from('\x02\x03foo\x03\x00bar\x05hello\x05\x02world??\xff', 'latin1');
  assert.deepEqual(readZipmap(zipmap, 0, zipmap.length), ['foo', 'bar', 'hello', 'world']);
  const long = 'v'.repeat(300);
  const wide = Buffer.from(`\xfe\xfe\x2c\x01\x00\x00${long}\xfe\x2c\x01\x00\x00\x00${long}\xff`, 'latin1');
  assert.deepEqual(readZipmap(wide, 0, wide.length), [long, long]);
  for (const refused of [
    '',
    '\x00',
    '\x00\xff',
    '\x02\x01a\x01\x00b\xff',
    '\x01\x01a\xff',
    '\x01\x01a\x01\x09b\xff',
    '\x01\xff\xff',
  ]) {
    assert.equal(
      readZipmap(Buffer.from(refused, 'latin1'), 0, refused.length),
      undefined,
      JSON.stringify(refused),
    );
  }
});

test('damage is refused or harmless', () => {
  const ziplist = ziplistOf(everyEncoding.filter(({ text }) => text.length < 1000));
  const zipmap = Buffer.from('\x02\x03foo\x03\x00bar\x05hello\x05\x02world??\xff', 'latin1');
  for (const [read, whole] of [
    [readZiplist, ziplist],
    [readZipmap, zipmap],
  ] as const) {
    for (let cut = 0; cut < whole.length; cut++)
      assert.equal(read(whole.subarray(0, cut), 0, cut), undefined);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (place, byte) => {
        const damaged = Buffer.from(whole);
        damaged[place] = byte;
        const texts = read(damaged, 0, damaged.length);
        if (texts !== undefined)
          assert.ok(texts.reduce((sum, text) => sum + text.length, 0) <= whole.length * 5);
      }),
      { numRuns: 2000 },
    );
  }
});
