/** Snapshots on their way to and from peers, as a node sees them. */
import type { NodeId, SnapshotMessage, SnapshotMetadata } from '../../index.js';
import type { Clock } from '../clock.js';
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
  readonly clock: Clock;
}

/**
 * After a transfer that failed, the next one to that peer waits at least this long, and twice as long each
 * time it fails again.
 */
const retryMs = 500;
const retryMaxMs = 30_000;

export class SnapshotTransfers {
  private isReceiving = false;
  /** Verified, and about to be installed. */
  private staged: { readonly index: number; readonly state: StagedState } | undefined;
  /** By peer: how often in a row its transfer failed. */
  private readonly failures = new Map<NodeId, number>();

  constructor(private readonly options: SnapshotTransfersOptions) {}

  /**
   * Stores a snapshot that a peer streams, one at a time, and then tells the core. Until it has arrived
   * whole, its content was restored and its digest found right, and it can be read back from the disk,
   * nothing that was there before is touched. Resolves with whether it was taken.
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

  /**
   * Installs a snapshot that the core has accepted: what is staged already, if it is that.
   *
   * @throws Error if it is not the newest one that is stored
   */
  async install({ index }: SnapshotMetadata): Promise<void> {
    const reader = await this.options.snapshots.openLatest();
    try {
      if (reader === undefined || reader.metadata.index !== index)
        throw new Error(`snapshot ${index} is to be installed, but ${reader?.metadata.index} is there`);
      const staged = this.staged;
      this.staged = undefined;
      if (staged?.index === index) staged.state.install();
      else await this.options.stateMachine.install(reader);
    } finally {
      await reader?.close();
    }
  }

  /** Whether the last snapshot that was sent to a peer did not get there. */
  isFailing(peer: NodeId): boolean {
    return this.failures.has(peer);
  }

  /** Streams a snapshot that covers what `message` names to a peer; takes one first if need be. */
  async send(message: SnapshotMessage): Promise<void> {
    const { transport, snapshotter, onTransfer, onNotice } = this.options;
    const { to } = message;
    let isTaken = false;
    let damage: { readonly metadata: SnapshotMetadata; readonly what: string } | undefined;
    try {
      const reader = await snapshotter.read(message.snapshot.index);
      const release = snapshotter.hold(reader.metadata.index);
      try {
        isTaken = await transport.sendSnapshot(
          { ...message, snapshot: reader.metadata },
          watched(reader, (error) => {
            damage = { metadata: reader.metadata, what: error.message };
          }),
          (bytes, bytesTotal) => onTransfer?.({ direction: 'out', peer: to, bytes, bytesTotal }),
        );
      } finally {
        release();
      }
    } catch (error) {
      if (damage === undefined) onNotice?.(`snapshot for node ${to}: ${(error as Error).message}`);
    }
    if (damage !== undefined) {
      const { metadata, what } = damage;
      await snapshotter.replace(metadata, what).catch((error: Error) => onNotice?.(error.message));
    }
    this.ended(to, isTaken);
  }

  private ended(to: NodeId, isTaken: boolean): void {
    const { report, clock, isRunning } = this.options;
    if (isTaken || !isRunning()) {
      this.failures.delete(to);
      report(to, isTaken);
      return;
    }
    const failed = this.failures.get(to) ?? 0;
    this.failures.set(to, failed + 1);
    // The core tries again as soon as it hears of it.
    clock.setTimer(Math.min(retryMaxMs, retryMs * 2 ** failed), () => {
      if (isRunning()) report(to, false);
    });
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

/** The same reader; `onDamage` is told if it fails. */
function watched(reader: SnapshotReader, onDamage: (error: Error) => void): SnapshotReader {
  const { metadata, dataBytes, isOwn } = reader;
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      return await reader.next();
    } catch (error) {
      onDamage(error as Error);
      throw error;
    }
  };
  return { metadata, dataBytes, isOwn, next, close: () => reader.close() };
}
