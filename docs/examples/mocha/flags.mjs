/** Switches of an application, of which every process hears when one is turned. */
export class Flags {
  #flags = new Map();

  constructor(client) {
    this.client = client;
    this.listener = client.duplicate();
  }

  async open() {
    await this.listener.connect();
    await this.listener.subscribe('flags', () => this.read());
    await this.read();
  }

  async read() {
    this.#flags = new Map(Object.entries(await this.client.hGetAll('flags')));
  }

  has(name) {
    return this.#flags.get(name) === 'on';
  }

  async turn(name, on) {
    await this.client.hSet('flags', name, on ? 'on' : 'off');
    await this.client.publish('flags', name);
  }

  close() {
    this.listener.destroy();
  }
}
