import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeReply } from '../../conformance/encode-reply.js';
import type { Reply } from '../../conformance/reply.js';
import { ReplyParser, ReplySyntaxError } from '../../conformance/reply-parser.js';
import { replies } from './arbitraries.js';

test('replies are read whole, whatever the split of the stream', () => {
  // Formats of verbatim strings are three letters on the wire.
  fc.assert(
    fc.property(fc.array(replies, { maxLength: 5 }), fc.array(fc.nat(60)), (expected, cuts) => {
      const stream = Buffer.from(expected.map(encodeReply).join(''), 'latin1');
      const parser = new ReplyParser();
      const read: Reply[] = [];
      let start = 0;
      for (const cut of cuts) {
        read.push(...parser.feed(stream.subarray(start, start + cut)));
        start += cut;
      }
      read.push(...parser.feed(stream.subarray(start)));
      assert.deepEqual(read, expected);
      assert.equal(parser.pendingLength, 0);
    }),
  );
});

test('a large string in many chunks is read in linear time', () => {
  const parser = new ReplyParser();
  const size = 4_000_000;
  const stream = Buffer.from(`$${size}\r\n${'x'.repeat(size)}\r\n:1\r\n`);
  let count = 0;
  for (let start = 0; start < stream.length; start += 1000)
    count += parser.feed(stream.subarray(start, start + 1000)).length;
  assert.equal(count, 2);
});

test('what is not RESP is refused', () => {
  for (const text of [
    'hello\r\n',
    ':x\r\n',
    '$x\r\n',
    '*-2\r\n',
    '$2\r\nabcd',
    '#x\r\n',
    '_x\r\n',
    '+OK\n',
    '=2\r\nab\r\n',
    '~-1\r\n',
  ]) {
    assert.throws(() => new ReplyParser().feed(Buffer.from(text)), ReplySyntaxError, text);
  }
});

test('a large array whose end comes in a small piece is not waited for any longer', () => {
  const bytes = Buffer.from(`*20000\r\n${':7\r\n'.repeat(20_000)}`, 'latin1');
  for (const split of [65_536, bytes.length - 1, bytes.length - 4]) {
    const parser = new ReplyParser();
    assert.equal(parser.feed(bytes.subarray(0, split)).length, 0);
    assert.equal(parser.feed(bytes.subarray(split)).length, 1, `split at ${split}`);
  }
});
