/** What the command line asks for, with what the environment and a config file add to it. */
import { readFileSync } from 'node:fs';
import meow from 'meow';
import { configParameter } from '../config/configuration.js';
import { InvalidValue } from '../config/parameter-types.js';
import { redisNamesRefused, redisNamesWithoutMeaning } from '../config/redis-names.js';
import { splitInline } from '../resp/inline.js';
import type { BackupOptions, ExportOptions, ImportOptions, RestoreOptions } from './data-options.js';
import { helpOf, type Subcommand, serveCommand, subcommands } from './help.js';
import {
  type CheckOptions,
  type CompletionOptions,
  dashed,
  environmentName,
  type OptionRow,
  type OptionTable,
  type RecoverOptions,
  type ServeOptions,
  type StatusOptions,
  type TopOptions,
} from './options.js';
import { readClusterSecrets, readPasswordFile, SecretFileError } from './secret-files.js';

export type CommandLine =
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  | { readonly kind: 'status'; readonly options: StatusOptions }
  | { readonly kind: 'recover'; readonly options: RecoverOptions }
  | { readonly kind: 'import'; readonly source: string; readonly options: ImportOptions }
  | { readonly kind: 'export'; readonly path: string; readonly options: ExportOptions }
  | { readonly kind: 'check'; readonly directory: string; readonly options: CheckOptions }
  | { readonly kind: 'completion'; readonly shell: string; readonly options: CompletionOptions }
  | { readonly kind: 'top'; readonly options: TopOptions }
  | { readonly kind: 'backup'; readonly path: string | undefined; readonly options: BackupOptions }
  | { readonly kind: 'restore'; readonly source: string; readonly options: RestoreOptions }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

/**
 * The user's mistake, in one line: what was given, where, and what is allowed. The program ends with code 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What `redraft completion` knows. */
const shells = ['bash', 'zsh'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A text and where it came from, as an error names it: `--port abc`, `REDRAFT_PORT=abc`, `redraft.conf:3:
 * port abc`.
 */
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
  refuseUnknownVariables(environment);
  const { flags, positionals } = readFlags(command, withTwoDashes(command, args));
  if (flags.has('help')) return { kind: 'help', text: helpOf(command) };
  if (flags.has('version')) return { kind: 'version' };
  if (positionals.length > command.positionals.length)
    throw new UsageError(
      `unexpected argument '${positionals[command.positionals.length]}': ${seeHelp(command)}`,
    );
  const lacks = positionals.length < command.positionals.length;
  const other = command.orOption;
  if (other !== undefined && lacks !== ((flags.get(other) ?? given(environment, other)) !== undefined))
    throw new UsageError(`${command.positionals[0]} or --${other}, one of them: ${seeHelp(command)}`);
  if (lacks && other === undefined)
    throw new UsageError(`${command.positionals[positionals.length]} is missing: ${seeHelp(command)}`);

  const file = new ConfigFile();
  const configPath = flags.get('config') ?? given(environment, 'config');
  if ('config' in command.table && configPath !== undefined) file.read(configPath, command.table);
  const values: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(command.table)) {
    const source = flags.get(key) ?? given(environment, key) ?? file.options.get(key);
    values[key] = source === undefined ? defaultOf(row) : checked(row, source);
  }
  const clusterSecrets = takeSecrets(values);
  if (command.name === 'check')
    return { kind: 'check', directory: positionals[0], options: values as unknown as CheckOptions };
  if (command.name === 'completion') {
    if (!shells.some((shell) => shell === positionals[0]))
      throw new UsageError(`${positionals[0]}: must be ${shells.join(' or ')}`);
    return {
      kind: 'completion',
      shell: positionals[0],
      options: values as unknown as CompletionOptions,
    };
  }
  if (command.name === 'top') return { kind: 'top', options: values as unknown as TopOptions };
  if (command.name === 'status') return { kind: 'status', options: values as unknown as StatusOptions };
  if (command.name === 'import')
    return { kind: 'import', source: positionals[0], options: values as unknown as ImportOptions };
  if (command.name === 'export')
    return { kind: 'export', path: positionals[0], options: values as unknown as ExportOptions };
  if (command.name === 'backup')
    return { kind: 'backup', path: positionals[0], options: values as unknown as BackupOptions };
  if (command.name === 'restore')
    return { kind: 'restore', source: positionals[0], options: values as unknown as RestoreOptions };
  if (command.name === 'recover') return { kind: 'recover', options: values as unknown as RecoverOptions };
  const options = {
    ...values,
    clusterSecrets,
    users: file.users,
    parameters: Object.fromEntries(file.parameters),
    withoutMeaning: [...file.withoutMeaning],
  };
  return { kind: 'serve', options: options as unknown as ServeOptions };
}

