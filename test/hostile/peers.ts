/**
 * Peers that mean harm: they greet, replay, mutate, truncate and lie. A stranger does not know the secret; an
 * insider does, but its id belongs to no member (whoever speaks as a member is believed as one: see
 * docs/SECURITY.md).
 */
import { createHmac } from 'node:crypto';
import net from 'node:net';
import type { Message } from '../../raft/index.js';
import { encodeMessages, encodeValue } from '../../raft/node/peer/peer-codec.js';
import { dialPeer, type PeerPurpose } from '../../raft/node/peer/peer-handshake.js';
import { frameKind } from '../../raft/node/peer/peer-socket.js';
import type { Random } from '../sim/random.js';
import type { Target } from './target.js';

const purposes: readonly PeerPurpose[] = ['messages', 'snapshot', 'exchange', 'client'];
const numbers = [0, 1, 2, 3, 5, 100, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 48, 2 ** 52, Number.MAX_SAFE_INTEGER];

/** One attack, to its end. Rejects only if the node is not there. */
export type Attack = (target: Target, port: number, random: Random) => Promise<void>;

export const bytesOf = (random: Random, length: number): Buffer =>
  Buffer.from(Array.from({ length }, () => random.below(256)));

/** Flips, cuts, doubles or puts in some bytes. */
export function mutated(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let i = random.below(4); i >= 0 && copy.length > 0; i--)
    copy[random.below(copy.length)] = random.below(256);
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, random.below(copy.length + 1));
    case 1:
      return Buffer.concat([copy, bytesOf(random, random.below(64))]);
    case 2:
      return Buffer.concat([copy, copy]);
    default:
      return copy;
  }
}

/** Resolves when a socket is gone, whatever the reason. */
export function whenClosed(socket: net.Socket): Promise<void> {
  if (socket.closed) return Promise.resolve();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Says something and listens until the other side hangs up, or for a moment. */
export async function say(port: number, pieces: readonly Buffer[], listenMs: number): Promise<Buffer> {
  const socket = net.connect({ host: '127.0.0.1', port });
  const heard: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => heard.push(chunk));
  socket.on('error', () => {});
  const closed = whenClosed(socket);
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), closed]);
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const timer = setTimeout(() => socket.destroy(), listenMs);
  await closed;
  clearTimeout(timer);
  return Buffer.concat(heard);
}

function greeting(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
}

function greetingWords(target: Target, random: Random): string[] {
  const { clusterId } = target;
  return [
    'RAFTPEER',
    random.pick(['1', '1', '1', '0', '2', 'x'.repeat(50)]),
    random.pick([clusterId, clusterId, 'f'.repeat(32), '-', 'nonsense']),
    `${random.pick([7, 8, ...numbers])}`,
    `${random.pick([0, 0, 1, ...numbers])}`,
    random.pick([...purposes, 'constructor', '__proto__', '']),
    random.pick(['0'.repeat(32), 'a'.repeat(32), 'zz']),
  ];
}

// ---- without the secret ----

const garbage: Attack = async (_target, port, random) => {
  await say(port, [Buffer.from('*7\r\n$8\r\nRAFTPEER\r\n'), bytesOf(random, random.below(2000))], 50);
};

const halfGreeting: Attack = async (target, port, random) => {
  const whole = greeting(greetingWords(target, random));
  await say(port, [whole.subarray(0, random.below(whole.length))], 50);
};

const mutatedGreeting: Attack = async (target, port, random) => {
  await say(port, [mutated(greeting(greetingWords(target, random)), random)], 50);
};

/** Proves the wrong thing: an empty secret, a proof of another nonce, its own challenge sent back. */
const wrongProof: Attack = async (target, port, random) => {
  const words = ['RAFTPEER', '1', target.clusterId, '7', '0', random.pick(purposes), '0'.repeat(32)];
  const proof = (secret: string, challenge: string): string =>
    createHmac('sha256', secret)
      .update(['redraft peer 1', 'dialer', ...words.slice(2), challenge].join('\n'))
      .digest('hex');
  const frame = Buffer.concat([Buffer.from([255, 255, 255, 255, 1]), bytesOf(random, 100)]);
  const given = random.pick([
    proof('', '0'.repeat(32)),
    proof('guess', 'a'.repeat(32)),
    proof('constructor', '0'.repeat(32)),
    'x'.repeat(64),
    '',
    'y'.repeat(3000),
  ]);
  await say(port, [greeting(words), Buffer.from(`${given}\r\n`), frame], 50);
};

/** What a sound handshake looked like, said again: its proof is of another challenge. */
const replay: Attack = async (target, port) => {
  const words = ['RAFTPEER', '1', target.clusterId, '7', '0', 'messages', '0'.repeat(32)];
  const proof = createHmac('sha256', target.secret)
    .update(['redraft peer 1', 'dialer', ...words.slice(2), '0'.repeat(32)].join('\n'))
    .digest('hex');
  const heard = await say(port, [greeting(words), Buffer.from(`${proof}\r\n`)], 50);
  if (target.secret !== '' && heard.includes('+PEEROK')) throw new Error('a replayed handshake was taken');
};

// ---- with it ----

