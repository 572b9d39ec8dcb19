/**
 * One process per data directory.
 *
 * The lock is a listening Unix socket in the directory: the operating system closes it with the process,
 * whatever way that ends, so that nothing has to be cleaned up after kill -9, and who finds it can ask its
 * holder for its name. A file with a process id would be fooled by reused ids and by containers, where every
 * first process is number 1; a socket's file works across containers on one machine. Node has no flock.
 *
 * Each process shows a socket under a name of its own first and looks for others afterwards: of two, at least
 * one sees the other. A dead socket never comes back to life, so that removing its file can hit nobody.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { join, relative } from 'node:path';
import { StorageError } from '../errors.js';
import { setTimeout } from '../timers.js';
import { lockByFile } from './windows-lock.js';

const namePattern = /^lock\.[0-9a-f]{6}$/;
/** What a Unix socket's address can hold on every system that has them, less the longest name of ours. */
const folderPathMax = 103 - '/hidden.000000'.length;
const answerTimeoutMs = 2000;
const attemptsMax = 20;

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
  if (process.platform === 'win32') return lockByFile(directory);
  const folder = await lockFolder(directory);
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const own = await OwnSocket.show(folder, directory);
      const other = await findOther(folder, own.name);
      if (other === undefined) {
        own.isHeld = true;
        return {
          release: async () => {
            await own.close();
            folder.close();
          },
        };
      }
      await own.close();
      if (other.isHeld) {
        const message = `${directory} is in use by process ${other.process}; stop that one, or give this one a directory of its own (--dir)`;
        throw new StorageError('locked', message, directory);
      }
      // Two that start at once step back both, and try again at different times.
      await new Promise((done) => setTimeout(done, randomInt(2, 10 + 5 * attempt)));
    }
    throw new StorageError('locked', `${directory} is being taken by several processes at once`, directory);
  } catch (error) {
    folder.close();
    throw error;
  }
}

/** Where the sockets lie. */
interface LockFolder {
  readonly path: string;
  /** The same in a form that is short enough for a socket's address. */
  readonly address: string;
  close(): void;
}

/**
 * Addresses are at most some 100 bytes: a long path is shortened by way of the open directory, or relative to
 * where we are.
 */
async function lockFolder(directory: string): Promise<LockFolder> {
  const path = await fs.promises.realpath(directory);
  const isShort = (candidate: string): boolean => Buffer.byteLength(candidate) <= folderPathMax;
  const close = (): void => {};
  if (isShort(path)) return { path, address: path, close };
  if (process.platform === 'linux') {
    const descriptor = fs.openSync(path, 'r');
    return { path, address: `/proc/self/fd/${descriptor}`, close: () => fs.closeSync(descriptor) };
  }
  const near = relative('.', path) || '.';
  if (isShort(near)) return { path, address: near, close };
  const digest = createHash('sha256').update(path).digest('hex').slice(0, 16);
  const elsewhere = join(os.tmpdir(), `redraft-${digest}`);
  await fs.promises.mkdir(elsewhere, { recursive: true });
  return { path: elsewhere, address: elsewhere, close };
}

/** This process's socket. It answers who asks with `held` or `starting` and the process's id. */
class OwnSocket {
  isHeld = false;

  private constructor(
    readonly name: string,
    private readonly folder: LockFolder,
    private readonly server: net.Server,
  ) {}

  static async show(folder: LockFolder, directory: string): Promise<OwnSocket> {
    const digits = randomBytes(3).toString('hex');
    // Bound under another name at first: between bind and listen a socket looks dead.
    const hidden = `hidden.${digits}`;
    const server = net.createServer();
    const own = new OwnSocket(`lock.${digits}`, folder, server);
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.end(`${own.isHeld ? 'held' : 'starting'} ${process.pid}\n`);
    });
    try {
      await new Promise<void>((done, reject) => {
        server.once('error', reject);
        server.listen(`${folder.address}/${hidden}`, () => done());
      });
      // Holding a lock is no reason to go on living.
      server.unref();
      await fs.promises.rename(join(folder.path, hidden), join(folder.path, own.name));
    } catch (error) {
      await own.close();
      const message = `${directory} cannot be locked: ${(error as Error).message}`;
      throw new StorageError('io', message, directory, undefined, error);
    }
    return own;
  }

  async close(): Promise<void> {
    fs.rmSync(join(this.folder.path, this.name), { force: true });
    await new Promise<void>((done) => {
      this.server.close(() => done());
    });
  }
}

interface OtherSocket {
  readonly process: string;
  readonly isHeld: boolean;
}

/**
 * Another process that shows a socket here, one that holds the lock before all others. Removes what the dead
 * have left.
 */
async function findOther(folder: LockFolder, ownName: string): Promise<OtherSocket | undefined> {
  let found: OtherSocket | undefined;
  for (const name of await fs.promises.readdir(folder.path)) {
    if (name === ownName || !namePattern.test(name)) continue;
    const other = await ask(`${folder.address}/${name}`);
    if (other === undefined) fs.rmSync(join(folder.path, name), { force: true });
    else if (found === undefined || other.isHeld) found = other;
  }
  return found;
}

/** Asks a socket whose it is; undefined if it is dead or gone. */
function ask(address: string): Promise<OtherSocket | undefined> {
  return new Promise((done) => {
    const socket = net.connect(address);
    let answer = '';
    const finish = (result: OtherSocket | undefined): void => {
      socket.destroy();
      done(result);
    };
    // Who is connected but does not answer is busy or halted, and alive.
    socket.setTimeout(answerTimeoutMs, () => finish({ process: '(it does not answer)', isHeld: true }));
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('end', () => {
      const [state, process = '(it does not say which)'] = answer.trim().split(' ');
      finish({ process, isHeld: state !== 'starting' });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isDead = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      finish(isDead ? undefined : { process: `(${error.code})`, isHeld: error.code !== 'ECONNRESET' });
    });
  });
}
