/** What one client watches at a leader, while leaders come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NULL_ARRAY, type Reply, type Runnable } from '../../engine/index.js';
import { Transaction, WatchList } from '../../src/client/transaction.js';
import { type ForwardingClient, PassingOn } from '../../src/cluster/forwarder.js';
import type { Upstream } from '../../src/cluster/upstream.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

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

test('keys watched at two leaders abort one EXEC, and none after it', () => {
  const upstreams: FakeUpstream[] = [];
  const answers: Reply[] = [];
  const client = {
    database: 0,
    protocol: 2,
    consistency: 'high',
    transaction: undefined as Transaction | undefined,
    watched: new WatchList({ low: 1, high: 2 }),
    userName: 'default',
    provedPassword: false,
    forwards() {},
    answer: (reply: Reply) => answers.push(reply),
  };
  const route = {
    leaderId: 1,
    databases: 16,
    dial(): Upstream {
      upstreams.push(new FakeUpstream(this.leaderId));
      return upstreams.at(-1) as unknown as Upstream;
    },
  };
  const passing = new PassingOn(client as unknown as ForwardingClient, route);
  const pass = (name: string): void =>
    passing.pass(
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
