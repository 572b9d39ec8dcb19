/** What a node proves itself to its peers by, and how it dials them. */
import type { SecureContextOptions } from 'node:tls';

/** Asked at each handshake anew: secrets and certificates change while a node runs. */
export interface PeerCredentials {
  /**
   * The cluster's secrets: the first is proved, each of them is taken. None: whoever knows that there is none
   * is trusted.
   */
  readonly secrets: readonly string[];
  /** Peers are dialed over TLS; undefined: over plain TCP. Texts alone, so that a thread may get them. */
  readonly tls?: SecureContextOptions | undefined;
}
