/**
 * What follows from a user's rules in this release: which commands, with which keys and channels. Worked out
 * when first asked for; the state holds the rules alone (see selector.ts).
 */
import type { CommandCatalog, CommandDescription } from '../command/facts.js';
import { aclCategories, isAclCategory } from '../command/facts.js';
import { findKeys, type KeySpec } from '../command/key-positions.js';
import { globMatches } from '../glob.js';
import { ErrorReply } from '../protocol/error-reply.js';
import type { Request } from '../protocol/request.js';
import { type View, viewOf } from '../protocol/view.js';
import { type CommandNames, type KeyPattern, ruleErrors, type Selector } from './selector.js';
import { User } from './user.js';

/** Why a command may not run, and the argument that decided it. */
export interface Denial {
  readonly reason: 'command' | 'key' | 'channel';
  readonly position: number;
}

/** Commands that name channels: from which argument to which, and whether those are patterns themselves. */
const channelArguments: ReadonlyMap<string, { readonly last: number; readonly arePatterns: boolean }> =
  new Map([
    ['publish', { last: 1, arePatterns: false }],
    ['spublish', { last: 1, arePatterns: false }],
    ['subscribe', { last: -1, arePatterns: false }],
    ['ssubscribe', { last: -1, arePatterns: false }],
    ['psubscribe', { last: -1, arePatterns: true }],
  ]);

/** The commands that one selector allows. */
class CommandSet {
  readonly bits: Uint8Array;
  /** Whether commands of later releases are allowed, too: `+@all` was the last rule for all of them. */
  includesFuture = false;
  /** First arguments that are allowed of commands that are not, in lower case. */
  readonly firstArguments = new Map<number, string[]>();

  constructor(
    private readonly commands: AclCommands,
    rules: readonly string[],
  ) {
    this.bits = new Uint8Array(commands.all.length);
    for (const rule of rules) this.apply(rule);
  }

  apply(rule: string): void {
    const allow = rule[0] === '+';
    const name = rule.slice(1);
    if (name === '@all') {
      this.bits.fill(allow ? 1 : 0);
      this.firstArguments.clear();
      this.includesFuture = allow;
    } else if (name[0] === '@') {
      // A rule of a later release may name what this one does not know: it says nothing here.
      for (const index of this.commands.inCategory(name.slice(1))) this.change(index, allow);
    } else {
      const index = this.commands.indexOf(name);
      if (index !== undefined) this.change(index, allow);
      else if (allow) this.allowFirstArgument(name);
    }
  }

  /** What holds for a command holds for its subcommands. */
  change(index: number, allow: boolean): void {
    this.bits[index] = allow ? 1 : 0;
    this.firstArguments.delete(index);
    for (const subcommand of this.commands.all[index].subcommands)
      this.bits[this.commands.indexOf(subcommand.name)!] = allow ? 1 : 0;
  }

  private allowFirstArgument(name: string): void {
    const at = name.lastIndexOf('|');
    const index = at < 0 ? undefined : this.commands.indexOf(name.slice(0, at));
    if (index === undefined) return;
    const allowed = this.firstArguments.get(index) ?? [];
    const argument = name.slice(at + 1);
    if (!allowed.includes(argument)) this.firstArguments.set(index, [...allowed, argument]);
  }
}

interface CompiledSelector {
  readonly selector: Selector;
  readonly commands: CommandSet;
  readonly keys: readonly (KeyPattern & { readonly view: View })[];
  readonly channels: readonly { readonly pattern: string; readonly view: View }[];
}

/** Whether nothing at all is denied: the default user's rights, unless somebody changed them. */
export function mayDoEverything({ selectors: [own] }: User): boolean {
  return own.allKeys && own.allChannels && own.commands.length === 1 && own.commands[0] === '+@all';
}

/** A user's rights, ready to be asked. */
export class Permissions {
  /** Whether nothing at all is denied: the default user's rights, unless somebody changed them. */
  readonly isUnlimited: boolean;
  private readonly selectors: readonly CompiledSelector[];

