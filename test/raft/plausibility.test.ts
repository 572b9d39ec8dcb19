/**
 * What peers say is input: no message, whatever its fields hold, ends the core, takes its term or leads it
 * astray.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Entry,
  EntryKind,
  encodeMembership,
  type Membership,
  type Message,
  Raft,
  type Status,
} from '../../raft/index.js';
import { MemoryStorage } from './memory-storage.js';

const members = [1, 2, 3].map((id) => ({ id, address: `node${id}`, learner: false }));
const membership: Membership = { members, removed: [9] };
const electionTicks = 10;
/** Knows the secret, belongs to nobody. */
const stranger = 7;

interface Node {
  readonly raft: Raft;
  /** Takes all Readies, with a disk that is done at once. Returns what is sent. */
  drain(): Message[];
}

/** Node 1 of three, with entries 1 to 5 of terms 1, 1, 2, 3, 3, of which three are committed. */
function node(): Node {
  const storage = new MemoryStorage({ index: 0, term: 0, membership });
  storage.append(
    [1, 1, 2, 3, 3].map((term, i) => ({
      index: i + 1,
      term,
      kind: EntryKind.command,
      payload: new Uint8Array(1),
    })),
  );
  storage.hardState = { term: 3, vote: 0, commit: 3 };
  const raft = new Raft(
    { id: 1, electionTicks, heartbeatTicks: 1, random: () => 0 },
    storage,
    storage.hardState,
  );
  const drain = (): Message[] => {
    const sent: Message[] = [];
    while (raft.hasReady()) {
      const ready = raft.ready();
      if (ready.hardState !== undefined) storage.hardState = ready.hardState;
      if (ready.snapshot !== undefined) storage.install(ready.snapshot);
      storage.append(ready.entries);
      raft.persisted(ready.sequence);
      if (ready.snapshot !== undefined) raft.snapshotInstalled(ready.snapshot);
      const last = ready.committed.at(-1);
      if (last !== undefined) raft.applied(last.index);
      sent.push(...ready.messages, ...ready.messagesAfterPersist);
    }
    return sent;
  };
  drain();
  return { raft, drain };
}

function leader(): Node {
  const one = node();
  one.raft.campaign();
  for (const type of ['preVoteResponse', 'voteResponse'] as const) {
    for (const from of [2, 3]) tell(one, { type, from, to: 1, term: 4, granted: true });
  }
  for (const from of [2, 3])
    tell(one, { type: 'heartbeatResponse', from, to: 1, term: 4, round: 0, sentTick: 0 });
  assert.equal(one.raft.status().role, 'leader');
  return one;
}

/** Follows node 2 in term 3. */
function follower(): Node {
  const one = node();
  assert.equal(
    tell(one, { type: 'heartbeat', from: 2, to: 1, term: 3, commit: 3, round: 1, sentTick: 1 }),
    undefined,
  );
  assert.equal(one.raft.status().leader, 2);
  return one;
}

/** As a node takes a message: what is not plausible is not stepped. */
function tell(one: Node, message: Message): string | undefined {
  const refused = one.raft.examine(message);
  if (refused === undefined) one.raft.step(message);
  one.drain();
  return refused;
}

const huge = Number.MAX_SAFE_INTEGER;
const entry = (
  index: number,
  term: number,
  kind: Entry['kind'] = EntryKind.command,
  payload = 'x',
): Entry => ({
  index,
  term,
  kind,
  payload: Buffer.from(payload),
});
const addressed = { from: 2, to: 1, term: 3 };
const append = {
  ...addressed,
  type: 'append',
  previousIndex: 5,
  previousTerm: 3,
  commit: 3,
  round: 1,
  sentTick: 1,
} as const;
const heartbeat = { ...addressed, type: 'heartbeat', commit: 3, round: 1, sentTick: 1 } as const;
const snapshot = {
  ...addressed,
  type: 'snapshot',
  round: 1,
  sentTick: 1,
  snapshot: { index: 50, term: 3, membership },
} as const;

