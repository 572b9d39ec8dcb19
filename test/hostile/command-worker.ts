/** Calls all commands of the table, with arguments near their limits, on an engine of this thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { Engine } from '../../engine/index.js';
import { viewBytes } from '../../engine/protocol/reply.js';
import { encodeReply } from '../../src/resp/reply-writer.js';
import { Random } from '../sim/random.js';
import { type Arg, CommandWriter, commandRows } from './command-writer.js';
import type { CommandFault, WorkerOptions } from './commands.js';

const { seed, seconds, giantBytes, shared } = workerData as WorkerOptions;
const random = new Random(seed);
const deadline = Date.now() + seconds * 1000;
const ENCODED_BYTES_MAX = 64 << 20;
const CALLS_PER_ENGINE = 400;
const writer = new CommandWriter(random, { giantBytes, patternBytes: 20e6, manyArguments: 300_000 });
const { giant, medium } = writer;

function populated(faults: CommandFault[]): Engine {
  const engine = new Engine({
    seed: random.bits(),
    clock: () => Date.now(),
    onContained: (_command, error) => faults.push({ call: current, error: String((error as Error).stack) }),
  });
  const many = (count: number, each: (i: number) => string[]): string[] =>
    Array.from({ length: count }, (_, i) => each(i)).flat();
  engine.call('SET', 's', 'hello');
  engine.call('SET', 'n', '9223372036854775806');
  engine.call('RPUSH', 'l', ...many(3000, (i) => [`${i}`]));
  engine.call('HSET', 'h', ...many(2000, (i) => [`f${i}`, `${i}`]));
  engine.call('SADD', 'set', ...many(2000, (i) => [`m${i}`]));
  engine.call('SADD', 'ints', ...many(300, (i) => [`${i}`]));
  engine.call('ZADD', 'z', ...many(2000, (i) => [`${i}`, `m${i}`]));
  engine.call('GEOADD', 'g', ...many(500, (i) => [`${i / 3}`, `${i / 10}`, `m${i}`]));
  engine.call('PFADD', 'hll', ...many(500, (i) => [`m${i}`]));
  for (let i = 1; i < 200; i++) engine.call('XADD', 'x', `${i}-1`, 'f', `${i}`);
  // The first keyspace is quickly made: a short run has time for calls.
  const isLarge = calls > 0 && random.chance(0.15);
  engine.call('SETRANGE', 'big', isLarge ? 512 * 1024 * 1024 - 25 : 20e6, 'x');
  const element = giant.subarray(0, isLarge ? giantBytes : 2e6);
  engine.call('RPUSH', 'bl', 'a', element, 'b');
  engine.call('HSET', 'bh', 'f', element, medium, '1');
  engine.call('ZADD', 'bz', 1, element.subarray(0, 30e6), 2, 'b');
  return engine;
}

let current = '';

function shown(args: readonly Arg[]): string {
  return args
    .map((arg) =>
      arg.length <= 60 ? arg.toString() || "''" : `<${arg.length} bytes ${arg.slice(0, 8).toString()}>`,
    )
    .join(' ');
}

const faults: CommandFault[] = [];
const called = new Set<string>();
const beat = new Int32Array(shared.beat);
const text = Buffer.from(shared.text);
let calls = 0;
let slowest = { call: '', ms: 0 };
let engine = populated(faults);
// However short the time, each command is called.
while ((Date.now() < deadline || calls < commandRows.length) && faults.length < 20) {
  const row = calls < commandRows.length ? commandRows[calls]! : random.pick(commandRows);
  const args = writer.draw(row);
  current = shown(args);
  text.fill(0);
  text.write(current);
  Atomics.add(beat, 0, 1);
  const beganMs = performance.now();
  try {
    const reply = engine.callRaw(0, args);
    if (viewBytes(reply) < ENCODED_BYTES_MAX) encodeReply(reply, random.chance(0.5) ? 2 : 3);
  } catch (error) {
    faults.push({ call: current, error: String((error as Error).stack) });
    engine = populated(faults);
  }
  const ms = performance.now() - beganMs;
  if (ms > slowest.ms) slowest = { call: current, ms: Math.round(ms) };
  called.add(row.name);
  calls++;
  if (calls % CALLS_PER_ENGINE === 0) engine = populated(faults);
}
parentPort!.postMessage({
  calls,
  commands: called.size,
  commandsInTable: commandRows.length,
  slowest,
  faults,
});
