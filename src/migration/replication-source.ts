/**
 * A running Redis as its replica sees it: the data as an RDB file, then every write as it happens
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/; the handshake was read off
 * the wire of redis-server 7.0.15).
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions } from 'node:tls';
import { clearTimeout, setInterval, setTimeout } from '../../raft/node/timers.js';
import { encodeRequest } from '../resp/encode-request.js';
import { defaultRequestLimits, RequestParser } from '../resp/request-parser.js';
import { ImportError } from './destination.js';

const CONNECT_TIMEOUT_MS = 10_000;
/** The source may first have to write its data to a disk; it sends line ends meanwhile. */
const SILENCE_MAX_MS = 60_000;
const ACKNOWLEDGE_EVERY_MS = 1000;
const MARK_BYTES = 40;
const streamId = /^[0-9a-f]{40}$/;

/** How far a replica has come. */
export interface ReplicationPoint {
  readonly replicationId: string;
  readonly offset: number;
  /** The database that commands go to at that point. */
  readonly database: number;
}

export interface SourceOptions {
  readonly host: string;
  readonly port: number;
  /** AUTH's arguments, if it wants any. */
  readonly credentials: readonly string[];
  readonly tls: SecureContextOptions | undefined;
  /** Only the data are wanted, and no writes. */
  readonly isFileOnly?: boolean;
}

export interface SourceCommand {
  readonly args: readonly Buffer[];
  /** The offset behind it. */
  readonly offset: number;
}

