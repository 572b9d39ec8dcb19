/** Large frames in pieces, and what passes between them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { BulkQueue, IncomingBulk, pieceBytes } from '../../raft/node/peer/bulk.js';
import { frameKind, PeerSocket } from '../../raft/node/peer/peer-socket.js';

test('what goes in as frames comes out as frames, in order, whatever the pieces', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 2.5 * pieceBytes }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 4 }), (frames) => {
      const queue = new BulkQueue();
      let fill = 0;
      const bodies = frames.map((pieces) => pieces.map((length) => Buffer.alloc(length, ++fill)));
      for (const pieces of bodies) queue.push(1, pieces, Buffer.concat(pieces).length);
      const out: Buffer[] = [];
      let incoming: IncomingBulk | undefined;
      while (!queue.isEmpty) {
        const next = queue.shift();
        if (next.what === 'frame') {
          assert.equal(incoming, undefined);
          out.push(Buffer.concat(next.pieces));
        } else if (next.what === 'begin') {
          assert.equal(incoming, undefined);
          incoming = new IncomingBulk(next.body[4]!, Buffer.alloc(Buffer.from(next.body).readUInt32LE(0)));
        } else {
          const piece = Buffer.concat(next.pieces);
          assert.ok(piece.length <= pieceBytes);
          incoming!.place(piece.length)!.set(piece);
          if (!incoming!.took(piece.length)) continue;
          out.push(incoming!.body);
          incoming = undefined;
        }
      }
      assert.deepEqual(
        out.map((body) => body.toString('latin1')),
        bodies.map((pieces) => Buffer.concat(pieces).toString('latin1')),
      );
      assert.equal(queue.waitingBytes, 0);
    }),
    { numRuns: 30 },
  );
});

test('no piece is longer than what is missing', () => {
  const incoming = new IncomingBulk(1, Buffer.alloc(10));
  assert.equal(incoming.place(0), undefined);
  assert.equal(incoming.place(11), undefined);
  assert.equal(incoming.place(6)!.length, 6);
  assert.equal(incoming.took(6), false);
  assert.equal(incoming.place(5), undefined);
  assert.equal(incoming.took(4), true);
});

interface Ends {
  readonly near: PeerSocket;
  readonly far: PeerSocket;
  readonly frames: { readonly kind: number; readonly body: Buffer }[];
  readonly closed: string[];
}

async function withEnds(use: (ends: Ends) => Promise<void>): Promise<void> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dialed = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  const frames: Ends['frames'] = [];
  const closed: string[] = [];
  const nothing = { onLine: () => {}, onFrame: () => {}, onClose: () => {} };
  const near = new PeerSocket(dialed, nothing);
  const far = new PeerSocket(accepted, {
    ...nothing,
    onFrame: (kind, body) => frames.push({ kind, body }),
    onClose: (reason) => closed.push(reason),
  });
  near.switchToFrames();
  far.switchToFrames();
  try {
    await use({ near, far, frames, closed });
  } finally {
    near.destroy('the test is over');
    far.destroy('the test is over');
    server.close();
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !isSo(); ) {
    assert.ok(performance.now() < deadline, 'too late');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('a small frame passes a large one that is on its way, and what is in order stays so', async () => {
  await withEnds(async ({ near, far, frames }) => {
    // The receiver takes nothing for a while: all that the system holds between the two fills up.
    far.socket.pause();
    const large = Buffer.alloc(64 << 20, 'large');
    near.sendInOrder(frameKind.messages, [large]);
    near.sendInOrder(frameKind.messages, [Buffer.from('behind it')]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    near.sendFrame(frameKind.ping, []);
    // What is on its way is not what waits.
    assert.ok(near.bufferedBytes < 1 << 20, `${near.bufferedBytes}`);
    far.socket.resume();
    await until(() => frames.length === 3);
    assert.deepEqual(
      frames.map(({ kind, body }) => [kind, body.length]),
      [
        [frameKind.ping, 0],
        [frameKind.messages, large.length],
        [frameKind.messages, 9],
      ],
    );
    assert.ok(frames[1]!.body.equals(large));
  });
});

test('parts of a frame are signs of life on both sides', async () => {
  await withEnds(async ({ near, far, frames }) => {
    near.sendInOrder(frameKind.messages, [Buffer.alloc(32 << 20)]);
    await until(() => far.contacts > 2 && near.contacts > 2);
    assert.equal(frames.length, 0);
    await until(() => frames.length === 1);
  });
});

const announcement = (length: number, kind: number): Buffer => {
  const body = Buffer.alloc(5, kind);
  body.writeUInt32LE(length, 0);
  return body;
};

for (const [what, kinds] of [
  ['a piece of no frame', [[frameKind.bulkPiece, Buffer.alloc(10)]]],
  [
    'a frame of another kind in pieces',
    [[frameKind.bulkBegin, announcement(1 << 20, frameKind.snapshotEnd)]],
  ],
  ['a frame too long', [[frameKind.bulkBegin, announcement(0xffffffff, frameKind.messages)]]],
  ['an announcement too short', [[frameKind.bulkBegin, Buffer.alloc(4)]]],
  [
    'two frames in pieces at a time',
    [
      [frameKind.bulkBegin, announcement(1 << 20, frameKind.messages)],
      [frameKind.bulkBegin, announcement(1 << 20, frameKind.messages)],
    ],
  ],
  [
    'more than was announced',
    [
      [frameKind.bulkBegin, announcement(pieceBytes + 1, frameKind.messages)],
      [frameKind.bulkPiece, Buffer.alloc(pieceBytes)],
      [frameKind.bulkPiece, Buffer.alloc(2)],
    ],
  ],
] as readonly (readonly [string, readonly (readonly [number, Buffer])[]])[]) {
  test(`refused: ${what}`, async () => {
    await withEnds(async ({ near, frames, closed }) => {
      for (const [kind, body] of kinds) near.sendFrame(kind, [body]);
      await until(() => closed.length > 0);
      assert.equal(frames.length, 0);
      assert.match(closed[0]!, /malformed|piece of no frame/);
    });
  });
}
