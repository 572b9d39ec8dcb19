/**
 * A client that sends commands with arguments near their limits to a node of a cluster, in a database of its
 * own.
 */
import net from 'node:net';
import { encodeRequest } from '../../src/resp/encode-request.js';
import type { Random } from '../sim/random.js';
import { CommandWriter, commandRows } from './command-writer.js';
import { type Attack, whenClosed } from './peers.js';

/** Where it does no harm to what others have. */
const DATABASE = '7';
const COMMANDS = 8;
/** Longest that it waits: what blocks, and what was not answered, is left behind. */
const PATIENCE_MS = 3000;
/**
 * A tenth of a second's work, not ten seconds': what one command may take of a node is measured by the fuzz
 * of commands alone.
 */
const sizes = { giantBytes: 1e6, patternBytes: 50_000, manyArguments: 5000 };

/** What would touch other clients' keys. */
const rows = commandRows.filter(({ name }) => !['flushall', 'swapdb'].includes(name));

const populated: readonly string[][] = [
  ['SET', 's', 'hello'],
  ['SET', 'n', '9223372036854775806'],
  ['SETRANGE', 'big', '1000000', 'x'],
  ['RPUSH', 'l', ...Array.from({ length: 500 }, (_, i) => `${i}`)],
  ['HSET', 'h', ...Array.from({ length: 500 }, (_, i) => `${i}`)],
  ['SADD', 'set', ...Array.from({ length: 500 }, (_, i) => `m${i}`)],
  ['ZADD', 'z', ...Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? `${i}` : `m${i}`))],
  ['XADD', 'x', '*', 'f', 'v'],
];

const writers = new WeakMap<Random, CommandWriter>();

export const limitCommands: Attack = async (_target, port, random) => {
  let writer = writers.get(random);
  if (writer === undefined) {
    writer = new CommandWriter(random, sizes);
    writers.set(random, writer);
  }
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  let heard = '';
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      heard = (heard + chunk.latin1Slice(Math.max(0, chunk.length - 64))).slice(-64);
      if (heard.includes('end of it')) resolve();
    });
  });
  const closed = whenClosed(socket);
  socket.write(encodeRequest(['SELECT', DATABASE]));
  if (random.chance(0.3)) socket.write(encodeRequest(['FLUSHDB']));
  for (const command of populated) socket.write(encodeRequest(command));
  for (let i = 0; i < COMMANDS; i++) socket.write(encodeRequest(writer.draw(random.pick(rows))));
  socket.write(encodeRequest(['ECHO', 'end of it']));
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
  await Promise.race([answered, closed]);
  clearTimeout(timer);
  socket.destroy();
  await closed;
};
