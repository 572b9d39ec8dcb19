/**
 * The sources of scripts by their SHA-1: replicated state. Bounded: the script that has not run for longest
 * falls out, as after SCRIPT FLUSH; clients answer NOSCRIPT by sending the source again.
 */
import { ErrorReply } from '../protocol/error-reply.js';
import { viewOf } from '../protocol/view.js';
import { sha1 } from './sha1.js';

/** Longest source of one script. */
export const SOURCE_BYTES_MAX = 1024 * 1024;
const SCRIPTS_MAX = 4096;
const ALL_SOURCES_BYTES_MAX = 16 * 1024 * 1024;

const sourceTooLong = new ErrorReply(`ERR a script is at most ${SOURCE_BYTES_MAX} bytes long`);

export class ScriptStore {
  /** Sources (latin1) by SHA-1, the one that has not run for longest first. */
  private readonly sources = new Map<string, string>();
  private bytes = 0;
  /** The last to fall out: to run it again changes no order. */
  private newest = '';

  get size(): number {
    return this.sources.size;
  }

  /** Bytes of all sources. */
  get sourceBytes(): number {
    return this.bytes;
  }

  has(sha: string): boolean {
    return this.sources.has(sha);
  }

  /** The source of a script, without noting that it runs. */
  source(sha: string): string | undefined {
    return this.sources.get(sha);
  }

  /** In the order in which they would fall out: what a snapshot writes. */
  all(): string[] {
    return [...this.sources.values()];
  }

  /** Notes that a script runs. Within an entry only: the order is state. */
  touch(sha: string, source: string): void {
    if (sha === this.newest) return;
    this.newest = sha;
    this.sources.delete(sha);
    this.sources.set(sha, source);
  }

  /** Adds a script whose source {@link checkSource} let pass, the last to fall out. */
  add(sha: string, source: string): void {
    if (!this.sources.has(sha)) this.bytes += source.length;
    this.touch(sha, source);
    for (const [oldest, text] of this.sources) {
      if (this.sources.size <= SCRIPTS_MAX && this.bytes <= ALL_SOURCES_BYTES_MAX) break;
      this.sources.delete(oldest);
      this.bytes -= text.length;
    }
  }

  /** Adds a script from a snapshot. */
  restore(source: string): void {
    this.add(sha1(viewOf(source)), source);
  }

  clear(): void {
    this.sources.clear();
    this.bytes = 0;
    this.newest = '';
  }
}

/** @throws ErrorReply when a source is too long */
export function checkSource(length: number): void {
  if (length > SOURCE_BYTES_MAX) throw sourceTooLong;
}
