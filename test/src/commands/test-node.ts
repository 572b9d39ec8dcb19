/** A node in memory and clients that talk to it, for tests of the program's commands. */
import { ErrorReply, type Reply } from '../../../engine/index.js';
import { Redraft, type RedraftOptions } from '../../../src/index.js';
import { RespClient } from '../../../src/resp/client.js';

export interface TestNode {
  readonly redraft: Redraft;
  /** One more client. */
  connect(): Promise<RespClient>;
}

/** Runs `test` against a node of its own; everything is closed behind it. */
export async function withNode(
  test: (node: TestNode) => Promise<void>,
  options: RedraftOptions = {},
): Promise<void> {
  const redraft = await Redraft.start({
    ...options,
    configuration: { 'enable-debug-command': 'local', ...options.configuration },
  });
  const clients: RespClient[] = [];
  try {
    await test({
      redraft,
      connect: async () => {
        const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
        clients.push(client);
        return client;
      },
    });
  } finally {
    for (const client of clients) await client.close();
    await redraft.stop();
  }
}

/** What a client gets, as text: errors with their dash, arrays in brackets. */
export function show(reply: Reply): string {
  if (Array.isArray(reply)) return `[${reply.map(show).join(' ')}]`;
  if (reply === null) return 'nil';
  if (reply instanceof ErrorReply) return `-${reply.text}`;
  return String(reply);
}
