/**
 * Who may come in as a peer before it has proved anything. Whoever comes in without a secret can read, write
 * and administer as a member can, so an open door for peers makes the clients' password worthless.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isLocal, isLoopback } from './socket-addresses.js';

/** What `--cluster-secret` is given to say that there shall be none, and peers from everywhere. */
export const NO_SECRET = 'none';

export interface PeerDoor {
  /** Of `--cluster-secret`: empty if it was not given. */
  readonly clusterSecret: string;
  /** Whether clients are asked for a password now. */
  readonly asksClients: () => boolean;
  /** Whether peers come over TLS alone, with a certificate (`--tls-cluster`). */
  readonly needsTls?: boolean;
}

/** The secret that peers prove; empty for none. */
export function provenSecret(clusterSecret: string): string {
  return clusterSecret === NO_SECRET ? '' : clusterSecret;
}

/** Why a peer may not come in by this socket, in words for its operator; undefined if it may try. */
export function refusesPeer(door: PeerDoor, socket: Pick<Socket, 'remoteAddress'>): string | undefined {
  if (door.needsTls === true && !(socket instanceof TLSSocket && socket.authorized))
    return 'peers of this node come over TLS, with a certificate of an authority that it knows: start all nodes with --tls-cluster yes';
  if (provenSecret(door.clusterSecret) !== '') return undefined;
  if (door.asksClients())
    return 'this node asks clients for a password and has no cluster secret to ask peers for: give all nodes the same --cluster-secret';
  if (door.clusterSecret === NO_SECRET || isLocal(socket)) return undefined;
  return 'this node has no cluster secret and takes peers from its own machine only: give all nodes the same --cluster-secret (or "none" to let in any peer)';
}

/**
 * Why a node must not start so, in words for the operator; undefined if it may.
 *
 * @param host what it listens on
 */
export function unsafeStart(host: string, clusterSecret: string, password: string): string | undefined {
  if (password === '' || isLoopback(host) || provenSecret(clusterSecret) !== '') return undefined;
  return `a password for clients (requirepass) on ${host} without a secret for peers protects nothing: give all nodes the same --cluster-secret, or listen on 127.0.0.1`;
}

/**
 * Why clients of a running cluster must not be limited (by a password, or by rules for the default user):
 * peers would be let in for less, or not at all. In words for the operator; undefined if they may.
 *
 * @param host what this node listens on
 * @param members how many nodes the cluster has
 */
export function refusesLimits(
  { clusterSecret }: Pick<PeerDoor, 'clusterSecret'>,
  host: string,
  members: number,
): string | undefined {
  if (provenSecret(clusterSecret) !== '' || (members <= 1 && isLoopback(host))) return undefined;
  return 'limits for clients protect nothing while nodes need no secret: start all nodes with the same --cluster-secret first';
}
