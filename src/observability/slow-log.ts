/** SLOWLOG and LATENCY: what took long, kept in memory. */
import type { Request, Runnable } from '../../engine/index.js';
import { REDACTED, secrets } from './secrets.js';

/** Arguments and bytes of each that an entry of the slow log keeps, as in Redis. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
/** Samples of an event that the latency monitor keeps. */
const SAMPLES_MAX = 160;

export interface SlowCommand {
  readonly id: number;
  readonly timeSeconds: number;
  readonly durationUs: number;
  /** Latin1. */
  readonly args: readonly string[];
  readonly address: string;
  readonly clientName: string;
}

export class SlowLog {
  /** The newest first. */
  entries: SlowCommand[] = [];
  private nextId = 0;

  /**
   * Notes a request. No more of its arguments is looked at than is kept, and secrets are not.
   *
   * @param client whose request it was; undefined where that is gone
   * @param limit how many entries are kept, this one included
   */
  note(
    row: Runnable,
    request: Request,
    client: { readonly address: string; readonly name: string } | undefined,
    timeSeconds: number,
    durationUs: number,
    limit: number,
  ): void {
    const { count } = request;
    const shown = count > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : count;
    const isSecret = secrets(row, request);
    const args: string[] = [];
    for (let i = 0; i < shown; i++) {
      const rest = request.length(i) - ARGUMENT_BYTES_MAX;
      if (isSecret(i)) args.push(REDACTED);
      else if (rest > 0) args.push(`${request.head(i, ARGUMENT_BYTES_MAX)}... (${rest} more bytes)`);
      else args.push(request.latin1(i));
    }
    if (shown < count) args.push(`... (${count - shown} more arguments)`);
    const { address = '', name: clientName = '' } = client ?? {};
    this.entries.unshift({ id: this.nextId++, timeSeconds, durationUs, args, address, clientName });
    if (this.entries.length > limit) this.entries.length = limit;
  }
}

export interface LatencySample {
  readonly timeSeconds: number;
  readonly milliseconds: number;
}

export class LatencyMonitor {
  private readonly events = new Map<string, { samples: LatencySample[]; worst: number }>();

  /** Of several samples within a second the worst is kept. */
  add(event: string, sample: LatencySample): void {
    let series = this.events.get(event);
    if (series === undefined) {
      series = { samples: [], worst: 0 };
      this.events.set(event, series);
    }
    series.worst = Math.max(series.worst, sample.milliseconds);
    const last = series.samples.at(-1);
    if (last?.timeSeconds === sample.timeSeconds) {
      if (sample.milliseconds > last.milliseconds) series.samples[series.samples.length - 1] = sample;
      return;
    }
    series.samples.push(sample);
    if (series.samples.length > SAMPLES_MAX) series.samples.shift();
  }

  history(event: string): readonly LatencySample[] {
    return this.events.get(event)?.samples ?? [];
  }

  /** Each event with its last sample and its worst. */
  *latest(): Generator<readonly [event: string, last: LatencySample, worstMs: number]> {
    for (const [event, { samples, worst }] of this.events) yield [event, samples.at(-1)!, worst];
  }

  /** Forgets the events, or all; how many there were. */
  reset(events: readonly string[]): number {
    const named = events.length === 0 ? [...this.events.keys()] : events;
    return named.filter((event) => this.events.delete(event)).length;
  }
}
