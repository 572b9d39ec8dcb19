/**
 * Fills an engine in this process with one case of the memory benchmark and prints what it took, as JSON. A
 * process of its own for each case (`node --expose-gc`), so that nothing of an earlier one counts.
 */
import { Engine } from '../engine/index.js';
import { memoryCases } from './memory-cases.js';

/** Growth in bytes since the engine was made. */
export interface RedraftMemory {
  /** By the engine's own accounting: what maxmemory and used_memory go by. */
  readonly accounted: number;
  /** By V8's: heap, and buffers outside it. */
  readonly allocated: number;
  readonly resident: number;
}

declare const gc: () => void;

function measure(): { allocated: number; resident: number } {
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { allocated: heapUsed + external, resident: rss };
}

const chosen = memoryCases.find(({ name }) => name === process.argv[2]);
if (chosen === undefined) throw new Error(`unknown case: ${process.argv[2]}`);
const engine = new Engine({ clock: () => Date.now() });
// Code that is compiled on first use is no part of the data.
for (let i = 0; i < chosen.commandCount / 1000; i++) engine.callRaw(0, chosen.command(i));
engine.call('FLUSHALL');
while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(1_000_000);
const { slab } = engine.keyspace;
const accounted = (): number => slab.usedBytes + slab.trackedBytes;
const accountedBefore = accounted();
const before = measure();
for (let i = 0; i < chosen.commandCount; i++) engine.callRaw(0, chosen.command(i));
const after = measure();
// What is asked for later cannot be collected now.
if (engine.call('DBSIZE') === 0) throw new Error('nothing was stored');
const result: RedraftMemory = {
  accounted: accounted() - accountedBefore,
  allocated: after.allocated - before.allocated,
  resident: after.resident - before.resident,
};
process.stdout.write(JSON.stringify(result));
