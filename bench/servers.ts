/** Starts the servers that are compared, each in a process and a directory of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PipelinedClient } from './pipelined-client.js';

/** memory: nothing reaches a disk; durable: a write is answered after it was synced to disk. */
export type Mode = 'memory' | 'durable';
export type ServerName = 'redraft' | 'redis';

export interface RunningServer {
  readonly name: ServerName;
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  /** From the start of the process to the first reply. */
  readonly startMs: number;
  /** Ends it at once (SIGKILL), and removes its directory unless that is to be used again. */
  stop(keepDirectory?: boolean): Promise<void>;
}

const mainProgram = join(import.meta.dirname, '../program/main.js');

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve((address as { port: number }).port));
    });
  });
}

/** Whether the tools that every comparison stands on are installed. */
export function hasRedis(): boolean {
  return ['redis-server', 'redis-benchmark'].every((tool) => spawnSync(tool, ['--version']).status === 0);
}

function commandLine(
  name: ServerName,
  mode: Mode,
  port: number,
  directory: string,
  program: string | undefined,
): [string, string[]] {
  if (name === 'redis') {
    const persistence =
      mode === 'memory'
        ? ['--appendonly', 'no']
        : ['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '0'];
    return [
      program ?? 'redis-server',
      ['--port', `${port}`, '--save', '', '--dir', directory, ...persistence],
    ];
  }
  const persistence =
    mode === 'memory'
      ? ['--backend', 'memory']
      : ['--dir', directory, '--durability', 'high', '--snapshot-size', '64gb'];
  return [process.execPath, [program ?? mainProgram, '--port', `${port}`, ...persistence]];
}

export interface StartOptions {
  /** Arguments for its command line, behind those of the mode. */
  readonly extra?: readonly string[];
  /** Default: a new one. */
  readonly directory?: string;
  /** Path of the program: another redis-server, or another Redraft's main.js. */
  readonly program?: string | undefined;
}

/**
 * Starts a server and waits for its first reply. Neither rewrites nor cuts its log in the background, so that
 * rounds are alike.
 */
export async function startServer(
  name: ServerName,
  mode: Mode,
  { extra = [], directory = mkdtempSync(join(tmpdir(), 'redraft-bench-')), program }: StartOptions = {},
): Promise<RunningServer> {
  const port = await freePort();
  const [command, args] = commandLine(name, mode, port, directory, program);
  const began = performance.now();
  const child: ChildProcess = spawn(command, [...args, ...extra], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  while (!(await answers(port))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${name} did not start:\n${output}`);
  }
  return {
    name,
    port,
    pid: child.pid!,
    directory,
    startMs: performance.now() - began,
    async stop(keepDirectory = false) {
      process.off('exit', kill);
      kill();
      await exited;
      if (!keepDirectory) rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function answers(port: number): Promise<boolean> {
  let client: PipelinedClient;
  try {
    client = await PipelinedClient.connect(port);
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return false;
  }
  const reply = await client.send(['PING']).catch(String);
  client.close();
  return reply.startsWith('+PONG');
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) * 1024;
}

/** Processor time that a process has used so far, in microseconds. */
export function processorUs(pid: number): number {
  const { userUs, systemUs } = timesOf(`/proc/${pid}/stat`);
  return userUs + systemUs;
}

/** Processor time that a thread has used so far, in its own code and in the kernel's. */
export interface ThreadTime {
  readonly id: string;
  readonly userUs: number;
  readonly systemUs: number;
}

/** Of all threads of a process that are there. */
export function threadTimes(pid: number): ThreadTime[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id) => {
    try {
      return [{ id, ...timesOf(`/proc/${pid}/task/${id}/stat`) }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** utime and stime of proc(5), in ticks of 10 ms. */
function timesOf(statFile: string): { readonly userUs: number; readonly systemUs: number } {
  const text = readFileSync(statFile, 'latin1');
  // The second field is the name, in parentheses; user and system time are the 14th and 15th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { userUs: Number(fields[11]) * 10_000, systemUs: Number(fields[12]) * 10_000 };
}
