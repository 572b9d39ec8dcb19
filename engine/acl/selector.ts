/**
 * What a user may do, as rules say it
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/): commands, keys and channels.
 * A user has one selector of its own and any number of further ones; it may do what any of them allows.
 *
 * A selector keeps the rules, not what follows from them: which commands a category holds depends on the
 * release, and two nodes of different releases must have equal states. permissions.ts works out the
 * consequences.
 */

/** Whether a key pattern lets read, write, or both. */
export interface KeyPattern {
  readonly pattern: string;
  readonly reads: boolean;
  readonly writes: boolean;
}

/** Why a rule is refused: the part of Redis's text behind the modifier. */
export const ruleErrors = {
  syntax: 'Syntax error',
  unknown: 'Unknown command or category name in ACL',
  patternAfterAllKeys:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
  patternAfterAllChannels:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
  noSuchPassword: 'The password you are trying to remove from the user does not exist',
  notAHash:
    'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  firstArgumentOfSubcommand: 'Allowing first-arg of a subcommand is not supported',
} as const;

/** What a command rule must name; a proposer asks before it proposes, apply takes every name. */
export interface CommandNames {
  /** Why the words behind `+` or `-` name nothing, or undefined. */
  refuse(rule: string): string | undefined;
}

/** Takes every name: what apply does, since a proposer has judged by its own table. */
export const anyName: CommandNames = { refuse: () => undefined };

/** White space, as C's isspace has it: it ends a rule where users are written down. */
const hasSpaces = (text: string): boolean => /[ \t-\r\0]/.test(text);

export class Selector {
  /** Rules for commands in their order: `+@all` or `-@all` first, then what narrows or widens it. */
  commands: string[] = ['-@all'];
  keys: KeyPattern[] = [];
  channels: string[] = [];
  allKeys = false;
  allChannels = false;

  copy(): Selector {
    const copy = new Selector();
    copy.commands = [...this.commands];
    copy.keys = [...this.keys];
    copy.channels = [...this.channels];
    copy.allKeys = this.allKeys;
    copy.allChannels = this.allChannels;
    return copy;
  }

  /** Obeys one rule (latin1). Returns why not, or undefined. */
  apply(rule: string, names: CommandNames): string | undefined {
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
        this.allKeys = true;
        this.keys = [];
        return undefined;
      case 'resetkeys':
        this.allKeys = false;
        this.keys = [];
        return undefined;
      case 'allchannels':
      case '&*':
        this.allChannels = true;
        this.channels = [];
        return undefined;
      case 'resetchannels':
        this.allChannels = false;
        this.channels = [];
        return undefined;
      case 'allcommands':
      case '+@all':
        this.commands = ['+@all'];
        return undefined;
      case 'nocommands':
      case '-@all':
        this.commands = ['-@all'];
        return undefined;
    }
    switch (rule[0]) {
      case '~':
      case '%':
        return this.addKeyPattern(rule);
      case '&':
        return this.addChannel(rule.slice(1));
      case '+':
      case '-':
        return this.addCommandRule(rule, names);
      default:
        return ruleErrors.syntax;
    }
  }

  private addKeyPattern(rule: string): string | undefined {
    if (this.allKeys) return ruleErrors.patternAfterAllKeys;
    const match = /^(?:~|%([RrWw]+)~)([\s\S]*)$/.exec(rule);
    if (match === null || hasSpaces(match[2])) return ruleErrors.syntax;
    const permissions = match[1]?.toUpperCase() ?? 'RW';
    const pattern = match[2];
    const at = this.keys.findIndex((key) => key.pattern === pattern);
    const before = at < 0 ? undefined : this.keys[at];
    const after = {
      pattern,
      reads: permissions.includes('R') || before?.reads === true,
      writes: permissions.includes('W') || before?.writes === true,
    };
    if (at < 0) this.keys.push(after);
    else this.keys[at] = after;
    return undefined;
  }

  private addChannel(pattern: string): string | undefined {
    if (this.allChannels) return ruleErrors.patternAfterAllChannels;
    if (hasSpaces(pattern)) return ruleErrors.syntax;
    if (!this.channels.includes(pattern)) this.channels.push(pattern);
    return undefined;
  }

  /**
   * A later rule for the same name takes the place of an earlier one, so that what is kept stays bounded by
   * the names there are.
   */
  private addCommandRule(rule: string, names: CommandNames): string | undefined {
    const name = rule.slice(1).toLowerCase();
    const refusal = names.refuse(rule[0] + name);
    if (refusal !== undefined) return refusal;
    const isPart = (one: string): boolean => one[0] === '+' && one.includes('|');
    const wanted = rule[0] + name;
    const at = this.commands.findIndex((one) => one.slice(1) === name);
    if (at >= 0) {
      // A first argument that is allowed already keeps its place.
      if (this.commands[at] === wanted && isPart(wanted) && this.commands.slice(at).every(isPart))
        return undefined;
      this.commands.splice(at, 1);
    }
    this.commands.push(wanted);
    return undefined;
  }

  /** The rules for keys, `~*` for all of them. */
  get keyRules(): string[] {
    if (this.allKeys) return ['~*'];
    return this.keys.map(({ pattern, reads, writes }) =>
      reads && writes ? `~${pattern}` : `%${reads ? 'R' : 'W'}~${pattern}`,
    );
  }

  /** The rules for channels, `&*` for all of them. */
  get channelRules(): string[] {
    return this.allChannels ? ['&*'] : this.channels.map((channel) => `&${channel}`);
  }
}
