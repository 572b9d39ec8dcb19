/**
 * What must not outlive the harness: processes, mounts, namespaces, folders. Undone in reverse order,
 * whatever ends it.
 */

export class Cleanup {
  private readonly steps: (() => void)[] = [];

  constructor() {
    process.on('exit', () => this.run());
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.once(signal, () => process.exit(code));
    }
  }

  /**
   * Remembers how to undo something, synchronously, and without harm if it is undone already.
   *
   * @returns undoes it now
   */
  add(undo: () => void): () => void {
    this.steps.push(undo);
    return () => {
      const at = this.steps.indexOf(undo);
      if (at < 0) return;
      this.steps.splice(at, 1);
      undo();
    };
  }

  run(): void {
    for (let undo = this.steps.pop(); undo !== undefined; undo = this.steps.pop()) {
      try {
        undo();
      } catch (error) {
        process.stderr.write(`chaos: could not clean up: ${(error as Error).message}\n`);
      }
    }
  }
}
