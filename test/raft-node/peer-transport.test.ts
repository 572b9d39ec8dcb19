/** Peers over real sockets on the loopback interface. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { Member, Message, Pulse, SnapshotMessage } from '../../raft/index.js';
import { askPeer } from '../../raft/node/peer/ask-peer.js';
import { PeerRefusal } from '../../raft/node/peer/peer-handshake.js';
import { PeerTransport } from '../../raft/node/peer/peer-transport.js';
import type { PeerTransportOptions } from '../../raft/node/peer/peer-transport-options.js';
import { MemorySnapshotStore, type SnapshotReader } from '../../raft/node/snapshot/store.js';
import { clusterId } from './cluster-harness.js';
import { PeerPort } from './peer-port.js';

const otherCluster = 'ff'.repeat(16);

/** One end: a transport at a port, and what came there. */
class Station {
  readonly received: Message[] = [];
  readonly unreachable: number[] = [];
  readonly pulses: Pulse[] = [];
  readonly notices: string[] = [];
  readonly refusals: string[] = [];
  snapshot: Buffer | undefined;
  takesSnapshots = true;
  /** What its node has against messages. */
  objects: ((messages: readonly Message[]) => string | undefined) | undefined;
  transport!: PeerTransport;
  port!: PeerPort;
  private waiters: (() => void)[] = [];

  constructor(
    readonly id: number,
    readonly changes: Partial<PeerTransportOptions> = {},
  ) {}

  async open(port = 0): Promise<void> {
    this.transport = new PeerTransport({
      clusterId,
      nodeId: this.id,
      credentials: { secrets: ['open sesame'] },
      onNotice: (text) => {
        this.notices.push(text);
        this.wake();
      },
      onRefused: (peer, refusal) => {
        this.refusals.push(`${peer} ${refusal.code}`);
        this.wake();
      },
      onQuestion: async (question, from) => ({ question, from }),
      ...this.changes,
    });
    this.transport.start({
      onMessages: (messages) => {
        this.received.push(...messages);
        this.wake();
        return this.objects?.(messages);
      },
      onSnapshot: async (_message, data, dataBytes) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of data) chunks.push(chunk);
        this.snapshot = Buffer.concat(chunks);
        return this.takesSnapshots && this.snapshot.length === dataBytes;
      },
      onUnreachable: (to) => {
        this.unreachable.push(to);
        this.wake();
      },
      onPulse: (pulse) => {
        this.pulses.push(pulse);
        this.wake();
      },
    });
    this.port = await PeerPort.open(() => this.transport, port);
  }

  get address(): string {
    return this.port.address;
  }

  get member(): Member {
    return { id: this.id, address: this.address, learner: false };
  }

  knows(...others: readonly Station[]): void {
    this.transport.setMembership({ members: others.map((other) => other.member), removed: [] });
  }

  /** Waits until what is asked for has come, checking at each event. */
  async until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      await new Promise<void>((resolve) => {
        this.waiters.push(resolve);
      });
    }
  }

  async close(): Promise<void> {
    await this.transport.close();
    await this.port.close();
  }

  private wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}

function heartbeat(from: number, to: number, round: number): Message {
  return { type: 'heartbeat', from, to, term: 3, round, sentTick: 1, commit: 0 };
}

async function withStations<T>(stations: readonly Station[], work: () => Promise<T>): Promise<T> {
  for (const station of stations) await station.open();
  try {
    return await work();
  } finally {
    for (const station of stations) await station.close();
  }
}

test('messages go both ways, with payloads of any size', async () => {
  const a = new Station(1);
  const b = new Station(2);
  await withStations([a, b], async () => {
    a.knows(b);
    const payload = Buffer.alloc(3_000_000, 'payload');
    a.transport.send(2, [heartbeat(1, 2, 1)]);
    a.transport.send(2, [
      {
        type: 'append',
        from: 1,
        to: 2,
        term: 3,
        round: 2,
        sentTick: 0,
        previousIndex: 7,
        previousTerm: 2,
        commit: 5,
        entries: [
          { index: 8, term: 3, kind: 0, payload },
          { index: 9, term: 3, kind: 2, payload: new Uint8Array(0) },
        ],
      },
    ]);
    for (let round = 3; round < 100; round++) a.transport.send(2, [heartbeat(1, 2, round)]);
    await b.until(() => b.received.length === 99);
    // Heartbeats keep their order, and do not wait for the append, which takes long.
    assert.deepEqual(
      b.received.flatMap((message) => (message.type === 'heartbeat' ? [message.round] : [])),
      Array.from({ length: 99 }, (_, i) => i + 1).filter((round) => round !== 2),
    );
    const append = b.received.find(({ type }) => type === 'append');
    assert.ok(append?.type === 'append' && Buffer.from(append.entries[0]!.payload).equals(payload));
    // B does not know where A is, and answers on A's own connection.
    b.transport.send(1, [heartbeat(2, 1, 100)]);
    await a.until(() => a.received.length === 1);
  });
});

