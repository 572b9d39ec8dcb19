/** What one client watches at a leader, while leaders come and go. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { NULL_ARRAY, type Reply, type Runnable } from '../../engine/index.js';
import { Transaction, WatchList } from '../../src/client/transaction.js';
import { Forwarding, type ForwardingClient } from '../../src/cluster/forwarder.js';
import { Upstream } from '../../src/cluster/upstream.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { ManualClock } from '../raft-node/wal-harness.js';
import { DialledSocket } from '../sim/network.js';

class FakeUpstream {
  readonly sent: string[] = [];
  readonly takesMore = true;
  private mustUnwatch = false;

  constructor(readonly leaderId: number) {}

  identify(): void {}

  align(): void {
    if (this.mustUnwatch) this.sent.push('UNWATCH');
    this.mustUnwatch = false;
  }

  unwatch(): void {
    this.mustUnwatch = true;
  }

  request({ raw }: { raw: Buffer }): void {
    this.sent.push(`${raw}`.split('\r\n')[2]!);
  }

  silently(name: string): void {
    this.sent.push(name);
  }

  close(): void {}
}

/** A client that notes what it is answered. */
function newClient(answers: Reply[]): ForwardingClient {
  return {
    database: 0,
    protocol: 2,
    consistency: 'high',
    transaction: undefined as Transaction | undefined,
    watched: new WatchList({ low: 1, high: 2 }),
    userName: 'default',
    provedPassword: false,
    forwards() {},
    answer: (reply: Reply) => answers.push(reply),
  } as unknown as ForwardingClient;
}

test('keys watched at two leaders abort one EXEC, and none after it', () => {
  const upstreams: FakeUpstream[] = [];
  const answers: Reply[] = [];
  const client = newClient(answers);
  const route = {
    leaderId: 1,
    databases: 16,
    dial(): Upstream {
      upstreams.push(new FakeUpstream(this.leaderId));
      return upstreams.at(-1) as unknown as Upstream;
    },
  };
  const passing = new Forwarding(client, route);
  const pass = (name: string): void =>
    passing.forward(
      { name, kind: name === 'incr' ? 'write' : 'other' } as Runnable,
      encodeRequest([name]),
      undefined,
    );

  pass('watch');
  route.leaderId = 2;
  pass('watch');
  client.transaction = new Transaction();
  pass('exec');
  assert.deepEqual(answers, [NULL_ARRAY]);
  pass('incr');
  client.transaction = new Transaction();
  pass('exec');
  assert.deepEqual(answers, [NULL_ARRAY]);
  assert.deepEqual(
    upstreams.map(({ sent }) => sent),
    [['watch'], ['watch', 'UNWATCH', 'incr', 'MULTI', 'exec']],
  );
});

test('requests that the leader has not answered count as memory', async () => {
  const socket = new DialledSocket(
    () => {},
    () => {},
  );
  const owner = {
    relay() {},
    lost() {},
    flush() {},
    upstreamReady() {},
    brokenOff: assert.fail,
    takeBack: assert.fail,
  };
  const upstreams: Upstream[] = [];
  const passing = new Forwarding(newClient([]), {
    leaderId: 1,
    databases: 16,
    dial: () => {
      upstreams.push(
        new Upstream(1, 'm1:1', owner, async () => socket as unknown as Socket, new ManualClock()),
      );
      return upstreams[0]!;
    },
  });
  const raw = encodeRequest(['SET', 'k', 'x'.repeat(1_000_000)]);
  assert.equal(passing.pendingBytes, 0);
  for (let i = 0; i < 3; i++) passing.forward({ name: 'set', kind: 'write' } as Runnable, raw, undefined);
  assert.ok(passing.pendingBytes >= 3 * raw.length, 'while the way is opened');
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(passing.pendingBytes >= 3 * raw.length, 'until they are answered');
  // RAFTCONSISTENCY goes before.
  socket.emit('data', Buffer.from('+OK\r\n+OK\r\n'));
  assert.equal(passing.pendingBytes, 2 * raw.length);
  socket.emit('data', Buffer.from('+OK\r\n+OK\r\n'));
  assert.equal(passing.pendingBytes, 0);
});
