/** Lines for the operator, by importance. */

export const logLevels = ['quiet', 'warning', 'notice', 'verbose', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface Log {
  level: LogLevel;
  warning(text: string): void;
  notice(text: string): void;
  verbose(text: string): void;
  debug(text: string): void;
}

/** Writes a line with the time of day for everything up to `level`. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const line = (of: LogLevel, text: string): void => {
    if (logLevels.indexOf(of) > logLevels.indexOf(log.level)) return;
    write(`${new Date().toISOString()} ${of} ${text}\n`);
  };
  const log: Log = {
    level,
    warning: (text) => line('warning', text),
    notice: (text) => line('notice', text),
    verbose: (text) => line('verbose', text),
    debug: (text) => line('debug', text),
  };
  return log;
}