  private get commands(): AclCommands {
    return this.known!;
  }

  /** Of whoever may do everything: no command need be known for that. */
  static readonly unlimited = new Permissions(undefined, User.default());

  /** @param known may be left out where {@link mayDoEverything} */
  constructor(
    private readonly known: AclCommands | undefined,
    user: User,
  ) {
    this.isUnlimited = mayDoEverything(user);
    if (known === undefined || this.isUnlimited) {
      this.selectors = [];
      return;
    }
    const commands = known;
    this.selectors = user.selectors.map((selector) => ({
      selector,
      commands: new CommandSet(commands, selector.commands),
      keys: selector.keys.map((key) => ({ ...key, view: viewOf(key.pattern) })),
      channels: selector.channels.map((pattern) => ({ pattern, view: viewOf(pattern) })),
    }));
  }

  /**
   * Why a command may not run, or undefined. Of several selectors' reasons the one that came furthest counts,
   * as in Redis.
   *
   * @param name full name in lower case, `config|get`
   * @param request its number of arguments satisfies the arity
   */
  deny(name: string, request: Request): Denial | undefined {
    if (this.isUnlimited) return undefined;
    const touched = this.commands.touchedBy(name, request);
    let worst: Denial | undefined;
    for (const selector of this.selectors) {
      const denial = this.denyBy(selector, name, request, touched);
      if (denial === undefined) return undefined;
      if (worst === undefined || isFurther(denial, worst)) worst = denial;
    }
    return worst;
  }

  /**
   * What else a command is refused for: SORT follows patterns to keys that nobody can name beforehand, so
   * that its user must be allowed to read all keys. The reply is Redis's.
   */
  denyPatterns(name: string, request: Request): ErrorReply | undefined {
    if (this.isUnlimited || (name !== 'sort' && name !== 'sort_ro')) return undefined;
    for (let i = 2; i < request.count; i++) {
      const behind = request.count - 1 - i;
      const word = request.option(i);
      if (word === 'LIMIT' && behind >= 2) {
        if (request.int64OrUndefined(++i) === undefined || request.int64OrUndefined(++i) === undefined)
          return undefined;
      } else if (word === 'STORE' && behind >= 1 && name === 'sort') i++;
      else if ((word === 'BY' || word === 'GET') && behind >= 1) {
        i++;
        const follows = word === 'GET' || request.latin1(i).includes('*');
        if (follows && !this.mayReadAllKeys(name, request))
          return word === 'BY' ? patternDenials.by : patternDenials.get;
      }
      // What the command itself refuses comes first.
      else if (word !== 'ASC' && word !== 'DESC' && word !== 'ALPHA') return undefined;
    }
    return undefined;
  }

  /** Whether some selector lets a command read every key. */
  private mayReadAllKeys(name: string, request: Request): boolean {
    return this.selectors.some(
      (one) =>
        this.allowsCommand(one.commands, name, request) &&
        (one.selector.allKeys || one.keys.some(({ pattern, reads }) => pattern === '*' && reads)),
    );
  }

  /** Whether a channel, or a pattern of channels, may be subscribed to. */
  mayUseChannel(channel: string, isPattern: boolean): boolean {
    return this.isUnlimited || this.selectors.some((one) => allowsChannel(one, viewOf(channel), isPattern));
  }

  private denyBy(
    one: CompiledSelector,
    name: string,
    request: Request,
    touched: Touched,
  ): Denial | undefined {
    if (!this.allowsCommand(one.commands, name, request)) return { reason: 'command', position: 0 };
    if (!one.selector.allKeys) {
      for (const { position, reads, writes } of touched.keys)
        if (!allowsKey(one, request.view(position), reads, writes)) return { reason: 'key', position };
    }
    const { channels } = touched;
    if (one.selector.allChannels || channels === undefined) return undefined;
    const last = channels.last < 0 ? request.count - 1 : channels.last;
    for (let position = 1; position <= last; position++)
      if (!allowsChannel(one, request.view(position), channels.arePatterns))
        return { reason: 'channel', position };
    return undefined;
  }

