/** Runs the program as a process of its own, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { programPath } from '../program-path.js';

/**
 * A folder for this test file, removed when its tests are over, together with the processes that still run.
 */
export const folder = mkdtempSync(join(tmpdir(), 'redraft-program-'));
const running = new Set<ChildProcess>();
after(async () => {
  const ends = [...running].map((child) => once(child, 'close'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ends);
  rmSync(folder, { recursive: true, force: true });
});

let directories = 0;
/** A path that does not exist yet. */
export const newDirectory = (): string => join(folder, `data${directories++}`);

export interface Program {
  readonly child: ChildProcess;
  /** The exit code; null after a signal that killed it. */
  readonly exit: Promise<number | null>;
  stdout: string;
  stderr: string;
}

/** Starts `redraft` with these arguments and no other environment. */
export function start(args: readonly string[], environment: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, [programPath, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...environment },
    cwd: folder,
  });
  running.add(child);
  const exit = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  const program: Program = { child, exit, stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    program.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    program.stderr += text;
  });
  return program;
}

/** Runs `redraft` to its end. */
export async function run(
  args: readonly string[],
  environment?: Record<string, string>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const program = start(args, environment);
  const code = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Waits for the banner; resolves with the port. */
export async function serving(program: Program): Promise<number> {
  for (;;) {
    const match = /serves [^ ]*:(\d+),[\s\S]*recovered .*\n/.exec(program.stdout);
    if (match !== null) return Number(match[1]);
    const ended = await Promise.race([
      once(program.child.stdout!, 'data').then(() => false),
      program.exit.then(() => true),
    ]);
    if (ended) throw new Error(`it ended: ${program.stdout}${program.stderr}`);
  }
}
