/**
 * What the log says that subscribers are told and caches must forget, read from its entries themselves:
 * nothing of the code under test that tells it has a part in this.
 */
import { EntryReader, ItemKind, parseTrusted, Request, View } from '../../engine/index.js';
import { readUint32 } from '../../engine/protocol/view.js';
import { type Entry, EntryKind } from '../../raft/index.js';

/** Channels and keys that the audience of a run uses, and nobody else. */
export const CHANNEL = 'news';
export const NOTIFIED = 'n';
export const CACHED = 'y';
/** What is said on the channel when nobody has anything left to say. */
export const LAST_WORDS = 'the last';

interface Change {
  readonly index: number;
  readonly value: string | null;
}

export class EventHistory {
  /** Channel and text of all messages, in the log's order. */
  readonly messages: string[] = [];
  private readonly places = new Map<string, number>();
  private readonly changes = new Map<string, Change[]>();
  private notifies = false;
  private readonly request = new Request();
  private readonly view = new View(Buffer.alloc(0), 0, 0);

  /** An entry is applied for the first time anywhere; they come in order. */
  committed({ index, kind, payload }: Entry): void {
    if (kind !== EntryKind.command || payload.length === 0) return;
    const { buffer, byteOffset, length } = payload;
    const entry = new EntryReader(Buffer.from(buffer, byteOffset, length));
    for (let i = 0; i < entry.itemCount; i++) {
      entry.step();
      this.item(entry, entry.kind, index);
    }
  }

  private item(entry: EntryReader, kind: ItemKind, index: number): void {
    const { request } = this;
    if (kind === ItemKind.command) {
      parseTrusted(entry.buffer, entry.bodyStart, request);
      this.command(index);
    } else if (kind === ItemKind.exec) {
      let isWatched = false;
      let at = entry.watchedKeys(this.view, () => {
        isWatched = true;
      });
      // Those may not run; the audience watches nothing.
      if (isWatched) return;
      const count = readUint32(entry.buffer, at);
      at += 4;
      for (let i = 0; i < count; i++) {
        at = parseTrusted(entry.buffer, at, request);
        this.command(index);
      }
    } else if (kind === ItemKind.configure) {
      parseTrusted(entry.buffer, entry.bodyStart, request);
      for (let i = 0; i + 1 < request.count; i += 2)
        if (request.latin1(i) === 'notify-keyspace-events') this.notifies = request.latin1(i + 1) !== '0';
    }
  }

  private command(index: number): void {
    const { request } = this;
    const key = request.count > 1 ? request.latin1(1) : '';
    if (request.is(0, 'PUBLISH')) {
      this.message(`${key} ${request.latin1(2)}`);
    } else if (request.is(0, 'SET')) {
      if (key.startsWith(NOTIFIED) && this.notifies) this.message(`__keyspace@0__:${key} set`);
      if (key.startsWith(CACHED)) this.change(key, { index, value: request.latin1(2) });
    } else if (request.is(0, 'DEL') && key.startsWith(CACHED)) {
      this.change(key, { index, value: null });
    }
  }

  private message(text: string): void {
    this.places.set(text, this.messages.length);
    this.messages.push(text);
  }

  private change(key: string, change: Change): void {
    const known = this.changes.get(key);
    if (known === undefined) this.changes.set(key, [{ index: 0, value: null }, change]);
    else known.push(change);
  }

  /** Where a message stands in the one order; undefined for one that nobody has said. */
  placeOf(message: string): number | undefined {
    return this.places.get(message);
  }

  /**
   * Why a node that has applied so much should have told by then that a key no longer has a value; undefined
   * if it need not.
   */
  staleness(key: string, value: string | null, appliedIndex: number): string | undefined {
    const changes = this.changes.get(key) ?? [{ index: 0, value: null }];
    const at = changes.findLastIndex((change) => change.value === value);
    if (at < 0) return `${key} never was ${value}`;
    const next = changes[at + 1];
    if (next === undefined || next.index > appliedIndex) return undefined;
    return `${key} is ${value} to it, and became ${next.value} at ${next.index}`;
  }
}
