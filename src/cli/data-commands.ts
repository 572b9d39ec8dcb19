/** The subcommands that move data, in one part of the program: they share the engine. */
export { runBackup } from './backup.js';
export { runExport } from './export.js';
export { runImport } from './import.js';
export { runRestore } from './restore.js';
