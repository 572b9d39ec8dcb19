/**
 * A raw client for conformance work: sends exactly the bytes it is told to and hands out replies one by one,
 * type by type.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import RedisParser from 'redis-parser';
import { quote } from './notation.js';
import type { Reply } from './reply.js';
import { ReplyParser } from './reply-parser.js';

/** What a transcript needs of a connection; {@link ReplyClient} is it over TCP. */
export interface Client {
  /** Sends a command as an array of bulk strings (arguments are latin1: one char a byte). */
  send(words: readonly string[]): void;
  /** Sends bytes as they are. */
  sendRaw(bytes: string): void;
  /** Replies that have come and have not been taken. */
  readonly pendingCount: number;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  /** The next reply; undefined once the server closed the connection, or after `timeoutMs`. */
  nextReply(timeoutMs: number): Promise<Reply | undefined>;
  /** Waits until the server closes the connection; false after `timeoutMs`. */
  waitClosed(timeoutMs: number): Promise<boolean>;
  /** Closes from this side. */
  close(): void;
}

/** A command as RESP: an array of bulk strings. Arguments are latin1. */
export function encodeCommand(words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}

/**
 * A second opinion on RESP2: redis-parser, which ioredis and others trust, reads the same stream and must see
 * the same values. It can't tell `+OK` from `$2`, so it can't be the only judge; it knows no RESP3, so it
 * retires at HELLO and at raw bytes.
 */
class SecondOpinion {
  private readonly values: unknown[] = [];
  private readonly parser = new RedisParser({
    returnBuffers: true,
    stringNumbers: true,
    returnReply: (value) => this.values.push(value),
    returnError: (error) => this.values.push(error),
    returnFatalError: (error) => {
      throw error;
    },
  });

  feed(chunk: Buffer): void {
    this.parser.execute(chunk);
  }

  compare(reply: Reply): void {
    const value = this.values.shift();
    if (!agrees(reply, value)) {
      throw new Error(`redis-parser reads ${String(value)} where this parser reads ${JSON.stringify(reply)}`);
    }
  }
}

function agrees(reply: Reply, value: unknown): boolean {
  switch (reply.type) {
    case 'null':
      return value === null;
    case 'integer':
      return value === reply.text;
    case 'error':
      // redis-parser decodes errors as UTF-8, whose invalid bytes can't be compared.
      return value instanceof Error && (value.message === reply.text || /[^\x00-\x7f]/.test(reply.text));
    case 'simple':
    case 'bulk':
      return Buffer.isBuffer(value) && value.toString('latin1') === reply.text;
    case 'array':
      return (
        Array.isArray(value) &&
        value.length === reply.items.length &&
        reply.items.every((item, index) => agrees(item, value[index]))
      );
    default:
      return false;
  }
}

/** {@link Client} over TCP. */
export class ReplyClient implements Client {
  private readonly parser = new ReplyParser();
  private secondOpinion: SecondOpinion | undefined = new SecondOpinion();
  private readonly replies: Reply[] = [];
  private readonly waiters = new Set<() => void>();
  private failure: Error | undefined;
  closed = false;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => this.ended());
    socket.on('close', () => this.ended());
  }

  /** Connects, or rejects with what went wrong. */
  static connect(port: number, host = '127.0.0.1'): Promise<ReplyClient> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket({ port, host });
      socket.once('error', (error) =>
        reject(new Error(`cannot connect to ${host}:${port}: ${error.message}`)),
      );
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new ReplyClient(socket));
      });
    });
  }

  get pendingCount(): number {
    return this.replies.length;
  }

  private receive(chunk: Buffer): void {
    try {
      this.secondOpinion?.feed(chunk);
      for (const reply of this.parser.feed(chunk)) {
        this.secondOpinion?.compare(reply);
        this.replies.push(reply);
      }
    } catch (error) {
      this.failure = error as Error;
      this.socket.destroy();
    }
    this.wake();
  }

  private ended(): void {
    this.closed = true;
    this.wake();
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter();
    this.waiters.clear();
  }

  /** Waits for the next event; false when the deadline comes first. */
  private event(deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => {
          this.waiters.delete(waiter);
          resolve(false);
        },
        Math.max(0, deadlineMs - performance.now()),
      );
      const waiter = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.waiters.add(waiter);
    });
  }

  send(words: readonly string[]): void {
    if (words[0]?.toUpperCase() === 'HELLO') this.secondOpinion = undefined;
    this.socket.write(encodeCommand(words), 'latin1');
  }

  sendRaw(bytes: string): void {
    this.secondOpinion = undefined;
    this.socket.write(bytes, 'latin1');
  }

  /** Stops comparing with redis-parser: for bulk work where throughput counts. */
  trustOwnParser(): void {
    this.secondOpinion = undefined;
  }

  async nextReply(timeoutMs: number): Promise<Reply | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const reply = this.replies.shift();
      if (reply !== undefined) return reply;
      if (this.failure) throw this.failure;
      if (this.closed || !(await this.event(deadline))) return this.replies.shift();
    }
  }

  async waitClosed(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!this.closed) if (!(await this.event(deadline))) break;
    if (this.failure) throw this.failure;
    return this.closed;
  }

  /**
   * Sends a command and waits for its reply.
   * @throws Error when the connection ends or the reply takes longer than `timeoutMs`
   */
  async call(words: readonly string[], timeoutMs = 10_000): Promise<Reply> {
    this.send(words);
    return this.expectReply(words, timeoutMs);
  }

  /** Sends commands in one write and waits for all replies. */
  async pipeline(commands: readonly (readonly string[])[], timeoutMs = 20_000): Promise<Reply[]> {
    this.socket.write(commands.map(encodeCommand).join(''), 'latin1');
    const replies: Reply[] = [];
    for (const command of commands) replies.push(await this.expectReply(command, timeoutMs));
    return replies;
  }

  private async expectReply(words: readonly string[], timeoutMs: number): Promise<Reply> {
    const reply = await this.nextReply(timeoutMs);
    if (reply !== undefined) return reply;
    const what = words.slice(0, 4).map(quote).join(' ');
    throw new Error(
      this.closed ? `connection closed at ${what}` : `no reply to ${what} within ${timeoutMs} ms`,
    );
  }

  close(): void {
    this.socket.destroy();
  }
}
