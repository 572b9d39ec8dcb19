/** Redraft as a library: `import { Redraft } from 'redraft'`. */

export type { Consistency } from './client/consistency.js';
// A node in this process.
export type { ClientLibrary, ClientOptions } from './embedding/client-options.js';
export type { CommandCall, CommandFilter, CommandPattern } from './embedding/command-call.js';
export type { CommandLog } from './embedding/command-log.js';
export type { DataSnapshot } from './embedding/contents.js';
export type { Fault, FaultCount, Faults, RedisFault } from './embedding/faults.js';
export type { ClusterClientOptions, ClusterOptions, LocalCluster } from './embedding/local-cluster.js';
export { type Connector, type ConnectorOptions, connectorClass } from './embedding/memory-connector.js';
export type { RedraftOptions, Role } from './embedding/options.js';
export type { LoadableValue, PlainStreamEntry, PlainText, PlainValue } from './embedding/plain-values.js';
export { Redraft } from './embedding/redraft.js';
export type { RecoverySummary } from './embedding/running.js';
export { TestClock } from './embedding/test-clock.js';
export type { TlsOptions } from './embedding/tls-options.js';
export { createLog, type Log, type LogLevel, logLevels } from './observability/log.js';
