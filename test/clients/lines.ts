/** Programs that say what they see, a line each. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export const PYTHON = '/usr/bin/python3';

/** Whether a program runs without an error; if not, the test's output says what is missing. */
export function isInstalled(t: TestContext, command: readonly string[], packages: string): boolean {
  const [file, ...args] = command;
  if (spawnSync(file, args).status === 0) return true;
  t.diagnostic(`not there: apt-get install ${packages}`);
  return false;
}

export class LineProgram {
  readonly lines: string[] = [];
  errors = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcessWithoutNullStreams;

  constructor(t: TestContext, file: string, ...args: string[]) {
    this.child = spawn(file, args);
    createInterface(this.child.stdout).on('line', (line) => this.lines.push(line));
    this.child.stderr.on('data', (chunk) => {
      this.errors += chunk;
    });
    this.child.stdin.on('error', () => {});
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    t.after(() => this.child.kill('SIGKILL'));
  }

  say(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }
}
