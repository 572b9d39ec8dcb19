/**
 * What redis-server says about its commands: the facts of COMMAND INFO and COMMAND DOCS without their prose,
 * kept in command-facts.jsonl and compared with our command table.
 *
 * `node dist/conformance/command-facts.js PORT` records them anew from a running redis-server 7.0.15, by way
 * of redis-cli.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A key specification as COMMAND INFO replies it. Of its notes, which are prose, only that they are there.
 */
export interface KeySpecFacts {
  readonly notes?: string;
  readonly flags: readonly string[];
  readonly begin_search: { readonly type: string; readonly spec: Record<string, unknown> };
  readonly find_keys: { readonly type: string; readonly spec: Record<string, unknown> };
}

/** One argument as COMMAND DOCS replies it. */
export interface ArgumentFacts {
  readonly name: string;
  readonly type: string;
  readonly key_spec_index?: number;
  readonly token?: string;
  readonly since?: string;
  readonly deprecated_since?: string;
  readonly flags?: readonly string[];
  readonly arguments?: readonly ArgumentFacts[];
}

/**
 * What COMMAND INFO and COMMAND DOCS say about one command or subcommand, in their own words but for the
 * prose.
 */
export interface CommandFactsRecord {
  readonly arity: number;
  readonly flags: readonly string[];
  /** First key, last key, step. */
  readonly keyRange: readonly [number, number, number];
  readonly categories: readonly string[];
  readonly tips: readonly string[];
  readonly keySpecs: readonly KeySpecFacts[];
  readonly group: string;
  readonly since: string;
  readonly docFlags: readonly string[];
  readonly deprecatedSince?: string;
  /** The versions that changed it. */
  readonly history: readonly string[];
  readonly arguments: readonly ArgumentFacts[];
  readonly subcommands: readonly string[];
}

/** The folder of package.json. */
export function projectDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return directory;
}

const recordFile = join(projectDirectory(), 'conformance', 'command-facts.jsonl');

/** The recorded facts by full name. */
export function recordedCommandFacts(): ReadonlyMap<string, CommandFactsRecord> {
  const lines = readFileSync(recordFile, 'utf8').trimEnd().split('\n');
  return new Map(lines.map((line) => JSON.parse(line) as [string, CommandFactsRecord]));
}

/**
 * COMMAND INFO's reply as JSON: name, arity, flags, first, last, step, categories, tips, key specifications,
 * subcommands.
 */
type Info = [string, number, string[], number, number, number, string[], string[], KeySpecFacts[], Info[]];

interface Docs {
  readonly since: string;
  readonly group: string;
  readonly doc_flags?: string[];
  readonly deprecated_since?: string;
  readonly history?: [string, string][];
  readonly arguments?: ArgumentFacts[];
  readonly subcommands?: Record<string, Docs>;
}

/**
 * Turns the replies (as `redis-cli -3 --json` prints them) into records, sorted by name: the server's own
 * order is that of a hash table.
 */
export function commandFactsOf(
  infos: readonly Info[],
  docs: Record<string, Docs>,
): [name: string, facts: CommandFactsRecord][] {
  const records: [string, CommandFactsRecord][] = [];
  const add = (info: Info, doc: Docs): void => {
    const [name, arity, flags, first, last, step, categories, tips, keySpecs, subcommands] = info;
    const record: CommandFactsRecord = {
      arity,
      flags,
      keyRange: [first, last, step],
      categories,
      tips,
      keySpecs: keySpecs.map((spec) => (spec.notes === undefined ? spec : { ...spec, notes: '' })),
      group: doc.group,
      since: doc.since,
      docFlags: doc.doc_flags ?? [],
      ...(doc.deprecated_since === undefined ? {} : { deprecatedSince: doc.deprecated_since }),
      history: (doc.history ?? []).map(([version]) => version),
      arguments: doc.arguments ?? [],
      subcommands: subcommands.map(([subcommand]) => subcommand).sort(),
    };
    records.push([name, record]);
    for (const subcommand of subcommands) add(subcommand, doc.subcommands![subcommand[0]]);
  };
  for (const info of infos) add(info, docs[info[0]]);
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
}

function record(port: string): void {
  const ask = (...words: string[]): unknown =>
    JSON.parse(
      execFileSync('redis-cli', ['-p', port, '-3', '--json', ...words], {
        encoding: 'utf8',
        maxBuffer: 1 << 24,
      }),
    );
  const facts = commandFactsOf(
    ask('COMMAND', 'INFO') as Info[],
    ask('COMMAND', 'DOCS') as Record<string, Docs>,
  );
  writeFileSync(recordFile, facts.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  console.log(`recorded ${facts.length} commands`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === undefined) {
    console.error('usage: command-facts PORT (of a running redis-server 7.0.15)');
    process.exit(2);
  }
  record(process.argv[2]);
}
