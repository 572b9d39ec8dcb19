/**
 * PUBLISH and SPUBLISH. They are writes, so that messages take their place in the one order of the log: every
 * node delivers them to its own subscribers in apply. Nothing of a message is state.
 */
import { type Command, type WriteContext, write } from '../command/command.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database } from '../storage/database.js';

const publishes =
  (isSharded: boolean) =>
  (request: Request, _database: Database, context: WriteContext): Reply =>
    context.publish(request.view(1), request.view(2), isSharded);

export const publishing: readonly Command[] = [
  write(
    {
      name: 'publish',
      arity: 3,
      flags: ['pubsub', 'loading', 'stale', 'fast'],
      loggedOnly: true,
      group: 'pubsub',
      since: '2.0.0',
      complexity: 'O(N+M), N subscribers of the channel, M patterns that anybody subscribes to',
      summary: 'Sends a message to the subscribers of a channel.',
      syntax: 'channel:string message:string',
    },
    publishes(false),
  ),
  write(
    {
      name: 'spublish',
      arity: 3,
      flags: ['pubsub', 'loading', 'stale', 'fast'],
      loggedOnly: true,
      keys: '1 not_key',
      group: 'pubsub',
      since: '7.0.0',
      complexity: 'O(N), N subscribers of the shard channel',
      summary: 'Sends a message to the subscribers of a shard channel.',
      syntax: 'shardchannel:string message:string',
    },
    publishes(true),
  ),
];
