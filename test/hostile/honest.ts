/**
 * Clients that mean well, on every node, while others mean harm: what they are told must have one order that
 * explains it all. One generation of operations after the other is judged, each on keys of its own.
 */
import { ErrorReply, type Reply } from '../../engine/index.js';
import { RespClient } from '../../src/resp/client.js';
import { checkHistory } from '../linearizability/checker.js';
import type { Operation, Reply as SeenReply } from '../linearizability/history.js';
import type { Random } from '../sim/random.js';

/** Operations of one client in a generation: few enough for the checker to order. */
const OPERATIONS = 25;
/**
 * Errors after which a command has had no effect: no memory, no place for a client, a leader that is too busy
 * to be reached.
 */
const REFUSALS = /^(OOM|CLUSTERDOWN|ERR max number of clients)/;

const seen = (reply: Reply): SeenReply => {
  if (Array.isArray(reply)) return reply.map(seen);
  return typeof reply === 'number' || reply === null ? reply : String(reply);
};

export class HonestClients {
  private generation = 0;
  /** Answered operations. */
  answered = 0;
  refused = 0;
  readonly undecided: string[] = [];

  constructor(
    private readonly ports: readonly number[],
    private readonly random: Random,
  ) {}

  /** Runs one generation on all nodes, and judges it; what is wrong, or undefined. */
  async round(): Promise<string | undefined> {
    const keys = `honest:${this.generation++}:`;
    const history: Operation[] = [];
    const wrong = await Promise.all(
      this.ports.map((port, place) => this.client(`client ${place}`, port, keys, history)),
    );
    const unexpected = wrong.find((text) => text !== undefined);
    if (unexpected !== undefined) return unexpected;
    const { verdict, report } = checkHistory(history, { stepsMax: 200_000 });
    if (verdict === 'not linearizable') return `not linearizable: ${report}`;
    if (verdict === 'undecided') this.undecided.push(keys);
    return undefined;
  }

  private async client(
    name: string,
    port: number,
    keys: string,
    history: Operation[],
  ): Promise<string | undefined> {
    const client = await RespClient.connect({
      host: '127.0.0.1',
      port,
      connectTimeoutMs: 60_000,
      replyTimeoutMs: 60_000,
    });
    try {
      for (let i = 0; i < OPERATIONS; i++) {
        const command = this.draw(keys, `${name}/${i}`);
        const invokedAt = performance.now();
        const reply = await client.call(...command);
        if (reply instanceof ErrorReply) {
          if (REFUSALS.test(reply.text)) {
            this.refused++;
            continue;
          }
          return `${name}: ${command.join(' ')} -> ${reply.text}`;
        }
        this.answered++;
        const [output, returnedAt] = [seen(reply), performance.now()];
        history.push({
          client: name,
          commands: [command],
          isTransaction: false,
          invokedAt,
          returnedAt,
          output,
        });
      }
      return undefined;
    } finally {
      await client.close();
    }
  }

  private draw(keys: string, value: string): string[] {
    return this.random.pick([
      ['SET', `${keys}r`, value],
      ['GET', `${keys}r`],
      ['GETSET', `${keys}r`, value],
      ['INCR', `${keys}c`],
      ['GET', `${keys}c`],
      ['RPUSH', `${keys}l`, value],
      ['LRANGE', `${keys}l`, '0', '-1'],
    ]);
  }
}