/** Puts the password of its file in its place. @returns the cluster's secrets @throws UsageError */
function takeSecrets(values: Record<string, unknown>): readonly string[] {
  const { requirepass, requirepassFile, clusterSecret, clusterSecretFile, httpToken, httpTokenFile } =
    values as Partial<ServeOptions>;
  if (requirepass !== undefined && requirepassFile !== undefined)
    throw new UsageError('--requirepass and --requirepass-file are one thing: give one of them');
  if (clusterSecret !== undefined && clusterSecretFile !== undefined)
    throw new UsageError('--cluster-secret and --cluster-secret-file are one thing: give one of them');
  if (httpToken !== undefined && httpTokenFile !== undefined)
    throw new UsageError('--http-token and --http-token-file are one thing: give one of them');
  try {
    if (httpTokenFile !== undefined) values.httpToken = readPasswordFile(httpTokenFile, '--http-token-file');
    if (requirepassFile !== undefined) values.requirepass = readPasswordFile(requirepassFile);
    if (clusterSecretFile !== undefined) return readClusterSecrets(clusterSecretFile);
  } catch (error) {
    throw error instanceof SecretFileError ? new UsageError(error.message) : error;
  }
  return clusterSecret === undefined ? [] : [clusterSecret];
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

/** What Kubernetes sets in every container beside a service of the name redraft. */
const kubernetesVariable = /^REDRAFT_(SERVICE_|PORT_\d+_)/;

/** A variable of ours that nothing reads is a mistake that would otherwise go unnoticed. */
function refuseUnknownVariables(environment: Environment): void {
  const tables: readonly OptionTable[] = [serveCommand, ...subcommands].map(({ table }) => table);
  const known = new Set(tables.flatMap((table) => Object.keys(table)).map(environmentName));
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('REDRAFT_') || known.has(name) || kubernetesVariable.test(name)) continue;
    const near = nearest(
      name.slice(8),
      [...known].map((one) => one.slice(8)),
    );
    const hint = near === undefined ? 'see redraft --help' : `did you mean REDRAFT_${near}?`;
    throw new UsageError(`unknown environment variable ${name}: ${hint}`);
  }
}

// ---- flags ----

/**
 * Long names with one dash, as Go programs take them: `-dir data`. No cluster of short flags is lost, as
 * hardly any takes no value.
 */
function withTwoDashes(command: Subcommand, args: readonly string[]): string[] {
  const names = [...Object.keys(command.table).map(dashed), 'help', 'version'];
  const end = args.indexOf('--');
  return args.map((arg, i) => {
    const name = /^-([a-z][a-z-]+)(=|$)/i.exec(arg)?.[1];
    if (name === undefined || (end >= 0 && i > end)) return arg;
    if (names.includes(name)) return `-${arg}`;
    const near = nearest(name, names);
    throw new UsageError(
      `unknown flag -${name}: ${near === undefined ? seeHelp(command) : `did you mean --${near}?`}`,
    );
  });
}

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

/** Files within files, as Redis's `include`. */
const INCLUDES_MAX = 16;
/** Parameters of which each line sets a part. */
const CUMULATIVE = new Set(['client-output-buffer-limit', 'save']);

/**
 * Lines of a name and a value, in the manner of redis.conf. Names are those of the flags without dashes, or
 * of configuration parameters; blank lines and lines that start with # count for nothing; quotes are those of
 * Redis's inline commands. Of two lines of one name the later counts. A redis.conf is taken as it is: what
 * has no meaning here is checked where its type is known, and noted.
 */
