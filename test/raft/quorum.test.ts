import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { majority, reachedByMajority, voteResult } from '../../raft/index.js';

test('majority of 0 to 7 voters', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((voters) => majority(voters)),
    [1, 1, 2, 2, 3, 3, 4, 4],
  );
});

test('without voters nothing is reached and nobody wins', () => {
  assert.equal(
    reachedByMajority([], () => 9),
    0,
  );
  assert.equal(voteResult([], new Map([[1, true]])), 'lost');
});

const values = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 });

test('what is reached by a majority is the largest value that enough voters have', () => {
  fc.assert(
    fc.property(values, (reached) => {
      const voters = reached.map((_, place) => place + 1);
      const result = reachedByMajority(voters, (voter) => reached[voter - 1]!);
      const having = (value: number) => reached.filter((other) => other >= value).length;
      assert(having(result) * 2 > reached.length);
      assert(having(result + 1) * 2 <= reached.length);
    }),
  );
});

test('two majorities share a voter', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), (voters) => {
      assert(2 * majority(voters) > voters);
      assert(majority(voters) <= voters);
    }),
  );
});

test('a majority before and one after a change of one voter share a voter', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), (voters) => {
      assert(majority(voters) + majority(voters + 1) > voters + 1);
    }),
  );
});

const ballots = fc.array(fc.constantFrom(true, false, undefined), { minLength: 1, maxLength: 9 });

test('an election is won by a majority, lost when none is possible, else open', () => {
  fc.assert(
    fc.property(ballots, fc.array(fc.boolean(), { maxLength: 5 }), (answers, strangers) => {
      const voters = answers.map((_, place) => place + 1);
      const votes = new Map<number, boolean>();
      answers.forEach((answer, place) => {
        if (answer !== undefined) votes.set(place + 1, answer);
      });
      // The answers of learners and strangers do not count.
      strangers.forEach((answer, place) => {
        votes.set(100 + place, answer);
      });
      const granted = answers.filter((answer) => answer === true).length;
      const refused = answers.filter((answer) => answer === false).length;
      const expected =
        2 * granted > voters.length
          ? 'won'
          : 2 * (voters.length - refused) > voters.length
            ? 'pending'
            : 'lost';
      assert.equal(voteResult(voters, votes), expected);
    }),
  );
});
