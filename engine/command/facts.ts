/**
 * What the command table states about a command besides its handler, and what follows from that: flags, ACL
 * categories, key ranges, subcommands. The rules are those by which Redis 7.0 fills its own table.
 */
import { type KeySpec, type LegacyKeyRange, legacyKeyRange, parseKeySpecs } from './key-positions.js';
import { type Argument, parseSyntax } from './syntax.js';

/**
 * In the order in which COMMAND INFO names them. write, readonly and movablekeys are derived; rows state the
 * others.
 */
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
export interface Facts {
  /** In lower case; a subcommand is `container|subcommand`. */
  readonly name: string;
  /** Number of arguments with the name (and subcommand); negative: at least so many. */
  readonly arity: number;
  readonly flags?: readonly CommandFlag[];
  /** Of a row of kind `write`: it takes its place in the log, though it is no write to Redis (PUBLISH). */
  readonly loggedOnly?: boolean;
  /** Of a row of kind `read`: what it reads is no key, so that it is no read to Redis (SCRIPT EXISTS). */
  readonly besideKeys?: boolean;
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

/** A row of the command table, of which only the facts matter here. */
export interface CatalogRow extends Facts {
  /**
   * Whether it reads the keyspace, writes it, does neither, or is a name that its subcommands give meaning
   * to.
   */
  readonly kind: 'read' | 'write' | 'other' | 'container';
  readonly subcommands?: readonly CatalogRow[];
}

/** A command's facts with what follows from them. */
export interface CommandDescription {
  readonly name: string;
  readonly facts: CatalogRow;
  /** In Redis's order. */
  readonly flags: readonly CommandFlag[];
  /** Without `@`, in Redis's order. */
  readonly categories: readonly AclCategory[];
  readonly keySpecs: readonly KeySpec[];
  readonly keyRange: LegacyKeyRange;
  readonly arguments: readonly Argument[];
  readonly subcommands: readonly CommandDescription[];
}

/** All commands with their subcommands, by name and in the order given. */
export class CommandCatalog {
  /** Commands that are no subcommands. */
  readonly commands: readonly CommandDescription[];
  private readonly byName = new Map<string, CommandDescription>();

  /**
   * @throws Error when a name is there twice or a row is not in its notation: a mistake in the command table.
   */
  constructor(rows: Iterable<CatalogRow>) {
    this.commands = Array.from(rows, describe);
    for (const description of this.all()) {
      if (this.byName.has(description.name))
        throw new Error(`command '${description.name}' is in the table twice`);
      this.byName.set(description.name, description);
    }
  }

  /** Finds `set` or `object|encoding`, in any case. */
  get(name: string): CommandDescription | undefined {
    return this.byName.get(name.toLowerCase());
  }

  /** Finds the command of a request: with a container, its subcommand; undefined when there is none. */
  resolve(args: readonly string[]): CommandDescription | undefined {
    const command = this.get(args[0]);
    if (command === undefined || command.name.includes('|')) return undefined;
    if (args.length === 1 || command.subcommands.length === 0) return command;
    return this.get(`${command.name}|${args[1]}`);
  }

  /** Commands, each followed by its subcommands. */
  *all(): Generator<CommandDescription> {
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

/** A container's own categories are those it states: it does nothing itself. */
function describe(facts: CatalogRow): CommandDescription {
  const keySpecs = parseKeySpecs(facts.keys);
  const keyRange = legacyKeyRange(keySpecs);
  const stated = new Set<CommandFlag>(facts.flags);
  if (facts.kind === 'write' && !facts.loggedOnly) stated.add('write');
  if (facts.kind === 'read' && !facts.besideKeys) stated.add('readonly');
  if (keyRange.movable) stated.add('movablekeys');
  const flags = flagOrder.filter((flag) => stated.has(flag));
  const ofGroup = facts.kind === 'container' ? undefined : categoryOfGroup[facts.group];
  return {
    facts,
    name: facts.name,
    flags,
    categories: deriveCategories(flags, facts.categories ?? (ofGroup === undefined ? [] : [ofGroup])),
    keySpecs,
    keyRange,
    arguments: parseSyntax(facts.syntax ?? ''),
    subcommands: (facts.subcommands ?? []).map(describe),
  };
}

function deriveCategories(
  flags: readonly CommandFlag[],
  stated: readonly AclCategory[],
): readonly AclCategory[] {
  const categories = new Set<AclCategory>(stated);
  if (flags.includes('write')) categories.add('write');
  if (flags.includes('readonly') && !categories.has('scripting')) categories.add('read');
  if (flags.includes('admin')) categories.add('admin').add('dangerous');
  if (flags.includes('pubsub')) categories.add('pubsub');
  if (flags.includes('blocking')) categories.add('blocking');
  categories.add(flags.includes('fast') ? 'fast' : 'slow');
  return categoryOrder.filter((category) => categories.has(category));
}

/** Every ACL category, in Redis's order. */
export const aclCategories: readonly AclCategory[] = categoryOrder;

/** Whether `word` names an ACL category, in lower case and without `@`. */
export function isAclCategory(word: string): word is AclCategory {
  return (categoryOrder as readonly string[]).includes(word);
}
