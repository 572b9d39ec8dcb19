/** `--log-format json`: a JSON object a line, by pino. A part of its own, which no other start loads. */
import { pino } from 'pino';
import type { LogRecord } from '../observability/log.js';

/** Numbers as pino has them, so that its tools know what is graver. */
const levels = { warning: 40, notice: 30, verbose: 20, debug: 10 } as const;

/** Gives each record's line. */
export function jsonFormat(): (record: LogRecord) => string {
  let line = '';
  let timeMs = 0;
  const logger = pino(
    {
      base: { pid: process.pid },
      customLevels: levels,
      useOnlyCustomLevels: true,
      level: 'debug',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date(timeMs).toISOString()}"`,
    },
    {
      write: (text) => {
        line = text;
      },
    },
  );
  return (record) => {
    ({ timeMs } = record);
    logger[record.level](record.fields, record.text);
    return line;
  };
}
