import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Entry, EntryKind, emptyMembership } from '../../raft/index.js';
import { entryOverheadBytes, Log } from '../../raft/log.js';
import { MemoryStorage } from './memory-storage.js';

const encoder = new TextEncoder();

function entry(index: number, term: number, content = `${index}/${term}`): Entry {
  return { index, term, kind: EntryKind.command, payload: encoder.encode(content) };
}

/** A log whose first entries, of the given terms, are on disk. */
function logOf(terms: readonly number[], snapshotIndex = 0): { log: Log; storage: MemoryStorage } {
  const storage = new MemoryStorage({
    index: snapshotIndex,
    term: snapshotIndex === 0 ? 0 : 1,
    membership: emptyMembership,
  });
  storage.append(terms.map((term, place) => entry(snapshotIndex + place + 1, term)));
  return { log: new Log(storage, snapshotIndex, snapshotIndex), storage };
}

/** Writes what a Ready carries, as the body does. */
function write(log: Log, storage: MemoryStorage, sequence: number): void {
  const { entries, snapshot } = log.takeUnwritten(sequence);
  if (snapshot !== undefined) storage.install(snapshot);
  storage.append(entries);
}

const indexes = (entries: readonly Entry[] | undefined) => entries?.map(({ index }) => index);

test('entries come from the disk, from the tail, and across both', () => {
  const { log } = logOf([1, 1, 1]);
  log.append(entry(4, 2));
  log.append(entry(5, 2));
  assert.equal(log.lastIndex(), 5);
  assert.equal(log.lastTerm(), 2);
  assert.equal(log.persistedIndex(), 3);
  assert.deepEqual(indexes(log.entries(1, 3, 1000)), [1, 2]);
  assert.deepEqual(indexes(log.entries(4, 6, 1000)), [4, 5]);
  assert.deepEqual(indexes(log.entries(2, 6, 1000)), [2, 3, 4, 5]);
  assert.deepEqual(indexes(log.entries(6, 6, 1000)), []);
});

test('at least one entry, and no more than the bytes allow, wherever they lie', () => {
  const { log } = logOf([1, 1, 1]);
  for (let index = 4; index <= 6; index++) log.append(entry(index, 2));
  const each = 3 + entryOverheadBytes;
  for (let low = 1; low <= 6; low++) {
    assert.deepEqual(indexes(log.entries(low, 7, 0)), [low]);
    const two = indexes(log.entries(low, 7, 2 * each))!;
    assert(two.length >= 1 && two.length <= 2, `${two}`);
    assert.deepEqual(indexes(log.entries(low, 7, 6 * each))?.at(-1), 6);
  }
});

test('what is compacted is not there', () => {
  const { log } = logOf([1, 1], 10);
  assert.equal(log.firstIndex(), 11);
  assert.equal(log.term(10), 1);
  assert.equal(log.term(9), undefined);
  assert.equal(log.term(13), undefined);
  assert.equal(log.entries(10, 12, 1000), undefined);
});

test('persisted entries leave the tail', () => {
  const { log, storage } = logOf([]);
  log.append(entry(1, 1));
  write(log, storage, 1);
  log.append(entry(2, 1));
  assert(log.hasUnwritten());
  write(log, storage, 2);
  assert(!log.hasUnwritten());
  log.persistedTo(1);
  assert.equal(log.persistedIndex(), 1);
  log.persistedTo(2);
  assert.equal(log.persistedIndex(), 2);
  assert.deepEqual(indexes(log.entries(1, 3, 1000)), [1, 2]);
});

test('a write of what was overwritten meanwhile proves nothing, even if the same entry came back', () => {
  const { log } = logOf([1]);
  log.append(entry(2, 1));
  log.takeUnwritten(1);
  log.truncateFrom(2);
  log.append(entry(2, 2));
  log.takeUnwritten(2);
  log.truncateFrom(2);
  log.append(entry(2, 3));
  log.takeUnwritten(3);
  log.persistedTo(1);
  assert.equal(log.persistedIndex(), 1);
  log.persistedTo(2);
  assert.equal(log.persistedIndex(), 1);
  log.persistedTo(3);
  assert.equal(log.persistedIndex(), 2);
});

