/**
 * A port that is open while the node recovers: -LOADING, as Redis answers, and the same connection goes on
 * afterwards.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, nodeClock } from '../../raft/node/index.js';
import { Redraft, type RedraftOptions } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';

function newDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'redraft-loading-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Leaves a directory whose recovery takes some turns of the event loop. */
async function fill(options: RedraftOptions): Promise<void> {
  const redraft = await Redraft.start(options);
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  if (options.password !== undefined) await client.call('AUTH', options.password);
  for (let i = 0; i < 60; i++)
    await client.call(
      'MSET',
      ...Array.from({ length: 2000 }, (_, j) => (j % 2 === 0 ? `key${i}:${j}` : 'v'.repeat(100))),
    );
  await client.call('RAFTSNAPSHOT');
  await client.close();
  await redraft.stop();
}

test('while it recovers, clients get -LOADING, INFO says how far it is, and connections go on', async (t) => {
  const options = { dir: newDirectory(t), port: await freePort(), password: 'secret' };
  await fill(options);
  const questions = [
    ['GET', 'key0:0'],
    ['AUTH', 'secret'],
    ['GET', 'key0:0'],
    ['PING'],
    ['MULTI'],
    ['SET', 'a', 'b'],
    ['EXEC'],
    ['ROLE'],
    ['RAFTSTATE'],
    ['CONFIG', 'SET', 'durability', 'low'],
    ['INFO', 'persistence'],
  ];
  let seen: string[] = [];
  let client: RespClient | undefined;
  let asking: Promise<void> | undefined;
  let isAnswered = false;
  const ask = async (): Promise<void> => {
    client = await RespClient.connect({ host: '127.0.0.1', port: options.port });
    const replies = await Promise.all(questions.map((args) => client!.call(...args)));
    seen = replies.map((reply, i) => `${questions[i]![0]} ${(reply as { text?: string }).text ?? reply}`);
    isAnswered = true;
  };
  // Every piece of the snapshot takes its time until all is answered.
  let slowedMs = 0;
  const clock: Clock = {
    ...nodeClock,
    monotonicMs: () => {
      if (!isAnswered) slowedMs += 5;
      return nodeClock.monotonicMs() + slowedMs;
    },
    afterInput: (callback) => {
      if (isAnswered) nodeClock.afterInput(callback);
      else setTimeout(callback, 100);
    },
  };
  const redraft = await Redraft.start({
    ...options,
    clock,
    onRecovery: () => {
      asking ??= ask();
    },
  });
  t.after(() => redraft.stop());
  await asking;
  const loading = 'LOADING Redis is loading the dataset in memory';
  assert.deepEqual(seen.slice(0, 10), [
    'GET NOAUTH Authentication required.',
    'AUTH OK',
    `GET ${loading}`,
    `PING ${loading}`,
    'MULTI OK',
    `SET ${loading}`,
    'EXEC EXECABORT Transaction discarded because of previous errors.',
    `ROLE ${loading}`,
    `RAFTSTATE ${loading}`,
    'CONFIG CLUSTERDOWN this node waits to be let into its cluster',
  ]);
  assert.match(
    seen[10]!,
    /\r\nloading:1\r\n.*loading_total_bytes:[1-9]\d*\r\n.*loading_eta_seconds:\d+\r\n/s,
  );
  assert.match(`${await client!.call('INFO', 'persistence')}`, /\r\nloading:0\r\n/);
  assert.deepEqual(await client!.call('GET', 'key0:0'), Buffer.from('v'.repeat(100)));
  await client!.close();
});

test('a start on a port that is taken founds nothing', async (t) => {
  const dir = join(newDirectory(t), 'new');
  const occupied = createServer();
  await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve));
  const { port } = occupied.address() as { port: number };
  await assert.rejects(Redraft.start({ dir, port }), /EADDRINUSE/);
  assert.equal(existsSync(join(dir, 'identity.json')), false);
  await new Promise((resolve) => occupied.close(resolve));
  const redraft = await Redraft.start({ dir, port });
  await redraft.stop();
});

test('a directory below /proc is refused at once', { skip: process.platform !== 'linux' }, async () => {
  await assert.rejects(
    Redraft.start({ dir: '/proc/redraft/data' }),
    /creation of \/proc\/redraft\/data failed: ENOENT/,
  );
});
