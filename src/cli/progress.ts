/** How far a long piece of work is: a bar on a terminal; elsewhere a line each second, for logs. */
import type { ProgressBar, Terminal } from './progress-bar.js';

const EVERY_MS = 1000;

/** Where a subcommand says what is not its result. */
export interface SaidTo {
  /** Writes to standard error. */
  readonly print: (text: string) => void;
  /** Standard error, where a bar may be drawn there. */
  readonly terminal?: Terminal;
}

/** @param hasBar whether a person looks at it: not with `--json` */
export async function openProgress({ print, terminal }: SaidTo, hasBar: boolean): Promise<Progress> {
  if (!hasBar || terminal?.isTTY !== true || process.env.TERM === 'dumb')
    return new Progress(print, undefined);
  const { ProgressBar } = await import('./progress-bar.js');
  return new Progress(print, new ProgressBar(terminal));
}

export class Progress {
  private readonly beganMs = performance.now();
  private toldMs = this.beganMs;
  private phase = '';

  constructor(
    private readonly print: (text: string) => void,
    private readonly bar: ProgressBar | undefined,
  ) {}

  /** Prints a line that stays. */
  readonly note = (line: string): void => {
    this.bar?.clear();
    this.print(`${line}\n`);
  };

  /** No more is to come. */
  end(): void {
    this.bar?.clear();
  }

  /** Says how many bytes are written. */
  bytes(bytes: number, total: number): void {
    this.say('written', bytes, total);
  }

  /** Says what is done, and how much of it; `total` undefined where nobody knows. */
  say(what: string, done: number, total: number | undefined): void {
    if (this.phase !== what) this.bar?.clear();
    this.phase = what;
    this.show(done, total, () => `${what} ${done}${total === undefined ? '' : ` of ${total}`}`);
  }

  /**
   * Says how many keys and bytes there are, and keys a second.
   *
   * @param total bytes in all, where that is known
   */
  tell(keys: number, bytes: number, total: number | undefined): void {
    this.show(bytes, total, () => {
      const seconds = Math.max(performance.now() - this.beganMs, 1) / 1000;
      return `${keys} keys, ${bytes} bytes, ${Math.round(keys / seconds)} keys a second`;
    });
  }

  /** Says how work stands that has no end. */
  state(text: () => string): void {
    this.show(0, undefined, text);
  }

  private show(done: number, total: number | undefined, text: () => string): void {
    const of = total === 0 ? undefined : total;
    if (this.bar !== undefined) {
      this.bar.show({ text: text(), done, total: of });
      return;
    }
    const nowMs = performance.now();
    if (nowMs - this.toldMs < EVERY_MS) return;
    this.toldMs = nowMs;
    const share = of === undefined ? '' : ` (${Math.floor((done / of) * 100)} %)`;
    this.print(`${text()}${share}\n`);
  }
}
