/** Lines for the operator, by importance. */
import { wallNow } from '../../raft/node/timers.js';

export const logLevels = ['quiet', 'warning', 'notice', 'verbose', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What happened, for programs that read the log: what the text says, each part by its name. */
export interface LogFields {
  /** One word for all lines that say the same. */
  readonly event: string;
  readonly address?: string;
  readonly bytes?: number;
  readonly client?: string;
  readonly count?: number;
  readonly days?: number;
  readonly entries?: number;
  readonly file?: string;
  readonly id?: string;
  readonly index?: number;
  readonly keys?: number;
  readonly milliseconds?: number;
  readonly node?: number;
  readonly percent?: number;
  readonly reason?: string;
  readonly term?: number;
  readonly version?: string;
}

export interface LogRecord {
  readonly timeMs: number;
  readonly level: Exclude<LogLevel, 'quiet'>;
  readonly text: string;
  readonly fields: LogFields;
}

export interface Log {
  level: LogLevel;
  warning(text: string, fields: LogFields): void;
  notice(text: string, fields: LogFields): void;
  verbose(text: string, fields: LogFields): void;
  debug(text: string, fields: LogFields): void;
}

/**
 * Escapes what would end the line or steer a terminal: texts hold what strangers sent. Stacks of errors keep
 * their lines, indented.
 */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\n(?= {4}at )/g, '\u2028')
    .replaceAll(/[\0-\x1f\x7f-\x9f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('\u2028', '\n');
}

/** A line with its end: the time of day, the level, the text. */
export const formatRecord = ({ timeMs, level, text }: LogRecord): string =>
  `${new Date(timeMs).toISOString()} ${level} ${oneLine(text)}\n`;

/** Gives a record of everything up to `level`. */
export function recordingLog(level: LogLevel, take: (record: LogRecord) => void): Log {
  const record = (of: LogRecord['level'], text: string, fields: LogFields): void => {
    if (logLevels.indexOf(of) <= logLevels.indexOf(log.level))
      take({ timeMs: wallNow(), level: of, text, fields });
  };
  const log: Log = {
    level,
    warning: (text, fields) => record('warning', text, fields),
    notice: (text, fields) => record('notice', text, fields),
    verbose: (text, fields) => record('verbose', text, fields),
    debug: (text, fields) => record('debug', text, fields),
  };
  return log;
}

/** Writes a line with the time of day for everything up to `level`. */
export const createLog = (level: LogLevel, write: (line: string) => void): Log =>
  recordingLog(level, (record) => write(formatRecord(record)));
