/** Users as state: entries change them, a snapshot carries them, the digest covers them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type ApplyListener,
  detach,
  Engine,
  EntryBuilder,
  type ErrorReply,
  ItemKind,
  OK,
  type Reply,
  restoreEngine,
  silentListener,
} from '../../../engine/index.js';
import { encodeRequest } from '../../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 0 };
type Kind = typeof ItemKind.setUser | typeof ItemKind.deleteUsers | typeof ItemKind.replaceUsers;

function apply(engine: Engine, kind: Kind, ...words: string[]): Reply {
  const builder = new EntryBuilder(1, 1);
  builder.users(session, kind, encodeRequest(words));
  const replies: Reply[] = [];
  const listener: ApplyListener = {
    ...silentListener,
    reply: (_ordinal, reply) => replies.push(detach(reply)),
  };
  engine.apply(engine.appliedIndex + 1, builder.finish(1000, 1, 2), listener);
  return replies[0];
}

const rulesOf = (engine: Engine): unknown => engine.users.all().map(({ name, rules }) => [name, ...rules]);

test('entries set, delete and replace users; what is refused changes nothing', () => {
  const engine = new Engine();
  assert.equal(apply(engine, ItemKind.setUser, 'ann', '0', 'on', 'nopass', '~a', '+get'), OK);
  assert.equal(apply(engine, ItemKind.setUser, 'bob', '1'), OK);
  assert.equal(engine.users.get('bob')?.selectors[0].allChannels, true);
  const refused = apply(engine, ItemKind.setUser, 'ann', '0', 'off', `!${'0'.repeat(64)}`);
  assert.match((refused as ErrorReply).text, /^ERR Error in ACL SETUSER modifier '!0+': The password/);
  assert.equal(engine.users.get('ann')?.isOn, true);
  assert.equal(apply(engine, ItemKind.deleteUsers, 'bob', 'default', 'nobody'), 1);
  assert.equal(apply(engine, ItemKind.replaceUsers, 'cid', '2', 'on', '~c', 'dan', '0'), OK);
  assert.deepEqual(
    engine.users.all().map(({ name }) => name),
    ['cid', 'dan', 'default'],
  );
});

test('a state that never had users is what it was before there were any', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 'v');
  const restored = restoreEngine(engine.snapshot());
  assert.equal(restored.users.haveChanged, false);
  assert.equal(restored.digest(), engine.digest());
});

test('a snapshot carries users, and the digest tells them apart', () => {
  const rule = fc.constantFrom(
    ...[
      'on',
      'off',
      'nopass',
      'resetpass',
      `#${'a'.repeat(64)}`,
      '~a',
      '%R~b',
      '%W~b',
      'allkeys',
      'resetkeys',
    ],
    ...['&c', 'allchannels', '+get', '-get', '+@all', '-@all', '+@string', '+config|get', '+select|0'],
    ...['(~x +set)', '(%R~* +@all)', 'clearselectors', 'skip-sanitize-payload', 'reset', '~\xff'],
  );
  const user = fc.tuple(fc.constantFrom('ann', 'default', 'z\xe4', ''), fc.array(rule, { maxLength: 12 }));
  fc.assert(
    fc.property(fc.array(user, { minLength: 1, maxLength: 5 }), (changes) => {
      const engine = new Engine();
      for (const [name, rules] of changes) apply(engine, ItemKind.setUser, name, '0', ...rules);
      const restored = restoreEngine(engine.snapshot());
      assert.deepEqual(rulesOf(restored), rulesOf(engine));
      assert.equal(restored.digest(), engine.digest());
      const before = JSON.stringify(rulesOf(engine));
      const digest = engine.digest();
      apply(restored, ItemKind.setUser, 'ann', '0', '~other');
      engine.appliedIndex = restored.appliedIndex;
      engine.keyspace.position = restored.keyspace.position;
      engine.keyspace.now = restored.keyspace.now;
      const differs = JSON.stringify(rulesOf(restored)) !== before;
      if (engine.users.haveChanged && digest !== '')
        assert.equal(restored.digest() !== engine.digest(), differs);
    }),
    { numRuns: 200 },
  );
});

test('a snapshot carries whose rights a waiting client has', () => {
  const engine = new Engine();
  apply(engine, ItemKind.setUser, 'ann', '0', 'on', '~q', '+blpop');
  const builder = new EntryBuilder(1, 1);
  const pop = encodeRequest(['BLPOP', 'q', '0']);
  for (const counter of [1, 2]) {
    const caller = counter === 1 ? { user: 'ann', memoryIsFull: false } : undefined;
    builder.command({ ...session, counter }, 0, pop, 0, pop.length, caller);
  }
  engine.apply(engine.appliedIndex + 1, builder.finish(1000, 1, 2), silentListener);
  const restored = restoreEngine(engine.snapshot());
  assert.equal(restored.digest(), engine.digest());
  const other = restoreEngine(engine.snapshot());
  for (const waiter of [...other.waiters.all()]) other.waiters.add({ ...waiter, user: '' });
  assert.notEqual(other.digest(), engine.digest());
  const push = encodeRequest(['RPUSH', 'q', 'x']);
  for (const one of [engine, restored]) {
    apply(one, ItemKind.setUser, 'ann', '0', '-blpop');
    builder.command(session, 0, push, 0, push.length);
    const woken: string[] = [];
    one.apply(one.appliedIndex + 1, builder.finish(1000, 1, 2), {
      ...silentListener,
      wake: ({ counter }, reply) =>
        woken.push(`${counter} ${Array.isArray(reply) ? 'served' : (reply as ErrorReply).code}`),
    });
    assert.deepEqual(woken, ['1 NOPERM', '2 served']);
  }
});
