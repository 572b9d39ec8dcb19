/** The pulse: what it says, and when it says nothing. The thread is a real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pulse } from '../../raft/index.js';
import { diskWait } from '../../raft/node/directory/disk.js';
import { PeerTransport } from '../../raft/node/peer/peer-transport.js';
import { decodePulse, encodePulse, PulseCell } from '../../raft/node/peer/pulse.js';
import { clusterId } from './cluster-harness.js';
import { PeerPort } from './peer-port.js';

/** The loop stands still. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function until(isSo: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !isSo(); ) {
    assert.ok(performance.now() < deadline, 'too late');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

interface Pair {
  readonly sender: PeerTransport;
  readonly felt: Pulse[];
  readonly notices: string[];
}

/** Node 1 has a pulse, node 2 feels it. */
async function withPulse(
  timeouts: { readonly busyMaxMs: number; readonly otherTimeoutMs?: number },
  use: (pair: Pair) => Promise<void>,
): Promise<void> {
  const felt: Pulse[] = [];
  const notices: string[] = [];
  const { busyMaxMs, otherTimeoutMs = 500 } = timeouts;
  const common = {
    clusterId,
    credentials: { secrets: ['open sesame'] },
    onNotice: (text: string) => notices.push(text),
  };
  const sender = new PeerTransport({ ...common, nodeId: 1, pulse: { electionTimeoutMs: 500, busyMaxMs } });
  const receiver = new PeerTransport({ ...common, nodeId: 2, pulse: { electionTimeoutMs: otherTimeoutMs } });
  const handler = {
    onMessages: () => undefined,
    onSnapshot: async () => false,
    onUnreachable: () => {},
    onPulse: (pulse: Pulse) => felt.push(pulse),
  };
  sender.start(handler);
  receiver.start(handler);
  const port = await PeerPort.open(() => receiver);
  try {
    sender.setMembership({ members: [{ id: 2, address: port.address, learner: false }], removed: [] });
    await use({ sender, felt, notices });
  } finally {
    await sender.close();
    await receiver.close();
    await port.close();
  }
}

test('a pulse is what was encoded, and nothing else is one', () => {
  const beat = { term: 2 ** 53 - 1, leads: true, electionTimeoutMs: 500 };
  const bytes = Buffer.from(encodePulse(beat));
  assert.deepEqual(decodePulse(bytes), beat);
  assert.equal(decodePulse(bytes.subarray(1)), undefined);
  for (const term of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.equal(decodePulse(Buffer.from(encodePulse({ ...beat, term }))), undefined);
  }
  assert.equal(decodePulse(Buffer.from(encodePulse({ ...beat, electionTimeoutMs: Number.NaN }))), undefined);
  bytes[8] = 2;
  assert.equal(decodePulse(bytes), undefined);
});

test('the cell says term and role, and nothing of a node that failed, is stuck or waits for its disk', () => {
  const cell = new PulseCell();
  const seen = new PulseCell(cell.memory);
  cell.stands(2 ** 52, true);
  assert.deepEqual(seen.read(1000, false), { term: 2 ** 52, leads: true });
  cell.stands(7, false);
  assert.deepEqual(seen.read(1000, false), { term: 7, leads: false });
  assert.equal(seen.read(1000, true), undefined);
  block(30);
  assert.equal(seen.read(10, false), undefined);
  cell.turned();
  assert.ok(seen.read(10, false));
  cell.stop();
  cell.turned();
  assert.equal(seen.read(1000, false), undefined);
});

test('it goes on while the loop stands still, up to its bound', async () => {
  await withPulse({ busyMaxMs: 1000 }, async ({ sender, felt }) => {
    sender.pulse!.stands(3, true);
    const isFelt = (): boolean => {
      sender.pulse!.turned();
      return felt.length > 0;
    };
    await until(isFelt);
    assert.deepEqual(felt[0], { from: 1, term: 3, leads: true });
    sender.pulse!.turned();
    felt.length = 0;
    block(800);
    await until(() => felt.length >= 3);
    sender.pulse!.turned();
    // It falls silent for as long as nobody says that the loop turns.
    block(2500);
    await new Promise((resolve) => setTimeout(resolve, 300));
    felt.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(felt.length, 0);
    await until(isFelt);
  });
});

test('it is silent at once while the loop waits for the disk, and for good when the node has failed', async () => {
  await withPulse({ busyMaxMs: 60_000 }, async ({ sender, felt }) => {
    sender.pulse!.stands(3, true);
    await until(() => felt.length > 0);
    Atomics.store(diskWait, 0, 1);
    try {
      await new Promise((resolve) => setTimeout(resolve, 300));
      felt.length = 0;
      await new Promise((resolve) => setTimeout(resolve, 400));
      assert.equal(felt.length, 0);
    } finally {
      Atomics.store(diskWait, 0, 0);
    }
    await until(() => felt.length > 0);
    sender.pulse!.stop();
    await new Promise((resolve) => setTimeout(resolve, 300));
    felt.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(felt.length, 0);
  });
});

test('nodes with different election timeouts are told so, once', async () => {
  await withPulse({ busyMaxMs: 60_000, otherTimeoutMs: 2000 }, async ({ sender, felt, notices }) => {
    sender.pulse!.stands(1, false);
    await until(() => felt.length > 3);
    assert.deepEqual(
      notices.filter((text) => text.includes('election timeout')),
      ['node 1 has an election timeout of 500 ms and this one of 2000 ms: give all nodes the same'],
    );
  });
});

test('a node without peers has no thread', async () => {
  const threads = (): unknown =>
    process.getActiveResourcesInfo().filter((what) => /worker|messageport/i.test(what)).length;
  const before = threads();
  const alone = new PeerTransport({
    clusterId,
    nodeId: 1,
    credentials: { secrets: [] },
    pulse: { electionTimeoutMs: 500 },
  });
  alone.setMembership({ members: [{ id: 1, address: '127.0.0.1:1', learner: false }], removed: [] });
  const { worker } = (alone as unknown as { pulseThread: { worker: unknown } }).pulseThread;
  assert.equal(worker, undefined);
  assert.equal(threads(), before);
  await alone.close();
});
