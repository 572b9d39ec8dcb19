/** The values of the configuration parameters, and what CONFIG GET and CONFIG SET answer from them. */
import { ErrorReply, errors, MapReply, quoted } from '../../engine/index.js';
import { InvalidValue } from './parameter-types.js';
import { type ConfigParameter, configParameters } from './parameters.js';

const byName: ReadonlyMap<string, ConfigParameter> = new Map(
  configParameters.flatMap((parameter) =>
    [parameter.name, ...parameter.aliases].map((name) => [name, parameter]),
  ),
);

/** A parameter (by any of its names, in any case), or undefined. */
export function configParameter(name: string): ConfigParameter | undefined {
  return byName.get(name.toLowerCase());
}

/** One parameter's new value, in canonical form. */
export interface ConfigChange {
  readonly parameter: ConfigParameter;
  readonly value: string;
}

/** Redis's glob, ignoring case. */
type Matches = (pattern: string, text: string) => boolean;

export class Configuration {
  private readonly values = new Map<ConfigParameter, string>();
  /** Told what CONFIG SET has put into force. */
  onApplied: ((changes: readonly ConfigChange[]) => void) | undefined;

  /**
   * Starts with the defaults and `initial`, which may set immutable parameters too.
   * @throws RangeError naming parameter, value and what is allowed.
   */
  constructor(initial: Readonly<Record<string, string>> = {}) {
    for (const parameter of configParameters) this.values.set(parameter, parameter.defaultValue);
    for (const [name, value] of Object.entries(initial)) {
      const parameter = configParameter(name);
      if (parameter === undefined) throw new RangeError(`unknown parameter '${name}'`);
      const parsed = parameter.type.parse(value, parameter.defaultValue);
      if (parsed instanceof InvalidValue) {
        throw new RangeError(
          `parameter '${name}' cannot be '${value}': allowed is ${parameter.type.description}`,
        );
      }
      this.values.set(parameter, parsed);
    }
  }

  /** The value in canonical form. `name` must be a parameter. */
  text(name: string): string {
    const value = this.values.get(byName.get(name)!);
    if (value === undefined) throw new Error(`no configuration parameter '${name}'`);
    return value;
  }

  /** A number; those past 2^53 as the nearest double. */
  integer(name: string): number {
    return Number(this.text(name));
  }

  /** A yes or no. */
  flag(name: string): boolean {
    return this.text(name) === 'yes';
  }

  private shown(parameter: ConfigParameter): string {
    const value = this.values.get(parameter)!;
    return parameter.type.shown?.(value) ?? value;
  }

  /**
   * CONFIG GET: a map of the parameters that any of the patterns matches. A name that is no pattern is
   * replied as it was written.
   */
  get(patterns: readonly string[], matches: Matches): MapReply {
    const found = new Map<string, string[]>();
    const add = (name: string, parameter: ConfigParameter): void => {
      const key = name.toLowerCase();
      if (!found.has(key)) found.set(key, [name, this.shown(parameter)]);
    };
    for (const pattern of patterns) {
      if (/[[*?]/.test(pattern)) {
        for (const [name, parameter] of byName) if (matches(pattern, name)) add(name, parameter);
      } else {
        const parameter = configParameter(pattern);
        if (parameter !== undefined) add(pattern, parameter);
      }
    }
    return new MapReply([...found.values()].flat());
  }

  /**
   * Judges the arguments of CONFIG SET, names and values in turn, all or none; changes nothing. Values that
   * stay the same are among the changes.
   */
  check(pairs: readonly string[]): readonly ConfigChange[] | ErrorReply {
    if (pairs.length % 2 !== 0) return errors.syntax;
    const seen = new Set<string>();
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i];
      const parameter = configParameter(name);
      if (parameter === undefined) {
        return new ErrorReply(`ERR Unknown option or number of arguments for CONFIG SET - '${quoted(name)}'`);
      }
      if (parameter.immutable) return failed(name, "can't set immutable config");
      if (parameter.protected) return failed(name, "can't set protected config");
      // Two names of one parameter are not the same to Redis: the later value stands.
      if (seen.has(name.toLowerCase())) return failed(name, 'duplicate parameter');
      seen.add(name.toLowerCase());
    }
    const changes: ConfigChange[] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const parameter = configParameter(pairs[i])!;
      const value = parameter.type.parse(pairs[i + 1], this.values.get(parameter)!);
      if (value instanceof InvalidValue) return failed(pairs[i].toLowerCase(), value.reason);
      changes.push({ parameter, value });
    }
    return changes;
  }

  /** Puts checked changes into force. */
  apply(changes: readonly ConfigChange[]): void {
    for (const { parameter, value } of changes) this.values.set(parameter, value);
    this.onApplied?.(changes);
  }

  /** Takes a value over that is known to be right: one that all nodes agreed on. */
  adopt(name: string, value: string): void {
    this.values.set(byName.get(name)!, value);
  }

  /** The parameters whose values differ from their defaults, for CONFIG REWRITE. */
  changed(): readonly ConfigChange[] {
    return [...this.values]
      .filter(([parameter, value]) => value !== parameter.defaultValue)
      .map(([parameter, value]) => ({ parameter, value }));
  }
}

/** CONFIG SET is refused, because of one of its parameters. */
export function failed(name: string, reason: string): ErrorReply {
  return new ErrorReply(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`);
}
