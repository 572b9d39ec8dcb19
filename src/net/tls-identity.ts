/**
 * What this node proves itself by, and judges others by, over TLS: read anew when it is told to, while
 * connections go on.
 */
import type { Clock, Timer } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';
import { type ParameterText, readTlsFiles, TlsError, type TlsSetup } from './tls-files.js';

const DAY_MS = 86_400_000;
/** From so many days before the end on, each day has its warning. */
const WARNED_DAYS = 30;

export interface TlsIdentityOptions {
  readonly text: ParameterText;
  readonly log: Log;
  readonly clock: Pick<Clock, 'wallMs' | 'setTimer'>;
}

export class TlsIdentity {
  private setup: TlsSetup;
  private timer: Timer;
  private readonly listeners: ((setup: TlsSetup) => void)[] = [];

  /** @throws TlsError */
  constructor(private readonly options: TlsIdentityOptions) {
    this.setup = readTlsFiles(options.text);
    this.warn();
    this.timer = this.look();
  }

  get current(): TlsSetup {
    return this.setup;
  }

  /** `listener` is called with each other setup from now on. */
  onChange(listener: (setup: TlsSetup) => void): void {
    this.listeners.push(listener);
  }

  /** Whether parameters could have these values; if not, the log says why. */
  accepts(changes: ReadonlyMap<string, string>): boolean {
    const { text, log } = this.options;
    try {
      readTlsFiles((name) => changes.get(name) ?? text(name));
      return true;
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      log.warning(`TLS stays as it is: ${error.message}`, { event: 'tls-refused', reason: error.message });
      return false;
    }
  }

  /**
   * Reads the files again. New connections go by what they say; if they cannot be used, all stays as it was,
   * and the log says why.
   */
  reload(): boolean {
    const { text, log } = this.options;
    try {
      this.setup = readTlsFiles(text);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      log.warning(`TLS stays as it is: ${error.message}`, { event: 'tls-refused', reason: error.message });
      return false;
    }
    for (const listener of this.listeners) listener(this.setup);
    log.notice(`TLS certificates are read: this node's is good for ${this.certificateDays} days`, {
      event: 'tls-read',
      days: this.certificateDays,
    });
    this.warn();
    return true;
  }

  /** Whole days until the certificate ends; negative when it has ended. */
  get certificateDays(): number {
    return this.daysUntil(this.setup.certificateEndsMs);
  }

  /** The same of the authority that ends first; undefined where there is none. */
  get authorityDays(): number | undefined {
    const { authoritiesEndMs } = this.setup;
    return authoritiesEndMs === undefined ? undefined : this.daysUntil(authoritiesEndMs);
  }

  /** Warns no more. */
  close(): void {
    this.timer.cancel();
  }

  /** Warns once a day of what ends soon. */
  private look(): Timer {
    return this.options.clock.setTimer(DAY_MS, () => {
      this.warn();
      this.timer = this.look();
    });
  }

  private daysUntil(endMs: number): number {
    return Math.floor((endMs - this.options.clock.wallMs()) / DAY_MS);
  }

  private warn(): void {
    this.warnOf("this node's TLS certificate (tls-cert-file)", this.certificateDays);
    if (this.authorityDays !== undefined)
      this.warnOf('a certificate of an authority (tls-ca-cert-file)', this.authorityDays);
  }

  private warnOf(what: string, days: number): void {
    if (days > WARNED_DAYS) return;
    const how = days < 0 ? 'has expired' : `expires in ${days} days`;
    this.options.log.warning(`${what} ${how}: put another one in its place, then send SIGHUP`, {
      event: 'certificate-ends',
      days,
    });
  }
}
