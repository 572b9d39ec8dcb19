/** ACL LOG: what users were denied on this node, newest first. */

/** Where a command was denied. */
export type DenialContext = 'toplevel' | 'multi' | 'lua' | 'module';

export interface AclEvent {
  readonly reason: 'auth' | 'command' | 'key' | 'channel';
  readonly context: DenialContext;
  /** The command, key or channel; latin1. */
  readonly object: string;
  readonly userName: string;
  /** The client as CLIENT LIST describes it. */
  readonly clientInfo: string;
  readonly timeMs: number;
}

export interface AclLogEntry extends AclEvent {
  count: number;
}

/** Equal events within so long are one entry. */
const GROUPED_WITHIN_MS = 60_000;
/** An equal event is looked for among so many. */
const LOOKED_THROUGH = 10;
/** What a client can make the log keep by one name. */
const TEXT_BYTES_MAX = 4096;

export class AclLog {
  private readonly kept: AclLogEntry[] = [];

  add(event: AclEvent, maxLength: number): void {
    const object = event.object.slice(0, TEXT_BYTES_MAX);
    const userName = event.userName.slice(0, TEXT_BYTES_MAX);
    const at = this.kept
      .slice(0, LOOKED_THROUGH)
      .findIndex(
        (entry) =>
          entry.reason === event.reason &&
          entry.context === event.context &&
          entry.object === object &&
          entry.userName === userName &&
          event.timeMs - entry.timeMs <= GROUPED_WITHIN_MS,
      );
    const count = at < 0 ? 1 : this.kept[at].count + 1;
    if (at >= 0) this.kept.splice(at, 1);
    this.kept.unshift({ ...event, object, userName, count });
    if (this.kept.length > maxLength) this.kept.length = maxLength;
  }

  /** The newest `count` entries. */
  newest(count: number): readonly AclLogEntry[] {
    return this.kept.slice(0, Math.max(count, 0));
  }

  reset(): void {
    this.kept.length = 0;
  }
}