  private allowsCommand(allowed: CommandSet, name: string, request: Request): boolean {
    const index = this.commands.indexOf(name);
    if (index === undefined) return allowed.includesFuture;
    // What authenticates a connection must be within reach of everybody.
    if (allowed.bits[index] === 1 || this.commands.all[index].flags.includes('no_auth')) return true;
    const words = allowed.firstArguments.get(index);
    return words !== undefined && request.count > 1 && words.includes(request.latin1(1).toLowerCase());
  }
}

const patternDenials = {
  by: new ErrorReply('ERR BY option of SORT denied due to insufficient ACL permissions.'),
  get: new ErrorReply('ERR GET option of SORT denied due to insufficient ACL permissions.'),
};

/** What a request asks for that patterns of a user are held against. */
interface Touched {
  readonly keys: readonly {
    readonly position: number;
    readonly reads: boolean;
    readonly writes: boolean;
  }[];
  readonly channels: { readonly last: number; readonly arePatterns: boolean } | undefined;
}

/** No word that says where keys are is longer; keys themselves are looked at where they lie. */
const WORD_BYTES_MAX = 64;

/**
 * Commands that obey the last of several STOREs, while their specification finds the first; and where their
 * options begin.
 */
const storesByLastWord: ReadonlyMap<string, number> = new Map([
  ['georadius', 6],
  ['georadiusbymember', 5],
]);

const ranks = { command: 1, key: 2, channel: 4 } as const;

function isFurther(a: Denial, b: Denial): boolean {
  return ranks[a.reason] > ranks[b.reason] || (a.reason === b.reason && a.position > b.position);
}

function allowsKey(one: CompiledSelector, key: View, reads: boolean, writes: boolean): boolean {
  return one.keys.some(
    (pattern) => (pattern.reads || !reads) && (pattern.writes || !writes) && matches(pattern.view, key),
  );
}

/** Whoever subscribes to a pattern must be allowed just this pattern. */
function allowsChannel(one: CompiledSelector, channel: View, isPattern: boolean): boolean {
  if (one.selector.allChannels) return true;
  return one.channels.some((allowed) =>
    isPattern ? allowed.pattern === channel.latin1() : matches(allowed.view, channel),
  );
}

const matches = (pattern: View, text: View): boolean => globMatches(pattern, text);

/** All commands of the program, as rules name them. */
export class AclCommands implements CommandNames {
  readonly all: readonly CommandDescription[];
  private readonly keySpecs = new Map<string, readonly KeySpec[]>();
  private readonly indexes: ReadonlyMap<string, number>;

  constructor(private readonly catalog: CommandCatalog) {
    this.all = [...catalog.all()];
    this.indexes = new Map(this.all.map(({ name }, index) => [name, index]));
    for (const { name, keySpecs } of this.all) {
      const specs = keySpecs.filter(({ flags }) => !flags.includes('not_key'));
      if (specs.length > 0) this.keySpecs.set(name, specs);
    }
  }

  get(name: string): CommandDescription | undefined {
    return this.catalog.get(name);
  }

  /** The keys and channels that a request names. */
  touchedBy(name: string, request: Request): Touched {
    const channels = channelArguments.get(name);
    const specs = this.keySpecs.get(name);
    if (specs === undefined) return { keys: [], channels };
    const words: string[] = [];
    for (let i = 0; i < request.count; i++)
      words.push(request.length(i) > WORD_BYTES_MAX ? '' : request.latin1(i));
    const keys = (findKeys(name, specs, words) ?? []).map(({ position, flags }) => ({
      position,
      reads: flags.includes('access'),
      writes: flags.some((flag) => flag === 'insert' || flag === 'delete' || flag === 'update'),
    }));
    const optionsAt = storesByLastWord.get(name);
    if (optionsAt !== undefined) {
      for (let i = optionsAt; i + 1 < words.length; i++)
        if (/^store(dist)?$/i.test(words[i])) keys.push({ position: i + 1, reads: false, writes: true });
    }
    return { keys, channels };
  }

  indexOf(name: string): number | undefined {
    return this.indexes.get(name);
  }

