/** What can be wrong with a data directory, each in one line that says where and what to do. */

export type StorageErrorCode =
  /** Bytes that were durable have changed, or files are missing. */
  | 'damaged'
  /** The operating system refused a read, a write or a sync. */
  | 'io'
  /** No space left. */
  | 'full'
  /** Another process holds the directory. */
  | 'locked'
  /** The directory belongs to another cluster, node or format. */
  | 'identity';

export class StorageError extends Error {
  override readonly name = 'StorageError';

  /**
   * @param code what kind of failure
   * @param file the file concerned
   * @param offset bytes from its start, where one is known
   */
  constructor(
    readonly code: StorageErrorCode,
    message: string,
    readonly file: string,
    readonly offset?: number,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

/** An error of the operating system while doing `action` (such as "write") on `file`. */
export function ioError(action: string, file: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new StorageError(
      'full',
      `${action} of ${file} failed: no space left on the disk; free some and start again`,
      file,
      undefined,
      cause,
    );
  }
  return new StorageError('io', `${action} of ${file} failed: ${message}`, file, undefined, cause);
}

/** Bytes that were known to be durable do not read back. */
export function damageError(file: string, offset: number, what: string, advice: string): StorageError {
  return new StorageError(
    'damaged',
    `${file} is damaged at offset ${offset}: ${what}; ${advice}`,
    file,
    offset,
  );
}

/** What to do about damage in the log. */
export const logDamageAdvice =
  'run `redraft check` on the directory; restore it from a copy, or remove it and let this node join its cluster anew';

/** What is wrong with a log that lacks the entry at which this node has cut a snapshot. */
export function lostBehindSnapshot(index: number): string {
  return `it lacks entry ${index}, up to which this node has taken a snapshot: its end was cut off`;
}

/** What is wrong with a log that ends at `position`, but was noted as durable up to `reach`. */
export function lostEnd(position: number, reach: number): string {
  return `${reach - position} bytes or more that were durable are missing: the log's end was cut off`;
}
