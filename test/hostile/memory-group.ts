/**
 * A bound on a process's memory that the system enforces, where this process may set one (Linux, as root).
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where control groups for memory are, and their limit's file: version 1, then version 2. */
const hierarchies = [
  ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ['/sys/fs/cgroup', 'memory.max'],
] as const;

export class MemoryGroup {
  private constructor(private readonly path: string) {}

  /** Undefined where no group can be made. */
  static create(name: string, limitBytes: number): MemoryGroup | undefined {
    for (const [root, limitFile] of hierarchies) {
      const path = join(root, name);
      try {
        mkdirSync(path);
        if (!existsSync(join(path, limitFile))) {
          rmdirSync(path);
          continue;
        }
        writeFileSync(join(path, limitFile), `${limitBytes}`);
        return new MemoryGroup(path);
      } catch {}
    }
    return undefined;
  }

  /** The command line that runs `command` within the group. */
  within(command: readonly string[]): string[] {
    return ['/bin/sh', '-c', 'echo $$ > "$0" && exec "$@"', join(this.path, 'cgroup.procs'), ...command];
  }

  /** To be called when all processes in it have ended. */
  remove(): void {
    try {
      rmdirSync(this.path);
    } catch {
      // The system may still be about to take the last process out.
    }
  }
}
