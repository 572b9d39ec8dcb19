/** How far a long piece of work is: a line each second, for people and logs alike. */
const EVERY_MS = 1000;

export class Progress {
  private readonly beganMs = performance.now();
  private toldMs = this.beganMs;

  constructor(private readonly print: (text: string) => void) {}

  /** Whether something should be said again; then it counts as said. */
  isDue(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.toldMs < EVERY_MS) return false;
    this.toldMs = nowMs;
    return true;
  }

  /** Says so, if it is time: bytes. */
  bytes(bytes: number, total: number): void {
    this.say('written', bytes, total);
  }

  /** Says so, if it is time: what is done, and how much of it. */
  say(what: string, done: number, total: number): void {
    if (!this.isDue()) return;
    const share = total === 0 ? '' : ` (${Math.floor((done / total) * 100)} %)`;
    this.print(`${what} ${done} of ${total}${share}\n`);
  }

  /**
   * Says so, if it is time: keys, bytes, keys a second.
   *
   * @param total bytes in all, where that is known
   */
  tell(keys: number, bytes: number, total: number | undefined): void {
    if (!this.isDue()) return;
    const seconds = (this.toldMs - this.beganMs) / 1000;
    const share = total === undefined || total === 0 ? '' : ` (${Math.floor((bytes / total) * 100)} %)`;
    this.print(`${keys} keys, ${bytes} bytes${share}, ${Math.round(keys / seconds)} keys a second\n`);
  }
}
