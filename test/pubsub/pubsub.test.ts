/** Messages in one order on every node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, EntryBuilder, silentListener, type View, viewOf } from '../../engine/index.js';
import { Message } from '../../src/pubsub/message.js';
import { ClientSubscriptions, type Subscriber, Subscriptions } from '../../src/pubsub/subscriptions.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

class Recorder implements Subscriber {
  readonly got: string[] = [];
  readonly own = new ClientSubscriptions();

  deliver(message: Message): void {
    this.got.push(message.bytes(2).toString('latin1'));
  }
}

test('a message is encoded once for each protocol, which differ in their first byte', () => {
  const message = new Message(['message', viewOf('channel'), viewOf('payload')]);
  const text = '3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$7\r\npayload\r\n';
  assert.equal(message.bytes(2).toString('latin1'), `*${text}`);
  assert.equal(message.bytes(3).toString('latin1'), `>${text}`);
  assert.equal(message.bytes(2), message.bytes(2));
  assert.equal(message.bytes(3), message.bytes(3));
});

test('a subscriber that ends, or is gone, leaves nothing behind', () => {
  const subscriptions = new Subscriptions();
  const a = new Recorder();
  const b = new Recorder();
  for (const one of [a, b]) {
    assert.equal(subscriptions.add('channel', 'c', one, one.own), true);
    assert.equal(subscriptions.add('channel', 'c', one, one.own), false);
    subscriptions.add('pattern', 'c*', one, one.own);
    subscriptions.add('shard', 'c', one, one.own);
  }
  assert.equal(subscriptions.publish(viewOf('c'), viewOf('x')), 4);
  assert.equal(subscriptions.publishSharded(viewOf('c'), viewOf('x')), 2);
  assert.equal(subscriptions.delete('pattern', 'c*', a, a.own), true);
  assert.equal(subscriptions.delete('pattern', 'c*', a, a.own), false);
  subscriptions.forget(b, b.own);
  assert.equal(subscriptions.size('pattern'), 0);
  assert.equal(subscriptions.publish(viewOf('c'), viewOf('x')), 1);
  subscriptions.forget(a, a.own);
  for (const kind of ['channel', 'pattern', 'shard'] as const) assert.equal(subscriptions.size(kind), 0);
  assert.equal(subscriptions.publish(viewOf('c'), viewOf('x')), 0);
});

test('every engine that applies an entry publishes its messages, in order, EXEC included', () => {
  const builder = new EntryBuilder(1, 1);
  const session = { nodeId: 1, startId: 1, counter: 1 };
  const command = (...words: string[]): Buffer => encodeRequest(words);
  const add = (...words: string[]): void => {
    const bytes = command(...words);
    builder.command(session, 0, bytes, 0, bytes.length);
  };
  add('SET', 'k', 'v');
  add('PUBLISH', 'c', '1');
  builder.exec(session, 0, [], [command('PUBLISH', 'c', '2'), command('SPUBLISH', 's', '3')]);
  const entry = builder.finish(1000, 0, 0);
  for (const engine of [new Engine(), new Engine({ hashSeed: { low: 5, high: 6 } })]) {
    const told: string[] = [];
    const publish = (channel: View, message: View, isSharded: boolean): number =>
      told.push(`${channel.latin1()} ${message.latin1()} ${isSharded} ${engine.keyspace.database(0).size}`);
    engine.apply(1, entry, { ...silentListener, publish });
    assert.deepEqual(told, ['c 1 false 1', 'c 2 false 1', 's 3 true 1']);
  }
});
