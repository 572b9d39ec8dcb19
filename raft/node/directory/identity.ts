/**
 * Who the node in a data directory is. The ids are drawn once and never used again: a wiped directory is a
 * new node, which cannot break a promise that the old one gave.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import type { Membership, NodeId } from '../../types.js';
import { ioError, StorageError } from '../errors.js';
import { type Disk, readWhole, replaceFile } from './disk.js';

export const identityFile = 'identity.json';
const identityFormat = 1;

export interface Identity {
  /** 32 hexadecimal digits. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  /** Seed of the log's checksums. */
  readonly salt: number;
  /** The membership before the first entry: a founder names itself, a joiner nobody. */
  readonly initialMembership: Membership;
  /** Whether the log was founded: from then on it must be there. */
  readonly logFounded: boolean;
  /** Position in the log's bytes up to which it was noted as durable: a log that ends before it was cut. */
  readonly logReach: number;
  /** How often a process has started on this directory; part of what makes its sessions' names unique. */
  readonly starts: number;
}

/** A new node id: random, 48 bits, never 0. */
export function drawNodeId(): NodeId {
  return randomInt(1, 2 ** 48 - 1);
}

export function drawClusterId(): string {
  return randomBytes(16).toString('hex');
}

/** The identity of a node that has none yet, to be stored by `writeIdentity`. */
export function drawIdentity(clusterId: string, nodeId: NodeId, initialMembership: Membership): Identity {
  return {
    clusterId,
    nodeId,
    salt: randomBytes(4).readUInt32LE(0),
    initialMembership,
    logFounded: false,
    logReach: 0,
    starts: 0,
  };
}

/**
 * The identity that a directory holds, or undefined for an empty one.
 *
 * @throws StorageError if the file is not what `writeIdentity` wrote, or of a later release
 */
export async function readIdentity(disk: Disk, directory: string): Promise<Identity | undefined> {
  const file = join(directory, identityFile);
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readWhole(disk, file);
  } catch (error) {
    throw ioError('read', file, error);
  }
  if (bytes === undefined) return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
  } catch {
    throw malformed(file, 'it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw malformed(file, 'it is not an object');
  if (value.format !== identityFormat) {
    const message = `${file} has format ${String(value.format)}; this release reads format ${identityFormat}: use the release that wrote it`;
    throw new StorageError('identity', message, file);
  }
  const { clusterId, nodeId, salt, initialMembership, logFounded, logReach = 0, starts } = value;
  if (typeof clusterId !== 'string' || !/^[0-9a-f]{32}$/.test(clusterId))
    throw malformed(file, 'clusterId is wrong');
  if (!isCount(nodeId) || nodeId === 0) throw malformed(file, 'nodeId is wrong');
  if (!isCount(salt) || salt > 0xffffffff) throw malformed(file, 'salt is wrong');
  if (typeof logFounded !== 'boolean') throw malformed(file, 'logFounded is wrong');
  if (!isCount(logReach)) throw malformed(file, 'logReach is wrong');
  if (!isCount(starts)) throw malformed(file, 'starts is wrong');
  if (!isMembership(initialMembership)) throw malformed(file, 'initialMembership is wrong');
  return { clusterId, nodeId, salt, initialMembership, logFounded, logReach, starts };
}

/** Stores an identity so that a crash leaves the old one or the new one. */
export async function writeIdentity(disk: Disk, directory: string, identity: Identity): Promise<void> {
  const text = JSON.stringify({ format: identityFormat, ...identity }, null, 2);
  try {
    await replaceFile(disk, directory, identityFile, Buffer.from(`${text}\n`));
  } catch (error) {
    throw ioError('write', join(directory, identityFile), error);
  }
}

function malformed(file: string, what: string): StorageError {
  return new StorageError(
    'identity',
    `${file} is malformed: ${what}; restore it from a copy of the directory`,
    file,
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether a value that came from outside is a membership. */
export function isMembership(value: unknown): value is Membership {
  const { members, removed } = (value ?? {}) as Record<string, unknown>;
  if (!Array.isArray(members) || !Array.isArray(removed)) return false;
  if (!removed.every((id) => isCount(id) && id > 0)) return false;
  return members.every((member: unknown) => {
    const { id, address, learner } = (member ?? {}) as Record<string, unknown>;
    return isCount(id) && id > 0 && typeof address === 'string' && typeof learner === 'boolean';
  });
}
