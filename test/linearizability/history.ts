/**
 * What clients did and saw: the input of the linearizability checker.
 *
 * Times are of one clock that all clients share; only their order counts. An operation whose answer never
 * came, or said that nobody knows, has no output: it may have taken effect at any time after its invocation,
 * or never. One that was refused for certain does not belong in a history.
 */

/**
 * A reply as clients see it; of errors only `-BUSYGROUP` and `-NOGROUP` occur in histories, for what they say
 * of the state.
 */
export type Reply = string | number | null | readonly Reply[];

export interface Operation {
  /** Who invoked it, for reports. */
  readonly client: string;
  /** One command, or the commands that a transaction ran as one. The name is upper case. */
  readonly commands: readonly (readonly string[])[];
  /** Set for MULTI ... EXEC: the output is an array, or null if a watched key had changed. */
  readonly isTransaction: boolean;
  /**
   * What the client had read under WATCH: EXEC can only succeed where the keys still hold this (unique
   * values, so that ABA does not occur).
   */
  readonly watched?: readonly { readonly key: string; readonly value: string | null }[];
  readonly invokedAt: number;
  readonly returnedAt: number;
  /** Undefined: outcome unknown; `returnedAt` is of no account then. */
  readonly output: Reply | undefined;
  /** An earlier operation of the same pipeline: this one cannot take effect before it. */
  readonly follows?: Operation;
}

const readOnly = new Set([
  'GET',
  'LRANGE',
  'LLEN',
  'SMEMBERS',
  'SCARD',
  'SISMEMBER',
  'EXISTS',
  'STRLEN',
  'XLEN',
  'XRANGE',
]);

/** Whether an operation changes nothing: when its outcome is unknown, it may be left out. */
export function isReadOnly(operation: Operation): boolean {
  return operation.commands.every((command) => readOnly.has(command[0]!));
}

/** The keys that a command names. */
export const keysOf = (command: readonly string[]): readonly string[] => command.slice(...keyPlaces(command));

/** Where a command names its keys: from one place up to another, which is none of them. */
export function keyPlaces(command: readonly string[]): [from: number, to: number] {
  const { length } = command;
  switch (command[0]) {
    case 'BLPOP':
      return [1, length - 1];
    case 'DEL':
    case 'EXISTS':
      return [1, length];
    case 'XGROUP':
      return [2, 3];
    case 'XREADGROUP':
      return [length - 2, length - 1];
    default:
      return [1, 2];
  }
}

/**
 * Splits a history into parts that share no key: it is linearizable if and only if each of them is (Herlihy
 * and Wing 1990, locality). Keys that one operation names together belong together.
 */
export function partition(history: readonly Operation[]): Operation[][] {
  const parents = new Map<string, string>();
  const root = (key: string): string => {
    let at = key;
    for (let next = parents.get(at); next !== undefined && next !== at; next = parents.get(at)) at = next;
    parents.set(key, at);
    return at;
  };
  const first = (operation: Operation): string | undefined => {
    const keys = operation.commands.flatMap(keysOf).concat((operation.watched ?? []).map(({ key }) => key));
    for (const key of keys) {
      if (!parents.has(key)) parents.set(key, key);
      parents.set(root(key), root(keys[0]!));
    }
    return keys[0];
  };
  const names = history.map(first);
  const parts = new Map<string, Operation[]>();
  history.forEach((operation, place) => {
    const name = names[place] === undefined ? '' : root(names[place]);
    let part = parts.get(name);
    if (part === undefined) {
      part = [];
      parts.set(name, part);
    }
    part.push(operation);
  });
  return [...parts.values()];
}

/** One line for reports. */
export function describeOperation(operation: Operation): string {
  const { client, commands, isTransaction, watched, invokedAt, returnedAt, output } = operation;
  const text = commands.map((command) => command.join(' ')).join('; ');
  const seen = (watched ?? []).map(({ key, value }) => `${key}=${JSON.stringify(value)}`).join(' ');
  const call = `${seen === '' ? '' : `WATCH ${seen}; `}${isTransaction ? `MULTI ${text} EXEC` : text}`;
  const end = output === undefined ? 'unknown' : `${JSON.stringify(output)} at ${returnedAt.toFixed(2)}`;
  return `${client} ${invokedAt.toFixed(2)} ${call} -> ${end}`;
}
