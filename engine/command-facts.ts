/**
 * What the command table states about a command besides its handler, and what follows from that: flags, ACL categories, key ranges,
 * subcommands. The rules are those by which Redis 7.0 fills its own table.
 */
import { type KeySpec, type LegacyKeyRange, legacyKeyRange, parseKeySpecs } from './key-positions.js';
import { type Argument, parseSyntax } from './syntax.js';

/** In the order in which COMMAND INFO names them. write, readonly and movablekeys are derived; rows state the others. */
const flagOrder = [
  'write',
  'readonly',
  'denyoom',
  'admin',
  'pubsub',
  'noscript',
  'blocking',
  'loading',
  'stale',
  'skip_monitor',
  'skip_slowlog',
  'fast',
  'no_auth',
  'no_mandatory_keys',
  'no_async_loading',
  'no_multi',
  'movablekeys',
  'allow_busy',
] as const;

export type CommandFlag = (typeof flagOrder)[number];

/** In Redis's order. */
const categoryOrder = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const;

export type AclCategory = (typeof categoryOrder)[number];

const categoryOfGroup = {
  string: 'string',
  list: 'list',
  set: 'set',
  'sorted-set': 'sortedset',
  hash: 'hash',
  bitmap: 'bitmap',
  hyperloglog: 'hyperloglog',
  geo: 'geo',
  generic: 'keyspace',
  transactions: 'transaction',
  connection: 'connection',
  pubsub: 'pubsub',
  scripting: 'scripting',
  stream: 'stream',
  server: undefined,
  cluster: undefined,
} as const satisfies Record<string, AclCategory | undefined>;

export type CommandGroup = keyof typeof categoryOfGroup;

/** The facts of one command or subcommand, as a row of the command table states them. */
export interface CommandFacts {
  /** In lower case; a subcommand is `container|subcommand`. */
  readonly name: string;
  /** Number of arguments with the name (and subcommand); negative: at least so many. */
  readonly arity: number;
  /** Whether it reads or writes the keyspace; absent where it does neither. */
  readonly access?: 'read' | 'write';
  readonly flags?: readonly CommandFlag[];
  /** Key specifications in the notation of key-positions.ts. */
  readonly keys?: string | readonly string[];
  /** The ACL categories that do not follow from flags, where they are not just that of the group. */
  readonly categories?: readonly AclCategory[];
  readonly group: CommandGroup;
  /** The Redis version that brought it. */
  readonly since: string;
  readonly tips?: readonly string[];
  readonly docFlags?: readonly string[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  /** What later versions added: version and a short note. */
  readonly history?: readonly (readonly [version: string, change: string])[];
  /** `O(1)` when absent. */
  readonly complexity?: string;
  readonly summary: string;
  /** Arguments in the notation of syntax.ts. */
  readonly syntax?: string;
}

/** A command's facts with what follows from them. */
export interface CommandDescription<Facts extends CommandFacts = CommandFacts> {
  readonly facts: Facts;
  readonly name: string;
  /** In Redis's order. */
  readonly flags: readonly CommandFlag[];
  /** Without `@`, in Redis's order. */
  readonly categories: readonly AclCategory[];
  readonly keySpecs: readonly KeySpec[];
  readonly keyRange: LegacyKeyRange;
  readonly arguments: readonly Argument[];
  readonly subcommands: readonly CommandDescription<Facts>[];
}

/** All commands with their subcommands, by name and in the order given. */
export class CommandCatalog<Facts extends CommandFacts = CommandFacts> {
  /** Commands that are no subcommands. */
  readonly commands: readonly CommandDescription<Facts>[];
  private readonly byName = new Map<string, CommandDescription<Facts>>();

  /** @throws Error when a name is there twice, a subcommand has no container, or a row is not in its notation. */
  constructor(rows: Iterable<Facts>) {
    const list = [...rows];
    const members = new Map<string, CommandDescription<Facts>[]>();
    for (const { name } of list) if (name.includes('|')) members.set(containerOf(name), []);
    for (const facts of list) {
      const { name } = facts;
      if (this.byName.has(name)) throw new Error(`command '${name}' is in the table twice`);
      const subcommands = members.get(name);
      const description = { ...describe(facts, subcommands !== undefined), subcommands: subcommands ?? [] };
      this.byName.set(name, description);
      if (name.includes('|')) members.get(containerOf(name))!.push(description);
    }
    for (const container of members.keys()) {
      if (!this.byName.has(container)) throw new Error(`container '${container}' is not in the table`);
    }
    this.commands = [...this.byName.values()].filter((command) => !command.name.includes('|'));
  }

  /** Finds `set` or `object|encoding`, in any case. */
  get(name: string): CommandDescription<Facts> | undefined {
    return this.byName.get(name.toLowerCase());
  }

  /** Finds the command of a request: with a container, its subcommand; undefined when there is none. */
  resolve(args: readonly string[]): CommandDescription<Facts> | undefined {
    const command = this.get(args[0]!);
    if (command === undefined || command.name.includes('|')) return undefined;
    if (args.length === 1 || command.subcommands.length === 0) return command;
    return this.get(`${command.name}|${args[1]}`);
  }

  /** Commands, each followed by its subcommands. */
  *all(): Generator<CommandDescription<Facts>> {
    for (const command of this.commands) {
      yield command;
      yield* command.subcommands;
    }
  }
}

/** Whether `count` arguments, the name included, satisfy an arity. */
export function satisfiesArity(arity: number, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}

function containerOf(name: string): string {
  return name.slice(0, name.indexOf('|'));
}

/** A container's own categories are those it states: it does nothing itself. */
function describe<Facts extends CommandFacts>(
  facts: Facts,
  isContainer: boolean,
): Omit<CommandDescription<Facts>, 'subcommands'> {
  const keySpecs = parseKeySpecs(facts.keys);
  const keyRange = legacyKeyRange(keySpecs);
  const stated = new Set<CommandFlag>(facts.flags);
  if (facts.access === 'write') stated.add('write');
  if (facts.access === 'read') stated.add('readonly');
  if (keyRange.movable) stated.add('movablekeys');
  const flags = flagOrder.filter((flag) => stated.has(flag));
  const ofGroup = isContainer ? undefined : categoryOfGroup[facts.group];
  return {
    facts,
    name: facts.name,
    flags,
    categories: deriveCategories(flags, facts.categories ?? (ofGroup === undefined ? [] : [ofGroup])),
    keySpecs,
    keyRange,
    arguments: parseSyntax(facts.syntax ?? ''),
  };
}

function deriveCategories(
  flags: readonly CommandFlag[],
  stated: readonly AclCategory[],
): readonly AclCategory[] {
  const categories = new Set<AclCategory>(stated);
  if (flags.includes('write')) categories.add('write');
  if (flags.includes('readonly')) categories.add('read');
  if (flags.includes('admin')) categories.add('admin').add('dangerous');
  if (flags.includes('pubsub')) categories.add('pubsub');
  if (flags.includes('blocking')) categories.add('blocking');
  categories.add(flags.includes('fast') ? 'fast' : 'slow');
  return categoryOrder.filter((category) => categories.has(category));
}

/** Whether `word` names an ACL category, in lower case and without `@`. */
export function isAclCategory(word: string): word is AclCategory {
  return (categoryOrder as readonly string[]).includes(word);
}
