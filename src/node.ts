/**
 * A consensus node, the state machine that it drives and the server that proposes to it, bound to each other.
 */
import { BehaviourLevelError } from '../engine/index.js';
import { RaftNode, type RaftNodeOptions } from '../raft/node/index.js';
import { ConsensusNode } from './replication/consensus.js';
import type { EngineStateMachine } from './replication/state-machine.js';
import { Server } from './server.js';
import type { ServerOptions } from './server-options.js';

/** What a node is started with, but for what {@link startServing} binds itself. */
export type ServingOptions = Omit<
  RaftNodeOptions,
  'stateMachine' | 'onReadStates' | 'onReadsDropped' | 'onSync'
>;

/**
 * Starts a node and a server on its state. The server does not listen by itself.
 *
 * @param onServer told of the server before the node recovers: it may take clients already, if its `loading`
 * is set
 * @throws StorageError for what is wrong with the node's directory
 */
export async function startServing(
  machine: EngineStateMachine,
  nodeOptions: ServingOptions,
  serverOptions: ServerOptions,
  onServer?: (server: Server) => void,
): Promise<{ readonly node: RaftNode; readonly server: Server; readonly consensus: ConsensusNode }> {
  const consensus = new ConsensusNode();
  const before = machine.engine;
  const { nodeId, starts } = nodeOptions.identity;
  const server = new Server(
    machine,
    consensus,
    { nodeId, startId: starts, counter: 0 },
    serverOptions,
    (what, error) => {
      // That one is no fault, and no entry to be skipped.
      if (error instanceof BehaviourLevelError) nodeOptions.onFailure(error);
      else nodeOptions.onFailure(new Error(`${what}: ${error instanceof Error ? error.stack : error}`));
    },
  );
  server.replica.commitTimes = server.statistics.commits;
  onServer?.(server);
  let node: RaftNode;
  try {
    node = await RaftNode.start({
      ...nodeOptions,
      stateMachine: machine,
      onSync: (milliseconds) => server.statistics.syncs.add(milliseconds * 1000),
      onReadStates: (states) => {
        for (const { context, index } of states) server.reads.confirmed(context, index);
      },
      onReadsDropped: (contexts) => {
        for (const context of contexts) server.reads.dropped(context);
      },
      onSoftState: (state) => {
        consensus.noteSoftState(state);
        nodeOptions.onSoftState?.(state);
        if (state.role !== 'leader') server.replica.abandon();
        server.leaderChanged();
      },
      onMembership: (membership) => {
        consensus.noteMembership(membership);
        nodeOptions.onMembership?.(membership);
      },
    });
  } catch (error) {
    await server.close();
    throw error;
  }
  // In this order: what is configured is not yet to be overruled by the settings in force.
  server.replica.adopted(before);
  consensus.bind(node);
  server.audience.startedBehind(node.status().lastIndex);
  serverOptions.cluster?.journal.begin(node.status(), node.status().membership.members);
  machine.replica = server.replica;
  machine.cutWatch = (index) => server.replicas.cutBegan(machine.engine, index);
  let snapshotBeganMs = 0;
  machine.onSnapshot = (event, index) => {
    if (event === 'began') {
      snapshotBeganMs = server.monotonicMs();
      server.snapshots.began(server.clock());
      return;
    }
    const isWritten = event === 'succeeded';
    server.snapshots.ended(isWritten, server.clock());
    serverOptions.cluster?.journal.snapshotTaken(index, isWritten, server.monotonicMs() - snapshotBeganMs);
  };
  return { node, server, consensus };
}
