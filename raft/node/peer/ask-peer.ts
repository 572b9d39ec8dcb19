/**
 * One question to a node, whether or not both belong to one cluster: how a node that wants to join makes
 * itself known.
 */
import type { NodeId } from '../../types.js';
import { clearTimeout, setTimeout } from '../timers.js';
import { decodeValue, encodeValue } from './peer-codec.js';
import type { PeerCredentials } from './peer-credentials.js';
import { dialPeer } from './peer-handshake.js';
import { frameKind } from './peer-socket.js';

export interface Answer {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly answer: unknown;
}

/**
 * Asks the node at an address something, over a connection of its own.
 *
 * @param clusterId undefined for a node that does not belong to a cluster yet
 * @throws PeerRefusal, or Error if it cannot be reached or does not answer in time
 */
export async function askPeer(
  address: string,
  options: {
    readonly credentials: PeerCredentials;
    readonly clusterId: string | undefined;
    readonly nodeId: NodeId;
    readonly timeoutMs: number;
  },
  question: unknown,
): Promise<Answer> {
  let settle: ((result: unknown) => void) | undefined;
  let giveUp: ((error: Error) => void) | undefined;
  const reply = new Promise<unknown>((resolve, reject) => {
    settle = resolve;
    giveUp = reject;
  });
  reply.catch(() => {});
  const { peer, clusterId, nodeId } = await dialPeer({
    address,
    credentials: options.credentials,
    introduction: { clusterId: options.clusterId, from: options.nodeId, to: 0, purpose: 'exchange' },
    onFrame: (kind, body) => {
      try {
        if (kind !== frameKind.reply) throw new Error('an unexpected frame');
        settle!(decodeValue(body));
      } catch (error) {
        giveUp!(error as Error);
      }
    },
    onClose: (reason) => giveUp!(new Error(reason)),
  });
  const timer = setTimeout(
    () => giveUp!(new Error(`no answer in ${options.timeoutMs} ms`)),
    options.timeoutMs,
  );
  try {
    peer.sendFrame(frameKind.request, [encodeValue(question)]);
    return { clusterId, nodeId, answer: await reply };
  } finally {
    clearTimeout(timer);
    peer.destroy('answered');
  }
}
