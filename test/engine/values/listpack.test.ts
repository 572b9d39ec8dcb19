import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  copyListpackResized,
  copyListpackText,
  listpackAfter,
  listpackCount,
  listpackElementSize,
  listpackEmptySize,
  listpackEnd,
  listpackEquals,
  listpackFind,
  listpackFirst,
  listpackIsInteger,
  listpackLast,
  listpackNext,
  listpackPrevious,
  listpackSeek,
  listpackSize,
  listpackSizeOfBytes,
  listpackSizeOfInteger,
  listpackSizeOfText,
  listpackText,
  listpackTextLength,
  resizeListpack,
  validateListpack,
  writeEmptyListpack,
  writeListpackBytes,
  writeListpackText,
} from '../../../engine/values/listpack.js';
import { ListpackBuilder } from '../../../engine/values/listpack-builder.js';

/**
 * The listpack of a hash in redis-server 7.0.15 after HSET h with {@link recordedTexts}, cut out of its DUMP.
 */
const recorded =
  '270100001e0000017f01c08002dfff02d00002cfff02f1001003f1ffef03f1ff7f03f1008003f200800004f2ff7fff04f2ffff7f04f200008004f30000800005f3ffff7fff05f3ffffff7f05f30000008005f4000000800000000009f4ffffff7fffffffff09f4ffffffffffffff7f09f40000000000000080098001816102822d3003833030370483312e3504933932323333373230333638353437373538303814bf78787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787840e0407878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787842ff';

const recordedTexts = [
  ...['0', '127', '128', '-1', '-4096', '4095', '4096', '-4097', '32767', '-32768', '32768', '-32769'],
  ...['8388607', '-8388608', '8388608', '-8388609', '2147483647', '-2147483648', '2147483648', '-2147483649'],
  ...['9223372036854775807', '-9223372036854775808'],
  ...['', 'a', '-0', '007', '1.5', '9223372036854775808', 'x'.repeat(63), 'x'.repeat(64)],
];

/** Lengths around every border of the string encodings and of the back lengths. */
const borderLengths = [0, 1, 63, 64, 125, 126, 127, 128, 4095, 4096, 16377, 16378, 16379, 16383, 16384];

const anyText = fc.oneof(
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 20,
  }),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.integer({ min: -5000, max: 5000 }).map(String),
  fc.constantFrom(...borderLengths.map((length) => 'y'.repeat(length))),
);

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function build(texts: string[]): Buffer {
  const builder = new ListpackBuilder(0);
  for (const text of texts) builder.appendText(text);
  assert.equal(builder.count, texts.length);
  return builder.take();
}

function textsOf(buffer: Buffer, start: number): string[] {
  const texts: string[] = [];
  for (let at = listpackFirst(buffer, start); at >= 0; at = listpackNext(buffer, at)) {
    texts.push(listpackText(buffer, at));
  }
  return texts;
}

test('the bytes are those of redis-server', () => {
  assert.equal(build(recordedTexts).toString('hex'), recorded);
  assert.deepEqual(textsOf(Buffer.from(recorded, 'hex'), 0), recordedTexts);
});

test('elements are reached from both ends and compared by text', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 12 }), (texts) => {
      const packed = build(texts);
      // The listpack in the middle of other bytes, as in a slab.
      const buffer = Buffer.concat([Buffer.alloc(5, 0xfe), packed, Buffer.alloc(3, 0xfe)]);
      assert.equal(listpackSize(buffer, 5), packed.length);
      assert.equal(listpackCount(buffer, 5), texts.length);
      assert.equal(validateListpack(buffer, 5, packed.length), texts.length);
      assert.deepEqual(textsOf(buffer, 5), texts);
      const backwards: string[] = [];
      for (let at = listpackLast(buffer, 5); at >= 0; at = listpackPrevious(buffer, 5, at)) {
        backwards.unshift(listpackText(buffer, at));
      }
      assert.deepEqual(backwards, texts);
      const target = Buffer.alloc(20_000);
      for (let index = -texts.length - 1; index <= texts.length; index++) {
        const at = listpackSeek(buffer, 5, index);
        const text = texts.at(index);
        if (index >= texts.length || text === undefined) {
          assert.equal(at, -1);
          continue;
        }
        assert.equal(listpackText(buffer, at), text);
        assert.equal(listpackTextLength(buffer, at), text.length);
        assert.equal(copyListpackText(buffer, at, target, 2), text.length);
        assert.equal(target.toString('latin1', 2, 2 + text.length), text);
        assert.ok(listpackEquals(buffer, at, bytesOf(text), 0, text.length));
        assert.ok(!listpackEquals(buffer, at, bytesOf(`${text}0`), 0, text.length + 1));
      }
    }),
  );
});

