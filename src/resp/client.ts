/**
 * A small client of RESP2, for what this program itself asks of servers: admin subcommands, MIGRATE,
 * forwarding. Replies are read by redis-parser.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import RedisParser from 'redis-parser';
import { ErrorReply, int64FromBigInt, type Reply } from '../../engine/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import { encodeRequest } from './encode-request.js';

/**
 * The connection failed, was closed, or no reply came in time. Of a command that was sent, nobody knows
 * whether it took effect.
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';

  /** @param code the system's name of the error, where it has one */
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

export interface ClientOptions {
  readonly host: string;
  readonly port: number;
  /**
   * Speaks TLS, with whoever a trusted authority vouches for: as in Redis, host names are not compared, for
   * servers are named by addresses.
   */
  readonly tls?: SecureContextOptions;
  /** For the connection to stand. */
  readonly connectTimeoutMs?: number;
  /** For each reply, from when it is the next one due; after that the connection is given up. */
  readonly replyTimeoutMs?: number;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: ConnectionError): void;
}

export class RespClient {
  private readonly waiting: Waiting[] = [];
  private failure: ConnectionError | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly parser: RedisParser;
  private readonly closedPromise: Promise<void>;

  private constructor(
    private readonly socket: Socket,
    private readonly address: string,
    private readonly replyTimeoutMs: number,
  ) {
    this.parser = new RedisParser({
      returnBuffers: true,
      // Integers beyond 2^53 keep their digits.
      stringNumbers: true,
      returnReply: (value) => this.take(asReply(value)),
      returnError: (error) => this.take(new ErrorReply(error.message)),
      returnFatalError: (error) => this.fail(`sent what is no reply: ${error.message}`),
    });
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.fail(error.message));
    this.closedPromise = new Promise((resolve) => {
      socket.once('close', () => {
        this.fail('closed the connection');
        resolve();
      });
    });
  }

  /** Opens a connection. Rejects with a {@link ConnectionError} that names the address. */
  static connect(options: ClientOptions): Promise<RespClient> {
    const { host, port, tls, connectTimeoutMs = 5000, replyTimeoutMs = 30_000 } = options;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      const socket =
        tls === undefined
          ? connect({ host, port, noDelay: true })
          : connectTls({ ...tls, host, port, checkServerIdentity: () => undefined }).setNoDelay(true);
      const failed = (what: string, code?: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionError(`${address}: ${what}`, code));
      };
      const onError = (error: NodeJS.ErrnoException): void =>
        failed(error.message === '' ? `${error.code}` : error.message, error.code);
      const timer = setTimeout(() => failed(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
      socket.once('error', onError);
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer);
        socket.off('error', onError);
        resolve(new RespClient(socket, address, replyTimeoutMs));
      });
    });
  }

  /** Whether calls fail from now on. */
  get closed(): boolean {
    return this.failure !== undefined;
  }

  /**
   * Sends a command; calls may overlap, replies come in order.
   *
   * @param args strings are latin1, one char a byte
   * @returns the reply, an error reply as an ErrorReply. Status and bulk strings both come as Buffers; these
   * are views of what came from the socket, to be copied by whoever keeps them
   * @throws ConnectionError
   */
  call(...args: readonly (string | Uint8Array)[]): Promise<Reply> {
    return this.send(encodeRequest(args));
  }

  /** {@link call} with bytes that are a whole RESP request. They must not change until the reply came. */
  send(request: Buffer): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined) {
        reject(this.failure);
        return;
      }
      this.waiting.push({ resolve, reject });
      if (this.waiting.length === 1) this.startTimer();
      this.socket.write(request);
    });
  }

  /** Ends the connection at once; resolves when it is gone. Calls that wait are rejected. */
  close(): Promise<void> {
    this.fail('the connection was closed here');
    return this.closedPromise;
  }

  private receive(chunk: Buffer): void {
    try {
      this.parser.execute(chunk);
    } catch (error) {
      // Absurd lengths and depths throw out of redis-parser.
      this.fail(`sent what is no reply: ${(error as Error).message}`);
    }
  }

  private take(reply: Reply): void {
    if (this.failure !== undefined) return;
    const first = this.waiting.shift();
    if (first === undefined) {
      this.fail('sent a reply that nobody asked for');
      return;
    }
    clearTimeout(this.timer);
    if (this.waiting.length > 0) this.startTimer();
    first.resolve(reply);
  }

  private startTimer(): void {
    this.timer = setTimeout(
      () => this.fail(`no reply within ${this.replyTimeoutMs} ms`),
      this.replyTimeoutMs,
    );
  }

  private fail(what: string): void {
    if (this.failure !== undefined) return;
    this.failure = new ConnectionError(`${this.address}: ${what}`);
    clearTimeout(this.timer);
    this.socket.destroy();
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}

type ParserValue = Buffer | string | null | Error | ParserValue[];

function asReply(value: ParserValue): Reply {
  if (typeof value === 'string') return int64FromBigInt(BigInt(value));
  if (Array.isArray(value)) return value.map(asReply);
  if (value instanceof Error) return new ErrorReply(value.message);
  return value;
}