export class ReplicationSource {
  replicationId = '';
  /** Of the bytes that were read. */
  offset = 0;
  /** Whether it goes on where an earlier replica stopped: then there is no file. */
  isResumed = false;
  private acknowledgedOffset = 0;
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);
  private mark: Buffer | undefined;
  private fileBytes = Number.POSITIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly address: string,
  ) {
    this.chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /**
   * Connects and asks for the data.
   *
   * @param from where an earlier replica stopped; the source may have forgotten it
   * @throws ImportError
   */
  static async open(options: SourceOptions, from?: ReplicationPoint): Promise<ReplicationSource> {
    const { host, port, tls, credentials } = options;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opened =
        tls === undefined
          ? connect({ host, port, noDelay: true })
          : connectTls({ ...tls, host, port, checkServerIdentity: () => undefined });
      const failed = (what: string): void => {
        clearTimeout(timer);
        opened.destroy();
        reject(new ImportError(`${address}: ${what}`));
      };
      const timer = setTimeout(
        () => failed(`no connection within ${CONNECT_TIMEOUT_MS} ms`),
        CONNECT_TIMEOUT_MS,
      );
      opened.once('error', (error) => failed(error.message));
      opened.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer);
        opened.removeAllListeners('error');
        resolve(opened);
      });
    });
    const source = new ReplicationSource(socket, address);
    try {
      await source.shakeHands(credentials, from, options.isFileOnly === true);
    } catch (error) {
      source.close();
      throw error;
    }
    return source;
  }

  private async shakeHands(
    credentials: readonly string[],
    from: ReplicationPoint | undefined,
    isFileOnly: boolean,
  ): Promise<void> {
    if (credentials.length > 0) await this.ask('AUTH', ...credentials);
    await this.ask('PING');
    await this.ask('REPLCONF', 'capa', 'eof', 'capa', 'psync2');
    if (isFileOnly) await this.ask('REPLCONF', 'rdb-only', '1');
    const answer =
      from === undefined
        ? await this.ask('PSYNC', '?', '-1')
        : await this.ask('PSYNC', from.replicationId, `${from.offset + 1}`);
    const [kind, id = '', offset] = answer.split(' ');
    if (kind === '+CONTINUE' && from !== undefined && (id === '' || streamId.test(id))) {
      this.isResumed = true;
      this.replicationId = id || from.replicationId;
      this.offset = this.acknowledgedOffset = from.offset;
    } else if (kind === '+FULLRESYNC' && streamId.test(id) && /^\d{1,15}$/.test(offset ?? '')) {
      this.replicationId = id;
      this.offset = this.acknowledgedOffset = Number(offset);
      await this.readFileHead();
    } else {
      throw this.failed(`answers PSYNC with ${answer.slice(0, 100)}`);
    }
    this.timer = setInterval(() => this.sendAcknowledgement(), ACKNOWLEDGE_EVERY_MS);
  }

  private async ask(...args: string[]): Promise<string> {
    this.socket.write(encodeRequest(args));
    const line = await this.line();
    if (line.startsWith('-')) throw this.failed(`${args[0]}: ${line.slice(1)}`);
    return line;
  }

  private async readFileHead(): Promise<void> {
    const head = await this.line();
    const [, mark, length] = /^\$(?:EOF:(.{40})|(\d{1,15}))$/.exec(head) ?? [];
    if (mark !== undefined) this.mark = Buffer.from(mark, 'latin1');
    else if (length !== undefined) this.fileBytes = Number(length);
    else throw this.failed(`sends no file: ${head.slice(0, 100)}`);
  }

  /** Bytes of the file; undefined where the source does not know them. */
  get fileLength(): number | undefined {
    return Number.isFinite(this.fileBytes) ? this.fileBytes : undefined;
  }

  /**
   * Some bytes of the file. Where the source marks its end, the mark follows: see {@link endFile}.
   *
   * @throws ImportError when the source is lost, or all bytes of the file were given
   */
  async fileChunk(): Promise<Buffer> {
    if (this.fileBytes === 0) throw this.failed('its file ends in the middle');
    const chunk = await this.chunk();
    const own = chunk.subarray(0, Math.min(chunk.length, this.fileBytes));
    this.fileBytes -= own.length;
    this.rest = chunk.subarray(own.length);
    return own;
  }

  /** @param behind what was read behind the end of the file */
  async endFile(behind: Buffer): Promise<void> {
    this.rest = Buffer.concat([behind, this.rest]);
    if (this.mark === undefined) return;
    let bytes: Buffer = Buffer.alloc(0);
    while (bytes.length < MARK_BYTES) bytes = Buffer.concat([bytes, await this.chunk()]);
    if (!bytes.subarray(0, MARK_BYTES).equals(this.mark)) throw this.failed('its file ends without the mark');
    this.rest = bytes.subarray(MARK_BYTES);
  }

  /** The writes, as they come; ends when the connection does. */
  async *commands(): AsyncGenerator<SourceCommand> {
    const parser = new RequestParser(defaultRequestLimits);
    for (;;) {
      const chunk = await this.chunk();
      parser.feed(chunk);
      while (parser.next()) {
        const { request, requestStart, requestEnd } = parser;
        this.offset += requestEnd - requestStart;
        const args: Buffer[] = [];
        for (let i = 0; i < request.count; i++) args.push(Buffer.from(request.latin1(i), 'latin1'));
        yield { args, offset: this.offset };
      }
      if (parser.error !== undefined) throw this.failed(`sends what is no command: ${parser.error}`);
      parser.hold();
    }
  }

  /** What is applied up to an offset is told to the source, once a second. */
  acknowledge(offset: number): void {
    this.acknowledgedOffset = offset;
  }

  private sendAcknowledgement(): void {
    if (!this.socket.destroyed)
      this.socket.write(encodeRequest(['REPLCONF', 'ACK', `${this.acknowledgedOffset}`]));
  }

  close(): void {
    clearTimeout(this.timer);
    this.socket.on('error', () => {});
    this.socket.destroy();
  }

  // ---- bytes ----

  private async chunk(): Promise<Buffer> {
    if (this.rest.length > 0) {
      const { rest } = this;
      this.rest = Buffer.alloc(0);
      return rest;
    }
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.failed(`silent for ${SILENCE_MAX_MS / 1000} s`)), SILENCE_MAX_MS);
    });
    try {
      const { value, done } = await Promise.race([this.chunks.next(), silence]);
      if (done === true) throw this.failed('closed the connection');
      return value;
    } catch (error) {
      throw error instanceof ImportError ? error : this.failed((error as Error).message);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A line without its end; empty ones, which show that the source is alive, are passed over. */
  private async line(): Promise<string> {
    let bytes: Buffer = Buffer.alloc(0);
    for (;;) {
      const end = bytes.indexOf(10);
      if (end > 0) {
        this.rest = bytes.subarray(end + 1);
        const text = bytes.latin1Slice(0, end).replace(/\r$/, '');
        if (text !== '') return text;
        bytes = this.rest;
        this.rest = Buffer.alloc(0);
      } else if (end === 0) {
        bytes = bytes.subarray(1);
      } else {
        if (bytes.length > 64 * 1024) throw this.failed('sends a line that does not end');
        bytes = Buffer.concat([bytes, await this.chunk()]);
      }
    }
  }

  private failed(what: string): ImportError {
    return new ImportError(`${this.address}: ${what}`);
  }
}
