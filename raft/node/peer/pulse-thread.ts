/** The thread that sends the pulse: see pulse.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import type { NodeId } from '../../types.js';
import { monotonicNow, setInterval } from '../timers.js';
import { dialPeer } from './peer-handshake.js';
import { frameKind, type PeerSocket } from './peer-socket.js';
import { encodePulse, PulseCell, type PulseOrder, type PulseThreadData, pulseIntervalMs } from './pulse.js';

const redialFirstMs = 50;
const redialMaxMs = 1000;
/** A pulse that cannot leave at once is worth nothing later. */
const bufferedMaxBytes = 1024;

interface PulseLink {
  readonly address: string;
  peer: PeerSocket | undefined;
  isDialing: boolean;
  redialAtMs: number;
  redialDelayMs: number;
}

const data = workerData as PulseThreadData;
let { credentials } = data;
const cell = new PulseCell(data.memory);
const diskWait = new Int32Array(data.diskWait);
const links = new Map<NodeId, PulseLink>();

parentPort!.on('message', (order: PulseOrder) => {
  if (order.kind === 'peers') setPeers(order.peers);
  else if (order.kind === 'credentials') credentials = order.credentials;
  else redial(order.id);
});
setInterval(beat, pulseIntervalMs);

function setPeers(peers: readonly { readonly id: NodeId; readonly address: string }[]): void {
  for (const [id, link] of links) {
    if (peers.some((peer) => peer.id === id && peer.address === link.address)) continue;
    links.delete(id);
    link.peer?.destroy('no longer a member there');
  }
  for (const { id, address } of peers) {
    if (links.has(id)) continue;
    const link = { address, peer: undefined, isDialing: false, redialAtMs: 0, redialDelayMs: redialFirstMs };
    links.set(id, link);
    dial(id, link);
  }
}

function redial(id: NodeId): void {
  const link = links.get(id);
  if (link === undefined) return;
  link.redialAtMs = 0;
  link.peer?.destroy('dialed anew');
  dial(id, link);
}

function dial(id: NodeId, link: PulseLink): void {
  if (link.isDialing || link.peer !== undefined || monotonicNow() < link.redialAtMs) return;
  const { clusterId, nodeId: from } = data;
  link.isDialing = true;
  const lost = (): void => {
    link.peer = undefined;
    link.redialAtMs = monotonicNow() + link.redialDelayMs;
    link.redialDelayMs = Math.min(redialMaxMs, 2 * link.redialDelayMs);
  };
  dialPeer({
    address: link.address,
    credentials,
    introduction: { clusterId, from, to: id, purpose: 'pulse' },
    onFrame: () => {},
    onClose: lost,
  }).then(
    ({ peer }) => {
      link.isDialing = false;
      if (links.get(id) !== link) {
        peer.destroy('not wanted any more');
        return;
      }
      link.peer = peer;
      link.redialDelayMs = redialFirstMs;
    },
    () => {
      link.isDialing = false;
      lost();
    },
  );
}

function beat(): void {
  const standing = cell.read(data.busyMaxMs, Atomics.load(diskWait, 0) !== 0);
  const body = standing && encodePulse({ ...standing, electionTimeoutMs: data.electionTimeoutMs });
  for (const [id, link] of links) {
    const { peer } = link;
    if (peer === undefined) dial(id, link);
    else if (body !== undefined && peer.bufferedBytes < bufferedMaxBytes)
      peer.sendFrame(frameKind.pulse, [body]);
  }
}