async function insider(
  target: Target,
  port: number,
  purpose: PeerPurpose,
  random: Random,
  frames: readonly Buffer[],
): Promise<void> {
  let peer: Awaited<ReturnType<typeof dialPeer>>['peer'];
  try {
    ({ peer } = await dialPeer({
      address: `127.0.0.1:${port}`,
      credentials: { secrets: [target.secret] },
      introduction: { clusterId: target.clusterId, from: 2 ** 50 + random.below(1000), to: 0, purpose },
      onFrame: () => {},
      onClose: () => {},
    }));
  } catch {
    return;
  }
  const { socket } = peer;
  socket.resume();
  const closed = whenClosed(socket);
  for (const frame of frames) if (!socket.destroyed) socket.write(frame);
  const timer = setTimeout(() => socket.destroy(), 30);
  await closed;
  clearTimeout(timer);
}

function framed(kind: number, pieces: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(pieces);
  const head = Buffer.alloc(5);
  head.writeUInt32LE(body.length, 0);
  head[4] = kind;
  return Buffer.concat([head, body]);
}

/** A message with a lie in any of its fields. */
function lie(random: Random): Message {
  const number = (): number => random.pick(numbers);
  const flag = (): boolean => random.chance(0.5);
  const entries = Array.from({ length: random.below(3) }, (_, i) => ({
    index: i + 1,
    term: number(),
    kind: random.pick([0, 1, 2] as const),
    payload: bytesOf(random, random.below(40)),
  }));
  const members = [{ id: random.pick([1, 7]), address: 'nowhere:1', learner: flag() }];
  const fields = {
    lastIndex: number(),
    lastTerm: number(),
    granted: flag(),
    transfer: flag(),
    round: number(),
    sentTick: number(),
    previousIndex: number(),
    previousTerm: number(),
    commit: number(),
    index: number(),
    rejected: flag(),
    hintIndex: number(),
    hintTerm: number(),
    context: number(),
    entries,
    snapshot: {
      index: number(),
      term: number(),
      membership: { members: flag() ? members : [], removed: [] },
    },
  };
  const type = random.pick([
    'preVote',
    'preVoteResponse',
    'vote',
    'voteResponse',
    'append',
    'appendResponse',
    'heartbeat',
    'heartbeatResponse',
    'commit',
    'snapshot',
    'timeoutNow',
    'readIndex',
    'readIndexResponse',
  ] as const);
  return { type, from: 7, to: 1, term: number(), ...fields } as unknown as Message;
}

const lies: Attack = (target, port, random) =>
  insider(
    target,
    port,
    'messages',
    random,
    Array.from({ length: 1 + random.below(5) }, () =>
      framed(frameKind.messages, encodeMessages([lie(random)])),
    ),
  );

const mutatedFrames: Attack = (target, port, random) =>
  insider(
    target,
    port,
    random.pick(['messages', 'snapshot', 'exchange']),
    random,
    Array.from({ length: 1 + random.below(5) }, () =>
      mutated(framed(random.below(12), encodeMessages([lie(random), lie(random)])), random),
    ),
  );

const hugeFrame: Attack = (target, port, random) => {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(random.pick([2 ** 32 - 1, 2 ** 30 + 2 ** 20, 2 ** 31, 2 ** 28]), 0);
  head[4] = random.below(12);
  return insider(target, port, random.pick(['messages', 'snapshot', 'exchange']), random, [
    head,
    bytesOf(random, 64),
  ]);
};

const forgedSnapshot: Attack = (target, port, random) => {
  const message = { ...lie(random), type: 'snapshot', term: 1 + random.below(20) } as unknown as Message;
  const data = Array.from({ length: random.below(4) }, () => bytesOf(random, 16));
  const total = Buffer.alloc(8);
  total.writeDoubleLE(random.pick([16 * data.length, -1, Number.NaN, 2 ** 60]));
  return insider(target, port, 'snapshot', random, [
    framed(frameKind.snapshotBegin, [total, ...encodeMessages([message])]),
    ...data.map((chunk) => framed(frameKind.snapshotChunk, [chunk])),
    framed(frameKind.snapshotEnd, []),
  ]);
};

const badQuestion: Attack = (target, port, random) => {
  const question = random.pick<unknown>([
    null,
    7,
    { kind: 'constructor' },
    { kind: 'join' },
    { kind: 'join', address: 'no address' },
    { kind: 'join', address: {} },
    { kind: 'invite', clusterId: 'x', addresses: [7] },
    { kind: 'remove', address: 'nobody:1' },
    { kind: '__proto__', address: 'x' },
    Array(1000).fill([]),
  ]);
  return insider(target, port, 'exchange', random, [framed(frameKind.request, [encodeValue(question)])]);
};

const passedOnGarbage: Attack = (target, port, random) =>
  insider(target, port, 'client', random, [
    Buffer.from(
      random.pick([
        '*-1\r\n',
        '*2\r\n$3\r\nGET\r\n$-5\r\n',
        '*99999999999\r\n',
        'GET\r\n',
        '*1\r\n$4\r\nEXEC\r\n',
      ]),
    ),
    bytesOf(random, random.below(200)),
  ]);

export const strangers: Readonly<Record<string, Attack>> = {
  garbage,
  halfGreeting,
  mutatedGreeting,
  wrongProof,
  replay,
};

export const insiders: Readonly<Record<string, Attack>> = {
  lies,
  mutatedFrames,
  hugeFrame,
  forgedSnapshot,
  badQuestion,
  passedOnGarbage,
};