/** Lies to a follower of node 2, and what the refusal says. */
const liesToFollowers: Record<string, readonly [Message, RegExp]> = {
  'an append of the last term there is': [
    { ...append, term: huge, entries: [] },
    /impossible|far beyond|beside/,
  ],
  'a term just beyond all terms': [{ ...append, term: 2 ** 48 + 1, entries: [] }, /term/],
  'a leap of the term beside a leader': [{ ...heartbeat, term: 2 ** 20 }, /beside a leader of term 3/],
  'a vote of the last term': [
    { ...addressed, type: 'vote', term: huge, lastIndex: 9, lastTerm: 9, transfer: true },
    /term/,
  ],
  'a commit index of the last number': [{ ...heartbeat, commit: huge }, /far beyond 5/],
  'another leader of the same term': [{ ...heartbeat, from: 3 }, /claims to lead term 3, which node 2 leads/],
  'an append of another leader': [{ ...append, from: 3, entries: [entry(6, 3)] }, /claims to lead/],
  'an entry in place of a committed one': [
    { ...append, previousIndex: 1, previousTerm: 1, entries: [entry(2, 3)] },
    /another entry 2 than the committed one/,
  ],
  'a predecessor that is not the committed one': [
    { ...append, previousIndex: 3, previousTerm: 1, entries: [] },
    /another entry 3 than the committed one/,
  ],
  'an entry of a later term than its append': [{ ...append, entries: [entry(6, 4)] }, /entries of term 4/],
  'entries whose terms go back': [{ ...append, entries: [entry(6, 2)] }, /of term 2 behind term 3/],
  'an entry without a term': [
    { ...append, previousIndex: 0, previousTerm: 0, entries: [entry(1, 0)] },
    /of term 0/,
  ],
  'a membership that is none': [
    { ...append, entries: [entry(6, 3, EntryKind.membership, '{"members":7}')] },
    /malformed membership/,
  ],
  'a membership without a voter': [
    {
      ...append,
      entries: [
        entry(
          6,
          3,
          EntryKind.membership,
          Buffer.from(encodeMembership({ members: [], removed: [1, 2, 3] })).toString(),
        ),
      ],
    },
    /malformed membership/,
  ],
  'a snapshot of the last index': [
    { ...snapshot, snapshot: { ...snapshot.snapshot, index: huge } },
    /far beyond 5/,
  ],
  'a snapshot of a later term': [
    { ...snapshot, snapshot: { ...snapshot.snapshot, term: 4 } },
    /a snapshot of term 4/,
  ],
  'a snapshot of nobody': [
    { ...snapshot, snapshot: { ...snapshot.snapshot, membership: { members: [], removed: [] } } },
    /without a voter/,
  ],
  'a candidate whose log is ahead of its term': [
    { ...addressed, type: 'preVote', term: 4, lastIndex: 9, lastTerm: 7 },
    /a log of term 7/,
  ],
};

for (const [what, [message, expected]] of Object.entries(liesToFollowers)) {
  test(`a follower does not believe ${what}`, () => {
    const one = follower();
    const before = one.raft.status();
    assert.match(tell(one, message) ?? 'believed', expected);
    assert.deepEqual(one.raft.status(), before);
  });
}

const answer = { from: 2, to: 1, term: 4, round: 0, sentTick: 0 } as const;
const accepted = { ...answer, type: 'appendResponse', rejected: false, hintIndex: 0, hintTerm: 0 } as const;

const liesToLeaders: Record<string, readonly [Message, RegExp]> = {
  'an acknowledgement of what it has not': [{ ...accepted, index: 100 }, /acknowledgement of entry 100/],
  'an answer to a round to come': [{ ...answer, type: 'heartbeatResponse', round: huge }, /never asked/],
  'an answer from the future, which would keep its lease for ever': [
    { ...answer, type: 'heartbeatResponse', sentTick: huge },
    /will be asked/,
  ],
  'another leader of its term': [
    { ...heartbeat, term: 4, from: 3 },
    /claims to lead term 4, which node 1 leads/,
  ],
  'a snapshot of its term': [{ ...snapshot, term: 4, from: 3 }, /claims to lead term 4/],
  'a leap of the term': [{ ...heartbeat, term: 2 ** 30 }, /beside a leader of term 4/],
};

for (const [what, [message, expected]] of Object.entries(liesToLeaders)) {
  test(`a leader does not believe ${what}`, () => {
    const one = leader();
    const before = one.raft.status();
    assert.match(tell(one, message) ?? 'believed', expected);
    assert.deepEqual(one.raft.status(), before);
  });
}

