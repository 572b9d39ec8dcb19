/**
 * Faults to break the code with on purpose, one at a time: text that stands in a file exactly once, and what
 * replaces it.
 */

export interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Folders of tests that know this code, below test/. */
  readonly tests: readonly string[];
}

const raft = ['raft'];
const node = ['raft-node'];
const engine = ['engine'];
const program = ['src'];
const cluster = ['cluster'];
const events = ['pubsub', 'tracking'];

export const mutations: readonly Mutation[] = [
  {
    name: 'skip the fsync',
    file: 'raft/node/wal/wal.ts',
    from: "const needSync = this.durability === 'high' || this.mustSync;",
    to: "const needSync = this.durability === 'low' && this.mustSync;",
    tests: node,
  },
  {
    name: 'go on after a failed fsync',
    file: 'raft/node/wal/log-sync.ts',
    from: 'if (error !== null) {',
    to: 'if (error !== null && this.log.hasFailed()) {',
    tests: node,
  },
  {
    name: 'trust the unsynced tail after a restart',
    file: 'raft/node/wal/recovery.ts',
    from: 'if (unsyncedTail.length > 0) await writeFile(file, [unsyncedTail], last.end - unsyncedTail.length);',
    to: '',
    tests: node,
  },
  {
    name: 'ignore checksums in the log',
    file: 'raft/node/wal/record.ts',
    from: "      return 'checksum';",
    to: '      this.checksum = checksum;',
    tests: node,
  },
  {
    name: 'ignore the chain of checksums',
    file: 'raft/node/wal/record.ts',
    from: "if (previous !== undefined && view.getUint32(offset + 8, true) !== previous) return 'chain';",
    to: '',
    tests: node,
  },
  {
    name: 'publish a snapshot without syncing it',
    file: 'raft/node/snapshot/store.ts',
    from: `      await syncFile(this.file);
      await this.file.close();`,
    to: '      await this.file.close();',
    tests: node,
  },
  {
    name: 'publish a snapshot without syncing its folder',
    file: 'raft/node/snapshot/store.ts',
    from: '      await this.disk.syncDirectory(this.directory);\n',
    to: '',
    tests: node,
  },
  {
    name: 'commit what only the leader holds',
    file: 'raft/replication.ts',
    from: 'id === state.id ? log.persistedIndex() : (state.progress.get(id)?.match ?? 0),\n  );\n  if (index <= log.committed',
    to: 'id === 0 ? 0 : log.persistedIndex(),\n  );\n  if (index <= log.committed',
    tests: raft,
  },
  {
    name: "commit earlier terms' entries by counting (figure 8)",
    file: 'raft/replication.ts',
    from: 'if (index <= log.committed || log.term(index) !== state.term) return;',
    to: 'if (index <= log.committed) return;',
    tests: raft,
  },
  {
    name: 'acknowledge before the entries are durable',
    file: 'raft/state.ts',
    from: 'if (promisesEntries || promisesTerm) this.messagesAfterPersist.push(message);',
    to: 'if (promisesTerm) this.messagesAfterPersist.push(message);',
    tests: raft,
  },
  {
    name: 'vote before the vote is durable',
    file: 'raft/state.ts',
    from: 'if (promisesEntries || promisesTerm) this.messagesAfterPersist.push(message);',
    to: 'if (promisesEntries) this.messagesAfterPersist.push(message);',
    tests: raft,
  },
  {
    name: 'forget the vote at a restart',
    file: 'raft/state.ts',
    from: '    this.vote = hardState.vote;',
    to: '    this.vote = 0;',
    tests: raft,
  },
  {
    name: 'forget the vote at once',
    file: 'raft/election.ts',
    from: `    state.vote = from;
    state.electionElapsed = 0;`,
    to: '    state.electionElapsed = 0;',
    tests: raft,
  },
  {
    name: 'vote for a candidate whose log is behind',
    file: 'raft/election.ts',
    from: `    (state.vote === from || (state.vote === 0 && state.leader === 0)) &&
    state.log.isUpToDate(message.lastIndex, message.lastTerm);`,
    to: '    (state.vote === from || (state.vote === 0 && state.leader === 0));',
    tests: raft,
  },
  {
    name: 'drop the no-op of a new leader',
    file: 'raft/election.ts',
    from: 'state.termStartIndex = state.appendOwn(EntryKind.noop, noPayload);',
    to: 'state.termStartIndex = EntryKind.noop + noPayload.length && state.log.lastIndex() + 1;',
    tests: raft,
  },
  {
    name: 'let a learner vote',
    file: 'raft/membership.ts',
    from: 'this.#voters = members.filter((member) => !member.learner).map((member) => member.id);',
    to: 'this.#voters = members.map((member) => member.id);',
    tests: raft,
  },
  {
    name: 'let a learner make a majority',
    file: 'raft/replication.ts',
    from: 'const index = reachedByMajority(state.memberships.voters, (id) =>',
    to: 'const all = [...state.memberships.voters, ...state.memberships.learners];\n  const index = reachedByMajority(all.slice(-Math.max(3, state.memberships.voters.length)), (id) =>',
    tests: raft,
  },
  {
    name: 'ignore the term check in append',
    file: 'raft/replication.ts',
    from: '} else if (!log.matches(previousIndex, previousTerm)) {',
    to: '} else if (previousIndex > log.lastIndex()) {',
    tests: raft,
  },
  {
    name: 'keep a conflicting tail',
    file: 'raft/replication.ts',
    from: '  const conflict = log.findConflict(entries);',
    to: '  const conflict = Math.max(log.findConflict(entries), log.lastIndex() + 1);',
    tests: raft,
  },
  {
    name: 'tell a follower of commits that it may not hold',
    file: 'raft/replication.ts',
    from: 'log.commitTo(Math.min(message.commit, end));',
    to: 'log.commitTo(Math.min(message.commit, log.lastIndex()));',
    tests: raft,
  },
  {
    name: 'two membership changes at once',
    file: 'raft/raft.ts',
    from: "if (state.memberships.index > state.log.committed) return { refused: 'change-in-flight' };",
    to: '',
    tests: raft,
  },
  {
    name: 'change the membership before the own term is committed',
    file: 'raft/raft.ts',
    from: "if (!state.ownTermCommitted) return { refused: 'term-not-committed' };",
    to: '',
    tests: raft,
  },
  {
    name: 'use a removed id again',
    file: 'raft/membership.ts',
    from: "if (membership.removed.includes(id)) return 'removed-id';",
    to: '',
    tests: raft,
  },
  {
    name: 'promote a learner that has not caught up',
    file: 'raft/raft.ts',
    from: "if (!caughtUp) return { refused: 'not-caught-up' };",
    to: "if (!caughtUp && progress === undefined) return { refused: 'not-caught-up' };",
    tests: raft,
  },
  {
    name: 'answer a read index without asking a majority',
    file: 'raft/reads.ts',
    from: 'if (state.soleVoter) {',
    to: 'if (state.round >= 0) {',
    tests: raft,
  },
  {
    name: 'answer a read index before the own term is committed',
    file: 'raft/reads.ts',
    from: 'if (!state.ownTermCommitted) {',
    to: 'if (!state.ownTermCommitted && state.soleVoter) {',
    tests: raft,
  },
  {
    name: 'serve a read without a read index',
    file: 'src/server.ts',
    from: "if (consistency === 'high') return this.consensus.readsAreLocal();",
    to: "if (consistency === 'high') return this.consensus.isLeader;",
    tests: program,
  },
  {
    name: 'serve a read behind a write that was refused',
    file: 'src/client/read-path.ts',
    from: "const mayBeStale = !isApplied && consistency !== 'low';",
    to: 'const mayBeStale = false && !isApplied;',
    tests: program,
  },
  {
    name: 'serve a read by the quorum of a write that was proposed before',
    file: 'src/client/read-path.ts',
    from: "((consistency === 'high' && !consensus.readsAreLocal()) ||",
    to: '(!server.isLeader ||',
    tests: program,
  },
  {
    name: 'give a late reply to a client that was told that the outcome is unknown',
    file: 'src/client/connection.ts',
    from: 'if (this.isWaiting) this.complete(reply);',
    to: 'this.complete(reply);',
    tests: program,
  },
  {
    name: 'answer a forwarded read behind an old write of a late leader',
    file: 'src/client/read-path.ts',
    from: '(connection.forwardedBy !== 0 && consensus.isBehind));',
    to: 'false);',
    tests: program,
  },
  {
    name: 'say "refused" where nobody knows',
    file: 'src/replication/replica.ts',
    from: 'entry.targets[ordinal]?.outcomeUnknown(why);',
    to: 'entry.targets[ordinal]?.outcomeUnknown(replies.notLeader());',
    tests: program,
  },
  {
    name: 'answer before commit',
    file: 'src/replication/replica.ts',
    from: `    this.pending.set(proposed.index, entry);
`,
    to: `    this.pending.set(proposed.index, entry);
    this.apply([{ index: proposed.index, term: proposed.term, kind: EntryKind.command, payload }]);
`,
    tests: program,
  },
  {
    name: 'apply twice on restart',
    file: 'src/replication/state-machine.ts',
    from: 'if (this.replica === undefined) replay(this.engine, entries);',
    to: 'if (this.replica === undefined) replay(this.engine, [...entries, ...entries]);',
    tests: program,
  },
  {
    name: 'expiry by the local clock',
    file: 'src/replication/replica.ts',
    from: '          this.engine.apply(entry.index, buffer, this);',
    to: '          this.engine.setTime(this.clock.wallMs());\n          this.engine.apply(entry.index, buffer, this);',
    tests: program,
  },
  {
    name: 'stamps that follow a clock set back',
    file: 'engine/engine.ts',
    from: 'if (nowMs > keyspace.now) keyspace.now = nowMs;',
    to: 'keyspace.now = nowMs;',
    tests: engine,
  },
  {
    name: 'SPOP with local randomness',
    file: 'engine/engine.ts',
    from: '    this.random.seed(entry.seedLow, entry.seedHigh);\n',
    to: '',
    tests: engine,
  },
  {
    name: 'restore a snapshot without order',
    file: 'engine/snapshot/restore.ts',
    from: `      const slot = this.place(items[i], size!);
`,
    to: `      const slot = size! - 1 - this.place(items[i], size!);
`,
    tests: engine,
  },
  {
    name: 'a snapshot without what changes while it is written',
    file: 'engine/snapshot/dictionary-walk.ts',
    from: `    this.ahead[slot >>> 3] |= bit;
    this.visit(slot);`,
    to: '    this.ahead[slot >>> 3] |= 0;',
    tests: engine,
  },
  {
    name: 'a snapshot without waiting clients',
    file: 'engine/snapshot/cut.ts',
    from: 'this.waiters = [...source.waiters.all()];',
    to: 'this.waiters = [...source.waiters.all()].slice(0, 0);',
    tests: engine,
  },
  {
    name: 'WATCH that sees nothing',
    file: 'engine/storage/keyspace.ts',
    from: 'if (this.lastWrite(databaseId, key) > position) return true;',
    to: '',
    tests: engine,
  },
  {
    name: 'a new leader keeps waiting clients',
    file: 'src/replication/replica.ts',
    from: 'if (entry.kind === EntryKind.noop) this.engine.dropWaiters(this);',
    to: '',
    tests: program,
  },
  {
    name: 'a pulse also extends the lease',
    file: 'raft/election.ts',
    from: 'if (progress !== undefined) progress.pulseTick = state.ticks;',
    to: 'if (progress !== undefined) progress.pulseTick = progress.leaseTick = state.leaseClock;',
    tests: raft,
  },
  {
    name: 'a pulse makes whoever sends it the leader',
    file: 'raft/election.ts',
    from: "state.role === 'follower' && leads && from === state.leader) {",
    to: "state.role === 'follower' && leads) {\n    setLeader(state, from);",
    tests: raft,
  },
  {
    name: 'a lease that is judged by the last tick',
    file: 'raft/node/raft-node.ts',
    from: 'return this.raft.leaseValid(this.ticker.passed());',
    to: 'return this.raft.leaseValid(0);',
    tests: node,
  },
  {
    name: 'an abandoned transfer leaves the lease alone',
    file: 'raft/transfer.ts',
    from: 'if (state.transferSent) state.abandonedTransfers.set(state.transferTarget, state.round);',
    to: '',
    tests: raft,
  },
  {
    name: 'obey a transfer that was abandoned',
    file: 'raft/election.ts',
    from: '  if (message.round < state.leaderRound) return;\n',
    to: '',
    tests: raft,
  },
  {
    name: 'a restarted voter votes at once',
    file: 'raft/election.ts',
    from: '  if (state.ticks < state.quietUntilTick && !state.soleVoter) return true;\n',
    to: '',
    tests: raft,
  },
  {
    name: 'a leader keeps its lead whatever its disk does',
    file: 'raft/node/raft-node.ts',
    from: '    this.raft.setDiskAnswers(news.answers);\n',
    to: '',
    tests: node,
  },
  {
    name: 'a frame in pieces ends one piece early',
    file: 'raft/node/peer/bulk.ts',
    from: 'return this.filled === this.body.length;',
    to: 'return this.filled + pieceBytes >= this.body.length;',
    tests: node,
  },
  {
    name: 'an append passes the one before it',
    file: 'raft/node/peer/peer-socket.ts',
    from: 'if (length <= pieceBytes && this.bulk.isEmpty) {',
    to: 'if (length <= pieceBytes) {',
    tests: node,
  },
  {
    name: 'a pulse that goes on while the disk hangs',
    file: 'raft/node/peer/pulse.ts',
    from: 'if (standing === silent || waitsForDisk || busyMs > boundMs) return undefined;',
    to: 'if (standing === silent || busyMs > boundMs) return undefined;',
    tests: node,
  },
  {
    name: 'a pulse without a bound',
    file: 'raft/node/peer/pulse.ts',
    from: 'if (standing === silent || waitsForDisk || busyMs > boundMs) return undefined;',
    to: 'if (standing === silent || waitsForDisk) return undefined;',
    tests: node,
  },
  {
    name: 'who joins a running sync is released by it',
    file: 'raft/node/wal/log-sync.ts',
    from: `        this.waiters = [];
        this.start(() => {
          for (const waiter of waiters) waiter();
        });`,
    to: `        this.waiters = [];
        for (const waiter of waiters) waiter();`,
    tests: node,
  },
  {
    name: 'a sync vouches for what was written while it ran',
    file: 'raft/node/wal/log-sync.ts',
    from: 'this.position = Math.max(this.position, target);',
    to: 'this.position = Math.max(target, this.segments.position);',
    tests: node,
  },
  {
    name: 'a forwarded EXEC goes through although the watched leader is gone',
    file: 'src/cluster/forwarder.ts',
    from: 'return watchedOn !== undefined && watchedOn !== upstream;',
    to: 'return watchedOn === undefined && upstream === undefined;',
    tests: cluster,
  },
  {
    name: 'the gone client of a BLPOP is not forgotten',
    file: 'src/client/connection.ts',
    from: "    if (this.queue.blockedBy === 'log') this.server.forget(this.session);\n",
    to: '',
    tests: program,
  },
  {
    name: 'a read index is answered by a round that was sent before',
    file: 'raft/reads.ts',
    from: 'index: state.log.committed, round: state.round + 1 };',
    to: 'index: state.log.committed, round: state.round };',
    tests: raft,
  },
  {
    name: 'writes that were truncated count',
    file: 'raft/log.ts',
    from: '    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);\n',
    to: '',
    tests: raft,
  },
  {
    name: 'a leader counts itself before its own sync',
    file: 'raft/replication.ts',
    from: 'id === state.id ? log.persistedIndex() : (state.progress.get(id)?.match ?? 0),',
    to: 'id === state.id ? log.lastIndex() : (state.progress.get(id)?.match ?? 0),',
    tests: raft,
  },
  {
    name: 'votes of another term count',
    file: 'raft/raft.ts',
    from: "if (type !== 'preVote' && type !== 'vote' && type !== 'preVoteResponse' && type !== 'snapshot') return;",
    to: "if (type !== 'preVote' && !type.startsWith('vote') && type !== 'preVoteResponse' && type !== 'snapshot') return;",
    tests: raft,
  },
  {
    name: 'acknowledgements of another term count',
    file: 'raft/raft.ts',
    from: "if (type !== 'preVote' && type !== 'vote' && type !== 'preVoteResponse' && type !== 'snapshot') return;",
    to: "if (type !== 'preVote' && type !== 'vote' && type !== 'preVoteResponse' && type !== 'appendResponse' && type !== 'snapshot') return;",
    tests: raft,
  },
  {
    name: 'a snapshot discards a longer log that matches',
    file: 'raft/replication.ts',
    from: 'if (log.matches(snapshot.index, snapshot.term)) {',
    to: 'if (log.matches(snapshot.index, snapshot.term) && log.lastIndex() === snapshot.index) {',
    tests: raft,
  },
  {
    name: 'the membership is not rolled back',
    file: 'raft/replication.ts',
    from: '      state.memberships.truncatedFrom(conflict);\n',
    to: '',
    tests: raft,
  },
  {
    name: 'no check of the quorum',
    file: 'raft/election.ts',
    from: 'return state.ticks - heard >= state.config.electionTicks;',
    to: 'return heard > state.ticks;',
    tests: raft,
  },
  {
    name: 'a vote within a lease',
    file: 'raft/raft.ts',
    from: 'if (inLease(state) && !(message.transfer && state.memberships.isVoter(from))) return;',
    to: '',
    tests: raft,
  },
  {
    name: 'a pre-vote within a lease',
    file: 'raft/election.ts',
    from: '    !inLease(state) &&\n    state.log.isUpToDate',
    to: '    state.log.isUpToDate',
    tests: raft,
  },
  {
    name: 'anybody may tell a follower to campaign',
    file: 'raft/election.ts',
    from: "if (state.role !== 'follower' || message.from !== state.leader || !state.promotable) return;",
    to: "if (state.role !== 'follower' || !state.promotable) return;",
    tests: raft,
  },
  {
    name: 'a lease counts from the first moment of a leadership',
    file: 'raft/election.ts',
    from: 'const leaseTick = state.leaseClock - state.config.electionTicks;',
    to: 'const leaseTick = state.leaseClock;',
    tests: raft,
  },
  {
    name: 'an answer renews the lease from when it comes, not from when it was asked for',
    file: 'raft/replication.ts',
    from: 'progress.leaseTick = Math.max(progress.leaseTick, echo.sentTick);',
    to: 'progress.leaseTick = Math.max(progress.leaseTick, state.leaseClock);',
    tests: raft,
  },
  {
    name: 'a long element that is lent is changed in place',
    file: 'engine/storage/slab.ts',
    from: 'if (address >= 0 || !this.lent.has(buffer)) return buffer;',
    to: 'if (address >= 0 || buffer.length > 0) return buffer;',
    tests: engine,
  },
  {
    name: 'removed nodes are heard',
    file: 'raft/raft.ts',
    from: '  if (state.isRemoved(from))\n',
    to: '  if (state.isRemoved(from) && from === 0)\n',
    tests: raft,
  },
  {
    name: 'what another node has written invalidates nothing',
    file: 'src/tracking/tracking.ts',
    from: 'if (id !== actor) this.send(client, message);',
    to: 'if (id !== actor && actor !== 0) this.send(client, message);',
    tests: events,
  },
  {
    name: 'a change before the reply of a read that the leader answers is not told',
    file: 'src/tracking/tracking.ts',
    from: '    if (changed.length > 0) this.send(client, new Invalidation(changed));\n',
    to: '',
    tests: events,
  },
  {
    name: 'caches are not told of a snapshot that took the place of entries',
    file: 'src/client/audience.ts',
    from: '    this.tracking.hasMissed();\n',
    to: '',
    tests: events,
  },
  {
    name: 'a message is delivered twice',
    file: 'src/pubsub/subscriptions.ts',
    from: '      present.deliver(made);\n      return 1;',
    to: '      present.deliver(made);\n      present.deliver(made);\n      return 1;',
    tests: events,
  },
  {
    name: 'messages are delivered by the node that proposed them alone',
    file: 'src/replication/replica.ts',
    from: 'return this.events.publish(channel, message, isSharded);',
    to: 'return this.applying === undefined ? 0 : this.events.publish(channel, message, isSharded);',
    tests: events,
  },
  {
    name: 'keyspace events come behind the messages of their turn',
    file: 'src/pubsub/keyspace-notifications.ts',
    from: 'happened: (database, key, event) => this.tell(database, key, event),',
    to: `happened: (database, key, event) => {
        const copy = viewOf(key.latin1());
        queueMicrotask(() => this.tell(database, copy, event));
      },`,
    tests: events,
  },
  {
    name: 'no keyspace events any more behind a snapshot that was installed',
    file: 'src/pubsub/keyspace-notifications.ts',
    from: 'if (this.keyspace === wanted) return;',
    to: 'if (this.keyspace === wanted || (wanted !== undefined && this.keyspace !== undefined)) return;',
    tests: events,
  },
  {
    name: 'a node that starts again tells once more what was in its log',
    file: 'src/client/audience.ts',
    from: '    if (this.lastBefore === undefined || this.ports.engine().appliedIndex < this.lastBefore) return 0;\n',
    to: '',
    tests: events,
  },
];
