/** What WATCH remembers: each key once, at a price that does not grow with the list. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { WatchList } from '../../src/client/transaction.js';
import { Redraft } from '../../src/index.js';

const seed = { low: 1, high: 2 };

test('a key is found among ten thousand by comparing with a few', () => {
  let comparisons = 0;
  const counted = (text: string): Buffer => {
    const key = Buffer.from(text);
    key.equals = (other) => {
      comparisons++;
      return key.compare(other) === 0;
    };
    return key;
  };
  const list = new WatchList(seed);
  for (let i = 0; i < 10_000; i++) {
    const key = counted(`key:${i}`);
    assert.equal(list.has(0, key), false);
    list.add({ database: 0, key, position: i, existed: false });
  }
  for (let i = 0; i < 10_000; i++) assert.equal(list.has(0, Buffer.from(`key:${i}`)), true);
  assert.ok(comparisons < 20_000, `${comparisons} comparisons`);
});

test('keys of two databases are two; what is taken is gone', () => {
  const list = new WatchList(seed);
  const key = Buffer.from('k');
  list.add({ database: 0, key, position: 1, existed: true });
  assert.equal(list.has(1, key), false);
  list.add({ database: 1, key, position: 2, existed: false });
  assert.deepEqual(
    list.take().map(({ database }) => database),
    [0, 1],
  );
  assert.equal(list.length, 0);
  assert.equal(list.has(0, key), false);
});

test('EXEC is refused for one changed key of ten thousand that were watched in a pipeline, and runs after UNWATCH', async () => {
  const redraft = await Redraft.start();
  try {
    let pipeline = '';
    for (let i = 0; i < 10_000; i++) pipeline += `WATCH key:${i}\r\n`;
    pipeline += 'SET key:7777 x\r\nMULTI\r\nINCR n\r\nEXEC\r\n';
    for (let i = 0; i < 10_000; i++) pipeline += `WATCH key:${i}\r\n`;
    pipeline += 'SET key:7777 x\r\nUNWATCH\r\nMULTI\r\nINCR n\r\nEXEC\r\n';
    const ok = '+OK\r\n';
    const expected = `${ok.repeat(10_002)}+QUEUED\r\n*-1\r\n${ok.repeat(10_003)}+QUEUED\r\n*1\r\n:1\r\n`;
    const received = await new Promise<string>((resolve, reject) => {
      const socket = connect(redraft.port, '127.0.0.1');
      let text = '';
      socket.on('error', reject).on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.length < expected.length) return;
        socket.destroy();
        resolve(text);
      });
      socket.write(pipeline);
    });
    assert.ok(received === expected, received.slice(-200));
  } finally {
    await redraft.stop();
  }
});
