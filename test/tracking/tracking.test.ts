/** What tracking remembers, and whom it tells. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import type { OutOfBand } from '../../src/pubsub/message.js';
import { findOverlap } from '../../src/tracking/broadcast.js';
import type { ClientTracking, TrackingOptions } from '../../src/tracking/client-tracking.js';
import { KeyTable } from '../../src/tracking/key-table.js';
import { type TrackedClient, Tracking } from '../../src/tracking/tracking.js';

const plain: TrackingOptions = {
  redirect: 0,
  broadcast: false,
  optIn: false,
  optOut: false,
  noLoop: false,
};

class Client implements TrackedClient {
  protocol: 2 | 3 = 3;
  isSubscriber = false;
  tracking: ClientTracking | undefined;
  readonly got: string[] = [];

  constructor(readonly id: number) {}

  deliver(message: OutOfBand): void {
    this.got.push(message.bytes(this.protocol).toString('latin1').replaceAll('\r\n', ' ').trim());
  }
}

class Node {
  readonly engine = new Engine();
  readonly clients = new Map<number, Client>();
  actor = 0;
  keysMax = 0;
  later: (() => void)[] = [];
  readonly memory = { bytes: 0 };
  readonly tracking = new Tracking<Client>({
    client: (id) => this.clients.get(id),
    actor: () => this.actor,
    keysMax: () => this.keysMax,
    memory: this.memory,
    afterInput: (step) => this.later.push(step),
  });

  constructor() {
    this.tracking.follow(this.engine.keyspace);
  }

  client(options: Partial<TrackingOptions> = {}): Client {
    const client = new Client(this.clients.size + 1);
    this.clients.set(client.id, client);
    this.tracking.enable(client, { ...plain, ...options }, []);
    return client;
  }

  change(key: string, actor = 0): void {
    this.actor = actor;
    this.engine.call('SET', key, 'v');
    this.actor = 0;
    this.tracking.applied();
  }
}

const told = (key: string): string => `>2 $10 invalidate *1 $${key.length} ${key}`;

test('nobody listens to keys while nobody tracks, and nothing is kept', () => {
  const node = new Node();
  assert.equal(node.engine.keyspace.isHeard, false);
  const client = node.client();
  assert.equal(node.engine.keyspace.isHeard, true);
  node.tracking.remember(client, ['a', 'b']);
  assert.ok(node.memory.bytes > 0);
  node.tracking.disable(client);
  assert.equal(node.engine.keyspace.isHeard, false);
  assert.equal(node.memory.bytes, 0);
});

test('a read that is answered later is told of changes in between, behind its reply', () => {
  const node = new Node();
  const client = node.client();
  const read = node.tracking.beginRead(client, ['a', 'b']);
  node.change('a');
  assert.deepEqual(client.got, []);
  node.tracking.endRead(client, read, true);
  assert.deepEqual(client.got, [told('a')]);
  node.change('a');
  node.change('b');
  assert.deepEqual(client.got, [told('a'), told('b')]);
  const lost = node.tracking.beginRead(client, ['a']);
  node.change('a');
  node.tracking.endRead(client, lost, false);
  assert.equal(client.got.length, 2);
});

test('beyond tracking-table-max-keys the oldest keys are as if they had changed', () => {
  const node = new Node();
  node.keysMax = 3;
  const client = node.client();
  const keys = Array.from({ length: 10 }, (_, i) => `key-${i}`);
  node.tracking.remember(client, keys);
  assert.deepEqual(client.got, [], 'not before the reply');
  for (const step of node.later.splice(0)) step();
  assert.equal(node.tracking.keys, 3);
  assert.equal(client.got.length, 7);
  for (const key of keys) node.change(key);
  assert.deepEqual([...client.got].sort(), keys.map(told).sort());
});

test('a snapshot that passed over changes makes all caches void', () => {
  const node = new Node();
  const clients = [node.client(), node.client({ broadcast: true }), node.client({ noLoop: true })];
  node.tracking.follow(new Engine().keyspace);
  assert.deepEqual(clients[0].got, []);
  node.tracking.hasMissed();
  for (const client of clients) assert.deepEqual(client.got, ['>2 $10 invalidate _']);
});

test('who redirects to a client that is gone is told once it would have been told', () => {
  const node = new Node();
  const target = node.client();
  const client = node.client({ redirect: target.id });
  node.tracking.remember(client, ['a', 'b']);
  node.change('a');
  assert.deepEqual(target.got, [told('a')]);
  node.clients.delete(target.id);
  node.change('b');
  assert.deepEqual(client.got, ['>2 $21 tracking-redir-broken :1']);
  assert.equal(client.tracking?.isRedirectBroken, true);
});

test('swapped databases are other keys', () => {
  const node = new Node();
  const client = node.client();
  node.tracking.remember(client, ['a']);
  node.engine.call('SWAPDB', '0', '1');
  assert.deepEqual(client.got, ['>2 $10 invalidate _']);
});

test('prefixes of one client do not begin with each other', () => {
  assert.equal(findOverlap(['a', 'b'], new Set(['c'])), undefined);
  assert.deepEqual(findOverlap(['ab'], new Set(['a'])), { prefix: 'ab', other: 'a', isPresent: true });
  assert.deepEqual(findOverlap(['a', 'ab'], new Set()), { prefix: 'a', other: 'ab', isPresent: false });
  assert.notEqual(findOverlap(['a'], new Set(['a'])), undefined);
});

test('a cache that obeys is never stale: whatever is read, changed and answered late', () => {
  const keys = ['a', 'b', 'c'];
  const step = fc.oneof(
    fc.record({ does: fc.constant('read' as const), client: fc.nat(2), key: fc.nat(2) }),
    fc.record({ does: fc.constant('ask' as const), client: fc.nat(2), key: fc.nat(2) }),
    fc.record({ does: fc.constant('answer' as const), client: fc.nat(2), key: fc.nat(2) }),
    fc.record({ does: fc.constant('write' as const), client: fc.nat(2), key: fc.nat(2) }),
    fc.record({ does: fc.constant('flush' as const), client: fc.nat(2), key: fc.nat(2) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 2 }), (steps, keysMax) => {
      const node = new Node();
      node.keysMax = keysMax;
      const clients = [node.client(), node.client({ noLoop: true }), node.client({ broadcast: true })];
      const caches = clients.map(() => new Map<string, string>());
      const asked: (() => void)[][] = clients.map(() => []);
      let version = 0;
      const value = (key: string): string => String(node.engine.call('GET', key));
      const listen = (): void => {
        for (const [i, client] of clients.entries()) {
          for (const message of client.got.splice(0)) {
            if (message.endsWith('_')) caches[i].clear();
            else
              for (const key of message.split(' ').filter((word) => keys.includes(word)))
                caches[i].delete(key);
          }
        }
      };
      for (const { does, client: i, key: k } of steps) {
        const client = clients[i];
        const key = keys[k];
        const broadcasts = client.tracking!.options.broadcast;
        if (does === 'read') {
          if (!broadcasts) node.tracking.remember(client, [key]);
          caches[i].set(key, value(key));
        } else if (does === 'ask') {
          const read = node.tracking.beginRead(client, [key]);
          // The leader's state is the newer one: what it gives is what this node will hold once the answer
          // comes, or before.
          const given = value(key);
          asked[i].push(() => {
            caches[i].set(key, given);
            node.tracking.endRead(client, read, true);
          });
        } else if (does === 'answer') {
          asked[i].shift()?.();
        } else {
          node.actor = client.id;
          if (does === 'write') node.engine.call('SET', key, String(++version));
          else node.engine.call('FLUSHALL');
          node.actor = 0;
          // Its own changes a client with NOLOOP knows.
          if (does === 'write') caches[i].delete(key);
          node.tracking.applied();
        }
        for (const run of node.later.splice(0)) run();
        listen();
        for (const cache of caches)
          for (const [cached, held] of cache) assert.equal(held, value(cached), `${cached} is stale`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('the table knows each reader of a key once, and what it takes', () => {
  const table = new KeyTable();
  for (const id of [1, 1, 2, 3, 2]) table.add('k', id);
  table.add('l', 1);
  assert.deepEqual([table.size, table.items], [2, 4]);
  assert.deepEqual([...table.take('k')!], [1, 2, 3]);
  assert.equal(table.take('k'), undefined);
  assert.equal(table.victim(), 'l');
  table.take('l');
  assert.deepEqual([table.size, table.items, table.bytes, table.victim()], [0, 0, 0, undefined]);
});
