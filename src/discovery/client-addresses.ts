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

export interface ClientAddressPorts {
  nowMs(): number;
  /** The other members. */
  others(): readonly { readonly id: NodeId; readonly address: string }[];
  /** Asks the member at a peer's address where its clients reach it; empty: where its peers do. */
  ask(address: string): Promise<string>;
}

export class ClientAddresses {
  private readonly known = new Map<NodeId, string>();
  /** Members that did not answer when they were last asked: followers do not hear of each other otherwise. */
  private readonly silent = new Set<NodeId>();
  private readonly askAtMs = new Map<NodeId, number>();
  /** host:port of this node for clients; empty: the same as for peers. */
  own: () => string = () => '';

  constructor(private readonly ports: ClientAddressPorts) {}

  /** host:port of another member, or undefined where it is the peers'. */
  of(id: NodeId): string | undefined {
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
        (text) => {
          this.silent.delete(id);
          this.askAtMs.set(id, this.ports.nowMs() + ASK_AGAIN_MS);
          if (isAddress(text)) this.known.set(id, text);
          else this.known.delete(id);
        },
        // It is away, or of a release that does not know the question: what was heard last stands.
        () => this.silent.add(id),
      );
    }
  }
}

/** What a peer says goes into replies and errors: a line of its own would end them. */
function isAddress(text: string): boolean {
  return text.length <= LENGTH_MAX && /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(text);
}
