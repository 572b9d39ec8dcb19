/** What the command line asks for, with what the environment and a config file add to it. */
import { readFileSync } from 'node:fs';
import meow from 'meow';
import { configParameter } from '../config/configuration.js';
import { InvalidValue } from '../config/parameter-types.js';
import { splitInline } from '../resp/inline.js';
import { helpOf, type Subcommand, serveCommand, subcommands } from './help.js';
import {
  dashed,
  environmentName,
  type OptionRow,
  type OptionTable,
  type RecoverOptions,
  type ServeOptions,
  type StatusOptions,
} from './options.js';

export type CommandLine =
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  | { readonly kind: 'status'; readonly options: StatusOptions }
  | { readonly kind: 'recover'; readonly options: RecoverOptions }
  | { readonly kind: 'check'; readonly directory: string }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

/** The user's mistake, in one line: what was given, where, and what is allowed. The program ends with code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A text and where it came from, as an error names it: `--port abc`, `REDRAFT_PORT=abc`, `redraft.conf:3: port abc`. */
interface Given {
  readonly text: string;
  readonly place: string;
}

/**
 * @param args what follows the program's name
 * @throws UsageError
 */
export function parseCommandLine(args: readonly string[], environment: Environment): CommandLine {
  const first = args[0];
  const subcommand = subcommands.find(({ name }) => name === first);
  if (subcommand !== undefined) return parse(subcommand, args.slice(1), environment);
  if (first !== undefined && !first.startsWith('-')) {
    const near = nearest(
      first,
      subcommands.map(({ name }) => name),
    );
    throw new UsageError(
      `unknown command '${first}': ${near === undefined ? 'see redraft --help' : `did you mean redraft ${near}?`}`,
    );
  }
  return parse(serveCommand, args, environment);
}

function parse(command: Subcommand, args: readonly string[], environment: Environment): CommandLine {
  const { flags, positionals } = readFlags(command, args);
  if (flags.has('help')) return { kind: 'help', text: helpOf(command) };
  if (flags.has('version')) return { kind: 'version' };
  if (positionals.length > command.positionals.length)
    throw new UsageError(
      `unexpected argument '${positionals[command.positionals.length]}': ${seeHelp(command)}`,
    );
  if (positionals.length < command.positionals.length)
    throw new UsageError(`${command.positionals[positionals.length]} is missing: ${seeHelp(command)}`);
  if (command.name === 'check') return { kind: 'check', directory: positionals[0] };

  const file = new ConfigFile();
  const configPath = flags.get('config') ?? given(environment, 'config');
  if ('config' in command.table && configPath !== undefined) file.read(configPath, command.table);
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(command.table)) {
    const source = flags.get(key) ?? given(environment, key) ?? file.options.get(key);
    values[key] = source === undefined ? defaultOf(row) : checked(row, source);
  }
  if (command.name === 'status') return { kind: 'status', options: values as unknown as StatusOptions };
  if (command.name === 'recover') return { kind: 'recover', options: values as unknown as RecoverOptions };
  const options = { ...values, parameters: Object.fromEntries(file.parameters) };
  return { kind: 'serve', options: options as unknown as ServeOptions };
}

function seeHelp({ name }: Subcommand): string {
  return `see redraft ${name === '' ? '' : `${name} `}--help`;
}

function defaultOf(row: OptionRow): unknown {
  return row.default === undefined ? undefined : row.type.parse(row.default);
}

function checked(row: OptionRow, { text, place }: Given): unknown {
  const value = row.type.parse(text);
  if (value === undefined) throw new UsageError(`${place}: must be ${row.type.allowed}`);
  return value;
}

/** A variable that is set; empty ones count as not set, which is all that some tools can do. */
function given(environment: Environment, key: string): Given | undefined {
  const name = environmentName(key);
  const text = environment[name];
  return text === undefined || text === '' ? undefined : { text, place: `${name}=${text}` };
}

// ---- flags ----

interface DeclaredFlag {
  readonly type: 'string' | 'boolean';
  readonly shortFlag?: string;
}

interface Flags {
  /** By key; `help` and `version` among them. */
  readonly flags: ReadonlyMap<string, Given>;
  readonly positionals: readonly string[];
}

