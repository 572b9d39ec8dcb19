/** How ioredis reaches a node of its own process: its option `Connector`. */
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';

/** What ioredis asks of a connector (its AbstractConnector). */
export interface Connector {
  check(): boolean;
  connect(emit: (type: string, error: Error) => void): Promise<Duplex>;
  disconnect(): void;
}

/** The options of a client. */
export interface ConnectorOptions {
  readonly disconnectTimeout?: number;
}

/** The class of connectors that `open` gives their streams. */
export function connectorClass<Options extends ConnectorOptions>(
  open: (options: Options) => Promise<Duplex>,
): new (
  options: Options,
) => Connector {
  return class MemoryConnector implements Connector {
    private stream: Duplex | undefined;
    private isConnecting = false;

    constructor(private readonly options: Options) {}

    check(): boolean {
      return true;
    }

    async connect(): Promise<Duplex> {
      this.isConnecting = true;
      const stream = await open(this.options);
      if (!this.isConnecting) {
        stream.destroy();
        throw new Error('Connection is closed.');
      }
      this.stream = stream;
      return stream;
    }

    disconnect(): void {
      this.isConnecting = false;
      const { stream } = this;
      if (stream === undefined) return;
      const impatience = setTimeout(() => stream.destroy(), this.options.disconnectTimeout ?? 2000).unref();
      stream.once('close', () => clearTimeout(impatience));
      stream.end();
    }
  };
}
