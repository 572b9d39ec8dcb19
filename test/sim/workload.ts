/**
 * What clients do: operations on registers, counters, lists, sets, queues, expiring keys, alone, in
 * pipelines and in transactions.
 */
import type { Random } from './random.js';

export interface ClientOperation {
  readonly client: number;
  /** Pause before it. */
  readonly thinkMs: number;
  /**
   * One command; several at once without waiting; MULTI ... EXEC; WATCH and GET of a key, then MULTI ...
   * EXEC; a write of a key that expires, or a look at one.
   */
  readonly kind: 'command' | 'pipeline' | 'transaction' | 'watch' | 'expire' | 'look';
  readonly commands: readonly (readonly string[])[];
}

/** All clients' operations, each client's in order. Written values are unique. */
export function drawOperations(random: Random, clients: number, stormMs: number): ClientOperation[] {
  const operations: ClientOperation[] = [];
  const thinkMs = random.pick([10, 25, 60]);
  const perClient = Math.min(160, Math.ceil(stormMs / (thinkMs + 8)));
  const keys = random.pick([1, 2, 3]);
  const kinds = {
    command: 10,
    pipeline: random.pick([0, 2]),
    transaction: random.pick([0, 1]),
    watch: random.pick([0, 1]),
    expire: random.pick([0, 1]),
    look: 0,
  };
  kinds.look = kinds.expire * 3;
  let value = 0;
  let expiring = 0;
  for (let client = 0; client < clients; client++) {
    // Who only reads stays with a leader that others have left long ago.
    const isReader = client > 0 && random.chance(0.3);
    for (let i = 0; i < perClient; i++) {
      const kind = isReader ? 'command' : random.weighted(kinds);
      const next = (): string => `v${++value}`;
      const commands: string[][] = [];
      if (isReader) commands.push(drawRead(random, keys));
      else if (kind === 'command') commands.push(drawCommand(random, keys, next, true));
      else if (kind === 'pipeline') {
        const count = 2 + random.below(4);
        for (let j = 0; j < count; j++) commands.push(drawCommand(random, keys, next, random.chance(0.1)));
      } else if (kind === 'transaction') {
        const count = 2 + random.below(2);
        const isReading = random.chance(0.3);
        for (let j = 0; j < count; j++) {
          const key = `t${random.below(3)}`;
          if (isReading) commands.push(['GET', key]);
          else
            commands.push(
              random.pick([
                ['GET', key],
                ['SET', key, next()],
                ['APPEND', key, 'x'],
                ['GETSET', key, next()],
              ]),
            );
        }
      } else if (kind === 'watch') {
        commands.push(['SET', `r${random.below(keys)}`, next()]);
      } else if (kind === 'expire') {
        const px = Math.floor(random.pick([random.between(20, 200), random.between(100, 3000), 60_000]));
        commands.push(['SET', `e${expiring++}`, next(), 'PX', `${px}`]);
      } else {
        if (expiring === 0) continue;
        const key = `e${Math.max(0, expiring - 1 - random.below(4))}`;
        commands.push(['GET', key], ['PTTL', key]);
      }
      operations.push({ client, thinkMs: random.exponential(thinkMs), kind, commands });
    }
  }
  return operations;
}

/**
 * Makes a few of the values large: of registers, which are written anew, and of queues, which are emptied.
 */
export function withLargeValues(
  random: Random,
  operations: readonly ClientOperation[],
  bytes: number,
): ClientOperation[] {
  // Copies of it lie on all disks: a run must stay short.
  let left = bytes > 1_000_000 ? 1 : 1 + random.below(3);
  return operations.map((operation) => {
    const [command] = operation.commands;
    const isFit = operation.kind === 'command' && /^(SET|GETSET|SETNX|RPUSH) [rq]/.test(command!.join(' '));
    if (!isFit || left === 0 || !random.chance(0.03)) return operation;
    left--;
    const size = Math.floor(random.between(bytes / 4, bytes));
    return { ...operation, commands: [[...command!.slice(0, -1), `${command!.at(-1)}*${size}`]] };
  });
}

function drawRead(random: Random, keys: number): string[] {
  const key = random.below(keys);
  return random.pick([
    ['GET', `r${key}`],
    ['GET', `c${key}`],
    ['LRANGE', `l${key}`, '0', '-1'],
    ['SMEMBERS', `s${key}`],
    ['LLEN', `q${key}`],
    ['XRANGE', `x${key}`, '-', '+'],
  ]);
}

/**
 * A job queue: entries are given to whichever consumer asks, acknowledged or not, and claimed by others.
 */
function drawStream(random: Random, name: string, next: () => string, mayBlock: boolean): string[] {
  const consumer = random.pick(['a', 'b']);
  const block = mayBlock && random.chance(0.4) ? ['BLOCK', random.pick(['50', '300', '1000'])] : [];
  return random.pick([
    ['XADD', name, '1-*', 'v', next()],
    ['XADD', name, '1-*', 'v', next()],
    ['XADD', name, '1-*', 'v', next()],
    ['XGROUP', 'CREATE', name, 'g', '0', 'MKSTREAM'],
    ['XREADGROUP', 'GROUP', 'g', consumer, ...block, 'COUNT', '1', 'STREAMS', name, '>'],
    ['XREADGROUP', 'GROUP', 'g', consumer, ...block, 'COUNT', '1', 'STREAMS', name, '>'],
    ['XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', '1', 'STREAMS', name, '>'],
    ['XACK', name, 'g', `1-${random.below(12)}`],
    ['XAUTOCLAIM', name, 'g', consumer, '0', '0', 'COUNT', '1', 'JUSTID'],
    ['XLEN', name],
  ]);
}

function drawCommand(random: Random, keys: number, next: () => string, mayBlock: boolean): string[] {
  const key = random.below(keys);
  switch (random.weighted({ register: 6, counter: 4, list: 3, set: 4, queue: 4, stream: 5 })) {
    case 'register': {
      const name = `r${key}`;
      return random.pick([
        ['GET', name],
        ['GET', name],
        ['SET', name, next()],
        ['GETSET', name, next()],
        ['GETDEL', name],
        ['SETNX', name, next()],
      ]);
    }
    case 'counter':
      return random.pick([
        ['INCR', `c${key}`],
        ['INCR', `c${key}`],
        ['INCRBY', `c${key}`, '5'],
        ['GET', `c${key}`],
      ]);
    case 'list':
      return random.pick([
        ['RPUSH', `l${key}`, next()],
        ['RPUSH', `l${key}`, next()],
        ['LRANGE', `l${key}`, '0', '-1'],
      ]);
    case 'set':
      return random.pick([
        ['SADD', `s${key}`, next(), next(), next()],
        ['SPOP', `s${key}`],
        ['SMEMBERS', `s${key}`],
        ['SCARD', `s${key}`],
      ]);
    case 'stream':
      return drawStream(random, `x${key}`, next, mayBlock);
    default:
      return random.pick([
        ['RPUSH', `q${key}`, next()],
        ['RPUSH', `q${key}`, next()],
        mayBlock ? ['BLPOP', `q${key}`, random.pick(['0.05', '0.3', '1', '60'])] : ['LPOP', `q${key}`],
        ['LPOP', `q${key}`],
        ['LLEN', `q${key}`],
      ]);
  }
}
