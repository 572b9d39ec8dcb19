/** Logged time, as entries bring it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, EntryBuilder, silentListener } from '../../engine/index.js';

test('logged time never goes back: a new leader may not have seen the last stamp', () => {
  const engine = new Engine();
  const session = { nodeId: 1, startId: 1, counter: 1 };
  let index = 0;
  const apply = (nowMs: number, request: string): void => {
    const builder = new EntryBuilder(1, 1);
    const bytes = Buffer.from(request);
    builder.command(session, 0, bytes, 0, bytes.length);
    engine.apply(++index, builder.finish(nowMs, 0, 0), silentListener);
  };
  apply(1000, '*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$3\r\n100\r\n');
  apply(5000, '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n');
  apply(1050, '*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n');
  assert.equal(engine.keyspace.now, 5000);
  assert.equal(engine.call('GET', 'k'), null);
});
