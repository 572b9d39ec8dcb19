/**
 * A client that ends its side of the connection still gets the replies to all that it has sent, however long
 * they take.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeDisk } from '../../raft/node/index.js';
import { Redraft } from '../../src/index.js';
import { TestCluster, until } from '../cluster/nodes.js';

const SYNC_MS = 30;

/** Sends text, ends the sending side, and resolves with all that comes back. */
function sendAndEnd(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let received = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(received));
    socket.end(text);
  });
}

async function checkReplies(port: number): Promise<void> {
  assert.equal(await sendAndEnd(port, 'SET k v\r\n'), '+OK\r\n');
  assert.equal(await sendAndEnd(port, 'GET k\r\n'), '$1\r\nv\r\n');
  const pipeline =
    'INCR n\r\nGET n\r\nCONFIG SET timeout 0\r\nMULTI\r\nINCR n\r\nSELECT 1\r\nEXEC\r\nGET n\r\nDEL n\r\n';
  const replies = ':1\r\n$1\r\n1\r\n+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n+OK\r\n$-1\r\n:0\r\n';
  assert.equal(await sendAndEnd(port, pipeline), replies);
  assert.equal(
    await sendAndEnd(port, 'DEL n\r\nLPUSH l a\r\nBLPOP l 0\r\n'),
    ':1\r\n:1\r\n*2\r\n$1\r\nl\r\n$1\r\na\r\n',
  );
  // Nobody waits for who hears nothing more: as in Redis, what is pushed later stays.
  // A node that asks the leader for it cannot tell why the leader fell silent.
  assert.match(await sendAndEnd(port, 'BLPOP l 0\r\n').catch(() => ''), /^(-UNKNOWN.*\r\n)?$/);
  assert.equal(await sendAndEnd(port, 'LPUSH l b\r\nLLEN l\r\nDEL l\r\n'), ':1\r\n:1\r\n:1\r\n');
}

test('in memory', async () => {
  const redraft = await Redraft.start();
  try {
    await checkReplies(redraft.port);
    await until('nobody is connected', () => redraft.server.connections.size === 0);
  } finally {
    await redraft.stop();
  }
});

test('with a log whose syncs take their time', async (t: TestContext) => {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-half-closed-'));
  const { open } = nodeDisk;
  Object.assign(nodeDisk, {
    open: async (...args: Parameters<typeof open>) => {
      const file = await open(...args);
      const sync = file.sync.bind(file);
      file.sync = (done) => {
        setTimeout(() => sync(done), SYNC_MS);
      };
      return file;
    },
  });
  t.after(() => {
    Object.assign(nodeDisk, { open });
    rmSync(dir, { recursive: true, force: true });
  });
  const redraft = await Redraft.start({ dir });
  try {
    await checkReplies(redraft.port);
  } finally {
    await redraft.stop();
  }
});

test('on each of three nodes', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  await cluster.leader();
  for (const node of cluster.nodes) await checkReplies(node.port);
});
