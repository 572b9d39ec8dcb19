/** A consensus node, the state machine that it drives and the server that proposes to it, bound to each other. */
import { RaftNode, type RaftNodeOptions } from '../raft/node/index.js';
import { ConsensusNode } from './replication/consensus.js';
import type { EngineStateMachine } from './replication/state-machine.js';
import { Server, type ServerOptions } from './server.js';

/** What a node is started with, but for what {@link startServing} binds itself. */
export type ServingOptions = Omit<RaftNodeOptions, 'stateMachine' | 'onReadStates' | 'onReadsDropped'>;

/**
 * Starts the node and, once it has recovered, a server on its state. The server does not listen yet.
 *
 * @throws StorageError for what is wrong with the node's directory
 */
export async function startServing(
  machine: EngineStateMachine,
  nodeOptions: ServingOptions,
  serverOptions: ServerOptions,
): Promise<{ readonly node: RaftNode; readonly server: Server; readonly consensus: ConsensusNode }> {
  let server: Server | undefined;
  const consensus = new ConsensusNode();
  const node = await RaftNode.start({
    ...nodeOptions,
    stateMachine: machine,
    onReadStates: (states) => {
      for (const { context, index } of states) server?.reads.confirmed(context, index);
    },
    onReadsDropped: (contexts) => {
      for (const context of contexts) server?.reads.dropped(context);
    },
    onSoftState: (state) => {
      consensus.noteSoftState(state);
      nodeOptions.onSoftState?.(state);
      if (state.role !== 'leader') server?.replica.abandon();
      server?.leaderChanged();
    },
    onMembership: (membership) => {
      consensus.noteMembership(membership);
      nodeOptions.onMembership?.(membership);
    },
  });
  consensus.bind(node);
  serverOptions.cluster?.journal.begin(node.status(), node.status().membership.members);
  const { nodeId, starts } = nodeOptions.identity;
  server = new Server(
    machine.engine,
    consensus,
    { nodeId, startId: starts, counter: 0 },
    serverOptions,
    (what, error) =>
      nodeOptions.onFailure(
        error instanceof Error ? new Error(`${what}: ${error.stack}`) : new Error(`${what}: ${error}`),
      ),
  );
  machine.replica = server.replica;
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