test('a peer that goes away is reported once, and reached again when it is back', async () => {
  const a = new Station(1);
  const b = new Station(2);
  await withStations([a, b], async () => {
    a.knows(b);
    a.transport.send(2, [heartbeat(1, 2, 1)]);
    await b.until(() => b.received.length === 1);
    const port = b.port.port;
    await b.close();
    await a.until(() => a.unreachable.length > 0);
    const again = new Station(2);
    const timer = setInterval(() => a.transport.send(2, [heartbeat(1, 2, 2)]), 5);
    try {
      await a.until(() => a.unreachable.length > 2);
      await again.open(port);
      await again.until(() => again.received.length > 0);
    } finally {
      clearInterval(timer);
      await again.close();
    }
    const about = a.notices.filter((text) => text.includes('cannot be reached'));
    assert.ok(about.length >= 1 && about.length <= 2, a.notices.join('\n'));
    assert.ok(a.notices.some((text) => text.includes('is reached again')));
    await b.open();
  });
});

test('strangers are refused with the reason, and have no influence', async () => {
  const wanted: string[] = [];
  const b = new Station(2, { onMismatch: ({ clusterId: cluster, to }) => wanted.push(`${cluster} ${to}`) });
  const cases: [Station, string, RegExp][] = [
    [new Station(1, { credentials: { secrets: ['guessed'] } }), '', /the cluster secrets differ/],
    [new Station(1, { clusterId: otherCluster }), '2 cluster', /belongs to cluster 0011/],
  ];
  await withStations([b, ...cases.map(([station]) => station)], async () => {
    for (const [station, refusal, notice] of cases) {
      station.knows(b);
      station.transport.send(2, [heartbeat(1, 2, 1)]);
      await station.until(() => station.unreachable.length > 0);
      assert.match(station.notices.join(), notice);
      assert.deepEqual(station.refusals, refusal === '' ? [] : [refusal]);
    }
    const moved = new Station(1);
    await moved.open();
    moved.transport.setMembership({ members: [{ ...b.member, id: 9 }], removed: [] });
    moved.transport.send(9, [heartbeat(1, 9, 1)]);
    await moved.until(() => moved.unreachable.length > 0);
    assert.deepEqual(moved.refusals, ['9 node']);
    b.transport.setMembership({ members: [], removed: [1] });
    moved.transport.setMembership({ members: [b.member], removed: [] });
    moved.transport.send(2, [heartbeat(1, 2, 1)]);
    await moved.until(() => moved.refusals.length === 2);
    assert.deepEqual(moved.refusals, ['9 node', '2 removed']);
    await moved.close();
    assert.deepEqual(wanted, [`${otherCluster} 2`, `${clusterId} 9`]);
    assert.deepEqual(b.received, []);
  });
});

test('who cannot prove the secret gets nowhere, whatever it sends', async () => {
  const b = new Station(2);
  await withStations([b], async () => {
    const nonce = '0'.repeat(32);
    const attempts = [
      `*3\r\n$8\r\nRAFTPEER\r\n$1\r\n1\r\n$1\r\n-\r\n`,
      command(['RAFTPEER', '2', clusterId, '1', '2', 'messages', nonce]),
      command(['RAFTPEER', '1', clusterId, '1', '2', 'messages', 'short']),
      command(['RAFTPEER', '1', '-', '1', '2', 'messages', nonce]),
      `${command(['RAFTPEER', '1', clusterId, '1', '2', 'messages', nonce])}${'0'.repeat(64)}\r\n`,
      `${command(['RAFTPEER', '1', clusterId, '1', '2', 'messages', nonce])}${'x'.repeat(5000)}`,
    ];
    for (const attempt of attempts) {
      const socket = net.connect(b.port.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (data) => {
        answer += data.toString('latin1');
      });
      socket.on('error', () => {});
      socket.write(attempt);
      await once(socket, 'close');
      assert.ok(!answer.includes('+PEEROK'), answer);
      assert.ok(answer.includes('-PEERREFUSED') || attempt.length > 5000, answer);
    }
    assert.deepEqual(b.received, []);
  });
});

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

