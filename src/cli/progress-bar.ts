/** A bar on a terminal, by cli-progress. A part of its own: only who draws one loads it. */
import progress, { type Options, type Params, type SingleBar } from 'cli-progress';

/** What {@link ProgressBar} needs of a terminal: `process.stderr`, where that is one. */
export interface Terminal extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const BAR_SIZE = 24;

/** How far a piece of work is. */
export interface State {
  readonly text: string;
  readonly done: number;
  /** Undefined where nobody knows: then there is text alone. */
  readonly total: number | undefined;
}

function formatted(options: Options, params: Params, payload: { state: State }): string {
  const { text, total } = payload.state;
  if (total === undefined) return text;
  const bar = progress.Format.BarFormat(params.progress, options);
  const share = `${Math.floor(params.progress * 100)} %`.padStart(5);
  const eta = Number.isFinite(params.eta)
    ? `, ${progress.Format.TimeFormat(params.eta, options, 1)} left`
    : '';
  return `${bar} ${share} ${text}${eta}`;
}

/** Drawn ten times a second in one line of the terminal, and no wider than that. */
export class ProgressBar {
  private readonly bar: SingleBar;
  private isDrawn = false;

  constructor(terminal: Terminal) {
    this.bar = new progress.SingleBar({
      stream: terminal as NodeJS.WriteStream,
      format: formatted,
      barsize: BAR_SIZE,
      barCompleteChar: '#',
      barIncompleteChar: '.',
      clearOnComplete: true,
      // The line is cut to the terminal's width; modes that a kill would leave behind stay as they are.
      linewrap: true,
      hideCursor: false,
      gracefulExit: false,
    });
  }

  show(state: State): void {
    const total = state.total ?? state.done;
    if (!this.isDrawn) {
      this.isDrawn = true;
      this.bar.start(total, state.done, { state });
      return;
    }
    this.bar.setTotal(total);
    this.bar.update(state.done, { state });
  }

  /** Leaves nothing of it on the terminal; {@link show} draws it again. */
  clear(): void {
    if (!this.isDrawn) return;
    this.isDrawn = false;
    this.bar.stop();
  }
}
