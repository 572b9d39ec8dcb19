/**
 * A client's connection: commands go out in one write, replies are read by redis-parser, and time is bounded.
 */
import { connect, type Socket } from 'node:net';
import Parser from 'redis-parser';
import { encodeRequest } from '../../src/resp/encode-request.js';
import type { Reply } from '../linearizability/history.js';
import { type Links, wayOf } from './proxy.js';

export type Answer = Reply | Error;

/**
 * How an exchange ended: with all replies, or with those that came before the connection or the patience
 * ended.
 */
export interface Exchange {
  readonly answers: Answer[];
  /** When each answer came, by `performance.now()`. */
  readonly times: number[];
  /** Who was asked. */
  readonly address: string;
}

export class Session {
  isClosed = false;
  /**
   * Whether it may have been heard by a node: behind a proxy one is connected to a node that does not run.
   */
  hasReached = true;
  private onAnswer: (answer: Answer) => void = () => {};
  private onClosed: () => void = () => {};
  private readonly parser = new Parser({
    returnReply: (reply: Reply) => this.onAnswer(reply),
    returnError: (error: Error) => this.onAnswer(error),
  });

  private constructor(
    private readonly socket: Socket,
    readonly address: string,
    links: Links | undefined,
    private readonly unexpected: (text: string) => void,
  ) {
    const way = wayOf(socket.localPort!, socket.remotePort!);
    this.onAnswer = (answer) => this.answerToNothing(answer);
    socket.on('data', (bytes: Buffer) => {
      if (!this.isClosed) this.parser.execute(bytes);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      // Who gave up himself cannot know: what waited in a proxy may be on its way.
      if (links !== undefined && !this.isClosed) this.hasReached = links.hasReached(way);
      links?.forgetClient(way);
      this.isClosed = true;
      this.onClosed();
    });
  }

  /** Undefined if nobody listens there. */
  static open(
    address: string,
    name: string,
    links: Links | undefined,
    unexpected: (text: string) => void,
  ): Promise<Session | undefined> {
    const at = address.lastIndexOf(':');
    return new Promise((resolve) => {
      const socket = connect({
        host: address.slice(0, at),
        port: Number(address.slice(at + 1)),
        noDelay: true,
      });
      const fail = (): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(undefined);
      };
      const timer = setTimeout(fail, 1000);
      socket.once('error', fail);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', fail);
        links?.nameClient(wayOf(socket.localPort!, socket.remotePort!), name);
        resolve(new Session(socket, address, links, unexpected));
      });
    });
  }

  /**
   * Sends commands at once and waits for all replies, the end of the connection, or the end of patience,
   * which ends the connection.
   */
  async exchange(commands: readonly (readonly string[])[], patienceMs: number): Promise<Exchange> {
    const answers: Answer[] = [];
    const times: number[] = [];
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.close(), patienceMs);
      const end = (): void => {
        clearTimeout(timer);
        this.onAnswer = (answer) => this.answerToNothing(answer);
        this.onClosed = () => {};
        resolve();
      };
      this.onClosed = end;
      this.onAnswer = (answer) => {
        answers.push(answer);
        times.push(performance.now());
        if (answers.length === commands.length) end();
      };
      if (this.isClosed) end();
      else this.socket.write(Buffer.concat(commands.map((command) => encodeRequest(command))));
    });
    return { answers, times, address: this.address };
  }

  /** Ends the connection at once; an exchange under way ends with what it has. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.destroy();
    this.onClosed();
  }

  private answerToNothing(answer: Answer): void {
    // A server may say why it closes the connection.
    if (answer instanceof Error && /^(LOADING|CLUSTERDOWN|ERR max number)/.test(answer.message)) return;
    this.unexpected(`a reply to nothing: ${String(answer).slice(0, 200)}`);
  }
}
