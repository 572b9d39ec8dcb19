/**
 * A stranger's walk: from a redis-server that takes writes to a cluster of three, by `redraft import`, and
 * back to a redis-server, which attaches as a replica. Each step is printed; at each change of hands all keys
 * are compared by type, and at the end every write that was acknowledged must be there, once.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningServer, startRedis } from '../../conformance/servers.js';
import { ErrorReply } from '../../engine/index.js';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { programPath } from '../program-path.js';
import { digestsByType, keyAt, LEDGER, largeKeys, ledgerLength, type Words } from './walk-data.js';
import { WalkWriter } from './walk-writer.js';

export interface WalkOptions {
  readonly keys: number;
  readonly writesPerSecond: number;
  /** How long the clients write at each station before it goes on. */
  readonly stayMs: number;
  readonly print: (line: string) => void;
}

export interface WalkResult {
  readonly writes: number;
  /** How long clients had to wait at each change of hands: without, and with the comparison of all keys. */
  readonly heldMs: readonly number[];
}

/** Writes are held up for as long as the comparison of all keys may take. */
const PAUSE_MS = 1_800_000;
const IN_FLIGHT = 2000;

export async function walk(options: WalkOptions): Promise<WalkResult> {
  const on = new Walk(options);
  try {
    return await on.run();
  } finally {
    await on.end();
  }
}

class Walk {
  private readonly work = mkdtempSync(join(tmpdir(), 'redraft-walk-'));
  private readonly beganMs = performance.now();
  private readonly ends: (() => Promise<unknown>)[] = [];
  private readonly heldMs: number[] = [];

  constructor(private readonly options: WalkOptions) {}

  async end(): Promise<void> {
    for (const end of this.ends.reverse()) await end().catch(() => {});
    rmSync(this.work, { recursive: true, force: true });
  }

  async run(): Promise<WalkResult> {
    const { keys, writesPerSecond } = this.options;
    const old = await this.redisServer();
    this.say(`a redis-server at ${old.port}`);
    await this.fill(old.port);
    const writer = new WalkWriter(writesPerSecond, keys);
    this.ends.push(() => writer.abandon());
    await writer.moveTo(old.port);
    await this.stay(writer, 'clients write there');

    const cluster = await this.cluster();
    this.say(`three Redraft nodes at ${cluster.join(', ')}`);
    await this.moveIn(old.port, cluster[0]!);
    const leader = await this.leaderOf(cluster);
    await this.handOver(writer, old.port, leader, 'the cluster');
    await this.stay(writer, 'clients write to the cluster');

    const other = await this.redisServer();
    await this.moveOut(writer, leader, other.port);
    await this.stay(writer, 'clients write to redis-server again');
    await writer.stop();
    await this.checkLedger(other.port, writer.acknowledged);
    return { writes: writer.acknowledged, heldMs: this.heldMs };
  }

  // ---- steps ----

  private async fill(port: number): Promise<void> {
    const { keys } = this.options;
    const client = await this.connect(port);
    const errors: string[] = [];
    let sent: Promise<unknown>[] = [];
    const send = async (words: Words): Promise<void> => {
      const answer = client.call(...words);
      sent.push(
        answer.then((reply) => reply instanceof ErrorReply && errors.push(`${words[0]}: ${reply.text}`)),
      );
      if (sent.length < IN_FLIGHT) return;
      await Promise.all(sent);
      sent = [];
    };
    for (let i = 0; i < keys; i++) await send(keyAt(i));
    for (const words of largeKeys(Math.min(10_000, keys))) await send(words);
    await Promise.all(sent);
    assert.deepEqual(errors, []);
    this.say(`${keys} keys of all types, and one large value of each`);
    await client.close();
  }

  /** As the operator does it: one command, which ends when all is there and the source is held up. */
  private async moveIn(from: number, to: number): Promise<void> {
    const source = `redis://127.0.0.1:${from}`;
    const args = ['import', source, '--to', `127.0.0.1:${to}`, '--cutover', '--pause', `${PAUSE_MS / 1000}s`];
    this.say(`redraft ${args.join(' ')}`);
    const child = spawn(process.execPath, [programPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ends.push(async () => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.split(/[\r\n]+/)) if (line !== '') this.say(`  ${line}`);
      });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(code, 0, 'redraft import ends with 0');
  }

