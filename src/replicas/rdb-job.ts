/** What the node and the thread that writes an RDB file tell each other. */
import type { KeyTraces } from '../../engine/index.js';

/** Which keys a file is to hold: all, or none and libraries of functions alone, or nothing at all. */
export type RdbContent = 'all' | 'functions' | 'nothing';

export interface RdbJob {
  /** Open for writing; the node closes it. */
  readonly descriptor: number;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly content: RdbContent;
  readonly traces: KeyTraces | undefined;
}

export type RdbOrder =
  | { readonly kind: 'snapshot'; readonly bytes: Uint8Array }
  /** All of the snapshot has come. */
  | { readonly kind: 'end' };

export type RdbReport =
  /** So many bytes of the snapshot are dealt with. */
  | { readonly kind: 'taken'; readonly bytes: number }
  | { readonly kind: 'done'; readonly fileBytes: number; readonly keys: number }
  | { readonly kind: 'failed'; readonly why: string };
