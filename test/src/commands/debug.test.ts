import assert from 'node:assert/strict';
import { test } from 'node:test';
import { show, withNode } from './test-node.js';

const data = [
  'SET k hello',
  'SET n 123',
  'RPUSH l a b c',
  'SADD s 1 2 3',
  'SADD s2 a b',
  'HSET h f v f2 v2',
  'SET e x EX 1000',
];

test('DEBUG DIGEST-VALUE and DIGEST answer what redis-server 7.0.15 answers for the same data', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    assert.equal(show(await client.call('DEBUG', 'DIGEST')), '0'.repeat(40));
    for (const command of data) await client.call(...command.split(' '));
    const values = await client.call('DEBUG', 'DIGEST-VALUE', 'k', 'l', 's', 's2', 'h', 'e', 'none');
    assert.deepEqual((values as readonly Buffer[]).map(show), [
      '36b23a1456b2dce2c3ed252c456761301dba8060',
      '8bf72d812571eea9b927f3c11beb0c4165a6ff89',
      '2a462a3f51a1db89738ebbeef0c47ce1bbc85246',
      'dd99329063ca0f1f28df2ac68d94b82fd95501c6',
      'e10e1521ae1a86ad572969ec981152f56b33afcf',
      '0745672cb1bf060476eedeb8a28f5ffe1ff5a2be',
      '0'.repeat(40),
    ]);
    assert.match(show(await client.call('DEBUG', 'DIGEST')), /^[0-9a-f]{40}$/);
  }));

test('DEBUG RELOAD goes on with an equal state, waiting writes and statistics included', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    for (const command of data) await client.call(...command.split(' '));
    await client.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
    const before = redraft.server.engine;
    const digest = show(await client.call('DEBUG', 'DIGEST'));
    const { keyspaceHits } = before.keyspace.statistics;
    assert.equal(show(await client.call('DEBUG', 'RELOAD')), 'OK');
    const after = redraft.server.engine;
    assert.notEqual(after, before);
    assert.equal(after.keyspace.statistics.keyspaceHits, keyspaceHits);
    assert.equal(after.keyspace.countsFrequency, true);
    assert.equal(show(await client.call('DEBUG', 'DIGEST')), digest);
    assert.equal(show(await client.call('SET', 'new', '1')), 'OK');
    assert.equal(show(await client.call('GET', 'new')), '1');
  }));

test('DEBUG POPULATE makes keys that are not there yet', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await client.call('SET', 'p:1', 'mine');
    assert.equal(show(await client.call('DEBUG', 'POPULATE', '12000', 'p', '9')), 'OK');
    assert.equal(show(await client.call('DBSIZE')), '12000');
    assert.equal(show(await client.call('GET', 'p:1')), 'mine');
    assert.equal(show(await client.call('GET', 'p:7')), 'value:7\0\0');
  }));

test('DEBUG SET-ACTIVE-EXPIRE is a setting of the state', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    assert.equal(redraft.server.engine.keyspace.settings['active-expire'], 0);
    await client.call('DEBUG', 'SET-ACTIVE-EXPIRE', '1');
    assert.equal(redraft.server.engine.keyspace.settings['active-expire'], 1);
  }));

test('DEBUG is refused where the configuration does not allow it', () =>
  withNode(
    async ({ connect }) => {
      const client = await connect();
      assert.match(show(await client.call('DEBUG', 'SLEEP', '0')), /^-ERR DEBUG command not allowed\. /);
    },
    { configuration: { 'enable-debug-command': 'no' } },
  ));

test('DEBUG names what it does not know as Redis does', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    assert.equal(
      show(await client.call('DEBUG', 'nosuch')),
      "-ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG HELP.",
    );
    assert.equal(show(await client.call('DEBUG', 'ERROR', 'MINE a')), '-MINE a');
  }));