  /** The new redis-server follows the leader; writes are held up until it lacks nothing and stands alone. */
  private async moveOut(writer: WalkWriter, leader: number, to: number): Promise<void> {
    const [node, redis] = [await this.connect(leader), await this.connect(to)];
    this.say(`redis-cli -p ${to} REPLICAOF 127.0.0.1 ${leader}`);
    await redis.call('REPLICAOF', '127.0.0.1', `${leader}`);
    await this.until('the replica is online', async () =>
      `${await redis.call('INFO', 'replication')}`.includes('master_link_status:up'),
    );
    await this.stay(writer, 'it has the data, and follows the writes');
    const heldAtMs = performance.now();
    await node.call('CLIENT', 'PAUSE', `${PAUSE_MS}`, 'WRITE');
    this.say('CLIENT PAUSE ... WRITE at the leader');
    await this.until('the replica has everything', async () => {
      const offset = /repl_stream_offset:(\d+)/.exec(`${await node.call('INFO', 'replication')}`)?.[1];
      return `${await redis.call('INFO', 'replication')}`.includes(`slave_repl_offset:${offset}\r`);
    });
    await redis.call('REPLICAOF', 'NO', 'ONE');
    this.say(`REPLICAOF NO ONE at the replica, ${Math.round(performance.now() - heldAtMs)} ms later`);
    await this.handOver(writer, leader, to, 'redis-server');
    await Promise.all([node.close(), redis.close()]);
  }

  /** Both hold the same, by type; then the clients go on at the new one. */
  private async handOver(writer: WalkWriter, from: number, to: number, where: string): Promise<void> {
    const beganMs = performance.now();
    const [source, target] = [await this.connect(from), await this.connect(to)];
    const [there, here] = await Promise.all([digestsByType(source), digestsByType(target)]);
    for (const [type, { keys, digest }] of there) {
      const other = here.get(type);
      this.say(
        `  ${type.padEnd(6)} ${`${keys}`.padStart(8)} keys, digest ${digest.toString(16).padStart(16, '0')}`,
      );
      assert.deepEqual(other, { keys, digest }, `${type} is the same there and here`);
    }
    assert.deepEqual([...here.keys()], [...there.keys()]);
    assert.equal(await target.call('LLEN', LEDGER), ledgerLength(writer.acknowledged));
    await Promise.all([source.close(), target.close()]);
    await writer.moveTo(to);
    this.heldMs.push(Math.round(performance.now() - beganMs));
    this.say(`equal; clients go on at ${where}, at write ${writer.acknowledged}`);
  }

  private async stay(writer: WalkWriter, what: string): Promise<void> {
    const { stayMs } = this.options;
    const [before, beganMs] = [writer.acknowledged, performance.now()];
    writer.takeSlowestMs();
    await new Promise((resolve) => setTimeout(resolve, stayMs));
    writer.check();
    const writes = writer.acknowledged - before;
    assert.ok(writes > 0, 'writes are acknowledged');
    const rate = Math.round((writes * 1000) / (performance.now() - beganMs));
    this.say(`${what}: ${rate} a second, the slowest took ${writer.takeSlowestMs()} ms`);
  }

  /** Every write has left what it leaves, in order and once. */
  private async checkLedger(port: number, writes: number): Promise<void> {
    const client = await this.connect(port);
    const found = ((await client.call('LRANGE', LEDGER, '0', '-1')) as Buffer[]).map(String);
    const expected = Array.from({ length: ledgerLength(writes) }, (_, i) => `${i * 16}`);
    assert.deepEqual(found, expected);
    this.say(`${writes} writes were acknowledged on the way: none is lost, none came twice`);
    await client.close();
  }

  // ---- what it is made of ----

  private async redisServer(): Promise<RunningServer> {
    const server = await startRedis();
    this.ends.push(() => server.stop());
    return server;
  }

  private async cluster(): Promise<number[]> {
    const ports: number[] = [];
    for (let i = 0; i < 3; i++) {
      const port = await freePort();
      const join_ = i === 0 ? [] : ['--join', `${ports[0]}`];
      const node = await SpawnedRedraft.start(port, '--dir', join(this.work, `node${i}`), ...join_);
      this.ends.push(() => node.end('SIGKILL'));
      ports.push(port);
    }
    return ports;
  }

  private async leaderOf(ports: readonly number[]): Promise<number> {
    let leader = 0;
    await this.until('a leader', async () => {
      for (const port of ports) {
        const client = await this.connect(port);
        if (String(await client.call('RAFTSTATE')) === 'Leader') leader = port;
        await client.close();
      }
      return leader !== 0;
    });
    return leader;
  }

  private connect(port: number): Promise<RespClient> {
    return RespClient.connect({ host: '127.0.0.1', port, replyTimeoutMs: PAUSE_MS });
  }

  private async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + PAUSE_MS;
    while (!(await holds())) {
      assert.ok(performance.now() < end, `it takes too long until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private say(line: string): void {
    const seconds = ((performance.now() - this.beganMs) / 1000).toFixed(1);
    this.options.print(`${seconds.padStart(7)} s  ${line}`);
  }
}
