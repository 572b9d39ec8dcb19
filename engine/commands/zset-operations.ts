/**
 * Combinations of sorted sets, and of sets whose members all score 1: ZUNION, ZINTER, ZDIFF and their kin.
 *
 * Scores are doubles, so that the order in which they are added up shows. It is Redis's: inputs by size, the
 * smallest first, equal ones as given.
 */
import { type Command, read, write } from '../command/command.js';
import { parseDouble } from '../numbers/double.js';
import { errors } from '../protocol/errors.js';
import { Double, Pairs, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import { ScoredTable } from '../values/scored-table.js';
import { SetReader, setHas, setLength } from '../values/set.js';
import type { TableHome } from '../values/table.js';
import { isZset, ZsetReader, zsetLength, zsetScore } from '../values/zset.js';
import { ZsetBuilder } from '../values/zset-builder.js';

type Home = TableHome & { readonly settings: Settings };

const builder = new ZsetBuilder();

// ---- inputs ----

/** One input: a sorted set, a set, or nothing. */
class Input {
  readonly size: number;
  weight = 1;

  constructor(
    private readonly database: ReadableDatabase,
    readonly slot: Slot,
  ) {
    this.size =
      slot === ABSENT ? 0 : isZset(database, slot) ? zsetLength(database, slot) : setLength(database, slot);
  }

  /** The score of `member` without the weight, or undefined. */
  score(member: View): number | undefined {
    if (this.slot === ABSENT) return undefined;
    if (isZset(this.database, this.slot)) return zsetScore(this.database, this.slot, member);
    return setHas(this.database, this.slot, member) ? 1 : undefined;
  }

  has(member: View): boolean {
    return this.score(member) !== undefined;
  }

  /** Visits all members with their scores, until `visit` returns false: a sorted set's by rank. */
  each(visit: (member: View, score: number) => boolean): void {
    if (this.size === 0) return;
    if (isZset(this.database, this.slot)) {
      const reader = new ZsetReader().openRank(this.database, this.slot, 0);
      for (let left = this.size; visit(reader.member(), reader.score()) && --left > 0; ) reader.step(false);
      return;
    }
    const reader = new SetReader().open(this.database, this.slot);
    while (reader.next() && visit(reader.member(), 1));
  }
}

/** What the arguments behind the keys say. */
class Options {
  sum: (total: number, score: number) => number = add;
  withScores = false;
  /** 0: none. */
  limit = 0;
}

const orZero = (score: number): number => (Number.isNaN(score) ? 0 : score);
/** The sum of infinities of both signs is 0. */
const add = (total: number, score: number): number => orZero(total + score);
const least = (total: number, score: number): number => (score < total ? score : total);
const greatest = (total: number, score: number): number => (score > total ? score : total);

const Form = { reply: 0, store: 1, count: 2 } as const;
type Form = (typeof Form)[keyof typeof Form];

let options = new Options();

/**
 * The inputs whose count stands at argument `countAt`; sets {@link options}. Throws what Redis answers, in
 * its order.
 *
 * @param combines whether scores are combined: then WEIGHTS and AGGREGATE may stand, and inputs come back by
 * size
 */
function parseInputs(
  request: Request,
  database: ReadableDatabase,
  countAt: number,
  combines: boolean,
  form: Form,
  name: string,
): Input[] {
  const keyCount = request.int64(countAt);
  if (keyCount < 1) throw errors.inputKeyNeeded(name);
  if (keyCount > request.count - countAt - 1) throw errors.syntax;
  const first = countAt + 1;
  const end = first + Number(keyCount);
  // A write that meets a key whose time has come removes it, which moves slots: so all are met before any
  // slot is kept.
  for (let i = first; i < end; i++) {
    const slot = database.lookup(request.view(i));
    if (slot !== ABSENT) checkType(database, slot);
  }
  const inputs: Input[] = [];
  for (let i = first; i < end; i++) inputs.push(new Input(database, database.find(request.view(i))));
  options = new Options();
  for (let i = end; i < request.count; ) {
    const left = request.count - i;
    if (combines && form !== Form.count && left > inputs.length && request.is(i, 'WEIGHTS')) {
      i++;
      for (const input of inputs) {
        const weight = parseDouble(request.numberText(i++));
        if (weight === undefined) throw errors.weightNotFloat;
        input.weight = weight;
      }
    } else if (combines && form !== Form.count && left >= 2 && request.is(i, 'AGGREGATE')) {
      options.sum = parseAggregate(request, i + 1);
      i += 2;
    } else if (form === Form.reply && request.is(i, 'WITHSCORES')) {
      options.withScores = true;
      i++;
    } else if (form === Form.count && left >= 2 && request.is(i, 'LIMIT')) {
      const limit = request.int64OrUndefined(i + 1);
      if (limit === undefined || limit < 0) throw errors.limitNegative;
      options.limit = Number(limit);
      i += 2;
    } else throw errors.syntax;
  }
  return combines ? inputs.sort((a, b) => a.size - b.size) : inputs;
}

function parseAggregate(request: Request, index: number): (total: number, score: number) => number {
  if (request.is(index, 'SUM')) return add;
  if (request.is(index, 'MIN')) return least;
  if (request.is(index, 'MAX')) return greatest;
  throw errors.syntax;
}

function checkType(database: ReadableDatabase, slot: Slot): void {
  const encoding = database.encoding(slot);
  const isSet = encoding >= Encoding.intset && encoding <= Encoding.setTable;
  if (!isSet && !isZset(database, slot)) throw errors.wrongType;
}

// ---- the operations ----

/** Puts the result into an empty table, without its order. */
type Operation = (inputs: readonly Input[], into: ScoredTable) => void;

const unite: Operation = (inputs, into) => {
  for (const input of inputs) {
    input.each((member, unweighted) => {
      const score = orZero(input.weight * unweighted);
      const slot = into.members.find(member);
      if (slot === ABSENT) into.insertUnordered(member, score);
      else into.updateUnordered(slot, options.sum(into.scoreAt(slot), score));
      return true;
    });
  }
};

/**
 * Visits the shared members with their combined scores, until `visit` returns false. O(members of the
 * smallest * inputs).
 */
function intersect(inputs: readonly Input[], visit: (member: View, score: number) => boolean): void {
  const [smallest, ...others] = inputs;
  smallest.each((member, unweighted) => {
    let total = orZero(smallest.weight * unweighted);
    for (const other of others) {
      const score = other.slot === smallest.slot ? unweighted : other.score(member);
      if (score === undefined) return true;
      total = options.sum(total, score * other.weight);
    }
    return visit(member, total);
  });
}

const intersectInto: Operation = (inputs, into) => {
  intersect(inputs, (member, score) => {
    into.insertUnordered(member, score);
    return true;
  });
};

/** What the first has and no other, by Redis's choice of two algorithms. */
const subtract: Operation = ([first, ...rest], into) => {
  if (first.size === 0 || rest.some(({ slot }) => slot === first.slot)) return;
  const others = rest.filter(({ size }) => size > 0);
  const membersOfAll = others.reduce((sum, { size }) => sum + size, first.size);
  // Asking each input about each member costs less than it seems: half, by Redis's reckoning.
  if (Math.floor((first.size * (others.length + 1)) / 2) <= membersOfAll) {
    // The largest first: it is the likeliest to have the member.
    others.sort((a, b) => b.size - a.size);
    first.each((member, score) => {
      if (!others.some((other) => other.has(member))) into.insertUnordered(member, score);
      return true;
    });
    return;
  }
  first.each((member, score) => {
    into.insertUnordered(member, score);
    return true;
  });
  for (const other of others) {
    other.each((member) => {
      const slot = into.members.find(member);
      if (slot !== ABSENT) into.removeUnordered(slot);
      return into.size > 0;
    });
    if (into.size === 0) return;
  }
};

// ---- as commands ----

const reply =
  (name: string, operation: Operation, combines: boolean) =>
  (request: Request, database: ReadableDatabase, context: { readonly keyspace: Home }): Reply => {
    const inputs = parseInputs(request, database, 1, combines, Form.reply, name);
    const table = new ScoredTable(context.keyspace);
    operation(inputs, table);
    table.orderAll();
    const replies: Reply[] = [];
    const { size } = table;
    if (size > 0) {
      const reader = new ZsetReader().openTable(table, 0);
      for (let left = size; ; reader.step(false)) {
        replies.push(reader.memberKept());
        if (options.withScores) replies.push(new Double(reader.score()));
        if (--left === 0) break;
      }
    }
    table.dispose(size);
    return options.withScores ? new Pairs(replies) : replies;
  };

const store =
  (event: KeyEvent, operation: Operation, combines: boolean) =>
  (request: Request, database: Database): Reply => {
    const inputs = parseInputs(request, database, 2, combines, Form.store, event.name);
    const table = new ScoredTable(database.keyspace);
    operation(inputs, table);
    table.orderAll();
    return builder.adopt(table, database.keyspace).store(database, request.view(1), event);
  };

function zintercard(request: Request, database: ReadableDatabase): Reply {
  const inputs = parseInputs(request, database, 1, true, Form.count, 'zintercard');
  let shared = 0;
  intersect(inputs, () => ++shared !== options.limit);
  return shared;
}

const zunion = reply('zunion', unite, true);
const zunionstore = store(keyEvents.zunionstore, unite, true);
const zinter = reply('zinter', intersectInto, true);
const zinterstore = store(keyEvents.zinterstore, intersectInto, true);
const zdiff = reply('zdiff', subtract, false);
const zdiffstore = store(keyEvents.zdiffstore, subtract, false);

/** The rows of several sorted sets at a time. */
export const zsetOperations: readonly Command[] = [
  read(
    {
      name: 'zdiff',
      arity: -3,
      keys: '#1 RO access',
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(L+(N-K)*log(N)), L members in all, N in the first, K in the result',
      summary: 'Returns the members of the first sorted set that are in none of the others.',
      syntax: 'numkeys:integer key ... [WITHSCORES]',
    },
    zdiff,
  ),
  write(
    {
      name: 'zdiffstore',
      arity: -4,
      flags: ['denyoom'],
      keys: ['1 OW update', '#2 RO access'],
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(L+(N-K)*log(N)), L members in all, N in the first, K in the result',
      summary: 'Stores the members of the first sorted set that are in none of the others.',
      syntax: 'destination:key numkeys:integer key:key#1 ...',
    },
    zdiffstore,
  ),
  read(
    {
      name: 'zinter',
      arity: -3,
      keys: '#1 RO access',
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(N*K+M*log(M)), N members of the smallest, K sorted sets, M in the result',
      summary: 'Returns the members that all the sorted sets share.',
      syntax:
        'numkeys:integer key ... [WEIGHTS weight:integer ...] [AGGREGATE aggregate:<SUM | MIN | MAX>] [WITHSCORES]',
    },
    zinter,
  ),
  read(
    {
      name: 'zintercard',
      arity: -3,
      keys: '#1 RO access',
      group: 'sorted-set',
      since: '7.0.0',
      complexity: 'O(N*K), N members of the smallest, K sorted sets',
      summary: 'Counts the members that all the sorted sets share.',
      syntax: 'numkeys:integer key ... [LIMIT limit:integer]',
    },
    zintercard,
  ),
  write(
    {
      name: 'zinterstore',
      arity: -4,
      flags: ['denyoom'],
      keys: ['1 OW update', '#2 RO access'],
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(N*K+M*log(M)), N members of the smallest, K sorted sets, M in the result',
      summary: 'Stores the members that all the sorted sets share.',
      syntax:
        'destination:key numkeys:integer key:key#1 ... [WEIGHTS weight:integer ...] [AGGREGATE aggregate:<SUM | MIN | MAX>]',
    },
    zinterstore,
  ),
  read(
    {
      name: 'zunion',
      arity: -3,
      keys: '#1 RO access',
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(N+M*log(M)), N members in all the sorted sets, M in the result',
      summary: 'Returns the members of all the sorted sets together.',
      syntax:
        'numkeys:integer key ... [WEIGHTS weight:integer ...] [AGGREGATE aggregate:<SUM | MIN | MAX>] [WITHSCORES]',
    },
    zunion,
  ),
  write(
    {
      name: 'zunionstore',
      arity: -4,
      flags: ['denyoom'],
      keys: ['1 OW update', '#2 RO access'],
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(N+M*log(M)), N members in all the sorted sets, M in the result',
      summary: 'Stores the members of all the sorted sets together.',
      syntax:
        'destination:key numkeys:integer key:key#1 ... [WEIGHTS weight:integer ...] [AGGREGATE aggregate:<SUM | MIN | MAX>]',
    },
    zunionstore,
  ),
];
