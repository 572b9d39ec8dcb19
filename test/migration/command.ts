/** Subcommands that move data, run in this process, and the nodes that they talk to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { check } from '../../src/cli/check.js';
import { type CommandLine, parseCommandLine } from '../../src/cli/command-line.js';
import { runDataCommand } from '../../src/cli/data-commands.js';
import type { SaidTo } from '../../src/cli/progress.js';
import { Redraft } from '../../src/index.js';

/** A folder that is gone after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'redraft-data-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export async function nodeOf(
  t: TestContext,
  dir?: string,
  configuration: Record<string, string> = {},
): Promise<Redraft> {
  const redraft = await Redraft.start({ port: 0, configuration, ...(dir === undefined ? {} : { dir }) });
  t.after(() => redraft.stop());
  return redraft;
}

type Print = (text: string) => void;

/**
 * What a command line ends with and prints, `execute` being what it names.
 *
 * @param terminal what standard error is, where it is one
 */
export async function runCommand(
  args: readonly string[],
  execute: (command: CommandLine, print: Print, said: SaidTo) => number | Promise<number>,
  terminal?: SaidTo['terminal'],
): Promise<{ code: number; out: string; said: string }> {
  let [out, said] = ['', ''];
  const code = await execute(
    parseCommandLine([...args], {}),
    (text) => {
      out += text;
    },
    {
      print: (text) => {
        said += text;
        terminal?.write(text);
      },
      terminal,
    },
  );
  return { code, out, said };
}

/** What moves data, and what reports on it, for {@link runCommand}. */
export function runDataOrCheck(command: CommandLine, print: Print, said: SaidTo): number | Promise<number> {
  switch (command.kind) {
    case 'check':
      return check(command.directory, command.options, print);
    case 'backup':
    case 'export':
    case 'import':
    case 'restore':
      return runDataCommand(command, print, said);
    default:
      throw new Error(`${command.kind} moves no data`);
  }
}
