/**
 * How two nodes make sure of each other before the first frame. Both prove that they know the cluster's
 * secret, by HMAC over a nonce of the other's; the secret itself is never sent.
 *
 *   dialer    RAFTPEER <version> <cluster id or -> <from> <to> <purpose> <nonce>     (a RESP command: peers share the clients' port)
 *   acceptor  +PEERCHALLENGE <nonce>
 *   dialer    <proof>
 *   acceptor  +PEEROK <cluster id> <node id> <proof>
 *
 * or at any point `-PEERREFUSED <code> <cluster id> <node id> <proof or -> <text>`. A refusal with a proof
 * comes from a node of this cluster's operator, and may be acted upon.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import net from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { NodeId } from '../../types.js';
import { type Clock, nodeClock } from '../clock.js';
import type { PeerCredentials } from './peer-credentials.js';
import { type FrameHandler, PeerSocket } from './peer-socket.js';

export const peerCommand = 'RAFTPEER';
const protocolVersion = '1';
const handshakeTimeoutMs = 5000;
const purposes = ['messages', 'snapshot', 'exchange', 'client', 'pulse'] as const;
const idPattern = /^[1-9][0-9]{0,15}$/;
const clusterPattern = /^([0-9a-f]{32}|-)$/;
const noncePattern = /^[0-9a-f]{32}$/;

/**
 * What a connection is for: messages between cores, one snapshot, one question and its answer, a client's
 * commands, forwarded, or signs of life.
 */
export type PeerPurpose = (typeof purposes)[number];

/** Who wants to speak to whom. */
export interface Introduction {
  /** Undefined for a node that is about to join and does not know it. */
  readonly clusterId: string | undefined;
  readonly from: NodeId;
  /** 0: whoever is there. */
  readonly to: NodeId;
  readonly purpose: PeerPurpose;
}

export type RefusalCode =
  /** The other side speaks another version of this protocol. */
  | 'version'
  /** The secrets differ. */
  | 'secret'
  /** The other side has no secret to ask for and lets nobody in from there. */
  | 'closed'
  /** The node at this address belongs to another cluster. */
  | 'cluster'
  /** The node at this address waits to join a cluster itself. */
  | 'waiting'
  /** The node at this address has another id. */
  | 'node'
  /** The dialer was removed from the cluster. */
  | 'removed'
  /** The dialer claims the acceptor's own id. */
  | 'self'
  /** What came is no handshake. */
  | 'malformed';

const refusalCodes: readonly string[] = [
  'version',
  'secret',
  'closed',
  'cluster',
  'waiting',
  'node',
  'removed',
  'self',
  'malformed',
];

/** The other side said no, and why. */
export class PeerRefusal extends Error {
  override readonly name = 'PeerRefusal';

  constructor(
    readonly code: RefusalCode,
    message: string,
    /** Whether the refusal comes with proof of the cluster's secret. */
    readonly isAuthentic: boolean,
  ) {
    super(message);
  }
}

function proof(secret: string, side: 'dialer' | 'acceptor', parts: readonly (string | number)[]): string {
  return createHmac('sha256', secret)
    .update(['redraft peer 1', side, ...parts].join('\n'))
    .digest('hex');
}

function isProof(given: string, expected: string): boolean {
  const a = Buffer.from(given, 'latin1');
  const b = Buffer.from(expected, 'latin1');
  return a.length === b.length && timingSafeEqual(a, b);
}

/** How a node dials others: what all its connections have in common. */
export interface PeerDialing {
  readonly credentials: PeerCredentials;
  /** Opens a connection. Default: over TCP, with TLS where the credentials have it. */
  readonly connect?: (host: string, port: number) => net.Socket;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

export interface DialOptions extends PeerDialing {
  /** host:port, [host]:port for IPv6. */
  readonly address: string;
  readonly introduction: Introduction;
  readonly onFrame: (kind: number, body: Buffer) => void;
  /** After the handshake: the connection is gone. */
  readonly onClose: (reason: string) => void;
}

export interface Dialed {
  readonly peer: PeerSocket;
  readonly clusterId: string;
  readonly nodeId: NodeId;
}

/** Splits host:port. @throws Error for what is not an address */
export function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`${address} is not an address (host:port)`);
  return { host: (match[1] ?? match[2])!, port };
}

