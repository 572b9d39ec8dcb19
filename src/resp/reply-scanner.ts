/**
 * Finds where replies end in a byte stream, without building them: what is forwarded needs no values. RESP2
 * and RESP3.
 */

export class ReplyScanner {
  /** Type and header of the reply at hand, without its line end; empty until it has come. */
  firstLine = '';
  private line = '';
  /** Values that are still to come. */
  private remaining = 1;
  /** Bytes of a bulk and its line end that are still to come. */
  private skip = 0;

  /** Whether some bytes of a reply have come, and not yet all. */
  get isWithin(): boolean {
    return this.firstLine !== '' || this.line !== '';
  }

  /**
   * Goes on through a chunk.
   *
   * @returns the offset behind the reply at hand, or -1 if it goes on behind the chunk
   * @throws Error for bytes that are no reply
   */
  scan(chunk: Buffer, from: number): number {
    let at = from;
    while (this.remaining > 0 || this.skip > 0) {
      if (this.skip > 0) {
        const count = Math.min(this.skip, chunk.length - at);
        this.skip -= count;
        at += count;
        if (this.skip > 0) return -1;
        continue;
      }
      const end = chunk.indexOf(0x0a, at);
      if (end < 0) {
        this.line += chunk.latin1Slice(at, chunk.length);
        return -1;
      }
      const line = this.line + chunk.latin1Slice(at, end);
      this.line = '';
      at = end + 1;
      if (this.firstLine === '') this.firstLine = line.trimEnd();
      this.header(line);
    }
    return at;
  }

  /** The reply at hand was taken; the next one begins. */
  next(): void {
    this.firstLine = '';
    this.remaining = 1;
  }

  private header(line: string): void {
    const count = Number.parseInt(line.slice(1), 10);
    this.remaining--;
    switch (line[0]) {
      case '+':
      case '-':
      case ':':
      case '_':
      case '#':
      case ',':
      case '(':
        return;
      case '$':
      case '=':
      case '!':
        if (count >= 0) this.skip = count + 2;
        break;
      case '*':
      case '~':
      case '>':
        if (count > 0) this.remaining += count;
        break;
      case '%':
        this.remaining += 2 * count;
        break;
      case '|':
        // Attributes stand before the value that they belong to.
        this.remaining += 2 * count + 1;
        break;
      default:
        throw new Error(`a reply of the unknown type ${JSON.stringify(line[0])}`);
    }
    if (Number.isNaN(count)) throw new Error('a malformed reply');
  }
}
