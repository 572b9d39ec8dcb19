/**
 * What a forwarding follower has for each of its clients: a connection of its own to the leader, opened when
 * first needed, on which the client's requests go out as they came and the replies come back as they are.
 *
 * One connection per client keeps everything in its place without further ado: replies come in order, a
 * blocking command holds up its own client only, WATCH belongs to it, and when this node dies the leader sees
 * the connection break and drops what waits.
 *
 * Nothing is ever carried out twice. A write that is unanswered when the connection breaks is of unknown
 * outcome. What the other node has refused, because it does not lead, goes back to the client's connection,
 * which sends it to the next leader.
 */
import type { Socket } from 'node:net';
import Denque from 'denque';
import type { ErrorReply } from '../../engine/index.js';
import type { Clock, Timer } from '../../raft/node/index.js';
import type { Transaction } from '../client/transaction.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import { ReplyScanner } from '../resp/reply-scanner.js';

/** Unanswered requests, in bytes and in number, beyond which the client is read no further. */
const BYTES_MAX = 4 * 1024 * 1024;
const REQUESTS_MAX = 10_000;
/** How long a leader that has been replaced may take to answer what it was sent. */
const REPLACED_PATIENCE_MS = 1000;
/** The same while nobody is known to lead. */
const LEADERLESS_PATIENCE_MS = 3000;
/** A connection on which nothing moves is probed. */
const KEEP_ALIVE_MS = 5000;
/**
 * `!`, a bulk error: the node has refused the request before anything happened. No command replies with one.
 */
const REFUSAL = 0x21;

/** A client's request on its way to the leader. */
export interface ForwardedRequest {
  /** As it came. The bytes do not change any more. */
  readonly raw: Buffer;
  /** Whether its loss leaves something in doubt. */
  readonly writes: boolean;
  /** The transaction that an EXEC ends. */
  readonly transaction?: Transaction;
  /** Keys were watched for the EXEC. They are not any more once a leader has seen it. */
  readonly hadWatch?: boolean;
  /** When it was first refused or could not be sent, in monotonic milliseconds. */
  heldSinceMs?: number;
}

/** Takes what comes back, in the order of the requests. */
export interface UpstreamOwner {
  /** Bytes of a reply as the leader sent them. */
  relay(bytes: Buffer, isEnd: boolean): void;
  /** The next reply will not come; what to say in its place. */
  lost(error: ErrorReply): void;
  /** Everything of a turn has been handed over. */
  flush(): void;
  /** No request is unanswered, or there is room for more. */
  upstreamReady(): void;
  /** A reply broke off in its middle: nothing can be said behind it. */
  brokenOff(): void;
  /**
   * Nothing has happened to these, the last requests in their order, and nothing will: another leader than
   * the one that they were sent to may be asked at once, the same one in a moment.
   */
  takeBack(requests: readonly ForwardedRequest[], leaderId: number): void;
}

interface Expected {
  /** Undefined when nobody waits for the reply. */
  readonly request: ForwardedRequest | undefined;
  readonly bytes: number;
  readonly onReply: ((firstLine: string) => void) | undefined;
}

export class Upstream {
  private socket: Socket | undefined;
  private readonly scanner = new ReplyScanner();
  private readonly expected = new Denque<Expected>();
  /**
   * Requests that the node has refused. Those behind them are refused, too, or these must be answered before.
   */
  private refused: ForwardedRequest[] = [];
  private isRefusal = false;
  private unsent: Buffer[] | undefined = [];
  /** Bytes of requests without a reply yet. */
  pendingBytes = 0;
  private relayedSome = false;
  private database = 0;
  private protocol: 2 | 3 = 2;
  private consistency = '';
  private userName = 'default';
  private provedPassword = false;
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

  /** Whether requests are without a reply yet. */
  get isPending(): boolean {
    return !this.expected.isEmpty() || this.refused.length > 0;
  }

  /** Whether the connection stands, or is about to. */
  get takesMore(): boolean {
    return !this.isClosed && !this.isEnding;
  }