test('what a truncation leaves of a write counts', () => {
  const { log } = logOf([]);
  for (let index = 1; index <= 3; index++) log.append(entry(index, 1));
  log.takeUnwritten(1);
  log.truncateFrom(3);
  log.append(entry(3, 2));
  log.persistedTo(1);
  assert.equal(log.persistedIndex(), 2);
  assert.equal(log.lastIndex(), 3);
});

test('committed entries cannot be overwritten', () => {
  const { log } = logOf([1, 1]);
  log.commitTo(2);
  assert.throws(() => log.truncateFrom(2), /committed entry 2/);
  assert.throws(() => log.commitTo(3), /beyond the last entry/);
  assert.throws(() => log.append(entry(4, 1)), /ends at 2/);
  assert.throws(() => log.append(entry(3, 0)), /behind one of term 1/);
});

test('a log that ends below its commit index is refused at the start', () => {
  const { storage } = logOf([1, 1]);
  assert.throws(() => new Log(storage, 3, 0), /lost its end/);
});

test('entries are delivered once, in pieces, when committed and on disk', () => {
  const { log, storage } = logOf([1]);
  log.append(entry(2, 1));
  log.append(entry(3, 1));
  write(log, storage, 1);
  log.commitTo(3);
  assert.deepEqual(indexes(log.takeDeliverable(1000)), [1]);
  assert(!log.hasDeliverable());
  log.persistedTo(1);
  assert.deepEqual(indexes(log.takeDeliverable(1)), [2]);
  assert.deepEqual(indexes(log.takeDeliverable(1)), [3]);
  assert.deepEqual(indexes(log.takeDeliverable(1)), []);
  assert.throws(() => log.appliedTo(4), /before it was handed out/);
});

test('a snapshot hides the disk until it is written, and holds back what follows until it is installed', () => {
  const { log, storage } = logOf([1, 1, 1]);
  const snapshot = { index: 10, term: 2, membership: emptyMembership };
  log.restore(snapshot);
  assert.deepEqual([log.firstIndex(), log.lastIndex(), log.committed, log.persistedIndex()], [11, 10, 10, 0]);
  assert.equal(log.term(10), 2);
  assert.equal(log.term(3), undefined);
  log.append(entry(11, 2));
  log.commitTo(11);
  write(log, storage, 1);
  log.persistedTo(1);
  assert.equal(log.persistedIndex(), 11);
  assert(!log.hasDeliverable());
  log.installed(10);
  assert.equal(log.applied, 10);
  assert.deepEqual(indexes(log.takeDeliverable(1000)), [11]);
});

test('a log is up to date by its last term, then by its length', () => {
  const { log } = logOf([1, 3]);
  assert(log.isUpToDate(2, 3));
  assert(log.isUpToDate(3, 3));
  assert(log.isUpToDate(1, 4));
  assert(!log.isUpToDate(1, 3));
  assert(!log.isUpToDate(9, 2));
});

test('two logs find where they part in fewer rounds than they have terms', () => {
  const terms = fc
    .array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 })
    .map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(terms, terms, terms, (common, left, right) => {
      const last = common.at(-1) ?? 0;
      const leader = logOf([...common, ...left.map((term) => last + 2 * term)]).log;
      const follower = logOf([...common, ...right.map((term) => last + 2 * term + 1)]).log;
      let probe = leader.lastIndex();
      let rounds = 0;
      while (!follower.matches(probe, probe === 0 ? 0 : leader.term(probe)!)) {
        const hint = follower.lastWithTermAtMost(Math.min(probe, follower.lastIndex()), leader.term(probe)!);
        const next = leader.lastWithTermAtMost(hint.index, hint.term).index;
        assert(next < probe, 'each round goes back');
        assert(next >= common.length, 'no entry in common is skipped');
        probe = next;
        rounds++;
      }
      assert(probe >= common.length);
      assert(rounds <= new Set(left).size + 1, `${rounds} rounds`);
    }),
  );
});
