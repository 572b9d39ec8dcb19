/** Single messages that no well-behaved cluster would send in this order, and the public face of the core. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeMembership,
  type Entry,
  EntryKind,
  encodeMembership,
  type HardState,
  type Message,
  Raft,
  type RaftConfig,
  type Ready,
} from '../../raft/index.js';
import { MemoryStorage } from './memory-storage.js';

const payload = new Uint8Array([1]);

function entry(index: number, term: number): Entry {
  return { index, term, kind: EntryKind.command, payload };
}

interface Start {
  id?: number;
  voters?: number[];
  learners?: number[];
  log?: number[];
  hardState?: HardState;
  config?: Partial<RaftConfig>;
}

function start({ id = 1, voters = [1, 2, 3], learners = [], log = [], hardState, config }: Start = {}): Raft {
  const members = [...voters, ...learners].map((member) => ({
    id: member,
    address: `node${member}`,
    learner: learners.includes(member),
  }));
  const storage = new MemoryStorage({ index: 0, term: 0, membership: { members, removed: [] } });
  storage.append(log.map((term, place) => entry(place + 1, term)));
  storage.hardState = hardState ?? { term: Math.max(0, ...log), vote: 0, commit: 0 };
  const settings = { id, electionTicks: 10, heartbeatTicks: 1, random: () => 0, ...config };
  const raft = new Raft(settings, storage, storage.hardState);
  disks.set(raft, storage);
  return raft;
}

const disks = new WeakMap<Raft, MemoryStorage>();

function persist(raft: Raft, { sequence, hardState, snapshot, entries }: Ready): void {
  const disk = disks.get(raft)!;
  if (hardState !== undefined) disk.hardState = hardState;
  if (snapshot !== undefined) disk.install(snapshot);
  disk.append(entries);
  raft.persisted(sequence);
}

/** Takes everything that is due and lets the disk have it at once. @returns the messages */
function drain(raft: Raft): Message[] {
  const messages: Message[] = [];
  while (raft.hasReady()) {
    const ready = raft.ready();
    persist(raft, ready);
    messages.push(...ready.messages, ...ready.messagesAfterPersist);
  }
  return messages;
}

function elect(raft: Raft, voters = [2, 3]): void {
  raft.campaign();
  drain(raft);
  const { id } = raft;
  const { term } = raft.status();
  for (const from of voters) {
    raft.step({ type: 'preVoteResponse', from, to: id, term: term + 1, granted: true });
  }
  drain(raft);
  for (const from of voters) raft.step({ type: 'voteResponse', from, to: id, term: term + 1, granted: true });
  drain(raft);
  assert.equal(raft.status().role, 'leader');
}

const echo = { round: 0, sentTick: 0 };

test('an append commits no further than it reaches: what follows may be of another leader', () => {
  const raft = start({ id: 2, log: [1, 1, 2] });
  raft.step({
    ...{ type: 'append', from: 1, to: 2, term: 3, previousIndex: 1, previousTerm: 1 },
    ...{ entries: [entry(2, 1)], commit: 3, ...echo },
  });
  assert.equal(raft.status().commit, 2);
  assert.equal(raft.status().lastIndex, 3);
});

test('an append that comes late does not shorten the log', () => {
  const raft = start({ id: 2 });
  const append = (entries: Entry[]): Message => ({
    ...{ type: 'append', from: 1, to: 2, term: 1, previousIndex: 0, previousTerm: 0 },
    ...{ entries, commit: 0, ...echo },
  });
  raft.step(append([entry(1, 1), entry(2, 1)]));
  raft.step(append([entry(1, 1)]));
  assert.equal(raft.status().lastIndex, 2);
});

