import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../../raft/node/index.js';
import { Redraft } from '../../../src/index.js';
import { ConnectionError, RespClient } from '../../../src/resp/client.js';
import { until } from '../../cluster/nodes.js';
import { show, withNode } from './test-node.js';

test('CLIENT INFO and LIST tell what a client did', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await client.call('CLIENT', 'SETNAME', 'me');
    await client.call('CLIENT', 'SETINFO', 'lib-name', 'test');
    await client.call('SELECT', '3');
    const info = show(await client.call('CLIENT', 'INFO'));
    assert.match(info, /^id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=\d+ name=me /);
    assert.match(info, / flags=N db=3 .* cmd=client\|info user=default redir=-1 resp=2 lib-name=test\n$/);
    assert.equal(show(await client.call('CLIENT', 'LIST', 'TYPE', 'replica')), '');
    const other = await connect();
    const list = show(await other.call('CLIENT', 'LIST'));
    assert.equal(list.split('\n').length, 3);
    assert.match(list, /name=me .* cmd=client\|list/);
  }));

test('within MULTI a client is described as part of EXEC', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    await client.call('MULTI');
    await client.call('CLIENT', 'INFO');
    assert.match(show(await client.call('EXEC')), /flags=x db=0 .* multi=1 .* cmd=exec /);
  }));

test('CLIENT KILL by id closes another client, and never its own unless told so', () =>
  withNode(async ({ connect }) => {
    const killer = await connect();
    const victim = await connect();
    const id = show(await victim.call('CLIENT', 'ID'));
    assert.equal(show(await killer.call('CLIENT', 'KILL', 'ID', id)), '1');
    await assert.rejects(victim.call('PING'), ConnectionError);
    const own = show(await killer.call('CLIENT', 'ID'));
    assert.equal(show(await killer.call('CLIENT', 'KILL', 'ID', own)), '0');
    assert.equal(show(await killer.call('CLIENT', 'KILL', 'ID', own, 'SKIPME', 'no')), '1');
    await assert.rejects(killer.call('PING'), ConnectionError);
  }));

test('CLIENT PAUSE WRITE holds writes up in their order, counts them once, and lets reads pass', () =>
  withNode(async ({ connect, redraft }) => {
    const admin = await connect();
    const client = await connect();
    await admin.call('CONFIG', 'RESETSTAT');
    await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
    const order: string[] = [];
    const held = client.call('SET', 'k', '1').then(() => order.push('set'));
    const behind = client.call('GET', 'k').then((reply) => order.push(`get ${show(reply)}`));
    assert.equal(show(await admin.call('GET', 'k')), 'nil');
    assert.deepEqual(order, []);
    await admin.call('CLIENT', 'UNPAUSE');
    await Promise.all([held, behind]);
    assert.deepEqual(order, ['set', 'get 1']);
    assert.match(show(await admin.call('INFO', 'commandstats')), /cmdstat_set:calls=1,/);
    assert.equal(redraft.server.pauses.current, undefined);
  }));

test('CLIENT PAUSE answers when all writes that were taken before it are applied', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-pause-'));
  /** Syncs that are asked for meanwhile; undefined: none is held up. */
  let held: (() => void)[] | undefined;
  const { open } = nodeDisk;
  Object.assign(nodeDisk, {
    open: async (...args: Parameters<typeof open>) => {
      const file = await open(...args);
      const sync = file.sync.bind(file);
      file.sync = (done) => (held === undefined ? sync(done) : held.push(() => sync(done)));
      return file;
    },
  });
  t.after(() => {
    Object.assign(nodeDisk, { open });
    rmSync(dir, { recursive: true, force: true });
  });
  const redraft = await Redraft.start({ dir });
  t.after(() => redraft.stop());
  const connect = (): Promise<RespClient> => RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  const [admin, client] = await Promise.all([connect(), connect()]);
  const order: string[] = [];
  held = [];
  const written = client.call('INCR', 'n').then(() => order.push('written'));
  await until('it is proposed', () => redraft.server.replica.pendingEntries > 0);
  const paused = admin.call('CLIENT', 'PAUSE', '60000', 'WRITE').then(() => order.push('paused'));
  await until('the pause has begun', () => redraft.server.pauses.current !== undefined);
  const late = client.call('INCR', 'n').catch(() => {});
  assert.deepEqual(order, []);
  const waiting = held;
  held = undefined;
  for (const sync of waiting) sync();
  await Promise.all([written, paused]);
  assert.deepEqual(order, ['written', 'paused']);
  assert.equal(show(await admin.call('GET', 'n')), '1');
  // With nothing under way it answers at once, within EXEC too.
  await admin.call('MULTI');
  await admin.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  assert.equal(show(await admin.call('EXEC')), '[OK]');
  await Promise.all([admin.close(), client.close(), late]);
});

test('a longer or stricter pause wins over a later weaker one', () =>
  withNode(async ({ connect, redraft }) => {
    const client = await connect();
    await client.call('CLIENT', 'PAUSE', '90000', 'WRITE');
    const { untilMs } = redraft.server.pauses.current!;
    await client.call('CLIENT', 'PAUSE', '10', 'WRITE');
    assert.deepEqual(redraft.server.pauses.current, { untilMs, what: 'write' });
    redraft.server.pauses.end();
  }));

test('CLIENT REPLY SKIP and OFF leave exactly their replies out of a pipeline', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    const request = [
      'SET a 1',
      'CLIENT REPLY SKIP',
      'SET b 2',
      'CLIENT REPLY OFF',
      'GET a',
      'NOSUCH',
      'CLIENT REPLY ON',
    ];
    // Three of the seven are answered: the parser of the client takes what comes in order.
    const replies = client.send(Buffer.from(`${request.join('\r\n')}\r\n`));
    assert.equal(show(await replies), 'OK');
    assert.equal(show(await client.call('GET', 'b').catch((error: Error) => error.message)), 'OK');
  }));

test('tracking that is off is turned off in peace, and nobody is not unblocked', () =>
  withNode(async ({ connect }) => {
    const client = await connect();
    assert.equal(show(await client.call('CLIENT', 'TRACKING', 'OFF')), 'OK');
    assert.equal(show(await client.call('CLIENT', 'GETREDIR')), '-1');
    assert.equal(show(await client.call('CLIENT', 'UNBLOCK', '99')), '0');
  }));