test('a node that does not know the secret cannot pass for a member either', async () => {
  const impostor = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`+PEERCHALLENGE ${'0'.repeat(32)}\r\n`);
    socket.write(`+PEEROK ${clusterId} 2 ${'0'.repeat(64)}\r\n`);
  });
  impostor.listen(0, '127.0.0.1');
  await once(impostor, 'listening');
  const address = `127.0.0.1:${(impostor.address() as net.AddressInfo).port}`;
  const a = new Station(1);
  await withStations([a], async () => {
    a.transport.setMembership({ members: [{ id: 2, address, learner: false }], removed: [] });
    a.transport.send(2, [heartbeat(1, 2, 1)]);
    await a.until(() => a.unreachable.length > 0);
    assert.match(a.notices.join(), /does not know the cluster secret/);
    assert.deepEqual(a.refusals, []);
  });
  impostor.close();
});

test('a question from a node that is no member yet is answered, with the name of the cluster', async () => {
  const b = new Station(2);
  await withStations([b], async () => {
    const options = {
      credentials: { secrets: ['open sesame'] },
      clusterId: undefined,
      nodeId: 77,
      timeoutMs: 5000,
    };
    const answer = await askPeer(b.address, options, { join: 'host:1' });
    assert.deepEqual(answer, { clusterId, nodeId: 2, answer: { question: { join: 'host:1' }, from: 77 } });
    await assert.rejects(
      askPeer(b.address, { ...options, credentials: { secrets: ['wrong'] } }, {}),
      (error: PeerRefusal) => error instanceof PeerRefusal && error.code === 'secret',
    );
    await assert.rejects(
      askPeer(b.address, { ...options, nodeId: 2 }, {}),
      (error: PeerRefusal) => error.code === 'self' && error.isAuthentic,
    );
    await assert.rejects(askPeer('nowhere', options, {}), /not an address/);
  });
});

test('a snapshot streams on a connection of its own, with progress, while messages go on', async () => {
  const a = new Station(1);
  const b = new Station(2);
  await withStations([a, b], async () => {
    a.knows(b);
    const message: SnapshotMessage = {
      type: 'snapshot',
      from: 1,
      to: 2,
      term: 3,
      round: 0,
      sentTick: 0,
      snapshot: { index: 10, term: 2, membership: { members: [b.member], removed: [4] } },
    };
    const data = Buffer.alloc(20_000_000, 'snapshot');
    const store = new MemorySnapshotStore();
    const writer = await store.begin(message.snapshot, false);
    for (let at = 0; at < data.length; at += 1_000_000) await writer.write(data.subarray(at, at + 1_000_000));
    await writer.commit();
    const progress: number[] = [];
    const transfer = a.transport.sendSnapshot(message, (await store.openLatest())!, (bytes) =>
      progress.push(bytes),
    );
    a.transport.send(2, [heartbeat(1, 2, 1)]);
    await b.until(() => b.received.length === 1);
    assert.equal(await transfer, true);
    assert.ok(b.snapshot!.equals(data));
    assert.equal(progress.at(-1), data.length);
    b.takesSnapshots = false;
    assert.equal(await a.transport.sendSnapshot(message, (await store.openLatest())!, () => {}), false);
    const broken: SnapshotReader = {
      ...(await store.openLatest())!,
      next: async () => {
        throw new Error('damaged');
      },
    };
    assert.equal(await a.transport.sendSnapshot(message, broken, () => {}), false);
    assert.match(a.notices.join(), /damaged/);
  });
});

test('a malformed frame closes the connection and nothing else', async () => {
  const a = new Station(1);
  const b = new Station(2);
  await withStations([a, b], async () => {
    a.knows(b);
    a.transport.send(2, [{ ...heartbeat(1, 2, 1), round: -1 } as Message]);
    await b.until(() => b.notices.length > 0);
    assert.match(b.notices[0]!, /malformed round in a heartbeat/);
    await a.until(() => a.unreachable.length > 0);
    const timer = setInterval(() => a.transport.send(2, [heartbeat(1, 2, 2)]), 5);
    await b.until(() => b.received.length > 0);
    clearInterval(timer);
  });
});

test('clocks are compared', async () => {
  const a = new Station(1);
  const ahead = 70_000;
  const b = new Station(2, {
    clock: {
      monotonicMs: () => performance.now(),
      wallMs: () => Date.now() + ahead,
      setTimer: () => ({ cancel() {} }),
      afterInput: (callback) => setImmediate(callback),
    },
  });
  await withStations([a, b], async () => {
    a.knows(b);
    a.transport.send(2, [heartbeat(1, 2, 1)]);
    const start = Date.now();
    while (a.transport.clockOffsetsMs().size === 0 && Date.now() - start < 5000) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const offset = a.transport.clockOffsetsMs().get(2)!;
    assert.ok(Math.abs(offset - ahead) < 1000, `offset ${offset}`);
  });
});
