/**
 * Three processes, as the README starts them, and kill -9 of whichever leads: no acknowledged write is lost,
 * none is doubled.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RespClient } from '../../src/resp/client.js';
import { plain, until } from './nodes.js';
import { ProcessCluster } from './processes.js';

const ROUNDS = 10;
const CLIENTS = 4;

/** What a client knows of its counter and its list. */
class Writer {
  acknowledgedIncrements = 0;
  unknownIncrements = 0;
  readonly acknowledged: number[] = [];
  readonly unknown = new Set<number>();
  private next = 0;
  private client: RespClient | undefined;
  private at = 0;
  isStopped = false;

  constructor(
    private readonly cluster: ProcessCluster,
    private readonly id: number,
  ) {}

  async run(): Promise<void> {
    while (!this.isStopped) {
      const increment = await this.write('INCR', `count:${this.id}`);
      if (increment === 'acknowledged') this.acknowledgedIncrements++;
      else if (increment === 'unknown') this.unknownIncrements++;
      const value = this.next++;
      const push = await this.write('RPUSH', `list:${this.id}`, `${value}`);
      if (push === 'acknowledged') this.acknowledged.push(value);
      else if (push === 'unknown') this.unknown.add(value);
    }
    await this.client?.close();
  }

  /** `refused`: it certainly did not happen. */
  private async write(...args: string[]): Promise<'acknowledged' | 'refused' | 'unknown'> {
    if (this.client === undefined || this.client.closed) {
      try {
        this.client = await RespClient.connect({
          host: '127.0.0.1',
          port: this.cluster.ports[this.at],
          replyTimeoutMs: 5000,
        });
      } catch {
        await this.elsewhere((this.at + 1) % 3);
        return 'refused';
      }
    }
    try {
      const reply = plain(await this.client.call(...args));
      if (typeof reply === 'number') return 'acknowledged';
      const text = String(reply);
      const moved = /^-TRY 127\.0\.0\.1:(\d+)$/.exec(text);
      if (moved !== null) {
        await this.elsewhere(this.cluster.ports.indexOf(Number(moved[1])));
        return 'refused';
      }
      if (text.startsWith('-CLUSTERDOWN')) {
        await this.elsewhere((this.at + 1) % 3);
        return 'refused';
      }
      assert.match(text, /^-UNKNOWN /);
      return 'unknown';
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      await this.elsewhere((this.at + 1) % 3);
      return 'unknown';
    }
  }

  private async elsewhere(at: number): Promise<void> {
    await this.client?.close();
    this.client = undefined;
    this.at = at;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async verify(leader: number): Promise<void> {
    const count = Number(await this.cluster.ask(leader, 'GET', `count:${this.id}`));
    assert.ok(
      count >= this.acknowledgedIncrements,
      `${this.acknowledgedIncrements} acknowledged, ${count} counted`,
    );
    assert.ok(
      count <= this.acknowledgedIncrements + this.unknownIncrements,
      `${count} counted, ${this.acknowledgedIncrements} acknowledged and ${this.unknownIncrements} of unknown outcome`,
    );
    const list = ((await this.cluster.ask(leader, 'LRANGE', `list:${this.id}`, '0', '-1')) as string[]).map(
      Number,
    );
    assert.equal(new Set(list).size, list.length, 'no element twice');
    const there = new Set(list);
    for (const value of this.acknowledged) assert.ok(there.has(value), `${value} was acknowledged`);
    const known = new Set([...this.acknowledged, ...this.unknown]);
    for (const value of list) assert.ok(known.has(value), `${value} was refused`);
    assert.deepEqual(
      this.acknowledged,
      list.filter((value) => !this.unknown.has(value)),
      'in order',
    );
  }
}

test(
  `${ROUNDS} rounds of kill -9 of the leader: no acknowledged INCR or RPUSH lost or doubled, digests equal`,
  {
    timeout: 240_000,
  },
  async (t) => {
    const cluster = await ProcessCluster.start(t, 3, ['--snapshot-size', '1mb']);
    assert.equal(await cluster.ask(await cluster.leader(), 'SET', 'a', '1'), 'OK');
    const writers = Array.from({ length: CLIENTS }, (_, id) => new Writer(cluster, id));
    const running = writers.map((writer) => writer.run());
    const downMs: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const lost = await cluster.leader();
      const before = writers.map(({ acknowledged }) => acknowledged.length);
      await until('everybody writes', () =>
        writers.every(({ acknowledged }, i) => acknowledged.length > before[i] + 5),
      );
      const killedAt = performance.now();
      await cluster.kill(lost);
      const next = await cluster.leader();
      downMs.push(performance.now() - killedAt);
      assert.notEqual(next, lost);
      await cluster.spawn(lost);
    }
    for (const writer of writers) writer.isStopped = true;
    await Promise.all(running);
    const leader = await cluster.leader();
    for (const writer of writers) await writer.verify(leader);
    const [first] = (await cluster.ask(leader, 'RAFTDIGEST')) as [number];
    const digests = [0, 1, 2].map((i) => cluster.ask(i, 'RAFTDIGEST', `${first + 2}`));
    await cluster.ask(leader, 'SET', 'last', '1');
    await cluster.ask(leader, 'SET', 'last', '2');
    const [one, two, three] = await Promise.all(digests);
    assert.match(String(one), /^\d+,[0-9a-f]{16}$/);
    assert.deepEqual(two, one);
    assert.deepEqual(three, one);
    downMs.sort((a, b) => a - b);
    t.diagnostic(
      `from kill -9 to the next accepted write: median ${downMs[ROUNDS / 2].toFixed(0)} ms, at most ${downMs.at(-1)!.toFixed(0)} ms`,
    );
  },
);
