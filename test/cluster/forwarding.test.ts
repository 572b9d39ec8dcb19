import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { RespClient } from '../../src/resp/client.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { ReplyScanner } from '../../src/resp/reply-scanner.js';
import { plain, TestCluster, type TestNode, until } from './nodes.js';

/** Sends requests in one piece and collects the raw replies until `bytes` have come. */
function exchange(
  node: TestNode,
  requests: readonly (readonly string[])[],
  expected: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(node.port, '127.0.0.1');
    const timer = setTimeout(() => reject(new Error(`only ${JSON.stringify(received)} came`)), 10_000);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.length < expected.length) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(received);
    });
    socket.write(Buffer.concat(requests.map((request) => encodeRequest(request))));
  });
}

async function forwarding(
  t: Parameters<typeof TestCluster.start>[0],
  size = 3,
): Promise<{
  cluster: TestCluster;
  leader: TestNode;
  follower: TestNode;
}> {
  const cluster = await TestCluster.start(t, size, { follower: 'forward' });
  return { cluster, leader: await cluster.leader(), follower: (await cluster.followers())[0] };
}

test('a forwarding follower: nobody notices, replies come in order, local ones among them', async (t) => {
  const { follower, cluster } = await forwarding(t);
  const requests = [
    ['SET', 'a', '1'],
    ['PING'],
    ['INCR', 'a'],
    ['GET', 'a'],
    ['NOSUCH'],
    ['ECHO', 'x'],
    ['SELECT', '1'],
    ['GET', 'a'],
    ['SET', 'a', 'one'],
    ['SELECT', '0'],
    ['GET', 'a'],
    ['MULTI'],
    ['INCR', 'a'],
    ['SELECT', '1'],
    ['GET', 'a'],
    ['EXEC'],
    ['GET', 'a'],
    ['MULTI'],
    ['INCR'],
    ['EXEC'],
    ['LPUSH', 'l', 'x'],
  ];
  const expected =
    '+OK\r\n+PONG\r\n:2\r\n$1\r\n2\r\n' +
    "-ERR unknown command 'NOSUCH', with args beginning with: \r\n$1\r\nx\r\n" +
    '+OK\r\n$-1\r\n+OK\r\n+OK\r\n$1\r\n2\r\n' +
    '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:3\r\n+OK\r\n$3\r\none\r\n$3\r\none\r\n' +
    "+OK\r\n-ERR wrong number of arguments for 'incr' command\r\n" +
    '-EXECABORT Transaction discarded because of previous errors.\r\n' +
    ':1\r\n';
  const received = await exchange(follower, requests, expected);
  assert.equal(received, expected);
  await cluster.assertEqual();
});

test('a forwarding follower refuses EXEC and DISCARD without MULTI, and goes on', async (t) => {
  const { follower } = await forwarding(t);
  assert.equal(await follower.ask('EXEC'), '-ERR EXEC without MULTI');
  assert.equal(await follower.ask('DISCARD'), '-ERR DISCARD without MULTI');
  assert.equal(await follower.ask('SET', 'a', '1'), 'OK');
  assert.equal(follower.failure, undefined);
});

test('a forwarding follower speaks RESP3 with who asked for it', async (t) => {
  const { follower } = await forwarding(t);
  const client = new Redis({ port: follower.port, host: '127.0.0.1', retryStrategy: null });
  await client.call('HELLO', '3');
  await client.hset('h', { f: '1', g: '2' });
  assert.deepEqual(await client.hgetall('h'), { f: '1', g: '2' });
  assert.equal(await client.get('none'), null);
  client.disconnect();
});

test('a client that pipelines GET a, INCR a, GET a, of a leader and of a forwarding follower', async (t) => {
  const { follower, leader } = await forwarding(t);
  for (const [node, key] of [
    [leader, 'x'],
    [follower, 'y'],
  ] as const) {
    const expected = '$-1\r\n:1\r\n$1\r\n1\r\n';
    assert.equal(
      await exchange(
        node,
        [
          ['GET', key],
          ['INCR', key],
          ['GET', key],
        ],
        expected,
      ),
      expected,
    );
  }
});