test('an append below the commit index is acknowledged without comparison', () => {
  const raft = start({ id: 2, log: [1, 1, 1], hardState: { term: 1, vote: 0, commit: 3 } });
  raft.step({
    ...{ type: 'append', from: 1, to: 2, term: 1, previousIndex: 1, previousTerm: 1 },
    ...{ entries: [entry(2, 1), entry(3, 1), entry(4, 1)], commit: 4, ...echo },
  });
  const answer = drain(raft).find((message) => message.type === 'appendResponse');
  assert.deepEqual(answer, {
    ...{ type: 'appendResponse', from: 2, to: 1, term: 1, index: 4, rejected: false },
    ...{ hintIndex: 0, hintTerm: 0, ...echo },
  });
});

test('an answer is not heard from who is no member', () => {
  const raft = start();
  elect(raft);
  raft.step({ type: 'heartbeatResponse', from: 9, to: 1, term: 50, ...echo });
  raft.step({ type: 'voteResponse', from: 9, to: 1, term: 50, granted: false });
  raft.step({ type: 'readIndex', from: 9, to: 1, term: 50, context: 1 });
  assert.equal(raft.status().term, 1);
  assert.equal(raft.status().role, 'leader');
  raft.step({ type: 'heartbeatResponse', from: 2, to: 1, term: 50, ...echo });
  assert.equal(raft.status().term, 50);
  assert.equal(raft.status().role, 'follower');
});

test('votes of learners and strangers do not count', () => {
  const raft = start({ voters: [1, 2, 3], learners: [4] });
  raft.campaign();
  for (const from of [4, 9]) raft.step({ type: 'preVoteResponse', from, to: 1, term: 1, granted: true });
  assert.equal(raft.status().role, 'preCandidate');
});

test('a vote that was granted in another campaign does not count', () => {
  const raft = start({ log: [1] });
  raft.campaign();
  raft.step({ type: 'preVoteResponse', from: 2, to: 1, term: 1, granted: true });
  assert.equal(raft.status().role, 'preCandidate');
  raft.step({ type: 'preVoteResponse', from: 2, to: 1, term: 2, granted: true });
  assert.equal(raft.status().role, 'candidate');
  raft.step({ type: 'voteResponse', from: 2, to: 1, term: 1, granted: true });
  assert.equal(raft.status().role, 'candidate');
  // Doubled on the way, a vote is still one.
  const five = start({ voters: [1, 2, 3, 4, 5] });
  five.campaign();
  for (let i = 0; i < 2; i++) five.step({ type: 'preVoteResponse', from: 2, to: 1, term: 1, granted: true });
  assert.equal(five.status().role, 'preCandidate');
});

test('only the leader can hand over', () => {
  const raft = start({ id: 2 });
  raft.step({ type: 'heartbeat', from: 1, to: 2, term: 1, commit: 0, ...echo });
  raft.step({ type: 'timeoutNow', from: 3, to: 2, term: 1, round: 0 });
  raft.step({ type: 'timeoutNow', from: 1, to: 2, term: 9, round: 0 });
  assert.equal(raft.status().role, 'follower');
  assert.equal(raft.status().term, 1);
  raft.step({ type: 'timeoutNow', from: 1, to: 2, term: 1, round: 0 });
  assert.equal(raft.status().role, 'candidate');
});

test('a stranger cannot get past a lease by calling its request a transfer', () => {
  const raft = start({ id: 2 });
  raft.step({ type: 'heartbeat', from: 1, to: 2, term: 1, commit: 0, ...echo });
  const request = { type: 'vote', to: 2, term: 7, lastIndex: 9, lastTerm: 6, transfer: true } as const;
  raft.step({ ...request, from: 9 });
  assert.equal(raft.status().term, 1);
  raft.step({ ...request, from: 3 });
  assert.equal(raft.status().term, 7);
});

test('a node that may not lead any more gives up its candidacy', () => {
  const raft = start();
  raft.campaign();
  raft.setMayLead(false);
  raft.step({ type: 'preVoteResponse', from: 2, to: 1, term: 1, granted: true });
  assert.equal(raft.status().role, 'follower');
  const sole = start({ voters: [1] });
  sole.setMayLead(false);
  assert.equal(sole.status().role, 'leader');
});