test('a stranger with the secret takes no term from a cluster that has its leader', () => {
  for (const one of [follower(), leader()]) {
    const before = one.raft.status();
    const from = stranger;
    const term = before.term + 1;
    tell(one, { ...heartbeat, from, term });
    tell(one, { ...append, from, term, entries: [entry(6, term)] });
    tell(one, { ...snapshot, from, term });
    tell(one, { type: 'commit', from, to: 1, term, commit: 5 });
    tell(one, { type: 'vote', from, to: 1, term, lastIndex: 100, lastTerm: term, transfer: true });
    tell(one, { ...accepted, from, term, index: 5 });
    tell(one, { type: 'timeoutNow', from, to: 1, term: before.term, round: 1 });
    assert.deepEqual(one.raft.status(), before);
  }
});

test('a stranger takes no term from a leader that has not heard its followers for a while, nor a term far ahead from anybody', () => {
  const one = leader();
  for (let tick = 0; tick < electionTicks - 1; tick++) one.raft.tick();
  one.drain();
  const { term } = one.raft.status();
  const far = term + 2 ** 20;
  tell(one, { ...heartbeat, from: stranger, term: term + 1 });
  tell(one, { type: 'vote', from: stranger, to: 1, term: far, lastIndex: 100, lastTerm: 3, transfer: false });
  assert.equal(one.raft.status().role, 'leader');
  assert.equal(one.raft.status().term, term);
  const other = follower();
  for (let tick = 0; tick < electionTicks; tick++) other.raft.tick();
  other.drain();
  const before = other.raft.status().term;
  tell(other, { ...heartbeat, from: stranger, term: far });
  tell(other, {
    type: 'vote',
    from: stranger,
    to: 1,
    term: far,
    lastIndex: 100,
    lastTerm: 3,
    transfer: false,
  });
  assert.equal(other.raft.status().term, before);
});

test('a leader whom a node has yet to hear of is heard when its own is silent', () => {
  const one = follower();
  for (let tick = 0; tick < electionTicks; tick++) one.raft.tick();
  one.drain();
  tell(one, { ...heartbeat, from: stranger, term: 4 });
  assert.equal(one.raft.status().leader, stranger);
});

test('a log that was not lost is not given up for a lie', () => {
  const one = follower();
  const lie = { ...heartbeat, commit: 100 } as const;
  for (let beat = 0; beat < 10 * electionTicks; beat++) {
    tell(one, lie);
    one.raft.tick();
    tell(one, heartbeat);
    assert.equal(one.raft.status().logLost, false);
  }
});

test('under the claim that it lost its log a node gives no vote, until a later leader has brought it up to date', () => {
  const one = follower();
  tell(one, { ...heartbeat, commit: 100 });
  for (let tick = 0; tick < electionTicks; tick++) one.raft.tick();
  const ask = (term: number): unknown =>
    one.raft.step({ type: 'vote', from: 3, to: 1, term, lastIndex: 9, lastTerm: term - 1, transfer: false });
  ask(4);
  const [refusal] = one.drain();
  assert.ok(refusal?.type === 'voteResponse' && !refusal.granted);
  tell(one, { ...append, from: 3, term: 5, entries: [entry(6, 5)], commit: 6 });
  for (let tick = 0; tick < electionTicks; tick++) one.raft.tick();
  ask(6);
  const granted = one.drain().find(({ type }) => type === 'voteResponse');
  assert.ok(granted?.type === 'voteResponse' && granted.granted);
});

// ---- whatever comes ----

