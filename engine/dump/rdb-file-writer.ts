/**
 * Writes RDB files, version 10, as redis-server 7.0.15 does (read off its files): what `redraft export`
 * makes, and what a replica of Redis is sent.
 */
import { RunningCrc64 } from './crc64.js';
import { footerSize, rdbVersion } from './rdb-types.js';
import { RdbWriter } from './rdb-writer.js';

const Opcode = {
  functions: 0xf5,
  idle: 0xf8,
  frequency: 0xf9,
  aux: 0xfa,
  resize: 0xfb,
  expireMs: 0xfc,
  select: 0xfe,
  end: 0xff,
} as const;

const CHECKSUM_BYTES = 8;
/** Small pieces leave together. */
const GATHER_BYTES = 64 * 1024;

export interface RdbFileKey {
  readonly database: number;
  readonly key: Buffer;
  /** Milliseconds since 1970; 0 for a key without a deadline. */
  readonly deadlineMs: number;
  /** Seconds since it was last used, where eviction goes by that. */
  readonly idleSeconds?: number | undefined;
  /** LFU counter, 0 to 255, where eviction goes by that. */
  readonly frequency?: number | undefined;
  readonly rdbType: number;
  /** The value's bytes behind its type. */
  readonly value: Buffer;
}

export class RdbFileWriter {
  private readonly crc = new RunningCrc64();
  private gathered: Buffer[] = [];
  private gatheredBytes = 0;
  private database = -1;

  /** @param sink takes the file's bytes in their order, and may keep them */
  constructor(private readonly sink: (bytes: Buffer) => void) {}

  /** @param facts about the file: names as redis-server gives them */
  begin(facts: readonly (readonly [name: string, value: string])[]): void {
    this.put(Buffer.from(`REDIS${String(rdbVersion).padStart(4, '0')}`, 'latin1'));
    for (const [name, value] of facts) this.put(record(Opcode.aux).element(name).element(value).written);
  }

  /** A library of functions, by its source (latin1). */
  functions(code: string): void {
    this.put(record(Opcode.functions).element(code).written);
  }

  /** What follows is of this database, of which so many keys are to come: a reader makes room. */
  announce(database: number, keys: number, expiring: number): void {
    this.select(database);
    this.put(record(Opcode.resize).length(keys).length(expiring).written);
  }

  key({ database, key, deadlineMs, idleSeconds, frequency, rdbType, value }: RdbFileKey): void {
    this.select(database);
    const head = new RdbWriter();
    if (deadlineMs !== 0) head.byte(Opcode.expireMs).milliseconds(deadlineMs);
    if (idleSeconds !== undefined) head.byte(Opcode.idle).length(idleSeconds);
    if (frequency !== undefined) head.byte(Opcode.frequency).byte(frequency);
    head.byte(rdbType).bytes(key, 0, key.length);
    this.put(head.written);
    this.put(value);
  }

  /** Ends the file with its checksum. */
  end(): void {
    this.put(Buffer.from([Opcode.end]));
    const checksum = Buffer.alloc(CHECKSUM_BYTES);
    this.crc.write(checksum, 0);
    this.put(checksum);
    this.flush();
  }

  private select(database: number): void {
    if (database === this.database) return;
    this.database = database;
    this.put(record(Opcode.select).length(database).written);
  }

  private put(bytes: Buffer): void {
    this.crc.update(bytes, 0, bytes.length);
    this.gathered.push(bytes);
    this.gatheredBytes += bytes.length;
    if (this.gatheredBytes >= GATHER_BYTES) this.flush();
  }

  private flush(): void {
    const [first] = this.gathered;
    this.sink(this.gathered.length === 1 ? first : Buffer.concat(this.gathered, this.gatheredBytes));
    this.gathered = [];
    this.gatheredBytes = 0;
  }
}

const record = (opcode: number): RdbWriter => new RdbWriter(opcode);

/** Type and value of a DUMP payload, as a file holds them. */
export function openDump(payload: Buffer): { readonly rdbType: number; readonly value: Buffer } {
  return { rdbType: payload[0]!, value: payload.subarray(1, payload.length - footerSize) };
}
