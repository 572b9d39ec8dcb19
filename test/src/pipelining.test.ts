/** Replies come in the order of the requests, whatever the requests wait for. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { EntryKind } from '../../raft/index.js';
import { Redraft } from '../../src/index.js';

/** Sends text at once and resolves with the first `length` bytes that come back. */
function exchange(port: number, text: string, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (received.length < length) return;
      socket.destroy();
      resolve(received);
    });
    socket.write(text);
  });
}

test('what stands behind a blocking command waits for it, though writes stand before it', async () => {
  const redraft = await Redraft.start();
  try {
    const expected = ':1\r\n:2\r\n*-1\r\n$-1\r\n';
    const text = 'INCR c\r\nINCR c\r\nBLPOP q 0.05\r\nGETSET r v\r\n';
    assert.equal(await exchange(redraft.port, text, expected.length), expected);
  } finally {
    await redraft.stop();
  }
});

test('a read that meets a due key stands before the write that follows it', async () => {
  const redraft = await Redraft.start();
  try {
    for (let round = 0; round < 10; round++) {
      await exchange(redraft.port, `SET k${round} v PX 1\r\n`, 5);
      const due = performance.now() + 3;
      while (performance.now() < due);
      const expected = '*0\r\n:1\r\n';
      const text = `SMEMBERS s${round}\r\nSADD s${round} a\r\n`;
      assert.equal(await exchange(redraft.port, text, expected.length), expected);
    }
  } finally {
    await redraft.stop();
  }
});

/** Writes to sockets so far, this request's own left out. */
async function socketWrites(port: number): Promise<number> {
  const text = await exchange(port, 'INFO stats\r\n', 200);
  return Number(/total_writes_processed:(\d+)/.exec(text)![1]);
}

test('a group that is read without BLOCK holds nothing up, with BLOCK all that stands behind', async () => {
  const redraft = await Redraft.start();
  try {
    // An option's name as a group's: what waits is decided by the options alone.
    const create = 'XGROUP CREATE s STREAMS 0 MKSTREAM\r\n';
    assert.equal(await exchange(redraft.port, create, 5), '+OK\r\n');
    const before = await socketWrites(redraft.port);
    const reads = 'XREADGROUP GROUP STREAMS BLOCK COUNT 1 STREAMS s >\r\nINCR c\r\n'.repeat(8);
    const answers = Array.from({ length: 8 }, (_, i) => `*-1\r\n:${i + 1}\r\n`).join('');
    assert.equal(await exchange(redraft.port, reads, answers.length), answers);
    assert.equal((await socketWrites(redraft.port)) - before, 2);
    const waits = 'XREADGROUP GROUP STREAMS c BLOCK 20 STREAMS s >\r\nGETSET r v\r\nGETSET r w\r\n';
    const expected = '*-1\r\n$-1\r\n$1\r\nv\r\n';
    assert.equal(await exchange(redraft.port, waits, expected.length), expected);
  } finally {
    await redraft.stop();
  }
});

test('the replies of a pipeline that reads and writes leave in one write to the socket', async () => {
  const redraft = await Redraft.start();
  try {
    const before = await socketWrites(redraft.port);
    const expected = '$-1\r\n+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n';
    const text = 'GET a\r\nSET a 1\r\nGET a\r\nINCR a\r\nGET a\r\n';
    assert.equal(await exchange(redraft.port, text, expected.length), expected);
    // That pipeline, and the reply to the first INFO.
    assert.equal((await socketWrites(redraft.port)) - before, 2);
  } finally {
    await redraft.stop();
  }
});

test('a read behind a write that could not be proposed is refused as well: the state may be stale', async () => {
  const redraft = await Redraft.start();
  try {
    assert.equal(await exchange(redraft.port, 'SET n old\r\n', 5), '+OK\r\n');
    // A leader that has taken itself out of the cluster, and does not know yet that another one is at work.
    redraft.server.consensus.propose = () => undefined;
    const refusal = `-${redraft.server.notLeading().text}\r\n`;
    const expected = refusal + refusal;
    assert.equal(await exchange(redraft.port, 'INCR m\r\nGET n\r\n', refusal.length + 5), expected);
  } finally {
    await redraft.stop();
  }
});

test('a read that comes when the write before it is in the log already asks a quorum of its own', async () => {
  const redraft = await Redraft.start();
  const socket = connect(redraft.port, '127.0.0.1');
  try {
    const { server } = redraft;
    const { term } = redraft.node.status();
    const from = server.engine.appliedIndex + 1;
    const proposed: Uint8Array[] = [];
    Object.assign(server.consensus, {
      readsAreLocal: () => false,
      flush: () => {},
      propose: (payload: Uint8Array) => ({ index: from + proposed.push(payload) - 1, term }),
    });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const processed = async (count: number): Promise<void> => {
      while ([...server.connections.values()][0]?.commandsProcessed !== count) await turn();
      // What was collected is proposed at the end of the turn.
      await turn();
      await turn();
    };
    socket.write('INCR n\r\n');
    await processed(1);
    assert.equal(proposed.length, 1);
    socket.write('GET n\r\n');
    await processed(2);
    assert.equal(proposed.length, 2);
    let received = '';
    const replied = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1');
        if (received.length >= 11) resolve();
      });
    });
    const entries = proposed.map((payload, i) => ({
      index: from + i,
      term,
      kind: EntryKind.command,
      payload,
    }));
    server.replica.apply(entries.slice(0, 1));
    await turn();
    server.replica.apply(entries.slice(1));
    await replied;
    assert.equal(received, ':1\r\n$1\r\n1\r\n');
  } finally {
    socket.destroy();
    await redraft.stop();
  }
});