test('two leaders of one term are an error that stops the node', () => {
  const raft = start({ id: 2 });
  raft.step({ type: 'heartbeat', from: 1, to: 2, term: 1, commit: 0, ...echo });
  assert.throws(
    () => raft.step({ type: 'heartbeat', from: 3, to: 2, term: 1, commit: 0, ...echo }),
    /two leaders in term 1: 1 and 3/,
  );
});

test('an append that would overwrite what is committed is an error that stops the node', () => {
  const raft = start({ id: 2, log: [1, 1], hardState: { term: 1, vote: 0, commit: 1 } });
  const append: Message = {
    ...{ type: 'append', from: 1, to: 2, term: 2, previousIndex: 1, previousTerm: 1 },
    ...{ entries: [entry(2, 2)], commit: 1, ...echo },
  };
  raft.step(append);
  assert.equal(raft.status().lastIndex, 2);
  const other = start({ id: 2, log: [1, 1], hardState: { term: 1, vote: 0, commit: 2 } });
  other.step({ ...append, previousIndex: 2, previousTerm: 1, entries: [entry(3, 2)] });
  assert.equal(other.status().lastIndex, 3);
  assert.throws(() => start({ id: 2, log: [1], hardState: { term: 1, vote: 0, commit: 2 } }), /lost its end/);
});

test('a snapshot brings its membership, and is refused while another is being installed', () => {
  const raft = start({ id: 2, voters: [] });
  const snapshot = (index: number): Message => ({
    ...{ type: 'snapshot', from: 1, to: 2, term: 1, ...echo },
    snapshot: {
      ...{ index, term: 1 },
      membership: {
        members: [
          { id: 1, address: 'a', learner: false },
          { id: 2, address: 'b', learner: true },
        ],
        removed: [7],
      },
    },
  });
  raft.step(snapshot(10));
  assert.deepEqual(
    raft.status().membership.members.map(({ id }) => id),
    [1, 2],
  );
  raft.step(snapshot(20));
  assert.equal(raft.status().lastIndex, 10);
  drain(raft);
  raft.snapshotInstalled({ index: 10, term: 1, membership: raft.membershipAt(10) });
  raft.step(snapshot(20));
  assert.equal(raft.status().lastIndex, 20);
  // 7 was removed for good.
  raft.step({ type: 'vote', from: 7, to: 2, term: 9, lastIndex: 99, lastTerm: 8, transfer: false });
  assert.equal(raft.status().term, 1);
});

test('a snapshot of what the log has already commits that much, and discards nothing of what this node has acknowledged', () => {
  const raft = start({ id: 2, log: [1, 1, 1, 2, 2] });
  const { membership } = raft.status();
  raft.step({
    ...{ type: 'snapshot', from: 1, to: 2, term: 2, ...echo },
    snapshot: { index: 3, term: 1, membership },
  });
  assert.equal(raft.status().commit, 3);
  assert.equal(raft.status().lastIndex, 5);
  assert.equal(raft.ready().snapshot, undefined);
});

test('a new leader has no lease by its election: who voted for it has promised nothing yet', () => {
  const raft = start({ config: { quietTicks: 0 } });
  elect(raft);
  assert.equal(raft.leaseValid(), false);
  const { term } = raft.status();
  const answer = { type: 'heartbeatResponse', to: 1, term, round: 0, sentTick: 0 } as const;
  raft.step({ ...answer, from: 2 });
  assert.equal(raft.leaseValid(), true);
});

test('what a Ready hands out does not change afterwards', () => {
  const raft = start();
  elect(raft);
  const first = raft.ready();
  raft.propose(payload);
  raft.step({ type: 'preVote', from: 2, to: 1, term: 2, lastIndex: 0, lastTerm: 0 });
  const second = raft.ready();
  assert.deepEqual([first.messages, first.messagesAfterPersist, first.entries], [[], [], []]);
  assert.equal(second.entries.length, 1);
  assert.notEqual(second.sequence, first.sequence);
});

