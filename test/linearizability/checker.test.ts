/**
 * The checker on histories that are known to be linearizable, known not to be, and against a search through
 * all orders.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkHistory } from './checker.js';
import { type Operation, partition, type Reply } from './history.js';
import { emptyState, type State, step } from './model.js';

/**
 * `client from-to COMMAND -> reply`, one a line; `from-` for a outcome unknown; `A; B` within brackets for a
 * transaction.
 */
function history(text: string): Operation[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const match = /^\s*(\S+) (\d+)-(\d*) (.+?) -> (.+)$/.exec(line)!;
      const [, client, from, to, call, reply] = match;
      const isTransaction = call!.startsWith('[');
      const watch = /\{(\w+)=(\w+)\}/.exec(call!);
      const commands = call!
        .replace(/\{.*\}/, '')
        .replace(/[[\]]/g, '')
        .split('; ')
        .map((command) => command.trim().split(' '));
      return {
        client: client!,
        commands,
        isTransaction,
        watched:
          watch === null ? undefined : [{ key: watch[1]!, value: watch[2] === 'nil' ? null : watch[2]! }],
        invokedAt: Number(from),
        returnedAt: to === '' ? Number.POSITIVE_INFINITY : Number(to),
        output: reply === '?' ? undefined : (JSON.parse(reply!) as Reply),
      };
    });
}

const good: Record<string, string> = {
  'a register, one after the other': `
    a 1-2 SET x 1 -> "OK"
    b 3-4 GET x -> "1"
    a 5-6 SET x 2 -> "OK"
    b 7-8 GET x -> "2"`,
  'a read beside a write may see either': `
    a 1-9 SET x 1 -> "OK"
    b 2-3 GET x -> null
    c 4-5 GET x -> "1"`,
  'a write of unknown outcome that took effect late': `
    a 1- SET x 1 -> ?
    b 2-3 SET x 2 -> "OK"
    b 4-5 GET x -> "2"
    b 6-7 GET x -> "1"`,
  'a write of unknown outcome that never took effect': `
    a 1- SET x 1 -> ?
    b 2-3 SET x 2 -> "OK"
    b 4-5 GET x -> "2"`,
  'increments that overlap, in any order': `
    a 1-9 INCR c -> 3
    b 1-9 INCR c -> 1
    c 1-9 INCR c -> 2
    a 10-11 GET c -> "3"`,
  'a list': `
    a 1-4 RPUSH l a -> 2
    b 1-4 RPUSH l b -> 1
    a 5-6 LRANGE l 0 -1 -> ["b", "a"]`,
  'a set whose pop is left to chance': `
    a 1-2 SADD s a b c -> 3
    b 3-4 SPOP s -> "b"
    c 3- SPOP s -> ?
    a 5-6 SMEMBERS s -> ["c", "a"]
    a 7-8 SMEMBERS s -> ["c"]
    a 9-10 SADD s a -> 1`,
  'a queue: the pop waits for the push': `
    a 1-9 BLPOP q 0 -> ["q", "x"]
    b 5-6 RPUSH q x -> 1
    c 7-8 LLEN q -> 0`,
  'a queue: giving up while it is empty': `
    a 1-4 BLPOP q 1 -> null
    b 3-6 RPUSH q x -> 1`,
  'a transaction is one step': `
    a 1-9 [INCR x; INCR y] -> [1, 1]
    b 2-3 [GET x; GET y] -> [null, null]
    b 4-5 [GET x; GET y] -> ["1", "1"]`,
  'a watched key that stayed, and one that did not': `
    a 1-2 SET x 1 -> "OK"
    b 3-4 [{x=1}SET x 2] -> ["OK"]
    c 5-6 [{x=1}SET x 3] -> null
    a 7-8 GET x -> "2"`,
};

