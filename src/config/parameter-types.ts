/**
 * The types of configuration parameters: each turns the text of CONFIG SET into the canonical text that
 * CONFIG GET replies, or says why not, in the words of Redis 7.0.
 */

/** Returned for a value that does not fit. */
export class InvalidValue {
  constructor(readonly reason: string) {}
}

export interface ParameterType {
  /** For people: what is allowed. */
  readonly description: string;
  /**
   * The canonical form of `value`.
   * @param current the canonical form in force, of which parts may stay.
   */
  parse(value: string, current: string): string | InvalidValue;
  /** What CONFIG GET replies for a canonical form, if that is another text. */
  shown?(value: string): string;
}

export const yesNo: ParameterType = {
  description: 'yes | no',
  parse: (value) => {
    const word = value.toLowerCase();
    return word === 'yes' || word === 'no' ? word : new InvalidValue("argument must be 'yes' or 'no'");
  },
};

const oneOf = (allowed: readonly string[]): InvalidValue =>
  new InvalidValue(`argument(s) must be one of the following: ${allowed.join(', ')}`);

/** One of the words. */
export function choice(...allowed: string[]): ParameterType {
  return {
    description: allowed.join(' | '),
    parse: (value) => {
      const word = value.toLowerCase();
      return allowed.includes(word) ? word : oneOf(allowed);
    },
  };
}

/** Whether the common name of a client's certificate says who its user is. */
export const commonName: ParameterType = {
  ...choice('off', 'cn'),
  description: 'off | CN',
  shown: (value) => (value === 'cn' ? 'CN' : value),
};

const shutdownWords = ['save', 'nosave', 'now', 'force'];

/** How a signal ends the server: `default`, or a combination of words. */
export const shutdownOptions: ParameterType = {
  description: `default, or any of ${shutdownWords.join(' ')}`,
  parse: (value) => {
    const given = value.toLowerCase().split(' ');
    if (given.some((word) => word !== 'default' && !shutdownWords.includes(word))) {
      return oneOf(['default', ...shutdownWords]);
    }
    if (given.includes('save') && given.includes('nosave')) {
      return new InvalidValue("shutdown options SAVE and NOSAVE can't be used simultaneously");
    }
    return shutdownWords.filter((word) => given.includes(word)).join(' ') || 'default';
  },
};

export const text: ParameterType = { description: 'text', parse: (value) => value };

export const fileName: ParameterType = {
  description: 'name of a file',
  parse: (value) =>
    /[/\\]/.test(value) ? new InvalidValue("dbfilename can't be a path, just a filename") : value,
};

type Bound = number | bigint;

function within(value: bigint, minimum: Bound, maximum: Bound): string | InvalidValue {
  if (value >= minimum && value <= maximum) return String(value);
  return new InvalidValue(`argument must be between ${minimum} and ${maximum} inclusive`);
}

/** A whole number within bounds (inclusive). */
export function integer(minimum: Bound, maximum: Bound): ParameterType {
  return {
    description: `${minimum}..${maximum}`,
    parse: (value) => {
      // Canonical digits only: no sign but minus, no leading zero, no blanks; 64 bits.
      const valid = /^(0|-?[1-9]\d{0,18})$/.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value);
      if (!valid) return new InvalidValue("argument couldn't be parsed into an integer");
      return within(BigInt(value), minimum, maximum);
    },
  };
}

/** A whole number that is taken to the nearest in `lowest`..`highest` without complaint. */
export function clamped(lowest: number, highest: number): ParameterType {
  const type = integer(0, 2147483647);
  return {
    description: `${lowest}..${highest}`,
    parse: (value, current) => {
      const parsed = type.parse(value, current);
      return parsed instanceof InvalidValue
        ? parsed
        : String(Math.min(Math.max(Number(parsed), lowest), highest));
    },
  };
}

const units: ReadonlyMap<string, bigint> = new Map([
  ['', 1n],
  ['b', 1n],
  ['k', 1000n],
  ['kb', 1024n],
  ['m', 1000_000n],
  ['mb', 1024n ** 2n],
  ['g', 1000_000_000n],
  ['gb', 1024n ** 3n],
]);

/**
 * A number of bytes: digits and a unit (k = 1000, kb = 1024, ...). No digits count as 0; what is more than 64
 * bits hold becomes the largest number, and a product that is wraps around, as in Redis.
 */
export function parseMemory(value: string): bigint | undefined {
  const match = /^(\d{0,127})([a-z]*)$/i.exec(value);
  const unit = match === null ? undefined : units.get(match[2].toLowerCase());
  if (match === null || unit === undefined) return undefined;
  const digits = BigInt(match[1] === '' ? 0 : match[1]);
  const largest = 2n ** 64n - 1n;
  return BigInt.asUintN(64, (digits > largest ? largest : digits) * unit);
}

