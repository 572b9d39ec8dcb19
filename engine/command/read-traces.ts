/** What a read leaves behind in the keyspace, apart from its reply. */
export interface ReadTraces {
  /** Whether keys that it looks up count as hits and misses. */
  readonly counts: boolean;
  /** Whether they count as used, which eviction by age or frequency goes by. */
  readonly touches: boolean;
}

/** Any client's read. */
export const allTraces: ReadTraces = { counts: true, touches: true };
/** Looked up before: only its use counts. */
export const onlyTouches: ReadTraces = { counts: false, touches: true };
/** Of a client with CLIENT NO-TOUCH. */
export const onlyCounts: ReadTraces = { counts: true, touches: false };
/** Of somebody who looks at the state from outside. */
export const noTraces: ReadTraces = { counts: false, touches: false };
