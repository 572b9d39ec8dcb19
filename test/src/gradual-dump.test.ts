/** DUMP of a large stream over the wire: others are served meanwhile, and replies keep their order. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { restoreEngine, viewOf } from '../../engine/index.js';
import type { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from '../cluster/nodes.js';

const ENTRIES = 4000;

/** A leader with a stream of some 4 MB: many slices. */
async function started(t: TestContext, size: number): Promise<TestNode> {
  const cluster = await TestCluster.start(t, size);
  const leader = await cluster.leader();
  const client = await connected(t, leader);
  const script = `for i = 1, ${ENTRIES} do redis.call('XADD', 's', i .. '-1', 'field', i .. string.rep('x', 1000)) end`;
  assert.equal(plain(await client.call('EVAL', script, '0')), null);
  return leader;
}

async function connected(t: TestContext, node: TestNode): Promise<RespClient> {
  const client = await node.connect();
  t.after(() => client.close());
  return client;
}

/** Whether a dump of `s` is under way. */
function isDumped(node: TestNode): boolean {
  const database = node.redraft.server.engine.keyspace.database(0);
  const slot = database.find(viewOf('s'));
  return slot >= 0 && database.object(slot).isWalked;
}

/** Has the next dump stop behind its first slice, until what is returned is called. */
function holdBack({ redraft }: TestNode): () => void {
  const { slices } = redraft.server;
  const make = slices.make.bind(slices);
  let goOn!: () => void;
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  slices.make = async (gradual, isWanted) => {
    slices.make = make;
    assert.equal(
      gradual.step(() => false),
      undefined,
    );
    await held;
    return make(gradual, isWanted);
  };
  return goOn;
}

for (const size of [1, 3]) {
  test(`${size} nodes: others are served while a large stream is dumped, and replies keep their order`, async (t) => {
    const leader = await started(t, size);
    const client = await connected(t, leader);
    const other = await connected(t, leader);
    const goOn = holdBack(leader);
    const first = client.call('DUMP', 's') as Promise<Buffer>;
    const behind = ['XLEN s', 'XADD s 9000-1 a b', 'XLEN s', 'DUMP s', 'PING', 'XTRIM s MAXLEN 3', 'XLEN s'];
    const replies = Promise.all(behind.map((text) => client.call(...text.split(' '))));
    await until('the dump has begun', () => isDumped(leader));
    assert.equal(plain(await other.call('XADD', 's', '8000-1', 'by', 'another')), '8000-1');
    assert.equal(plain(await other.call('XDEL', 's', '1-1', '2000-1', `${ENTRIES}-1`)), 3);
    assert.ok(isDumped(leader), 'others do not wait for it');
    goOn();

    const payload = await first;
    const [length, added, more, second, ...rest] = await replies;
    assert.deepEqual([length, plain(added), more], [ENTRIES - 2, '9000-1', ENTRIES - 1]);
    assert.deepEqual(rest.map(plain), ['PONG', ENTRIES - 4, 3]);
    // The first shows the stream as it was, the second what had become of it.
    assert.equal(plain(await other.call('RESTORE', 'before', '0', payload)), 'OK');
    assert.equal(await other.call('XLEN', 'before'), ENTRIES);
    assert.deepEqual(plain(await other.call('XRANGE', 'before', '8000', '+')), []);
    assert.equal(plain(await other.call('RESTORE', 'between', '0', second as Buffer)), 'OK');
    assert.equal(await other.call('XLEN', 'between'), ENTRIES - 1);
  });
}

test('a snapshot and a dump of one stream go on at the same time', async (t) => {
  const leader = await started(t, 1);
  const client = await connected(t, leader);
  const { engine } = leader.redraft.server;
  const digest = engine.digest();
  const goOn = holdBack(leader);
  const dump = client.call('DUMP', 's');
  await until('the dump has begun', () => isDumped(leader));
  const cut = engine.cut();
  const parts = [cut.next(() => false)!];
  goOn();
  const payload = (await dump) as Buffer;
  for (let next = cut.next(() => true); next !== undefined; next = cut.next(() => true)) parts.push(next);
  assert.equal(restoreEngine(Buffer.concat(parts)).digest(), digest);
  assert.equal(plain(await client.call('RESTORE', 'copy', '0', payload)), 'OK');
  assert.equal(await client.call('XLEN', 'copy'), ENTRIES);
});

test('a client that leaves takes its dump along', async (t) => {
  const leader = await started(t, 1);
  const client = await leader.connect();
  const goOn = holdBack(leader);
  client.call('DUMP', 's').catch(() => {});
  await until('the dump has begun', () => isDumped(leader));
  await client.close();
  goOn();
  await until('it is given up', () => !isDumped(leader));
});

test('who ends its side, or makes no sense any more, still gets its dump', async (t) => {
  const leader = await started(t, 1);
  for (const [behind, reply] of [
    ['', ''],
    ['*x\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
    ['QUIT\r\n', '+OK\r\n'],
    ['PING\r\n', '+PONG\r\n'],
  ]) {
    const socket = connect({ port: leader.port, host: '127.0.0.1', allowHalfOpen: true });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    const goOn = holdBack(leader);
    socket.end(`DUMP s\r\n${behind}`);
    await until('the dump has begun', () => isDumped(leader));
    goOn();
    await once(socket, 'end');
    const received = Buffer.concat(chunks).toString('latin1');
    assert.match(received.slice(0, 9), /^\$\d{5,}\r/);
    const end = 2 + received.indexOf('\r\n') + Number(received.slice(1, received.indexOf('\r\n')));
    assert.equal(received.slice(end), `\r\n${reply}`);
  }
});

test('MIGRATE packs a large stream while others are served', async (t) => {
  const source = await started(t, 1);
  const target = await (await TestCluster.start(t, 1)).leader();
  const client = await connected(t, source);
  const other = await connected(t, source);
  const goOn = holdBack(source);
  const moved = client.call('MIGRATE', '127.0.0.1', `${target.port}`, 's', '0', '20000');
  await until('it is being packed', () => isDumped(source));
  assert.equal(plain(await other.call('PING')), 'PONG');
  assert.ok(isDumped(source));
  goOn();
  assert.equal(plain(await moved), 'OK');
  assert.equal(await other.call('EXISTS', 's'), 0);
  assert.equal(await (await connected(t, target)).call('XLEN', 's'), ENTRIES);
});
