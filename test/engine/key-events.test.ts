/** What the keyspace tells its listeners, beside what redis-server tells its subscribers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Engine, ReplyError } from '../../engine/index.js';

const script = readFileSync(join(import.meta.dirname, '../../../test/engine/key-events.txt'), 'utf8');

function callQuietly(engine: Engine, args: readonly string[]): void {
  try {
    engine.call(...args);
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
  }
}

test('each command tells the events that redis-server tells', () => {
  const engine = new Engine();
  engine.setTime(1_700_000_000_000);
  let told: string[] = [];
  engine.keyspace.listen({
    happened: (database, key, event) =>
      told.push(`  ${event.name} ${key.latin1()}${database === 0 ? '' : ` ${database}`}`),
  });
  const lines = script.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const actual: string[] = [];
  for (const line of lines) {
    if (line.startsWith('  ')) continue;
    told = [];
    callQuietly(
      engine,
      line.split(' ').map((word) => (word === '""' ? '' : word)),
    );
    actual.push(line, ...told);
  }
  assert.deepEqual(actual, lines);
});

test('a key whose time has come is told as expired, once', () => {
  const engine = new Engine();
  const told: string[] = [];
  engine.call('SET', 'k', 'v', 'PX', 100);
  engine.keyspace.listen({ happened: (_database, key, event) => told.push(`${event.name} ${key.latin1()}`) });
  engine.fastForward(100);
  engine.call('SET', 'other', 'v');
  engine.call('SET', 'k', 'v');
  assert.deepEqual(told, ['expired k', 'new other', 'set other', 'new k', 'set k']);
});

test('a listener hears of changes, of emptied and of swapped databases, until it ends', () => {
  const engine = new Engine();
  const told: string[] = [];
  const end = engine.keyspace.listen({
    changed: (database, key) => told.push(`changed ${database} ${key.latin1()}`),
    flushed: (database) => told.push(`flushed ${database}`),
    swapped: (first, second) => told.push(`swapped ${first} ${second}`),
  });
  engine.call('SET', 'k', 'v');
  engine.call('SWAPDB', 0, 1);
  engine.call('FLUSHDB');
  end();
  engine.call('SET', 'k', 'v');
  assert.deepEqual(told, ['changed 0 k', 'swapped 0 1', 'flushed 0']);
  assert.equal(engine.keyspace.isHeard, false);
});
