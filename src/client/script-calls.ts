/** The scripts of one client: what bounds that which they call, and who hears of it. */
import {
  DEFAULT_USER,
  type Denial,
  type ItemCaller,
  type Request,
  type ScriptAudience,
  type ScriptCaller,
} from '../../engine/index.js';
import type { Client } from './client.js';
import type { ClientHost } from './client-host.js';

export class ScriptCalls implements ScriptAudience {
  constructor(
    private readonly client: Client,
    private readonly host: ClientHost,
  ) {}

  /**
   * What apply is to know of the client whose script is proposed; undefined where nothing bounds it.
   *
   * @param mayChange whether what stands before the script may take rights away
   */
  caller(mayChange = false): ItemCaller | undefined {
    const { permissions, userName } = this.client;
    const { memoryIsFull } = this;
    const isBound = mayChange || !permissions.isUnlimited;
    return isBound || memoryIsFull ? { memoryIsFull, user: isBound ? userName : undefined } : undefined;
  }

  /** Whose rights a request is judged by when it has waited; undefined for the default user. */
  waiter(): ItemCaller | undefined {
    const { userName } = this.client;
    return userName === DEFAULT_USER ? undefined : { memoryIsFull: false, user: userName };
  }

  /** For whom a script runs that is a read. */
  reader(): ScriptCaller {
    const { client, host, memoryIsFull, audience } = this;
    return { permissions: client.permissions, memoryIsFull, audience, watch: host.timer };
  }

  /** Whether a write that needs memory would be refused while another is not. */
  private get memoryIsFull(): boolean {
    const { host } = this;
    return host.refuseWrite(true) !== undefined && host.refuseWrite(false) === undefined;
  }

  /** Undefined while there is nobody to hear anything. */
  get audience(): ScriptAudience | undefined {
    const isHeard = this.host.audience.monitors.size > 0 || !this.client.permissions.isUnlimited;
    return isHeard ? this : undefined;
  }

  /** For a script that may write, of a client that is to be told when keys change which it reads. */
  get remembering(): ScriptAudience {
    return {
      called: (request, database, row) => {
        if (row !== undefined)
          this.host.audience.tracking.remember(this.client, this.host.readKeys.of(row, request));
        this.called(request, database);
      },
      denied: (name, denial, request) => this.denied(name, denial, request),
    };
  }

  called(request: Request, database: number): void {
    this.host.audience.monitors.showScripted(request, database);
  }

  denied(name: string, denial: Denial, request: Request): void {
    this.host.access.noteScripted(name, denial, request, this.client);
  }
}
