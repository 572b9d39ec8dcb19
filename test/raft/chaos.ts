/**
 * Cores under a network that loses, doubles and reorders, on disks that lag, with crashes, partitions,
 * membership changes, transfers and snapshots, all drawn from one seed. After each step the properties of the
 * Raft paper's figure 3 must hold.
 */
import assert from 'node:assert/strict';
import {
  decodeMembership,
  type Entry,
  EntryKind,
  emptyMembership,
  type Membership,
  type Message,
  majority,
  type NodeId,
  type Raft,
} from '../../raft/index.js';
import { era, type Stage } from './eras.js';
import { Host } from './host.js';
import { MemoryStorage } from './memory-storage.js';

/** mulberry32: small, and the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface ChaosOptions {
  readonly founders: number;
  /** Nodes that may ever exist. */
  readonly mostNodes: number;
  readonly steps: number;
  /**
   * All clocks tick together, and nobody restarts or hands over: then at most one leader may hold a lease at
   * any time.
   */
  readonly isLockstep: boolean;
  /** A short and violent run: it begins with an election, and something strikes at every few steps. */
  readonly isSearch?: boolean;
  /** Share of the steps that are whole elections, between 0 and 1. Default 0. */
  readonly eras?: number;
  /** Whether the faults end, and all must become even, at the end. Default true. */
  readonly recovers?: boolean;
}

interface AskedRead {
  readonly node: NodeId;
  /** What anybody knew to be committed when the read was asked. */
  readonly committed: number;
}

const encoder = new TextEncoder();

export class Chaos {
  readonly #random: () => number;
  readonly #hosts = new Map<NodeId, Host>();
  #network: Message[] = [];
  #groups: Map<NodeId, number> | undefined;
  /** Nodes that stand still, with the ticks that they missed. */
  readonly #paused = new Map<Host, number>();
  /** Messages that arrive when the weather changes. */
  #late: Message[] = [];
  /** Links that are cut in one direction, as `from>to`. */
  readonly #cutLinks = new Set<string>();
  /** Share of messages that are lost, between 0 and 1. */
  #loss = 0;
  /** Nodes whose clocks run at a tenth of the others' speed. */
  #slowClocks = new Set<NodeId>();
  /** How often machines die in this run, between 0 and 1. */
  readonly #severity: number;
  #proposals = 0;
  #contexts = 0;
  #calm = false;

  readonly #leaderOfTerm = new Map<number, NodeId>();
  /**
   * Every entry ever seen, by index and term, with the term of its predecessor: log matching by induction.
   */
  readonly #seen = new Map<string, { previousTerm: number | undefined; content: string }>();
  /** `index/term` and content of all that was ever committed, by index. */
  readonly #committed: string[] = [];
  /** The term of the node that was first seen to apply it. */
  readonly #committedInTerm: number[] = [];
  /** The commit index that each core had when it was last looked at. */
  readonly #commits = new WeakMap<Raft, number>();
  readonly #reads = new Map<number, AskedRead>();
  /** How often each kind of event happened: a run in which nothing happens proves nothing. */
  readonly counts = new Map<string, number>();

  constructor(
    seed: number,
    readonly options: ChaosOptions,
  ) {
    this.#random = seededRandom(seed);
    this.#severity = [0.1, 0.4, 1][this.#below(3)]!;
    const members = [];
    for (let id = 1; id <= options.founders; id++) members.push({ id, address: `node${id}`, learner: false });
    for (let id = 1; id <= options.founders; id++) this.#addHost(id, { members, removed: [] });
  }

