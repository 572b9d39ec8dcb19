import Redlock from 'redlock';

/** One worker at a time does the accounts, by a lock that most of the nodes must grant. */
export class Turns {
  constructor(clients) {
    this.locks = new Redlock(clients, { retryCount: 0 });
  }

  async take(account, milliseconds) {
    return this.locks.acquire([`lock:${account}`], milliseconds);
  }
}