/**
 * Over TLS, whoever has a certificate of a trusted authority is heard, whatever its host's name: members are
 * known by addresses.
 */
function dialSocket(host: string, port: number, { tls }: PeerCredentials): net.Socket {
  if (tls === undefined) return net.connect({ host, port });
  return connectTls({ ...tls, host, port, checkServerIdentity: () => undefined });
}

/**
 * Connects to a node and goes through the handshake.
 *
 * @throws PeerRefusal if the node refuses or cannot prove the secret; Error if it cannot be reached
 */
export function dialPeer(options: DialOptions): Promise<Dialed> {
  const { credentials, introduction } = options;
  const [secret = ''] = credentials.secrets;
  const { clusterId = '-', from, to, purpose } = introduction;
  const nonce = randomBytes(16).toString('hex');
  return new Promise((resolve, reject) => {
    const { host, port } = splitAddress(options.address);
    const socket = options.connect?.(host, port) ?? dialSocket(host, port, credentials);
    let isReady = false;
    let transcript: (string | number)[] | undefined;
    const fail = (error: Error): void => {
      timer.cancel();
      reject(error);
      socket.destroy();
    };
    const peer = new PeerSocket(socket, {
      onLine: (line) => {
        const words = line.split(' ');
        if (words[0] === '-PEERREFUSED') {
          fail(readRefusal(words, secret, transcript));
        } else if (
          words[0] === '+PEERCHALLENGE' &&
          transcript === undefined &&
          noncePattern.test(words[1] ?? '')
        ) {
          transcript = [clusterId, from, to, purpose, nonce, words[1]!];
          peer.sendLine(proof(secret, 'dialer', transcript));
        } else if (words[0] === '+PEEROK' && transcript !== undefined) {
          const [, cluster = '', node = '', given = ''] = words;
          if (!isProof(given, proof(secret, 'acceptor', [...transcript, 'ok', cluster, node]))) {
            fail(new PeerRefusal('secret', 'it does not know the cluster secret', false));
            return;
          }
          isReady = true;
          timer.cancel();
          peer.switchToFrames();
          resolve({ peer, clusterId: cluster, nodeId: Number(node) });
        } else {
          fail(new PeerRefusal('malformed', `it does not answer as a peer: ${line.slice(0, 100)}`, false));
        }
      },
      onFrame: (kind, body) => options.onFrame(kind, body),
      onClose: (reason) => {
        if (isReady) options.onClose(reason);
        else fail(new Error(reason));
      },
    });
    const { clock = nodeClock } = options;
    const timer = clock.setTimer(handshakeTimeoutMs, () => peer.destroy('no answer'));
    const words = [peerCommand, protocolVersion, clusterId, from, to, purpose, nonce].map(String);
    socket.write(
      `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
      'latin1',
    );
  });
}

function readRefusal(
  words: readonly string[],
  secret: string,
  transcript: readonly (string | number)[] | undefined,
): PeerRefusal {
  const [, code = '', cluster = '', node = '', given = '', ...text] = words;
  const known = refusalCodes.includes(code) ? (code as RefusalCode) : 'malformed';
  const isAuthentic =
    transcript !== undefined &&
    isProof(given, proof(secret, 'acceptor', [...transcript, code, cluster, node]));
  return new PeerRefusal(known, text.join(' ') || 'it gives no reason', isAuthentic);
}

export interface AcceptOptions {
  readonly socket: net.Socket;
  /** The arguments of RAFTPEER. */
  readonly args: readonly string[];
  /** What was read from the socket after the command. */
  readonly head: Uint8Array;
  readonly credentials: PeerCredentials;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Why nobody may come in by this socket, whatever it proves; undefined if the handshake decides. */
  readonly closed: string | undefined;
  /** `-` for a node that belongs to none yet. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** Whether this id was removed from the cluster. */
  readonly isRemoved: (id: NodeId) => boolean;
  /**
   * A dialer that has proved itself looks for another cluster, or another node of this one, at this address.
   */
  readonly onMismatch: (introduction: Introduction) => void;
  /** The dialer has proved itself: gives what takes its frames. */
  readonly onAccepted: (peer: PeerSocket, introduction: Introduction) => FrameHandler;
  /** The dialer has proved itself and forwards a client's commands: the socket goes on as a client's. */
  readonly onClient: (socket: net.Socket, introduction: Introduction) => void;
}

/** Answers a handshake. The socket belongs to this function from now on; nothing is thrown. */
export function acceptPeer(options: AcceptOptions): void {
  const { clusterId, nodeId, clock = nodeClock } = options;
  const { secrets } = options.credentials;
  /** The one that the dialer has proved. */
  let secret = '';
  let handler: ReturnType<AcceptOptions['onAccepted']> | undefined;
  let transcript: (string | number)[] | undefined;
  let introduction: Introduction | undefined;
  const refuse = (code: RefusalCode, text: string, isProven = false): void => {
    timer.cancel();
    const given = isProven ? proof(secret, 'acceptor', [...transcript!, code, clusterId, nodeId]) : '-';
    const [cluster, node] = isProven ? [clusterId, nodeId] : ['-', '-'];
    peer.refuse(`-PEERREFUSED ${code} ${cluster} ${node} ${given} ${text}`);
  };
  const peer = new PeerSocket(options.socket, {
    onLine: (line) => {
      if (transcript === undefined || introduction === undefined || handler !== undefined) return;
      const parts = transcript;
      const known = secrets.length === 0 ? [''] : secrets;
      const proved = known.find((one) => isProof(line, proof(one, 'dialer', parts)));
      if (proved === undefined) {
        refuse('secret', 'the cluster secrets differ');
        return;
      }
      secret = proved;
      const { clusterId: cluster, from, to } = introduction;
      if (cluster !== undefined && clusterId === '-') {
        refuse('waiting', 'this node waits to join a cluster itself', true);
      } else if (cluster !== undefined && cluster !== clusterId) {
        refuse('cluster', `this node belongs to cluster ${clusterId}, not to ${cluster}`, true);
        options.onMismatch(introduction);
      } else if (to !== 0 && to !== nodeId) {
        refuse('node', `this is node ${nodeId}, not ${to}`, true);
        options.onMismatch(introduction);
      } else if (from === nodeId) {
        refuse('self', `node ${from} is this node itself`, true);
      } else if (options.isRemoved(from)) {
        refuse('removed', `node ${from} was removed from this cluster`, true);
      } else {
        timer.cancel();
        const given = proof(secret, 'acceptor', [...transcript, 'ok', clusterId, nodeId]);
        const welcome = `+PEEROK ${clusterId} ${nodeId} ${given}`;
        if (introduction.purpose === 'client') {
          peer.sendLine(welcome);
          options.onClient(peer.release(), introduction);
          return;
        }
        peer.switchToFrames();
        handler = options.onAccepted(peer, introduction);
        peer.sendLine(welcome);
      }
    },
    onFrame: (kind, body) => handler?.onFrame(kind, body),
    onClose: (reason) => {
      timer.cancel();
      handler?.onClose(reason);
    },
  });
  const timer = clock.setTimer(handshakeTimeoutMs, () => peer.destroy('the handshake took too long'));
  const [version = '', cluster = '', from = '', to = '', purpose = '', nonce = ''] = options.args;
  const isSound =
    options.args.length === 6 &&
    clusterPattern.test(cluster) &&
    idPattern.test(from) &&
    (to === '0' || idPattern.test(to)) &&
    (purposes as readonly string[]).includes(purpose) &&
    noncePattern.test(nonce);
  if (version !== protocolVersion) {
    refuse(
      'version',
      `peer protocol ${version.slice(0, 20)} is unknown here; this release speaks ${protocolVersion}`,
    );
  } else if (!isSound || (cluster === '-' && purpose !== 'exchange')) {
    refuse('malformed', 'malformed RAFTPEER');
  } else if (options.closed !== undefined) {
    refuse('closed', options.closed);
  } else {
    introduction = {
      clusterId: cluster === '-' ? undefined : cluster,
      from: Number(from),
      to: Number(to),
      purpose: purpose as PeerPurpose,
    };
    const challenge = randomBytes(16).toString('hex');
    transcript = [cluster, introduction.from, introduction.to, purpose, nonce, challenge];
    peer.sendLine(`+PEERCHALLENGE ${challenge}`);
    if (options.head.length > 0) peer.take(options.head);
  }
}
