/**
 * The lock of a data directory on Windows, whose Node can bind no socket in a directory: a file that is
 * opened for this process alone. The system closes it with the process, whatever way that ends.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { StorageError } from '../errors.js';

/** libuv's UV_FS_O_EXLOCK (uv/win.h): nobody else may open the file meanwhile. Node gives it no name. */
const EXCLUSIVE = 0x10000000;

/** Nobody else can read the file that is locked. */
const HOLDER = 'lock.holder';

/** @throws StorageError `locked`, naming the process that has it */
export async function lockByFile(directory: string): Promise<{ release(): Promise<void> }> {
  let file: fs.promises.FileHandle;
  try {
    file = await fs.promises.open(
      join(directory, 'lock'),
      fs.constants.O_RDWR | fs.constants.O_CREAT | EXCLUSIVE,
      0o600,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') {
      const holder = await holderOf(directory);
      const message = `${directory} is in use by process ${holder}; stop that one, or give this one a directory of its own (--dir)`;
      throw new StorageError('locked', message, directory);
    }
    const message = `${directory} cannot be locked: ${(error as Error).message}`;
    throw new StorageError('io', message, directory, undefined, error);
  }
  // Under a lock that is held: no other process writes it.
  await fs.promises.writeFile(join(directory, HOLDER), `${process.pid}\n`);
  return { release: () => file.close() };
}

async function holderOf(directory: string): Promise<string> {
  try {
    return (await fs.promises.readFile(join(directory, HOLDER), 'latin1')).trim();
  } catch {
    return '(it does not say which)';
  }
}