const number = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    9,
    50,
    2 ** 16,
    2 ** 20,
    2 ** 31,
    2 ** 32 + 4,
    2 ** 44,
    2 ** 48,
    2 ** 52,
    huge,
  ),
  fc.nat(10),
);
const from = fc.constantFrom(1, 2, 3, stranger, 9);
const payload = fc.constantFrom(
  '',
  'x',
  'null',
  '{}',
  '{"members":[],"removed":[]}',
  '{"members":[{"id":1,"address":"a","learner":false}],"removed":[]}',
  '{"members":[{"id":2,"address":"a","learner":true},{"id":2,"address":"a","learner":true}],"removed":[1]}',
);
const memberships = fc.constantFrom<Membership>(
  membership,
  { members: [], removed: [] },
  { members: [{ id: 7, address: 'x', learner: false }], removed: [1, 2, 3] },
);
const echo = { round: number, sentTick: number };
const base = { from, to: fc.constant(1), term: number };
const messages: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ ...base, type: fc.constant('preVote' as const), lastIndex: number, lastTerm: number }),
  fc.record({ ...base, type: fc.constant('preVoteResponse' as const), granted: fc.boolean() }),
  fc.record({
    ...base,
    type: fc.constant('vote' as const),
    lastIndex: number,
    lastTerm: number,
    transfer: fc.boolean(),
  }),
  fc.record({ ...base, type: fc.constant('voteResponse' as const), granted: fc.boolean() }),
  fc
    .record({
      ...base,
      ...echo,
      type: fc.constant('append' as const),
      previousIndex: number,
      previousTerm: number,
      commit: number,
      shapes: fc.array(fc.tuple(number, fc.constantFrom(0, 1, 2), payload), { maxLength: 4 }),
    })
    .map(({ shapes, ...message }) => ({
      ...message,
      entries: shapes.map(([term, kind, text], i) =>
        entry(message.previousIndex + 1 + i, term, kind as Entry['kind'], text),
      ),
    })),
  fc.record({
    ...base,
    ...echo,
    type: fc.constant('appendResponse' as const),
    index: number,
    rejected: fc.boolean(),
    hintIndex: number,
    hintTerm: number,
  }),
  fc.record({ ...base, ...echo, type: fc.constant('heartbeat' as const), commit: number }),
  fc.record({ ...base, ...echo, type: fc.constant('heartbeatResponse' as const) }),
  fc.record({ ...base, type: fc.constant('commit' as const), commit: number }),
  fc.record({
    ...base,
    ...echo,
    type: fc.constant('snapshot' as const),
    snapshot: fc.record({ index: number, term: number, membership: memberships }),
  }),
  fc.record({ ...base, type: fc.constant('timeoutNow' as const), round: number }),
  fc.record({ ...base, type: fc.constant('readIndex' as const), context: number }),
  fc.record({ ...base, type: fc.constant('readIndexResponse' as const), context: number, index: number }),
);
const step = fc.oneof(
  { weight: 6, arbitrary: messages },
  { weight: 1, arbitrary: fc.constantFrom('tick' as const, 'propose' as const, 'read' as const) },
);

test('no run of messages breaks an invariant of the core, nor what is committed', () => {
  fc.assert(
    fc.property(fc.constantFrom(node, follower, leader), fc.array(step, { maxLength: 40 }), (make, steps) => {
      const one = make();
      const committed: Status[] = [];
      for (const what of steps) {
        if (what === 'tick') one.raft.tick();
        else if (what === 'propose') one.raft.propose(new Uint8Array(1));
        else if (what === 'read') one.raft.readIndex(1);
        else tell(one, what);
        one.drain();
        committed.push(one.raft.status());
      }
      for (let i = 1; i < committed.length; i++) {
        assert.ok(committed[i]!.commit >= committed[i - 1]!.commit, 'the commit index goes back');
        assert.ok(committed[i]!.term <= 2 ** 48);
      }
    }),
    { numRuns: 3000 },
  );
});

test('a learner that is silent, or claims what the log does not hold, gets no vote and blocks nothing', () => {
  const one = leader();
  const { raft } = one;
  const answerOf = (from: number, index: number): Message => ({ ...accepted, term: 4, from, index });
  const commits = (): void => {
    const proposed = raft.propose(Buffer.from('x'))!;
    one.drain();
    assert.equal(tell(one, answerOf(2, proposed.index)), undefined);
    assert.equal(raft.status().commit, proposed.index);
  };
  commits();
  const added = raft.proposeMembership({ kind: 'add-learner', id: 4, address: 'node4' });
  assert.ok('index' in added);
  one.drain();
  assert.equal(tell(one, answerOf(2, added.index)), undefined);
  const promote = (): unknown => raft.proposeMembership({ kind: 'promote', id: 4 });
  // It has said nothing yet.
  assert.deepEqual(promote(), { refused: 'not-caught-up' });
  commits();
  // What it claims to hold is beyond the log.
  for (const index of [raft.status().lastIndex + 1, huge])
    assert.notEqual(tell(one, answerOf(4, index)), undefined);
  assert.deepEqual(promote(), { refused: 'not-caught-up' });
  commits();
  // It seemed to keep up, and then goes silent for an election timeout.
  tell(one, answerOf(4, raft.status().lastIndex));
  for (let i = 0; i < 3 * electionTicks; i++) {
    raft.tick();
    one.drain();
    for (const from of [2, 3])
      tell(one, { type: 'heartbeatResponse', from, to: 1, term: 4, round: 0, sentTick: 0 });
  }
  assert.equal(raft.status().role, 'leader');
  assert.deepEqual(promote(), { refused: 'not-caught-up' });
  commits();
});
