/** Behaviour levels in the engine: what an entry does depends on the level in force, which is state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BehaviourLevelError,
  Engine,
  EntryBuilder,
  restoreEngine,
  SnapshotError,
} from '../../engine/index.js';
import { cbor } from '../../engine/snapshot/format.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { changedAtLevel2 } from './changed-behaviour.js';

const session = { nodeId: 1, startId: 1, counter: 1 };
const silent = { reply: () => {}, wake: () => {}, publish: () => 0, runProgramCommand: () => null };

class Log {
  readonly entries: Buffer[] = [];
  private readonly builder = new EntryBuilder(1, 1);

  add(fill: (builder: EntryBuilder) => void): this {
    fill(this.builder);
    this.entries.push(this.builder.finish(1000 + this.entries.length, 1, 2));
    return this;
  }

  append(text: string): this {
    const request = encodeRequest(['APPEND', 'k', text]);
    return this.add((builder) => builder.command(session, 0, request, 0, request.length));
  }

  raise(level: number): this {
    return this.add((builder) => builder.raiseLevel(session, level));
  }

  replay(engine: Engine): Engine {
    this.entries.forEach((entry, i) => {
      if (i >= engine.appliedIndex) engine.apply(i + 1, entry, silent);
    });
    return engine;
  }
}

test('a change waits for its level; an old log gives what it gave', (t) => {
  changedAtLevel2(t);
  const log = new Log().append('a').append('b');
  const engines = [1, 2, 3].map((behaviourLevel) => log.replay(new Engine({ behaviourLevel })));
  for (const engine of engines) {
    assert.equal(engine.call('GET', 'k'), 'ab');
    assert.equal(engine.digest(), engines[0]!.digest());
  }
  log.raise(2).append('c');
  const [old, ...others] = engines;
  for (const engine of others) {
    log.replay(engine);
    assert.equal(engine.keyspace.behaviour.level, 2);
    assert.equal(engine.call('GET', 'k'), 'abcc');
    assert.equal(engine.digest(), others[0]!.digest());
  }
  assert.throws(() => log.replay(old!), BehaviourLevelError);
  assert.equal(old!.appliedIndex, 2);
  assert.equal(old!.keyspace.behaviour.level, 1);
  assert.equal(old!.call('GET', 'k'), 'ab');
});

test('the level goes up alone, and through snapshots', (t) => {
  changedAtLevel2(t);
  const engine = new Log()
    .append('a')
    .raise(3)
    .raise(2)
    .append('b')
    .replay(new Engine({ behaviourLevel: 3 }));
  assert.equal(engine.keyspace.behaviour.level, 3);
  const bytes = engine.snapshot();
  const copy = restoreEngine(bytes, { behaviourLevel: 7 });
  assert.equal(copy.keyspace.behaviour.level, 3);
  assert.equal(copy.digest(), engine.digest());
  assert.equal(copy.call('GET', 'k'), 'abb');
  assert.throws(() => restoreEngine(bytes, { behaviourLevel: 2 }), {
    name: 'BehaviourLevelError',
    message: /behaviour level 3 is in force, and this release knows levels up to 2: use the release/,
  });
});

test('a state of the first level is written as before there were levels', () => {
  const engine = new Log().append('a').replay(new Engine({ behaviourLevel: 2 }));
  const [header] = cbor.decodeMultiple(engine.snapshot()) as unknown[][];
  assert.equal(header!.length, 7);
  assert.equal(header![1], 1);
});

test('a header that lies about its level is refused', () => {
  const engine = new Log().raise(2).replay(new Engine({ behaviourLevel: 2 }));
  const [header, ...records] = cbor.decodeMultiple(engine.snapshot()) as unknown[][];
  const restored = (changed: unknown[]): Engine =>
    restoreEngine(Buffer.concat([changed, ...records].map((record) => cbor.encode(record))), {
      behaviourLevel: 2,
    });
  assert.equal(restored(header!).keyspace.behaviour.level, 2);
  const rest = header!.slice(2, 7);
  for (const changed of [
    [0, 1, ...rest, 2],
    [0, 2, ...rest],
    [0, 2, ...rest, 1.5],
    [0, 2, ...rest, -1],
    [0, 2, ...rest, 'x'],
    [0, 2, ...rest, 2, 2],
    [0, 3, ...rest, 2],
    [0, '__proto__', ...rest],
  ])
    assert.throws(() => restored(changed), SnapshotError, `${changed}`);
});
