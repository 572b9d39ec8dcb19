/**
 * Scripts and functions that say they do not write are reads: of the connection's consistency, beside the
 * log.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, until } from '../cluster/nodes.js';

const reads = "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])";
const library = (flags: string, body: string): string =>
  `#!lua name=one\nredis.register_function{function_name='f', callback=function(keys) return ${body} end, flags={${flags}}}`;
const readsKey = library("'no-writes'", "redis.call('get', keys[1])");
const writesKey = library('', "redis.call('append', keys[1], '+')");

async function asker(port: number): Promise<(...args: string[]) => Promise<unknown>> {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  return async (...args) => plain(await client.call(...args));
}

const lastIndex = (redraft: Redraft): number => redraft.server.engine.appliedIndex;

/** What stays equal whichever node and backend: replies, and that reads leave no entry. */
async function checkReads(redraft: Redraft, port: number): Promise<void> {
  const ask = await asker(port);
  await ask('FUNCTION', 'FLUSH');
  await ask('SCRIPT', 'FLUSH');
  await ask('SET', 'k', 'v');
  await ask('FUNCTION', 'LOAD', readsKey);
  // The first EVAL puts its script into the cache.
  assert.equal(await ask('EVAL', reads, '1', 'k'), 'v');
  const sha = String(await ask('SCRIPT', 'LOAD', reads));
  assert.deepEqual(await ask('SCRIPT', 'EXISTS', sha), [1]);
  const before = lastIndex(redraft);
  for (let i = 0; i < 3; i++) {
    assert.equal(await ask('EVAL', reads, '1', 'k'), 'v');
    assert.equal(await ask('EVALSHA', sha.toUpperCase(), '1', 'k'), 'v');
    assert.equal(await ask('FCALL', 'F', '1', 'k'), 'v');
  }
  assert.equal(lastIndex(redraft), before, 'reads have left no entry');
  // A write before it on the same connection is seen.
  const [, read] = await Promise.all([ask('SET', 'k', 'w'), ask('EVALSHA', sha, '1', 'k')]);
  assert.equal(read, 'w');
  // What is under way before it may change what it is.
  const [, , , ofCache] = await Promise.all([
    ask('SCRIPT', 'FLUSH'),
    ask('EVAL', reads, '1', 'k'),
    ask('FUNCTION', 'LOAD', 'REPLACE', writesKey),
    ask('EVALSHA', sha, '1', 'k'),
    ask('FCALL', 'f', '1', 'k').then((reply) => assert.equal(reply, 2)),
    ask('FUNCTION', 'LOAD', 'REPLACE', readsKey),
    ask('SET', 'k', 'w'),
    ask('FCALL', 'f', '1', 'k').then((reply) => assert.equal(reply, 'w')),
  ]);
  assert.equal(ofCache, 'w');
  // Within a transaction, where the function may be another one when it runs.
  assert.equal(await ask('MULTI'), 'OK');
  for (const args of [
    ['EVAL', reads, '1', 'k'],
    ['EVALSHA', sha, '1', 'k'],
    ['FCALL', 'f', '1', 'k'],
  ])
    assert.equal(await ask(...args), 'QUEUED');
  const other = await asker(port);
  await other('FUNCTION', 'LOAD', 'REPLACE', writesKey);
  assert.deepEqual(await ask('EXEC'), ['w', 'w', 2]);
  assert.equal(await ask('FCALL', 'f', '1', 'k'), 3);
  await other('SCRIPT', 'FLUSH');
  assert.match(String(await ask('EVALSHA', sha, '1', 'k')), /^-NOSCRIPT/);
  assert.match(
    String(await ask('EVAL', `#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)`, '1', 'k')),
    /^-ERR Write commands are not allowed from read-only scripts/,
  );
}

test('in memory', async () => {
  const redraft = await Redraft.start();
  try {
    await checkReads(redraft, redraft.port);
  } finally {
    await redraft.stop();
  }
});

test('three nodes that forward: at the leader, and at a follower', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  await checkReads(leader.redraft, leader.port);
  await checkReads(leader.redraft, follower.port);
});

test('a follower answers them by itself where consistency is low', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3, { consistency: 'low' });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  await leader.ask('SET', 'k', 'v');
  await leader.ask('EVAL', reads, '1', 'k');
  await leader.ask('FUNCTION', 'LOAD', readsKey);
  const sha = String(await leader.ask('SCRIPT', 'LOAD', reads));
  const applied = lastIndex(leader.redraft);
  await until('the follower has it', () => lastIndex(follower.redraft) >= applied);
  assert.equal(await follower.ask('EVAL', reads, '1', 'k'), 'v');
  assert.equal(await follower.ask('EVALSHA', sha, '1', 'k'), 'v');
  assert.equal(await follower.ask('FCALL', 'f', '1', 'k'), 'v');
  assert.match(String(await follower.ask('EVAL', 'return 1', '0')), /^-TRY/);
});

test('the slow log shows what scripts call, on both paths', async () => {
  const redraft = await Redraft.start();
  try {
    const ask = await asker(redraft.port);
    await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    await ask('SLOWLOG', 'RESET');
    await ask('CLIENT', 'SETNAME', 'me');
    await ask('EVAL', "redis.call('set', 'k', 1) return redis.call('ping')", '0');
    await ask('EVAL_RO', "return redis.call('get', 'k')", '0');
    const entries = (await ask('SLOWLOG', 'GET', '50')) as [
      number,
      number,
      number,
      string[],
      string,
      string,
    ][];
    const shown = entries.map(([, , , args, address, name]) => [args[0], address.startsWith('?'), name]);
    assert.deepEqual(shown.slice(0, 5), [
      ['EVAL_RO', false, 'me'],
      ['get', true, ''],
      ['EVAL', false, 'me'],
      ['ping', true, ''],
      ['set', true, ''],
    ]);
  } finally {
    await redraft.stop();
  }
});
