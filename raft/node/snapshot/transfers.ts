/** Snapshots on their way to and from peers, as a node sees them. */
import type { NodeId, SnapshotMessage } from '../../index.js';
import type { StagedState, StateMachine, TransferProgress } from '../node-options.js';
import type { Transport } from '../peer/transport.js';
import type { Snapshotter } from './snapshotter.js';
import type { SnapshotReader, SnapshotStore } from './store.js';

export interface SnapshotTransfersOptions {
  readonly transport: Transport;
  readonly snapshots: SnapshotStore;
  readonly snapshotter: Snapshotter;
  readonly stateMachine: Pick<StateMachine, 'install' | 'stage'>;
  readonly isRunning: () => boolean;
  /** Where this node stands. */
  readonly position: () => { readonly term: number; readonly commit: number; readonly installing: number };
  /** Why a message cannot be true; undefined if it can. */
  readonly examine: (message: SnapshotMessage) => string | undefined;
  /** Hands a message to the core, whose data has arrived. */
  readonly step: (message: SnapshotMessage) => void;
  /** Tells the core how a transfer ended. */
  readonly report: (to: NodeId, isTaken: boolean) => void;
  readonly onTransfer: ((progress: TransferProgress) => void) | undefined;
  readonly onNotice: ((text: string) => void) | undefined;
}

export class SnapshotTransfers {
  private isReceiving = false;
  /** Verified, and about to be installed. */
  private staged: { readonly index: number; readonly state: StagedState } | undefined;

  constructor(private readonly options: SnapshotTransfersOptions) {}

  /**
   * Stores a snapshot that a peer streams, one at a time, and then tells the core. Until it has arrived whole, its content was restored
   * and its digest found right, and it can be read back from the disk, nothing that was there before is touched. Resolves with whether it
   * was taken.
   */
  async receive(
    message: SnapshotMessage,
    data: AsyncIterable<Uint8Array>,
    dataBytes: number,
  ): Promise<boolean> {
    const { isRunning, position, examine, step, onNotice } = this.options;
    const { snapshot, from } = message;
    if (!isRunning() || this.isReceiving) return false;
    const refused = examine(message);
    if (refused !== undefined) {
      onNotice?.(`node ${from} sent ${refused}`);
      return false;
    }
    const { term, commit } = position();
    if (message.term < term) return false;
    // What is committed here already needs no data; the core answers so.
    if (snapshot.index > commit) {
      this.isReceiving = true;
      try {
        await this.store(message, data, dataBytes);
      } catch (error) {
        onNotice?.(`snapshot ${snapshot.index} from node ${from}: ${(error as Error).message}`);
        return false;
      } finally {
        this.isReceiving = false;
      }
    }
    step(message);
    if (position().installing !== snapshot.index) this.staged = undefined;
    return true;
  }

  /** Installs a snapshot that the core has accepted: what is staged already, if it is that. */
  async install(reader: SnapshotReader): Promise<void> {
    const staged = this.staged;
    this.staged = undefined;
    if (staged?.index === reader.metadata.index) staged.state.install();
    else await this.options.stateMachine.install(reader);
  }

  /** Streams a snapshot that covers what `message` names to a peer; takes one first if need be. */
  async send(message: SnapshotMessage): Promise<void> {
    const { transport, snapshotter, report, onTransfer, onNotice } = this.options;
    const { to } = message;
    let isTaken = false;
    try {
      const reader = await snapshotter.read(message.snapshot.index);
      const release = snapshotter.hold(reader.metadata.index);
      try {
        isTaken = await transport.sendSnapshot(
          { ...message, snapshot: reader.metadata },
          reader,
          (bytes, bytesTotal) => onTransfer?.({ direction: 'out', peer: to, bytes, bytesTotal }),
        );
      } finally {
        release();
      }
    } catch (error) {
      onNotice?.(`snapshot for node ${to}: ${(error as Error).message}`);
    }
    report(to, isTaken);
  }

  private async store(
    message: SnapshotMessage,
    data: AsyncIterable<Uint8Array>,
    bytesTotal: number,
  ): Promise<void> {
    const { snapshots, stateMachine, isRunning, examine, onTransfer } = this.options;
    const { snapshot, from } = message;
    const writer = await snapshots.begin(snapshot, false);
    const state = stateMachine.stage(snapshot);
    let bytes = 0;
    try {
      for await (const chunk of data) {
        if (!isRunning()) throw new Error('this node stops');
        await writer.write(chunk);
        await state.feed(chunk);
        bytes += chunk.length;
        onTransfer?.({ direction: 'in', peer: from, bytes, bytesTotal });
      }
      if (bytes !== bytesTotal) throw new Error(`${bytes} of ${bytesTotal} bytes arrived`);
      state.verify();
      // The cluster went on meanwhile.
      const refused = examine(message);
      if (refused !== undefined) throw new Error(refused);
      await writer.finish();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    await writer.commit();
    this.staged = { index: snapshot.index, state };
  }
}
