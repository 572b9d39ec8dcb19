/** Messages that nobody asked for, as bytes: encoded once, however many clients they go to. */
import type { View } from '../../engine/index.js';

const CRLF = Buffer.from('\r\n');
const PUSH = 0x3e;

const bulk = (bytes: Buffer): Buffer[] => [Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF];

/** The bytes that a view stands for; they are the view's own. */
const bytesOf = (view: View): Buffer => view.buffer.subarray(view.start, view.end);

/** A message that goes between replies; its bytes must not be changed. */
export interface OutOfBand {
  bytes(protocol: 2 | 3): Buffer;
}

/** A published message. */
export class Message implements OutOfBand {
  private readonly resp2: Buffer;
  private resp3: Buffer | undefined;

  /** @param elements what the message is an array of, its kind (`message`, `pmessage`, `smessage`) first */
  constructor(elements: readonly (string | View)[]) {
    this.resp2 = Buffer.concat([
      Buffer.from(`*${elements.length}\r\n`),
      ...elements.flatMap((element) =>
        bulk(typeof element === 'string' ? Buffer.from(element, 'latin1') : bytesOf(element)),
      ),
    ]);
  }

  /** An array in RESP2, a push in RESP3: they differ in their first byte. */
  bytes(protocol: 2 | 3): Buffer {
    if (protocol === 2) return this.resp2;
    if (this.resp3 === undefined) {
      this.resp3 = Buffer.from(this.resp2);
      this.resp3[0] = PUSH;
    }
    return this.resp3;
  }
}
