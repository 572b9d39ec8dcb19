/**
 * DEBUG DIGEST as Redis 7.0 reckons it (debug.c, described at https://redis.io/docs/latest/commands/debug/):
 * SHA-1 of what keys hold, indifferent to the order of keys, of a set's members and of a hash's fields. Two
 * servers with the same data answer the same, be they Redis or not.
 */
import { createHash } from 'node:crypto';
import { type ContentDigest, type Engine, View, valueTypes } from '../../engine/index.js';

type Database = ReturnType<Engine['keyspace']['database']>;

const DIGEST_BYTES = 20;
const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest();

class Digest implements ContentDigest {
  bytes: Buffer = Buffer.alloc(DIGEST_BYTES);

  add(content: View | Uint8Array | string): void {
    const hash = sha1(bytesOf(content));
    for (let i = 0; i < DIGEST_BYTES; i++) this.bytes[i] ^= hash[i];
  }

  mix(content: View | Uint8Array | string): void {
    this.add(content);
    this.bytes = sha1(this.bytes);
  }

  addGroup(fill: (group: ContentDigest) => void): void {
    const group = new Digest();
    fill(group);
    this.add(group.bytes);
  }

  mixUint32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    this.mix(bytes);
  }
}

export class DatasetDigest {
  constructor(private readonly engine: Engine) {}

  /** 40 hexadecimal digits, zeros for an engine without keys. */
  ofAll(): string {
    const all = new Digest();
    for (const database of this.engine.keyspace.used()) {
      if (database.size === 0) continue;
      all.mixUint32(database.id);
      for (let slot = 0; slot < database.size; slot++) {
        if (database.isDue(slot)) continue;
        const digest = new Digest();
        digest.mix(database.key(slot, new View()).copy());
        this.mixValue(digest, database, slot);
        all.add(digest.bytes);
      }
    }
    return all.bytes.toString('hex');
  }

  /** The digest of one key's value; zeros when there is none. */
  ofValue(databaseId: number, key: View): string {
    const digest = new Digest();
    const database = this.engine.keyspace.database(databaseId);
    const slot = database.find(key);
    if (slot >= 0) this.mixValue(digest, database, slot);
    return digest.bytes.toString('hex');
  }

  private mixValue(digest: Digest, database: Database, slot: number): void {
    const type = valueTypes.of(database.encoding(slot));
    digest.mixUint32(type.digestNumber);
    type.digest(digest, database, slot);
    if (database.deadline(slot) !== 0) digest.add('!!expire!!');
  }
}

function bytesOf(content: View | Uint8Array | string): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content, 'latin1');
  return content instanceof View ? content.buffer.subarray(content.start, content.end) : content;
}
