/** The engine, for embedding: `import { Engine } from 'redraft/engine'`. */

// The command table.
export * from './command.js';
export { CommandTable, type Runnable } from './command-table.js';
export { engineCommands } from './commands/index.js';
// The state machine and how to call it in process.
export { type ApplyListener, Engine, type EngineOptions, silentListener } from './engine.js';
// Entries: what the log carries.
export { EntryBuilder, EntryReader, ItemKind, type WatchedKey } from './entry.js';
export { errors } from './errors.js';
export { type JavaScriptReply, ReplyError, toJavaScript } from './javascript-reply.js';
export * from './reply.js';
// Requests and replies.
export { parseTrusted, Request, RequestBuilder } from './request.js';
export { defaultSettings, durabilityLevels, type Settings } from './settings.js';
// Snapshots: write with `engine.cut()`, read with `Restore`.
export type { Cut } from './snapshot/cut.js';
export { Restore, SnapshotError } from './snapshot/restore.js';
export { selfTest as hyperLogLogSelfTest } from './values/hyperloglog/self-test.js';
export { View, viewOf } from './view.js';
