/**
 * Where a command's arguments name keys: key specifications
 * (https://redis.io/docs/latest/develop/reference/key-specs/) as compact text in the command table, and the
 * search for keys in a given command, as COMMAND GETKEYS answers it.
 *
 * A specification is its place, then its flags:
 *
 *     1 RO access              the key is argument 1
 *     1..-1 RM delete          from argument 1 to the last; `1..-2` leaves out the last, `1..+1` takes the next one too
 *     1..-1/2 OW update        every second argument; `1..-1/1/2` only the first half of what is left
 *     #2 RO access             argument 2 is the count of keys, which follow it
 *     STORE@6 OW update        behind the word STORE, searched from argument 6 on (a negative start searches backwards)
 *     ? RO access              only code can tell: see {@link findKeys}
 *     1 RW update; a note      what COMMAND INFO is to add for people
 *
 * Argument 0 is the command's name (of a subcommand: its container's).
 */

const keyFlags = [
  'RO',
  'RW',
  'OW',
  'RM',
  'access',
  'update',
  'insert',
  'delete',
  'not_key',
  'incomplete',
  'variable_flags',
] as const;

/**
 * What a command does to a key: RO reads, RW reads and writes, OW overwrites, RM removes the key itself;
 * access, update, insert, delete what it does to the value. variable_flags: it depends on the arguments.
 * incomplete: the specification may miss keys.
 */
export type KeyFlag = (typeof keyFlags)[number];

export interface KeySpec {
  readonly notes?: string;
  readonly flags: readonly KeyFlag[];
  /** Where the search begins: at an argument, behind a keyword, or unknown to the specification. */
  readonly begin:
    | { readonly type: 'index'; readonly index: number }
    | { readonly type: 'keyword'; readonly keyword: string; readonly startFrom: number }
    | { readonly type: 'unknown' };
  /**
   * Which arguments from there on are keys. `lastKey` counts from the first key, or when negative from the
   * end.
   */
  readonly find:
    | { readonly type: 'range'; readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly type: 'keynum' }
    | { readonly type: 'unknown' };
}

/**
 * What COMMAND INFO gives for clients that know no key specifications: first key, last key, step (all 0: no
 * such keys).
 */
export interface LegacyKeyRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Whether there are keys that the range does not cover. */
  readonly movable: boolean;
}

/** One key of a command: its argument's position and what the command does to it. */
export interface KeyPosition {
  readonly position: number;
  readonly flags: readonly KeyFlag[];
}

