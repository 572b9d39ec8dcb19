/**
 * A disk in memory that keeps apart what was written and what is durable, for tests and the simulator.
 *
 * What it may do in a power cut, as real disks and file systems do: lose unsynced writes, keep some of their
 * sectors and not others, in any order; lose the newest creations, renames and removals of names, in order.
 * After a failed sync the written bytes still read back, yet no later sync makes them durable (as Linux does
 * since the pages count as clean).
 */
import { dirname } from 'node:path';
import type { Disk, DiskFile, OpenMode } from '../../raft/node/directory/disk.js';

export type DiskOperation =
  | 'open'
  | 'write'
  | 'sync'
  | 'read'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'syncDirectory';

export interface SimulatedDiskOptions {
  /**
   * When the answer to an asynchronous call is given; default: in a microtask. That to a sync may be given at
   * once.
   */
  readonly schedule?: (operation: DiskOperation, callback: () => void) => void;
  /** Bytes that fit in all; beyond, writes fail with ENOSPC. */
  capacityBytes?: number;
  /** An error to answer a call with. */
  fault?: (operation: DiskOperation, path: string) => NodeJS.ErrnoException | undefined;
}

type Change = { readonly position: number; readonly bytes: Uint8Array } | { readonly length: number };

interface Content {
  /** As it reads now. */
  current: Buffer;
  /** As the platter holds it. */
  durable: Buffer;
  /** Changes since, oldest first; undefined stands for one that a failed sync has lost for good. */
  unsynced: Change[];
}

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly content: Content }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly content: Content };

const sectorBytes = 512;

/** Renames stay within one directory. */
function directoryOf(one: NameChange): string {
  return dirname(one.kind === 'rename' ? one.to : one.path);
}