test('a commit index alone does not ask for a sync', () => {
  const raft = start({ voters: [1] });
  const first = raft.ready();
  assert(first.mustSync);
  persist(raft, first);
  const second = raft.ready();
  assert.deepEqual(
    [second.mustSync, second.hardState, second.committed.length],
    [false, { term: 1, vote: 1, commit: 1 }, 1],
  );
  assert.throws(() => raft.persisted(99), /persisted before it was made/);
});

test('committed entries come in pieces of bounded size', () => {
  const raft = start({ voters: [1], config: { maxCommittedBytes: 50 } });
  for (let i = 0; i < 9; i++) raft.propose(payload);
  persist(raft, raft.ready());
  const sizes: number[] = [];
  while (raft.hasReady()) sizes.push(raft.ready().committed.length);
  assert.deepEqual(sizes, [3, 2, 2, 2, 1]);
});

test('a configuration that makes no sense is refused', () => {
  assert.throws(() => start({ config: { electionTicks: 5, heartbeatTicks: 5 } }), /below electionTicks/);
  assert.throws(() => start({ config: { maxAppendBytes: 0 } }), /maxAppendBytes must be a positive integer/);
  assert.throws(() => start({ config: { applied: 3 } }), /applied index 3 outside the log/);
  assert.throws(() => start({ log: [2], hardState: { term: 1, vote: 0, commit: 0 } }), /log of term 2/);
});

test('a membership entry reads as it was written, and nothing else does', () => {
  const membership = {
    members: [
      { id: 1, address: 'a:1', learner: false },
      { id: 2, address: 'ü:2', learner: true },
    ],
    removed: [3],
  };
  assert.deepEqual(decodeMembership(encodeMembership(membership)), membership);
  for (const text of [
    '',
    'null',
    '[]',
    '{"members":[]}',
    '{"members":[{"id":0,"address":"a","learner":false}],"removed":[]}',
    '{"members":[{"id":1,"address":2,"learner":false}],"removed":[]}',
    '{"members":[{"id":1,"address":"a"}],"removed":[]}',
    '{"members":[null],"removed":[]}',
    '{"members":[],"removed":[-1]}',
    '{"members":[{"id":1,"address":"a","learner":true},{"id":1,"address":"b","learner":true}],"removed":[]}',
  ]) {
    assert.throws(() => decodeMembership(new TextEncoder().encode(text)), Error, text);
  }
});

test('a removed node that leads those who lost its removal is answered, so that it can insist', () => {
  const removal: Entry = {
    index: 3,
    term: 1,
    kind: EntryKind.membership,
    payload: encodeMembership({
      members: [2, 3].map((id) => ({ id, address: `node${id}`, learner: false })),
      removed: [1],
    }),
  };
  const storage = new MemoryStorage({
    index: 0,
    term: 0,
    membership: {
      members: [1, 2, 3].map((id) => ({ id, address: `node${id}`, learner: false })),
      removed: [],
    },
  });
  storage.append([entry(1, 1), entry(2, 1), removal]);
  const hardState = { term: 1, vote: 0, commit: 3 };
  storage.hardState = hardState;
  const settings = { id: 2, electionTicks: 10, heartbeatTicks: 1, random: () => 0 };
  const raft = new Raft(settings, storage, hardState);
  disks.set(raft, storage);
  const say = (message: Message): Message[] => {
    if (raft.examine(message) === undefined) raft.step(message);
    return drain(raft);
  };
  const heartbeat: Message = { type: 'heartbeat', from: 1, to: 2, term: 2, commit: 0, ...echo };
  const append: Message = {
    ...{ type: 'append', from: 1, to: 2, term: 2, previousIndex: 0, previousTerm: 0 },
    ...{ entries: [entry(1, 2)], commit: 0, ...echo },
  };
  const isAnswered = (message: Message): boolean =>
    say(message).some(({ type, to }) => type === 'heartbeatResponse' && to === 1);
  for (let i = 0; i < 10; i++) raft.tick();
  assert.equal(isAnswered(heartbeat), false, 'a removed node has no say');
  say(append);
  // Whoever hears from its own leader hears nobody else.
  say({ ...heartbeat, from: 3, term: 1 });
  assert.equal(isAnswered(heartbeat), false, 'it takes no term from a leader');
  say(append);
  for (let i = 0; i < 10; i++) raft.tick();
  for (let i = 0; i < 50; i++) {
    if (isAnswered(heartbeat)) say(append);
    raft.tick();
  }
  const { parting, commit } = raft.status();
  assert.deepEqual([parting?.index, parting?.ownTerm, parting?.leaderTerm, parting?.leader], [1, 1, 2, 1]);
  assert.equal(commit, 3);
});

