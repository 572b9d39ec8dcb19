/** What this node proves itself to its peers by: it may change while the node runs. */
import type { SecureContextOptions } from 'node:tls';
import type { PeerCredentials } from '../../raft/node/index.js';
import { provenSecret } from './peer-admission.js';
import type { NodeTls } from './tls-port.js';

export class NodeCredentials implements PeerCredentials {
  constructor(
    /** As the operator gave them; `none` says that there shall be none. */
    private given: readonly string[],
    private readonly nodeTls: NodeTls | undefined,
  ) {}

  /** The one that is proved, as it was given; empty for none. */
  get clusterSecret(): string {
    return this.given[0] ?? '';
  }

  get secrets(): readonly string[] {
    return this.given.filter((secret) => provenSecret(secret) !== '');
  }

  get tls(): SecureContextOptions | undefined {
    return this.nodeTls?.dialing;
  }

  /** All of them, as they were given. */
  get all(): readonly string[] {
    return this.given;
  }

  /** @throws Error where there was a secret and shall be none, or the other way round */
  replace(given: readonly string[]): void {
    const isProven = (secret: string): boolean => provenSecret(secret) !== '';
    if (this.secrets.length === 0 || given.length === 0 || !given.every(isProven))
      throw new Error('whether peers prove a secret is settled at the start: stop all nodes to change that');
    this.given = [...given];
  }
}
