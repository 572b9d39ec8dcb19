/**
 * Writes docs/COMMANDS.md from the command table: every command with its arguments, since when Redis has it,
 * and how ours differs.
 *
 * `npm run docs:commands`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandCatalog, type CommandDescription, type CommandGroup } from '../engine/command/facts.js';
import { displaySyntax } from '../engine/command/syntax.js';
import { engineCommands } from '../engine/commands/index.js';
import { programCommands } from '../src/commands/index.js';
import { projectDirectory, recordedCommandFacts } from './command-facts.js';
import { loadExceptions } from './exceptions.js';

/** A way in which a command answers otherwise than Redis. */
interface Difference {
  /** Matches the command as typed. */
  readonly command: RegExp;
  readonly reason: string;
}

const titles: Readonly<Record<CommandGroup, string>> = {
  generic: 'Keys',
  string: 'Strings',
  list: 'Lists',
  set: 'Sets',
  hash: 'Hashes',
  'sorted-set': 'Sorted sets',
  bitmap: 'Bitmaps',
  hyperloglog: 'HyperLogLog',
  geo: 'Geospatial indexes',
  stream: 'Streams',
  pubsub: 'Publish and subscribe',
  scripting: 'Scripts and functions',
  transactions: 'Transactions',
  connection: 'Connection',
  server: 'Server',
  cluster: 'Raft cluster',
};

const introduction = `# Commands

What Redraft knows, in the notation of Redis's documentation: \`[optional]\`, \`<one | of these>\`, \`[repeated ...]\`. "Since" is the
version of Redis that brought the command; those of the Raft cluster are our own, and have our version. A reply is that of redis-server 7.0.15, to the byte, unless the last column says otherwise.

This page is generated from the command table (\`npm run docs:commands\`); do not edit it.
`;

/** `OBJECT ENCODING` for `object|encoding`. */
function typedName(name: string): string {
  return name.replace('|', ' ').toUpperCase();
}

/** Whether a known difference speaks of this command, perhaps with certain arguments only. */
function speaksOf(
  { command }: Difference,
  { name, subcommands }: CommandDescription,
  typed: string,
): boolean {
  if (command.test(typed)) return true;
  return (
    subcommands.length === 0 && new RegExp(`^\\^${typedName(name)}(?![A-Za-z_])`, 'i').test(command.source)
  );
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

function tableRow(command: CommandDescription, differences: readonly Difference[]): string {
  const typed = `${typedName(command.name)} ${displaySyntax(command.arguments)}`.trimEnd();
  const notes = differences.filter((one) => speaksOf(one, command, typed)).map((one) => one.reason);
  if (command.facts.deprecatedSince !== undefined) {
    const instead = command.facts.replacedBy === undefined ? '' : `: use ${command.facts.replacedBy}`;
    notes.unshift(`Deprecated in Redis ${command.facts.deprecatedSince}${instead}.`);
  }
  const { summary, since, complexity } = command.facts;
  return `| \`${cell(typed)}\` | ${cell(summary)} | ${since} | ${cell(complexity ?? 'O(1)')} | ${cell(notes.join(' '))} |`;
}

/** The page's text. */
export function commandsPage(catalog: CommandCatalog, differences: readonly Difference[]): string {
  const sections = Object.entries(titles).flatMap(([group, title]) => {
    const rows = [...catalog.all()]
      // A container does nothing without its subcommands.
      .filter(({ facts }) => facts.group === group && (facts.kind !== 'container' || 'alone' in facts))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((command) => tableRow(command, differences));
    if (rows.length === 0) return [];
    const head =
      '| Command | What it does | Since | Complexity | Differences from Redis 7.0.15 |\n|---|---|---|---|---|';
    return [`## ${title}\n\n${head}\n${rows.join('\n')}\n`];
  });
  // Of a container that is missing as a whole, its name says enough.
  const known = (name: string): boolean => catalog.get(name) !== undefined;
  const missing = [...recordedCommandFacts().keys()]
    .filter((name) => !known(name) && (!name.includes('|') || known(name.split('|')[0])))
    .map((name) => `\`${typedName(name)}\``);
  const absent = `## Not there

Redis Cluster's slots on several shards have no place in Redraft: it does not know their commands. Of the groups above these are missing: ${missing.join(', ') || 'none'}.
`;
  return [introduction, ...sections, absent].join('\n');
}

/** The page for this checkout. */
export function currentCommandsPage(): string {
  return commandsPage(new CommandCatalog([...engineCommands, ...programCommands]), loadExceptions());
}

/** Where the page stands. */
export const commandsPageFile = join(projectDirectory(), 'docs', 'COMMANDS.md');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(commandsPageFile), { recursive: true });
  writeFileSync(commandsPageFile, currentCommandsPage());
}
