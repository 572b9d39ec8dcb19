/** From an RDB file to a node, key by key. */
import { globMatches, viewOf } from '../../engine/index.js';
import type { Destination } from './destination.js';
import { RdbFile, type RdbKey } from './rdb-file.js';

/** Which keys are wanted. */
export interface KeyFilter {
  readonly database: number | undefined;
  /** As KEYS takes it; latin1. */
  readonly pattern: string | undefined;
}

/** Of one type in one database. */
export interface TypeSummary {
  keys: number;
  bytes: number;
  withDeadline: number;
}

/** What a file held and what became of it. */
export class ImportSummary {
  /** By database, then by the type's name. */
  readonly databases = new Map<number, Map<string, TypeSummary>>();
  keys = 0;
  /** Keys that the filter left out. */
  leftOut = 0;
  /** Keys whose deadline had passed. */
  expired = 0;
  /** Keys with more bytes than a node takes in one request. */
  readonly tooLarge: { readonly database: number; readonly key: string; readonly bytes: number }[] = [];
  libraries = 0;

  count({ database, rdbType, valueBytes, expireMs }: RdbKey): void {
    const types = this.databases.get(database) ?? new Map<string, TypeSummary>();
    this.databases.set(database, types);
    const name = typeName(rdbType);
    const summary = types.get(name) ?? { keys: 0, bytes: 0, withDeadline: 0 };
    types.set(name, summary);
    summary.keys++;
    summary.bytes += valueBytes;
    if (expireMs !== undefined) summary.withDeadline++;
    this.keys++;
  }
}

const TYPE_NAMES: readonly (readonly [string, readonly number[]])[] = [
  ['string', [0]],
  ['list', [1, 10, 14, 18]],
  ['set', [2, 11, 20]],
  ['zset', [3, 5, 12, 17]],
  ['hash', [4, 9, 13, 16]],
  ['stream', [15, 19, 21]],
];

function typeName(rdbType: number): string {
  return TYPE_NAMES.find(([, types]) => types.includes(rdbType))?.[0] ?? `type ${rdbType}`;
}

export interface FileImport {
  /** The file's bytes, piece by piece; undefined at its end. */
  readonly read: () => Promise<Buffer | undefined>;
  readonly filter: KeyFilter;
  /** Undefined: the file is only looked through. */
  readonly destination: Destination | undefined;
  readonly summary: ImportSummary;
  /** Called after each piece. */
  readonly progress: (bytesRead: number) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Imports a whole file.
 *
 * @returns the bytes that were read behind its end
 * @throws RdbFileError for what is no RDB file, a damaged one, or one that ends early
 * @throws ImportError where the node does not take it
 */
export async function importFile(options: FileImport): Promise<Buffer> {
  const { read, destination, summary, progress } = options;
  const file = new RdbFile();
  for (;;) {
    const chunk = await read();
    if (chunk === undefined) throw file.endsEarly();
    file.feed(chunk);
    for (let record = file.next(); record !== undefined; record = file.next()) {
      if (record.kind === 'end') {
        await destination?.flush();
        progress(file.bytesRead);
        return file.rest();
      }
      if (record.kind === 'functions') {
        summary.libraries++;
        await destination?.load(record.source);
      } else await importKey(record, options);
    }
    progress(file.bytesRead);
  }
}

async function importKey(key: RdbKey, { filter, destination, summary, now }: FileImport): Promise<void> {
  const { database, value, valueBytes, expireMs } = key;
  const isWanted =
    (filter.database === undefined || filter.database === database) &&
    (filter.pattern === undefined || globMatches(viewOf(filter.pattern), viewOf(key.key)));
  if (!isWanted) {
    summary.leftOut++;
    return;
  }
  summary.count(key);
  if (expireMs !== undefined && expireMs <= now()) summary.expired++;
  else if (value === undefined) summary.tooLarge.push({ database, key: key.key, bytes: valueBytes });
  else await destination?.restore({ ...key, value });
}
