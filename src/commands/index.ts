/** Every command of the program, family by family. Those of the engine stand in engine/commands. */
import type { Command } from '../../engine/index.js';
import { aclCommands } from './acl.js';
import { backupCommands } from './backup.js';
import { clientCommands } from './clients.js';
import { clusterCommands } from './cluster.js';
import { commandContainer } from './command.js';
import { configCommands } from './config.js';
import { connectionCommands } from './connection.js';
import { debugCommands } from './debug.js';
import { hyperLogLogCommands } from './hyperloglogs.js';
import { memoryCommands } from './memory.js';
import { migrateCommands } from './migrate.js';
import { monitoringCommands } from './monitoring.js';
import { pubsubCommands } from './pubsub.js';
import { raftCommands } from './raft.js';
import { replicationCommands } from './replication.js';
import { sentinelCommands } from './sentinel.js';
import { serverCommands } from './server.js';
import { transactionCommands } from './transactions.js';
import { waitingCommands } from './waiting.js';

export const programCommands: readonly Command[] = [
  ...connectionCommands,
  ...transactionCommands,
  ...serverCommands,
  ...waitingCommands,
  ...raftCommands,
  ...backupCommands,
  ...clusterCommands,
  ...sentinelCommands,
  ...replicationCommands,
  ...migrateCommands,
  ...configCommands,
  ...clientCommands,
  ...debugCommands,
  ...memoryCommands,
  ...monitoringCommands,
  ...aclCommands,
  ...hyperLogLogCommands,
  ...pubsubCommands,
  commandContainer,
];
