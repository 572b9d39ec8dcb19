/** Whose turn a reply is, when a turn can be proposed and the next one cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Engine, ErrorReply, type Reply } from '../../engine/index.js';
import { EntryKind } from '../../raft/index.js';
import { nodeClock } from '../../raft/node/index.js';
import { Replica, type ReplyTarget } from '../../src/replication/replica.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

/**
 * A replica whose node takes the first proposal and no other: it has just taken itself out of the cluster.
 */
function makeReplica(): {
  replica: Replica;
  said: string[];
  send: (name: string) => void;
  proposed: Uint8Array[];
} {
  const said: string[] = [];
  const proposed: Uint8Array[] = [];
  const consensus = {
    isTransferring: false,
    flush: () => {},
    propose: (payload: Uint8Array) => {
      if (proposed.length > 0) return undefined;
      proposed.push(Buffer.from(payload));
      return { index: 1, term: 1 };
    },
  };
  const session = { nodeId: 1, startId: 1, counter: 0 };
  const replica = new Replica({ engine: new Engine() }, consensus, session, nodeClock, () => 0, {
    publish: () => 0,
    wake: () => {},
    refusal: () => new ErrorReply('TRY elsewhere:1'),
    failed: (_index, error) => assert.fail(error as Error),
    adopted: () => {},
    applied: () => {},
  });
  const send = (key: string): void => {
    const note = (reply: Reply): void => {
      said.push(`${key}: ${reply instanceof ErrorReply ? reply.text : String(reply)}`);
    };
    const target: ReplyTarget = { complete: note, outcomeUnknown: note, runInTransaction: () => null };
    const request = encodeRequest(['INCR', key]);
    replica.command(target, session, 0, request, 0, request.length);
    replica.flush();
  };
  return { replica, said, send, proposed };
}

test('a refusal stands behind the replies of what is in flight', () => {
  const { replica, said, send, proposed } = makeReplica();
  send('a');
  send('b');
  assert.deepEqual(said, []);
  replica.apply([{ index: 1, term: 1, kind: EntryKind.command, payload: proposed[0]! }]);
  assert.deepEqual(said, ['a: 1', 'b: TRY elsewhere:1']);
  send('c');
  assert.equal(said[2], 'c: TRY elsewhere:1');
});

test('so it does when the outcome of what was in flight stays unknown', () => {
  const { replica, said, send } = makeReplica();
  send('a');
  send('b');
  replica.abandon();
  assert.equal(said.length, 2);
  assert.match(said[0]!, /^a: UNKNOWN/);
  assert.equal(said[1], 'b: TRY elsewhere:1');
});

test('an item hears whether it was applied: only then has a quorum answered', () => {
  const heard: string[] = [];
  const { replica, proposed } = makeReplica();
  const request = encodeRequest(['INCR', 'n']);
  const send = (name: string): void => {
    const target: ReplyTarget = {
      complete: (_reply, isApplied) => heard.push(`${name} ${isApplied}`),
      outcomeUnknown: () => {},
      runInTransaction: () => null,
    };
    replica.command(target, { nodeId: 1, startId: 1, counter: 1 }, 0, request, 0, request.length);
    const { turn } = replica;
    assert.equal(turn.isProposed, false);
    replica.flush();
    assert.equal(turn.isProposed, name === 'applied');
  };
  send('applied');
  send('refused');
  replica.apply([{ index: 1, term: 1, kind: EntryKind.command, payload: proposed[0]! }]);
  assert.deepEqual(heard, ['applied true', 'refused false']);
});
