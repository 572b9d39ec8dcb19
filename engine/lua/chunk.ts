/**
 * A compiled chunk's own data: what its code hands to the runtime so that errors can name lines and
 * variables.
 */

/** A place in a chunk. */
export interface Site {
  line: number;
  /** What the operands are called there: `local 'x'`, or empty. */
  names: string[];
}

export class Chunk {
  private decoded: string[] | undefined;

  constructor(
    /** How messages name it. */
    readonly name: string,
    private readonly encodedSites: string,
  ) {}

  site(number: number): Site {
    this.decoded ??= this.encodedSites.split('\n');
    const text = this.decoded[number] ?? '0';
    const space = text.indexOf(' ');
    if (space < 0) return { line: Number(text), names: [] };
    return { line: Number(text.slice(0, space)), names: JSON.parse(text.slice(space + 1)) as string[] };
  }
}

/** Stands in the list of frames for a native that calls back: messages name no place in it. */
export const nativeFrame = new Chunk('', '');
/** The bottom of a coroutine's stack. */
export const coroutineFrame = new Chunk('', '');
