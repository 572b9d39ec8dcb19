/**
 * A client that keeps requests in flight and only counts replies: for loads that redis-benchmark has no words
 * for.
 */
import { connect, type Socket } from 'node:net';

export function encode(args: readonly (string | number)[]): string {
  let text = `*${args.length}\r\n`;
  for (const arg of args) text += `$${`${arg}`.length}\r\n${arg}\r\n`;
  return text;
}

/** How many whole replies a stream holds; arrays count as one. */
class ReplyCounter {
  private rest = '';
  private depth: number[] = [];

  /** @returns the number of replies that these bytes complete */
  feed(chunk: string): number {
    const text = this.rest + chunk;
    let at = 0;
    let count = 0;
    for (;;) {
      const end = text.indexOf('\r\n', at);
      if (end < 0) break;
      let next = end + 2;
      const type = text.charCodeAt(at);
      if (type === 0x24) {
        const length = Number(text.slice(at + 1, end));
        if (length >= 0) next += length + 2;
        if (next > text.length) break;
      } else if (type === 0x2a) {
        const items = Number(text.slice(at + 1, end));
        if (items > 0) {
          this.depth.push(items);
          at = next;
          continue;
        }
      } else if (type === 0x2d) {
        throw new Error(text.slice(at, end));
      }
      at = next;
      while (this.depth.length > 0 && --this.depth[this.depth.length - 1] === 0) this.depth.pop();
      if (this.depth.length === 0) count++;
    }
    this.rest = text.slice(at);
    return count;
  }
}

export class PipelinedClient {
  private readonly counter = new ReplyCounter();
  private onReplies: (count: number) => void = () => {};
  private onText: ((text: string) => void) | undefined;
  private failed: (error: Error) => void = () => {};

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.onText?.(text);
      try {
        const count = this.counter.feed(text);
        if (count > 0) this.onReplies(count);
      } catch (error) {
        this.failed(error as Error);
      }
    });
    socket.on('error', (error) => this.failed(error));
  }

  static connect(port: number): Promise<PipelinedClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new PipelinedClient(socket));
      });
    });
  }

  /** Sends one command; resolves with the reply's raw text. */
  send(args: readonly (string | number)[]): Promise<string> {
    let text = '';
    return new Promise((resolve, reject) => {
      this.failed = reject;
      this.onText = (piece) => {
        text += piece;
      };
      this.onReplies = () => {
        this.onText = undefined;
        resolve(text);
      };
      this.socket.write(encode(args), 'latin1');
    });
  }

  /**
   * Sends `total` commands, `depth` at a time: the next `depth` when all of them are answered.
   *
   * @param command makes the command of a given number
   * @param answered called with the time that each batch took, in microseconds
   */
  run(
    total: number,
    depth: number,
    command: (number: number) => readonly (string | number)[],
    answered: (latencyUs: number) => void = () => {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.failed = reject;
      let sent = 0;
      let waiting = 0;
      let began = 0;
      const batch = (): void => {
        let text = '';
        for (; waiting < depth && sent < total; waiting++) text += encode(command(sent++));
        if (waiting === 0) {
          resolve();
          return;
        }
        began = performance.now();
        this.socket.write(text, 'latin1');
      };
      this.onReplies = (count) => {
        waiting -= count;
        if (waiting > 0) return;
        answered((performance.now() - began) * 1000);
        batch();
      };
      batch();
    });
  }

  close(): void {
    this.socket.destroy();
  }
}

/** 12 digits, as redis-benchmark writes its random numbers. */
export function padded(value: number): string {
  return `${value}`.padStart(12, '0');
}

/** Sends `total` commands over one connection, in batches of 500. */
export async function load(
  port: number,
  total: number,
  command: (number: number) => readonly (string | number)[],
): Promise<void> {
  const client = await PipelinedClient.connect(port);
  await client.run(total, 500, command);
  client.close();
}
