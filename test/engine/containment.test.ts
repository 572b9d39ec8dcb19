/**
 * A handler that fails by a fault of the engine: answered alike on all nodes if nothing has changed, the end
 * of the node if something has.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WriteCommand, WriteHandler } from '../../engine/command/command.js';
import { OutOfMemoryError } from '../../engine/containment.js';
import {
  type ApplyListener,
  Engine,
  EntryBuilder,
  errors,
  OK,
  type ReadCommand,
  type Reply,
  silentListener,
  View,
  viewOf,
} from '../../engine/index.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 1 };
const key = viewOf('k');

class Node {
  readonly engine: Engine;
  readonly faults: string[] = [];
  readonly replies: Reply[] = [];
  private index = 0;

  constructor() {
    this.engine = new Engine({
      onContained: (command, error) => this.faults.push(`${command}: ${(error as Error).message}`),
    });
  }

  /** Puts another handler in the place of a command's own. */
  break(name: string, handler: WriteHandler): void {
    (this.engine.table.byText.get(name) as { handler: WriteHandler }).handler = handler;
  }

  apply(...commands: string[][]): void {
    const builder = new EntryBuilder(1, 1);
    for (const command of commands) {
      const bytes = encodeRequest(command);
      builder.command(session, 0, bytes, 0, bytes.length);
    }
    const entry = builder.finish(1000, 1, 2);
    const listener: ApplyListener = {
      ...silentListener,
      reply: (_ordinal, reply) => this.replies.push(reply),
    };
    this.engine.apply(++this.index, entry, listener);
  }
}

/** Handlers are those of the process: given back at the end. */
function withHandlers(run: (node: Node) => void): void {
  const node = new Node();
  const originals = ['append', 'get', 'incr'].map((name) => {
    const row = node.engine.table.byText.get(name) as WriteCommand | ReadCommand;
    return { row, handler: row.handler };
  });
  try {
    run(node);
  } finally {
    for (const { row, handler } of originals) (row as { handler: unknown }).handler = handler;
  }
}

const fails = (message: string): never => {
  throw new RangeError(message);
};

test('a fault before the first mutation is an error reply, and the entry goes on', () => {
  withHandlers((node) => {
    node.break('append', () => fails('Invalid string length'));
    node.apply(['SET', 'k', 'v'], ['APPEND', 'k', 'x'], ['SET', 'l', 'w']);
    assert.deepEqual(node.replies, [OK, errors.contained, OK]);
    assert.deepEqual(node.faults, ['append: Invalid string length']);
    assert.equal(node.engine.call('GET', 'l'), 'w');
    const sound = new Node();
    sound.break('append', () => errors.contained);
    sound.apply(['SET', 'k', 'v'], ['APPEND', 'k', 'x'], ['SET', 'l', 'w']);
    // The state does not show which way the error came.
    sound.engine.setTime(node.engine.keyspace.now);
    assert.equal(node.engine.digest(), sound.engine.digest());
  });
});

test('a fault behind a mutation of any kind goes through', () => {
  const mutations: Record<string, WriteHandler> = {
    'a string': (_request, database) => void database.setString(key, viewOf('w')) as never,
    'a string in place': (_request, database) =>
      void database.editString(database.find(key), 1, 0, 1, new View()) as never,
    'a deletion': (_request, database) => void database.deleteKey(key) as never,
    'a deadline': (_request, database) => void database.setDeadline(database.find(key), 5000) as never,
    'an encoding': (_request, database) => void database.setEncoding(database.find(key), 2) as never,
    'a mark': (_request, database) => void database.changed(key, undefined) as never,
    'a flush': (_request, _database, { keyspace }) => void keyspace.flush(0) as never,
    'a swap': (_request, _database, { keyspace }) => void keyspace.swap(0, 1) as never,
    'a big value': (_request, database) => void database.objectForWrite(database.find(viewOf('h'))) as never,
    'a waiter': (request, _database, { block }) => void block(request, 'list', ['q'], 0) as never,
  };
  for (const [what, mutate] of Object.entries(mutations)) {
    withHandlers((node) => {
      node.apply(['SET', 'k', 'v'], ['HSET', 'h', ...Array.from({ length: 1200 }, (_, i) => `${i}`)]);
      node.break('append', (request, database, context) => {
        mutate(request, database, context);
        return fails(what);
      });
      assert.throws(() => node.apply(['APPEND', 'k', 'x']), new RegExp(what));
      assert.deepEqual(node.faults, []);
    });
  }
});

test('within EXEC the command that fails answers for itself; those around it are done', () => {
  withHandlers((node) => {
    node.break('append', () => fails('broken'));
    const builder = new EntryBuilder(1, 1);
    const requests = [
      ['SET', 'k', 'v'],
      ['APPEND', 'k', 'x'],
      ['SET', 'l', 'w'],
    ].map((command) => encodeRequest(command));
    builder.exec(session, 0, [], requests);
    node.engine.apply(1, builder.finish(1000, 1, 2), {
      ...silentListener,
      reply: (_ordinal, reply) => node.replies.push(reply),
    });
    assert.deepEqual(node.replies, [[OK, errors.contained, OK]]);
  });
});

test('what comes to one node alone ends it: another may have applied the item', () => {
  for (const error of [
    new RangeError('Array buffer allocation failed'),
    new RangeError('Maximum call stack size exceeded'),
    Object.assign(new Error('Failed to allocate memory'), { code: 'ERR_MEMORY_ALLOCATION_FAILED' }),
    new OutOfMemoryError('the slab is full'),
  ]) {
    withHandlers((node) => {
      node.break('append', () => {
        throw error;
      });
      assert.throws(() => node.apply(['APPEND', 'k', 'x']), error);
    });
  }
});

test('a read that fails is an error reply whatever the fault, and nothing of it is state', () => {
  withHandlers((node) => {
    node.apply(['SET', 'k', 'v']);
    const before = node.engine.digest();
    node.break('get', () => fails('Array buffer allocation failed'));
    assert.throws(() => node.engine.call('GET', 'k'), { message: errors.contained.text });
    assert.deepEqual(node.faults, ['get: Array buffer allocation failed']);
    assert.equal(node.engine.digest(), before);
    assert.equal(node.engine.keyspace.writing, false);
  });
});

test('a key that is found due is deleted for good, though the command that met it fails', () => {
  withHandlers((node) => {
    node.apply(['SET', 'k', 'v', 'PX', '1'], ['CONFIG', 'x']);
    node.engine.keyspace.settings['active-expire'] = 0;
    node.engine.setTime(5000);
    node.break('append', (request, database) => {
      assert.equal(database.find(request.view(1)), -1);
      return fails('broken');
    });
    node.apply(['APPEND', 'k', 'x']);
    assert.equal(node.replies.at(-1), errors.contained);
    assert.equal(node.engine.keyspace.database(0).size, 0);
  });
});