test('find looks at every second element when told to skip one', () => {
  fc.assert(
    fc.property(fc.array(anyText, { minLength: 1, maxLength: 8 }), anyText, (fields, absent) => {
      const packed = build(fields.flatMap((field) => [field, absent]));
      const find = (text: string, skip: number) =>
        listpackFind(packed, listpackFirst(packed, 0), skip, bytesOf(`_${text}`), 1, text.length);
      for (const field of fields)
        assert.equal(find(field, 1), listpackSeek(packed, 0, 2 * fields.indexOf(field)));
      assert.equal(find(absent, 0) >= 0, true);
      assert.equal(find(absent, 1) >= 0, fields.includes(absent));
    }),
  );
});

test('find takes the digits of a foreign writer that stored them as a string', () => {
  const packed = Buffer.from('0b0000000100823132 03ff'.replaceAll(' ', ''), 'hex');
  assert.equal(validateListpack(packed, 0, packed.length), 1);
  assert.equal(listpackFind(packed, 6, 0, bytesOf('12'), 0, 2), 6);
  assert.ok(!listpackIsInteger(packed, 6));
});

test('edits in place and into another buffer equal a rebuilt listpack', () => {
  const edit = fc.record({
    kind: fc.constantFrom('insert', 'replace', 'delete'),
    place: fc.nat(20),
    text: anyText,
    copies: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 25 }), (edits) => {
      let buffer = Buffer.alloc(600_000, 0xaa);
      let start = 9;
      assert.equal(writeEmptyListpack(buffer, start), listpackEmptySize);
      const model: string[] = [];
      for (const { kind, place, text, copies } of edits) {
        const index = place % (model.length + 1);
        const at = index === model.length ? listpackEnd(buffer, start) : listpackSeek(buffer, start, index);
        const inserts = kind === 'insert' || index === model.length;
        const removed = inserts ? 0 : listpackElementSize(buffer, at);
        const inserted =
          kind === 'delete' && !inserts ? 0 : listpackSizeOfBytes(bytesOf(text), 0, text.length);
        const countChange = (inserted > 0 ? 1 : 0) - (removed > 0 ? 1 : 0);
        model.splice(index, removed > 0 ? 1 : 0, ...(inserted > 0 ? [text] : []));
        let gap = at;
        if (copies) {
          const target = Buffer.alloc(600_000, 0x55);
          copyListpackResized(buffer, start, at, removed, inserted, countChange, target, 4);
          gap = at - start + 4;
          buffer = target;
          start = 4;
        } else {
          resizeListpack(buffer, start, at, removed, inserted, countChange);
        }
        if (inserted > 0) {
          assert.equal(listpackSizeOfText(text), inserted);
          assert.equal(writeListpackBytes(buffer, gap, bytesOf(text), 0, text.length), inserted);
          assert.equal(writeListpackText(buffer, gap, text), inserted);
          assert.equal(listpackAfter(buffer, gap), gap + inserted);
        }
        const size = listpackSize(buffer, start);
        assert.deepEqual(buffer.subarray(start, start + size), build(model));
      }
    }),
    { numRuns: 60 },
  );
});

test('a count past 65534 is walked, not read', () => {
  const builder = new ListpackBuilder();
  for (let i = 0; i < 70_000; i++) builder.appendInteger(i & 63);
  const packed = builder.take();
  assert.equal(packed.readUInt16LE(4), 65535);
  assert.equal(listpackCount(packed, 0), 70_000);
  assert.equal(validateListpack(packed, 0, packed.length), 70_000);
  assert.equal(listpackText(packed, listpackSeek(packed, 0, 65_537)), `${65_537 & 63}`);
  assert.equal(listpackText(packed, listpackSeek(packed, 0, -2)), `${69_998 & 63}`);
  assert.equal(listpackSeek(packed, 0, 70_000), -1);
  assert.equal(listpackSizeOfInteger(-1), 3);
});

test('validation refuses every damage or leaves a listpack that can be walked', () => {
  const whole = Buffer.from(recorded, 'hex');
  for (let cut = 0; cut < whole.length; cut++)
    assert.equal(validateListpack(whole.subarray(0, cut), 0, cut), -1);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
      const damaged = Buffer.from(whole);
      damaged[place] = damaged[place]! ^ flip;
      const count = validateListpack(damaged, 0, damaged.length);
      if (count >= 0) assert.equal(textsOf(damaged, 0).length, count);
    }),
    { numRuns: 3000 },
  );
});
