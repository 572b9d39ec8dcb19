/** Redraft as a library: `import { Redraft } from 'redraft'`. */

export type { Consistency } from './client/consistency.js';
// A node in this process.
export { type RecoverySummary, Redraft, type RedraftOptions } from './embedding/redraft.js';
export { createLog, type Log, type LogLevel, logLevels } from './observability/log.js';
