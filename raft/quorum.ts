/** Majorities, as pure functions over a list of voters. */
import type { NodeId } from './types.js';

export type VoteResult = 'won' | 'lost' | 'pending';

/** How many of `voters` voters make a majority. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * The largest value that a majority of the voters has reached: with match indices, what may be committed
 * (Raft paper, 5.3).
 *
 * @returns 0 without voters: nobody can commit anything
 */
export function reachedByMajority(voters: readonly NodeId[], reached: (voter: NodeId) => number): number {
  const count = voters.length;
  if (count === 0) return 0;
  if (count === 1) return reached(voters[0]!);
  const descending: number[] = [];
  for (const voter of voters) {
    const value = reached(voter);
    let place = descending.length;
    while (place > 0 && descending[place - 1]! < value) place--;
    descending.splice(place, 0, value);
  }
  return descending[majority(count) - 1]!;
}

/**
 * The state of an election.
 *
 * @param votes what the voters have answered so far; answers of others do not count
 * @returns 'lost' without voters
 */
export function voteResult(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return voters.length - refused < needed ? 'lost' : 'pending';
}
