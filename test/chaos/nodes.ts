/** Redraft processes: each with a directory, a proxy in front of it, and a record of all that it printed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RespClient } from '../../src/resp/client.js';
import { plain } from '../cluster/nodes.js';
import type { Cleanup } from './cleanup.js';
import type { Journal } from './journal.js';
import type { NodePlace } from './network.js';

/** The program as it ships (`npm run build`). */
const main = join(import.meta.dirname, '../../program/main.js');
/**
 * Should the harness itself be killed, the system ends what it started (util-linux; elsewhere that is left
 * out).
 */
const deathSignal =
  process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0
    ? ['setpriv', '--pdeathsig', 'KILL']
    : [];

export interface NodeOptions {
  readonly name: string;
  readonly directory: string;
  readonly logFile: string;
  /** Flags of every start. */
  readonly flags: readonly string[];
}

/** What a node may print while nothing unusual is done to it: others may be away when it asks them. */
const usualWarnings = [
  /^the clock of this node/,
  /^anybody who reaches /,
  /^no snapshot there: \S+ cannot be asked: /,
];

/** A leader tries to hand over for 10 s, and the machine is busy. */
const stopTimeoutMs = 30_000;

export type Stats = Readonly<Record<string, string>>;

export class ChaosNode {
  /** What is being done to it now: one thing at a time. */
  fault: string | undefined;
  isPaused = false;
  /** Whether the cluster may have removed it: then it is let in anew, empty, when it says so. */
  mayBeRemoved = false;
  /** Messages with which it may end while a fault lasts, and warnings that it may print. */
  allowed: RegExp | undefined;
  /** Joins are told to everybody but itself. */
  joinAddresses: readonly string[] = [];
  /** What the process that ran last printed. */
  output = '';
  private child: ChildProcess | undefined;
  private forget: (() => void) | undefined;
  private isEnding = false;
  private admin: RespClient | undefined;
  private id: number | undefined;
  private partial = '';

  constructor(
    readonly options: NodeOptions,
    /** Where it listens, and where others reach it. */
    public place: NodePlace,
    private readonly journal: Journal,
    private readonly cleanup: Cleanup,
  ) {
    mkdirSync(options.directory, { recursive: true });
  }

  get name(): string {
    return this.options.name;
  }

  get address(): string {
    return this.place.address;
  }

  get isRunning(): boolean {
    return this.child !== undefined;
  }

