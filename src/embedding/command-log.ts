/** What clients have sent, for a test to look at. */
import { type CommandCall, type CommandFilter, matcher } from './command-call.js';

/** So many are kept unless told otherwise; then the oldest go. */
const KEPT_MAX = 100_000;

export class CommandLog implements Iterable<CommandCall> {
  private calls: CommandCall[] = [];
  private limit = KEPT_MAX;
  private recording = false;
  private forgotten = 0;

  /** @param changed told when it begins or ends */
  constructor(private readonly changed: () => void) {}

  /** Whether it takes down what comes. */
  get isRecording(): boolean {
    return this.recording;
  }

  /** How many had to make room for later ones. */
  get dropped(): number {
    return this.forgotten + Math.max(0, this.calls.length - this.limit);
  }

  /**
   * Takes down what clients send from now on; until then nothing is. @param limit how many commands are kept
   */
  record({ limit = KEPT_MAX }: { readonly limit?: number } = {}): void {
    if (!(Number.isInteger(limit) && limit > 0))
      throw new RangeError(`limit: ${limit} is no number of commands`);
    this.limit = limit;
    this.recording = true;
    this.changed();
  }

  /** Takes down no more. What is there stays. */
  stop(): void {
    this.recording = false;
    this.changed();
  }

  /** Forgets what is there. */
  clear(): void {
    this.calls = [];
    this.forgotten = 0;
  }

  /**
   * The commands that a filter means, in the order in which they came.
   *
   * @throws Error when nothing was ever recorded: an empty list would prove nothing
   */
  all(filter?: CommandFilter): CommandCall[] {
    this.mustHaveRecorded();
    return this.calls.slice(-this.limit).filter(matcher(filter));
  }

  /** The words of those commands, without the rest. */
  args(filter?: CommandFilter): CommandCall['args'][] {
    return this.all(filter).map(({ args }) => args);
  }

  count(filter?: CommandFilter): number {
    return this.all(filter).length;
  }

  last(filter?: CommandFilter): CommandCall | undefined {
    return this.all(filter).at(-1);
  }

  [Symbol.iterator](): Iterator<CommandCall> {
    return this.all()[Symbol.iterator]();
  }

  /** Takes a command down. */
  add(call: CommandCall): void {
    this.calls.push(call);
    if (this.calls.length < this.limit * 2) return;
    this.forgotten += this.calls.length - this.limit;
    this.calls = this.calls.slice(-this.limit);
  }

  private mustHaveRecorded(): void {
    if (!this.recording && this.calls.length === 0)
      throw new Error(
        'commands are not recorded: start with `recordCommands: true`, or call `commands.record()` first',
      );
  }
}
