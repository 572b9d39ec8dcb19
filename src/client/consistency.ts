/** How fresh the state is that a client's reads see. */

/**
 * `low`: any node answers from its own state. `medium`: only the leader does. `high`: reads are linearizable.
 */
export type Consistency = 'low' | 'medium' | 'high';
