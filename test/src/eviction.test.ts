import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RespClient } from '../../src/resp/client.js';
import { show, withNode } from './commands/test-node.js';

/** Of which an engine without keys takes half a megabyte. */
const LIMIT_BYTES = 524_288 + 400_000;

/** What a turn's writes may overshoot by: as much as is read from one client in a turn (docs/MEMORY.md). */
const TURN_BYTES = 64 * 1024;

/** Sets `count` keys of about 100 bytes each; the texts of the replies. */
async function fill(
  client: RespClient,
  count: number,
  prefix = 'k',
  ...options: string[]
): Promise<Set<string>> {
  const replies: Promise<string>[] = [];
  for (let i = 0; i < count; i++) {
    replies.push(client.call('SET', `${prefix}${i}`, 'v'.repeat(100), ...options).then(show));
  }
  return new Set(await Promise.all(replies));
}

const limited = (policy: string) => ({
  configuration: { maxmemory: `${LIMIT_BYTES}`, 'maxmemory-policy': policy },
});

test('noeviction refuses what needs memory, and nothing else', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    const replies = await fill(client, 6000);
    assert.deepEqual(replies, new Set(['OK', "-OOM command not allowed when used memory > 'maxmemory'."]));
    assert.ok(redraft.server.eviction.usedBytes <= LIMIT_BYTES + TURN_BYTES);
    assert.equal(show(await client.call('GET', 'k0')), 'v'.repeat(100));
    assert.equal(show(await client.call('DEL', 'k0')), '1');
    await client.call('FLUSHALL');
    assert.equal(show(await client.call('SET', 'k', 'v')), 'OK');
  }, limited('noeviction')));

for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
  test(`${policy} makes room: every write succeeds and memory stays below the limit`, () =>
    withNode(async ({ connect, redraft }) => {
      const client = await connect();
      assert.deepEqual(await fill(client, 6000), new Set(['OK']));
      const { keyspace } = redraft.server.engine;
      // The last of the pipeline may still be made up for.
      const deadline = Date.now() + 20_000;
      while (redraft.server.eviction.usedBytes > LIMIT_BYTES && Date.now() < deadline) {
        await client.call('PING');
      }
      assert.ok(redraft.server.eviction.usedBytes <= LIMIT_BYTES);
      assert.ok(keyspace.statistics.evictedKeys > 1000);
      assert.equal(keyspace.database(0).size, 6000 - keyspace.statistics.evictedKeys);
      assert.match(
        show(await client.call('INFO', 'stats')),
        new RegExp(`evicted_keys:${keyspace.statistics.evictedKeys}\r`),
      );
    }, limited(policy)));
}

test('volatile policies leave keys without a deadline alone, and refuse when there are no others', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(await fill(client, 1000, 'kept'), new Set(['OK']));
    assert.deepEqual(await fill(client, 4000, 'short', 'EX', '1000'), new Set(['OK']));
    for (let i = 0; i < 1000; i += 50) assert.equal(show(await client.call('EXISTS', `kept${i}`)), '1');
    await fill(client, 6000, 'more');
    assert.deepEqual(
      await fill(client, 10, 'refused'),
      new Set(["-OOM command not allowed when used memory > 'maxmemory'."]),
    );
    assert.equal(show(await client.call('EXISTS', 'kept0', 'kept999')), '2');
  }, limited('volatile-lru')));

test('volatile-ttl takes the keys that would go first', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await fill(client, 500, 'late', 'EX', '9000');
    await fill(client, 500, 'soon', 'EX', '100');
    await fill(client, 2200, 'kept');
    let late = 0;
    let soon = 0;
    for (let i = 0; i < 500; i++) {
      late += Number(show(await client.call('EXISTS', `late${i}`)));
      soon += Number(show(await client.call('EXISTS', `soon${i}`)));
    }
    assert.ok(soon < late, `${soon} of those with short lives are left, ${late} of the others`);
  }, limited('volatile-ttl')));

test('a lowered limit evicts without any write', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
    await fill(client, 3000);
    const limit = redraft.server.eviction.usedBytes - 200_000;
    await client.call('CONFIG', 'SET', 'maxmemory', `${limit}`);
    const deadline = Date.now() + 5000;
    while (redraft.server.eviction.usedBytes > limit && Date.now() < deadline) await client.call('PING');
    assert.ok(redraft.server.eviction.usedBytes <= limit);
    assert.ok(redraft.server.engine.keyspace.database(0).size > 0);
  }));

test('big values count, whatever they are kept in', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    const before = redraft.server.eviction.usedBytes;
    await client.call('SET', 'large', 'x'.repeat(1_000_000));
    assert.ok(redraft.server.eviction.usedBytes - before >= 1_000_000);
    await client.call('DEL', 'large');
    for (let i = 0; i < 300; i++) await client.call('HSET', 'h', `field${i}`, 'v'.repeat(100));
    await client.call('FLUSHALL');
    const { keyspace } = redraft.server.engine;
    while (keyspace.hasDiscarded) keyspace.freeDiscarded(1000);
    assert.equal(redraft.server.eviction.usedBytes, before);
  }));

test('a queued command is refused when memory is short, and EXEC aborts', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await client.call('MULTI');
    await client.call('SET', 'k', 'v');
    const other = await connect();
    await other.call('CONFIG', 'SET', 'maxmemory', '1');
    assert.match(show(await client.call('SET', 'k2', 'v')), /^-OOM /);
    assert.match(show(await client.call('EXEC')), /^-EXECABORT /);
  }));

test('OBJECT FREQ and IDLETIME follow the policy', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await client.call('SET', 'k', 'v');
    assert.equal(show(await client.call('OBJECT', 'IDLETIME', 'k')), '0');
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu', 'lfu-log-factor', '0');
    await client.call('SET', 'fresh', 'v');
    for (let i = 0; i < 10; i++) await client.call('GET', 'fresh');
    assert.equal(show(await client.call('OBJECT', 'FREQ', 'fresh')), '15');
    assert.match(
      show(await client.call('OBJECT', 'IDLETIME', 'k')),
      /^-ERR An LFU maxmemory policy is selected/,
    );
  }));
