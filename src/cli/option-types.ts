/** Types of command-line options: how a text becomes a value, and what is allowed, for people. */
import { isIP } from 'node:net';
import { parseMemory } from '../config/parameter-types.js';

export interface OptionType<T> {
  /** All values that there are, where these are words: for completion. */
  readonly words?: readonly string[];
  /** Follows "must be" in an error. */
  readonly allowed: string;
  /** The value, or undefined for a text that is not allowed. */
  parse(text: string): T | undefined;
}

export function integerBetween(minimum: number, maximum: number): OptionType<number> {
  return {
    allowed: `a whole number from ${minimum} to ${maximum}`,
    parse: (text) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= minimum && value <= maximum ? value : undefined;
    },
  };
}

export function oneOf<Word extends string>(...words: readonly Word[]): OptionType<Word> {
  return {
    words,
    allowed: words.length === 2 ? words.join(' or ') : `one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => word === text.toLowerCase()),
  };
}

/** Of a switch: given or not; `yes` and `no` in the environment. */
export const yesOrNo: OptionType<boolean> = {
  allowed: 'yes or no',
  parse: (text) => (text === 'yes' ? true : text === 'no' ? false : undefined),
};

/** Bytes, with a unit as in Redis: k = 1000, kb = 1024, and so on. */
export function bytesFrom(minimum: number, atLeast: string): OptionType<number> {
  return {
    allowed: `a number of bytes, with or without a unit (kb, mb, gb), ${atLeast}`,
    parse: (text) => {
      const bytes = /^\d/.test(text) ? parseMemory(text) : undefined;
      return bytes !== undefined && bytes >= minimum && bytes <= Number.MAX_SAFE_INTEGER
        ? Number(bytes)
        : undefined;
    },
  };
}

const millisecondsOf: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);
/** What a timer of Node can wait at most. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** A span of time in milliseconds; undefined as a value stands for never, so that it comes wrapped. */
export const durationOrOff: OptionType<{ readonly ms: number | undefined }> = {
  allowed: 'off, or a number with a unit s, m, h or d, from 1s to 24d',
  parse: (text) => {
    if (text.toLowerCase() === 'off') return { ms: undefined };
    const match = /^(\d{1,9})([smhd])$/i.exec(text);
    if (match === null) return undefined;
    const ms = Number(match[1]) * millisecondsOf.get(match[2].toLowerCase())!;
    return ms >= 1000 && ms <= TIMER_MAX_MS ? { ms } : undefined;
  },
};

/** A span of time in milliseconds, with a unit. */
export function durationBetween(minimumMs: number, maximumMs: number): OptionType<number> {
  return {
    allowed: `a number with a unit ms, s or m, from ${minimumMs}ms to ${maximumMs / 1000}s`,
    parse: (text) => {
      const match = /^(\d{1,9})(ms|s|m)$/i.exec(text);
      if (match === null) return undefined;
      const unit = match[2].toLowerCase();
      const ms = Number(match[1]) * (unit === 'ms' ? 1 : millisecondsOf.get(unit)!);
      return ms >= minimumMs && ms <= maximumMs ? ms : undefined;
    },
  };
}

export const nonEmptyText: OptionType<string> = {
  allowed: 'a text that is not empty',
  parse: (text) => (text === '' ? undefined : text),
};

/** Empty for none. */
export const anyText: OptionType<string> = { allowed: 'a text', parse: (text) => text };

const hostNamePattern =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$/;

/** An address to listen on. */
export const hostAddress: OptionType<string> = {
  allowed: 'an IP address or a host name',
  parse: (text) => {
    if (isIP(text) !== 0) return text;
    // Digits and points that are no IP address are a mistyped one, not a name.
    return hostNamePattern.test(text) && !/^[\d.]+$/.test(text) ? text : undefined;
  },
};

export interface HostAndPort {
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `1.2.3.4:port` or `[::1]:port`. */
export const hostAndPort: OptionType<HostAndPort> = {
  allowed: 'host:port, with an IPv6 address in brackets',
  parse: (text) => {
    const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
    if (match === null) return undefined;
    const [, bracketed, plain, digits] = match;
    const host = bracketed ?? hostAddress.parse(plain);
    const port = Number(digits);
    if (host === undefined || (bracketed !== undefined && isIP(bracketed) !== 6)) return undefined;
    return port >= 1 && port <= 65535 ? { host, port } : undefined;
  },
};

/** Where to listen: a port of this machine's own, or host:port; port 0 takes any that is free. */
export const listenAddress: OptionType<HostAndPort> = {
  allowed: 'a port or host:port, with an IPv6 address in brackets',
  parse: (text) => {
    const [, host = '127.0.0.1:', port = ''] = /^(.*:)?(\d{1,5})$/.exec(text) ?? [];
    // 0 is no port that one could connect to.
    const parsed = hostAndPort.parse(`${host}${Number(port) === 0 && port !== '' ? 1 : port}`);
    return parsed === undefined ? undefined : { host: parsed.host, port: Number(port) };
  },
};

/** {@link hostAndPort}, or a port of this machine. */
function portOrHostAndPort(text: string): HostAndPort | undefined {
  return hostAndPort.parse(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
}

/** One or several of {@link hostAndPort} or bare ports of this machine, separated by commas. */
export const hostsAndPorts: OptionType<readonly HostAndPort[]> = {
  allowed: 'a port, host:port, or several separated by commas',
  parse: (text) => {
    const parsed = text.split(',').map((part) => portOrHostAndPort(part.trim()));
    return parsed.includes(undefined) ? undefined : (parsed as HostAndPort[]);
  },
};

/** The text that {@link hostAndPort} reads. */
export function formatHostAndPort({ host, port }: HostAndPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
