/**
 * What one Redis would do, for the commands that histories are made of: strings, counters, lists, sets,
 * queues and streams with a group, alone or in transactions.
 *
 * Written to be plainly right, not fast. A step gives all states that can follow: more than one where chance
 * decides (SPOP) and the client does not know what came of it, none where the output cannot be.
 */
import { keysOf, type Operation, type Reply } from './history.js';

type Value =
  | string
  | { readonly list: readonly string[] }
  | { readonly set: readonly string[] }
  | StreamValue;

/** Entries are only added: number n has the id 1-n. */
interface StreamValue {
  readonly stream: readonly string[];
  /**
   * The group, once there is one: how many entries it was given, and which of them wait for an
   * acknowledgement.
   */
  readonly group: { readonly given: number; readonly pending: readonly number[] } | null;
}

/** The keyspace; keys without a value are absent. */
export type State = ReadonlyMap<string, Value>;

export const emptyState: State = new Map();

/** Two states are equal when their names are. */
export function stateName(state: State): string {
  return JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** States after an operation that gave its output, or any output if that is unknown. */
export function step(state: State, operation: Operation): State[] {
  const { commands, isTransaction, output, watched } = operation;
  if (!isTransaction) return run(state, commands[0]!, output).map(({ state: after }) => after);
  const isChanged = (watched ?? []).some(({ key, value }) => (state.get(key) ?? null) !== value);
  if (output === null) return [state];
  if (isChanged) return output === undefined ? [state] : [];
  if (output !== undefined && (!Array.isArray(output) || output.length !== commands.length)) return [];
  let states: State[] = [state];
  commands.forEach((command, place) => {
    const expected = output === undefined ? undefined : (output as readonly Reply[])[place];
    states = states.flatMap((one) => run(one, command, expected, true).map(({ state: after }) => after));
  });
  return states;
}

interface Outcome {
  readonly state: State;
  readonly reply: Reply;
}

/** All outcomes of a command that fit `expected`. */
function run(
  state: State,
  command: readonly string[],
  expected: Reply | undefined,
  inTransaction = false,
): Outcome[] {
  const outcomes = outcomesOf(state, command, inTransaction);
  if (expected === undefined) return outcomes;
  return outcomes.filter(({ reply }) => equal(reply, expected, command[0] === 'SMEMBERS'));
}

function equal(reply: Reply, expected: Reply, isUnordered: boolean): boolean {
  if (!Array.isArray(reply) || !Array.isArray(expected)) return reply === expected;
  if (reply.length !== expected.length) return false;
  const [left, right] = isUnordered ? [[...reply].sort(), [...expected].sort()] : [reply, expected];
  return left.every((item, place) => equal(item, right[place]!, false));
}

function outcomesOf(state: State, command: readonly string[], inTransaction: boolean): Outcome[] {
  if (command[0]!.startsWith('X')) return [streamOutcome(state, command)];
  const [name, key = '', ...args] = command;
  const value = state.get(key);
  const answer = (reply: Reply, after?: Value | null): Outcome[] => [
    { reply, state: after === undefined ? state : changed(state, key, after) },
  ];
  switch (name) {
    case 'GET':
      return answer(text(value));
    case 'SET':
      return answer('OK', args[0]!);
    case 'SETNX':
      return value === undefined ? answer(1, args[0]!) : answer(0);
    case 'GETSET':
      return answer(text(value), args[0]!);
    case 'GETDEL':
      return answer(text(value), value === undefined ? undefined : null);
    case 'APPEND': {
      const longer = `${text(value) ?? ''}${args[0]}`;
      return answer(longer.length, longer);
    }
    case 'STRLEN':
      return answer(text(value)?.length ?? 0);
    case 'DEL': {
      const present = [key, ...args].filter((one) => state.has(one));
      const after = new Map(state);
      for (const one of present) after.delete(one);
      return [{ state: after, reply: new Set(present).size }];
    }
    case 'EXISTS':
      return answer([key, ...args].filter((one) => state.has(one)).length);
    case 'INCR':
    case 'DECR':
    case 'INCRBY': {
      const by = name === 'INCR' ? 1 : name === 'DECR' ? -1 : Number(args[0]);
      const sum = Number(text(value) ?? '0') + by;
      return answer(sum, `${sum}`);
    }
    case 'RPUSH':
    case 'LPUSH': {
      const old = list(value);
      const items = name === 'RPUSH' ? [...old, ...args] : [...[...args].reverse(), ...old];
      return answer(items.length, { list: items });
    }
    case 'LPOP':
    case 'RPOP': {
      const items = list(value);
      if (items.length === 0) return answer(null);
      return name === 'LPOP'
        ? answer(items[0]!, { list: items.slice(1) })
        : answer(items.at(-1)!, { list: items.slice(0, -1) });
    }
    case 'LRANGE': {
      const items = list(value);
      const from = Number(args[0]);
      const to = Number(args[1]);
      const start = Math.max(0, from < 0 ? items.length + from : from);
      const end = to < 0 ? items.length + to : to;
      return answer(items.slice(start, end + 1));
    }
    case 'LLEN':
      return answer(list(value).length);
    case 'BLPOP':
      return blockingPop(state, command.slice(1, -1), inTransaction);
    case 'SADD': {
      const members = set(value);
      const added = [...new Set(args)].filter((member) => !members.includes(member));
      return answer(added.length, { set: [...members, ...added].sort() });
    }
    case 'SREM': {
      const members = set(value);
      const left = members.filter((member) => !args.includes(member));
      return answer(members.length - left.length, { set: left });
    }
    case 'SPOP': {
      const members = set(value);
      if (members.length === 0) return answer(null);
      return members.flatMap((member) =>
        answer(member, { set: members.filter((other) => other !== member) }),
      );
    }
    case 'SMEMBERS':
      return answer(set(value));
    case 'SCARD':
      return answer(set(value).length);
    case 'SISMEMBER':
      return answer(set(value).includes(args[0]!) ? 1 : 0);
    default:
      throw new Error(`the model has no ${name}`);
  }
}

/** Commands of streams; the key is where {@link keysOf} finds it. */
function streamOutcome(state: State, command: readonly string[]): Outcome {
  const [key] = keysOf(command);
  const value = state.get(key!);
  if (value !== undefined && (typeof value === 'string' || !('stream' in value)))
    throw new Error('a history uses a key in two ways');
  const { stream, group } = value ?? { stream: [], group: null };
  const answer = (reply: Reply, after?: StreamValue): Outcome => ({
    reply,
    state: after === undefined ? state : changed(state, key!, after),
  });
  const entry = (n: number): Reply => [`1-${n}`, ['v', stream[n]!]];
  switch (command[0]) {
    case 'XADD':
      return answer(`1-${stream.length}`, { stream: [...stream, command.at(-1)!], group });
    case 'XLEN':
      return answer(stream.length);
    case 'XRANGE':
      return answer(stream.map((_, n) => entry(n)));
    case 'XGROUP':
      return group === null
        ? answer('OK', { stream, group: { given: 0, pending: [] } })
        : answer('-BUSYGROUP');
    case 'XREADGROUP': {
      if (group === null) return answer('-NOGROUP');
      const { given, pending } = group;
      if (given === stream.length) return answer(null);
      return answer([[key!, [entry(given)]]], {
        stream,
        group: { given: given + 1, pending: [...pending, given] },
      });
    }
    case 'XACK': {
      const n = Number(command.at(-1)!.slice(2));
      if (group === null || !group.pending.includes(n)) return answer(0);
      return answer(1, { stream, group: { ...group, pending: group.pending.filter((one) => one !== n) } });
    }
    case 'XAUTOCLAIM': {
      if (group === null) return answer('-NOGROUP');
      const [first, second] = group.pending;
      return answer([
        second === undefined ? '0-0' : `1-${second}`,
        first === undefined ? [] : [`1-${first}`],
        [],
      ]);
    }
    default:
      throw new Error(`the model has no ${command[0]}`);
  }
}

/** Takes effect when it pops, or when it gives up: then its keys are empty. */
function blockingPop(state: State, keys: readonly string[], _inTransaction: boolean): Outcome[] {
  for (const key of keys) {
    const items = list(state.get(key));
    if (items.length === 0) continue;
    return [{ reply: [key, items[0]!], state: changed(state, key, { list: items.slice(1) }) }];
  }
  return [{ reply: null, state }];
}

function changed(state: State, key: string, value: Value | null): State {
  const after = new Map(state);
  const isEmpty = value === null || (typeof value !== 'string' && isEmptyCollection(value));
  if (isEmpty) after.delete(key);
  else after.set(key, value);
  return after;
}

/** A stream stays without entries, too. */
function isEmptyCollection(value: Exclude<Value, string>): boolean {
  return !('stream' in value) && ('list' in value ? value.list : value.set).length === 0;
}

function text(value: Value | undefined): string | null {
  if (value === undefined) return null;
  if (typeof value !== 'string') throw new Error('a history uses a key in two ways');
  return value;
}

function list(value: Value | undefined): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === 'string' || !('list' in value)) throw new Error('a history uses a key in two ways');
  return value.list;
}

function set(value: Value | undefined): readonly string[] {
  if (value === undefined) return [];
  if (typeof value === 'string' || !('set' in value)) throw new Error('a history uses a key in two ways');
  return value.set;
}