test('a client that pipelines BLPOP q 0, SET a 1: the SET waits for the pop', async (t) => {
  const { follower, leader, cluster } = await forwarding(t);
  for (const [node, key] of [
    [leader, 'x'],
    [follower, 'y'],
  ] as const) {
    const expected = `*2\r\n$2\r\nq${key}\r\n$1\r\nv\r\n+OK\r\n`;
    const answer = exchange(
      node,
      [
        ['BLPOP', `q${key}`, '0'],
        ['SET', key, '1'],
      ],
      expected,
    );
    await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
    assert.equal(await leader.ask('GET', key), null);
    // Another client of the same node goes on.
    assert.equal(await node.ask('SET', 'other', '1'), 'OK');
    assert.equal(await leader.ask('RPUSH', `q${key}`, 'v'), 1);
    assert.equal(await answer, expected);
    assert.equal(await leader.ask('GET', key), '1');
  }
  await cluster.assertEqual();
});

test('WATCH through a forwarding follower: a change elsewhere aborts, none lets it through', async (t) => {
  const { follower, leader, cluster } = await forwarding(t);
  const client = await follower.connect();
  const ask = async (...args: string[]): Promise<unknown> => plain(await client.call(...args));
  await ask('SET', 'a', '1');
  await ask('WATCH', 'a');
  await leader.ask('SET', 'a', '2');
  await ask('MULTI');
  await ask('SET', 'a', '3');
  assert.equal(await ask('EXEC'), null);
  await ask('WATCH', 'a');
  await ask('MULTI');
  await ask('SET', 'a', '4');
  assert.deepEqual(await ask('EXEC'), ['OK']);
  // After DISCARD nothing is watched.
  await ask('WATCH', 'a');
  await ask('MULTI');
  await ask('DISCARD');
  await leader.ask('SET', 'a', '5');
  await ask('MULTI');
  await ask('SET', 'a', '6');
  assert.deepEqual(await ask('EXEC'), ['OK']);
  // The leader that watched is gone: nobody knows what happened in between.
  await ask('WATCH', 'a');
  assert.equal(
    await leader.ask('RAFTTRANSFER', cluster.running.find((n) => n !== leader && n !== follower)!.address),
    'OK',
  );
  await until(
    'the follower knows',
    () =>
      follower.redraft.server.isForwarding &&
      follower.redraft.server.consensus.leaderId !== leader.redraft.node.id,
  );
  await ask('MULTI');
  await ask('SET', 'a', '7');
  assert.equal(await ask('EXEC'), null);
  assert.equal(await ask('GET', 'a'), '6');
  await client.close();
});

test('SELECT on one client moves no other, BRPOP on one blocks no other, through one follower', async (t) => {
  const { follower } = await forwarding(t);
  const [one, two, three] = await Promise.all([follower.connect(), follower.connect(), follower.connect()]);
  await one.call('SELECT', '3');
  await one.call('SET', 'k', 'three');
  await two.call('SET', 'k', 'zero');
  const pop = three.call('BRPOP', 'queue', '0');
  assert.equal(plain(await two.call('GET', 'k')), 'zero');
  assert.equal(plain(await one.call('GET', 'k')), 'three');
  await two.call('LPUSH', 'queue', 'v');
  assert.deepEqual(plain(await pop), ['queue', 'v']);
  for (const client of [one, two, three]) await client.close();
});

test('a forwarding follower that dies with a client blocked leaves no waiter', async (t) => {
  const { follower, leader, cluster } = await forwarding(t);
  const client = await follower.connect();
  const pop = client.call('BLPOP', 'q', '0').catch(() => 'gone');
  await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
  // A client that leaves is forgotten.
  const other = await follower.connect();
  void other.call('BLPOP', 'r', '0').catch(() => {});
  await until('both wait', () => leader.redraft.server.engine.waiters.size === 2);
  await other.close();
  await until('one waits', () => leader.redraft.server.engine.waiters.size === 1);
  await follower.stop();
  await pop;
  await until('nobody waits', () => leader.redraft.server.engine.waiters.size === 0);
  assert.equal(await leader.ask('RPUSH', 'q', 'v'), 1);
  assert.equal(await leader.ask('LLEN', 'q'), 1);
  await client.close();
  await cluster.assertEqual();
});

