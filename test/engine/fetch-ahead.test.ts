/** Looking ahead within an entry: it finds the keys that come, and changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, EntryBuilder, EntryReader, type Session, silentListener } from '../../engine/index.js';

const own: Session = { nodeId: 1, startId: 1, counter: 7 };
const foreign: Session = { nodeId: 2, startId: 9, counter: 7 };

const resp = (words: readonly string[]): Buffer =>
  Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);

interface Item {
  words: string[];
  database: number;
  origin: Session;
  user: string | undefined;
  kind: 'command' | 'exec' | 'forget';
}

function build(items: readonly Item[]): Buffer {
  const builder = new EntryBuilder(1, 1);
  for (const { words, database, origin, user, kind } of items) {
    const request = resp(words);
    const caller = user === undefined ? undefined : { user, memoryIsFull: false };
    if (kind === 'exec') builder.exec(origin, database, [], [request], caller);
    else if (kind === 'forget') builder.forget(origin);
    else builder.command(origin, database, request, 0, request.length, caller);
  }
  return builder.finish(1_000, 1, 2);
}

const anyItem: fc.Arbitrary<Item> = fc.record({
  words: fc
    .tuple(
      fc.constantFrom('GET', 'EVALSHA', 'eval', 'fcall_ro', 'e', 'EXISTS', ''),
      fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { maxLength: 5 }),
    )
    .map(([name, more]) => [name, ...more]),
  database: fc.nat(1),
  origin: fc.constantFrom(own, foreign),
  user: fc.constantFrom(undefined, 'alice'),
  kind: fc.constantFrom('command', 'command', 'command', 'exec', 'forget'),
});

test('the arguments ahead are the first keys of plain commands and of scripts for the database that comes next', () => {
  fc.assert(
    fc.property(fc.array(anyItem, { minLength: 1, maxLength: 40 }), fc.nat(39), (items, steps) => {
      const entry = new EntryReader(build(items));
      const passed = Math.min(steps, items.length - 1);
      for (let i = 0; i < passed; i++) entry.step();
      const ahead = items.slice(passed, passed + 16);
      const database = ahead[0]!.kind === 'forget' ? 0 : ahead[0]!.database;
      const expected = ahead
        .filter((item) => item.kind === 'command')
        .filter((item) => item.database === database)
        .map(({ words }) => words[/^(ev|fc)/i.test(words[0]!) ? 3 : 1])
        .filter((word) => word !== undefined && word.length <= 12);
      const offsets = new Int32Array(32);
      const count = entry.argumentsAhead(16, 12, offsets);
      const found = Array.from({ length: count }, (_, i) =>
        entry.buffer.latin1Slice(offsets[2 * i]!, offsets[2 * i + 1]!),
      );
      assert.equal(entry.nextDatabase, database);
      assert.deepEqual(found, expected);
    }),
  );
});

test('bytes that are no request are left out, and end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (body, cut) => {
      const builder = new EntryBuilder(1, 1);
      builder.command(own, 0, Buffer.from(body), 0, body.length);
      builder.command(own, 0, Buffer.from('*2\r\n$3'), 0, 6);
      const bytes = builder.finish(1_000, 1, 2);
      const entry = new EntryReader(bytes.subarray(0, Math.max(33, bytes.length - cut)));
      const offsets = new Int32Array(32);
      const count = entry.argumentsAhead(16, 64, offsets);
      for (let i = 0; i < count; i++) {
        const [start, end] = [offsets[2 * i]!, offsets[2 * i + 1]!];
        assert.ok(start >= 0 && start <= end && end <= entry.buffer.length);
      }
    }),
  );
});

test('a large database holds the same after entries of many commands as after one command each', () => {
  const keys = 20_000;
  const commands: string[][] = [];
  for (let i = 0; i < keys; i++) commands.push(['SET', `key:${i}`, 'x']);
  for (let i = 0; i < 3_000; i++) {
    const key = `key:${(i * 7_919) % (keys + 500)}`;
    const script = ['EVAL', 'return redis.call("APPEND", KEYS[1], "z")', '1', key];
    const kinds = [
      ['SET', key, 'longer'.repeat(i % 9)],
      ['DEL', key],
      ['APPEND', key, 'y'],
      ['DBSIZE'],
      script,
    ];
    commands.push(kinds[i % kinds.length]!);
  }
  const run = (perEntry: number): { digest: string; replies: unknown[] } => {
    const engine = new Engine({ hashSeed: { low: 3, high: 4 } });
    const replies: unknown[] = [];
    const listener = { ...silentListener, reply: (_: number, reply: unknown) => void replies.push(reply) };
    for (let at = 0; at < commands.length; at += perEntry) {
      const items = commands.slice(at, at + perEntry);
      const entry = items.map((words) => ({ words, database: 0, origin: own, user: undefined }) as const);
      engine.apply(1, build(entry.map((item) => ({ ...item, kind: 'command' }))), listener);
    }
    return { digest: engine.digest(), replies };
  };
  assert.deepEqual(run(100), run(1));
});
