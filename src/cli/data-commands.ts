/** The subcommands that move data, in one part of the program: they share the engine. */
import { runBackup } from './backup.js';
import type { CommandLine } from './command-line.js';
import { runExport } from './export.js';
import { runImport } from './import.js';
import type { SaidTo } from './progress.js';
import { runRestore } from './restore.js';

export type DataCommand = Extract<CommandLine, { kind: 'backup' | 'export' | 'import' | 'restore' }>;

/** @returns the exit code */
export function runDataCommand(
  command: DataCommand,
  print: (text: string) => void,
  said: SaidTo,
): Promise<number> {
  switch (command.kind) {
    case 'backup':
      return runBackup(command.path, command.options, print, said);
    case 'export':
      return runExport(command.path, command.options, print, said);
    case 'import':
      return runImport(command.source, command.options, print, said);
    case 'restore':
      return runRestore(command.source, command.options, print, said);
  }
}