const place = /^(?:\?|(#?)(?:([A-Z]+)@(-?\d+)|(\d+))(?:\.\.([+-]\d+))?(?:\/(\d+))?(?:\/(\d+))?)$/;

/**
 * Parses one key specification of the command table.
 * @throws SyntaxError when the text is not in the notation.
 */
export function parseKeySpec(text: string): KeySpec {
  const semicolon = text.indexOf('; ');
  const notes = semicolon < 0 ? {} : { notes: text.slice(semicolon + 2) };
  const [where, ...flags] = (semicolon < 0 ? text : text.slice(0, semicolon)).split(' ');
  const match = place.exec(where!);
  const unknown = flags.find((flag) => !(keyFlags as readonly string[]).includes(flag));
  if (match === null || unknown !== undefined) throw new SyntaxError(`key specification '${text}'`);
  const [, count, keyword, startFrom, index, last, step, limit] = match;
  const parsed = flags as KeyFlag[];
  if (where === '?')
    return { ...notes, flags: parsed, begin: { type: 'unknown' }, find: { type: 'unknown' } };
  return {
    ...notes,
    flags: parsed,
    begin:
      keyword === undefined
        ? { type: 'index', index: Number(index) }
        : { type: 'keyword', keyword, startFrom: Number(startFrom) },
    find: count
      ? { type: 'keynum' }
      : { type: 'range', lastKey: Number(last ?? 0), step: Number(step ?? 1), limit: Number(limit ?? 0) },
  };
}

/** Parses the `keys` of a command table row. */
export function parseKeySpecs(keys: string | readonly string[] | undefined): readonly KeySpec[] {
  if (keys === undefined) return [];
  return typeof keys === 'string' ? [parseKeySpec(keys)] : keys.map(parseKeySpec);
}

/** The range that covers the leading plain specifications, as Redis derives it for COMMAND INFO. */
export function legacyKeyRange(specs: readonly KeySpec[]): LegacyKeyRange {
  const [only] = specs;
  if (specs.length === 1 && only.begin.type === 'index' && only.find.type === 'range') {
    const first = only.begin.index;
    const { lastKey, step } = only.find;
    return {
      first,
      last: lastKey < 0 ? lastKey : first + lastKey,
      step,
      movable: only.flags.includes('incomplete'),
    };
  }
  let first = 0;
  let last = 0;
  let movable = false;
  for (const { begin, find, flags } of specs) {
    const consecutive = begin.type === 'index' && (last === 0 || last === begin.index - 1);
    if (!consecutive || find.type !== 'range' || find.step !== 1) {
      movable = true;
      continue;
    }
    if (flags.includes('incomplete')) movable = true;
    if (first === 0) first = begin.index;
    last = find.lastKey < 0 ? find.lastKey : begin.index + find.lastKey;
  }
  return { first, last, step: first === 0 ? 0 : 1, movable };
}

/**
 * The keys of a command.
 * @param name the command's full name in lower case (`object|encoding`); a few commands have rules of their
 * own.
 * @param args all arguments with the name in front, one char a byte; their number satisfies the command's
 * arity.
 * @returns the keys in the order of the specifications, or undefined when the arguments make no sense.
 */
export function findKeys(
  name: string,
  specs: readonly KeySpec[],
  args: readonly string[],
): readonly KeyPosition[] | undefined {
  const special = finders.get(name);
  // Flags that depend on arguments are beyond the specification.
  const variable = specs.some((spec) => spec.flags.includes('variable_flags'));
  if (variable && special !== undefined) return special(args);
  const keys: KeyPosition[] = [];
  for (const spec of specs) {
    if (!addKeys(spec, args, keys)) return special === undefined ? countedKeys(specs, args) : special(args);
  }
  return keys;
}

/**
 * Adds the keys that a specification finds; false when it cannot tell them all. A keyword that is not there
 * means no keys.
 */
function addKeys(spec: KeySpec, args: readonly string[], keys: KeyPosition[]): boolean {
  const { begin, find, flags } = spec;
  let first: number;
  if (begin.type === 'index') {
    first = begin.index;
  } else if (begin.type === 'keyword') {
    first = keywordPosition(begin.keyword, begin.startFrom, args) + 1;
    if (first === 0) return true;
  } else {
    return false;
  }
  let last: number;
  let step = 1;
  if (find.type === 'range') {
    step = find.step;
    if (find.lastKey >= 0) last = first + find.lastKey;
    else if (find.limit === 0) last = args.length + find.lastKey;
    else last = first + Math.floor((args.length - first) / find.limit) + find.lastKey;
  } else if (find.type === 'keynum') {
    const count = args[first];
    if (count === undefined || !/^(0|[1-9]\d{0,9})$/.test(count)) return false;
    first++;
    last = first + Number(count) - 1;
  } else {
    return false;
  }
  if (last >= args.length || last < first) return false;
  for (let position = first; position <= last; position += step) keys.push({ position, flags });
  return !flags.includes('incomplete');
}

/** Like Redis: the last argument is no keyword, as nothing follows it. */
function keywordPosition(keyword: string, startFrom: number, args: readonly string[]): number {
  const wanted = keyword.toLowerCase();
  if (startFrom > 0) {
    for (let i = startFrom; i < args.length - 1; i++) if (args[i].toLowerCase() === wanted) return i;
  } else {
    for (let i = args.length + startFrom; i > 1; i--) if (args[i].toLowerCase() === wanted) return i;
  }
  return -1;
}

const readOnly: readonly KeyFlag[] = ['RO', 'access'];
const overwrite: readonly KeyFlag[] = ['OW', 'update'];
const readWrite: readonly KeyFlag[] = ['RW', 'access', 'update'];
const readDelete: readonly KeyFlag[] = ['RW', 'access', 'delete'];

/**
 * Redis's second look at a command with a count of keys: a count with something behind its digits still
 * counts, what the command does to the keys is then not said, and a destination comes last.
 */
function countedKeys(specs: readonly KeySpec[], args: readonly string[]): readonly KeyPosition[] | undefined {
  const counted = specs.find((spec) => spec.find.type === 'keynum');
  if (counted?.begin.type !== 'index') return undefined;
  const at = counted.begin.index;
  const digits = /^[ \t-\r]*\+?0*(\d{1,9})(?!\d)/.exec(args[at] ?? '');
  const count = digits === null ? 0 : Number(digits[1]);
  if (count < 1 || count > args.length - at - 1) return undefined;
  const keys = Array.from({ length: count }, (_, i): KeyPosition => ({ position: at + 1 + i, flags: [] }));
  for (const { begin } of specs) {
    if (begin.type === 'index' && begin.index !== at) keys.push({ position: begin.index, flags: [] });
  }
  return keys;
}

type Finder = (args: readonly string[]) => readonly KeyPosition[] | undefined;

/** Commands whose keys only their own grammar tells. */
const finders: ReadonlyMap<string, Finder> = new Map<string, Finder>([
  [
    'set',
    (args) => [{ position: 1, flags: args.slice(3).some((arg) => is(arg, 'get')) ? readWrite : overwrite }],
  ],
  ['bitfield', (args) => [{ position: 1, flags: bitfieldReads(args) ? readOnly : readWrite }]],
  ['sort', sortKeys],
  ['sort_ro', () => [{ position: 1, flags: readOnly }]],
  ['migrate', migrateKeys],
  // Second looks, where the specification leads behind the last argument.
  ['xread', streamKeys],
  ['xreadgroup', streamKeys],
]);

function is(arg: string | undefined, word: string): boolean {
  return arg?.toLowerCase() === word;
}

/** Whether all operations of a BITFIELD are reads; false also where the syntax is wrong. */
function bitfieldReads(args: readonly string[]): boolean {
  for (let i = 2; i < args.length; ) {
    if (is(args[i], 'get') && i + 2 < args.length) i += 3;
    else if (is(args[i], 'overflow') && i + 1 < args.length) i += 2;
    else return false;
  }
  return true;
}

/** The last STORE of a SORT counts. */
function sortKeys(args: readonly string[]): readonly KeyPosition[] {
  let store = 0;
  for (let i = 2; i < args.length; i++) {
    if (is(args[i], 'limit')) i += 2;
    else if (is(args[i], 'get') || is(args[i], 'by')) i++;
    else if (is(args[i], 'store') && i + 1 < args.length) store = i + 1;
  }
  const keys: KeyPosition[] = [{ position: 1, flags: readOnly }];
  if (store > 0) keys.push({ position: store, flags: overwrite });
  return keys;
}

/** MIGRATE names one key in argument 3, or none there and many behind KEYS. */
function migrateKeys(args: readonly string[]): readonly KeyPosition[] | undefined {
  let first = 3;
  let end = 4;
  for (let i = 6; i < args.length; i++) {
    if (is(args[i], 'keys')) {
      if (args[3] !== '') return undefined;
      first = i + 1;
      end = args.length;
      break;
    }
    if (is(args[i], 'auth')) i++;
    else if (is(args[i], 'auth2')) i += 2;
  }
  const keys: KeyPosition[] = [];
  for (let position = first; position < end; position++) keys.push({ position, flags: readDelete });
  return keys.length === 0 ? undefined : keys;
}

/** The first half of what stands behind STREAMS, which only options may stand before. */
function streamKeys(args: readonly string[]): readonly KeyPosition[] | undefined {
  for (let i = 1; i < args.length; i++) {
    if (is(args[i], 'block') || is(args[i], 'count')) i++;
    else if (is(args[i], 'group')) i += 2;
    else if (is(args[i], 'streams')) {
      const behind = args.length - i - 1;
      if (behind === 0 || behind % 2 !== 0) return undefined;
      return Array.from({ length: behind / 2 }, (_, key) => ({ position: i + 1 + key, flags: [] }));
    } else if (!is(args[i], 'noack')) return undefined;
  }
  return undefined;
}