const bad: Record<string, string> = {
  'a stale read': `
    a 1-2 SET x 1 -> "OK"
    a 3-4 SET x 2 -> "OK"
    b 5-6 GET x -> "1"`,
  'a lost write': `
    a 1-2 SET x 1 -> "OK"
    b 3-4 GET x -> null`,
  'a value that nobody wrote': 'b 3-4 GET x -> "7"',
  'two readers see a write come and go': `
    a 1-9 SET x 1 -> "OK"
    b 2-3 GET x -> "1"
    c 4-5 GET x -> null`,
  'a write of unknown outcome seen before it was invoked': `
    b 1-2 GET x -> "1"
    a 3- SET x 1 -> ?`,
  'a write of unknown outcome that took effect twice': `
    a 1- SET x 1 -> ?
    b 2-3 GET x -> "1"
    b 4-5 SET x 2 -> "OK"
    b 6-7 GET x -> "2"
    b 8-9 GET x -> "1"`,
  'an increment counted twice': `
    a 1-2 INCR c -> 1
    b 3-4 INCR c -> 3`,
  'two increments with one result': `
    a 1-9 INCR c -> 1
    b 1-9 INCR c -> 1`,
  'an element of a list lost': `
    a 1-2 RPUSH l a -> 1
    a 3-4 RPUSH l b -> 2
    b 5-6 LRANGE l 0 -1 -> ["b"]`,
  'elements in the wrong order': `
    a 1-2 RPUSH l a -> 1
    a 3-4 RPUSH l b -> 2
    b 5-6 LRANGE l 0 -1 -> ["b", "a"]`,
  'one member popped twice': `
    a 1-2 SADD s a b -> 2
    b 3-6 SPOP s -> "a"
    c 3-6 SPOP s -> "a"`,
  'a pop of unknown result explains one missing member, not two': `
    a 1-2 SADD s a b c -> 3
    c 3- SPOP s -> ?
    a 5-6 SMEMBERS s -> ["c"]`,
  'two waiters get one element': `
    a 1-9 BLPOP q 0 -> ["q", "x"]
    b 1-9 BLPOP q 0 -> ["q", "x"]
    c 2-3 RPUSH q x -> 1`,
  'giving up on a queue that was not empty': `
    b 1-2 RPUSH q x -> 1
    a 3-4 BLPOP q 1 -> null
    b 5-6 LLEN q -> 1`,
  'half a transaction': `
    a 1-9 [INCR x; INCR y] -> [1, 1]
    b 2-3 [GET x; GET y] -> ["1", null]`,
  'write skew': `
    a 1-9 [GET x; SET y 1] -> [null, "OK"]
    b 1-9 [GET y; SET x 1] -> [null, "OK"]
    c 10-11 [GET x; GET y] -> ["1", null]`,
  'a watched key had changed, and EXEC went through': `
    a 1-2 SET x 1 -> "OK"
    a 3-4 SET x 2 -> "OK"
    b 5-6 [{x=1}SET x 3] -> ["OK"]`,
};

for (const [name, text] of Object.entries(good)) {
  test(`linearizable: ${name}`, () => {
    const judgement = checkHistory(history(text));
    assert.equal(judgement.verdict, 'linearizable', judgement.report);
  });
}

for (const [name, text] of Object.entries(bad)) {
  test(`not linearizable: ${name}`, () => {
    const judgement = checkHistory(history(text));
    assert.equal(judgement.verdict, 'not linearizable');
    assert.match(judgement.report!, /none of these fits/);
  });
}

test('commands of one pipeline take effect in their order', () => {
  const [write, read] = history('a 1-9 SET x 1 -> "OK"\na 1-9 GET x -> null') as [Operation, Operation];
  assert.equal(checkHistory([write, read]).verdict, 'linearizable');
  assert.equal(checkHistory([write, { ...read, follows: write }]).verdict, 'not linearizable');
});

test('a history falls into parts by the keys that are used together', () => {
  const parts = partition(
    history(`
    a 1-2 SET x 1 -> "OK"
    a 3-4 [GET y; GET z] -> [null, null]
    b 1-2 SET y 1 -> "OK"
    b 3-4 SET w 1 -> "OK"
    c 1-2 [GET z; GET w] -> [null, null]`),
  );
  assert.deepEqual(
    parts.map((part) => part.length),
    [1, 4],
  );
});

test('a search that grows beyond its bound says so', () => {
  const many = Array.from({ length: 14 }, (_, i) => `a${i} 1-50 SADD s m${i} -> 1`).join('\n');
  assert.equal(
    checkHistory(history(`${many}\nz 60-61 SCARD s -> 3`), { stepsMax: 100 }).verdict,
    'undecided',
  );
});

