/** The body of the consensus core: log, snapshots, directory and peers of one node. */

export { backgroundClock, type Clock, nodeClock, type Timer } from './clock.js';
export {
  checkDirectory,
  type DirectoryReport,
  formatReport,
  type SegmentReport,
  type SnapshotReport,
} from './directory/check.js';
export { DataDirectory } from './directory/data-directory.js';
export { type Disk, type DiskFile, nodeDisk } from './directory/disk.js';
export { foundFromSnapshot } from './directory/found.js';
export {
  drawClusterId,
  drawIdentity,
  drawNodeId,
  type Identity,
  readIdentity,
} from './directory/identity.js';
export { planRecovery, type RecoveryPlan } from './directory/recover.js';
export { planSkip, type SkipPlan } from './directory/skip-entry.js';
export { openStoppedNode, type StoppedNode } from './directory/stopped-node.js';
export { ioError, StorageError, type StorageErrorCode } from './errors.js';
export type {
  RaftNodeOptions,
  Recovered,
  RecoveryProgress,
  StagedState,
  StateMachine,
  TransferProgress,
} from './node-options.js';
export { type Answer, askPeer } from './peer/ask-peer.js';
export type { PeerCredentials } from './peer/peer-credentials.js';
export {
  type Introduction,
  PeerRefusal,
  peerCommand,
  type RefusalCode,
  splitAddress,
} from './peer/peer-handshake.js';
export { PeerTransport } from './peer/peer-transport.js';
export type { PeerTransportOptions } from './peer/peer-transport-options.js';
export { noTransport, type Transport, type TransportHandler } from './peer/transport.js';
export { RaftNode } from './raft-node.js';
export {
  createStandaloneSnapshot,
  openStandaloneSnapshot,
  type SnapshotInfo,
  type SnapshotReader,
  type StandaloneSnapshot,
  type StatedMetadata,
} from './snapshot/store.js';
export { defaultElectionTimeoutMs } from './timing.js';
export { crc32 } from './wal/crc32.js';
export type { Durability } from './wal/options.js';
export { payloadBytesMax } from './wal/record.js';
