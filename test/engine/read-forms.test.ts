/** Commands that write only if their arguments say so: otherwise they are reads, on the path of reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, ErrorReply, RequestBuilder } from '../../engine/index.js';
import { answer } from './script.js';

function kindOf(engine: Engine, line: string): string {
  const row = engine.table.resolve(new RequestBuilder().command(line.split(' '), false));
  assert.ok(!(row instanceof ErrorReply), line);
  return row.kind;
}

function filled(): Engine {
  const engine = new Engine();
  engine.call('RPUSH', 'l', 3, 1, 2);
  engine.call('ZADD', 'z', 3, 3, 1, 1);
  engine.call('GEOADD', 'g', 13.36, 38.11, 'p', 15.08, 37.5, 'q');
  engine.call('SET', 's', 'value');
  return engine;
}

const reads = [
  'SORT l',
  'SORT l DESC LIMIT 0 2',
  'SORT z BY w_* GET # GET v_*',
  'SORT absent',
  'SORT s',
  'SORT l NOPE',
  'GEORADIUS g 15 37 200 km WITHDIST',
  'GEORADIUS g 15 37 200 km NOPE',
  'GEORADIUSBYMEMBER g p 200 km ASC',
  'BITFIELD s GET u8 0 OVERFLOW SAT GET i5 #1',
  'BITFIELD s',
  'BITFIELD s NOPE',
  'GETEX s',
  'GETEX l',
  'GETEX absent',
];
const writes = [
  'SORT l STORE d',
  'SORT l BY STORE STORE d',
  'GEORADIUS g 15 37 200 km STORE d',
  'GEORADIUSBYMEMBER g p 200 km STOREDIST d',
  'BITFIELD s SET u8 0 65',
  'BITFIELD s GET u8 0 INCRBY u8 0 1',
  'GETEX s PERSIST',
  'GETEX s EX 10',
];

test('a request that changes nothing is a read, answers what the write would, and leaves the state as it is', () => {
  const engine = filled();
  const before = engine.digest();
  for (const line of reads) {
    assert.equal(kindOf(engine, line), 'read', line);
    const row = engine.table.byText.get(line.split(' ')[0])!;
    assert.ok(row.kind === 'write' && row.isRead !== undefined && row.readRow?.id === row.id);
    const got = answer(engine, line.split(' '));
    assert.equal(engine.digest(), before, line);
    const { isRead } = row;
    const open = row as { isRead: typeof isRead | undefined };
    open.isRead = undefined;
    try {
      assert.deepEqual(answer(filled(), line.split(' ')), got, line);
    } finally {
      open.isRead = isRead;
    }
  }
});

test('a request that may change something is a write', () => {
  const engine = filled();
  for (const line of writes) assert.equal(kindOf(engine, line), 'write', line);
});

test('a key that SORT would look up is too long to be', () => {
  const engine = new Engine();
  engine.call('RPUSH', 'l', Buffer.alloc(250 << 20, 'e'));
  const pattern = Buffer.alloc(250 << 20, 'p');
  pattern[1000] = 0x2a;
  engine.call('SET', 'k', 'v');
  assert.deepEqual(engine.call('SORT', 'l', 'BY', 'nosort', 'GET', pattern, 'GET', pattern), [null, null]);
});

test('an option that would grow in upper case is none', () => {
  const engine = new Engine();
  const sharpS = Buffer.alloc(400 << 20, 0xdf);
  assert.throws(() => engine.call('SET', 'k', 'v', sharpS), /syntax error/);
  assert.throws(() => engine.call('ZADD', 'z', sharpS, 'm'), /not a valid float/);
  assert.throws(() => engine.call('SORT', 'k', 'BY', sharpS), /too long for this command/);
});
