/**
 * The users of the cluster: state, the same on every node. They change by entries and travel in snapshots;
 * what connections make of them is the program's affair.
 */
import { anyName } from './selector.js';
import { RuleError, User } from './user.js';

/** Told when users changed. */
export interface UsersListener {
  /** The user has other rules now, or is new. */
  changed(name: string): void;
  /** The user is gone: its connections end. */
  deleted(name: string): void;
}

/** The user that every connection has until it authenticates. */
export const DEFAULT_USER = 'default';

export class Users {
  /** In the order of their names. Bounded by what administrators make: hence a plain Map. */
  private readonly byName = new Map<string, User>([['default', User.default()]]);
  /** Counts changes: what was worked out from an older version is void. */
  version = 0;
  /** Whether anybody has ever changed them: until then a node goes by its own configuration. */
  haveChanged = false;
  listener: UsersListener | undefined;

  get(name: string): User | undefined {
    return this.byName.get(name);
  }

  get size(): number {
    return this.byName.size;
  }

  /** By name, as bytes are ordered. */
  all(): User[] {
    return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Changes a user, or makes it, by rules (see {@link User.apply}): all of them or none.
   *
   * @param allChannels whether a new user may use all channels (acl-pubsub-default)
   */
  set(name: string, rules: readonly string[], allChannels: boolean): RuleError | undefined {
    const user = this.byName.get(name)?.copy() ?? new User(name);
    if (!this.byName.has(name)) user.selectors[0].allChannels = allChannels;
    for (const rule of rules) {
      const error = user.apply(rule, anyName, allChannels);
      if (error !== undefined) return error;
    }
    this.byName.set(name, user);
    this.noteChange();
    this.listener?.changed(name);
    return undefined;
  }

  private noteChange(): void {
    this.version++;
    this.haveChanged = true;
  }

  /** Deletes users; the default one stays. Returns how many there were. */
  delete(names: readonly string[]): number {
    let deleted = 0;
    for (const name of names) {
      if (name === 'default' || !this.byName.delete(name)) continue;
      deleted++;
      this.noteChange();
      this.listener?.deleted(name);
    }
    return deleted;
  }

  /**
   * Puts users in place of all there were: ACL LOAD, and a snapshot. A default user that is not among them
   * gets its first rules.
   */
  replace(users: readonly (readonly [name: string, rules: readonly string[]])[]): RuleError | undefined {
    const made = new Map<string, User>([['default', User.default()]]);
    for (const [name, rules] of users) {
      const user = new User(name);
      for (const rule of rules) {
        const error = user.apply(rule, anyName, false);
        if (error !== undefined) return error;
      }
      made.set(name, user);
    }
    const gone = [...this.byName.keys()].filter((name) => !made.has(name));
    this.byName.clear();
    for (const [name, user] of made) this.byName.set(name, user);
    this.noteChange();
    for (const name of gone) this.listener?.deleted(name);
    for (const name of made.keys()) this.listener?.changed(name);
    return undefined;
  }
}

export { RuleError };