test('the outcome of a request in flight when the leader dies is unknown, not failed', async (t) => {
  const { follower, leader, cluster } = await forwarding(t);
  const client = await follower.connect();
  assert.equal(plain(await client.call('SET', 'a', '1')), 'OK');
  const pop = client.call('BLPOP', 'q', '0');
  await until('it waits', () => leader.redraft.server.engine.waiters.size === 1);
  await leader.stop();
  assert.match(String(plain(await pop)), /^-UNKNOWN /);
  await cluster.leader();
  await until('the follower knows', () => follower.redraft.server.consensus.hasLeader);
  assert.equal(plain(await client.call('GET', 'a')), '1');
  assert.equal(plain(await client.call('INCR', 'a')), 2);
  await client.close();
});

test("through failovers no forwarded INCR is applied twice, and no reply is another request's", async (t) => {
  const { cluster } = await forwarding(t, 3);
  let isDone = false;
  const counts = { acknowledged: 0, unknown: 0 };
  const clients = [0, 1, 2, 3].map(async (id) => {
    const node = cluster.nodes[id % 3];
    const client = await node.connect();
    for (let n = 0; !isDone; n++) {
      const [echo, value] = await Promise.all([
        client.call('ECHO', `${id}:${n}`),
        client.call('INCR', 'n'),
      ]).then((replies) => replies.map(plain));
      assert.equal(echo, `${id}:${n}`);
      if (typeof value === 'number') counts.acknowledged++;
      else if (String(value).startsWith('-UNKNOWN')) counts.unknown++;
      else assert.match(String(value), /^-(CLUSTERDOWN|TRY)/);
    }
    await client.close();
  });
  for (let round = 0; round < 5; round++) {
    const before = counts.acknowledged;
    await until('writes go through', () => counts.acknowledged > before + 20);
    const leader = await cluster.leader();
    await leader.ask('RAFTTRANSFER');
  }
  isDone = true;
  await Promise.all(clients);
  const count = Number(await (await cluster.leader()).ask('GET', 'n'));
  assert.ok(
    count >= counts.acknowledged && count <= counts.acknowledged + counts.unknown,
    `${count} of ${JSON.stringify(counts)}`,
  );
  await cluster.assertEqual();
});

test('after its own forwarded write, a reader at low consistency sees it', async (t) => {
  const { follower } = await forwarding(t);
  const low = await follower.connect();
  for (let i = 0; i < 50; i++) {
    await low.call('SET', 'a', `${i}`);
    assert.equal(plain(await low.call('GET', 'a')), `${i}`);
  }
  await low.close();
});

test('where replies end, whatever pieces they come in', () => {
  const replies = [
    '+OK\r\n',
    '-ERR x\r\n',
    ':12\r\n',
    '$-1\r\n',
    '$0\r\n\r\n',
    '$5\r\na\r\nbc\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n*2\r\n:1\r\n$1\r\n\n\r\n$-1\r\n',
    '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n',
    '~1\r\n#t\r\n',
    '|1\r\n+ttl\r\n:1\r\n*1\r\n,1.5\r\n',
    '=5\r\ntxt:x\r\n',
    '(123\r\n',
  ];
  const stream = Buffer.from(replies.join(''), 'latin1');
  for (let size = 1; size <= stream.length; size++) {
    const scanner = new ReplyScanner();
    const ends: number[] = [];
    for (let from = 0; from < stream.length; from += size) {
      const chunk = stream.subarray(from, from + size);
      for (let at = 0; at < chunk.length; ) {
        const end = scanner.scan(chunk, at);
        if (end < 0) break;
        ends.push(from + end);
        assert.equal(scanner.firstLine, replies[ends.length - 1].split('\r\n', 1)[0]);
        scanner.next();
        at = end;
      }
    }
    assert.deepEqual(
      ends,
      replies.map((_, i) => replies.slice(0, i + 1).join('').length),
    );
  }
});

test('a request that fails while it is forwarded costs its client the connection, and nobody else anything', async (t) => {
  const { follower } = await forwarding(t);
  const client = await RespClient.connect({ host: '127.0.0.1', port: follower.port });
  t.after(() => client.close());
  const id = Number(await client.call('CLIENT', 'ID'));
  const connection = follower.redraft.server.connections.get(id)!;
  connection.queue.addForwarded = () => {
    throw new RangeError('Invalid string length');
  };
  await assert.rejects(client.call('SET', 'a', '1'));
  assert.equal(await follower.ask('SET', 'a', '2'), 'OK');
  assert.equal(follower.failure, undefined);
});
