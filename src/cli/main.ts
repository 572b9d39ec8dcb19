#!/usr/bin/env node
/** The program: `redraft` and its subcommands. Each loads what it needs and no more. */
import './v8-flags.js';
import { isColoured } from './colour.js';
import { ServerThread } from './launcher.js';

const args = process.argv.slice(2);
// The server loads while the command line is read, unless that plainly asks for something else.
const serves = !/^[^-]/.test(args[0] ?? '-') && !args.some((arg) => /^(-h|-v|--help|--version)$/.test(arg));
const thread = serves ? new ServerThread() : undefined;

// Whoever read the output may leave (`redraft status --watch | head`). The server's thread sees to its own.
if (!serves) {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

const print = (text: string): void => void process.stdout.write(text);
const complain = (text: string): void => void process.stderr.write(text);
const said = { print: complain, terminal: process.stderr };

void run().then((code) => {
  process.exitCode = code;
  // Whatever else still stands open, such as a thread that was not needed, ends here, once the output is
  // written.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
});

async function run(): Promise<number> {
  const { parseCommandLine, UsageError } = await import('./command-line.js');
  try {
    const command = parseCommandLine(args, process.env);
    switch (command.kind) {
      case 'help':
        process.stdout.write(command.text);
        return 0;
      case 'version': {
        const { redraftVersion } = await import('../version.js');
        process.stdout.write(`redraft ${redraftVersion}\n`);
        return 0;
      }
      case 'check': {
        const { check } = await import('./check.js');
        return await check(command.directory, command.options, print);
      }
      case 'completion': {
        const { completion } = await import('./completion.js');
        process.stdout.write(completion(command.shell, command.options));
        return 0;
      }
      case 'top': {
        const { top } = await import('./top.js');
        return await top(command.options, process.stdout, complain);
      }
      case 'backup':
      case 'export':
      case 'import':
      case 'restore': {
        const { runDataCommand } = await import('./data-commands.js');
        return await runDataCommand(command, print, said);
      }
      case 'recover': {
        const { recover } = await import('./recover.js');
        return await recover(command.options, print, complain);
      }
      case 'status': {
        const { status } = await import('./status.js');
        return await status(command.options, print, complain, isColoured(process.stdout));
      }
      case 'serve':
        return await (thread ?? new ServerThread()).run(command.options);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`redraft: ${error.message}\n`);
    return 2;
  }
}
