/**
 * Tells systemd how the node is, where it is a service of Type=notify: by systemd-notify(1), since Node
 * cannot send to the socket that sd_notify(3) names. One word at a time; of several that wait the last
 * counts.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export class ServiceManager {
  private running: Promise<void> | undefined;
  private waiting: readonly string[] | undefined;

  /** Clients are served from now on. */
  ready(status: string): void {
    this.say('--ready', `--status=${status}`);
  }

  /** What `systemctl status` shows. */
  status(text: string): void {
    this.say(`--status=${text}`);
  }

  /** The end has begun. Resolves when systemd knows. */
  async stopping(): Promise<void> {
    this.say('STOPPING=1', 'STATUS=stopping');
    while (this.running !== undefined) await this.running;
  }

  private say(...words: string[]): void {
    if (this.running !== undefined) {
      // That it is ready must not be lost to a status behind it.
      const isReady = this.waiting?.includes('--ready') === true && !words.includes('STOPPING=1');
      this.waiting = isReady ? ['--ready', ...words.filter((word) => word !== '--ready')] : words;
      return;
    }
    const child = spawn('systemd-notify', words, { stdio: 'ignore' });
    this.running = Promise.race([once(child, 'exit'), once(child, 'error')])
      // Without the program nobody can be told: systemd gives up on the service then, and says so.
      .catch(() => {})
      .then(() => {
        this.running = undefined;
        const { waiting } = this;
        this.waiting = undefined;
        if (waiting !== undefined) this.say(...waiting);
      });
  }
}