/** A number of bytes, with a unit or without, within bounds (inclusive). */
export function memory(minimum: Bound, maximum: Bound): ParameterType {
  return {
    description: `bytes, or with a unit (kb, mb, gb): ${minimum}..${maximum}`,
    parse: (value) => {
      const bytes = parseMemory(value);
      return bytes === undefined
        ? new InvalidValue('argument must be a memory value')
        : within(bytes, minimum, maximum);
    },
  };
}

/** A number of bytes, or a share such as `5%`. */
export function memoryOrPercent(maximum: Bound): ParameterType {
  return {
    description: 'bytes, or a percentage',
    parse: (value) => {
      const share = /^(\d{1,18})%$/.exec(value);
      if (share !== null) {
        return BigInt(share[1]) > 100n
          ? new InvalidValue('percentage argument must be less or equal to 100')
          : `${BigInt(share[1])}%`;
      }
      const bytes = parseMemory(value);
      return bytes === undefined
        ? new InvalidValue('argument must be a memory or percent value')
        : within(bytes, 0, maximum);
    },
  };
}

/** Classes of keyspace notifications: letters, of which `A` stands for all but K, E, n and m. */
export const keyspaceEvents: ParameterType = {
  description: "letters of 'Ag$lshzxeKEtmdn'",
  parse: (value) => {
    if (!/^[Ag$lshzxeKEtmdn]*$/.test(value)) {
      return new InvalidValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    }
    const all = 'g$lshzxetd';
    const has = (letter: string): boolean =>
      value.includes(letter) || (value.includes('A') && all.includes(letter));
    const pick = (letters: string): string => [...letters].filter(has).join('');
    return [...all].every(has) ? `A${pick('nKEm')}` : pick(`${all}nKEm`);
  },
  // As in Redis, which emits `new` all the same.
  shown: (value) => (value.startsWith('A') ? value.replace('n', '') : value),
};

/** `save`: pairs of seconds and changes. */
export const durationPairs: ParameterType = {
  description: 'pairs of seconds and changes, or nothing',
  parse: (value) => {
    if (value === '') return '';
    const numbers = value.split(' ');
    const valid = numbers.every(
      (number, i) => /^\d{1,10}$/.test(number) && Number(number) >= (i % 2 === 0 ? 1 : 0),
    );
    if (!valid || numbers.length % 2 !== 0) return new InvalidValue('Invalid save parameters');
    return numbers.map(Number).join(' ');
  },
};

export const percentiles: ParameterType = {
  description: 'percentages between 0 and 100, or nothing',
  parse: (value) => {
    if (value === '') return '';
    const parts = value.split(' ');
    if (!parts.every((part) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(part))) {
      return new InvalidValue('Invalid latency-tracking-info-percentiles parameters');
    }
    if (parts.some((part) => Number(part) < 0 || Number(part) > 100)) {
      return new InvalidValue('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]');
    }
    return parts.map(Number).join(' ');
  },
};

/** The limits of one class of clients. */
export interface BufferLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

const clientClasses = ['normal', 'slave', 'pubsub'] as const;

export type ClientClass = (typeof clientClasses)[number];

/** Reads a canonical client-output-buffer-limit. */
export function readBufferLimits(canonical: string): Record<ClientClass, BufferLimit> {
  const parts = canonical.split(' ');
  return Object.fromEntries(
    clientClasses.map((name) => {
      const at = parts.indexOf(name);
      const [hardBytes, softBytes, softSeconds] = parts.slice(at + 1, at + 4).map(Number);
      return [name, { hardBytes, softBytes, softSeconds }];
    }),
  ) as Record<ClientClass, BufferLimit>;
}

/** Groups of client class, hard limit, soft limit, soft seconds; classes not named keep theirs. */
export const bufferLimits: ParameterType = {
  description: 'class (normal, replica, pubsub), hard bytes, soft bytes, soft seconds; repeated',
  parse: (value, current) => {
    const parts = value === '' ? [] : value.split(' ');
    const limits = new Map<string, string>();
    for (const [name, limit] of Object.entries(readBufferLimits(current))) {
      limits.set(name, `${limit.hardBytes} ${limit.softBytes} ${limit.softSeconds}`);
    }
    if (parts.length % 4 !== 0) {
      return new InvalidValue('Wrong number of arguments in buffer limit configuration.');
    }
    for (let i = 0; i < parts.length; i += 4) {
      const word = parts[i].toLowerCase();
      const name = word === 'replica' ? 'slave' : word;
      if (!(clientClasses as readonly string[]).includes(name)) {
        return new InvalidValue('Invalid client class specified in buffer limit configuration.');
      }
      const hard = parseMemory(parts[i + 1]);
      const soft = parseMemory(parts[i + 2]);
      if (hard === undefined || soft === undefined || !/^\d{1,10}$/.test(parts[i + 3])) {
        return new InvalidValue('Error in hard, soft or soft_seconds setting in buffer limit configuration.');
      }
      limits.set(name, `${hard} ${soft} ${Number(parts[i + 3])}`);
    }
    return clientClasses.map((name) => `${name} ${limits.get(name)}`).join(' ');
  },
};
