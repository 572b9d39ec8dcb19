/** What a node counts about its keyspace. */

/** Counters of this node, outside the state. */
export interface Statistics {
  keyspaceHits: number;
  keyspaceMisses: number;
  expiredKeys: number;
  evictedKeys: number;
  /** Changes since the last snapshot. */
  changesSinceSnapshot: number;
}
