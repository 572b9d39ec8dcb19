/**
 * A hand-over under load: what clients have sent to a leader that is just being replaced runs anew, in its
 * order, or is sent on with its slot; nobody sees an error that the node's mode does not promise.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import type { FollowerMode } from '../../src/discovery/leader-guide.js';
import { plain, TestCluster, type TestNode, until } from '../cluster/nodes.js';

interface Outcome {
  readonly kind: 'incr' | 'get' | 'ping' | 'exec';
  readonly reply: unknown;
}

/** So many rounds of commands go before the hand-over begins. */
const ROUNDS = 20;

/** Sends commands without waiting for their answers, until leadership has been handed over a while ago. */
async function work(leader: TestNode): Promise<Outcome[]> {
  const redis = new Redis({ port: leader.port, enableReadyCheck: false, retryStrategy: null });
  redis.on('error', () => {});
  const pending: Promise<Outcome>[] = [];
  const add = (kind: Outcome['kind'], promise: Promise<unknown>): void => {
    const done = (reply: unknown): Outcome => ({ kind, reply });
    pending.push(promise.then(done, (error: Error) => done(error)));
  };
  await redis.set('n', '0');
  let transferredAt = Number.POSITIVE_INFINITY;
  let round = 0;
  for (; round < transferredAt + ROUNDS; round++) {
    for (let i = 0; i < 3; i++) {
      add('incr', redis.incr('n'));
      add('get', redis.get('n'));
      add('ping', redis.ping());
    }
    add('exec', redis.multi().incr('n').get('n').exec());
    add('exec', redis.multi().get('n').exec());
    if (round === ROUNDS)
      void leader.ask('RAFTTRANSFER').then(() => {
        transferredAt = round;
      });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const outcomes = await Promise.all(pending);
  redis.disconnect();
  return outcomes;
}

for (const durability of ['low', 'high'] as const)
  test(`--follower forward: no error, and no command out of its order (durability ${durability})`, async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'forward', durability });
    const leader = await cluster.leader();
    const outcomes = await work(leader);
    let count = 0;
    for (const { kind, reply } of outcomes) {
      if (kind === 'incr') assert.equal(reply, ++count);
      else if (kind === 'get') assert.equal(reply, `${count}`);
      else if (kind === 'ping') assert.equal(reply, 'PONG');
      else {
        const results = reply as [unknown, unknown][];
        assert.ok(Array.isArray(results), String(reply));
        if (results.length === 2) count++;
        assert.deepEqual(results.at(-1), [null, `${count}`]);
      }
    }
    assert.ok(count > ROUNDS);
    assert.notEqual(await cluster.leader(), leader);
  });

const promised: Readonly<Record<Exclude<FollowerMode, 'forward'>, RegExp>> = {
  moved: /^MOVED 3432 127\.0\.0\.1:\d+$|^EXECABORT /,
  readonly: /^READONLY |^EXECABORT /,
  try: /^TRY 127\.0\.0\.1:\d+$|^EXECABORT /,
};

for (const follower of ['moved', 'readonly', 'try'] as const)
  test(`--follower ${follower}: who comes too late is told where to go, and by nothing else`, async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower });
    const leader = await cluster.leader();
    const outcomes = await work(leader);
    const next = await cluster.leader();
    let count = 0;
    let isOver = false;
    for (const { kind, reply } of outcomes) {
      if (kind === 'ping') {
        assert.equal(reply, 'PONG');
        continue;
      }
      if (reply instanceof Error) {
        isOver = true;
        assert.match(reply.message, promised[follower]);
        if (follower !== 'readonly' && kind !== 'exec') assert.ok(reply.message.endsWith(`:${next.port}`));
        continue;
      }
      assert.ok(!isOver, 'a command runs behind one that was refused');
      if (kind === 'incr') assert.equal(reply, ++count);
      else if (kind === 'get') assert.equal(reply, `${count}`);
      else if ((reply as unknown[]).length === 2) count++;
    }
    assert.ok(isOver && count > ROUNDS);
  });

for (const how of ['stop', 'removal'] as const)
  test(`a leader's ${how} leaves no command of its clients without an answer`, async (t) => {
    const cluster = await TestCluster.start(t, 3, { follower: 'moved' });
    const leader = await cluster.leader();
    const [other] = await cluster.followers();
    const redis = new Redis({ port: leader.port, enableReadyCheck: false, retryStrategy: null });
    redis.on('error', () => {});
    t.after(() => redis.disconnect());
    await redis.set('n', '0');
    let ended: Promise<unknown> | undefined;
    const outcomes: Promise<unknown>[] = [];
    let isSentAway = false;
    // As clients of a cluster do: until it is told where the new leader is.
    for (let round = 0; !isSentAway; round++) {
      for (let i = 0; i < 5; i++)
        outcomes.push(
          redis.incr('n').catch((error: Error) => {
            isSentAway = true;
            return error.message;
          }),
        );
      if (round === ROUNDS)
        ended = how === 'stop' ? leader.redraft.stop() : other.ask('RAFTREMOVEPEER', leader.address);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const replies = await Promise.all(outcomes);
    await ended;
    const next = await cluster.leader();
    const count = replies.filter((reply) => typeof reply === 'number').length;
    assert.deepEqual(
      replies,
      replies.map((_, i) => (i < count ? i + 1 : `MOVED 3432 127.0.0.1:${next.port}`)),
    );
    assert.equal(await next.ask('GET', 'n'), `${count}`);
  });

test('who asks a replaced leader again and again is closed, though it is never quiet', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'readonly' });
  const leader = await cluster.leader();
  const before = await leader.connect();
  await leader.ask('RAFTTRANSFER');
  await until('who was there before is closed', () => before.closed);
  // As a client of Sentinel that has heard of the new leader too late.
  const late = await leader.connect();
  await until('it is closed', async () => {
    const reply = late.closed ? undefined : await late.call('SET', 'k', 'v').then(plain, () => undefined);
    assert.match(String(reply ?? '-READONLY '), /^-READONLY /);
    return late.closed;
  });
});