  #addHost(id: NodeId, membership: Membership): void {
    const storage = new MemoryStorage({ index: 0, term: 0, membership });
    const config = {
      id,
      electionTicks: 10,
      heartbeatTicks: 2,
      random: this.#random,
      maxAppendBytes: 60,
      maxInflightAppends: 4,
      maxInflightBytes: 200,
      maxCommittedBytes: 100,
    };
    this.#hosts.set(
      id,
      new Host(
        config,
        storage,
        (message) => this.#send(message),
        (entry, previousTerm) => this.#checkEntry(entry, previousTerm),
      ),
    );
  }

  run(): void {
    const { isSearch = false, recovers = true, steps, isLockstep, eras = 0 } = this.options;
    if (isSearch) this.#begin();
    for (let step = 0; step < steps; step++) {
      if (eras > 0 && this.#random() < eras) this.#era();
      else if (isSearch && this.#random() < 0.12) this.#strike();
      else this.#act();
      if (isLockstep) this.#checkLeases();
    }
    if (recovers) this.#recover();
  }

  /** Somebody leads, and has committed something. */
  #begin(): void {
    const host = this.#anyHost();
    host.raft.campaign();
    this.#settle();
    this.#propose(host);
    if (this.#random() < 0.5) this.#settle();
  }

  /** What schedules hide behind: time that passes for one node, crashes, and messages of another age. */
  #strike(): void {
    const dice = this.#random();
    if (dice < 0.3) {
      this.#wait(this.#anyHost(), 2 + this.#below(24));
    } else if (dice < 0.6) this.#settle(1 + this.#below(4));
    else if (dice < 0.68)
      this.#crash(this.#random() < 0.4 ? (this.#leader() ?? this.#anyHost()) : this.#anyHost());
    else if (dice < 0.76) this.#changeWeather();
    else if (dice < 0.84) for (let i = 0; i < 6; i++) this.#deliver(this.#below(this.#network.length), true);
    else if (dice < 0.92) for (let i = 0; i < 3; i++) this.#propose(this.#leader());
    else this.#administer();
  }

  #wait(host: Host, ticks: number): void {
    for (; ticks > 0; ticks--) host.raft.tick();
    this.#check(host);
  }

  #era(): void {
    this.#count('era');
    const stage: Stage = {
      network: this.#network,
      below: (limit) => this.#below(limit),
      chance: (share) => this.#random() < share,
      hosts: () => [...this.#hosts.values()].filter((host) => !this.#paused.has(host)),
      deliver: (place) => this.#deliver(place, false),
      process: (host) => this.#process(host),
      persist: (host) => this.#persist(host),
      propose: (host) => this.#propose(host),
      administer: (host) => this.#administer(host),
      read: (host) => this.#read(host),
      crash: (host) => this.#crash(host),
      wait: (host, ticks) => this.#wait(host, ticks),
    };
    for (const host of era(stage)) checkMembership(host);
  }

  #count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Any node that does not stand still. */
  #anyHost(): Host {
    const hosts = [...this.#hosts.values()].filter((host) => !this.#paused.has(host));
    const host = hosts[this.#below(hosts.length)];
    if (host !== undefined) return host;
    const resumed = [...this.#paused.keys()][0]!;
    this.#resume(resumed);
    return resumed;
  }

  #stands(id: NodeId): boolean {
    const host = this.#hosts.get(id);
    return host !== undefined && this.#paused.has(host);
  }

  #leader(): Host | undefined {
    let best: Host | undefined;
    for (const host of this.#hosts.values()) {
      const { role, term } = host.raft.status();
      if (this.#paused.has(host)) continue;
      if (role === 'leader' && (best === undefined || term > best.raft.status().term)) best = host;
    }
    return best;
  }

  #send(message: Message): void {
    if (message.type === 'append') {
      let { previousTerm } = message;
      for (const entry of message.entries) {
        this.#checkEntry(entry, previousTerm);
        previousTerm = entry.term;
      }
    }
    const apart =
      (this.#groups !== undefined && this.#groups.get(message.from) !== this.#groups.get(message.to)) ||
      this.#cutLinks.has(`${message.from}>${message.to}`);
    if (apart || (this.#random() < this.#loss && !this.#calm)) this.#lost(message);
    else if (this.#random() < 0.03 && !this.#calm) this.#late.push(message);
    else this.#network.push(message);
  }

  #lost(message: Message): void {
    this.#count('lost');
    if (message.type === 'snapshot') this.#hosts.get(message.from)!.raft.reportSnapshot(message.to, false);
  }

  #act(): void {
    const dice = this.#random();
    if (dice < 0.45) this.#deliver(this.#below(this.#network.length), this.#random() < 0.03);
    else if (dice < 0.65) this.#process(this.#anyHost());
    else if (dice < 0.78) this.#persist(this.#anyHost());
    else if (dice < 0.88) this.#tick(this.#anyHost());
    else if (dice < 0.94) this.#propose(this.#random() < 0.8 ? this.#leader() : this.#anyHost());
    else if (dice < 0.965) this.#read(this.#anyHost());
    else if (dice < 0.977) this.#administer();
    else if (dice < 0.985) this.#cutSnapshot(this.#anyHost());
    else if (dice < 0.99) {
      if (!this.options.isLockstep && this.#random() < this.#severity) this.#crash(this.#anyHost());
    } else if (dice < 0.992) this.#changeWeather();
    else if (dice < 0.994) {
      const host = this.#anyHost();
      host.slowInstall = !host.slowInstall;
      if (!host.slowInstall) host.finishInstall();
    } else if (dice < 0.997) this.#stall(this.#leader() ?? this.#anyHost());
    else {
      const host = this.#anyHost();
      host.raft.reportUnreachable(this.#anyHost().raft.id);
    }
  }

  #deliver(place: number, twice: boolean): void {
    const message = this.#network[place];
    if (message === undefined || this.#stands(message.to)) return;
    if (!twice) {
      this.#network[place] = this.#network[this.#network.length - 1]!;
      this.#network.pop();
    }
    const host = this.#hosts.get(message.to);
    if (host === undefined) return;
    this.#count(message.type);
    host.raft.step(message);
    if (message.type === 'snapshot') {
      this.#hosts.get(message.from)!.raft.reportSnapshot(message.to, this.#random() < 0.8);
    }
    this.#check(host);
  }

  #process(host: Host): void {
    if (!host.raft.hasReady()) return;
    const ready = host.take();
    if (ready.snapshot !== undefined) this.#count('snapshot installed');
    for (const entry of ready.committed) this.#checkCommitted(host, entry);
    for (const { context, index } of ready.readStates) {
      const read = this.#reads.get(context);
      assert(read !== undefined && read.node === host.raft.id, `read ${context} answered twice or elsewhere`);
      assert(index >= read.committed, `read ${context} at ${index} misses entry ${read.committed}`);
      this.#reads.delete(context);
      this.#count('read answered');
    }
    for (const context of ready.readsDropped) {
      assert(this.#reads.delete(context), `read ${context} dropped twice`);
      this.#count('read dropped');
    }
    this.#check(host);
  }

  #persist(host: Host): void {
    if (host.writes.length === 0) return;
    host.persist(1 + this.#below(host.writes.length));
    this.#check(host);
  }

  #propose(host: Host | undefined): void {
    if (host?.raft.propose(encoder.encode(`value ${++this.#proposals}`)) !== undefined)
      this.#count('proposed');
  }

  #read(host: Host): void {
    const context = ++this.#contexts;
    if (!host.raft.readIndex(context)) return;
    this.#reads.set(context, { node: host.raft.id, committed: this.#committed.length - 1 });
  }

  #crash(host: Host): void {
    for (const [context, read] of this.#reads) {
      if (read.node === host.raft.id) this.#reads.delete(context);
    }
    this.#count('crash');
    const kept = this.#below(host.writes.length + 1);
    host.crash(kept, this.#below((host.writes[kept]?.entries.length ?? 0) + 1));
    this.#check(host);
  }

  #cutSnapshot(host: Host): void {
    // While a snapshot is on its way to the disk or the state machine, there is nothing to cut.
    if (host.installing !== undefined || host.raft.status().firstIndex !== host.storage.firstIndex()) return;
    host.cutSnapshot();
    const { index } = host.storage.snapshot();
    const tail = this.#below(6);
    const compactTo = Math.max(index - tail, host.storage.firstIndex() - 1);
    host.storage.compact(compactTo);
    this.#count('snapshot cut');
  }

  #administer(host = this.#leader() ?? this.#anyHost()): void {
    const target = 1 + this.#below(this.options.mostNodes);
    const dice = this.#below(5);
    if (dice === 0) {
      if (this.options.isLockstep) return;
      if (host.raft.transferLeadership(target)) this.#count('transfer');
      return;
    }
    const kinds = ['add-learner', 'promote', 'promote', 'remove'] as const;
    const kind = kinds[dice - 1]!;
    const { members } = host.raft.status().membership;
    // Below three voters, chaos could only stop the cluster.
    if (kind === 'remove' && members.filter((member) => !member.learner).length <= 3) return;
    if (kind === 'add-learner' && !this.#hosts.has(target)) this.#addHost(target, emptyMembership);
    const result = host.raft.proposeMembership({ kind, id: target, address: `node${target}` });
    if (!('refused' in result)) this.#count(kind);
    this.#check(host);
  }

  #tick(host: Host): void {
    if (this.options.isLockstep) {
      // Time passes for all at once, so it must pass less often for messages to keep up with it.
      if (this.#random() < 0.25) this.#tickAll();
      return;
    }
    if (this.#slowClocks.has(host.raft.id) && this.#random() < 0.9) return;
    host.raft.tick();
    this.#check(host);
  }

  /** A node's event loop stands still; with clocks in step, for as long as the others' clocks tell. */
  #stall(host: Host): void {
    if (!this.options.isLockstep) host.raft.stalled(this.#below(30));
    else if (!this.#paused.has(host)) this.#paused.set(host, 0);
  }

  #resume(host: Host): void {
    const missed = this.#paused.get(host);
    if (missed === undefined) return;
    this.#paused.delete(host);
    host.raft.stalled(missed);
  }

  /** A leader's tick comes first: its lease is over at the very tick at which the others may vote again. */
  #tickAll(): void {
    const hosts = [...this.#hosts.values()];
    const leads = (host: Host) => (host.raft.status().role === 'leader' ? 0 : 1);
    for (const host of hosts.sort((a, b) => leads(a) - leads(b))) {
      const missed = this.#paused.get(host);
      if (missed === undefined) {
        host.raft.tick();
        this.#check(host);
      } else {
        this.#paused.set(host, missed + 1);
        if (this.#random() < 0.07) this.#resume(host);
      }
    }
  }

  #checkLeases(): void {
    const holders = [...this.#hosts.values()].filter(
      (host) => !this.#paused.has(host) && host.raft.leaseValid(),
    );
    assert(holders.length <= 1, `nodes ${holders.map((host) => host.raft.id).join(' and ')} hold leases`);
    if (holders.length === 1) this.#count('lease held');
  }

  #changeWeather(): void {
    this.#network.push(...this.#late);
    this.#late = [];
    this.#loss = this.#random() < 0.5 ? 0 : this.#random() * 0.4;
    this.#groups = undefined;
    this.#slowClocks.clear();
    this.#cutLinks.clear();
    const dice = this.#random();
    if (dice < 0.3) return;
    if (dice < 0.5) {
      this.#count('cut links');
      for (let cut = 0; cut < 3; cut++) {
        const from = this.#leader()?.raft.id ?? 1 + this.#below(this.options.mostNodes);
        this.#cutLinks.add(`${from}>${1 + this.#below(this.options.mostNodes)}`);
      }
      return;
    }
    this.#count('partition');
    this.#groups = new Map();
    for (let id = 1; id <= this.options.mostNodes; id++) this.#groups.set(id, this.#below(2));
    const leader = this.#leader();
    if (dice < 0.7 || leader === undefined) return;
    // A leader with a slow clock, alone: the others replace it before it notices.
    for (const id of this.#groups.keys()) this.#groups.set(id, id === leader.raft.id ? 0 : 1);
    if (!this.options.isLockstep) this.#slowClocks.add(leader.raft.id);
  }

  /**
   * Faults end; the cluster must make progress within a bounded number of ticks, and all must become equal.
   */
  #recover(): void {
    this.#calm = true;
    this.#network.push(...this.#late);
    this.#late = [];
    this.#groups = undefined;
    this.#cutLinks.clear();
    for (const host of this.#hosts.values()) {
      this.#resume(host);
      host.slowInstall = false;
      host.finishInstall();
    }
    const proposed = encoder.encode('after the storm');
    let accepted = false;
    for (let tick = 0; tick < 400; tick++) {
      for (const host of this.#hosts.values()) host.raft.tick();
      this.#settle();
      const leader = this.#leader();
      if (!accepted && tick >= 200 && leader !== undefined) {
        accepted = leader.raft.propose(proposed) !== undefined;
        if (accepted) this.#settle();
      }
    }
    assert(accepted, 'no leader accepts a proposal after the faults ended');
    const leader = this.#leader()!;
    const { commit, lastIndex, membership } = leader.raft.status();
    assert.equal(commit, lastIndex, 'the leader commits all it has');
    assert.match(this.#committed[commit]!, /after the storm|voters|noop/);
    assert(
      this.#committed.some((entry) => entry?.endsWith('after the storm')),
      'the last proposal is committed',
    );
    for (const { id } of membership.members) {
      const host = this.#hosts.get(id)!;
      assert.equal(host.raft.status().applied, commit, `node ${id} has applied everything`);
      assert.equal(host.raft.status().leader, leader.raft.id, `node ${id} knows the leader`);
    }
    for (const [context, read] of this.#reads) {
      const isMember = membership.members.some((member) => member.id === read.node);
      assert(!isMember, `read ${context} of node ${read.node} was neither answered nor dropped`);
    }
  }

  #settle(rounds = 200): void {
    for (let round = 0; round < rounds; round++) {
      let busy = false;
      for (const host of this.#hosts.values()) {
        if (host.raft.hasReady()) {
          busy = true;
          this.#process(host);
        }
        if (host.writes.length > 0) this.#persist(host);
      }
      if (this.#network.length > 0) {
        busy = true;
        for (let count = this.#network.length; count > 0; count--) {
          this.#deliver(this.#below(this.#network.length), false);
        }
      }
      if (!busy) return;
    }
  }

  #check(host: Host): void {
    const { role, term, commit, membership, logLost, peers } = host.raft.status();
    assert(!logLost && !peers.some((peer) => peer.logLost), 'a log is taken for lost that is not');
    if (role === 'leader' && this.#leaderOfTerm.get(term) !== host.raft.id) {
      // Election safety.
      assert(!this.#leaderOfTerm.has(term), `two leaders in term ${term}`);
      this.#leaderOfTerm.set(term, host.raft.id);
      this.#count('elected');
      this.#checkComplete(host);
    }
    const news = commit > (this.#commits.get(host.raft) ?? 0);
    this.#commits.set(host.raft, commit);
    if (role === 'leader' && news) this.#checkDurable(host, commit, membership);
  }

  /** Term of an entry as the node sees it: its disk, and what is on the way there. */
  #termAt(host: Host, index: number): number | undefined {
    for (let write = host.writes.length - 1; write >= 0; write--) {
      const { entries, snapshot } = host.writes[write]!;
      if (entries.length > 0 && index >= entries[0]!.index) return entries[index - entries[0]!.index]?.term;
      if (snapshot !== undefined) return index === snapshot.index ? snapshot.term : undefined;
    }
    return host.storage.term(index);
  }

  /** Leader completeness: a new leader's log holds every entry that was committed in an earlier term. */
  #checkComplete(host: Host): void {
    const { firstIndex, term: leaderTerm } = host.raft.status();
    for (let index = firstIndex; index < this.#committed.length; index++) {
      const known = this.#committed[index];
      // A node that stood still may win the election of a term that others have left behind.
      if (known === undefined || this.#committedInTerm[index]! >= leaderTerm) continue;
      const term = Number(/^\d+\/(\d+)/.exec(known)![1]);
      assert.equal(this.#termAt(host, index), term, `leader ${host.raft.id} lacks committed entry ${known}`);
    }
  }

  /** What a leader calls committed is on the disks of a majority of its voters. */
  #checkDurable(host: Host, commit: number, membership: Membership): void {
    const term = this.#termAt(host, commit);
    const voters = membership.members.filter((member) => !member.learner);
    const holders = voters.filter(({ id }) => {
      const { storage } = this.#hosts.get(id)!;
      return storage.snapshot().index >= commit || storage.term(commit) === term;
    });
    assert(
      holders.length >= majority(voters.length),
      `entry ${commit} committed with ${holders.length} of ${voters.length} disks`,
    );
  }

  /** What is on a disk or on the wire; what a crash took before that never was. */
  #checkEntry(entry: Entry, previousTerm: number | undefined): void {
    const key = `${entry.index}/${entry.term}`;
    const content = Buffer.from(entry.payload).toString('latin1');
    const seen = this.#seen.get(key);
    if (seen === undefined) {
      this.#seen.set(key, { previousTerm, content });
      return;
    }
    // Log matching.
    assert.equal(content, seen.content, `entry ${key} differs`);
    assert.equal(previousTerm, seen.previousTerm, `predecessor of entry ${key} differs`);
  }

  /** State machine safety: nobody applies anything else at an index. */
  #checkCommitted(host: Host, entry: Entry): void {
    const kind = entry.kind === EntryKind.noop ? 'noop' : Buffer.from(entry.payload).toString('latin1');
    const text = `${entry.index}/${entry.term} ${kind}`;
    const known = this.#committed[entry.index];
    if (known === undefined) {
      this.#committed[entry.index] = text;
      this.#committedInTerm[entry.index] = host.raft.status().term;
    } else assert.equal(text, known, `entry ${entry.index} changed after it was committed`);
  }
}

/** A node goes by the last membership that stands in its log. */
function checkMembership({ storage, writes, raft }: Host): void {
  if (writes.length > 0 || raft.hasReady()) return;
  const { index, membership } = storage.snapshot();
  const last = storage.all().findLast((entry) => entry.kind === EntryKind.membership);
  const expected = last !== undefined && last.index > index ? decodeMembership(last.payload) : membership;
  assert.deepEqual(
    raft.status().membership,
    expected,
    `node ${raft.id} goes by another membership than its log's`,
  );
}
