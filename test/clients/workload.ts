/** One writer and one reader by a client, and what becomes of their commands while leadership moves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientKind, NodeClient, ProgramKind } from './failover-clients.js';

/** So many commands of one client may wait for their answers. */
const OUTSTANDING_MAX = 2000;

/** What happened to the writes, or to the reads, since {@link Stream.begin}. */
class Stream {
  errors: string[] = [];
  lastMs = performance.now();
  private longestMs = 0;

  begin(): void {
    this.errors = [];
    this.longestMs = 0;
    this.lastMs = performance.now();
  }

  answered(): void {
    const nowMs = performance.now();
    this.longestMs = Math.max(this.longestMs, nowMs - this.lastMs);
    this.lastMs = nowMs;
  }

  failed(text: string): void {
    this.errors.push(text);
  }

  /** The longest time without an answer, the time since the last one included. */
  get gapMs(): number {
    return Math.max(this.longestMs, performance.now() - this.lastMs);
  }
}

export abstract class Workload {
  readonly writes = new Stream();
  readonly reads = new Stream();
  /** What a read ought to have seen, and did not. */
  readonly stale: string[] = [];
  /** Values of writes that were acknowledged: elements of the list. */
  readonly acknowledged: string[] = [];
  private longestRead = 0;

  /** @param key the list that it writes to */
  constructor(readonly key: string) {}

  begin(): void {
    this.writes.begin();
    this.reads.begin();
  }

  /** Whether both have been answered since. */
  isBackSince(timeMs: number): boolean {
    return this.writes.lastMs > timeMs && this.reads.lastMs > timeMs;
  }

  abstract end(): void;

  protected wrote(value: string): void {
    this.writes.answered();
    this.acknowledged.push(value);
  }

  /** @param atLeast how many elements had been acknowledged when the read began */
  protected read(length: number, atLeast: number): void {
    this.reads.answered();
    if (!(length >= atLeast)) this.stale.push(`read ${length} elements where ${atLeast} were acknowledged`);
    this.longestRead = Math.max(this.longestRead, length);
  }

  /** Where only answers are heard: the list must not get shorter. */
  protected readInOrder(length: number): void {
    this.read(length, this.longestRead);
  }
}

/** A client library of Node's. Commands are sent when they are due, whatever became of those before. */
export class LibraryWorkload extends Workload {
  private isEnded = false;
  private outstanding = 0;
  private next = 0;

  private constructor(
    key: string,
    private readonly client: NodeClient,
    private readonly paceMs: number,
  ) {
    super(key);
  }

  static async start(
    kind: ClientKind,
    key: string,
    ports: readonly number[],
    paceMs: number,
  ): Promise<LibraryWorkload> {
    const workload = new LibraryWorkload(key, await kind.connect(ports), paceMs);
    void workload.run();
    return workload;
  }

  private async run(): Promise<void> {
    const beganMs = performance.now();
    for (let sent = 0; !this.isEnded; ) {
      const due = Math.floor((performance.now() - beganMs) / this.paceMs);
      for (; sent < due; sent++) {
        if (this.outstanding >= OUTSTANDING_MAX) continue;
        void this.write();
        void this.readOnce();
      }
      await sleep(this.paceMs);
    }
  }

  private async write(): Promise<void> {
    const value = `${this.next++}`;
    this.outstanding++;
    try {
      await this.client.append(this.key, value);
      this.wrote(value);
    } catch (error) {
      if (!this.isEnded) this.writes.failed((error as Error).message);
    } finally {
      this.outstanding--;
    }
  }

  private async readOnce(): Promise<void> {
    const atLeast = this.acknowledged.length;
    this.outstanding++;
    try {
      this.read(Number(await this.client.length(this.key)), atLeast);
    } catch (error) {
      if (!this.isEnded) this.reads.failed((error as Error).message);
    } finally {
      this.outstanding--;
    }
  }

  end(): void {
    this.isEnded = true;
    this.client.close();
  }
}

/**
 * A client of another language: a program that writes, and the same again that reads. It is given `write` or
 * `read`, a protocol, the key, and ports; it sends its commands one after the other and prints a line for
 * each: `+` and the value written or the length read, `-` and the error.
 */
export class ProgramWorkload extends Workload {
  private readonly children: ChildProcess[] = [];

  private constructor(
    key: string,
    private readonly command: readonly string[],
    ports: readonly number[],
  ) {
    super(key);
    this.run('write', ports, (line) => {
      if (line.startsWith('+')) this.wrote(line.slice(1));
      else this.writes.failed(line.slice(1));
    });
    this.run('read', ports, (line) => {
      if (line.startsWith('+')) this.readInOrder(Number(line.slice(1)));
      else this.reads.failed(line.slice(1));
    });
  }

  static async start(kind: ProgramKind, key: string, ports: readonly number[]): Promise<ProgramWorkload> {
    const workload = new ProgramWorkload(key, await kind.command(), ports);
    const beganMs = performance.now();
    while (!workload.isBackSince(beganMs)) {
      if (performance.now() - beganMs > 20_000)
        throw new Error(`${kind.name} does not begin: ${workload.writes.errors[0] ?? workload.complaints}`);
      await sleep(20);
    }
    return workload;
  }

  private complaints = '';

  private run(role: 'write' | 'read', ports: readonly number[], heard: (line: string) => void): void {
    const [file, ...words] = this.command;
    const child = spawn(file, [...words, role, this.key, ...ports.map(String)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.children.push(child);
    child.on('error', (error) => {
      this.complaints += error.message;
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.complaints = (this.complaints + text).slice(-2000);
    });
    createInterface({ input: child.stdout! }).on('line', heard);
    child.once('exit', (code) => {
      if (!child.killed) heard(`-the program ended with ${code}: ${this.complaints}`);
    });
  }

  end(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
