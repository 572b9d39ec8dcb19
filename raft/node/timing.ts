/** Spans of time that all nodes of a cluster share. */

/** A follower campaigns after more than this and at most twice this without a leader. */
export const defaultElectionTimeoutMs = 500;
