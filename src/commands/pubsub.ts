/**
 * Publish and subscribe, from the subscriber's side. PUBLISH is the engine's: messages take their place in
 * the log.
 */
import {
  container,
  containerHelp,
  type Facts,
  globMatches,
  Push,
  type Reply,
  type Request,
  View,
  viewOf,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import type { SubscriptionKind } from '../pubsub/subscriptions.js';
import { replies } from '../replies.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';

/** Every name gets a confirmation of its own. The last is the reply; those before it are given here. */
function confirm(connection: Client, confirmations: readonly Push[]): Reply {
  for (const confirmation of confirmations.slice(0, -1)) connection.answer(confirmation);
  return confirmations[confirmations.length - 1];
}

const subscribes =
  (kind: SubscriptionKind, word: string) =>
  (request: Request, connection: Client, server: NodeContext): ProgramReply => {
    const own = connection.ownSubscriptions();
    const confirmations: Push[] = [];
    for (let i = 1; i < request.count; i++) {
      const name = request.latin1(i);
      server.subscriptions.add(kind, name, connection, own);
      confirmations.push(new Push([word, name, own.count(kind)]));
    }
    return confirm(connection, confirmations);
  };

const unsubscribes =
  (kind: SubscriptionKind, word: string) =>
  (request: Request, connection: Client, server: NodeContext): ProgramReply => {
    const own = connection.ownSubscriptions();
    const names: string[] = [];
    for (let i = 1; i < request.count; i++) names.push(request.latin1(i));
    // Not spread into a call: every argument takes room on the stack.
    if (names.length === 0) for (const name of own[kind]) names.push(name);
    if (names.length === 0) return new Push([word, null, own.count(kind)]);
    const confirmations = names.map((name) => {
      server.subscriptions.delete(kind, name, connection, own);
      return new Push([word, name, own.count(kind)]);
    });
    return confirm(connection, confirmations);
  };

// ---- PUBSUB ----

const lists =
  (kind: SubscriptionKind) =>
  (request: Request, _connection: Client, server: NodeContext): Reply => {
    if (request.count > 3) throw replies.unknownArguments(request.latin1(1), 'PUBSUB');
    const names = [...server.subscriptions.names(kind)];
    if (request.count === 2) return names;
    const pattern = request.view(2).copy();
    const view = new View(pattern, 0, pattern.length);
    return names.filter((name) => globMatches(view, viewOf(name)));
  };

const counts =
  (kind: SubscriptionKind) =>
  (request: Request, _connection: Client, server: NodeContext): Reply => {
    const found: Reply[] = [];
    for (let i = 2; i < request.count; i++) {
      const name = request.latin1(i);
      found.push(name, server.subscriptions.count(kind, name));
    }
    return found;
  };

const patternCount = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.subscriptions.size('pattern');

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('pubsub')!);

type Handler = (request: Request, connection: Client, server: NodeContext) => ProgramReply;

/** Subscribing takes effect, and is confirmed, behind the replies of what came before it. */
const subscriber = (
  name: string,
  arity: number,
  facts: Pick<Facts, 'since' | 'summary' | 'syntax' | 'complexity' | 'keys'>,
  run: Handler,
) =>
  ordered({ name, arity, flags: ['pubsub', 'noscript', 'loading', 'stale'], group: 'pubsub', ...facts }, run);

const about = (
  name: string,
  arity: number,
  facts: Pick<Facts, 'since' | 'summary' | 'syntax' | 'complexity'>,
  run: Handler,
) =>
  immediate(
    { name: `pubsub|${name}`, arity, flags: ['pubsub', 'loading', 'stale'], group: 'pubsub', ...facts },
    run,
  );

/** Every row of the family. */
export const pubsubCommands = [
  subscriber(
    'psubscribe',
    -2,
    {
      since: '2.0.0',
      complexity: 'O(N), N patterns',
      summary: 'Subscribes to all channels that match patterns.',
      syntax: 'pattern:(pattern:pattern) ...',
    },
    subscribes('pattern', 'psubscribe'),
  ),
  container(
    {
      name: 'pubsub',
      arity: -2,
      group: 'pubsub',
      since: '2.8.0',
      complexity: 'Depends on the subcommand.',
      summary: 'Looks at the subscriptions of this node.',
    },
    [
      about(
        'channels',
        -2,
        {
          since: '2.8.0',
          complexity: 'O(N), N channels that anybody subscribes to',
          summary: 'Lists the channels that anybody subscribes to.',
          syntax: '[pattern:pattern]',
        },
        lists('channel'),
      ),
      immediate(
        {
          name: 'pubsub|help',
          // None: not even that of its group.
          categories: [],
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'pubsub',
          since: '6.2.0',
          summary: 'Describes the subcommands.',
        },
        help,
      ),
      about(
        'numpat',
        2,
        { since: '2.8.0', summary: 'Counts the patterns that anybody subscribes to.' },
        patternCount,
      ),
      about(
        'numsub',
        -2,
        {
          since: '2.8.0',
          complexity: 'O(N), N channels asked for',
          summary: 'Counts the subscribers of channels, without those of patterns.',
          syntax: '[channel:string ...]',
        },
        counts('channel'),
      ),
      about(
        'shardchannels',
        -2,
        {
          since: '7.0.0',
          complexity: 'O(N), N shard channels that anybody subscribes to',
          summary: 'Lists the shard channels that anybody subscribes to.',
          syntax: '[pattern:pattern]',
        },
        lists('shard'),
      ),
      about(
        'shardnumsub',
        -2,
        {
          since: '7.0.0',
          complexity: 'O(N), N shard channels asked for',
          summary: 'Counts the subscribers of shard channels.',
          syntax: '[shardchannel:string ...]',
        },
        counts('shard'),
      ),
    ],
  ),
  subscriber(
    'punsubscribe',
    -1,
    {
      since: '2.0.0',
      complexity: 'O(N), N patterns',
      summary: 'Ends subscriptions to patterns; without any, all of them.',
      syntax: '[pattern:pattern ...]',
    },
    unsubscribes('pattern', 'punsubscribe'),
  ),
  subscriber(
    'ssubscribe',
    -2,
    {
      keys: '1..-1 not_key',
      since: '7.0.0',
      complexity: 'O(N), N shard channels',
      summary: 'Subscribes to shard channels.',
      syntax: 'shardchannel:string ...',
    },
    subscribes('shard', 'ssubscribe'),
  ),
  subscriber(
    'subscribe',
    -2,
    {
      since: '2.0.0',
      complexity: 'O(N), N channels',
      summary: 'Subscribes to channels.',
      syntax: 'channel:string ...',
    },
    subscribes('channel', 'subscribe'),
  ),
  subscriber(
    'sunsubscribe',
    -1,
    {
      keys: '1..-1 not_key',
      since: '7.0.0',
      complexity: 'O(N), N shard channels',
      summary: 'Ends subscriptions to shard channels; without any, all of them.',
      syntax: '[shardchannel:string ...]',
    },
    unsubscribes('shard', 'sunsubscribe'),
  ),
  subscriber(
    'unsubscribe',
    -1,
    {
      since: '2.0.0',
      complexity: 'O(N), N channels',
      summary: 'Ends subscriptions to channels; without any, all of them.',
      syntax: '[channel:string ...]',
    },
    unsubscribes('channel', 'unsubscribe'),
  ),
];
