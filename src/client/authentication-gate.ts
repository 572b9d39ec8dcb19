/**
 * Slows guessing of passwords: after some failures, attempts from an address are judged one after the other,
 * each later than the one before. Right ones wait as well, or an attacker would see by the quick answer what
 * it has to try next.
 */

/** Failures that cost nothing: a program that was given the wrong password. */
const FREE_FAILURES = 10;
const INTERVAL_FIRST_MS = 50;
const INTERVAL_MAX_MS = 1000;
/** An attempt that would have to wait for longer is refused. */
const WAIT_MAX_MS = 10_000;
/** After so long without a failure an address is as good as any. */
const FORGIVEN_AFTER_MS = 60_000;
const ADDRESSES_MAX = 10_000;

interface Record {
  failures: number;
  lastMs: number;
  /** When the next attempt may be judged. */
  nextMs: number;
}

export class AuthenticationGate {
  private readonly records = new Map<string, Record>();

  /** @param nowMs a monotonic clock */
  constructor(private readonly nowMs: () => number) {}

  /** How long an attempt from an address is to wait before it is judged; undefined: it is refused. */
  waitMs(address: string): number | undefined {
    const now = this.nowMs();
    const record = this.records.get(address);
    if (record === undefined || record.failures < FREE_FAILURES) return 0;
    if (now - record.lastMs > FORGIVEN_AFTER_MS) {
      this.records.delete(address);
      return 0;
    }
    const at = Math.max(now, record.nextMs);
    if (at - now > WAIT_MAX_MS) return undefined;
    const doubled = Math.min(record.failures - FREE_FAILURES, 10);
    record.nextMs = at + Math.min(INTERVAL_MAX_MS, INTERVAL_FIRST_MS * 2 ** doubled);
    return at - now;
  }

  failed(address: string): void {
    const now = this.nowMs();
    const record = this.records.get(address) ?? { failures: 0, lastMs: now, nextMs: now };
    record.failures++;
    record.lastMs = now;
    // The one that failed longest ago is the first to go.
    this.records.delete(address);
    this.records.set(address, record);
    if (this.records.size > ADDRESSES_MAX) this.records.delete(this.records.keys().next().value!);
  }
}