function readFlags(command: Subcommand, args: readonly string[]): Flags {
  // Dots and `__proto__` would be taken for paths in an object.
  const strange = args.find((arg) => /^--?[^=\d][^=]*(\.|__)/.test(arg));
  if (strange !== undefined)
    throw new UsageError(`unknown flag ${strange.split('=', 1)[0]}: ${seeHelp(command)}`);
  // Every value is taken as text, so that each mistake is found here and not passed over.
  const declared: Record<string, DeclaredFlag> = {};
  for (const [key, { short, argument }] of Object.entries(command.table)) {
    declared[key] = {
      type: argument === '' ? 'boolean' : 'string',
      ...(short === undefined ? {} : { shortFlag: short }),
    };
  }
  const { unnormalizedFlags, input } = parseWithMeow(args, declared);
  const flags = new Map<string, Given>();
  for (const [key, value] of Object.entries(unnormalizedFlags)) {
    const name = dashed(key);
    const row = Object.hasOwn(command.table, key) ? command.table[key] : undefined;
    if (key === 'help' || key === 'version') {
      if (value !== false) flags.set(key, { text: '', place: `--${name}` });
    } else if (row === undefined) {
      const isShort = Object.values(command.table).some(({ short }) => short === key);
      if (!isShort && key !== 'h' && key !== 'v') throw new UsageError(unknownFlag(key, value, command));
    } else if (row.argument === '' && typeof value === 'boolean') {
      flags.set(key, { text: value ? 'yes' : 'no', place: `--${name}` });
    } else if (typeof value !== 'string') {
      // `--no-port` comes as false.
      throw new UsageError(unknownFlag(key, value, command));
    } else if (value === '') {
      throw new UsageError(`--${name} needs a value: ${row.type.allowed}`);
    } else {
      flags.set(key, { text: value, place: `--${name} ${value}` });
    }
  }
  return { flags, positionals: input };
}

function parseWithMeow(
  args: readonly string[],
  declared: Readonly<Record<string, DeclaredFlag>>,
): { unnormalizedFlags: Readonly<Record<string, unknown>>; input: readonly string[] } {
  try {
    return meow('', {
      importMeta: import.meta,
      argv: [...args],
      pkg: { name: 'redraft', bin: { redraft: '' } },
      description: false,
      autoHelp: false,
      autoVersion: false,
      booleanDefault: undefined,
      flags: {
        ...declared,
        help: { type: 'boolean', shortFlag: 'h' },
        version: { type: 'boolean', shortFlag: 'v' },
      },
    });
  } catch (error) {
    // A flag that is given twice is what it throws for.
    throw new UsageError((error as Error).message.replace(/--\w+/, dashed).replace(/\.$/, ''));
  }
}

function unknownFlag(key: string, value: unknown, command: Subcommand): string {
  const name = value === false ? `no-${dashed(key)}` : dashed(key);
  const shown = name.length === 1 ? `-${name}` : `--${name}`;
  const near = nearest(name, [...Object.keys(command.table).map(dashed), 'help', 'version']);
  return `unknown flag ${shown}: ${near === undefined || name.length === 1 ? seeHelp(command) : `did you mean --${near}?`}`;
}

// ---- the file ----

/**
 * Lines of a name and a value, in the manner of redis.conf. Names are those of the flags without dashes, or of configuration parameters;
 * blank lines and lines that start with # count for nothing; quotes are those of Redis's inline commands.
 */
class ConfigFile {
  readonly options = new Map<string, Given>();
  readonly parameters = new Map<string, string>();

  read(path: Given, table: OptionTable): void {
    let text: string;
    try {
      text = readFileSync(path.text, 'utf8');
    } catch (error) {
      throw new UsageError(`${path.place}: cannot be read: ${(error as Error).message}`);
    }
    const keys = new Map(Object.keys(table).map((key) => [dashed(key), key]));
    const lineOf = new Map<string, number>();
    for (const [i, line] of text.split(/\r?\n/).entries()) {
      if (/^\s*(#|$)/.test(line)) continue;
      const place = `${path.text}:${i + 1}`;
      const words = splitInline(line);
      if (words === undefined) throw new UsageError(`${place}: unbalanced quotes`);
      const name = words[0].toLowerCase();
      // A parameter such as `save` has several words.
      const value = words.slice(1).join(' ');
      if (words.length === 1) throw new UsageError(`${place}: ${name} needs a value`);
      const before = lineOf.get(name);
      if (before !== undefined) throw new UsageError(`${place}: ${name} stands in line ${before} already`);
      lineOf.set(name, i + 1);
      this.take(name, { text: value, place: `${place}: ${name} ${value}` }, place, keys);
    }
  }

  private take(name: string, source: Given, place: string, keys: ReadonlyMap<string, string>): void {
    const key = keys.get(name);
    if (key === 'config') throw new UsageError(`${place}: a config file cannot name another one`);
    if (key !== undefined) {
      this.options.set(key, source);
      return;
    }
    const parameter = configParameter(name);
    if (parameter === undefined) {
      const near = nearest(name, [...keys.keys()]);
      throw new UsageError(
        `${place}: unknown name '${name}'${near === undefined ? '' : `: did you mean ${near}?`}`,
      );
    }
    const value = parameter.type.parse(source.text, parameter.defaultValue);
    if (value instanceof InvalidValue)
      throw new UsageError(`${source.place}: must be ${parameter.type.description}`);
    this.parameters.set(parameter.name, value);
  }
}

// ---- suggestions ----

/** The name that a mistyped one most likely meant: at most two letters away, one if it is short. */
function nearest(given: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = given.length < 4 ? 2 : 3;
  for (const name of names) {
    const distance = editDistance(given.toLowerCase(), name);
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein: letters to insert, remove or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