  /** Runs, has said that it serves, and does not stand still. */
  get isUp(): boolean {
    return this.isRunning && !this.isPaused && / serves /.test(this.output);
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Undefined as long as the directory is new. */
  get nodeId(): number | undefined {
    if (this.id !== undefined) return this.id;
    try {
      const identity = JSON.parse(readFileSync(join(this.options.directory, 'identity.json'), 'utf8'));
      this.id = (identity as { nodeId: number }).nodeId;
    } catch {
      // Not written yet.
    }
    return this.id;
  }

  note(text: string): void {
    this.journal.note(this.name, text);
    appendFileSync(this.options.logFile, `${new Date().toISOString()} ------ ${text}\n`);
  }

  /** Starts the process; {@link ready} tells when it serves. */
  start(): void {
    if (this.child !== undefined) return;
    const { directory, flags } = this.options;
    const { host, port, address, prefix } = this.place;
    const join = this.joinAddresses.length > 0 ? ['--join', this.joinAddresses.join(',')] : [];
    const own = ['--bind', host, '--port', `${port}`, '--advertise', address, '--dir', directory];
    const open = ['--protected-mode', 'no', '--cluster-secret', 'chaos', '--enable-debug-command', 'yes'];
    const program = [process.execPath, main, ...own, ...open, ...join, ...flags];
    const [command, ...args] = [...deathSignal, ...prefix, ...program];
    this.note(`starts${join.length > 0 ? ` with ${join.join(' ')}` : ''}`);
    this.output = '';
    this.partial = '';
    this.isEnding = false;
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const { pid } = child;
    this.child = child;
    this.forget = this.cleanup.add(() => {
      if (pid !== undefined && this.child === child) process.kill(pid, 'SIGKILL');
    });
    child.on('error', (error) => this.journal.violate('no crash', `${this.name}: ${error.message}`));
    for (const stream of [child.stdout!, child.stderr!]) {
      const isError = stream === child.stderr;
      stream.setEncoding('utf8').on('data', (text: string) => this.printed(text, isError));
    }
    // Not `exit`: the last words come before `close`.
    child.once('close', (code, signal) => this.closed(code, signal));
  }

  private printed(text: string, isError: boolean): void {
    this.output += text;
    appendFileSync(this.options.logFile, text);
    const lines = (this.partial + text).split('\n');
    this.partial = lines.pop()!;
    for (const line of lines) {
      const said = line.replace(/^\S+Z /, '');
      this.journal.note(this.name, `| ${said}`);
      if (/cut a torn tail/.test(said)) this.journal.count('tails cut');
      const warning = isError ? said : /^warning (.*)/.exec(said)?.[1];
      if (warning === undefined || usualWarnings.some((usual) => usual.test(warning))) continue;
      if (this.allowed?.test(warning) || (this.mayBeRemoved && isRemoval(warning))) continue;
      this.journal.violate('no unexpected message', `${this.name} says: ${warning}`);
    }
  }

  private closed(code: number | null, signal: NodeJS.Signals | null): void {
    this.child = undefined;
    this.isPaused = false;
    this.forget?.();
    this.dropAdmin();
    this.note(`ended with ${signal ?? code}`);
    if (this.isEnding || (this.mayBeRemoved && this.saysRemoved)) return;
    if (this.allowed?.test(this.output)) return;
    const last = this.output.trimEnd().split('\n').slice(-5).join('\n  ');
    this.journal.violate('no crash', `${this.name} ended by itself with ${signal ?? code}:\n  ${last}`);
  }

  /** Whether it ended because the cluster has removed it. */
  get saysRemoved(): boolean {
    return isRemoval(this.output);
  }

  private dropAdmin(): void {
    void this.admin?.close();
    this.admin = undefined;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.child === undefined) return;
    this.note(signal);
    this.child.kill(signal);
    this.isPaused = signal === 'SIGSTOP';
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.isEnding = true;
    this.note('kill -9');
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  /** SIGTERM; after a while it must be gone, with exit code 0 unless it had not served yet. */
  async stop(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.isEnding = true;
    this.note('SIGTERM');
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.journal.violate('clean stop', `${this.name} still runs ${stopTimeoutMs} ms after SIGTERM`);
      child.kill('SIGKILL');
    }, stopTimeoutMs);
    const [code, signal] = (await closed) as [number | null, string | null];
    clearTimeout(timer);
    const isExpected = code === 0 || this.saysRemoved || this.allowed?.test(this.output);
    if (!isExpected && this.journal.violation === undefined)
      this.journal.violate('clean stop', `${this.name} ended with ${signal ?? code} after SIGTERM`);
  }

  /** Waits until it serves, ends or time is over; tells which. */
  async ready(timeoutMs: number): Promise<'serves' | 'ended' | 'late'> {
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; ) {
      if (!this.isRunning) return 'ended';
      if (this.isUp) return 'serves';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return 'late';
  }

  /** Empties the directory of a process that is gone: what starts there next is a new node. */
  wipe(): void {
    this.note('its directory is emptied');
    for (const entry of ['identity.json', 'lock', 'log', 'snapshots'])
      rmSync(join(this.options.directory, entry), { recursive: true, force: true });
    this.id = undefined;
    this.mayBeRemoved = false;
  }

  /** One command of the operator's, past the proxy. Undefined if no answer can be had. */
  async ask(timeoutMs: number, ...args: string[]): Promise<unknown> {
    const { host, port } = this.place;
    let client: RespClient | undefined;
    try {
      client = await RespClient.connect({ host, port, connectTimeoutMs: 1000, replyTimeoutMs: timeoutMs });
      return plain(await client.call(...args));
    } catch {
      return undefined;
    } finally {
      void client?.close();
    }
  }

  /** RAFTSTATS over a connection that is kept. */
  async stats(): Promise<Stats | undefined> {
    if (!this.isRunning || this.isPaused) return undefined;
    const { host, port } = this.place;
    try {
      if (this.admin === undefined || this.admin.closed)
        this.admin = await RespClient.connect({ host, port, connectTimeoutMs: 500, replyTimeoutMs: 1000 });
      const items = plain(await this.admin.call('RAFTSTATS'));
      if (!Array.isArray(items)) return undefined;
      const stats: Record<string, string> = {};
      for (let i = 0; i < items.length; i += 2) stats[String(items[i])] = String(items[i + 1]);
      return stats;
    } catch {
      return undefined;
    }
  }
}

function isRemoval(text: string): boolean {
  return /was removed from (its|this) cluster/.test(text);
}
