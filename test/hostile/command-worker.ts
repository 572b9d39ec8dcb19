/** Calls all commands of the table, with arguments near their limits, on an engine of this thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Argument, parseSyntax } from '../../engine/command/syntax.js';
import { engineCommands } from '../../engine/commands/index.js';
import { Engine } from '../../engine/index.js';
import { viewBytes } from '../../engine/protocol/reply.js';
import { encodeReply } from '../../src/resp/reply-writer.js';
import { Random } from '../sim/random.js';
import type { CommandFault, WorkerOptions } from './commands.js';

type Arg = string | Buffer;

const { seed, seconds, giantBytes, shared } = workerData as WorkerOptions;
const random = new Random(seed);
const deadline = Date.now() + seconds * 1000;
const ENCODED_BYTES_MAX = 64 << 20;
const CALLS_PER_ENGINE = 400;

const integers = [
  ...['0', '1', '-1', '2', '7', '10', '64', '4294967295', '4294967296', '4294967297', '-4294967296'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '9007199254740991', '9007199254740993'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
  ...['4611686018427387904', '-4611686018427387904', '18446744073709551615', '536870911', '536870888'],
  ...[
    '4294967231',
    '-1048576',
    '-1048577',
    '16777216',
    '-16777216',
    '1000000',
    '#4294967295',
    '9'.repeat(400),
  ],
];
const doubles = ['0', '-0', '1.5', 'inf', '-inf', 'nan', '1e308', '-1e308', '5e-324', '1e-400', '0x10', '(1'];
const places = ['13.361389', '85.05112878', '-180', '180', '0', '20037508', '1e9'];
const texts = [
  '',
  'a',
  'm1',
  '1',
  '-',
  '+',
  '*',
  '$',
  '>',
  '[a',
  '(a',
  '0-1',
  '18446744073709551615-18446744073709551615',
  'u8',
  'i64',
  'u63',
];
const patterns = ['*', 'k*', '[', '[^', '\\', '*a*a*a*b', 'w_*->f', '#', 'nosort', `${'a*'.repeat(200)}b`];
const keys = [
  's',
  'n',
  'big',
  'l',
  'bl',
  'h',
  'bh',
  'set',
  'ints',
  'z',
  'bz',
  'x',
  'g',
  'hll',
  'none',
  'out',
];

/** In latin1 a text of sharp s: in upper case it is twice as long. */
const giant = Buffer.alloc(giantBytes, 0xdf);
const starred = Buffer.concat([Buffer.alloc(20e6, 0x70), Buffer.from('*')]);
const medium = Buffer.alloc(100_000, 0x61);

function rare(): Arg {
  if (random.chance(0.1)) return giant.subarray(0, Math.ceil(giantBytes * random.next()));
  return random.chance(0.2) ? starred : medium;
}

function value({ type, name }: Argument): Arg {
  if (random.chance(0.02)) return rare();
  if (random.chance(0.04)) return random.pick(texts);
  switch (type) {
    case 'key':
      return random.pick(keys);
    case 'integer':
    case 'unix-time':
      return random.pick(integers);
    case 'double':
      return random.pick(/long|lat|radius|width|height/.test(name) ? places : doubles);
    case 'pattern':
      return random.chance(0.1) ? starred : random.pick(patterns);
    default:
      return random.chance(0.3) ? random.pick(integers) : random.pick(texts);
  }
}

function fill(argument: Argument, into: Arg[]): void {
  if (argument.optional === true && random.chance(0.6)) return;
  const times = argument.multiple === true ? 1 + random.below(3) : 1;
  for (let i = 0; i < times; i++) {
    if (argument.token !== undefined && (i === 0 || argument.multipleToken === true)) {
      into.push(random.chance(0.001) ? giant : argument.token);
    }
    const members = argument.arguments ?? [];
    if (argument.type === 'oneof') fill(random.pick(members), into);
    else if (argument.type === 'block') for (const member of members) fill(member, into);
    else if (argument.type !== 'pure-token') {
      // What counts the keys behind it is mostly right.
      into.push(
        argument.name === 'numkeys' && random.chance(0.8) ? `${1 + random.below(3)}` : value(argument),
      );
    }
  }
}

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
const rows = engineCommands
  .flatMap((row) => (row.kind === 'container' ? row.subcommands : [row]))
  .filter(({ kind }) => kind === 'read' || kind === 'write');
const beat = new Int32Array(shared.beat);
const text = Buffer.from(shared.text);
let calls = 0;
let slowest = { call: '', ms: 0 };
let engine = populated(faults);
// However short the time, each command is called.
while ((Date.now() < deadline || calls < rows.length) && faults.length < 20) {
  const row = calls < rows.length ? rows[calls]! : random.pick(rows);
  const args: Arg[] = row.name.split('|').map((word) => word.toUpperCase());
  for (const argument of parseSyntax(row.syntax ?? '')) fill(argument, args);
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
parentPort!.postMessage({ calls, commands: called.size, commandsInTable: rows.length, slowest, faults });
