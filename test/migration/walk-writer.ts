/** Clients that write at a steady rate to wherever they are sent, and remember what was acknowledged. */
import { ErrorReply } from '../../engine/index.js';
import { RespClient } from '../../src/resp/client.js';
import { type Words, writeAt } from './walk-data.js';

const TICK_MS = 10;
/** Writes may be held up for so long. */
const HELD_MAX_MS = 3_600_000;

export class WalkWriter {
  /** Writes of which the answer has come, all of them in order. */
  acknowledged = 0;
  /** Longest time between a write and its answer since it was last asked, in milliseconds. */
  private slowestMs = 0;
  private client: RespClient | undefined;
  private sent = 0;
  private due = 0;
  private dueAtMs = performance.now();
  private isStopped = false;
  private failure: Error | undefined;
  private readonly timer: NodeJS.Timeout;

  /**
   * @param perSecond writes a second; it catches up with what was held up, no faster than twice that
   * @param keys that were there from the beginning, which it changes
   */
  constructor(
    private readonly perSecond: number,
    private readonly keys: number,
  ) {
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Goes on at another server: what the one before has not acknowledged is sent there, in order. */
  async moveTo(port: number): Promise<void> {
    await this.client?.close();
    const client = await RespClient.connect({ host: '127.0.0.1', port, replyTimeoutMs: HELD_MAX_MS });
    this.sent = this.acknowledged;
    this.client = client;
  }

  takeSlowestMs(): number {
    const slowest = this.slowestMs;
    this.slowestMs = 0;
    return Math.round(slowest);
  }

  /** Sends no more, and waits for all answers. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    while (this.failure === undefined && this.acknowledged < this.sent)
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    await this.client?.close();
    this.check();
  }

  /** Ends it, whatever is under way. */
  async abandon(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.client?.close();
  }

  /** @throws Error for an answer that was an error */
  check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private tick(): void {
    const nowMs = performance.now();
    const { client, perSecond } = this;
    // A machine that is busy makes timers late; what is late comes in pieces.
    this.due = Math.min(this.due + ((nowMs - this.dueAtMs) * perSecond) / 1000, perSecond / 10);
    this.dueAtMs = nowMs;
    if (client === undefined || client.closed || this.isStopped) return;
    // A connection that is held up is not filled without bound.
    for (; this.due >= 1 && this.sent - this.acknowledged < 2 * perSecond; this.due--)
      this.send(client, this.sent++, nowMs);
  }

  private send(client: RespClient, number: number, sentMs: number): void {
    const words: Words = writeAt(number, this.keys);
    client.call(...words).then(
      (reply) => {
        if (reply instanceof ErrorReply) this.failure ??= new Error(`${words.join(' ')}: ${reply.text}`);
        this.acknowledged++;
        this.slowestMs = Math.max(this.slowestMs, performance.now() - sentMs);
      },
      () => {
        // Whoever moves on sends it again.
      },
    );
  }
}