  /** Whether nothing more may be sent for now. Behind what was refused nothing must be carried out. */
  get isFull(): boolean {
    return this.pendingBytes > BYTES_MAX || this.expected.length > REQUESTS_MAX || this.refused.length > 0;
  }

  /**
   * Says to the leader who the client is, and whether it gave a password: the leader judges its rights again.
   */
  identify(userName: string, provedPassword: boolean): void {
    if (userName === this.userName && provedPassword === this.provedPassword) return;
    this.silently('AUTH', userName, provedPassword ? 'password' : 'nopass');
    this.userName = userName;
    this.provedPassword = provedPassword;
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

  /** Sends a request whose reply the client gets. */
  request(request: ForwardedRequest, onReply?: (firstLine: string) => void): void {
    this.send(request.raw, { request, bytes: request.raw.length, onReply });
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
    this.send(bytes, { request: undefined, bytes: bytes.length, onReply: undefined });
  }

  private send(bytes: Buffer, expected: Expected): void {
    this.expected.push(expected);
    this.pendingBytes += bytes.length;
    if (this.unsent !== undefined) this.unsent.push(bytes);
    else this.socket?.write(bytes);
  }

  /** The node `leaderId` leads now, or nobody (0): what was sent to another is answered soon, or never. */
  noteLeader(leaderId: number): void {
    this.patience?.cancel();
    this.patience = undefined;
    if (leaderId === this.leaderId || this.isClosed) return;
    const patienceMs = leaderId === 0 ? LEADERLESS_PATIENCE_MS : REPLACED_PATIENCE_MS;
    // What has arrived meanwhile is heard before silence is judged.
    this.patience = this.clock.setTimer(patienceMs, () => {
      const patience = this.patience;
      this.clock.afterInput(() => {
        if (patience === this.patience) this.close();
      });
    });
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
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
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
    if (this.expected.isEmpty() && this.refused.length > 0) {
      this.owner.takeBack(this.refused.splice(0), this.leaderId);
    }
    this.owner.flush();
    if (this.expected.isEmpty() || (wasFull && !this.isFull)) this.owner.upstreamReady();
  }

  private take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.isClosed) {
      const expected = this.expected.peekFront();
      if (expected === undefined) throw new Error('a reply that nobody asked for');
      const { request } = expected;
      if (!this.scanner.isWithin) this.isRefusal = chunk[at] === REFUSAL;
      const end = this.scanner.scan(chunk, at);
      const upTo = end < 0 ? chunk.length : end;
      if (request !== undefined && !this.isRefusal) {
        if (this.refused.length > 0) this.refuse(this.refused.splice(0));
        this.relayedSome = true;
        this.owner.relay(chunk.subarray(at, upTo), end >= 0);
      }
      at = upTo;
      if (end < 0) return;
      const { firstLine } = this.scanner;
      this.scanner.next();
      this.relayedSome = false;
      this.expected.shift();
      this.pendingBytes -= expected.bytes;
      if (request !== undefined && this.isRefusal) this.refused.push(request);
      else expected.onReply?.(firstLine);
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
    this.unsent = undefined;
    const refused = this.refused.splice(0);
    const lost = this.expected.toArray().flatMap(({ request }) => request ?? []);
    this.expected.clear();
    this.pendingBytes = 0;
    // Behind the last request whose outcome is unknown nothing has happened. Those before it cannot come
    // after it.
    const last = wasSent ? lost.findLastIndex(({ writes }) => writes) : -1;
    if (last >= 0) {
      this.refuse(refused.splice(0));
      for (const { writes } of lost.splice(0, last + 1)) {
        this.owner.lost(writes ? replies.outcomeUnknown : this.unreachable());
      }
    }
    if (refused.length + lost.length > 0) this.owner.takeBack([...refused, ...lost], this.leaderId);
    this.owner.flush();
    this.owner.upstreamReady();
  }

  /** Something behind these was carried out: they cannot be sent again. */
  private refuse(requests: readonly ForwardedRequest[]): void {
    for (let i = 0; i < requests.length; i++) this.owner.lost(this.unreachable());
  }

  private unreachable(): ErrorReply {
    return replies.noLeader(`the leader at ${this.address} cannot be reached`);
  }
}
