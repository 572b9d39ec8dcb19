/** Replies come in the order of the requests, whatever the requests wait for. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
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

test('the replies of a pipeline that reads and writes leave in one write to the socket', async () => {
  const redraft = await Redraft.start();
  try {
    const writes = async (): Promise<number> => {
      const text = await exchange(redraft.port, 'INFO stats\r\n', 200);
      return Number(/total_writes_processed:(\d+)/.exec(text)![1]);
    };
    const before = await writes();
    const expected = '$-1\r\n+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n';
    const text = 'GET a\r\nSET a 1\r\nGET a\r\nINCR a\r\nGET a\r\n';
    assert.equal(await exchange(redraft.port, text, expected.length), expected);
    // That pipeline, and the reply to the first INFO.
    assert.equal((await writes()) - before, 2);
  } finally {
    await redraft.stop();
  }
});
