/**
 * Who may come in: peers by the secret or from this machine, clients by the password or from this machine.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PeerRefusal } from '../../raft/node/index.js';
import { dialPeer, type Introduction } from '../../raft/node/peer/peer-handshake.js';
import { AuthenticationGate } from '../../src/client/authentication-gate.js';
import { Redraft, type RedraftOptions } from '../../src/index.js';
import { refusesPeer, unsafeStart } from '../../src/net/peer-admission.js';
import { createLog } from '../../src/observability/log.js';
import { until } from './nodes.js';

async function start(t: TestContext, options: RedraftOptions = {}): Promise<Redraft> {
  const redraft = await Redraft.start(options);
  t.after(() => redraft.stop());
  return redraft;
}

/**
 * Sends a text from an address of this machine and gives what comes back until the other side closes, or
 * `enough` of it.
 */
async function speak(
  port: number,
  text: string,
  localAddress = '127.0.0.1',
  enough = '\r\n',
): Promise<string> {
  const socket = net.connect({ host: '127.0.0.1', port, localAddress });
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
    if (heard.includes(enough)) socket.destroy();
  });
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return heard;
}

const greeting = (cluster: string, purpose = 'messages', from = 7, to = 0): string => {
  const words = ['RAFTPEER', '1', cluster, `${from}`, `${to}`, purpose, '0'.repeat(32)];
  return `*7\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
};

const clusterOf = (redraft: Redraft): string => redraft.cluster.clusterId;

async function knock(redraft: Redraft, secret: string, changed: Partial<Introduction> = {}): Promise<string> {
  const introduction: Introduction = {
    clusterId: clusterOf(redraft),
    from: 7,
    to: 0,
    purpose: 'messages',
    ...changed,
  };
  try {
    const { peer } = await dialPeer({
      address: redraft.address,
      credentials: { secrets: [secret] },
      introduction,
      onFrame: () => {},
      onClose: () => {},
    });
    peer.destroy('seen');
    return 'let in';
  } catch (error) {
    return error instanceof PeerRefusal ? error.code : (error as Error).message;
  }
}

test('where clients need a password, no peer comes in without a proven secret', async (t) => {
  const open = await start(t, { password: 'p' });
  for (const purpose of ['messages', 'client', 'exchange', 'snapshot'] as const)
    assert.equal(await knock(open, '', { purpose }), 'closed');
  const closed = await start(t, { password: 'p', clusterSecret: 's' });
  assert.equal(await knock(closed, ''), 'secret');
  assert.equal(await knock(closed, 's'), 'let in');
});

test('without a secret, peers come from this machine only, unless the operator says "none"', async (t) => {
  const own = await start(t);
  assert.equal(await knock(own, ''), 'let in');
  const text = greeting(clusterOf(own));
  assert.match(await speak(own.port, text, '127.0.0.2'), /^-DENIED|^-PEERREFUSED closed/);
  const others = { configuration: { 'protected-mode': 'no' } };
  const guarded = await start(t, others);
  assert.match(await speak(guarded.port, text, '127.0.0.2'), /^-PEERREFUSED closed .*--cluster-secret/);
  const open = await start(t, { ...others, clusterSecret: 'none' });
  assert.match(await speak(open.port, text, '127.0.0.2'), /^\+PEERCHALLENGE/);
});

test('the decision about peers, from far away', () => {
  const far = { remoteAddress: '192.0.2.1' };
  const asks = (password: boolean) => (): boolean => password;
  assert.equal(refusesPeer({ clusterSecret: 's', asksClients: asks(true) }, far), undefined);
  assert.match(
    refusesPeer({ clusterSecret: '', asksClients: asks(false) }, far) ?? '',
    /its own machine only/,
  );
  assert.equal(refusesPeer({ clusterSecret: 'none', asksClients: asks(false) }, far), undefined);
  assert.match(refusesPeer({ clusterSecret: 'none', asksClients: asks(true) }, far) ?? '', /asks clients/);
});

test('a password without a secret beyond this machine is refused at the start', async () => {
  await assert.rejects(
    Redraft.start({ host: '0.0.0.0', password: 'p' }),
    /give all nodes the same --cluster-secret/,
  );
  assert.match(unsafeStart('0.0.0.0', 'none', 'p') ?? '', /protects nothing/);
  assert.equal(unsafeStart('127.0.0.1', '', 'p'), undefined);
  assert.equal(unsafeStart('10.0.0.1', 's', 'p'), undefined);
  assert.equal(unsafeStart('10.0.0.1', '', ''), undefined);
});

test('no greeting stops a node that holds data', async (t) => {
  let failure: Error | undefined;
  const redraft = await start(t, {
    onFailure: (error) => {
      failure = error;
    },
  });
  assert.match(await speak(redraft.port, 'SET k v\r\n'), /^\+OK/);
  for (let from = 7; from < 12; from++) {
    const clusterId = 'ab'.repeat(16);
    assert.equal(await knock(redraft, '', { clusterId, from, to: 5 }), 'cluster');
  }
  assert.match(await speak(redraft.port, 'GET k\r\n'), /^\$1\r\nv|^\$1/);
  assert.equal(failure, undefined);
});

test('protected mode: without a password only clients of this machine are served', async (t) => {
  const redraft = await start(t);
  assert.match(await speak(redraft.port, 'PING\r\n'), /^\+PONG/);
  assert.match(
    await speak(redraft.port, 'PING\r\n', '127.0.0.2'),
    /^-DENIED Redis is running in protected mode/,
  );
  assert.match(await speak(redraft.port, 'CONFIG SET protected-mode no\r\n'), /^\+OK/);
  assert.match(await speak(redraft.port, 'PING\r\n', '127.0.0.2'), /^\+PONG/);
  const locked = await start(t, { password: 'p' });
  assert.match(await speak(locked.port, 'PING\r\n', '127.0.0.2'), /^-NOAUTH/);
});

test('DEBUG is off, and what it writes into the log is one line', async (t) => {
  const off = await start(t);
  assert.match(await speak(off.port, 'DEBUG SLEEP 0\r\n'), /^-ERR DEBUG command not allowed/);
  const lines: string[] = [];
  const on = await start(t, {
    configuration: { 'enable-debug-command': 'local', 'protected-mode': 'no' },
    log: createLog('notice', (line) => lines.push(line)),
  });
  assert.match(await speak(on.port, 'DEBUG SLEEP 0\r\n', '127.0.0.2'), /^-ERR DEBUG command not allowed/);
  assert.match(await speak(on.port, 'DEBUG LOG "a\\n2026-01-01 notice forged\\x1b[2J"\r\n'), /^\+OK/);
  const written = lines.filter((line) => line.includes('forged'));
  assert.equal(written.length, 1);
  assert.match(written[0], /DEBUG LOG: a\\x0a2026-01-01 notice forged\\x1b\[2J\n$/);
});

test('a password is its bytes in UTF-8', async (t) => {
  const password = '日本pä';
  const redraft = await start(t, { password });
  const auth = (bytes: Buffer): Promise<string> =>
    speak(redraft.port, `*2\r\n$4\r\nAUTH\r\n$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`);
  assert.match(await auth(Buffer.from(password)), /^\+OK/);
  // What cutting each character to a byte makes of it.
  assert.match(await auth(Buffer.from(password, 'latin1')), /^-WRONGPASS/);
});

test('failed AUTHs are slowed, each address for itself', () => {
  let now = 0;
  const gate = new AuthenticationGate(() => now);
  const guess = (address: string): number | undefined => {
    const wait = gate.waitMs(address);
    if (wait !== undefined) gate.failed(address);
    return wait;
  };
  const waits = Array.from({ length: 40 }, () => guess('a'));
  assert.deepEqual(waits.slice(0, 10), Array(10).fill(0));
  assert.ok(waits.slice(12).every((wait) => wait === undefined || wait > 0));
  assert.equal(waits.at(-1), undefined, 'a queue that is too long is refused');
  assert.equal(guess('b'), 0);
  now += 120_000;
  assert.equal(gate.waitMs('a'), 0);
});

test('a hundred wrong passwords at once take longer than a few', async (t) => {
  const redraft = await start(t, { password: 'p' });
  const began = performance.now();
  const replies = await Promise.all(
    Array.from({ length: 14 }, (_, i) => speak(redraft.port, `AUTH wrong${i}\r\n`)),
  );
  for (const reply of replies) assert.match(reply, /^-WRONGPASS/);
  await speak(redraft.port, 'AUTH wrong\r\n');
  assert.ok(performance.now() - began >= 50, 'the attempts behind the free ones wait');
});

test('a node keeps its files to itself', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'redraft-modes-'));
  t.after(() => rmSync(root, { recursive: true }));
  const dir = join(root, 'data');
  const redraft = await Redraft.start({ dir });
  assert.match(await speak(redraft.port, 'SET k v\r\n'), /^\+OK/);
  assert.match(await speak(redraft.port, 'RAFTSNAPSHOT\r\n'), /^[+:*]/);
  await redraft.stop();
  const wrong: string[] = [];
  const look = (path: string): void => {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) wrong.push(`${path} ${(mode & 0o777).toString(8)}`);
  };
  look(dir);
  for (const name of readdirSync(dir, { recursive: true }) as string[]) look(join(dir, name));
  assert.deepEqual(wrong, []);
});

test('handshakes that prove nothing count as clients', async (t) => {
  const redraft = await start(t, { maxClients: 4, clusterSecret: 's' });
  const sockets = Array.from({ length: 4 }, () => net.connect(redraft.port, '127.0.0.1'));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.write(greeting(clusterOf(redraft)));
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  assert.match(await speak(redraft.port, 'PING\r\n'), /max number of clients/);
  // A peer comes in all the same, and is no client once it has proved itself.
  assert.equal(await knock(redraft, 's'), 'let in');
  sockets[0].destroy();
  await until('there is room again', async () => /PONG/.test(await speak(redraft.port, 'PING\r\n')));
});
