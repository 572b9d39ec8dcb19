import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { newDirectory } from '../src/program-runner.js';

const connect = ({ port }: Redraft): Promise<RespClient> => RespClient.connect({ host: '127.0.0.1', port });

test('several nodes in one process, each with its own keys and port', async () => {
  const nodes = await Promise.all([Redraft.start(), Redraft.start()]);
  assert.notEqual(nodes[0].port, nodes[1].port);
  assert.equal(nodes[0].url, `redis://127.0.0.1:${nodes[0].port}`);
  const clients = await Promise.all(nodes.map(connect));
  await clients[0].call('SET', 'k', 'v');
  assert.deepEqual(await clients[0].call('GET', 'k'), Buffer.from('v'));
  assert.equal(await clients[1].call('GET', 'k'), null);
  await Promise.all(nodes.map((node) => node.stop()));
});

test('with a directory it keeps its keys, and tells what it found', async () => {
  const dir = newDirectory();
  const first = await Redraft.start({ dir });
  const client = await connect(first);
  for (let i = 0; i < 10; i++) await client.call('SET', `k${i}`, `${i}`);
  await first.stop();
  await first.stop();
  const second = await Redraft.start({ dir });
  assert.equal(second.recovery.keys, 10);
  assert.deepEqual(await (await connect(second)).call('GET', 'k7'), Buffer.from('7'));
  await second.stop();
});

test('what is wrong is a rejection that says so, and leaves directory and port free', async () => {
  const dir = newDirectory();
  const holder = await Redraft.start({ dir });
  await assert.rejects(Redraft.start({ dir }), /is in use by process/);
  const otherDir = newDirectory();
  await assert.rejects(Redraft.start({ port: holder.port, dir: otherDir }), { code: 'EADDRINUSE' });
  await holder.stop();
  const next = await Redraft.start({ port: holder.port, dir: otherDir });
  await next.stop();
});

test('after stop nothing keeps the process alive, even with clients connected', () => {
  const script = `
    import { connect } from 'node:net';
    import { once } from 'node:events';
    import { Redraft } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
    for (const dir of [undefined, ${JSON.stringify(newDirectory())}]) {
      const redraft = await Redraft.start({ dir });
      const socket = connect(redraft.port, '127.0.0.1');
      socket.write('SET k v\\r\\nBLPOP nothing 0\\r\\n');
      await once(socket, 'data');
      await redraft.stop();
      if (!socket.closed) await once(socket, 'close');
    }
    console.log('stopped');
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  assert.equal(result.stdout.toString(), 'stopped\n', result.stderr.toString());
  assert.equal(result.status, 0);
  assert.equal(result.signal, null);
});

test('texts of the program go out as UTF-8', async () => {
  const redraft = await Redraft.start({ configFile: '/nowhere/日本ä.conf' });
  const client = await connect(redraft);
  const art = ((await client.call('LOLWUT')) as Buffer).toString();
  assert.match(art, /term 1 {2}●──○──○──○──○/);
  assert.match(
    ((await client.call('INFO', 'server')) as Buffer).toString(),
    /config_file:\/nowhere\/日本ä\.conf/,
  );
  await redraft.stop();
});
