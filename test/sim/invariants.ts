/**
 * What must hold at every moment of a run, whatever fails: the properties of the Raft paper's figure 3, one
 * history of entries, and one state at each index.
 */
import {
  decodeMembership,
  type Entry,
  EntryKind,
  type Membership,
  type Message,
  type NodeId,
  type SoftState,
} from '../../raft/index.js';
import { crc32 } from '../../raft/node/wal/crc32.js';

export class Violation extends Error {
  override readonly name = 'Violation';

  /** @param check which of the checkers found it */
  constructor(
    readonly check: string,
    message: string,
  ) {
    super(message);
  }
}

interface SeenEntry {
  readonly previousTerm: number;
  readonly content: number;
}

interface CommittedEntry {
  readonly term: number;
  readonly content: number;
  readonly kind: EntryKind;
}

export class Invariants {
  /** The first one found; the run ends with it. */
  violation: Violation | undefined;
  /**
   * Power was cut below durability high: what was acknowledged may be lost, and then the cluster goes on
   * without it.
   */
  mayLose = false;
  readonly counts = { entries: 0, committed: 0, digests: 0, leaders: 0 };
  /** Told of each entry when a node applies it as the first. */
  onCommitted: ((entry: Entry) => void) | undefined;

  private readonly leaders = new Map<number, NodeId>();
  /** Every entry that ever travelled or was applied, by index and term. */
  private readonly seen = new Map<string, SeenEntry>();
  private readonly committed = new Map<number, CommittedEntry>();
  private readonly digests = new Map<string, { readonly digest: string; readonly node: NodeId }>();
  private highest = 0;
  /** The newest change of the membership that was sent. */
  private lastChange: { readonly index: number; readonly term: number } | undefined;
  /** The newest membership that was applied. */
  membership: Membership | undefined;

  /** Notes what must never be; only the first counts, the rest may follow from it. */
  violate(check: string, text: string): void {
    this.violation ??= new Violation(check, text);
  }

  /** Index of the last entry that any node applied. */
  get lastCommitted(): number {
    return this.highest;
  }

  /** A node took a role: at most one leader a term (election safety). */
  softState(node: NodeId, { role, term }: SoftState): void {
    if (role !== 'leader') return;
    const other = this.leaders.get(term);
    if (other === undefined) {
      this.leaders.set(term, node);
      this.counts.leaders++;
    } else if (other !== node) {
      this.violate('one leader per term', `nodes ${other} and ${node} lead in term ${term}`);
    }
  }

  /**
   * A message leaves: its entries must be those that anybody ever saw under their index and term (log
   * matching, by induction).
   */
  sent(message: Message): void {
    if (message.type !== 'append') return;
    let { previousTerm } = message;
    for (const entry of message.entries) {
      const isNew = this.checkSeen(message.from, entry, previousTerm);
      if (isNew && entry.kind === EntryKind.membership)
        this.checkOneChange(message.commit, message.term, entry);
      previousTerm = entry.term;
    }
  }

  /** A leader proposes a change of the membership only when the one before it is committed (thesis, 4.1). */
  private checkOneChange(commit: number, term: number, { index, term: ownTerm }: Entry): void {
    const lastChange = this.lastChange;
    if (
      ownTerm === term &&
      lastChange?.term === term &&
      lastChange.index < index &&
      lastChange.index > commit &&
      !this.mayLose
    ) {
      this.violate(
        'one membership change at a time',
        `the change at ${index} was made in term ${term} while the one at ${lastChange.index} was not committed (commit ${commit})`,
      );
    }
    this.lastChange = { index, term: ownTerm };
  }

  /** Ids that were removed stay removed, and consecutive voters differ by one. */
  private checkMembership(node: NodeId, entry: Entry): void {
    const before = this.membership;
    const after = decodeMembership(entry.payload);
    this.membership = after;
    const back = after.members.find(
      (member) => after.removed.includes(member.id) || before?.removed.includes(member.id),
    );
    if (back !== undefined && !this.mayLose) {
      this.violate(
        'removed ids stay removed',
        `node ${node} applies entry ${entry.index}: ${back.id} is a member again`,
      );
    }
    if (before === undefined || this.mayLose) return;
    const voters = ({ members }: Membership): NodeId[] =>
      members.filter((one) => !one.learner).map((one) => one.id);
    const [old, now] = [voters(before), voters(after)];
    const changes =
      old.filter((id) => !now.includes(id)).length + now.filter((id) => !old.includes(id)).length;
    if (changes > 1) {
      this.violate('one membership change at a time', `entry ${entry.index} turns voters ${old} into ${now}`);
    }
  }

  /** @returns whether nobody had seen it before */
  private checkSeen(node: NodeId, entry: Entry, previousTerm: number): boolean {
    const name = `${entry.index}/${entry.term}`;
    const content = contentOf(entry);
    const known = this.seen.get(name);
    if (known === undefined) {
      this.counts.entries++;
      this.seen.set(name, { previousTerm, content });
      return true;
    }
    if (known.content !== content || known.previousTerm !== previousTerm) {
      this.violate(
        'log matching',
        `node ${node} has another entry ${entry.index} of term ${entry.term}, or another one before it (terms ${known.previousTerm} and ${previousTerm})`,
      );
    }
    return false;
  }

  /**
   * A node applies an entry: state machine safety, and leader completeness in so far as it was applied
   * anywhere before.
   */
  applied(node: NodeId, entry: Entry): void {
    const content = contentOf(entry);
    const known = this.committed.get(entry.index);
    if (known === undefined) {
      this.counts.committed++;
      this.committed.set(entry.index, { term: entry.term, content, kind: entry.kind });
      this.highest = Math.max(this.highest, entry.index);
      this.onCommitted?.(entry);
      this.checkTerms(node, entry);
      if (entry.kind === EntryKind.membership) this.checkMembership(node, entry);
    } else if (known.term !== entry.term || known.content !== content || known.kind !== entry.kind) {
      if (this.mayLose) {
        this.committed.set(entry.index, { term: entry.term, content, kind: entry.kind });
        return;
      }
      this.violate(
        'committed entries never change',
        `node ${node} applies entry ${entry.index} of term ${entry.term}, another one applied one of term ${known.term} there`,
      );
    }
  }

  private checkTerms(node: NodeId, entry: Entry): void {
    const before = this.committed.get(entry.index - 1);
    if (before !== undefined && before.term > entry.term && !this.mayLose) {
      this.violate(
        'committed entries never change',
        `node ${node} applies entry ${entry.index} of term ${entry.term} behind one of term ${before.term}`,
      );
    }
  }

  /** The entries that one node applies have consecutive indices: none is left out, none comes twice. */
  follows(node: NodeId, last: number, entry: Entry): void {
    if (entry.index !== last + 1) {
      this.violate('each entry once', `node ${node} applies entry ${entry.index} after entry ${last}`);
    }
  }

  /**
   * The state that a node is in behind the entry of an index and term: by log matching, all nodes that have
   * it came by the same way.
   */
  digest(node: NodeId, { index, term }: Pick<Entry, 'index' | 'term'>, digest: string): void {
    this.counts.digests++;
    const place = `${index}/${term}`;
    const known = this.digests.get(place);
    if (known === undefined) this.digests.set(place, { digest, node });
    else if (known.digest !== digest) {
      this.violate(
        'equal digests',
        `at index ${index} nodes ${known.node} and ${node} are in different states`,
      );
    }
  }
}

function contentOf({ payload, kind }: Entry): number {
  return crc32(payload, 0, payload.length, kind + 1);
}
