/**
 * What the process may use of the machine, by version 2 of Linux's control groups: containers and systemd's
 * units are such groups, each within another (https://docs.kernel.org/admin-guide/cgroup-v2.html).
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface ProcessLimits {
  /** Undefined: nobody limits it. */
  readonly memoryBytes: number | undefined;
  /** Processors, in parts of which time is given. */
  readonly cpus: number | undefined;
}

/** @param root of the file system, for tests */
export function cgroupLimits(root = '/'): ProcessLimits {
  const [, group] = /^0::(\/.*)$/m.exec(read(join(root, 'proc/self/cgroup'))) ?? [];
  if (group === undefined) return { memoryBytes: undefined, cpus: undefined };
  const memory: number[] = [];
  const cpus: number[] = [];
  // A group has no more than those that it lies in.
  for (let path = group; ; path = dirname(path)) {
    const folder = join(root, 'sys/fs/cgroup', path);
    for (const file of ['memory.max', 'memory.high']) {
      const text = read(join(folder, file)).trim();
      // Above memory.high it is not stopped, but slowed down until it stands.
      if (/^\d+$/.test(text)) memory.push(Number(text));
    }
    const [, quota, period] = /^(\d+) (\d+)$/m.exec(read(join(folder, 'cpu.max'))) ?? [];
    if (Number(period) > 0) cpus.push(Number(quota) / Number(period));
    if (path === '/') break;
  }
  return {
    memoryBytes: memory.length === 0 ? undefined : Math.min(...memory),
    cpus: cpus.length === 0 ? undefined : Math.min(...cpus),
  };
}

/** Empty where there is no such file. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
