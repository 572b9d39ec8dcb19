/**
 * Compiled scripts and libraries: this node's own affair, no state. What has not run for longest goes when
 * they take too much, and is compiled again when it runs.
 */
import type { CompiledScript } from '../lua/index.js';

const COUNT_MAX = 500;
/** Generated source in all, in characters. V8 takes some four bytes for each once it has run. */
const LENGTH_MAX = 2 * 1024 * 1024;

export interface Compiled {
  readonly script: CompiledScript;
}

export class CompiledScripts<Entry extends Compiled = Compiled> {
  /** By a script's SHA-1 or a library itself, the one that has not run for longest first. */
  private readonly entries = new Map<unknown, Entry>();
  private length = 0;
  /** The last to go: to use it again changes no order. */
  private newest: unknown;

  /** What was compiled for a key. */
  get(key: unknown): Entry | undefined {
    const entry = this.entries.get(key);
    if (entry !== undefined && key !== this.newest) {
      this.newest = key;
      this.entries.delete(key);
      this.entries.set(key, entry);
    }
    return entry;
  }

  /** Keeps what was compiled for a key that has nothing yet. */
  add(key: unknown, entry: Entry): Entry {
    this.newest = key;
    this.entries.set(key, entry);
    this.length += entry.script.generatedLength;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size === 1) break;
      if (this.entries.size <= COUNT_MAX && this.length <= LENGTH_MAX) break;
      this.delete(oldest);
    }
    return entry;
  }

  delete(key: unknown): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.length -= entry.script.generatedLength;
  }

  clear(): void {
    this.entries.clear();
    this.length = 0;
    this.newest = undefined;
  }
}
