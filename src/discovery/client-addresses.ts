/**
 * Where clients reach the members, if that is not where peers do (`--client-advertise`): each member says so
 * of itself when another asks.
 */
import type { NodeId } from '../../raft/index.js';

/** How long an answer holds. */
const ASK_AGAIN_MS = 2000;
/** After a question that was not answered. */
const RETRY_MS = 1000;
const LENGTH_MAX = 512;

/** Where clients reach a node: host:port each. */
export interface ClientAddress {
  /** Empty: where its peers do. */
  readonly address: string;
  /** Of those that speak TLS; empty where no port of the node does. */
  readonly tlsAddress: string;
}

/** Where an error sends clients: host:port for those that speak TLS, and for others. */
export interface LeaderAddress {
  readonly plain: string;
  readonly tls: string;
}

export interface ClientAddressPorts {
  nowMs(): number;
  /** The other members. */
  others(): readonly { readonly id: NodeId; readonly address: string }[];
  /** Asks the member at a peer's address where its clients reach it. */
  ask(address: string): Promise<ClientAddress>;
}

export class ClientAddresses {
  private readonly known = new Map<NodeId, ClientAddress>();
  /** Members that did not answer when they were last asked: followers do not hear of each other otherwise. */
  private readonly silent = new Set<NodeId>();
  private readonly askAtMs = new Map<NodeId, number>();
  /** Of this node. */
  own: () => ClientAddress = () => ({ address: '', tlsAddress: '' });

  constructor(private readonly ports: ClientAddressPorts) {}

  /** Of another member, once it has said so. */
  of(id: NodeId): ClientAddress | undefined {
    return this.known.get(id);
  }

  isSilent(id: NodeId): boolean {
    return this.silent.has(id);
  }

  /** Called every now and then: asks those that have not been asked for a while. */
  tick(): void {
    const nowMs = this.ports.nowMs();
    const others = this.ports.others();
    for (const id of this.askAtMs.keys())
      if (!others.some((other) => other.id === id)) {
        this.askAtMs.delete(id);
        this.known.delete(id);
        this.silent.delete(id);
      }
    for (const { id, address } of others) {
      if (nowMs < (this.askAtMs.get(id) ?? 0)) continue;
      this.askAtMs.set(id, nowMs + RETRY_MS);
      this.ports.ask(address).then(
        ({ address: plain, tlsAddress }) => {
          this.silent.delete(id);
          this.askAtMs.set(id, this.ports.nowMs() + ASK_AGAIN_MS);
          this.known.set(id, { address: checked(plain), tlsAddress: checked(tlsAddress) });
        },
        // It is away, or of a release that does not know the question: what was heard last stands.
        () => this.silent.add(id),
      );
    }
  }
}

/** What a peer says goes into replies and errors: a line of its own would end them. */
function checked(text: string): string {
  const isAddress = text.length <= LENGTH_MAX && /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(text);
  return isAddress ? text : '';
}