class ConfigFile {
  readonly options = new Map<string, Given>();
  readonly parameters = new Map<string, string>();
  /** Lines of users, as they stand there. */
  readonly users: string[] = [];
  /** Names that stand in the file and change nothing. */
  readonly withoutMeaning = new Set<string>();

  read(path: Given, table: OptionTable, depth = 0): void {
    let text: string;
    try {
      text = readFileSync(path.text, 'utf8');
    } catch (error) {
      throw new UsageError(`${path.place}: cannot be read: ${(error as Error).message}`);
    }
    const keys = new Map(Object.keys(table).map((key) => [dashed(key), key]));
    for (const [i, line] of text.split(/\r?\n/).entries()) {
      if (/^\s*(#|$)/.test(line)) continue;
      const place = `${path.text}:${i + 1}`;
      const words = splitInline(line);
      if (words === undefined) throw new UsageError(`${place}: unbalanced quotes`);
      const name = words[0].toLowerCase();
      // A parameter such as `save` has several words.
      const value = words.slice(1).join(' ');
      if (words.length === 1) throw new UsageError(`${place}: ${name} needs a value`);
      const given = { text: value, place: `${place}: ${name} ${value}` };
      if (name === 'include') {
        if (depth === INCLUDES_MAX) throw new UsageError(`${given.place}: files include each other`);
        this.read(given, table, depth + 1);
      } else if (name === 'user') {
        this.users.push(line.trim());
      } else {
        this.take(name, given, place, keys);
      }
    }
  }

  private take(name: string, source: Given, place: string, keys: ReadonlyMap<string, string>): void {
    const key = keys.get(name);
    if (key === 'config') throw new UsageError(`${place}: a config file cannot name another one`);
    // Redis's own files say so where there is none.
    if (key === 'aclfile' && source.text === '') return;
    if (key !== undefined) {
      this.options.set(key, key === 'bind' ? oneAddress(source) : source);
      return;
    }
    const parameter = configParameter(name);
    if (parameter === undefined) {
      this.withoutParameter(name, source, place, keys);
      return;
    }
    const before = CUMULATIVE.has(parameter.name) ? this.parameters.get(parameter.name) : undefined;
    const text = parameter.name === 'save' && before ? `${before} ${source.text}` : source.text;
    const value = parameter.type.parse(source.text === '' ? '' : text, before ?? parameter.defaultValue);
    if (value instanceof InvalidValue)
      throw new UsageError(`${source.place}: must be ${parameter.type.description}`);
    if (parameter.effect === 'none') this.withoutMeaning.add(parameter.name);
    this.parameters.set(parameter.name, value);
  }

  private withoutParameter(
    name: string,
    source: Given,
    place: string,
    keys: ReadonlyMap<string, string>,
  ): void {
    // What is off or empty asks for nothing.
    if (redisNamesRefused.has(name) && !/^(0|no|)$/.test(source.text)) {
      throw new UsageError(`${place}: redraft has no ${name}: take the line out`);
    }
    if (redisNamesWithoutMeaning.has(name) || redisNamesRefused.has(name)) {
      this.withoutMeaning.add(name);
      return;
    }
    const near = nearest(name, [...keys.keys()]);
    throw new UsageError(
      `${place}: unknown name '${name}'${near === undefined ? '' : `: did you mean ${near}?`}`,
    );
  }
}

/**
 * Redis listens on several addresses, and does without those behind a dash. This program listens on one, or
 * on all.
 */
function oneAddress(source: Given): Given {
  const addresses = source.text.split(' ').filter((address) => !address.startsWith('-'));
  const optional = source.text.split(' ').filter((address) => address.startsWith('-'));
  const [first = optional[0]?.slice(1) ?? ''] = addresses;
  if (addresses.length > 1) throw new UsageError(`${source.place}: must be one address, or * for all`);
  return { text: first === '*' ? '0.0.0.0' : first === '::*' ? '::' : first, place: source.place };
}

// ---- suggestions ----

/** The name that a mistyped one most likely meant: at most two letters away, one if it is short. */
function nearest(given: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = given.length < 4 ? 2 : 3;
  for (const name of names) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
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
