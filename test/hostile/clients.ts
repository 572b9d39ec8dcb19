/**
 * Clients that mean harm: random bytes, half requests, abuse of the protocol, floods of connections, requests
 * that drip.
 */
import net from 'node:net';
import { type Attack, bytesOf, mutated, say, whenClosed } from './peers.js';

const request = (...args: string[]): Buffer =>
  Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`);

const sound: readonly Buffer[] = [
  request('PING'),
  request('GET', 'honest1'),
  request('CLIENT', 'LIST'),
  request('COMMAND', 'COUNT'),
  request('HELLO', '3'),
  request('MULTI'),
  request('GET', 'a'),
  request('EXEC'),
  request('WATCH', 'a'),
  request('SUBSCRIBE', 'c'),
  request('RESET'),
  request('INFO'),
  request('AUTH', 'x', 'y'),
  request('DEBUG', 'SLEEP', '1'),
  request('CONFIG', 'GET', '*'),
  request('OBJECT', 'HELP'),
  request('BLPOP', 'hostile-nothing', '0.01'),
];

const abuses: readonly string[] = [
  '*4294967296\r\n',
  '*-2\r\n',
  '*1\r\n$-5\r\n',
  '*1\r\n$99999999999999999999\r\n',
  '*1048577\r\n',
  '$5\r\nhello\r\n',
  '*1\r\n*1\r\n*1\r\n',
  '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$536870912\r\n',
  '\0'.repeat(1000),
  'GET "unbalanced\r\n',
  `${'x'.repeat(70_000)}\r\n`,
  'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
  '*2\r\n$9\r\n__proto__\r\n$11\r\nconstructor\r\n',
  '\r\n'.repeat(1000),
];

const randomBytes: Attack = async (_target, port, random) => {
  await say(port, [bytesOf(random, 1 + random.below(4000))], 20);
};

const abuse: Attack = async (_target, port, random) => {
  await say(port, [random.pick(sound), Buffer.from(random.pick(abuses), 'latin1'), random.pick(sound)], 20);
};

const mutatedRequests: Attack = async (_target, port, random) => {
  const pieces = Array.from({ length: 1 + random.below(10) }, () => mutated(random.pick(sound), random));
  await say(port, pieces, 20);
};

const halfRequest: Attack = async (_target, port, random) => {
  const whole = random.pick(sound);
  await say(port, [whole.subarray(0, random.below(whole.length))], 20);
};

/** Many at once, that come and go. */
const flood: Attack = async (_target, port, random) => {
  const sockets = Array.from({ length: 100 }, () => net.connect({ host: '127.0.0.1', port }));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write(random.pick(sound));
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all(
    sockets.map((socket) => {
      const closed = whenClosed(socket);
      if (random.chance(0.5)) socket.resetAndDestroy();
      else socket.destroy();
      return closed;
    }),
  );
};

/** Byte by byte. */
const drip: Attack = async (_target, port, random) => {
  const pieces = [...Buffer.concat([random.pick(sound), random.pick(sound)])].map((byte) => Buffer.of(byte));
  await say(port, pieces, 20);
};

/** Asks for much and reads nothing. */
const deaf: Attack = async (_target, port) => {
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.pause();
  socket.write(Buffer.concat(Array(200).fill(request('INFO'))));
  await new Promise((resolve) => setTimeout(resolve, 30));
  const closed = whenClosed(socket);
  socket.destroy();
  await closed;
};

export const hostileClients: Readonly<Record<string, Attack>> = {
  randomBytes,
  abuse,
  mutatedRequests,
  halfRequest,
  flood,
  drip,
  deaf,
};
