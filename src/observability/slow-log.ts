/** SLOWLOG and LATENCY: what took long, kept in memory. */
import type { Request } from '../../engine/index.js';

/** Arguments and bytes of each that an entry of the slow log keeps, as in Redis. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
/** Samples of an event that the latency monitor keeps. */
const SAMPLES_MAX = 160;

export interface SlowCommand {
  readonly id: number;
  readonly timeSeconds: number;
  readonly durationUs: number;
  readonly args: readonly string[];
  readonly address: string;
  readonly clientName: string;
}

export class SlowLog {
  /** The newest first. */
  entries: SlowCommand[] = [];
  private nextId = 0;

  /** {@link add} for a client's request. */
  note(
    request: Request,
    client: { readonly address: string; readonly name: string },
    timeSeconds: number,
    durationUs: number,
    limit: number,
  ): void {
    const args: string[] = [];
    for (let i = 0; i < request.count; i++) args.push(request.latin1(i));
    this.add({ timeSeconds, durationUs, args, address: client.address, clientName: client.name }, limit);
  }

  /** Keeps at most `limit` entries, this one included. `args` are latin1. */
  add(command: Omit<SlowCommand, 'id'>, limit: number): void {
    const { args } = command;
    const shown = args.length > ARGUMENTS_MAX ? args.slice(0, ARGUMENTS_MAX - 1) : args;
    const kept = shown.map((arg) =>
      arg.length > ARGUMENT_BYTES_MAX
        ? `${arg.slice(0, ARGUMENT_BYTES_MAX)}... (${arg.length - ARGUMENT_BYTES_MAX} more bytes)`
        : arg,
    );
    if (shown.length < args.length) kept.push(`... (${args.length - shown.length} more arguments)`);
    this.entries.unshift({ ...command, args: kept, id: this.nextId++ });
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