  *inCategory(category: string): Generator<number> {
    for (let index = 0; index < this.all.length; index++)
      if ((this.all[index].categories as readonly string[]).includes(category)) yield index;
  }

  refuse(rule: string): string | undefined {
    const name = rule.slice(1);
    if (name[0] === '@') return isAclCategory(name.slice(1)) ? undefined : ruleErrors.unknown;
    if (this.indexOf(name) !== undefined) return undefined;
    const at = name.lastIndexOf('|');
    const command = at < 0 || rule[0] === '-' ? undefined : this.get(name.slice(0, at));
    if (command === undefined) return ruleErrors.unknown;
    if (command.name.includes('|')) return ruleErrors.firstArgumentOfSubcommand;
    if (at === name.length - 1) return ruleErrors.syntax;
    return command.facts.kind === 'container' ? ruleErrors.unknown : undefined;
  }

  /** A user's rights in this release. */
  permissionsOf(user: User): Permissions {
    return new Permissions(this, user);
  }

  /**
   * A selector's rules for commands as ACL LIST tells them: `+@all` or `-@all`, then the categories that come
   * closest, then single commands (Redis 7.0's ACLDescribeSelectorCommandRules). Which single commands come
   * first is our table's order, in Redis chance.
   */
  describe(selector: Selector): string {
    const wanted = new CommandSet(this, selector.commands);
    const isAdditive = !wanted.includesFuture;
    const rules = [isAdditive ? '-@all' : '+@all'];
    const reached = new CommandSet(this, rules);
    const left = new CommandSet(this, selector.commands);
    const applied = new Set<string>();
    for (;;) {
      const best = this.bestCategory(left, isAdditive, applied);
      if (best === undefined) break;
      const sign = isAdditive ? '+' : '-';
      rules.push(`${sign}@${best}`);
      reached.apply(`${sign}@${best}`);
      left.apply(`${isAdditive ? '-' : '+'}@${best}`);
      applied.add(best);
    }
    this.all.forEach((command, index) => {
      if (wanted.bits[index] !== reached.bits[index]) {
        rules.push(`${wanted.bits[index] === 1 ? '+' : '-'}${command.name}`);
        reached.change(index, wanted.bits[index] === 1);
      }
      if (wanted.bits[index] === 0)
        for (const argument of wanted.firstArguments.get(index) ?? [])
          rules.push(`+${command.name}|${argument}`);
    });
    return rules.join(' ');
  }

  /** The category that has most in common with what is still wanted, and more in common than not. */
  private bestCategory(
    left: CommandSet,
    isAdditive: boolean,
    applied: ReadonlySet<string>,
  ): string | undefined {
    let best: string | undefined;
    let leastDifferent = Number.POSITIVE_INFINITY;
    let mostSame = 0;
    for (const category of aclCategories) {
      if (applied.has(category)) continue;
      let on = 0;
      let count = 0;
      for (const index of this.inCategory(category)) {
        on += left.bits[index];
        count++;
      }
      const same = isAdditive ? on : count - on;
      const different = count - same;
      if (same <= different) continue;
      if (different < leastDifferent || (different === leastDifferent && same > mostSame)) {
        best = category;
        leastDifferent = different;
        mostSame = same;
      }
    }
    return best;
  }

  /** One line of ACL LIST. */
  line(user: User): string {
    const words = [`user ${user.name} ${user.isOn ? 'on' : 'off'}`];
    if (user.hasNoPassword) words.push('nopass');
    if (user.sanitizesPayload !== undefined)
      words.push(user.sanitizesPayload ? 'sanitize-payload' : 'skip-sanitize-payload');
    for (const hash of user.passwords) words.push(`#${hash}`);
    user.selectors.forEach((selector, i) => {
      const channels = selector.allChannels ? ['&*'] : ['resetchannels', ...selector.channelRules];
      const own = [...selector.keyRules, ...channels, this.describe(selector)].join(' ');
      words.push(i === 0 ? own : `(${own})`);
    });
    return words.join(' ');
  }
}
