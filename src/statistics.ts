/** Counters of one process for INFO. */
import type { CommandStatistics } from './info.js';

export class Statistics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  commandsProcessed = 0;
  rejected = 0;
  errorReplies = 0;
  operationsPerSecond = 0;
  inputBytes = 0;
  outputBytes = 0;
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

  /** Durations are not measured: reading a clock twice for each command would cost more than most commands. */
  commandStatistics(): CommandStatistics[] {
    return [...this.commands].map(([name, calls]) => ({
      name,
      calls,
      durationUs: 0,
      rejected: 0,
      failed: 0,
      percentilesUs: [],
    }));
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
