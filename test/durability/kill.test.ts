/** kill -9 at random instants of a write load: what was acknowledged is there, and nothing is half done. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { freePort, SpawnedRedraft } from './spawned.js';

const ROUNDS = 15;
const CLIENTS = 6;
/** The longest time from the first write of a round to its end. */
const LOAD_MS_MAX = 250;

/** What one client knows of its own keys, over all rounds. */
interface Ledger {
  acknowledged: number;
  issued: number;
}

function connect(port: number): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: true,
  });
  // A connection that breaks is what this test is about.
  client.on('error', () => {});
  return client;
}

/**
 * Writes number after number until the connection breaks: a list, a counter and a transaction of both,
 * several in flight.
 */
async function load(client: Redis, id: number, ledger: Ledger): Promise<void> {
  const writeOne = async (): Promise<void> => {
    const number = ++ledger.issued;
    await client
      .multi()
      .rpush(`list:${id}`, number)
      .incr(`count:${id}`)
      .set(`last:${id}`, `${number}:${'x'.repeat(number % 300)}`)
      .exec();
    ledger.acknowledged = Math.max(ledger.acknowledged, number);
  };
  const lane = async (): Promise<void> => {
    for (;;) await writeOne();
  };
  await Promise.allSettled([lane(), lane(), lane(), lane()]);
}

async function verify(port: number, ledgers: readonly Ledger[], round: number): Promise<void> {
  const client = connect(port);
  for (const [id, ledger] of ledgers.entries()) {
    const list = (await client.lrange(`list:${id}`, 0, -1)).map(Number);
    const where = `round ${round}, client ${id}`;
    assert.deepEqual(
      list,
      list.map((_, place) => place + 1),
      `${where}: the list is 1, 2, 3, ... without a gap or a double`,
    );
    assert.ok(
      list.length >= ledger.acknowledged,
      `${where}: ${ledger.acknowledged} acknowledged, ${list.length} there`,
    );
    assert.ok(list.length <= ledger.issued, `${where}: ${ledger.issued} issued, ${list.length} there`);
    assert.equal(
      Number((await client.get(`count:${id}`)) ?? 0),
      list.length,
      `${where}: transactions are whole`,
    );
    if (list.length > 0) {
      const last = list.length;
      assert.equal(await client.get(`last:${id}`), `${last}:${'x'.repeat(last % 300)}`, where);
    }
    // What was in flight and did not make it was never done: the next round goes on behind what is there.
    ledger.acknowledged = ledger.issued = list.length;
  }
  client.disconnect();
}

test(`${ROUNDS} rounds of kill -9 lose no acknowledged write`, { timeout: 170_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-kill-'));
  const port = await freePort();
  const ledgers: Ledger[] = Array.from({ length: CLIENTS }, () => ({ acknowledged: 0, issued: 0 }));
  let server = await SpawnedRedraft.start(port, '--dir', dir, '--snapshot-size', '1mb');
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const clients = ledgers.map(() => connect(port));
      const loads = clients.map((client, id) => load(client, id, ledgers[id]));
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * LOAD_MS_MAX));
      await server.end('SIGKILL');
      await Promise.all(loads);
      for (const client of clients) client.disconnect();
      server = await SpawnedRedraft.start(port, '--dir', dir, '--snapshot-size', '1mb');
      await verify(port, ledgers, round);
    }
    assert.ok(
      ledgers.every(({ acknowledged }) => acknowledged > ROUNDS),
      'every client got writes through in most rounds',
    );
    assert.equal(await server.end('SIGTERM'), 0, server.output);
  } finally {
    await server.end('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});
