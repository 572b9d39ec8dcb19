/** Replies whose size is a matter of the request alone: refused before they are made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, EntryBuilder, errors, type Reply, silentListener } from '../../engine/index.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 1 };

function exec(engine: Engine, requests: readonly (readonly (string | Buffer)[])[]): Reply[] {
  const builder = new EntryBuilder(1, 1);
  builder.exec(
    session,
    0,
    [],
    requests.map((words) => encodeRequest(words)),
  );
  let replies: Reply = null;
  engine.apply(engine.appliedIndex + 1, builder.finish(1000, 1, 2), {
    ...silentListener,
    reply: (_ordinal, reply) => {
      replies = reply;
    },
  });
  return replies as unknown as Reply[];
}

test('more random members than a node can hold are refused', () => {
  const engine = new Engine();
  engine.call('SADD', 's', 'm');
  engine.call('HSET', 'h', 'f', 'v');
  engine.call('ZADD', 'z', 1, 'm');
  for (const [name, key] of [
    ['SRANDMEMBER', 's'],
    ['HRANDFIELD', 'h'],
    ['ZRANDMEMBER', 'z'],
  ] as const) {
    assert.equal((engine.call(name, key, -1000) as unknown[]).length, 1000);
    for (const count of [-(2 ** 20) - 1, -(2 ** 31), '-4611686018427387903'])
      assert.throws(() => engine.call(name, key, count), { message: errors.repliesTooMany.text });
  }
});

test('the replies of a transaction have a bound: its reads are refused beyond it, its writes done', () => {
  const engine = new Engine();
  engine.call('SADD', 's', Buffer.alloc(4 << 20));
  const replies = exec(engine, [
    // 8 GiB, if they were copied.
    ['SRANDMEMBER', 's', '-2000'],
    ['SRANDMEMBER', 's', '-2'],
    ['SPOP', 's'],
    ['SCARD', 's'],
  ]);
  assert.equal(replies[0], errors.repliesTooMany);
  assert.equal((replies[1] as Reply[]).length, 2);
  assert.equal((replies[2] as Buffer).length, 4 << 20);
  assert.equal(replies[3], 0);
});
