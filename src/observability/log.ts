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

/**
 * Escapes what would end the line or steer a terminal: texts hold what strangers sent. Stacks of errors keep
 * their lines, indented.
 */
function oneLine(text: string): string {
  return text
    .replaceAll(/\n(?= {4}at )/g, '\u2028')
    .replaceAll(/[\0-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('\u2028', '\n');
}

/** Writes a line with the time of day for everything up to `level`. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const line = (of: LogLevel, text: string): void => {
    if (logLevels.indexOf(of) > logLevels.indexOf(log.level)) return;
    write(`${new Date().toISOString()} ${of} ${oneLine(text)}\n`);
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
