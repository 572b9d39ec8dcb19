/**
 * What a forwarding follower has for each of its clients: a connection of its own to the leader, opened when first needed, on which the
 * client's requests go out as they came and the replies come back as they are.
 *
 * One connection per client keeps everything in its place without further ado: replies come in order, a blocking command holds up its own
 * client only, WATCH belongs to it, and when this node dies the leader sees the connection break and drops what waits. Nothing is ever
 * sent twice: what is unanswered when the connection breaks is of unknown fate.
 */
import type { Socket } from 'node:net';
import Denque from 'denque';
import type { ErrorReply, Reply } from '../../engine/index.js';
import type { Clock, Timer } from '../../raft/node/index.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import { ReplyScanner } from '../resp/reply-scanner.js';

/** Unanswered requests, in bytes and in number, beyond which the client is read no further. */
const BYTES_MAX = 4 * 1024 * 1024;
const REQUESTS_MAX = 10_000;
/** How long a leader that has been replaced may take to answer what it was sent. */
const REPLACED_PATIENCE_MS = 1000;

/** Takes what comes back, in the order of the requests. */
export interface UpstreamOwner {
  /** Bytes of a reply as the leader sent them. */
  relay(bytes: Buffer): void;
  /** A reply of this node's own in the place of the leader's. */
  encode(reply: Reply): void;
  /** Everything of a turn has been handed over. */
  flush(): void;
  /** No request is unanswered, or there is room for more. */
  upstreamReady(): void;
  /** A reply broke off in its middle: nothing can be said behind it. */
  brokenOff(): void;
}

interface Expected {
  /** Whether the client waits for the reply; otherwise it is dropped. */
  readonly relayed: boolean;
  /** Whether its loss leaves something in doubt. */
  readonly writes: boolean;
  readonly bytes: number;
  readonly onReply: ((firstLine: string) => void) | undefined;
  readonly onLoss?: () => void;
}

export class Upstream {
  private socket: Socket | undefined;
  private readonly scanner = new ReplyScanner();
  private readonly expected = new Denque<Expected>();
  private unsent: Buffer[] | undefined = [];
  /** Bytes of requests without a reply yet. */
  pendingBytes = 0;
  private relayedSome = false;
  private database = 0;
  private protocol: 2 | 3 = 2;
  private consistency = '';
  private mustUnwatch = false;
  private isEnding = false;
  private patience: Timer | undefined;
  isClosed = false;

  constructor(
    readonly leaderId: number,
    readonly address: string,
    private readonly owner: UpstreamOwner,
    dial: () => Promise<Socket>,
    private readonly clock: Clock,
  ) {
    dial().then(
      (socket) => this.opened(socket),
      () => this.ended(),
    );
  }

  /** Requests without a reply yet. */
  get pending(): number {
    return this.expected.length;
  }

  get isFull(): boolean {
    return this.pendingBytes > BYTES_MAX || this.expected.length > REQUESTS_MAX;
  }

  /** Brings the leader's side of the connection in line with what the client has chosen. */
  align(database: number, protocol: 2 | 3, consistency: string): void {
    if (this.mustUnwatch) this.silently('UNWATCH');
    this.mustUnwatch = false;
    if (protocol !== this.protocol) this.silently('HELLO', `${protocol}`);
    if (database !== this.database) this.silently('SELECT', `${database}`);
    if (consistency !== this.consistency) this.silently('RAFTCONSISTENCY', consistency);
    this.protocol = protocol;
    this.database = database;
    this.consistency = consistency;
  }

  /** A transaction has selected another database at the leader. */
  noteDatabase(database: number): void {
    this.database = database;
  }

  /** Sends a request whose reply the client gets. The bytes must not change any more. */
  request(bytes: Buffer, writes: boolean, onReply?: (firstLine: string) => void): void {
    this.send(bytes, { relayed: true, writes, bytes: bytes.length, onReply });
  }

  /** Runs `step`, which gives a reply of this node's own, behind the replies that are still to come. */
  behind(step: () => void): void {
    // The leader's answer to something harmless marks the place.
    this.send(encodeRequest(['PING']), {
      relayed: false,
      writes: false,
      bytes: 0,
      onReply: step,
      onLoss: step,
    });
  }

  /** What was watched on this connection is not watched any more when the next request goes out. */
  unwatch(): void {
    this.mustUnwatch = true;
  }

  /** Sends a request whose reply nobody needs. */
  silently(...args: string[]): void {
    this.silentRequest(encodeRequest(args));
  }

  silentRequest(bytes: Buffer): void {
    this.send(bytes, { relayed: false, writes: false, bytes: bytes.length, onReply: undefined });
  }

  private send(bytes: Buffer, expected: Expected): void {
    this.expected.push(expected);
    this.pendingBytes += bytes.length;
    if (this.unsent !== undefined) this.unsent.push(bytes);
    else this.socket?.write(bytes);
  }

  /** Another node leads now: what was sent here is answered soon, or never. */
  replaced(): void {
    this.patience ??= this.clock.setTimer(REPLACED_PATIENCE_MS, () => this.close());
  }

  pause(): void {
    this.socket?.pause();
  }

  resume(): void {
    this.socket?.resume();
  }

  /** Nothing more will be sent: the leader answers what it has, and drops what only waits. */
  end(): void {
    this.isEnding = true;
    if (this.unsent === undefined) this.socket?.end();
  }

  /** Ends the connection; what is unanswered is answered as lost. */
  close(): void {
    this.socket?.destroy();
    this.ended();
  }

  private opened(socket: Socket): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => this.ended());
    socket.cork();
    for (const bytes of this.unsent!) socket.write(bytes);
    socket.uncork();
    this.unsent = undefined;
    if (this.isEnding) socket.end();
    socket.resume();
  }

  private receive(chunk: Buffer): void {
    const wasFull = this.isFull;
    try {
      this.take(chunk);
    } catch {
      this.close();
      return;
    }
    this.owner.flush();
    if (this.expected.isEmpty() || (wasFull && !this.isFull)) this.owner.upstreamReady();
  }

  private take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.isClosed) {
      const expected = this.expected.peekFront();
      if (expected === undefined) throw new Error('a reply that nobody asked for');
      const end = this.scanner.scan(chunk, at);
      const upTo = end < 0 ? chunk.length : end;
      if (expected.relayed) {
        this.relayedSome = true;
        this.owner.relay(chunk.subarray(at, upTo));
      }
      at = upTo;
      if (end < 0) return;
      const { firstLine } = this.scanner;
      this.scanner.next();
      this.relayedSome = false;
      this.expected.shift();
      this.pendingBytes -= expected.bytes;
      expected.onReply?.(firstLine);
    }
  }

  private ended(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.patience?.cancel();
    if (this.relayedSome) {
      this.owner.brokenOff();
      return;
    }
    const wasSent = this.unsent === undefined;
    for (let one = this.expected.shift(); one !== undefined; one = this.expected.shift()) {
      one.onLoss?.();
      if (one.relayed) this.owner.encode(this.lossOf(one, wasSent));
    }
    this.pendingBytes = 0;
    this.owner.flush();
    this.owner.upstreamReady();
  }

  private lossOf({ writes }: Expected, wasSent: boolean): ErrorReply {
    if (!wasSent) return replies.noLeader(`the leader at ${this.address} cannot be reached`);
    return writes
      ? replies.fateUnknown
      : replies.noLeader(`the connection to the leader at ${this.address} broke`);
  }
}
