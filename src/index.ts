/** Redraft as a library: `import { Redraft } from 'redraft'`. */

export type { Consistency } from './connection.js';
export { createLog, type Log, type LogLevel, logLevels } from './log.js';
// A node in this process.
export { type RecoverySummary, Redraft, type RedraftOptions } from './redraft.js';
