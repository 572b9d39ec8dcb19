/** The connections on which peers' pulses come (see pulse.ts), one a peer. */
import type { Pulse } from '../../election.js';
import type { NodeId } from '../../types.js';
import { type FrameHandler, frameKind, type PeerSocket } from './peer-socket.js';
import { decodePulse, type PulseBeat } from './pulse.js';

const silenceMaxMs = 60_000;

export interface IncomingPulsesOptions {
  /** This node's, of which peers with another one differ. Undefined: nobody is compared with it. */
  readonly electionTimeoutMs: number | undefined;
  readonly onPulse: (pulse: Pulse) => void;
  /** One line for the operator. */
  readonly onNotice: ((text: string) => void) | undefined;
}

export class IncomingPulses {
  private readonly sockets = new Map<NodeId, PeerSocket>();
  /** Peers that were said to have another election timeout. */
  private readonly oddTimeouts = new Set<NodeId>();

  constructor(private readonly options: IncomingPulsesOptions) {}

  /** Takes the place of the connection that the peer had. */
  take(peer: PeerSocket, from: NodeId): FrameHandler {
    this.drop(from, 'a newer connection took its place');
    this.sockets.set(from, peer);
    peer.socket.setTimeout(silenceMaxMs, () => peer.destroy('it fell silent'));
    return {
      onFrame: (kind, body) => {
        const beat = kind === frameKind.pulse ? decodePulse(body) : undefined;
        if (beat === undefined) {
          peer.destroy('a malformed frame');
          return;
        }
        const own = this.options.electionTimeoutMs;
        if (own !== undefined && own !== beat.electionTimeoutMs) this.warnOfTimeout(from, own, beat);
        this.options.onPulse({ from, term: beat.term, leads: beat.leads });
      },
      onClose: () => {
        if (this.sockets.get(from) === peer) this.sockets.delete(from);
      },
    };
  }

  drop(from: NodeId, reason: string): void {
    this.sockets.get(from)?.destroy(reason);
  }

  private warnOfTimeout(from: NodeId, ownMs: number, { electionTimeoutMs }: PulseBeat): void {
    if (this.oddTimeouts.has(from)) return;
    this.oddTimeouts.add(from);
    this.options.onNotice?.(
      `node ${from} has an election timeout of ${electionTimeoutMs} ms and this one of ${ownMs} ms: give all nodes the same`,
    );
  }
}
