/** The texts of --help, from the tables of options. */
import { backupTable, exportTable, importTable, restoreTable } from './data-options.js';
import {
  checkTable,
  completionTable,
  dashed,
  environmentName,
  type OptionTable,
  recoverTable,
  serveTable,
  statusTable,
  topTable,
} from './options.js';

export interface Subcommand {
  /** Empty for the server itself. */
  readonly name: string;
  /** What follows the name on the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly table: OptionTable;
  /** Arguments that are no options. */
  readonly positionals: readonly string[];
  /** An option that takes the place of the arguments. */
  readonly orOption?: string;
  readonly example: string;
  /** What its exit codes say, but for that of a wrong command line. Default: done, and failed. */
  readonly exitCodes?: readonly string[];
}

const EXIT_CODES = ['0: done', '1: it failed, and says why'];

export const serveCommand: Subcommand = {
  name: '',
  usage: '[options]',
  summary: 'A Redis whose every acknowledged write survives the loss of a machine.',
  table: serveTable,
  positionals: [],
  example: 'redraft --port 6379 --dir /var/lib/redraft',
  exitCodes: ['0: it was told to stop, and stopped', '1: it could not start, or had to stop'],
};

export const subcommands: readonly Subcommand[] = [
  {
    name: 'backup',
    usage: 'FILE | --continuous DIR [options]',
    summary:
      'Copies the state of a running cluster to a file, or keeps a folder up to date with every write.',
    table: backupTable,
    positionals: ['FILE'],
    orOption: 'continuous',
    example: 'redraft backup monday.backup --from 127.0.0.1:7481 --keep 7',
  },
  {
    name: 'check',
    usage: 'PATH [options]',
    summary: 'Reports on a data directory or a backup, changing nothing.',
    table: checkTable,
    positionals: ['PATH'],
    example: 'redraft check ./data',
    exitCodes: ['0: a node would start on it', '1: not'],
  },
  {
    name: 'completion',
    usage: 'bash|zsh',
    summary: 'Prints a script that has a shell complete commands, options and their values.',
    table: completionTable,
    positionals: ['SHELL'],
    example: 'source <(redraft completion bash)',
  },
  {
    name: 'export',
    usage: 'FILE [options]',
    summary: 'Writes what a node holds as an RDB file that redis-server 7.0 loads; - for standard output.',
    table: exportTable,
    positionals: ['FILE'],
    example: 'redraft export dump.rdb --from 127.0.0.1:7481',
  },
  {
    name: 'import',
    usage: 'SOURCE [options]',
    summary:
      'Takes keys from an RDB file, from standard input (-) or from a running Redis (redis://host:port).',
    table: importTable,
    positionals: ['SOURCE'],
    example: 'redraft import redis://10.0.0.9:6379 --to 127.0.0.1:7481',
    exitCodes: ['0: all that was asked for is there', '1: it failed, or keys were left out'],
  },
  {
    name: 'recover',
    usage: '[options]',
    summary: 'Makes a node its whole cluster, when the majority is lost for good; or skips an entry.',
    table: recoverTable,
    positionals: [],
    example: 'redraft recover --dir ./data',
    exitCodes: ['0: done, or nothing to do', '1: it failed, or was not told yes'],
  },
  {
    name: 'restore',
    usage: 'BACKUP [options]',
    summary: 'Founds a new cluster with what a backup holds: a file, or a folder of --continuous.',
    table: restoreTable,
    positionals: ['BACKUP'],
    example: 'redraft restore /backup/redraft --dir ./data --to 2026-11-28T20:00:00Z',
  },
  {
    name: 'status',
    usage: '[options]',
    summary: 'Asks a running node how it and its cluster are.',
    table: statusTable,
    positionals: [],
    example: 'redraft status --address 127.0.0.1:7481',
    exitCodes: ['0: somebody leads, and all members are well', '1: not'],
  },
  {
    name: 'top',
    usage: '[options]',
    summary: 'Shows live what a node does: commands, latency, clients, keys, memory.',
    table: topTable,
    positionals: [],
    example: 'redraft top --address 127.0.0.1:7481',
    exitCodes: ['0: it was shown', '1: the node cannot be asked'],
  },
];

const WIDTH = 100;
const FLAGS_WIDTH = 34;

/** The --help text of a subcommand, at most 100 columns wide. */
export function helpOf(command: Subcommand): string {
  const name = command.name === '' ? 'redraft' : `redraft ${command.name}`;
  const lines = [command.summary, '', `Usage: ${name} ${command.usage}`];
  if (command.name === '') {
    for (const { name: other, usage, summary } of subcommands) {
      lines.push(...columns(`       redraft ${other} ${usage}`, summary));
    }
  }
  lines.push(`Example: ${command.example}`);
  const rows = Object.entries(command.table);
  for (const group of new Set(rows.map(([, row]) => row.group))) {
    lines.push('', group);
    for (const [key, row] of rows) {
      if (row.group !== group) continue;
      const short = row.short === undefined ? '    ' : `-${row.short}, `;
      const flag = `  ${short}--${dashed(key)} ${row.argument}`.trimEnd();
      lines.push(...columns(flag, row.help));
      const shown = `Default: ${row.shownDefault ?? row.default}.`;
      const example = `Example: ${row.example}`;
      if (FLAGS_WIDTH + shown.length + 1 + example.length <= WIDTH) {
        lines.push(...columns('', `${shown} ${example}`));
      } else {
        lines.push(...columns('', shown), ...columns('', example));
      }
    }
  }
  lines.push('', ...columns('  -h, --help', 'Print this'));
  lines.push(...columns('  -v, --version', 'Print the version'));
  const codes = [...(command.exitCodes ?? EXIT_CODES), '2: the command line is wrong'];
  lines.push('', 'Exit codes', ...codes.map((code) => `  ${code}`));
  if (command.name === '') {
    lines.push(
      '',
      `Every option may also come from the environment (${environmentName('port')}, ${environmentName('snapshotSize')}) or from the`,
      'file that --config names: lines of a name and a value, such as "snapshot-size 1gb"; # starts a',
      'comment; values with blanks stand in quotes. The file may also set the parameters that CONFIG SET',
      'knows. A flag counts before the environment, that before the file, that before the default.',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Text beside its flag, or below it where that is too long, broken into lines. */
function columns(left: string, text: string): string[] {
  const lines: string[] = [];
  const words = text.split(' ');
  let line = '';
  for (const word of words) {
    if (line !== '' && FLAGS_WIDTH + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  const indent = ' '.repeat(FLAGS_WIDTH);
  const beside = left.length < FLAGS_WIDTH;
  const [first, ...others] = lines;
  const head = beside ? [left.padEnd(FLAGS_WIDTH) + first] : [left, indent + first];
  return [...head, ...others.map((other) => indent + other)];
}
