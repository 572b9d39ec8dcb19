/** The body of the consensus core: log, snapshots, directory and peers of one node. */
export {
  checkDirectory,
  type DirectoryReport,
  formatReport,
  type SegmentReport,
  type SnapshotReport,
} from './check.js';
export { type Clock, nodeClock, type Timer } from './clock.js';
export { DataDirectory } from './data-directory.js';
export { type Disk, type DiskFile, nodeDisk } from './disk.js';
export { StorageError, type StorageErrorCode } from './errors.js';
export { drawClusterId, drawIdentity, drawNodeId, type Identity, readIdentity } from './identity.js';
export type {
  RaftNodeOptions,
  Recovered,
  RecoveryProgress,
  StateMachine,
  TransferProgress,
} from './node-options.js';
export {
  type Introduction,
  PeerRefusal,
  peerCommand,
  type RefusalCode,
  splitAddress,
} from './peer-handshake.js';
export { type Answer, askPeer, PeerTransport, type PeerTransportOptions } from './peer-transport.js';
export { RaftNode } from './raft-node.js';
export { planRecovery, type RecoveryPlan } from './recover.js';
export type { SnapshotInfo, SnapshotReader } from './snapshot-store.js';
export { noTransport, type Transport, type TransportHandler } from './transport.js';
export type { Durability } from './wal.js';
