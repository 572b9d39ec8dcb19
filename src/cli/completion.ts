/** `redraft completion`: scripts for shells, made of the tables of options, so that they know them all. */
import { type Subcommand, serveCommand, subcommands } from './help.js';
import type { OptionRow } from './option-row.js';
import { type CompletionOptions, dashed } from './options.js';

/** What may stand behind a flag, or where an argument stands. */
type Values = readonly string[] | 'files' | 'directories' | undefined;

interface Flag {
  readonly names: readonly string[];
  readonly help: string;
  /** What stands for its value; empty for a switch. */
  readonly argument: string;
  readonly values: Values;
}

interface Command {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly argument: Values;
}

const commands: readonly Command[] = [serveCommand, ...subcommands].map(commandOf);

/** The script for `bash` or `zsh`; with --json what it knows. */
export function completion(shell: string, { json }: CompletionOptions): string {
  if (json) return `${JSON.stringify({ commands })}\n`;
  return shell === 'zsh' ? zshScript() : bashScript();
}

function commandOf({ name, summary, table, positionals }: Subcommand): Command {
  const flags = Object.entries(table).map(
    ([key, row]): Flag => ({
      names: [...(row.short === undefined ? [] : [`-${row.short}`]), `--${dashed(key)}`],
      help: row.help,
      argument: row.argument,
      values: valuesOf(row),
    }),
  );
  const own: Flag[] = [
    { names: ['-h', '--help'], help: 'Print this', argument: '', values: undefined },
    { names: ['-v', '--version'], help: 'Print the version', argument: '', values: undefined },
  ];
  return { name, summary, flags: [...flags, ...own], argument: argumentOf(positionals[0]) };
}

function valuesOf({ argument, type }: OptionRow): Values {
  if (argument === 'FILE') return 'files';
  if (argument === 'DIR') return 'directories';
  return type.words;
}

function argumentOf(positional: string | undefined): Values {
  switch (positional) {
    case undefined:
      return undefined;
    case 'DIR':
      return 'directories';
    case 'SHELL':
      return ['bash', 'zsh'];
    default:
      return 'files';
  }
}

// ---- bash ----

/** The arguments of compgen that propose them. */
function compgenOf(values: Values): string {
  if (values === 'files') return '-f';
  if (values === 'directories') return '-d';
  return `-W '${(values ?? []).join(' ')}'`;
}

function bashScript(): string {
  const perCommand = commands.map(({ name, flags, argument }) => {
    const names = flags.flatMap((flag) => flag.names).join(' ');
    return `    '${name}') flags='${names}'; argument=(${compgenOf(argument)}) ;;`;
  });
  const perValue = commands.flatMap(({ name, flags }) =>
    flags
      .filter((flag) => flag.argument !== '')
      .map((flag) => {
        const patterns = flag.names.map((one) => `'${name} ${one}'`).join('|');
        return `    ${patterns}) values=(${compgenOf(flag.values)}) ;;`;
      }),
  );
  return `# Completion of redraft for bash: source <(redraft completion bash)
_redraft() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' flags argument values
  [[ COMP_CWORD -gt 1 && \${COMP_WORDS[1]} != -* ]] && command=\${COMP_WORDS[1]}
  # bash splits --flag=value at the sign.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  COMPREPLY=()
  case "$command $previous" in
${perValue.join('\n')}
  esac
  if [[ \${#values[@]} -gt 0 ]]; then
    mapfile -t COMPREPLY < <(compgen "\${values[@]}" -- "$current")
    return
  fi
  case "$command" in
${perCommand.join('\n')}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
  elif [[ COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${subcommands.map(({ name }) => name).join(' ')}' -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen "\${argument[@]}" -- "$current")
  fi
}
complete -o filenames -F _redraft redraft
`;
}

// ---- zsh ----

/** Within single quotes, where _arguments gives brackets and colons a meaning. */
const quoted = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''");

function zshAction(values: Values): string {
  if (values === 'files') return '_files';
  if (values === 'directories') return '_files -/';
  return values === undefined ? ' ' : `(${values.join(' ')})`;
}

function zshSpec({ names, help, argument, values }: Flag): string {
  const value = argument === '' ? '' : `:${quoted(argument)}:${zshAction(values)}`;
  const text = `[${quoted(help)}]${value}'`;
  return names.length === 1 ? `'${names[0]}${text}` : `'(${names.join(' ')})'{${names.join(',')}}'${text}`;
}

function zshScript(): string {
  const specs = ({ flags, argument }: Command): string =>
    [...flags.map(zshSpec), ...(argument === undefined ? [] : [`'1:argument:${zshAction(argument)}'`])]
      .map((spec) => `        ${spec}`)
      .join(' \\\n');
  const [server, ...others] = commands;
  const cases = others.map((command) => `    ${command.name})\n      _arguments \\\n${specs(command)} ;;`);
  const described = others.map(({ name, summary }) => `'${name}:${quoted(summary)}'`);
  return `#compdef redraft
# Completion of redraft for zsh: redraft completion zsh, as a file _redraft below $fpath
_redraft() {
  local -a commands=(
    ${described.join('\n    ')}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  local command=$words[2]
  [[ $command == -* ]] || { shift words; (( CURRENT-- )) }
  case $command in
${cases.join('\n')}
    *)
      _arguments \\
${specs(server)} ;;
  esac
}
compdef _redraft redraft
`;
}
