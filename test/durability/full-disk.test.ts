/** A disk that fills up, on a small file system of its own (Linux, root). */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redraft } from '../../src/embedding/redraft.js';
import { RespClient } from '../../src/resp/client.js';
import { TestCluster, type TestNode, until } from '../cluster/nodes.js';
import { fillUp, resizeDisk, smallDisk } from './small-disk.js';

const text = (reply: unknown): string => (reply as { text?: string }).text ?? `${reply}`;

test('a full disk: clients are told so, and a node starts on it, serves reads and takes deletions', async (t) => {
  const directory = smallDisk(t);
  if (directory === undefined) return;
  const dir = join(directory, 'data');
  let redraft = await Redraft.start({ dir });
  let client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  let refused = '';
  let taken = 0;
  for (const deadline = Date.now() + 60_000; refused === '' && Date.now() < deadline; ) {
    const reply = text(await client.call('SET', `key${taken}`, 'v'.repeat(20_000)));
    if (reply === 'OK') taken++;
    else refused = reply;
  }
  assert.match(refused, /^MISCONF No space left on the disk of this node's log/);
  assert.ok(taken > 200, `${taken} writes`);
  assert.equal(text(await client.call('DEL', 'key0')), '1');

  // Somebody else takes the rest, and the node is started on it.
  fillUp(join(directory, 'ballast'));
  assert.equal(text(await client.call('DEL', 'key1')), '1');
  await client.close();
  await redraft.stop();
  redraft = await Redraft.start({ dir });
  t.after(() => redraft.stop());
  client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  assert.equal(text(await client.call('GET', `key${taken - 1}`)), 'v'.repeat(20_000));
  assert.equal(text(await client.call('EXISTS', 'key0', 'key1')), '0');
  assert.equal(text(await client.call('DEL', 'key2')), '1');
  assert.match(text(await client.call('SET', 'a', 'b')), /^MISCONF/);

  // There is room again.
  rmSync(join(directory, 'ballast'));
  assert.match(
    text(await client.call('RAFTSNAPSHOT')),
    /no space left on the disk but \d+ KiB, which the log needs/,
  );
  const deadline = Date.now() + 20_000;
  resizeDisk(directory, 200);
  let again = '';
  while (again !== 'OK' && Date.now() < deadline) again = text(await client.call('SET', 'a', 'b'));
  assert.equal(again, 'OK');
  await client.close();
});

test('a leader whose disk is full hands over: writes go on, and none that was acknowledged is lost', async (t) => {
  const directory = smallDisk(t);
  if (directory === undefined) return;
  const cluster = await TestCluster.start(t, 1, { durability: 'high', electionTimeoutMs: 500 });
  const [first] = cluster.nodes;
  await first.stop();
  // The founder's directory, on the small disk.
  const dir = join(directory, 'data');
  cpSync(first.options.dir!, dir, { recursive: true });
  Object.assign(first.options, { dir });
  await first.start();
  const others = [await cluster.add(), await cluster.add()];
  let taken = 0;
  let refused: unknown;
  for (const deadline = Date.now() + 60_000; refused === undefined && Date.now() < deadline; ) {
    const reply = await first.ask('SET', `key${taken}`, 'v'.repeat(20_000));
    if (reply === 'OK') taken++;
    else refused = reply;
  }
  assert.match(String(refused), /^-MISCONF No space left/);
  fillUp(join(directory, 'ballast'));
  assert.equal(await first.ask('RAFTTRANSFER', others[0].address), 'OK');
  let next: TestNode | undefined;
  await until('another takes writes', async () => {
    for (const node of others) if ((await node.ask('SET', 'after', 'it')) === 'OK') next = node;
    return next !== undefined;
  });
  assert.equal(await next!.ask('DBSIZE'), taken + 1);
  assert.equal(await next!.ask('STRLEN', `key${taken - 1}`), 20_000);
  rmSync(join(directory, 'ballast'));
});
