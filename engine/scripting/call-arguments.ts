/** The keys and arguments of EVAL, FCALL and their kin. */
import { LuaTable } from '../lua/index.js';
import { ErrorReply } from '../protocol/error-reply.js';
import type { Request } from '../protocol/request.js';

const keyCountNegative = new ErrorReply("ERR Number of keys can't be negative");
const keyCountTooLarge = new ErrorReply("ERR Number of keys can't be greater than number of args");

/**
 * How many of the arguments from the fourth on are keys.
 *
 * @param badCount what is said of a count that is none; Redis's own words if not given
 * @throws ErrorReply for a count that is none, or too large
 */
export function keyCountOf(request: Request, badCount?: ErrorReply): number {
  const count = request.int64OrUndefined(2);
  if (count === undefined && badCount !== undefined) throw badCount;
  const given = count ?? request.int64(2);
  if (given > request.count - 3) throw keyCountTooLarge;
  if (given < 0) throw keyCountNegative;
  return Number(given);
}

/** Arguments as a table. */
export function listOf(request: Request, from: number, to: number): LuaTable {
  const table = LuaTable.forList(to - from);
  for (let i = from; i < to; i++) table.setNumber(i - from + 1, request.latin1(i));
  return table;
}
