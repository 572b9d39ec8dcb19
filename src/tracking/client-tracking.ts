/**
 * What one client has asked of client-side caching (https://redis.io/docs/latest/commands/client-tracking/).
 */

export interface TrackingOptions {
  /** The client that is told instead; 0: this one. */
  readonly redirect: number;
  /** Told of every key with one of the prefixes, whether it was read or not. */
  readonly broadcast: boolean;
  /** Keys are tracked only of a command behind CLIENT CACHING YES. */
  readonly optIn: boolean;
  /** Keys are tracked but of a command behind CLIENT CACHING NO. */
  readonly optOut: boolean;
  /** Not told of what it changes itself. */
  readonly noLoop: boolean;
}

export class ClientTracking {
  /** CLIENT CACHING was said for the next command, or transaction. */
  caching = false;
  /** The client that was to be told is gone. */
  isRedirectBroken = false;
  /** Of broadcast mode, in the order in which they came; latin1. */
  readonly prefixes = new Set<string>();
  /** What they take. */
  prefixBytes = 0;

  constructor(public options: TrackingOptions) {}

  /** Of keys that a client is to be given, those of whose changes it would be told. */
  of(keys: readonly string[]): readonly string[] {
    if (!this.options.broadcast) return this.remembers() ? keys : [];
    const prefixes = [...this.prefixes];
    return keys.filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
  }

  /** Whether CLIENT CACHING decides for each command. */
  get asksByCommand(): boolean {
    return this.options.optIn || this.options.optOut;
  }

  /** Whether the keys that the command at hand reads are to be remembered. */
  remembers(caching = this.caching): boolean {
    const { broadcast, optIn, optOut } = this.options;
    if (broadcast) return false;
    return optIn ? caching : !(optOut && caching);
  }
}
