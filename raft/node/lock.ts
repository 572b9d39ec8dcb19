/**
 * One process per data directory.
 *
 * The lock is a listening Unix socket in the directory: the operating system closes it with the process, whatever way that ends,
 * so that nothing has to be cleaned up after kill -9, and who finds it can ask its holder for its name. A file with a process
 * id would be fooled by reused ids and by containers, where every first process is number 1; a socket's file works across
 * containers on one machine. Node has no flock.
 */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { join, relative, resolve } from 'node:path';
import { StorageError } from './errors.js';

const fileName = 'lock';
/** What a Unix socket's address can hold on every system that has them. */
const socketPathMax = 103;
const answerTimeoutMs = 2000;

export interface DirectoryLock {
  /** Gives the directory free. */
  release(): Promise<void>;
}

/**
 * Takes the directory for this process.
 *
 * @throws StorageError `locked`, naming the process that has it
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const place = await lockPlace(directory);
  const own = `${place.path}.${randomBytes(3).toString('hex')}`;
  const server = await listen(place.address(own), directory);
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      // A hard link appears at once or not at all: two processes cannot both make it.
      if (await link(own, place.path)) {
        await fs.promises.rm(own, { force: true });
        return { release: () => release(server, place, true) };
      }
      const holder = await askHolder(place.address(place.path));
      if (holder !== undefined) {
        const message = `${directory} is in use by process ${holder}; stop that one, or give this one a directory of its own (--dir)`;
        throw new StorageError('locked', message, directory);
      }
      await removeStale(place.path, place.address);
    }
    throw new StorageError('locked', `${directory} is being taken by other processes`, directory);
  } catch (error) {
    fs.rmSync(own, { force: true });
    await release(server, place, false);
    throw error;
  }
}

interface LockPlace {
  /** The lock's file. */
  readonly path: string;
  /** The same in a form that is short enough for a socket's address. */
  address(path: string): string;
  readonly descriptor: number | undefined;
}

/** Addresses are at most some 100 bytes: a long path is shortened by way of the open directory, or relative to where we are. */
async function lockPlace(directory: string): Promise<LockPlace> {
  const path = join(await fs.promises.realpath(directory), fileName);
  const suffixed = (candidate: string): boolean => Buffer.byteLength(candidate) + 7 <= socketPathMax;
  if (suffixed(path)) return { path, address: (file) => file, descriptor: undefined };
  if (process.platform === 'linux') {
    const descriptor = fs.openSync(resolve(path, '..'), 'r');
    const prefix = resolve(path, '..');
    return { path, address: (file) => `/proc/self/fd/${descriptor}${file.slice(prefix.length)}`, descriptor };
  }
  if (suffixed(relative('.', path))) {
    return { path, address: (file) => relative('.', file), descriptor: undefined };
  }
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16);
  return { path: join(os.tmpdir(), `redraft-${digest}`), address: (file) => file, descriptor: undefined };
}

function listen(address: string, directory: string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${process.pid}\n`);
  });
  return new Promise((done, reject) => {
    server.once('error', (error) => {
      const message = `${directory} cannot be locked: ${error.message}`;
      reject(new StorageError('io', message, directory, undefined, error));
    });
    server.listen(address, () => {
      // Holding a lock is no reason to go on living.
      server.unref();
      done(server);
    });
  });
}

async function link(from: string, to: string): Promise<boolean> {
  try {
    await fs.promises.link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new StorageError('io', `${to} cannot be made: ${(error as Error).message}`, to, undefined, error);
  }
}

/** The process id of the lock's holder, or undefined if there is none any more. */
function askHolder(address: string): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = net.connect(address);
    let answer = '';
    const finish = (result: string | undefined): void => {
      socket.destroy();
      done(result);
    };
    socket.setTimeout(answerTimeoutMs, () => finish('(it does not answer)'));
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('end', () => finish(answer.trim() === '' ? '(it does not say which)' : answer.trim()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' ? undefined : `(${error.code})`),
    );
  });
}

/** Puts a dead lock away. Should another process have replaced it in this very moment, its lock is put back. */
async function removeStale(path: string, address: (path: string) => string): Promise<void> {
  const aside = `${path}.${randomBytes(3).toString('hex')}`;
  try {
    await fs.promises.rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new StorageError(
      'io',
      `${path} cannot be replaced: ${(error as Error).message}`,
      path,
      undefined,
      error,
    );
  }
  if ((await askHolder(address(aside))) !== undefined) await link(aside, path);
  await fs.promises.rm(aside, { force: true });
}

async function release(server: net.Server, place: LockPlace, isHeld: boolean): Promise<void> {
  if (isHeld) fs.rmSync(place.path, { force: true });
  await new Promise<void>((done) => {
    server.close(() => done());
  });
  if (place.descriptor !== undefined) fs.closeSync(place.descriptor);
}
