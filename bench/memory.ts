/**
 * `npm run bench:memory [-- CASE...] [--write]`: bytes an item in Redraft and in redis-server, side by side.
 * With `--write` the table in docs/MEMORY.md is renewed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ErrorReply } from '../engine/index.js';
import { RespClient } from '../src/resp/client.js';
import { type MemoryCase, memoryCases } from './memory-cases.js';
import type { RedraftMemory } from './memory-redraft.js';

const PIPELINED = 1000;
const page = fileURLToPath(new URL('../../docs/MEMORY.md', import.meta.url));
const tableBegin = '<!-- table: npm run bench:memory -- --write -->';
const tableEnd = '<!-- end of table -->';

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A redis-server of its own, filled and measured case by case. */
class Redis {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<Redis> {
    const port = await freePort();
    const directory = mkdtempSync(join(tmpdir(), 'redraft-memory-'));
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', [...options, '--dir', directory], { stdio: 'ignore' });
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    const redis = new Redis(child, directory, port);
    for (let attempt = 0; attempt < 200; attempt++) {
      if (failure !== undefined) throw new Error(`redis-server cannot be started: ${failure.message}`);
      try {
        await (await redis.connect()).close();
        return redis;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
    redis.stop();
    throw new Error('redis-server does not answer');
  }

  connect(): Promise<RespClient> {
    return RespClient.connect({ host: '127.0.0.1', port: this.port, replyTimeoutMs: 120_000 });
  }

  /** used_memory, seen from a connection without a backlog. */
  private async usedMemory(): Promise<number> {
    const client = await this.connect();
    const info = await client.call('INFO', 'memory');
    await client.close();
    return Number(/^used_memory:(\d+)/m.exec(`${info}`)?.[1]);
  }

  /** How many bytes used_memory grows by the case. */
  async measure(one: MemoryCase): Promise<number> {
    const client = await this.connect();
    await client.call('FLUSHALL');
    const before = await this.usedMemory();
    for (let i = 0; i < one.commandCount; i += PIPELINED) {
      const calls = [];
      for (let at = i; at < Math.min(i + PIPELINED, one.commandCount); at++)
        calls.push(client.call(...one.command(at)));
      for (const reply of await Promise.all(calls))
        if (reply instanceof ErrorReply) throw new Error(`redis-server: ${reply.text}`);
    }
    await client.close();
    // The main dictionary may still move from its old table to the new one: it does so ten times a second.
    let used = await this.usedMemory();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = await this.usedMemory();
      if (Math.abs(now - used) < 100_000) return now - before;
      used = now;
    }
  }

  stop(): void {
    this.child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function measureRedraft(name: string): RedraftMemory {
  const script = fileURLToPath(new URL('memory-redraft.js', import.meta.url));
  const output = execFileSync(process.execPath, ['--expose-gc', script, name], { encoding: 'utf8' });
  return JSON.parse(output) as RedraftMemory;
}

const head = [
  '| What | Redis, B | Redraft, B | ratio | aim | accounted, B | resident, B |',
  '|---|---:|---:|---:|---:|---:|---:|',
];

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  const names = words.filter((word) => !word.startsWith('--'));
  const unknown = names.find((name) => !memoryCases.some((one) => one.name === name));
  if (unknown !== undefined || words.some((word) => word.startsWith('--') && word !== '--write')) {
    console.error(
      `usage: bench:memory [--write] [CASE...]; cases: ${memoryCases.map((one) => one.name).join(' ')}`,
    );
    return 2;
  }
  const version = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  const redis = await Redis.start();
  const lines = [...head];
  console.log(head.join('\n'));
  let missed = 0;
  try {
    for (const one of memoryCases) {
      if (names.length > 0 && !names.includes(one.name)) continue;
      const theirs = await redis.measure(one);
      const ours = measureRedraft(one.name);
      const perItem = (bytes: number): string => (bytes / one.items).toFixed(1);
      const ratio = ours.allocated / theirs;
      if (ratio > one.aim) missed++;
      const figures = [perItem(theirs), perItem(ours.allocated), ratio.toFixed(2), `${one.aim}`];
      const line = `| ${[one.title, ...figures, perItem(ours.accounted), perItem(ours.resident)].join(' | ')} |`;
      lines.push(line);
      console.log(line);
    }
  } finally {
    redis.stop();
  }
  const setting = `redis-server ${version} (jemalloc), Node ${process.version}, ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}.`;
  console.log(`\n${setting}`);
  if (words.includes('--write')) {
    const text = readFileSync(page, 'utf8');
    const from = text.indexOf(tableBegin) + tableBegin.length;
    const to = text.indexOf(tableEnd);
    writeFileSync(page, `${text.slice(0, from)}\n\n${lines.join('\n')}\n\n${setting}\n\n${text.slice(to)}`);
  }
  return missed === 0 ? 0 : 1;
}

process.exitCode = await main();
