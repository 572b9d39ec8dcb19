/** What a process costs besides its throughput: its start, its recovery, its memory. */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { load, PipelinedClient, padded } from './pipelined-client.js';
import { freePort, hasRedis, type RunningServer, residentBytes, startServer } from './servers.js';
import { median, table } from './statistics.js';

const value = 'v'.repeat(16);

/** Sets keys of 16 bytes to values of 16 bytes. */
export async function fillKeys(port: number, count: number): Promise<void> {
  await load(port, count, (i) => ['SET', `key:${padded(i)}`, value]);
}

// ---- start ----

/** From the start of a bare Node process to the first connection that it accepts, in milliseconds. */
async function bareNodeStartMs(): Promise<number> {
  const port = await freePort();
  const program = `require('net').createServer(s => s.on('error', () => {})).listen(${port}, '127.0.0.1')`;
  const began = performance.now();
  const child = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
  while (!(await accepts(port)));
  const took = performance.now() - began;
  child.kill('SIGKILL');
  return took;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => setTimeout(() => resolve(false), 1));
  });
}

export interface StartTimes {
  readonly bareNodeMs: number;
  readonly memoryMs: number;
  readonly durableMs: number;
  readonly redisMs: number | undefined;
}

export async function measureStart(rounds: number): Promise<StartTimes> {
  const times = {
    bare: [] as number[],
    memory: [] as number[],
    durable: [] as number[],
    redis: [] as number[],
  };
  const started = async (into: number[], starting: Promise<RunningServer>): Promise<void> => {
    const server = await starting;
    into.push(server.startMs);
    await server.stop();
  };
  const redis = hasRedis();
  for (let round = 0; round < rounds; round++) {
    times.bare.push(await bareNodeStartMs());
    await started(times.memory, startServer('redraft', 'memory'));
    await started(times.durable, startServer('redraft', 'durable'));
    if (redis) await started(times.redis, startServer('redis', 'memory'));
  }
  return {
    bareNodeMs: median(times.bare),
    memoryMs: median(times.memory),
    durableMs: median(times.durable),
    redisMs: redis ? median(times.redis) : undefined,
  };
}

export function startTable(times: StartTimes): string {
  const more = (ms: number): string[] => [ms.toFixed(0), (ms - times.bareNodeMs).toFixed(0)];
  const rows = [
    ['from process start to', 'ms', 'more than bare Node'],
    ['bare Node listens', ...more(times.bareNodeMs)],
    ['first reply, --backend memory', ...more(times.memoryMs)],
    ['first reply, empty --dir', ...more(times.durableMs)],
  ];
  if (times.redisMs !== undefined) rows.push(['first reply, redis-server', ...more(times.redisMs)]);
  return table(rows);
}

// ---- recovery ----

export interface Recovery {
  readonly keys: number;
  readonly logMs: number;
  readonly snapshotMs: number;
}

/**
 * Kills a server that holds `keys` keys and starts it again: once from the log alone, once from a snapshot.
 */
export async function measureRecovery(keys: number): Promise<Recovery> {
  const first = await startServer('redraft', 'durable');
  await fillKeys(first.port, keys);
  await first.stop(true);
  const second = await startServer('redraft', 'durable', { directory: first.directory });
  const client = await PipelinedClient.connect(second.port);
  const size = await client.send(['DBSIZE']);
  if (size !== `:${keys}\r\n`) throw new Error(`${keys} keys were written, ${size.trim()} came back`);
  await client.send(['SAVE']);
  client.close();
  await second.stop(true);
  const third = await startServer('redraft', 'durable', { directory: first.directory });
  await third.stop();
  return { keys, logMs: second.startMs, snapshotMs: third.startMs };
}

export function recoveryTable(recoveries: readonly Recovery[]): string {
  return table([
    ['keys', 'from the log, ms', 'from a snapshot, ms', 'log, ms per 1M keys'],
    ...recoveries.map(({ keys, logMs, snapshotMs }) => [
      `${keys}`,
      logMs.toFixed(0),
      snapshotMs.toFixed(0),
      (logMs / (keys / 1e6)).toFixed(0),
    ]),
  ]);
}

// ---- memory ----

export interface MemoryPerKey {
  readonly server: string;
  readonly usedBytes: number;
  readonly residentBytes: number;
}

/**
 * Bytes that a key of 16 bytes with a value of 16 bytes costs: by the server's own account, and in resident
 * memory.
 */
export async function measureMemory(keys: number): Promise<MemoryPerKey[]> {
  const results: MemoryPerKey[] = [];
  for (const name of hasRedis() ? (['redraft', 'redis'] as const) : (['redraft'] as const)) {
    const server = await startServer(name, 'memory');
    const before = { used: await usedMemory(server.port), resident: residentBytes(server.pid) };
    await fillKeys(server.port, keys);
    results.push({
      server: name,
      usedBytes: ((await usedMemory(server.port)) - before.used) / keys,
      residentBytes: (residentBytes(server.pid) - before.resident) / keys,
    });
    await server.stop();
  }
  return results;
}

async function usedMemory(port: number): Promise<number> {
  const client = await PipelinedClient.connect(port);
  const text = await client.send(['INFO', 'memory']);
  client.close();
  return Number(/used_memory:(\d+)/.exec(text)![1]);
}

export function memoryTable(results: readonly MemoryPerKey[]): string {
  return table([
    ['server', 'used_memory a key', 'resident a key'],
    ...results.map((result) => [result.server, result.usedBytes.toFixed(1), result.residentBytes.toFixed(1)]),
  ]);
}
