/** What a server tells its subscribers of keys, in order. */
import type { ReplyClient } from '../client.js';
import { itemsOf, textOf } from '../reply.js';

const REPLY_TIMEOUT_MS = 5_000;
const BARRIER = '__keyevent@barrier__:reached';

export class EventListener {
  private barriers = 0;

  private constructor(
    private readonly listener: ReplyClient,
    private readonly control: ReplyClient,
  ) {}

  /** @param listener a connection of its own, in RESP2 */
  static async start(listener: ReplyClient, control: ReplyClient): Promise<EventListener> {
    await control.call(['CONFIG', 'SET', 'notify-keyspace-events', 'EAmn']);
    await listener.call(['PSUBSCRIBE', '__keyevent@*']);
    return new EventListener(listener, control);
  }

  /**
   * The events since the last time, each `name key` with its database; `expired` left out, since each server
   * comes to a key in its own time.
   *
   * @throws Error if they do not come
   */
  async take(): Promise<string[]> {
    const barrier = String(++this.barriers);
    this.control.send(['PUBLISH', BARRIER, barrier]);
    const events: string[] = [];
    for (;;) {
      const message = await this.listener.nextReply(REPLY_TIMEOUT_MS);
      if (message === undefined) throw new Error('keyspace events do not come');
      const [, , channel, key] = itemsOf(message).map((item) => textOf(item) ?? '');
      if (channel === BARRIER && key === barrier) break;
      const [, database, name] = /^__keyevent@(\d+)__:(.*)$/s.exec(channel!) ?? [];
      if (name !== undefined && name !== 'expired') events.push(`${name} ${JSON.stringify(key)} ${database}`);
    }
    await this.control.nextReply(REPLY_TIMEOUT_MS);
    return events;
  }

  close(): void {
    this.listener.close();
  }
}
