/** Removes the files of a log that nobody needs any more. */
import { ioError } from '../errors.js';
import type { WalOptions } from './options.js';
import type { Segment } from './segments.js';

export class SegmentRemoval {
  /** Resolves when all segments so far are gone. */
  done: Promise<void> = Promise.resolve();

  constructor(private readonly options: Pick<WalOptions, 'disk' | 'directory' | 'onNotice'>) {}

  /** Unlinks segments, oldest first, so that a crash in between leaves no hole. */
  add(dropped: readonly Segment[]): void {
    if (dropped.length === 0) return;
    this.done = this.done
      .then(async () => {
        for (const { file, path } of dropped) {
          await file.close();
          await this.options.disk.unlink(path);
        }
      })
      .catch((error) => this.options.onNotice?.(ioError('removal', this.options.directory, error).message));
  }
}
