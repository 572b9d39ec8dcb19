/**
 * The longest time for which the event loop stands still while a snapshot of a full keyspace is written under
 * load.
 *
 * Run by itself (`npm run bench:snapshot`), it prints the figures; `--keys N` sets the size of the keyspace.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { Redraft } from '../src/index.js';
import { fillKeys } from './lifecycle.js';
import { table } from './statistics.js';

export interface SnapshotPause {
  readonly keys: number;
  readonly snapshotMs: number;
  /** Pauses of the loop, in milliseconds: the longest and the 99.9th percentile. */
  readonly before: { readonly longest: number; readonly p999: number };
  readonly during: { readonly longest: number; readonly p999: number };
}

/** Watches the loop every millisecond until `work` is done. */
async function pausesDuring(work: Promise<unknown>): Promise<{ longest: number; p999: number }> {
  const monitor = monitorEventLoopDelay({ resolution: 1 });
  monitor.enable();
  await work;
  monitor.disable();
  return { longest: monitor.max / 1e6, p999: monitor.percentile(99.9) / 1e6 };
}

export async function measureSnapshotPause(keys: number): Promise<SnapshotPause> {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-bench-'));
  const redraft = await Redraft.start({ dir, snapshotLogBytes: 2 ** 36 });
  try {
    await fillKeys(redraft.port, keys);
    const args = [
      '-p',
      `${redraft.port}`,
      '-t',
      'set',
      '-n',
      '1000000000',
      '-r',
      `${keys}`,
      '-d',
      '16',
      '-P',
      '4',
      '-q',
    ];
    const load = spawn('redis-benchmark', args, { stdio: 'ignore' });
    try {
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
      await sleep(1000);
      const before = await pausesDuring(sleep(2000));
      const began = performance.now();
      const during = await pausesDuring(redraft.server.takeSnapshot());
      return { keys, snapshotMs: performance.now() - began, before, during };
    } finally {
      load.kill('SIGKILL');
    }
  } finally {
    await redraft.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export function snapshotPauseTable({ keys, snapshotMs, before, during }: SnapshotPause): string {
  return table([
    [`${keys} keys, SETs without end`, 'longest pause ms', 'p99.9 ms'],
    ['without a snapshot', before.longest.toFixed(1), before.p999.toFixed(1)],
    [`during one (${snapshotMs.toFixed(0)} ms)`, during.longest.toFixed(1), during.p999.toFixed(1)],
  ]);
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({ options: { keys: { type: 'string', default: '1000000' } } });
  console.log(snapshotPauseTable(await measureSnapshotPause(Number(values.keys))));
}
