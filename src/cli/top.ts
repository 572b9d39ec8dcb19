/** `redraft top`: what a node does, live in a terminal, or line by line for scripts. */
import { ErrorReply } from '../../engine/index.js';
import { readClientFiles, TlsError } from '../net/tls-files.js';
import { ConnectionError, RespClient } from '../resp/client.js';
import { isColoured } from './colour.js';
import type { TopOptions } from './options.js';
import { authenticate } from './status.js';
import { certificateParameters } from './tls-options.js';
import { type Reading, readNode, type Sample, sampleOf } from './top-sample.js';
import { clean, formatSample } from './top-screen.js';

const HISTORY_MAX = 200;
const REPLY_MAX_MS = 5000;

/** What it writes to. */
type Output = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>;

/** Resolves with the exit code: 0 when told to end, 1 if the node cannot be asked. */
export async function top(
  options: TopOptions,
  output: Output,
  complain: (text: string) => void,
): Promise<number> {
  const screen =
    output.isTTY === true && !options.json && !options.once ? new Screen(output) : new Lines(output, options);
  let client: RespClient | undefined;
  try {
    client = await connect(options);
    let before = await readNode(client);
    do {
      if (!(await screen.wait(options.interval))) break;
      try {
        client ??= await connect(options);
        const now: Reading = await readNode(client);
        screen.show(sampleOf(before, now, Date.now()));
        before = now;
      } catch (error) {
        // The node may start anew: whoever watches goes on watching. Scripts are told.
        if (!isExpected(error) || !screen.note(messageOf(error))) throw error;
        void client?.close();
        client = undefined;
      }
    } while (!options.once);
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    screen.close();
    complain(`redraft: ${messageOf(error)}\n`);
    return 1;
  } finally {
    screen.close();
    await client?.close();
  }
}

const isExpected = (error: unknown): boolean =>
  [ErrorReply, ConnectionError, TlsError].some((kind) => error instanceof kind);

const messageOf = (error: unknown): string =>
  error instanceof ErrorReply ? error.text : (error as Error).message;

async function connect(options: TopOptions): Promise<RespClient> {
  const { port, address, requirepass } = options;
  const tls = options.tls
    ? readClientFiles((name) => certificateParameters(options).get(name) ?? '')
    : undefined;
  const { host, port: ownPort } = port === undefined ? address : { host: '127.0.0.1', port };
  const client = await RespClient.connect({ host, port: ownPort, tls, replyTimeoutMs: REPLY_MAX_MS });
  await authenticate(client, requirepass);
  return client;
}

/** For scripts and pipes: a JSON object a line, or a block of text. */
class Lines {
  constructor(
    private readonly output: Output,
    private readonly options: TopOptions,
  ) {}

  async wait(delayMs: number): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    return true;
  }

  show(sample: Sample): void {
    if (this.options.json) {
      this.output.write(`${JSON.stringify(sample)}\n`);
      return;
    }
    const inColour = isColoured(this.output);
    const room = { width: Number.POSITIVE_INFINITY, height: Number.POSITIVE_INFINITY };
    const lines = formatSample(sample, { inColour, history: [sample.callsPerSecond], ...room });
    this.output.write(`${lines.join('\n')}\n${this.options.once ? '' : '\n'}`);
  }

  /** Nobody waits for a node that is gone. */
  note(): boolean {
    return false;
  }

  close(): void {}
}

/** A terminal: the other screen, as editors use it; q and ^C give the old one back. */
class Screen {
  private readonly history: number[] = [];
  private isClosed = false;
  private isEnded = false;
  private wake: (() => void) | undefined;

  constructor(private readonly output: Output) {
    output.write('\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H\x1b[2mconnecting\x1b[0m');
    const { stdin } = process;
    if (stdin.isTTY) stdin.setRawMode(true);
    stdin.on('data', this.onKey);
    process.on('SIGINT', this.end);
    process.on('SIGTERM', this.end);
  }

  private readonly onKey = (key: Buffer): void => {
    if (/^[qQ\x03\x04\x1b]$/.test(key.toString('latin1'))) this.end();
  };

  private readonly end = (): void => {
    this.isEnded = true;
    this.wake?.();
  };

  /** False once it is to end. */
  async wait(delayMs: number): Promise<boolean> {
    if (this.isEnded) return false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return !this.isEnded;
  }

  show(sample: Sample): void {
    if (this.history.push(sample.callsPerSecond) > HISTORY_MAX) this.history.shift();
    // A terminal that does not know says 0.
    const columns = this.output.columns || 80;
    const rows = this.output.rows || 24;
    const inColour = isColoured(this.output);
    const room = { width: columns, height: rows - 1 };
    const lines = formatSample(sample, { inColour, history: this.history, ...room });
    // Over what was there, so that nothing flickers.
    this.output.write(`\x1b[H${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
  }

  /** Says what stands in the way, above what was seen last. */
  note(text: string): boolean {
    const { columns } = this.output;
    this.output.write(`\x1b[H${clean(text).slice(0, columns || 80)}\x1b[K`);
    return true;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { stdin } = process;
    if (stdin.isTTY) stdin.setRawMode(false);
    stdin.off('data', this.onKey);
    stdin.pause();
    process.off('SIGINT', this.end);
    process.off('SIGTERM', this.end);
    this.output.write('\x1b[?25h\x1b[?1049l');
  }
}
