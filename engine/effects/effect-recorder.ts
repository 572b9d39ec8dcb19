/**
 * What entries do to the state, as commands that a replica of Redis runs with the same result: without time,
 * chance, waiting or scripts. Most commands are sent as they came; `effect-rules.ts` has those that are not.
 * Of what no rule knows, the keys that changed are sent as they are now.
 */
import type { Runnable } from '../command/command-table.js';
import { dumpValue } from '../dump/payload.js';
import { BLOCKED, ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { type View, viewOf } from '../protocol/view.js';
import { ABSENT } from '../storage/dictionary.js';
import { type KeyEvent, type KeyspaceListener, keyEvents } from '../storage/key-events.js';
import type { Keyspace } from '../storage/keyspace.js';
import { type EffectRule, type EffectWriter, effectRuleOf } from './effect-rules.js';
import type { EffectWatch } from './effect-watch.js';
import { RequestWriter, type Word } from './request-writer.js';

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n', 'latin1');
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n', 'latin1');

/** Deletions that nobody asked for: they have no command of their own. */
const deletions: ReadonlySet<KeyEvent> = new Set([keyEvents.expired, keyEvents.evicted]);

export interface EffectEvents {
  /** Takes commands, whole ones; they are valid during the call. */
  write(bytes: Buffer): void;
  /** What an entry has done cannot be told: whoever follows differs from now on. */
  failed(error: unknown): void;
}

interface TouchedKey {
  readonly database: number;
  /** latin1 */
  readonly key: string;
}

const placeOf = (database: number, key: string): string => `${database} ${key}`;

export class EffectRecorder implements EffectWatch, KeyspaceListener, EffectWriter {
  private readonly writer = new RequestWriter();
  private commands = 0;
  /** The database that commands go to; -1: none was selected. */
  private selected = -1;
  private rule: EffectRule | undefined;
  /** That of the command at hand. */
  private databaseId = 0;
  /** By database and key: those that the command at hand has changed, or the first where that is enough. */
  private readonly touched = new Map<string, TouchedKey>();
  /** Why what was gathered is not all. */
  private failure: unknown;
  /** What the rule has kept of the state before. */
  private before: unknown;

  constructor(
    private readonly keyspace: Keyspace,
    private readonly events: EffectEvents,
  ) {}

  /** A reader begins who knows of no database: the next command names its own. */
  forgetDatabase(): void {
    this.selected = -1;
  }

  // ---- what the engine says ----

  watch(row: Runnable, request: Request, databaseId: number, run: () => Reply): Reply {
    this.began(row, request, databaseId);
    const reply = run();
    this.ended(row, request, reply);
    return reply;
  }

  private began(row: Runnable, request: Request, databaseId: number): void {
    this.touched.clear();
    this.databaseId = databaseId;
    // What a script changes, its commands do.
    this.rule = row.runsScripts ? undefined : effectRuleOf(row.name);
    try {
      this.before = this.rule?.before?.(request, this.keyspace.database(databaseId));
    } catch {
      // What cannot even be read is refused.
      this.before = undefined;
    }
  }

  private ended(row: Runnable, request: Request, reply: Reply): void {
    const { rule, databaseId } = this;
    this.rule = undefined;
    if (rule === undefined || row.runsScripts) return;
    if (reply instanceof ErrorReply || reply === BLOCKED) return;
    if (!rule.isUnseen && this.touched.size === 0) return;
    this.select(databaseId);
    try {
      rule.write(this, request, this.keyspace.database(databaseId), reply, this.before);
    } catch (error) {
      // The state is sound; only those who are told of it are not.
      this.failure ??= error;
    }
  }

  changed(database: number, key: View): void {
    this.touch(database, key.latin1());
  }

  happened(database: number, key: View, event: KeyEvent): void {
    const isOwn = this.rule !== undefined && !deletions.has(event);
    if (isOwn || (event !== keyEvents.del && !deletions.has(event))) return;
    // A command that meets a key whose time has come has not changed it itself.
    this.touched.delete(placeOf(database, key.latin1()));
    this.select(database);
    this.command(['DEL', key]);
  }

  flushed(database: number): void {
    this.touch(database, '');
  }

  swapped(database: number): void {
    this.touch(database, '');
  }

  private touch(database: number, key: string): void {
    const { rule, touched } = this;
    if (rule === undefined || (touched.size > 0 && !rule.needsKeys)) return;
    touched.set(placeOf(database, key), { database, key });
  }

  settled(isAtomic: boolean): void {
    const { failure } = this;
    if (failure !== undefined) {
      this.failure = undefined;
      this.commands = 0;
      this.writer.clear();
      this.events.failed(failure);
      return;
    }
    if (this.commands === 0) return;
    const isWrapped = isAtomic && this.commands > 1;
    this.commands = 0;
    if (isWrapped) this.events.write(MULTI);
    this.events.write(this.writer.bytes);
    if (isWrapped) this.events.write(EXEC);
    this.writer.clear();
  }

  // ---- what rules write with ----

  get touchedKey(): string {
    return this.touched.values().next().value?.key ?? '';
  }

  command(words: readonly Word[]): void {
    this.commands++;
    this.writer.request(words);
  }

  verbatim(request: Request): void {
    this.commands++;
    this.writer.verbatim(request);
  }

  state(): void {
    for (const { database: id, key } of this.touched.values()) {
      const database = this.keyspace.database(id);
      const view = viewOf(key);
      const slot = database.findBytes(view.buffer, view.start, view.end);
      this.select(id);
      if (slot === ABSENT) {
        this.command(['DEL', key]);
        continue;
      }
      const deadline = database.deadline(slot);
      this.command([
        'RESTORE',
        key,
        `${deadline}`,
        dumpValue(database, slot),
        'REPLACE',
        ...(deadline === 0 ? [] : ['ABSTTL']),
      ]);
    }
  }

  private select(database: number): void {
    if (database === this.selected) return;
    this.selected = database;
    this.writer.request(['SELECT', `${database}`]);
  }
}
