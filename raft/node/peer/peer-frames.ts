/** Messages as frames, and the connections on which a peer asks one thing (see ask-peer.ts). */
import type { Message } from '../../messages.js';
import type { NodeId } from '../../types.js';
import { decodeValue, encodeMessages, encodeValue } from './peer-codec.js';
import { type FrameHandler, frameKind, type PeerSocket } from './peer-socket.js';
import type { PeerTransportOptions } from './peer-transport-options.js';

/** Sends messages of one turn; appends keep their order among each other. */
export function sendMessages(peer: PeerSocket, messages: readonly Message[]): void {
  let appends = 0;
  for (const { type } of messages) if (type === 'append') appends++;
  if (appends === 0) {
    peer.sendFrame(frameKind.messages, encodeMessages(messages));
  } else if (appends === messages.length) {
    peer.sendInOrder(frameKind.messages, encodeMessages(messages));
  } else {
    // What is no append need not wait for those before it.
    const [ordered, urgent] = [[] as Message[], [] as Message[]];
    for (const message of messages) (message.type === 'append' ? ordered : urgent).push(message);
    peer.sendFrame(frameKind.messages, encodeMessages(urgent));
    peer.sendInOrder(frameKind.messages, encodeMessages(ordered));
  }
}

/**
 * What takes the frames of a connection on which a peer asks something; nobody may ask where there is no
 * `onQuestion`.
 */
export function answerQuestion(
  peer: PeerSocket,
  from: NodeId,
  onQuestion: PeerTransportOptions['onQuestion'],
): FrameHandler {
  return {
    onFrame: (kind, body) => {
      if (kind !== frameKind.request || onQuestion === undefined) {
        peer.destroy('an unexpected frame');
        return;
      }
      Promise.resolve()
        .then(() => onQuestion(decodeValue(body), from))
        .then(
          (answer) => peer.sendFrame(frameKind.reply, [encodeValue(answer)]),
          (error: Error) => peer.destroy(error.message),
        );
    },
    onClose: () => {},
  };
}