/** Tries all orders that real time allows. */
function bruteForce(operations: readonly Operation[]): boolean {
  const search = (state: State, left: readonly Operation[]): boolean => {
    if (left.every((operation) => operation.output === undefined)) return true;
    return left.some((operation) => {
      const isFirst = left.every(
        (other) =>
          other === operation || other.output === undefined || !(other.returnedAt < operation.invokedAt),
      );
      const rest = left.filter((other) => other !== operation);
      return isFirst && step(state, operation).some((after) => search(after, rest));
    });
  };
  return search(emptyState, operations);
}

const anyCommand = fc.oneof(
  fc.constantFrom('1', '2').map((value) => ['SET', 'k', value]),
  fc.constantFrom(['GET', 'k'], ['INCR', 'k'], ['DEL', 'k'], ['GETSET', 'k', '1'], ['GETDEL', 'k']),
);
const anyReply = fc.constantFrom<Reply | undefined>('OK', null, '1', '2', 1, 2, 0, undefined);
const anyOperation = fc
  .record({ command: anyCommand, from: fc.nat(8), length: fc.nat(4), output: anyReply, client: fc.nat(3) })
  .map(({ command, from, length, output, client }): Operation => {
    const returnedAt = from + length;
    return {
      client: `${client}`,
      commands: [command],
      isTransaction: false,
      invokedAt: from,
      returnedAt,
      output,
    };
  });

test('random histories are judged as the search through all orders judges them', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(anyOperation, { minLength: 1, maxLength: 5 }), (operations) => {
      const expected = bruteForce(operations);
      if (expected) accepted++;
      assert.equal(checkHistory(operations).verdict, expected ? 'linearizable' : 'not linearizable');
    }),
    { numRuns: 3000, seed: 5 },
  );
  assert.ok(accepted > 200, `only ${accepted} of them were linearizable`);
});

/** Runs commands one after the other, and lets each take effect somewhere within its interval. */
function execute(commands: readonly (readonly string[])[], random: () => number): Operation[] {
  let state = emptyState;
  return commands.map((command, place) => {
    const probe: Operation = {
      client: 'c',
      commands: [command],
      isTransaction: false,
      invokedAt: place * 10 - random() * 40,
      returnedAt: place * 10 + random() * 40,
      output: undefined,
    };
    const after = step(state, probe);
    const next = after[Math.floor(random() * after.length)]!;
    // The reply is whatever fits: tried out, so that the test does not hold a second model.
    const replies: Reply[] = ['OK', null, 0, ...Array.from({ length: 60 }, (_, i) => i), ...'abcdefgh'];
    replies.push(
      ['q', 'a'],
      ['q', 'b'],
      ['q', 'c'],
      ['q', 'd'],
      ['q', 'e'],
      ['q', 'f'],
      ['q', 'g'],
      ['q', 'h'],
    );
    const output = replies.find((reply) => {
      const fits = step(state, { ...probe, output: reply });
      return fits.some((one) => JSON.stringify([...one]) === JSON.stringify([...next]));
    });
    state = next;
    return { ...probe, output: random() < 0.1 ? undefined : output };
  });
}

test('whatever really ran is accepted, with overlaps and unknown outcomes', () => {
  const command = fc.oneof(
    fc.constantFrom(...'abcdefgh').map((value) => ['RPUSH', 'q', value]),
    fc.constantFrom(...'abcdefgh').map((value) => ['SADD', 's', value]),
    fc.constantFrom(
      ['BLPOP', 'q', '1'],
      ['LLEN', 'q'],
      ['SPOP', 's'],
      ['SCARD', 's'],
      ['INCR', 'c'],
      ['LPOP', 'q'],
    ),
  );
  fc.assert(
    fc.property(fc.array(command, { minLength: 5, maxLength: 60 }), fc.nat(), (commands, seed) => {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return state / 2 ** 32;
      };
      const judgement = checkHistory(execute(commands, random));
      assert.notEqual(judgement.verdict, 'not linearizable', judgement.report);
    }),
    { numRuns: 300, seed: 6 },
  );
});