test('other entries than the committed ones are refused, and a leader that insists means that they have parted', () => {
  const append = (
    previousIndex: number,
    previousTerm: number,
    terms: readonly number[],
    from = 1,
  ): Message => ({
    ...{ type: 'append', from, to: 2, term: 4, previousIndex, previousTerm },
    ...{ entries: terms.map((term, i) => entry(previousIndex + 1 + i, term)), commit: 3, ...echo },
  });
  const follower = (): Raft =>
    start({ id: 2, log: [1, 1, 1, 1, 2], hardState: { term: 2, vote: 0, commit: 4 } });
  const snapshot: Message = {
    ...{ type: 'snapshot', from: 1, to: 2, term: 4, ...echo },
    snapshot: {
      index: 2,
      term: 3,
      membership: { members: [{ id: 1, address: 'a:1', learner: false }], removed: [] },
    },
  };
  const say = (raft: Raft, message: Message): void => {
    if (raft.examine(message) === undefined) raft.step(message);
  };
  for (const [message, index, leaderTerm] of [
    [append(1, 1, [1, 4]), 3, 4],
    [append(2, 1, [3, 4]), 3, 3],
    [append(3, 4, []), 3, 4],
    [append(4, 4, [4, 4]), 4, 4],
    [append(0, 0, [4]), 1, 4],
    [snapshot, 2, 3],
  ] as const) {
    const raft = follower();
    say(raft, message);
    assert.equal(raft.status().parting, undefined, 'one message may be a lie');
    for (let i = 0; i < 40; i++) raft.tick();
    say(raft, message);
    const { parting } = raft.status();
    assert.deepEqual([parting?.index, parting?.ownTerm, parting?.leaderTerm], [index, 1, leaderTerm]);
    assert.equal(raft.status().commit, 4);
  }
  // Who hears from the leader as well knows it for a lie.
  const raft = follower();
  for (let i = 0; i < 50; i++) {
    say(raft, append(3, 4, []));
    raft.tick();
    say(raft, append(4, 1, [], 3));
    assert.equal(raft.status().parting, undefined);
  }
});

test('a late append is acknowledged as far as both know what is committed, and no further', () => {
  const raft = start({ id: 2, log: [1, 1, 1, 1], hardState: { term: 1, vote: 0, commit: 4 } });
  for (const [commit, acknowledged] of [
    [0, 2],
    [3, 3],
    [9, 4],
  ] as const) {
    raft.step({
      ...{ type: 'append', from: 1, to: 2, term: 1, previousIndex: 1, previousTerm: 1 },
      ...{ entries: [entry(2, 1)], commit, ...echo },
    });
    const [answer] = drain(raft);
    assert.ok(answer?.type === 'appendResponse' && !answer.rejected);
    assert.equal(answer.index, acknowledged);
  }
});