export function diskError(code: string, path = ''): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${path}`), { code });
}

export class SimulatedDisk implements Disk {
  /** Calls so far. */
  readonly counts: Record<DiskOperation, number> = {
    open: 0,
    write: 0,
    sync: 0,
    read: 0,
    truncate: 0,
    rename: 0,
    unlink: 0,
    syncDirectory: 0,
  };

  private names = new Map<string, Content>();
  private durableNames = new Map<string, Content>();
  private nameChanges: NameChange[] = [];
  /** Handles and calls of an earlier life are dead. */
  private life = 0;

  constructor(readonly options: SimulatedDiskOptions = {}) {}

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.call('open', path);
    let content = this.names.get(path);
    if (content === undefined) {
      if (mode !== 'create') throw diskError('ENOENT', path);
      content = { current: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] };
      this.names.set(path, content);
      this.nameChanges.push({ kind: 'link', path, content });
    } else if (mode === 'create') {
      change(content, { length: 0 });
    }
    return new SimulatedFile(this, path, content, this.life);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.call('rename', from);
    const content = this.names.get(from);
    if (content === undefined) throw diskError('ENOENT', from);
    this.names.delete(from);
    this.names.set(to, content);
    this.nameChanges.push({ kind: 'rename', from, to, content });
  }

  async unlink(path: string): Promise<void> {
    await this.call('unlink', path);
    if (!this.names.delete(path)) throw diskError('ENOENT', path);
    this.nameChanges.push({ kind: 'unlink', path });
  }

  async list(directory: string): Promise<string[]> {
    await this.call('read', directory);
    const names: string[] = [];
    for (const path of this.names.keys()) {
      if (dirname(path) === directory) names.push(path.slice(directory.length + 1));
    }
    return names.sort();
  }

  async makeDirectory(): Promise<void> {}

  async syncDirectory(directory: string): Promise<void> {
    const upTo = new Set(this.nameChanges);
    await this.call('syncDirectory', directory);
    // Nobody promises an order between directories: this one is brought up to here, the others stay behind.
    this.settleNames((one) => upTo.has(one) && directoryOf(one) === directory);
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, (this.options.capacityBytes ?? Number.MAX_SAFE_INTEGER) - this.usedBytes());
  }

  // Events

  /** The process dies and the machine lives: all that was written is there, and all open files are dead. */
  kill(): void {
    this.life++;
  }

  /** Power cut. `random` returns numbers in [0, 1); `kept` is the share of unsynced sectors that survive. */
  crash(random: () => number, kept = random()): void {
    this.life++;
    // Not every file system keeps unsynced names in step with data: of each directory, any number of the
    // newest is lost.
    const directories = new Set(this.nameChanges.map(directoryOf));
    for (const directory of directories) {
      const changes = this.nameChanges.filter((one) => directoryOf(one) === directory);
      const survivors = new Set(changes.slice(0, Math.floor(random() * (changes.length + 1))));
      this.settleNames((one) => survivors.has(one));
    }
    this.nameChanges = [];
    this.names = new Map(this.durableNames);
    for (const content of this.names.values()) {
      let survivor = content.durable;
      for (const one of content.unsynced) {
        if ('length' in one) {
          if (random() < kept) survivor = resize(survivor, one.length);
          continue;
        }
        for (let at = 0; at < one.bytes.length; ) {
          const position = one.position + at;
          const length = Math.min(sectorBytes - (position % sectorBytes), one.bytes.length - at);
          if (random() < kept) survivor = overwrite(survivor, position, one.bytes.subarray(at, at + length));
          else if (random() < 0.5) survivor = resize(survivor, Math.max(survivor.length, position + length));
          at += length;
        }
      }
      content.durable = Buffer.from(survivor);
      content.current = Buffer.from(survivor);
      content.unsynced = [];
    }
  }

  /** The file as it reads now; changes to the result change nothing. */
  contents(path: string): Buffer {
    const content = this.names.get(path);
    if (content === undefined) throw diskError('ENOENT', path);
    return Buffer.from(content.current);
  }

  /** Sets a durable file, as if it had always been so. */
  put(path: string, bytes: Uint8Array): void {
    const content = { current: Buffer.from(bytes), durable: Buffer.from(bytes), unsynced: [] };
    this.names.set(path, content);
    this.durableNames.set(path, content);
  }

  /** Makes a file vanish, durably. */
  drop(path: string): void {
    this.names.delete(path);
    this.durableNames.delete(path);
  }

  paths(): string[] {
    return [...this.names.keys()].sort();
  }

  /** An independent copy of what reads now, all of it durable. */
  copy(options: SimulatedDiskOptions = { ...this.options }): SimulatedDisk {
    const made = new SimulatedDisk(options);
    for (const [path, content] of this.names) made.put(path, content.current);
    return made;
  }

  // For its files

  /** Counts a call, lets time pass and raises the fault that was ordered. */
  async call(operation: DiskOperation, path: string, life = this.life): Promise<void> {
    await new Promise<void>((resolve) => this.answer(operation, resolve));
    this.check(operation, path, life);
  }

  answer(operation: DiskOperation, callback: () => void): void {
    if (this.options.schedule === undefined) queueMicrotask(callback);
    else this.options.schedule(operation, callback);
  }

  check(operation: DiskOperation, path: string, life: number): void {
    this.counts[operation]++;
    if (life !== this.life) throw diskError('EBADF', path);
    const fault = this.options.fault?.(operation, path);
    if (fault !== undefined) throw fault;
  }

  isAlive(life: number): boolean {
    return life === this.life;
  }

  usedBytes(): number {
    let total = 0;
    for (const content of this.names.values()) total += content.current.length;
    return total;
  }

  private settleNames(isSettled: (one: NameChange) => boolean): void {
    const settled = this.nameChanges.filter(isSettled);
    this.nameChanges = this.nameChanges.filter((one) => !isSettled(one));
    for (const one of settled) {
      if (one.kind === 'link') this.durableNames.set(one.path, one.content);
      else if (one.kind === 'unlink') this.durableNames.delete(one.path);
      else {
        this.durableNames.delete(one.from);
        this.durableNames.set(one.to, one.content);
      }
    }
  }
}

class SimulatedFile implements DiskFile {
  constructor(
    private readonly disk: SimulatedDisk,
    readonly path: string,
    private readonly content: Content,
    private readonly life: number,
  ) {}

  write(buffers: readonly Uint8Array[], position: number, callback: (error: Error | null) => void): void {
    this.disk.answer('write', () => {
      if (!this.disk.isAlive(this.life)) return;
      try {
        this.writeSync(buffers, position);
      } catch (error) {
        callback(error as Error);
        return;
      }
      callback(null);
    });
  }

  writeSync(buffers: readonly Uint8Array[], position: number): void {
    this.disk.check('write', this.path, this.life);
    const bytes = Buffer.concat(buffers);
    const growth = Math.max(0, position + bytes.length - this.content.current.length);
    const free = (this.disk.options.capacityBytes ?? Number.MAX_SAFE_INTEGER) - this.disk.usedBytes();
    if (growth > free) {
      const fits = Math.max(0, bytes.length - (growth - Math.max(0, free)));
      if (fits > 0) change(this.content, { position, bytes: bytes.subarray(0, fits) });
      throw diskError('ENOSPC', this.path);
    }
    change(this.content, { position, bytes });
  }

  sync(callback: (error: Error | null) => void): void {
    const { content } = this;
    const upTo = content.unsynced.length;
    const covered = content.unsynced.slice(0, upTo);
    this.disk.answer('sync', () => {
      if (!this.disk.isAlive(this.life)) return;
      let failed: Error | null = null;
      try {
        this.disk.check('sync', this.path, this.life);
      } catch (error) {
        failed = error as Error;
      }
      const gone = new Set(covered);
      content.unsynced = content.unsynced.filter((one) => !gone.has(one));
      if (failed === null) for (const one of covered) content.durable = applied(content.durable, one);
      callback(failed);
    });
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    await this.disk.call('read', this.path, this.life);
    return this.content.current.copy(buffer, 0, position, position + buffer.length);
  }

  readSync(buffer: Uint8Array, position: number): number {
    this.disk.check('read', this.path, this.life);
    return this.content.current.copy(buffer, 0, position, position + buffer.length);
  }

  async size(): Promise<number> {
    await this.disk.call('read', this.path, this.life);
    return this.content.current.length;
  }

  async truncate(length: number): Promise<void> {
    await this.disk.call('truncate', this.path, this.life);
    change(this.content, { length });
  }

  async close(): Promise<void> {
    await this.disk.call('open', this.path, this.life);
  }
}

function change(content: Content, one: Change): void {
  content.unsynced.push(one);
  content.current = applied(content.current, one);
}

function applied(bytes: Buffer, one: Change): Buffer {
  return 'length' in one ? resize(bytes, one.length) : overwrite(bytes, one.position, one.bytes);
}

function resize(bytes: Buffer, length: number): Buffer {
  if (length <= bytes.length) return Buffer.from(bytes.subarray(0, length));
  return Buffer.concat([bytes], length);
}

function overwrite(bytes: Buffer, position: number, over: Uint8Array): Buffer {
  const end = position + over.length;
  const made = end > bytes.length ? resize(bytes, end) : bytes;
  made.set(over, position);
  return made;
}
