import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Backlog } from '../../src/replicas/backlog.js';

test('what was appended reads back at its offset, as far as it is kept', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(150_000).map((length) => new Uint8Array(length)),
  );
  fc.assert(
    fc.property(fc.nat(1000), fc.array(piece, { maxLength: 30 }), fc.nat(100_000), (origin, pieces, kept) => {
      const backlog = new Backlog(origin);
      for (const bytes of pieces) backlog.append(Buffer.from(bytes));
      const all = Buffer.concat(pieces);
      assert.equal(backlog.end, origin + all.length);
      backlog.trim(kept, backlog.end);
      assert.ok(backlog.keptBytes >= Math.min(kept, all.length));
      let read = Buffer.alloc(0);
      for (let at = backlog.start; at < backlog.end; ) {
        const next = backlog.read(at, 7000);
        assert.ok(next.length > 0 && next.length <= 7000);
        read = Buffer.concat([read, next]);
        at += next.length;
      }
      assert.ok(read.equals(all.subarray(backlog.start - origin)));
      assert.equal(backlog.read(backlog.end, 10).length, 0);
      assert.throws(() => backlog.read(backlog.end + 1, 10), RangeError);
      assert.throws(() => backlog.read(backlog.start - 1, 10), RangeError);
    }),
  );
});

test('what somebody still needs is not forgotten', () => {
  const backlog = new Backlog(0);
  for (let i = 0; i < 10; i++) backlog.append(Buffer.alloc(64 * 1024, i));
  backlog.trim(0, 3 * 64 * 1024 + 5);
  assert.equal(backlog.start, 3 * 64 * 1024);
  assert.equal(backlog.read(backlog.start, 1)[0], 3);
});
