import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { HANDSHAKE_MS, Handshakes } from '../../src/net/handshakes.js';

class FakeSocket extends EventEmitter {
  destroyed = false;

  destroy(): this {
    if (!this.destroyed) {
      this.destroyed = true;
      this.emit('close');
    }
    return this;
  }
}

/** Handshakes on a clock that the test moves. */
class Bench {
  nowMs = 0;
  readonly begun: FakeSocket[] = [];
  readonly givenUp: string[] = [];
  private timers: { atMs: number; run: () => void }[] = [];
  readonly handshakes: Handshakes;

  constructor(t: TestContext, waitingMax: number) {
    this.handshakes = new Handshakes({
      clock: {
        monotonicMs: () => this.nowMs,
        setTimer: (delayMs, run) => {
          const timer = { atMs: this.nowMs + delayMs, run };
          this.timers.push(timer);
          return { cancel: () => this.timers.splice(this.timers.indexOf(timer), 1) };
        },
      },
      waitingMax: () => waitingMax,
      begin: (socket) => this.begun.push(socket as unknown as FakeSocket),
      givenUp: (_socket, why) => this.givenUp.push(why),
    });
    t.after(() => this.handshakes.close());
  }

  add(count: number): FakeSocket[] {
    return Array.from({ length: count }, () => {
      const socket = new FakeSocket();
      this.handshakes.add(socket as unknown as Socket);
      return socket;
    });
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const timer of this.timers.filter(({ atMs }) => atMs <= this.nowMs)) {
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.run();
    }
    await this.turn();
  }
}

test('few handshakes begin in one turn of the event loop', async (t) => {
  const bench = new Bench(t, 10_000);
  bench.add(100);
  assert.equal(bench.begun.length, 0);
  await bench.turn();
  const perTurn = bench.begun.length;
  assert.ok(perTurn > 0 && perTurn < 20, `${perTurn}`);
  await bench.turn();
  assert.equal(bench.begun.length, 2 * perTurn);
});

test('a bounded number is under way; who ends makes room for who waits', async (t) => {
  const bench = new Bench(t, 10_000);
  bench.add(1000);
  for (let i = 0; i < 200; i++) await bench.turn();
  const most = bench.begun.length;
  assert.ok(most >= 64 && most <= 256, `${most}`);
  bench.handshakes.ended(bench.begun[0] as unknown as Socket);
  await bench.turn();
  await bench.turn();
  assert.equal(bench.begun.length, most + 1);
  assert.equal(bench.handshakes.size, 999);
});

test('while others wait, who is slow gives way, and who waited in vain is sent away', async (t) => {
  const bench = new Bench(t, 10_000);
  bench.add(400);
  for (let i = 0; i < 200; i++) await bench.turn();
  const most = bench.begun.length;
  await bench.pass(500);
  assert.equal(bench.givenUp.length, 0);
  await bench.pass(600);
  assert.ok(bench.begun.slice(0, most).every(({ destroyed }) => destroyed));
  assert.ok(bench.begun.length > most);
  for (let ms = 0; ms < 3 * HANDSHAKE_MS; ms += 200) await bench.pass(200);
  assert.equal(bench.handshakes.size <= most, true);
});

test('more than may wait: the oldest gives way', async (t) => {
  const bench = new Bench(t, 50);
  const sockets = bench.add(60);
  assert.equal(bench.givenUp.length, 10);
  assert.deepEqual(
    sockets.map(({ destroyed }) => destroyed),
    sockets.map((_, i) => i < 10),
  );
  assert.equal(bench.handshakes.size, 50);
});

test('whoever hangs up is forgotten', async (t) => {
  const bench = new Bench(t, 50);
  const sockets = bench.add(10);
  await bench.turn();
  for (const socket of sockets) socket.destroy();
  assert.equal(bench.handshakes.size, 0);
});
