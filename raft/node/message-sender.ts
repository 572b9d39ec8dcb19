/**
 * Sends what the core wants sent, each message on its way: commit notices wait a moment, snapshots are
 * streamed.
 */
import type { Message, NodeId, SnapshotMessage } from '../index.js';

export class MessageSender {
  constructor(
    private readonly transport: { send(to: NodeId, messages: readonly Message[]): void },
    private readonly notices: { holds(to: NodeId, messages: readonly Message[]): boolean },
    private readonly transfers: { send(message: SnapshotMessage): Promise<void> },
  ) {}

  /** Neighbours to the same peer go out together. */
  send(messages: readonly Message[]): void {
    let from = 0;
    for (let i = 1; i <= messages.length; i++) {
      const { to, type } = messages[from]!;
      if (type === 'snapshot') {
        void this.transfers.send(messages[from] as SnapshotMessage);
        from = i;
      } else if (i === messages.length || messages[i]!.to !== to || messages[i]!.type === 'snapshot') {
        const group = from === 0 && i === messages.length ? messages : messages.slice(from, i);
        if (!this.notices.holds(to, group)) this.transport.send(to, group);
        from = i;
      }
    }
  }
}
