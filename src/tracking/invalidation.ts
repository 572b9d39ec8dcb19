/**
 * The messages of client-side caching as bytes: each is encoded once for each protocol, however many clients
 * it has.
 */
import type { OutOfBand } from '../pubsub/message.js';

const CHANNEL = '__redis__:invalidate';
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

/** Keys are no longer what the client was given. */
export class Invalidation implements OutOfBand {
  private resp2: Buffer | undefined;
  private resp3: Buffer | undefined;

  /** @param keys latin1; undefined: all that there were */
  constructor(private readonly keys: readonly string[] | undefined) {}

  /** A push in RESP3, a message of the channel in RESP2. */
  bytes(protocol: 2 | 3): Buffer {
    if (protocol === 3) {
      this.resp3 ??= this.encode(`>2\r\n${bulk('invalidate')}`, '_\r\n');
      return this.resp3;
    }
    this.resp2 ??= this.encode(`*3\r\n${bulk('message')}${bulk(CHANNEL)}`, '$-1\r\n');
    return this.resp2;
  }

  private encode(head: string, none: string): Buffer {
    const tail = this.keys === undefined ? none : `*${this.keys.length}\r\n${this.keys.map(bulk).join('')}`;
    return Buffer.from(head + tail, 'latin1');
  }
}

/** The client that was to be told is gone. Only RESP3 can say so. */
export class RedirectBroken implements OutOfBand {
  constructor(private readonly redirect: number) {}

  bytes(): Buffer {
    return Buffer.from(`>2\r\n${bulk('tracking-redir-broken')}:${this.redirect}\r\n`);
  }
}
