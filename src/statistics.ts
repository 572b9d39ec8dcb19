/** Counters of one process for INFO. */
export class Statistics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  rejected = 0;
  errorReplies = 0;
  /** By error code: bounded, since a stranger can make up codes only through what the program itself answers. */
  readonly errors = new Map<string, number>();
  /** By full command name. */
  readonly commands = new Map<string, number>();

  countCommand(name: string): void {
    this.commandsProcessed++;
    this.commands.set(name, (this.commands.get(name) ?? 0) + 1);
  }

  countError(code: string): void {
    this.errorReplies++;
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.commandsProcessed = 0;
    this.rejected = 0;
    this.errorReplies = 0;
    this.errors.clear();
    this.commands.clear();
  }
}
