/** One user: whether it may come in, by which passwords, and what it may do then. */
import { type CommandNames, ruleErrors, Selector } from './selector.js';

const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

/** A rule that is refused, in Redis's words. */
export class RuleError {
  constructor(
    readonly rule: string,
    readonly reason: string,
  ) {}
}

export class User {
  isOn = false;
  /** Any password does. */
  hasNoPassword = false;
  /** Whether RESTORE checks its payloads deeply; undefined while no rule has said. */
  sanitizesPayload: boolean | undefined;
  /** SHA-256 of each, in lower-case hexadecimal digits. */
  passwords: string[] = [];
  /** Its own selector, then those in parentheses. */
  selectors: Selector[] = [new Selector()];

  /** @param name latin1 */
  constructor(readonly name: string) {}

  /** The user that every connection has until it authenticates, with all rights. */
  static default(): User {
    const user = new User('default');
    for (const rule of ['on', 'nopass', '~*', '&*', '+@all'])
      user.apply(rule, { refuse: () => undefined }, false);
    return user;
  }

  copy(): User {
    const copy = new User(this.name);
    copy.isOn = this.isOn;
    copy.hasNoPassword = this.hasNoPassword;
    copy.sanitizesPayload = this.sanitizesPayload;
    copy.passwords = [...this.passwords];
    copy.selectors = this.selectors.map((selector) => selector.copy());
    return copy;
  }

  /**
   * Obeys one rule (latin1; a selector is one rule, with its parentheses). Passwords come as hashes: `>` and
   * `<` are turned into `#` and `!` before they reach the log.
   *
   * @param channelsByDefault whether `reset` allows all channels (acl-pubsub-default)
   * @returns why not, or undefined
   */
  apply(rule: string, names: CommandNames, channelsByDefault: boolean): RuleError | undefined {
    const reason = this.obey(rule, names, channelsByDefault);
    return reason === undefined ? undefined : new RuleError(rule, reason);
  }

  private obey(rule: string, names: CommandNames, channelsByDefault: boolean): string | undefined {
    switch (rule.toLowerCase()) {
      case '':
        return undefined;
      case 'on':
        this.isOn = true;
        return undefined;
      case 'off':
        this.isOn = false;
        return undefined;
      case 'nopass':
        this.hasNoPassword = true;
        this.passwords = [];
        return undefined;
      case 'resetpass':
        this.hasNoPassword = false;
        this.passwords = [];
        return undefined;
      case 'sanitize-payload':
        this.sanitizesPayload = true;
        return undefined;
      case 'skip-sanitize-payload':
        this.sanitizesPayload = false;
        return undefined;
      case 'clearselectors':
        this.selectors.length = 1;
        return undefined;
      case 'reset':
        this.isOn = this.hasNoPassword = false;
        this.passwords = [];
        this.sanitizesPayload = true;
        this.selectors = [new Selector()];
        this.selectors[0].allChannels = channelsByDefault;
        return undefined;
    }
    if (rule[0] === '#') return this.addPassword(rule.slice(1));
    if (rule[0] === '!') return this.removePassword(rule.slice(1));
    if (rule[0] === '(' && rule.endsWith(')'))
      return this.addSelector(rule.slice(1, -1), names, channelsByDefault);
    return this.selectors[0].apply(rule, names);
  }

  private addPassword(hash: string): string | undefined {
    if (!isHash(hash)) return ruleErrors.notAHash;
    if (!this.passwords.includes(hash)) this.passwords.push(hash);
    this.hasNoPassword = false;
    return undefined;
  }

  private removePassword(hash: string): string | undefined {
    if (!isHash(hash)) return ruleErrors.notAHash;
    const at = this.passwords.indexOf(hash);
    if (at < 0) return ruleErrors.noSuchPassword;
    this.passwords.splice(at, 1);
    return undefined;
  }

  private addSelector(rules: string, names: CommandNames, channelsByDefault: boolean): string | undefined {
    const selector = new Selector();
    selector.allChannels = channelsByDefault;
    for (const rule of rules.split(' ')) {
      if (rule === '') continue;
      const reason = selector.apply(rule, names);
      if (reason !== undefined) return reason;
    }
    this.selectors.push(selector);
    return undefined;
  }

  /** Rules that make an equal user out of a new one. */
  get rules(): string[] {
    const rules = [this.isOn ? 'on' : 'off'];
    if (this.hasNoPassword) rules.push('nopass');
    if (this.sanitizesPayload !== undefined)
      rules.push(this.sanitizesPayload ? 'sanitize-payload' : 'skip-sanitize-payload');
    for (const hash of this.passwords) rules.push(`#${hash}`);
    this.selectors.forEach((selector, i) => {
      const own = [...selector.keyRules, 'resetchannels', ...selector.channelRules, ...selector.commands];
      if (i === 0) for (const rule of own) rules.push(rule);
      else rules.push(`(${own.join(' ')})`);
    });
    return rules;
  }
}
