/**
 * DEBUG DIGEST as Redis 7.0 reckons it (debug.c, described at https://redis.io/docs/latest/commands/debug/): SHA-1 of what keys hold,
 * indifferent to the order of keys, of a set's members and of a hash's fields. Two servers with the same data answer the same, be they
 * Redis or not.
 */
import { createHash } from 'node:crypto';
import { Double, type Engine, type Reply, RequestBuilder, View } from '../../engine/index.js';
import { formatDouble } from '../../engine/numbers/double.js';
import type { TypeName } from '../../engine/storage/encoding.js';

type Database = ReturnType<Engine['keyspace']['database']>;

const DIGEST_BYTES = 20;
const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest();

class Digest {
  bytes: Buffer = Buffer.alloc(DIGEST_BYTES);

  /** Takes in what may come in any order. */
  add(bytes: Uint8Array): void {
    const hash = sha1(bytes);
    for (let i = 0; i < DIGEST_BYTES; i++) this.bytes[i] ^= hash[i];
  }

  /** Takes in what comes in an order. */
  mix(bytes: Uint8Array): void {
    this.add(bytes);
    this.bytes = sha1(this.bytes);
  }

  mixUint32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    this.mix(bytes);
  }
}

const typeNumbers: Readonly<Record<TypeName, number>> = { string: 0, list: 1, set: 2, zset: 3, hash: 4 };

export class DatasetDigest {
  private readonly builder = new RequestBuilder();

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
    const type = database.type(slot);
    digest.mixUint32(typeNumbers[type]);
    const access = database.accessClock(slot);
    switch (type) {
      case 'string':
        digest.mix(database.stringAt(slot, new View()).copy());
        break;
      case 'list':
        for (const element of this.read(database, slot, 'LRANGE', '0', '-1')) digest.mix(bytesOf(element));
        break;
      case 'set':
        for (const member of this.read(database, slot, 'SMEMBERS')) digest.add(bytesOf(member));
        break;
      case 'zset':
        this.addPairs(digest, this.read(database, slot, 'ZRANGE', '0', '-1', 'WITHSCORES'));
        break;
      case 'hash':
        this.addPairs(digest, this.read(database, slot, 'HGETALL'));
        break;
    }
    // Looking is no use of the key.
    database.setAccessClock(slot, access);
    if (database.deadline(slot) !== 0) digest.add(Buffer.from('!!expire!!'));
  }

  private addPairs(digest: Digest, items: readonly Reply[]): void {
    for (let i = 0; i < items.length; i += 2) {
      const pair = new Digest();
      pair.mix(bytesOf(items[i]));
      pair.mix(bytesOf(items[i + 1]));
      digest.add(pair.bytes);
    }
  }

  /** The items of a read's reply, whatever kind of collection it is. */
  private read(database: Database, slot: number, command: string, ...args: string[]): readonly Reply[] {
    const key = database.key(slot, new View()).copy();
    const builder = this.builder.start().latin1(command).bytes(key);
    for (const arg of args) builder.latin1(arg);
    const row = this.engine.table.resolve(builder.request);
    if (!('kind' in row)) throw new Error(`${command} is unknown: ${row.text}`);
    const reply = this.engine.read(row, builder.request, database.id, 0);
    if (Array.isArray(reply)) return reply;
    if (reply !== null && typeof reply === 'object' && 'items' in reply) return reply.items;
    throw new Error(`${command} did not answer a collection`);
  }
}

function bytesOf(reply: Reply): Buffer {
  if (typeof reply === 'string') return Buffer.from(reply, 'latin1');
  if (reply instanceof View) return reply.copy();
  if (reply instanceof Double) return Buffer.from(formatDouble(reply.value));
  if (reply instanceof Uint8Array) return reply as Buffer;
  return Buffer.from(String(reply));
}
