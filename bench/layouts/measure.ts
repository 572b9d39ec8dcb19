/**
 * The process in which one layout is measured: `measure.js a|b|c KEYS`, run with --expose-gc. Prints its
 * figures as JSON, then serves.
 */
import { createServer } from 'node:net';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Layout } from './layout.js';
import { slab } from './slab.js';
import { stringColumns } from './string-columns.js';
import { stringMap } from './string-map.js';

export interface LayoutFigures {
  readonly name: string;
  readonly bytesPerKey: number;
  readonly setNewNs: number;
  readonly setNs: number;
  readonly getNs: number;
  /** The longest of the calls that filled it, in milliseconds; with the collections that fell into it. */
  readonly longestCallMs: number;
  readonly longestGcMs: number;
  readonly totalGcMs: number;
}

const layouts: Readonly<Record<string, () => Layout>> = { a: stringMap, b: stringColumns, c: slab };
const CALLS = 2_000_000;

function usedBytes(): number {
  global.gc!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function measure(layout: Layout, keys: number): Promise<LayoutFigures> {
  const pauses: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) pauses.push(duration);
  });
  const before = usedBytes();
  observer.observe({ entryTypes: ['gc'] });
  let longestCallMs = 0;
  const began = performance.now();
  let last = began;
  for (let i = 0; i < keys; i++) {
    layout.set(i);
    const now = performance.now();
    if (now - last > longestCallMs) longestCallMs = now - last;
    last = now;
    // Collections are reported between turns.
    if (i % 100_000 === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      last = performance.now();
    }
  }
  const filledMs = performance.now() - began;
  await new Promise((resolve) => setTimeout(resolve, 20));
  observer.disconnect();
  const bytesPerKey = (usedBytes() - before) / keys;
  // A stride that is prime to the size visits keys in no order that the memory's helps.
  const time = (call: (i: number) => void): number => {
    const from = performance.now();
    for (let n = 0, i = 0; n < CALLS; n++) {
      call(i);
      i = (i + 611_953) % keys;
    }
    return ((performance.now() - from) * 1e6) / CALLS;
  };
  time(layout.get);
  return {
    name: layout.name,
    bytesPerKey,
    setNewNs: (filledMs * 1e6) / keys,
    setNs: time(layout.set),
    getNs: time(layout.get),
    longestCallMs,
    longestGcMs: Math.max(0, ...pauses),
    totalGcMs: pauses.reduce((sum, pause) => sum + pause, 0),
  };
}

const [which, keys] = process.argv.slice(2);
const layout = layouts[which]();
const figures = await measure(layout, Number(keys));
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.on(
    'data',
    layout.connection((reply) => socket.write(reply)),
  );
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number };
  process.stdout.write(`${JSON.stringify({ figures, port })}\n`);
});
