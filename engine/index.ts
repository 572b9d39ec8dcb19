/** The engine, for embedding: `import { Engine } from 'redraft/engine'`. */

// Users and their rights.
export { changeUsers, QUEUED_USERS } from './acl/change-users.js';
export { AclCommands, type Denial, mayDoEverything, Permissions } from './acl/permissions.js';
export { anyName } from './acl/selector.js';
export { RuleError, User } from './acl/user.js';
export { DEFAULT_USER, Users, type UsersListener } from './acl/users.js';
// The state machine and how to call it in process.
export { type ApplyListener, silentListener } from './apply-listener.js';
export { BEHAVIOUR_LEVEL, type Behaviour, BehaviourLevelError, isBehaviourLevel } from './behaviour.js';
export type { CallReplies } from './call-replies.js';
// The command table, and what COMMAND and ACL tell of it.
export {
  commandCount,
  commandDocs,
  commandGetKeys,
  commandInfo,
  commandList,
  containerHelp,
} from './command/catalog-replies.js';
export * from './command/command.js';
export { CommandTable, type Runnable } from './command/command-table.js';
export { aclCategories, CommandCatalog, type CommandFlag, isAclCategory } from './command/facts.js';
export { findKeys, type KeySpec, parseKeySpecs } from './command/key-positions.js';
export { allTraces, noTraces, onlyCounts, type ReadTraces } from './command/read-traces.js';
export type { CommandWatch } from './command-watch.js';
export { engineCommands } from './commands/index.js';
// Values as bytes: for MIGRATE and RDB files.
export { RunningCrc64 } from './dump/crc64.js';
export { dumpGradually, dumpValue, readRdbString, sealDump } from './dump/payload.js';
export { type RdbFileKey, RdbFileWriter } from './dump/rdb-file-writer.js';
// What entries do to the state, for replicas of Redis.
export { type EffectEvents, EffectRecorder } from './effects/effect-recorder.js';
export { hasEffectRule } from './effects/effect-rules.js';
export { Engine } from './engine.js';
export type { EngineOptions } from './engine-options.js';
export { globMatches } from './glob.js';
export type { MessageCallback } from './local-client.js';
// Entries: what the log carries.
export { EntryBuilder, EntryReader, type ItemCaller, ItemKind, type WatchedKey } from './log/entry.js';
export { Random } from './log/random.js';
// Numbers as Redis reads and prints them.
export { formatDouble } from './numbers/double.js';
export { int64FromBigInt, parseInt64Bytes } from './numbers/int64.js';
export { errors, quoted } from './protocol/errors.js';
export type { GradualReply } from './protocol/gradual-reply.js';
export {
  type BufferReply,
  type JavaScriptReply,
  ReplyError,
  toBuffers,
  toJavaScript,
} from './protocol/javascript-reply.js';
export * from './protocol/reply.js';
// Requests and replies.
export { type Argument, parseTrusted, Request, RequestBuilder } from './protocol/request.js';
export { copyBytes, utf8Bytes, View, viewOf, writeLatin1 } from './protocol/view.js';
export type { ScriptAudience, ScriptCaller } from './scripting/script-caller.js';
export { defaultSettings, durabilityLevels, isSetting, keyEventLetters, type Settings } from './settings.js';
// Snapshots: at once with `engine.snapshot()` and `restoreEngine`, piecewise with `engine.cut()` and
// `Restore`.
export type { Cut } from './snapshot/cut.js';
export { type KeyTraces, RdbConversion, type RdbConversionOptions } from './snapshot/rdb-conversion.js';
export { SnapshotError } from './snapshot/record-reader.js';
export { RESERVED_FOR_STRANGERS, Restore, restoreEngine } from './snapshot/restore.js';
// Hashes that strangers cannot aim at.
export type { HashSeed } from './storage/dictionary.js';
export { keyedHash } from './storage/hash.js';
// What happens to keys: for notifications, tracking, and whoever else must know.
export { type KeyEvent, type KeyEventClass, type KeyspaceListener, keyEvents } from './storage/key-events.js';
export type { Keyspace } from './storage/keyspace.js';
// Values as DEBUG sees them.
export { valueTypes } from './types/index.js';
export type { ContentDigest } from './types/value-type.js';
export { selfTest as hyperLogLogSelfTest } from './values/hyperloglog/self-test.js';
export { listLength } from './values/list.js';
export type { Quicklist } from './values/quicklist.js';
